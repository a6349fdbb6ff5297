import type {
  MemberIdentity,
  OffsetCommit,
  PartitionKey,
  ProducerIdentity,
  TransactionOutcome,
  TransactionState,
} from '../../shard/index.ts';
import type { TransactionPort } from '../ports/index.ts';

/** A producer as it names itself in each request of a transaction. */
export interface TransactionalIdentity extends ProducerIdentity {
  readonly transactionalId: string;
}

export interface InitProducerRequest {
  transactionalId: string;
  timeoutMs: number;
  /** Who the producer is already; undefined for one that begins: it fences everybody of this id. */
  expected: ProducerIdentity | undefined;
}

export interface TransactionDescription {
  transactionalId: string;
  producerId: number;
  epoch: number;
  state: TransactionState;
  timeoutMs: number;
  /** When the open transaction began, milliseconds since the epoch; -1 without one. */
  startedMs: number;
  partitions: PartitionKey[];
  groups: string[];
}

export interface TransactionFilter {
  states?: ReadonlySet<TransactionState>;
  producerIds?: ReadonlySet<number>;
  /** Only those that have been open for longer. */
  openForMs?: number;
  /** Of the transactional id. */
  pattern?: { matches(transactionalId: string): boolean };
}

/**
 * Producers with transactions of many requests: what they write is in the logs at once, and stable readers see it when the
 * transaction is committed. Everything that resolves is durable. All failures are BrokerErrors; besides those named,
 * storage-*, overloaded and closed, after which the same request may be tried again.
 */
export interface ProducerTransactionsPort {
  /**
   * Gives a transactional id's producer its identity. An open transaction of the one before is aborted first. Rejects:
   * transaction-timeout-invalid; producer-fenced (`expected` is of the past); transaction-concurrent (the end of the
   * transaction before takes its time; try again); config-invalid (an empty or too long id).
   */
  initProducer(request: InitProducerRequest): Promise<ProducerIdentity>;

  /**
   * Takes partitions into the producer's transaction, which begins with that; then they take its transactional batches.
   * Rejects, having added nothing: producer-unknown, producer-fenced, transaction-concurrent, partition-not-found,
   * policy-refused (too many).
   */
  addPartitions(identity: TransactionalIdentity, keys: readonly PartitionKey[]): Promise<void>;

  /**
   * As `addPartitions`, for batches that the caller appends at once: undefined when it may do so in this very turn, else a
   * promise, upon which it may. Calls for one transactional id end in the order in which they were made. Throws or rejects
   * as `addPartitions`.
   */
  joinPartitions(
    identity: TransactionalIdentity,
    keys: readonly PartitionKey[],
  ): Promise<void> | undefined;

  /** Which of the partitions are in the producer's open transaction. Throws as `addPartitions` rejects. */
  verifyPartitions(identity: TransactionalIdentity, keys: readonly PartitionKey[]): boolean[];

  /** Takes a group's offsets into the transaction. Rejects as `addPartitions`. */
  addGroup(identity: TransactionalIdentity, groupId: string): Promise<void>;

  /**
   * Commits offsets that count when the transaction is committed; adds the group where that was not done. Rejects as
   * `addPartitions` and `Groups.commit`.
   */
  commitOffsets(
    identity: TransactionalIdentity,
    groupId: string,
    member: MemberIdentity | undefined,
    commits: readonly OffsetCommit[],
  ): Promise<void>;

  /**
   * Ends the transaction; resolves when that is decided for good, as a rule also with all markers written, with the
   * identity to go on with: another one where `bumpsEpoch` (KIP-890). May be repeated when the answer was lost. Rejects:
   * producer-unknown, producer-fenced, transaction-invalid (nothing is open, or it ended the other way).
   */
  end(
    identity: TransactionalIdentity,
    outcome: TransactionOutcome,
    bumpsEpoch: boolean,
  ): Promise<ProducerIdentity>;

  /**
   * Ends what a producer has open in one partition because an administrator says so. What a coordinator knows of is aborted
   * as a whole, its producer fenced; only what hangs, because no coordinator knows of it, is ended by itself. Resolves at
   * once when nothing is open. Rejects: partition-not-found, producer-fenced (the partition knows a newer epoch),
   * transaction-invalid (it is to be committed, or decided the other way).
   */
  endHanging(
    key: PartitionKey,
    producer: ProducerIdentity,
    outcome: TransactionOutcome,
  ): Promise<void>;

  /** Undefined for an id that is not known. */
  describe(transactionalId: string): TransactionDescription | undefined;
  list(filter?: TransactionFilter): TransactionDescription[];
}

/** All transactions of a broker, for doors. */
export interface TransactionsPort extends ProducerTransactionsPort {
  /** A transaction that is gathered and then committed at once; it may be used again after each commit or rollback. */
  begin(): TransactionPort;
}
