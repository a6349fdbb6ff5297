import type { Partition } from '../partition.ts';

/**
 * Options of a queue (a subscription's state over one partition). All can be changed while it is used, except those
 * of `QueueForm`.
 */
export interface QueueSettings {
  /** Failed deliveries that a message survives; one more dead-letters or drops it. -1: no limit. */
  failuresMax: number;
  /** Wait before a failed message is given out again: base × factor^(failures − 1), at most the cap. 0: at once. */
  retryDelayMs: number;
  retryDelayFactor: number;
  retryDelayMaxMs: number;
  /** A message expires this long after its timestamp, unless it says so earlier itself. -1: never. */
  messageTtlMs: number;
  /** Messages and body bytes that may be ready; -1: no limit. What happens above it is `overflow`. */
  readyMax: number;
  readyBytesMax: number;
  overflow: 'drop-head' | 'reject' | 'reject-dead-letter';
  /** Where rejected, expired and surplus messages go; undefined: they are dropped. */
  deadLetter: DeadLetterTarget | undefined;
  /** What expires is dropped even where there is a target, and a dead message keeps its time: its retention goes on. */
  dropsExpired: boolean;
  /** What has failed once too often stays where it was, and dies when somebody would get it next; else it dies at once. */
  keepsFailed: boolean;
  /** Only one consumer gets messages at a time; the next in line takes over when it goes. */
  isSingleActive: boolean;
  /** What an open transaction has written is given out too, and what was aborted stays a message. */
  givesUncommitted: boolean;
  /** Settled messages stay readable (and can be gone back to) for this long; 0: they go. */
  keepSettledMs: number;
  /** Leases of consumers that have no time of their own; -1: until the consumer settles or goes. */
  leaseMs: number;
  /** Messages that may be leased at once; -1: no limit. Above it nothing is given out. */
  leasedMax: number;
  /** A message whose deduplication id was seen this long ago is not stored again; 0: no deduplication. */
  dedupWindowMs: number;
  /** Only what it matches is delivered; the rest is settled as it comes along. Source text and language. */
  filter: { language: string; text: string } | undefined;
}

/** What a queue is from its creation on: replay depends on it. */
export interface QueueForm {
  /** Greatest priority that is told apart, 0: none are. Greater goes first. */
  readonly priorityMax: number;
  /** Priority of a message that has none. */
  readonly priorityDefault: number;
  /**
   * Messages with one group id are given out in order, one at a time (or to one that `takesRuns`); groups go in parallel.
   * A message that is given back does not wait for later ones that are out.
   */
  readonly isGrouped: boolean;
  /** Tenants (group ids) without order: those with little in flight go first. */
  readonly isFair: boolean;
}

/** Where a queue's dead messages go: to an exchange of its namespace, or (empty name) to the queue of the key's name. */
export interface DeadLetterTarget {
  readonly exchange: string;
  /** Undefined: the keys that the message had. */
  readonly key: string | undefined;
  /** What is noted on the dead message, besides its history. */
  readonly notes?: DeathNotes;
  /** Only what is noted goes there, without the key, the headers and the body of the message. */
  readonly isBare?: boolean;
}

/** Headers that tell, as text, where a dead message comes from, under names that those who read it know. */
export interface DeathNotes {
  readonly topic: string;
  readonly partition: string;
  readonly offset: string;
  readonly subscription: string;
  readonly deliveries: string;
  readonly reason: string;
  /** How reasons are worded. */
  readonly reasons: Readonly<Record<DeathReason, string>>;
}

/** Why a message left its queue without being accepted. */
export type DeathReason = 'rejected' | 'expired' | 'maxlen' | 'delivery-limit';

/** Handle of one delivery: stale once it is settled, returned or timed out. A safe integer. */
export type Lease = number;

/**
 * A message in a consumer's hands. Push deliveries show one reused object, good until `take` returns; what `acquire`
 * resolves with is the caller's. `bytes` is never written again, so slices of it may be kept.
 */
export interface QueueMessage {
  readonly offset: number;
  /** Milliseconds since the epoch. */
  readonly timestampMs: number;
  /** This delivery included: 1 at first. */
  readonly deliveries: number;
  /** Deliveries that failed before. */
  readonly failures: number;
  /** Memory that holds the record; `At` and `Bytes` are positions in it. A length of −1 is null. */
  readonly bytes: Uint8Array;
  readonly keyAt: number;
  readonly keyBytes: number;
  readonly valueAt: number;
  readonly valueBytes: number;
  /** The record's encoded headers without their count: see `bytes/record-batch.ts`. */
  readonly headersAt: number;
  readonly headersBytes: number;
  readonly headerCount: number;
  /** The offset behind the batch that it lies in; known of messages that are pushed. */
  readonly batchEnd?: number;
}

