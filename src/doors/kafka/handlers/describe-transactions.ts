// DescribeTransactions 0 (KIP-664).
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { once } from '../repetition.ts';
import { transactionStateNames } from '../transaction-states.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

type State = ResponseInput<'DescribeTransactions'>['transactionStates'][number];

export function describeTransactions(
  { broker }: HandlerContext,
  request: RequestOf<'DescribeTransactions'>,
): ResponseInput<'DescribeTransactions'> {
  const transactionStates = once(request.transactionalIds).map((transactionalId): State => {
    const found = broker.transactions.describe(transactionalId);
    if (found === undefined) {
      return {
        errorCode: errorCodes.TRANSACTIONAL_ID_NOT_FOUND,
        transactionalId,
        transactionState: '',
        transactionTimeoutMs: 0,
        transactionStartTimeMs: -1,
        producerId: -1,
        producerEpoch: -1,
        topics: [],
      };
    }
    const topics = new Map<string, number[]>();
    for (const { topicId, partition } of found.partitions) {
      const name = broker.topics.findById(topicId)?.name;
      if (name === undefined) continue;
      const partitions = topics.get(name);
      if (partitions === undefined) topics.set(name, [partition]);
      else partitions.push(partition);
    }
    return {
      errorCode: errorCodes.NONE,
      transactionalId,
      transactionState: transactionStateNames[found.state],
      transactionTimeoutMs: found.timeoutMs,
      transactionStartTimeMs: found.startedMs,
      producerId: found.producerId,
      producerEpoch: found.epoch,
      topics: [...topics].map(([topic, partitions]) => ({ topic, partitions })),
    };
  });
  return { transactionStates };
}
