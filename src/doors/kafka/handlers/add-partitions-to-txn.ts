// AddPartitionsToTxn 0-5. Versions 4 and 5 ask for several transactions at once and may only verify (KIP-890): brokers
// use them among each other, and whoever else does is answered as well. Since version 5 what is not in a transaction is
// TRANSACTION_ABORTABLE (KIP-1050), before INVALID_TXN_STATE.
import type { TransactionalIdentity } from '../../../broker/index.ts';
import type { PartitionKey } from '../../../shard/index.ts';
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { transactionErrorCode } from '../transaction-errors.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

type Request = RequestOf<'AddPartitionsToTxn'>;
type Topics = Request['v3AndBelowTopics'];
type TopicResults = NonNullable<ResponseInput<'AddPartitionsToTxn'>['resultsByTopicV3AndBelow']>;

export async function addPartitionsToTxn(
  context: HandlerContext,
  request: Request,
  version: number,
): Promise<ResponseInput<'AddPartitionsToTxn'>> {
  if (version < 4) {
    const identity = {
      transactionalId: request.v3AndBelowTransactionalId,
      producerId: request.v3AndBelowProducerId,
      epoch: request.v3AndBelowProducerEpoch,
    };
    const results = await add(context, identity, request.v3AndBelowTopics, version);
    return { resultsByTopicV3AndBelow: results };
  }
  const resultsByTransaction = await Promise.all(
    request.transactions.map(async (asked) => {
      const { transactionalId, producerId, producerEpoch: epoch, topics } = asked;
      const identity = { transactionalId, producerId, epoch };
      const topicResults = asked.verifyOnly
        ? verify(context, identity, topics, version)
        : await add(context, identity, topics, version);
      return { transactionalId, topicResults };
    }),
  );
  return { errorCode: errorCodes.NONE, resultsByTransaction };
}

async function add(
  { broker }: HandlerContext,
  identity: TransactionalIdentity,
  topics: Topics,
  version: number,
): Promise<TopicResults> {
  const keys: PartitionKey[] = [];
  let isWhole = true;
  for (const { name, partitions } of topics) {
    const topic = broker.topics.find(name);
    for (const partition of partitions) {
      if (topic?.partitions[partition] === undefined) isWhole = false;
      else keys.push({ topicId: topic.id, partition });
    }
  }
  // All of them or none: those that are there say that they were not tried.
  let errorCode: number = isWhole ? errorCodes.NONE : errorCodes.OPERATION_NOT_ATTEMPTED;
  if (isWhole) {
    try {
      await broker.transactions.addPartitions(identity, keys);
    } catch (error) {
      errorCode = transactionErrorCode(error, version >= 2);
    }
  }
  return answer(topics, (name, partition) =>
    broker.topics.find(name)?.partitions[partition] === undefined
      ? errorCodes.UNKNOWN_TOPIC_OR_PARTITION
      : errorCode,
  );
}

function verify(
  { broker }: HandlerContext,
  identity: TransactionalIdentity,
  topics: Topics,
  version: number,
): TopicResults {
  const missing = version >= 5 ? errorCodes.TRANSACTION_ABORTABLE : errorCodes.INVALID_TXN_STATE;
  return answer(topics, (name, partition) => {
    const topic = broker.topics.find(name);
    if (topic?.partitions[partition] === undefined) return errorCodes.UNKNOWN_TOPIC_OR_PARTITION;
    try {
      const keys = [{ topicId: topic.id, partition }];
      const [isIn] = broker.transactions.verifyPartitions(identity, keys);
      return isIn === true ? errorCodes.NONE : missing;
    } catch (error) {
      return transactionErrorCode(error, true);
    }
  });
}

function answer(
  topics: Topics,
  findError: (name: string, partition: number) => number,
): TopicResults {
  return topics.map(({ name, partitions }) => ({
    name,
    resultsByPartition: partitions.map((partitionIndex) => ({
      partitionIndex,
      partitionErrorCode: findError(name, partitionIndex),
    })),
  }));
}
