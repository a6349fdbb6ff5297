import { api, array, int16, int32, int64, string, struct, uint16, uuid } from '../schema.ts';

const replicas = array(
  struct({
    replicaId: int32(),
    replicaDirectoryId: uuid({ since: 2 }),
    logEndOffset: int64(),
    lastFetchTimestamp: int64({ since: 1, default: -1, ignorable: true }),
    lastCaughtUpTimestamp: int64({ since: 1, default: -1, ignorable: true }),
  }),
);

export const describeQuorum = api({
  key: 55,
  versions: [0, 2],
  flexibleSince: 0,
  request: struct({
    topics: array(
      struct({ topicName: string(), partitions: array(struct({ partitionIndex: int32() })) }),
    ),
  }),
  response: struct({
    errorCode: int16(),
    errorMessage: string({ since: 2, nullable: 2, ignorable: true }),
    topics: array(
      struct({
        topicName: string(),
        partitions: array(
          struct({
            partitionIndex: int32(),
            errorCode: int16(),
            errorMessage: string({ since: 2, nullable: 2, ignorable: true }),
            leaderId: int32(),
            leaderEpoch: int32(),
            highWatermark: int64(),
            currentVoters: replicas,
            observers: replicas,
          }),
        ),
      }),
    ),
    nodes: array(
      struct({
        nodeId: int32(),
        listeners: array(struct({ name: string(), host: string(), port: uint16() })),
      }),
      { since: 2 },
    ),
  }),
});
