import { api, array, int16, int32, int8, string, struct } from '../schema.ts';

export const electLeaders = api({
  key: 43,
  versions: [0, 2],
  flexibleSince: 2,
  request: struct({
    electionType: int8({ since: 1 }),
    topicPartitions: array(struct({ topic: string(), partitions: array(int32()) }), {
      nullable: 0,
    }),
    timeoutMs: int32({ default: 60_000 }),
  }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16({ since: 1 }),
    replicaElectionResults: array(
      struct({
        topic: string(),
        partitionResult: array(
          struct({
            partitionId: int32(),
            errorCode: int16(),
            errorMessage: string({ nullable: 0 }),
          }),
        ),
      }),
    ),
  }),
});
