import { api, array, int16, int32, string, struct, uuid } from '../schema.ts';

export const deleteShareGroupOffsets = api({
  key: 92,
  versions: [0, 0],
  flexibleSince: 0,
  request: struct({ groupId: string(), topics: array(struct({ topicName: string() })) }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: 0, default: null }),
    responses: array(
      struct({
        topicName: string(),
        topicId: uuid(),
        errorCode: int16(),
        errorMessage: string({ nullable: 0, default: null }),
      }),
    ),
  }),
});
