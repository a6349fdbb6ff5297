export type { EntrySource, StateExtension } from './extension.ts';
export { entryKind } from './entry.ts';
export * from './group/index.ts';
export { OffsetTable } from './offset-table.ts';
export type {
  AppendResult,
  AppendTraits,
  Partition,
  PartitionWaiter,
  ProducerDescription,
  ReadOptions,
  ReadResult,
  TimedOffset,
} from './partition.ts';
export { PartitionLog } from './partition-log.ts';
export type { PartitionSettings } from './partition-settings.ts';
export type { ShardLog, ShardObserver, ShardOptions, ShardStorage } from './shard.ts';
export { Shard } from './shard.ts';
export type { FileBackingOptions, ShardBacking } from './shard-storage.ts';
export { FileBacking } from './shard-storage.ts';
export type { StoreProblem, StoreReport } from './verify.ts';
export { verifyStore } from './verify.ts';
export { RecordsInvalid } from './records-invalid.ts';
export * from './queue/index.ts';
export * from './transaction/index.ts';
