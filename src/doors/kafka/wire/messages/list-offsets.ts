import { api, array, int16, int32, int64, int8, string, struct } from '../schema.ts';

export const listOffsets = api({
  key: 2,
  versions: [1, 11],
  flexibleSince: 6,
  request: struct({
    replicaId: int32(),
    isolationLevel: int8({ since: 2 }),
    topics: array(
      struct({
        name: string(),
        partitions: array(
          struct({
            partitionIndex: int32(),
            currentLeaderEpoch: int32({ since: 4, default: -1, ignorable: true }),
            timestamp: int64({ saturates: true }),
          }),
        ),
      }),
    ),
    timeoutMs: int32({ since: 10, ignorable: true }),
  }),
  response: struct({
    throttleTimeMs: int32({ since: 2, ignorable: true }),
    topics: array(
      struct({
        name: string(),
        partitions: array(
          struct({
            partitionIndex: int32(),
            errorCode: int16(),
            timestamp: int64({ default: -1 }),
            offset: int64({ default: -1 }),
            // Ignorable only here: old clients lose nothing, and the handler need not look at the version.
            leaderEpoch: int32({ since: 4, default: -1, ignorable: true }),
          }),
        ),
      }),
    ),
  }),
});
