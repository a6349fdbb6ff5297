import { api, int16, int32, string, struct } from '../schema.ts';

export const heartbeat = api({
  key: 12,
  versions: [0, 4],
  flexibleSince: 4,
  request: struct({
    groupId: string(),
    generationId: int32(),
    memberId: string(),
    groupInstanceId: string({ since: 3, nullable: 3, default: null }),
  }),
  response: struct({ throttleTimeMs: int32({ since: 1, ignorable: true }), errorCode: int16() }),
});
