import { api, array, int16, int32, string, struct, uuid } from '../schema.ts';

/** A null field of the request says that it has not changed since the last heartbeat (KIP-848). */
export const consumerGroupHeartbeat = api({
  key: 68,
  versions: [0, 1],
  flexibleSince: 0,
  request: struct({
    groupId: string(),
    memberId: string(),
    memberEpoch: int32(),
    instanceId: string({ nullable: 0, default: null }),
    rackId: string({ nullable: 0, default: null }),
    rebalanceTimeoutMs: int32({ default: -1 }),
    subscribedTopicNames: array(string(), { nullable: 0, default: null }),
    subscribedTopicRegex: string({ since: 1, nullable: 1, default: null }),
    serverAssignor: string({ nullable: 0, default: null }),
    topicPartitions: array(struct({ topicId: uuid(), partitions: array(int32()) }), {
      nullable: 0,
      default: null,
    }),
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
