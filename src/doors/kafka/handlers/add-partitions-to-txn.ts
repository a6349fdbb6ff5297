// AddPartitionsToTxn 0-3. Versions 4 and 5 are spoken among brokers only (KIP-890).
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { transactionErrorCode } from '../transaction-errors.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

export async function addPartitionsToTxn(
  { broker }: HandlerContext,
  request: RequestOf<'AddPartitionsToTxn'>,
  version: number,
): Promise<ResponseInput<'AddPartitionsToTxn'>> {
  const {
    v3AndBelowTransactionalId: transactionalId,
    v3AndBelowProducerId: producerId,
    v3AndBelowProducerEpoch: epoch,
    v3AndBelowTopics: topics,
  } = request;
  const keys: Array<{ topicId: string; partition: number }> = [];
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
      await broker.transactions.addPartitions({ transactionalId, producerId, epoch }, keys);
    } catch (error) {
      errorCode = transactionErrorCode(error, version >= 2);
    }
  }
  return {
    resultsByTopicV3AndBelow: topics.map(({ name, partitions }) => ({
      name,
      resultsByPartition: partitions.map((partitionIndex) => ({
        partitionIndex,
        partitionErrorCode:
          broker.topics.find(name)?.partitions[partitionIndex] === undefined
            ? errorCodes.UNKNOWN_TOPIC_OR_PARTITION
            : errorCode,
      })),
    })),
  };
}
