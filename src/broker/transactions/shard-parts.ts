import type {
  GroupCoordinator,
  OffsetTable,
  PartitionLog,
  QueueTable,
  Shard,
  TransactionTable,
} from '../../shard/index.ts';

/** One shard with what lives on it, as transactions need it. */
export interface ShardParts {
  readonly index: number;
  readonly shard: Shard;
  readonly table: TransactionTable;
  readonly offsets: OffsetTable;
  readonly groups: GroupCoordinator;
  readonly queues: QueueTable;
}

/** Where things live. */
export interface Places {
  readonly parts: readonly ShardParts[];
  /** By transactional id. */
  ofProducer(transactionalId: string): ShardParts;
  ofGroup(groupId: string): ShardParts;
  ofPartition(topicId: string, index: number): ShardParts;
  /** Undefined when it does not exist (any more). */
  findLog(topicId: string, index: number): PartitionLog | undefined;
}
