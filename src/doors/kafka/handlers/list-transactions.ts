// ListTransactions 0-2 (KIP-664, KIP-994, KIP-1152: a regular expression of RE2 that matches the whole id).
import { BrokerError } from '../../../base/index.ts';
import { TopicPattern, type TransactionState } from '../../../shard/index.ts';
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { transactionStateNames } from '../transaction-states.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

const states = new Map<string, TransactionState>();
for (const state of Object.keys(transactionStateNames) as TransactionState[])
  states.set(transactionStateNames[state], state);
/** Kafka has them; a transaction of ours never shows them. */
const unused: ReadonlySet<string> = new Set(['Dead', 'PrepareEpochFence']);

export function listTransactions(
  { broker }: HandlerContext,
  request: RequestOf<'ListTransactions'>,
): ResponseInput<'ListTransactions'> {
  const { stateFilters, producerIdFilters, durationFilter } = request;
  const wanted = new Set<TransactionState>();
  const unknownStateFilters: string[] = [];
  for (const name of stateFilters) {
    const state = states.get(name);
    if (state !== undefined) wanted.add(state);
    else if (!unused.has(name)) unknownStateFilters.push(name);
  }
  let pattern: TopicPattern | undefined;
  try {
    const text = request.transactionalIdPattern ?? '';
    if (text !== '') pattern = new TopicPattern(text);
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    const { INVALID_REGULAR_EXPRESSION: errorCode } = errorCodes;
    return { errorCode, unknownStateFilters: [], transactionStates: [] };
  }
  const found = broker.transactions.list({
    ...(stateFilters.length === 0 ? {} : { states: wanted }),
    ...(producerIdFilters.length === 0 ? {} : { producerIds: new Set(producerIdFilters) }),
    openForMs: durationFilter,
    ...(pattern === undefined ? {} : { pattern }),
  });
  return {
    errorCode: errorCodes.NONE,
    unknownStateFilters,
    transactionStates: found.map(({ transactionalId, producerId, state }) => ({
      transactionalId,
      producerId,
      transactionState: transactionStateNames[state],
    })),
  };
}
