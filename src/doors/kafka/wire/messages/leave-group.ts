import { api, array, int16, int32, string, struct } from '../schema.ts';

/** Since version 3 several members can be taken out by one request (KIP-345). */
export const leaveGroup = api({
  key: 13,
  versions: [0, 5],
  flexibleSince: 4,
  request: struct({
    groupId: string(),
    memberId: string({ until: 2 }),
    members: array(
      struct({
        memberId: string(),
        groupInstanceId: string({ nullable: 3, default: null }),
        reason: string({ since: 5, nullable: 5, default: null, ignorable: true }),
      }),
      { since: 3 },
    ),
  }),
  response: struct({
    throttleTimeMs: int32({ since: 1, ignorable: true }),
    errorCode: int16(),
    members: array(
      struct({
        memberId: string(),
        groupInstanceId: string({ nullable: 3 }),
        errorCode: int16(),
      }),
      { since: 3 },
    ),
  }),
});
