import { api, array, int16, int32, string, struct } from '../schema.ts';

export const listPartitionReassignments = api({
  key: 46,
  versions: [0, 0],
  flexibleSince: 0,
  request: struct({
    timeoutMs: int32({ default: 60_000 }),
    topics: array(struct({ name: string(), partitionIndexes: array(int32()) }), {
      nullable: 0,
      default: null,
    }),
  }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: 0 }),
    topics: array(
      struct({
        name: string(),
        partitions: array(
          struct({
            partitionIndex: int32(),
            replicas: array(int32()),
            addingReplicas: array(int32()),
            removingReplicas: array(int32()),
          }),
        ),
      }),
    ),
  }),
});
