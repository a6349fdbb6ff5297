import type { BrokerError } from '../../base/index.ts';
import type { Lease, PartitionQueue, ReleaseOptions, DeathReason } from '../../shard/index.ts';
import type { Topic } from '../types.ts';

/**
 * A message on its way in. It is borrowed for the call: the publisher copies it into the batch of its partition, so a
 * door keeps one object and fills it again for each message.
 */
export interface OutgoingMessage {
  key: Uint8Array | null;
  /** The parts of the body in order; `[]` for an empty one. */
  body: readonly Uint8Array[];
  bodyBytes: number;
  /** Where the body begins in its only part: so a body need not be cut out of what it was received in. Default 0. */
  bodyAt?: number;
  /** Encoded record headers without their count (see `message/`), scheduling headers included, and their number. */
  headers: Uint8Array;
  headerCount: number;
  /** Milliseconds since the epoch, by the broker's clock. */
  timestampMs: number;
  /** What a queue must know at once. They stand in `headers`, too, which is where replay finds them. */
  priority: number | undefined;
  expiresAtMs: number | undefined;
  deliverAtMs: number | undefined;
  groupId: string | undefined;
  dedupId: string | undefined;
}

/** A message with nothing in it, to be filled before each `add` by whoever sends many: the publisher keeps none of it. */
export function emptyMessage(): OutgoingMessage {
  return {
    key: null,
    body: [],
    bodyBytes: 0,
    headers: new Uint8Array(0),
    headerCount: 0,
    timestampMs: 0,
    priority: undefined,
    expiresAtMs: undefined,
    deliverAtMs: undefined,
    groupId: undefined,
    dedupId: undefined,
  };
}

export type PublishOutcome =
  /** In a batch; the group says when it is durable. */
  | 'taken'
  /** The queue is full and refuses. */
  | 'rejected'
  /** Its deduplication id was seen: counts as stored. */
  | 'duplicate';

/** Messages whose durability is told together: a door opens one for what it reads in one turn. */
export interface PublishGroup {
  /** For the door. */
  context: unknown;
  /**
   * Set to an empty array before the first `add` by a door that must know where its messages are: from `done` on it has
   * partition and offset of each message that was taken, in order; an offset of −1 where it was not stored.
   */
  places: number[] | undefined;
}

/** Stores messages from doors: what is added to one partition until a chunk is built becomes one batch. */
export interface PublisherPort {
  /** `done` is called once, after `close`, when everything in the group is durable or has failed. */
  open(done: (group: PublishGroup, error: BrokerError | undefined) => void): PublishGroup;
  /**
   * Adds a message for a topic; the partition goes by key, else they take turns. Throws what `Partition.append` rejects
   * with when nothing can be stored at all.
   */
  add(group: PublishGroup, target: Topic, message: OutgoingMessage): PublishOutcome;
  /** Nothing more is added to the group. */
  close(group: PublishGroup): void;
}

/**
 * Publishing and settling that become visible together or not at all, in any number of queues and topics, through
 * crashes. Nothing leaves the transaction before `commit`.
 */
export interface TransactionPort {
  /** Answers the copy that the transaction keeps: its times may be changed until the commit. */
  publish(target: Topic, message: OutgoingMessage): OutgoingMessage;
  accept(queue: PartitionQueue, lease: Lease): void;
  release(queue: PartitionQueue, lease: Lease, options: ReleaseOptions): void;
  reject(queue: PartitionQueue, lease: Lease, reason: DeathReason): void;
  /** Resolves when it is durable as a whole; rejects when nothing of it is. Empty afterwards: it may be used again. */
  commit(): Promise<void>;
  /** Forgets what was gathered. Leases stay as they are. */
  rollback(): void;
}
