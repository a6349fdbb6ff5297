export * from './group/index.ts';
export type {
  AppendResult,
  Partition,
  PartitionWaiter,
  ProducerDescription,
  ReadOptions,
  ReadResult,
  TimedOffset,
} from './partition.ts';
