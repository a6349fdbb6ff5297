import type { AbortedTransaction, OpenTransaction } from './transaction/index.ts';

/** One partition's log, as everything above the shard sees it. */
export interface Partition {
  readonly topicId: string;
  readonly index: number;
  /** First offset that may be read. */
  readonly logStartOffset: number;
  /** First offset that is not durable yet: readers see only what is below it. */
  readonly highWatermark: number;
  /** First offset of the oldest open transaction, or the high watermark. */
  readonly lastStableOffset: number;
  /** Grows each time the shard is opened; batches carry it. */
  readonly leaderEpoch: number;
  /** Bytes of the record batches between the log start and the high watermark, about. */
  readonly sizeBytes: number;

  /**
   * Appends one or more record batches (Kafka RecordBatch v2 layout, contiguous, CRC already checked or not: it is
   * checked here). `bytes` is borrowed until the promise settles: it is copied when its chunk is built, which may be
   * after the call has returned. Resolves when the records are durable.
   * Rejects with a BrokerError: batch-corrupt, batch-invalid, batch-too-large, timestamp-invalid, sequence-*,
   * producer-*, storage-*, overloaded, topic-not-found (deleted meanwhile), closed.
   * `traits` spare the queues over this partition a look into the records; without them they look themselves.
   */
  append(bytes: Uint8Array, traits?: AppendTraits): Promise<AppendResult>;

  /**
   * Whole batches from the one that contains `offset`, up to about `maxBytes`, below the high watermark. Slices are
   * borrowed from the tail cache or a private read buffer and are never written again; they may be sent as they are.
   * Answers at once from memory where it can, else a promise. Throws or rejects with BrokerError offset-out-of-range
   * (`offset` below the log start or above the high watermark) or storage-*.
   */
  read(offset: number, options: ReadOptions): ReadResult | Promise<ReadResult>;

  /** The first record whose timestamp is at least `timestampMs`; undefined when there is none. */
  findByTime(timestampMs: number): Promise<TimedOffset | undefined>;

  /** The record with the greatest timestamp (the first of them); undefined in an empty log. */
  findMaxTimestamp(): Promise<TimedOffset | undefined>;

  /**
   * Where the given leader epoch ended: the largest epoch at most `epoch` that has records, and the first offset
   * after it. One that is older than all that is known ended where those begin: its records are gone.
   */
  findEpochEnd(epoch: number): { epoch: number; endOffset: number };

  /** Drops all records below `offset` (-1: all below the high watermark); resolves with the new log start, durable. */
  deleteBefore(offset: number): Promise<number>;

  /** Calls `waiter.wake` once when the high watermark moves or the partition is deleted; at most once per `watch`. */
  watch(waiter: PartitionWaiter): void;
  unwatch(waiter: PartitionWaiter): void;

  /** Producers with idempotence state in this partition. */
  listProducers(): ProducerDescription[];

  /** Aborted transactions with records in `[from, to)`, in order of their first offsets, for stable readers. */
  findAborted(from: number, to: number): AbortedTransaction[];
  /** Whether a transactional batch of the producer at `offset`, below the last stable offset, was aborted. */
  isAborted(producerId: number, offset: number): boolean;
  /** Transactions without a marker, in order of their first offsets. */
  listOpenTransactions(): OpenTransaction[];
}

export interface PartitionWaiter {
  /** Runs synchronously in the commit path: do little. */
  wake(partition: Partition, appendedBytes: number): void;
}

/** What a publisher knows of the batches that it appends. */
export interface AppendTraits {
  /** Bytes of the records' values. */
  readonly bodyBytes: number;
  /** Some record carries a scheduling header: a priority, a due or expiry time, a group, a deduplication id. */
  readonly isScheduled: boolean;
  /** The batches were built in this process a moment ago: their checksums need no second look. */
  readonly isBuiltHere?: boolean;
}

export interface AppendResult {
  /** Offset of the first record of the first batch. */
  baseOffset: number;
  /** The broker's time when it appended, ms since the epoch, where the topic stamps on append; else -1. */
  appendTimeMs: number;
  logStartOffset: number;
  /** The batch was stored before (idempotent producer); `baseOffset` is that of the first time. */
  isDuplicate: boolean;
}

export interface ReadOptions {
  maxBytes: number;
  /** Return the first batch even when it is larger than `maxBytes`. */
  minOneBatch: boolean;
  /** Read only below the last stable offset. */
  onlyStable?: boolean;
}

export interface ReadResult {
  /** Each slice holds one or more whole batches, in order. */
  slices: Uint8Array[];
  bytes: number;
  highWatermark: number;
  lastStableOffset: number;
  logStartOffset: number;
}

export interface TimedOffset {
  offset: number;
  timestampMs: number;
  leaderEpoch: number;
}

export interface ProducerDescription {
  producerId: number;
  producerEpoch: number;
  lastSequence: number;
  lastTimestampMs: number;
  /** First offset of its open transaction; -1 without one. */
  transactionOffset: number;
}
