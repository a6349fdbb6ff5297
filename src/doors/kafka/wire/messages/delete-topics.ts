import { api, array, int16, int32, string, struct, uuid } from '../schema.ts';

export const deleteTopics = api({
  key: 20,
  versions: [1, 6],
  flexibleSince: 4,
  request: struct({
    topics: array(struct({ name: string({ nullable: 6, default: null }), topicId: uuid() }), {
      since: 6,
    }),
    topicNames: array(string(), { until: 5, ignorable: true }),
    timeoutMs: int32(),
  }),
  response: struct({
    throttleTimeMs: int32({ ignorable: true }),
    responses: array(
      struct({
        name: string({ nullable: 6 }),
        topicId: uuid({ since: 6, ignorable: true }),
        errorCode: int16(),
        errorMessage: string({ since: 5, nullable: 5, default: null, ignorable: true }),
      }),
    ),
  }),
});
