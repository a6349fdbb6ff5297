import { api, array, int16, int32, int64, string, struct, uuid } from '../schema.ts';

export const alterShareGroupOffsets = api({
  key: 91,
  versions: [0, 0],
  flexibleSince: 0,
  request: struct({
    groupId: string(),
    topics: array(
      struct({
        topicName: string(),
        partitions: array(struct({ partitionIndex: int32(), startOffset: int64() })),
      }),
    ),
  }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: 0, default: null }),
    responses: array(
      struct({
        topicName: string(),
        topicId: uuid(),
        partitions: array(
          struct({
            partitionIndex: int32(),
            errorCode: int16(),
            errorMessage: string({ nullable: 0, default: null }),
          }),
        ),
      }),
    ),
  }),
});
