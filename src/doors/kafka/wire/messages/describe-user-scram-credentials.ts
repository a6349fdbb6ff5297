import { api, array, int16, int32, int8, string, struct } from '../schema.ts';

export const describeUserScramCredentials = api({
  key: 50,
  versions: [0, 0],
  flexibleSince: 0,
  request: struct({ users: array(struct({ name: string() }), { nullable: 0 }) }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: 0 }),
    results: array(
      struct({
        user: string(),
        errorCode: int16(),
        errorMessage: string({ nullable: 0 }),
        credentialInfos: array(struct({ mechanism: int8(), iterations: int32() })),
      }),
    ),
  }),
});
