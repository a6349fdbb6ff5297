import { api, bytes, int16, int64, string, struct } from '../schema.ts';

export const saslAuthenticate = api({
  key: 36,
  versions: [0, 2],
  flexibleSince: 2,
  request: struct({ authBytes: bytes() }),
  response: struct({
    errorCode: int16(),
    errorMessage: string({ nullable: 0 }),
    authBytes: bytes(),
    sessionLifetimeMs: int64({ since: 1, default: 0, ignorable: true }),
  }),
});
