import { api, array, boolean, int16, int32, int64, int8, string, struct } from '../schema.ts';

export const writeTxnMarkers = api({
  key: 27,
  versions: [1, 2],
  flexibleSince: 1,
  request: struct({
    markers: array(
      struct({
        producerId: int64(),
        producerEpoch: int16(),
        transactionResult: boolean(),
        topics: array(struct({ name: string(), partitionIndexes: array(int32()) })),
        coordinatorEpoch: int32(),
        transactionVersion: int8({ since: 2, default: 0, ignorable: true }),
      }),
    ),
  }),
  response: struct({
    markers: array(
      struct({
        producerId: int64(),
        topics: array(
          struct({
            name: string(),
            partitions: array(struct({ partitionIndex: int32(), errorCode: int16() })),
          }),
        ),
      }),
    ),
  }),
});
