// ListTransactions 0-1 (KIP-664, KIP-994).
import type { TransactionState } from '../../../shard/index.ts';
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
  const found = broker.transactions.list({
    ...(stateFilters.length === 0 ? {} : { states: wanted }),
    ...(producerIdFilters.length === 0 ? {} : { producerIds: new Set(producerIdFilters) }),
    openForMs: durationFilter,
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
