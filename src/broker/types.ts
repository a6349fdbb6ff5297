import type { Groups, Partition } from '../shard/index.ts';

/** Options of a topic that the broker itself understands; doors map their own names to these. */
export interface TopicOptions {
  /** Records older than this are dropped; -1: kept. Default 7 days. */
  retentionMs: number;
  /** Oldest records are dropped while a partition is larger; -1: no limit. */
  retentionBytes: number;
  /** `compact`: neither age nor size drops a record. Superseded records of a key are kept as well, as yet. */
  cleanup: 'delete' | 'compact' | 'compact,delete';
  /** Largest record batch accepted. Default 1,048,588. */
  batchBytesMax: number;
  /** Who stamps records: the producer or the broker. */
  timestampType: 'create' | 'append';
  /** How far a producer's timestamp may be behind or ahead of the broker's clock. Defaults: unbounded, 1 h. */
  timestampBehindMaxMs: number;
  timestampAheadMaxMs: number;
}

export interface Topic {
  /** Version 4 UUID, canonical text. */
  readonly id: string;
  readonly name: string;
  /** By index, without gaps. */
  readonly partitions: readonly Partition[];
  readonly options: Readonly<TopicOptions>;
  /** The options that were set for this topic; the others are defaults. */
  readonly ownOptions: Readonly<Partial<TopicOptions>>;
  /** Settings that only a door understands, kept for it: their names start with the door's. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly createdMs: number;
}

export interface CreateTopicRequest {
  name: string;
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
  /** Why the broker is not ready, empty when it is. */
  findProblems(): string[];
  storage(): StorageStatus;
}

export interface TopicsPort {
  find(name: string): Topic | undefined;
  findById(id: string): Topic | undefined;
  /** In order of name. */
  list(): Topic[];
  /** Rejects: topic-exists, topic-name-invalid, partition-count-invalid, config-invalid, storage-*. */
  create(request: CreateTopicRequest): Promise<Topic>;
  /** Rejects: topic-not-found. */
  delete(name: string): Promise<void>;
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