/** Somebody that messages are pushed to. Everything is called synchronously. */
export interface QueueConsumer {
  /** Greater goes first; equal ones take turns. */
  readonly priority: number;
  /** Settled as accepted when it is handed over. */
  readonly isAutoSettled: boolean;
  /** Milliseconds that a lease lasts; -1: until it is settled or the consumer goes; undefined: the queue's own. */
  readonly leaseMs: number | undefined;
  /** Messages that it does not match are passed by (another consumer may get them); undefined: all match. */
  readonly filter?: ((message: QueueMessage) => boolean) | undefined;
  /** Whether it takes another message now. Asked before each; call `PartitionQueue.resume` when it turns true again. */
  wants(): boolean;
  take(message: QueueMessage, lease: Lease, queue: PartitionQueue): void;
  /** A round of deliveries is over: send what was gathered. */
  taken?(): void;
  /** A lease ended by time: the message is no longer this consumer's. */
  leaseExpired?(lease: Lease, queue: PartitionQueue): void;
  /** With a single active consumer: whether it is the one. */
  activeChanged?(isActive: boolean): void;
  /** The queue is gone; no call follows. */
  detached(reason: 'deleted' | 'failed'): void;
}

/** As much of an AbortSignal as ends a wait; one listener is added at a time. */
export interface WaitSignal {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

export interface AcquireRequest {
  count: number;
  /** Stop before the bodies are more than this, but give at least one. */
  bytesMax: number;
  /** As `QueueConsumer.leaseMs`. */
  leaseMs: number | undefined;
  isAutoSettled: boolean;
  /**
   * With ordered groups: it may get several messages of a group, in order, and gets those of one group before those of
   * another. The group is locked until they are settled or given back. Default: one message of each group.
   */
  takesRuns?: boolean;
  /** Wait this long for the first message; 0: do not wait. */
  waitMs: number;
  /** Ends the wait. */
  signal?: WaitSignal;
  /** A message that was acquired for it comes back with it: leases end with `releaseOwner`. */
  owner?: object;
}

export interface AcquiredMessage extends QueueMessage {
  readonly lease: Lease;
  readonly queue: PartitionQueue;
}

export interface ReleaseOptions {
  /** Milliseconds until it may be given out again; 0: at once, at its place in the order. Default: the retry delay. */
  delayMs?: number;
  /** Counts as a failed delivery (a consumer that crashed, refused, let its time run out). */
  isFailure: boolean;
}

export interface QueueCounts {
  /** Can be delivered now. */
  ready: number;
  readyBytes: number;
  /** Waits for its time. */
  delayed: number;
  /** Is in a consumer's hands. */
  leased: number;
  leasedBytes: number;
  /** Cannot be read, and is given to nobody; kept until a purge, or until they are tried again. */
  damaged: number;
  consumers: number;
  /** Totals since the queue was opened by this process. */
  published: number;
  delivered: number;
  redelivered: number;
  accepted: number;
  released: number;
  dead: number;
  /** Timestamp of the oldest message that is not settled; undefined when there is none or it is not in memory. */
  oldestTimestampMs: number | undefined;
}

/** What a publisher knows of a message; decides whether a queue takes it. */
export interface Admission {
  bodyBytes: number;
  dedupId: string | undefined;
  nowMs: number;
}

/**
 * Competing consumption of one partition: every message goes to one consumer, which settles it. Changes take effect at
 * once and are journaled with the next chunk; `settled` resolves when all changes so far are durable.
 */
export interface PartitionQueue {
  readonly partition: Partition;
  /** Name of the subscription; '' is the topic's default one. */
  readonly subscription: string;
  readonly form: QueueForm;
  settings: QueueSettings;
  readonly isDropped: boolean;
  /** First offset that is not settled. */
  readonly settledOffset: number;
  /** Whatever the layer above wants to find again from a delivery. */
  owner: unknown;

  counts(): QueueCounts;

