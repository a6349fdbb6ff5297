import { api, array, boolean, bytes, int16, int32, string, struct } from '../schema.ts';

export const joinGroup = api({
  key: 11,
  versions: [0, 9],
  flexibleSince: 6,
  request: struct({
    groupId: string(),
    sessionTimeoutMs: int32(),
    rebalanceTimeoutMs: int32({ since: 1, default: -1, ignorable: true }),
    memberId: string(),
    groupInstanceId: string({ since: 5, nullable: 5, default: null }),
    protocolType: string(),
    protocols: array(struct({ name: string(), metadata: bytes() })),
    reason: string({ since: 8, nullable: 8, default: null, ignorable: true }),
  }),
  response: struct({
    throttleTimeMs: int32({ since: 2, ignorable: true }),
    errorCode: int16(),
    generationId: int32({ default: -1 }),
    protocolType: string({ since: 7, nullable: 7, default: null, ignorable: true }),
    protocolName: string({ nullable: 7 }),
    leader: string(),
    skipAssignment: boolean({ since: 9 }),
    memberId: string(),
    members: array(
      struct({
        memberId: string(),
        groupInstanceId: string({ since: 5, nullable: 5, default: null, ignorable: true }),
        metadata: bytes(),
      }),
    ),
  }),
});
