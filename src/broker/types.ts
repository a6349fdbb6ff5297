import type { Codec } from '../bytes/index.ts';
import type { Groups, Partition } from '../shard/index.ts';
import type {
  AccessPort,
  ExchangesPort,
  PeersPort,
  PublisherPort,
  QueuesPort,
  QuotasPort,
} from './ports/index.ts';
import type { TransactionsPort } from './transactions/types.ts';

/** Options of a topic that the broker itself understands; doors map their own names to these. */
export interface TopicOptions {
  /** Records older than this are dropped; -1: kept. Default 7 days. */
  retentionMs: number;
  /** Oldest records are dropped while a partition is larger; -1: no limit. */
  retentionBytes: number;
  /** `compact`: neither age nor size drops a record, only a newer one of the same key; every record has a key. */
  cleanup: 'delete' | 'compact' | 'compact,delete' | 'none';
  /** Largest record batch accepted. Default 1,048,588. */
  batchBytesMax: number;
  /** Who stamps records: the producer or the broker. */
  timestampType: 'create' | 'append';
  /** How far a producer's timestamp may be behind or ahead of the broker's clock. Defaults: unbounded, 1 h. */
  timestampBehindMaxMs: number;
  timestampAheadMaxMs: number;
  /** With `compact`: for how long a tombstone (a key without a value) is kept, at least. Default 1 day. */
  tombstoneRetentionMs: number;
  /** With `compact`: how old a record is before it may be superseded, at least, default 0, and at most, unbounded. */
  compactionLagMinMs: number;
  compactionLagMaxMs: number;
  /** With `compact`: how much of the log, from 0 to 1, is new since the last compaction before the next. Default 0.5. */
  dirtyShareMin: number;
  /** With `compact`: bytes and age of the newest part, which is not compacted before it is ended. Default 1 GiB, 7 days. */
  activeBytesMax: number;
  activeMs: number;
  /** How batches are stored; `producer`, the default: as they come. */
  compression: 'producer' | Codec;
}

export interface Topic {
  /** Version 4 UUID, canonical text. */
  readonly id: string;
  /** Namespaces keep names apart; '' is the default one, which every door shows. */
  readonly namespace: string;
  readonly name: string;
  /** `until-settled`: it was made for a queue; what every queue over it has settled goes. */
  readonly retention: TopicRetention;
  /** By index, without gaps. */
  readonly partitions: readonly Partition[];
  readonly options: Readonly<TopicOptions>;
  /** The options that were set for this topic; the others are defaults. */
  readonly ownOptions: Readonly<Partial<TopicOptions>>;
  /** Settings that only a door understands, kept for it: their names start with the door's. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly createdMs: number;
}

export type TopicRetention = 'by-limits' | 'until-settled';

export interface CreateTopicRequest {
  /** Any UTF-8 of 1 to 255 bytes; doors whose protocol allows less check that (`checkTopicName`). */
  name: string;
  /** Default ''. */
  namespace?: string;
  /** Default: the broker's `defaultPartitions`. */
  partitions?: number;
  options?: Partial<TopicOptions>;
  attributes?: Record<string, string>;
  /** Check only; nothing is created. */
  isDryRun?: boolean;
}

/** The part of the broker that doors use; `Broker` implements it. Promises resolve when durable. */
export interface BrokerPort {
  /** Random UUID of the store, made when it was created. */
  readonly storeId: string;
  /** Number of this broker among those of the store. */
  readonly brokerId: number;
  readonly options: { readonly defaultPartitions: number; readonly createTopicsOnUse: boolean };
  readonly topics: TopicsPort;
  readonly queues: QueuesPort;
  readonly publisher: PublisherPort;
  readonly transactions: TransactionsPort;
  readonly exchanges: ExchangesPort;
  readonly peers: PeersPort;
  readonly access: AccessPort;
  readonly quotas: QuotasPort;
  /** The coordinator of the shard that owns a group. */
  groupsFor(groupId: string): Groups;
  /** All coordinators, one per shard. */
  listGroupCoordinators(): Groups[];
  /** A producer id that was never given out before. */
  allocateProducerId(): Promise<number>;
  /**
   * True while more is waiting to become durable than the high mark: doors stop reading from their sockets.
   * `whenWritable` calls back once when it is false again.
   */
  isOverloaded(): boolean;
  whenWritable(callback: () => void): void;
  /** So little room is left that publishing is refused. */
  isStorageLow(): boolean;
  /** Why the broker is not ready, empty when it is. */
  findProblems(): string[];
  /** What an operator should look at, while the broker works. */
  findWarnings(): string[];
  storage(): StorageStatus;
}

export interface TopicsPort {
  /** In the default namespace when none is named. */
  find(name: string, namespace?: string): Topic | undefined;
  /** Also only in that namespace: whoever has come to know an id is not let into another one by it. */
  findById(id: string, namespace?: string): Topic | undefined;
  /** Of one namespace, the default one when none is named; in order of name. */
  list(namespace?: string): Topic[];
  /** Rejects: topic-exists, topic-name-invalid, partition-count-invalid, config-invalid, storage-*. */
  create(request: CreateTopicRequest): Promise<Topic>;
  /** Also deletes the queues over it. Rejects: topic-not-found. */
  delete(name: string, namespace?: string): Promise<void>;
  /** `total` must be larger than now. Rejects: topic-not-found, partition-count-invalid. */
  setPartitionCount(name: string, total: number, isDryRun?: boolean): Promise<void>;
  /** Merges; an undefined value removes a setting. Rejects: topic-not-found, config-invalid. */
  configure(
    name: string,
    change: {
      options?: { [K in keyof TopicOptions]?: TopicOptions[K] | undefined };
      attributes?: Record<string, string | undefined>;
    },
  ): Promise<void>;
}

export interface StorageStatus {
  path: string;
  journalBytes: number;
  segmentBytes: number;
  freeBytes: number;
  totalBytes: number;
}
