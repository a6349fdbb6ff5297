import { api, array, int16, int32, string, struct } from '../schema.ts';

export const offsetDelete = api({
  key: 47,
  versions: [0, 0],
  request: struct({
    groupId: string(),
    topics: array(
      struct({ name: string(), partitions: array(struct({ partitionIndex: int32() })) }),
    ),
  }),
  response: struct({
    errorCode: int16(),
    throttleTimeMs: int32({ ignorable: true }),
    topics: array(
      struct({
        name: string(),
        partitions: array(struct({ partitionIndex: int32(), errorCode: int16() })),
      }),
    ),
  }),
});
