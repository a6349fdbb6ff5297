import { api, array, boolean, int16, int32, string, struct, uuid } from '../schema.ts';

/** Where the next page begins, or null at the end (KIP-966). */
const cursor = struct(
  { topicName: string(), partitionIndex: int32() },
  { nullable: 0, default: null },
);

export const describeTopicPartitions = api({
  key: 75,
  versions: [0, 0],
  flexibleSince: 0,
  request: struct({
    topics: array(struct({ name: string() })),
    responsePartitionLimit: int32({ default: 2000 }),
    cursor,
  }),
  response: struct({
    throttleTimeMs: int32({ ignorable: true }),
    topics: array(
      struct({
        errorCode: int16(),
        name: string({ nullable: 0 }),
        topicId: uuid({ ignorable: true }),
        isInternal: boolean({ default: false }),
        partitions: array(
          struct({
            errorCode: int16(),
            partitionIndex: int32(),
            leaderId: int32(),
            leaderEpoch: int32({ default: -1, ignorable: true }),
            replicaNodes: array(int32()),
            isrNodes: array(int32()),
            eligibleLeaderReplicas: array(int32(), { nullable: 0, default: null }),
            lastKnownElr: array(int32(), { nullable: 0, default: null }),
            offlineReplicas: array(int32(), { ignorable: true }),
          }),
        ),
        topicAuthorizedOperations: int32({ default: -2147483648 }),
      }),
    ),
    nextCursor: cursor,
  }),
});
