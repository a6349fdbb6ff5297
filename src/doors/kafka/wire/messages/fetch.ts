import { api, array, int16, int32, int64, int8, records, string, struct, uuid } from '../schema.ts';
import { nodeEndpoints } from './node-endpoint.ts';

/** Sessions came with version 7 (KIP-227), topics by id with 13 (KIP-516). */
export const fetch = api({
  key: 1,
  versions: [4, 18],
  flexibleSince: 12,
  request: struct({
    clusterId: string({ since: 12, nullable: 12, default: null, ignorable: true, tag: 0 }),
    replicaId: int32({ until: 14, default: -1 }),
    replicaState: struct(
      { replicaId: int32({ default: -1 }), replicaEpoch: int64({ default: -1 }) },
      { since: 15, tag: 1 },
    ),
    maxWaitMs: int32(),
    minBytes: int32(),
    maxBytes: int32({ default: 0x7fffffff, ignorable: true }),
    isolationLevel: int8({ default: 0, ignorable: true }),
    sessionId: int32({ since: 7, default: 0, ignorable: true }),
    sessionEpoch: int32({ since: 7, default: -1, ignorable: true }),
    topics: array(
      struct({
        topic: string({ until: 12, ignorable: true }),
        topicId: uuid({ since: 13, ignorable: true }),
        partitions: array(
          struct({
            partition: int32(),
            currentLeaderEpoch: int32({ since: 9, default: -1, ignorable: true }),
            fetchOffset: int64(),
            lastFetchedEpoch: int32({ since: 12, default: -1 }),
            logStartOffset: int64({ since: 5, default: -1, ignorable: true }),
            partitionMaxBytes: int32(),
            replicaDirectoryId: uuid({ since: 17, ignorable: true, tag: 0 }),
            // The largest value stands for "not told" (KIP-1166).
            highWatermark: int64({
              since: 18,
              default: Number.MAX_SAFE_INTEGER,
              ignorable: true,
              tag: 1,
              saturates: true,
            }),
          }),
        ),
      }),
    ),
    forgottenTopicsData: array(
      struct({
        topic: string({ until: 12, ignorable: true }),
        topicId: uuid({ since: 13, ignorable: true }),
        partitions: array(int32()),
      }),
      { since: 7 },
    ),
    rackId: string({ since: 11, default: '', ignorable: true }),
  }),
  response: struct({
    throttleTimeMs: int32({ ignorable: true }),
    errorCode: int16({ since: 7, ignorable: true }),
    sessionId: int32({ since: 7, default: 0 }),
    responses: array(
      struct({
        topic: string({ until: 12, ignorable: true }),
        topicId: uuid({ since: 13, ignorable: true }),
        partitions: array(
          struct({
            partitionIndex: int32(),
            errorCode: int16(),
            highWatermark: int64(),
            lastStableOffset: int64({ default: -1, ignorable: true }),
            logStartOffset: int64({ since: 5, default: -1, ignorable: true }),
            divergingEpoch: struct(
              { epoch: int32({ default: -1 }), endOffset: int64({ default: -1 }) },
              { since: 12, tag: 0 },
            ),
            currentLeader: struct(
              { leaderId: int32({ default: -1 }), leaderEpoch: int32({ default: -1 }) },
              { since: 12, tag: 1 },
            ),
            snapshotId: struct(
              { endOffset: int64({ default: -1 }), epoch: int32({ default: -1 }) },
              { since: 12, tag: 2 },
            ),
            abortedTransactions: array(struct({ producerId: int64(), firstOffset: int64() }), {
              nullable: 4,
              ignorable: true,
            }),
            preferredReadReplica: int32({ since: 11, default: -1 }),
            records: records({ nullable: 0 }),
          }),
        ),
      }),
    ),
    nodeEndpoints: nodeEndpoints({ since: 16, tag: 0 }),
  }),
});
