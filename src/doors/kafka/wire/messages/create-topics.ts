import { api, array, boolean, int16, int32, int8, string, struct, uuid } from '../schema.ts';

export const createTopics = api({
  key: 19,
  versions: [2, 7],
  flexibleSince: 5,
  request: struct({
    topics: array(
      struct({
        name: string(),
        numPartitions: int32(),
        replicationFactor: int16(),
        assignments: array(struct({ partitionIndex: int32(), brokerIds: array(int32()) })),
        configs: array(struct({ name: string(), value: string({ nullable: 0 }) })),
      }),
    ),
    timeoutMs: int32({ default: 60_000 }),
    validateOnly: boolean({ default: false }),
  }),
  response: struct({
    throttleTimeMs: int32({ ignorable: true }),
    topics: array(
      struct({
        name: string(),
        topicId: uuid({ since: 7, ignorable: true }),
        errorCode: int16(),
        errorMessage: string({ nullable: 0, ignorable: true }),
        topicConfigErrorCode: int16({ since: 5, ignorable: true, tag: 0 }),
        numPartitions: int32({ since: 5, default: -1, ignorable: true }),
        replicationFactor: int16({ since: 5, default: -1, ignorable: true }),
        configs: array(
          struct({
            name: string(),
            value: string({ nullable: 5 }),
            readOnly: boolean(),
            configSource: int8({ default: -1, ignorable: true }),
            isSensitive: boolean(),
          }),
          { since: 5, nullable: 5, ignorable: true },
        ),
      }),
    ),
  }),
});
