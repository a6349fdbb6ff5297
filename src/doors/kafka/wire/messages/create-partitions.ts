import { api, array, boolean, int16, int32, string, struct } from '../schema.ts';

export const createPartitions = api({
  key: 37,
  versions: [0, 3],
  flexibleSince: 2,
  request: struct({
    topics: array(
      struct({
        name: string(),
        count: int32(),
        assignments: array(struct({ brokerIds: array(int32()) }), { nullable: 0 }),
      }),
    ),
    timeoutMs: int32(),
    validateOnly: boolean(),
  }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    results: array(
      struct({
        name: string(),
        errorCode: int16(),
        errorMessage: string({ nullable: 0, default: null }),
      }),
    ),
  }),
});
