import { api, array, int16, int32, int64, string, struct, uuid } from '../schema.ts';

export const describeShareGroupOffsets = api({
  key: 90,
  versions: [0, 1],
  flexibleSince: 0,
  request: struct({
    groups: array(
      struct({
        groupId: string(),
        topics: array(struct({ topicName: string(), partitions: array(int32()) }), {
          nullable: 0,
        }),
      }),
    ),
  }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    groups: array(
      struct({
        groupId: string(),
        topics: array(
          struct({
            topicName: string(),
            topicId: uuid(),
            partitions: array(
              struct({
                partitionIndex: int32(),
                startOffset: int64(),
                leaderEpoch: int32(),
                lag: int64({ since: 1, default: -1, ignorable: true }),
                errorCode: int16(),
                errorMessage: string({ nullable: 0, default: null }),
              }),
            ),
          }),
        ),
        errorCode: int16(),
        errorMessage: string({ nullable: 0, default: null }),
      }),
    ),
  }),
});
