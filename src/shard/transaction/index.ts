export type { AbortedTransaction } from './aborted-index.ts';
export { encodeMarker, findOutcome, type Marker, type TransactionOutcome } from './marker.ts';
export { type OpenTransaction, PartitionTransactions } from './partition-transactions.ts';
