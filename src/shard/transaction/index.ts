export type { AbortedTransaction } from './aborted-index.ts';
export { encodeMarker, findOutcome, type Marker, type TransactionOutcome } from './marker.ts';
export type { OpenRuns } from './open-runs.ts';
export { type OpenTransaction, PartitionTransactions } from './partition-transactions.ts';
export type {
  PreparedAppend,
  PreparedOperations,
  PreparedSettlement,
  Settlement,
} from './prepared-operations.ts';
export {
  checkIdentity,
  checkJoinable,
  completed,
  epochMax,
  initialised,
  isDecided,
  judgeEnd,
  judgeInit,
  newRecord,
  prepared,
  type ProducerIdentity,
  type ProducerRecord,
  type TransactionState,
  transactionStates,
} from './producer-record.ts';
export {
  encodeAdded,
  encodeForgotten,
  encodeId,
  encodePrepared,
  encodeRecord,
  type Participants,
  participatingPartitions,
  type Prepared,
  type StoredProducer,
  transactionEntryKind,
  type TransactionId,
  transactionKey,
  TransactionTable,
} from './transaction-table.ts';
