import type { Partition } from '../../shard/index.ts';
import { errorCodes } from './error-codes.ts';

/** A partition as Metadata and DescribeTopicPartitions tell of it: on one broker, which leads it and holds it. */
export function describePartition(partition: Partition, nodes: readonly [number]) {
  return {
    errorCode: errorCodes.NONE,
    partitionIndex: partition.index,
    leaderId: nodes[0],
    leaderEpoch: partition.leaderEpoch,
    replicaNodes: nodes,
    isrNodes: nodes,
    offlineReplicas: noNodes,
  };
}

const noNodes: readonly number[] = [];
