import type {
  AcquiredMessage,
  AcquireRequest,
  PartitionQueue,
  QueueConsumer,
  QueueCounts,
  QueueForm,
  QueueMessage,
  QueueSettings,
} from '../../shard/index.ts';
import type { Topic } from '../types.ts';

/**
 * A queue as users know it: a name for the default subscription of a topic, or a named subscription of one. Over a
 * topic with several partitions it has one part for each.
 */
export interface Queue {
  /** Namespaces keep names apart; '' is the default one, which every door shows. */
  readonly namespace: string;
  /** The topic's name. */
  readonly name: string;
  /** '' for the topic's default subscription. */
  readonly subscription: string;
  readonly topic: Topic;
  readonly parts: readonly PartitionQueue[];
  readonly settings: Readonly<QueueSettings>;
  readonly form: QueueForm;
  /** `temporary` queues are gone after a restart. */
  readonly lifetime: 'durable' | 'temporary';
  /** Deleted when it had a consumer and the last one goes. */
  readonly isAutoDelete: boolean;
  /** Only this owner (an object that stands for a connection) may use it; deleted with `releaseExclusive`. */
  readonly exclusiveOwner: object | undefined;
  /** Deleted when nobody used it for this long; -1: never. */
  readonly idleExpiryMs: number;
  /** Settings that only a door understands, kept for it. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly createdMs: number;
  /** Deleted, or its topic was. */
  readonly isDropped: boolean;

  counts(): QueueCounts;
  /**
   * Attaches to every part; the consumer's credit is shared by them. With `only`, to that part alone: for protocols that
   * give their consumers partitions.
   */
  attach(consumer: QueueConsumer, only?: PartitionQueue): void;
  detach(consumer: QueueConsumer, leases: 'return' | 'return-failed' | 'keep'): void;
  resume(): void;
  acquire(request: AcquireRequest): Promise<AcquiredMessage[]>;
  releaseOwner(owner: object): void;
  peek(skip: number, count: number, bytesMax: number): Promise<QueueMessage[]>;
  /** As `PartitionQueue.retryDamaged`. */
  retryDamaged(): Promise<number>;
  /** As `PartitionQueue.purge`. */
  purge(isWhole?: boolean): Promise<number>;
  /** Back to the first message at or after a time (ms since the epoch), or to offsets by partition. */
  rewind(to: { timeMs: number } | { offsets: ReadonlyMap<number, number> }): Promise<void>;
  settled(): Promise<void>;
  /** Somebody looked at it or declared it again: its idle expiry starts anew. */
  touch(): void;
}

export interface DeclareQueueRequest {
  namespace: string;
  name: string;
  /** Default '': the topic's default subscription. The topic is created with one partition where there is none. */
  subscription?: string;
  partitions?: number;
  settings?: Partial<QueueSettings>;
  form?: Partial<QueueForm>;
  lifetime?: 'durable' | 'temporary';
  isAutoDelete?: boolean;
  exclusiveOwner?: object;
  idleExpiryMs?: number;
  attributes?: Record<string, string>;
  /** Where a new subscription of an existing topic begins. Default `earliest`. */
  from?: 'earliest' | 'latest';
}

export interface QueuesPort {
  /** Default subscription when none is named. Undefined also for a topic that has no such subscription. */
  find(namespace: string, name: string, subscription?: string): Queue | undefined;
  /** In order of namespace, name and subscription. */
  list(namespace?: string): Queue[];
  /** The queue of that name, made durable where there is none; one that exists is answered as it is, unchanged. */
  declare(request: DeclareQueueRequest): Promise<{ queue: Queue; isNew: boolean }>;
  /**
   * Deletes the subscription, and the topic when it was made for this queue. Resolves with the messages that were ready.
   * Rejects: queue-not-found, queue-in-use (`ifUnused`), queue-not-empty (`ifEmpty`).
   */
  delete(queue: Queue, conditions?: { ifUnused?: boolean; ifEmpty?: boolean }): Promise<number>;
  /** Merges; an undefined value goes back to the default. */
  configure(
    queue: Queue,
    change: {
      settings?: Partial<QueueSettings>;
      idleExpiryMs?: number;
      attributes?: Record<string, string>;
    },
  ): Promise<void>;
  /** A connection is gone: its exclusive queues are deleted. */
  releaseExclusive(owner: object): Promise<void>;
  /** Calls `listener` whenever a queue comes, goes or changes; returns how to stop. */
  watch(
    listener: (change: { kind: 'created' | 'deleted' | 'changed'; queue: Queue }) => void,
  ): () => void;
}
