import type { TransactionState } from '../../shard/index.ts';

/** The states' names in Kafka's protocol. */
export const transactionStateNames = {
  empty: 'Empty',
  ongoing: 'Ongoing',
  'prepare-commit': 'PrepareCommit',
  'prepare-abort': 'PrepareAbort',
  'complete-commit': 'CompleteCommit',
  'complete-abort': 'CompleteAbort',
} as const satisfies Record<TransactionState, string>;
