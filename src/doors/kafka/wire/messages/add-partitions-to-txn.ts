import { api, array, boolean, int16, int32, int64, string, struct } from '../schema.ts';

const topic = struct({ name: string(), partitions: array(int32()) });

const topicResult = struct({
  name: string(),
  resultsByPartition: array(struct({ partitionIndex: int32(), partitionErrorCode: int16() })),
});

/** Since version 4 brokers may ask for several transactions at once (KIP-890). */
export const addPartitionsToTxn = api({
  key: 24,
  versions: [0, 5],
  flexibleSince: 3,
  request: struct({
    transactions: array(
      struct({
        transactionalId: string(),
        producerId: int64(),
        producerEpoch: int16(),
        verifyOnly: boolean(),
        topics: array(topic),
      }),
      { since: 4 },
    ),
    v3AndBelowTransactionalId: string({ until: 3 }),
    v3AndBelowProducerId: int64({ until: 3 }),
    v3AndBelowProducerEpoch: int16({ until: 3 }),
    v3AndBelowTopics: array(topic, { until: 3 }),
  }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16({ since: 4, ignorable: true }),
    resultsByTransaction: array(
      struct({ transactionalId: string(), topicResults: array(topicResult) }),
      { since: 4 },
    ),
    resultsByTopicV3AndBelow: array(topicResult, { until: 3 }),
  }),
});
