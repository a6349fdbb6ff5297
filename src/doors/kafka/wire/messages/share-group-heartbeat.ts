import { api, array, int16, int32, string, struct, uuid } from '../schema.ts';

/** Version 0 was an early access one that no released broker offers any more (KIP-932). */
export const shareGroupHeartbeat = api({
  key: 76,
  versions: [1, 1],
  flexibleSince: 0,
  request: struct({
    groupId: string(),
    memberId: string(),
    memberEpoch: int32(),
    rackId: string({ nullable: 0, default: null }),
    subscribedTopicNames: array(string(), { nullable: 0, default: null }),
  }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: 0, default: null }),
    memberId: string({ nullable: 0, default: null }),
    memberEpoch: int32(),
    heartbeatIntervalMs: int32(),
    assignment: struct(
      { topicPartitions: array(struct({ topicId: uuid(), partitions: array(int32()) })) },
      { nullable: 0, default: null },
    ),
  }),
});
