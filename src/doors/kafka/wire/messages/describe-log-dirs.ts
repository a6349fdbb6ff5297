import { api, array, boolean, int16, int32, int64, string, struct } from '../schema.ts';

export const describeLogDirs = api({
  key: 35,
  versions: [1, 5],
  flexibleSince: 2,
  request: struct({
    topics: array(struct({ topic: string(), partitions: array(int32()) }), { nullable: 0 }),
  }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16({ since: 3, ignorable: true }),
    results: array(
      struct({
        errorCode: int16(),
        logDir: string(),
        topics: array(
          struct({
            name: string(),
            partitions: array(
              struct({
                partitionIndex: int32(),
                partitionSize: int64(),
                offsetLag: int64(),
                isFutureKey: boolean(),
              }),
            ),
          }),
        ),
        totalBytes: int64({ since: 4, default: -1, ignorable: true }),
        usableBytes: int64({ since: 4, default: -1, ignorable: true }),
        isCordoned: boolean({ since: 5, ignorable: true }),
      }),
    ),
  }),
});
