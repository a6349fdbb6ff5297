// DescribeProducers 0 (KIP-664).
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { isTopicName } from '../topic-creation.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

export function describeProducers(
  { broker }: HandlerContext,
  request: RequestOf<'DescribeProducers'>,
): ResponseInput<'DescribeProducers'> {
  // Each partition once: a list of producers may be long.
  const seen = new Set<string>();
  const isFirst =
    (name: string) =>
    (index: number): boolean => {
      const { size } = seen;
      return seen.add(`${index} ${name}`).size > size;
    };
  return {
    topics: request.topics.map(({ name, partitionIndexes }) => {
      const topic = broker.topics.find(name);
      return {
        name,
        partitions: partitionIndexes.filter(isFirst(name)).map((partitionIndex) => {
          const partition = topic?.partitions[partitionIndex];
          if (partition === undefined) {
            const errorCode = isTopicName(name)
              ? errorCodes.UNKNOWN_TOPIC_OR_PARTITION
              : errorCodes.INVALID_TOPIC_EXCEPTION;
            return { partitionIndex, errorCode, activeProducers: [] };
          }
          return {
            partitionIndex,
            errorCode: errorCodes.NONE,
            activeProducers: partition.listProducers().map((producer) => ({
              producerId: producer.producerId,
              producerEpoch: producer.producerEpoch,
              lastSequence: producer.lastSequence,
              lastTimestamp: producer.lastTimestampMs,
              // Not kept: only an older broker's replicas would ask for it.
              coordinatorEpoch: -1,
              currentTxnStartOffset: producer.transactionOffset,
            })),
          };
        }),
      };
    }),
  };
}