  attach(consumer: QueueConsumer): void;
  /** Ends a consumer; its leases return at their place in the order (as failures if so asked), or stay leased. */
  detach(consumer: QueueConsumer, leases: 'return' | 'return-failed' | 'keep'): void;
  /** A consumer wants messages again. */
  resume(): void;
  /** Nothing is given out until `isPaused` is false again. */
  isPaused: boolean;

  /** Without a wait it gets what consumers that want messages leave, and nothing beyond the length limit. */
  acquire(request: AcquireRequest): Promise<AcquiredMessage[]>;
  /** Returns all leases that were acquired for `owner`. */
  releaseOwner(owner: object): void;

  /** Each is false, and does nothing, when the lease is stale. */
  accept(lease: Lease): boolean;
  release(lease: Lease, options: ReleaseOptions): boolean;
  /** Dead-letters or drops it. */
  reject(lease: Lease, reason: DeathReason): boolean;
  /** A new deadline from now; 0 releases it as a failure. */
  extend(lease: Lease, leaseMs: number): boolean;

  /** Whether the lease is not stale. */
  isLeased(lease: Lease): boolean;
  /**
   * Takes a leased message out of its consumer's hands for a transaction: the lease stays good, has no deadline from now
   * on, and does not end with its consumer; `accept`, `release` and `reject` end it. Not journaled, for the transaction
   * is: after a recovery it asks by offset. Returns the message's offset; -1 when the lease is stale.
   */
  hold(lease: Lease): number;
  /**
   * The same after a recovery, wherever the message is now (given back, or leased): nobody else gets it. Called in the
   * turn in which the recovered state was taken over, before any message is given out. Undefined when it is settled.
   */
  holdOffset(offset: number): Lease | undefined;

  /**
   * The lease of a delivery that is known by its offset and count (a receipt that outlives a restart); without a count, that
   * of whoever has the message now.
   */
  findLease(offset: number, deliveries?: number): Lease | undefined;

  /** Whether the message at that offset is in the log and not settled, wherever it is. */
  has(offset: number): boolean;

  /**
   * Settles a message for somebody who had it before: it may be waiting again, or be in another one's hands, whose lease is
   * stale from now on. False, doing nothing, for what is settled, dead, held by a transaction or waits for its time.
   */
  acceptLate(offset: number): boolean;

  /** Whether a message may be stored now: the length limit, deduplication. Notes the deduplication id. */
  admit(admission: Admission): 'take' | 'reject' | 'reject-dead-letter' | 'duplicate';

  /** A message that `admit` took is not stored after all: the next one with its deduplication id is no duplicate. */
  withdraw(dedupId: string): void;

  /**
   * Offset of the message for which `admit` answered `duplicate`, −1 where it is not known any more; undefined when the id
   * is not known, or the message is not on its way to the disk yet.
   */
  findDuplicate(dedupId: string): number | undefined;

  /** Messages in the order in which they would be given out, from the `skip`-th on, changing nothing. */
  peek(skip: number, count: number, bytesMax: number): Promise<QueueMessage[]>;

  /**
   * Settles everything that is ready, delayed or damaged; resolves with how many, durable. `isWhole`: also what consumers
   * have (not what a transaction holds, or is on its way to another queue), and forgets deduplication ids. What an open
   * transaction has written is no message yet, unless the queue gives it out: it comes when that is committed.
   */
  purge(isWhole?: boolean): Promise<number>;

  /** Makes what is damaged ready, for its file was restored; resolves with how many messages that were, durable. */
  retryDamaged(): Promise<number>;

  /** Forgets every settlement and damage from `offset` on: those messages are given out again. Durable when resolved. */
  rewind(offset: number): Promise<void>;

  /** Resolves when every change so far is durable. */
  settled(): Promise<void>;

  /**
   * Undefined when no dead message is on its way to another queue; else resolves when as many as are have been stored there,
   * or given back.
   */
  deathsMoved(): Promise<void> | undefined;
}

/** Where a queue turns with what it cannot do alone. */
export interface QueueEvents {
  /**
   * A message died. It stays leased until the receiver calls `accept` (it is stored elsewhere, durably) or `release`.
   * `message` is borrowed. Not called where there is no dead-letter target.
   */
  died(queue: PartitionQueue, message: QueueMessage, lease: Lease, reason: DeathReason): void;
  /** The messages from `from` to the one before `end` cannot be read: the queue goes on without them. */
  damaged?(queue: PartitionQueue, from: number, end: number): void;
}
