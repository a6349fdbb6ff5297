import { type Registration, register } from '../handler.ts';
import { alterConfigs } from './alter-configs.ts';
import { apiVersions } from './api-versions.ts';
import { createPartitions } from './create-partitions.ts';
import { createTopics } from './create-topics.ts';
import { deleteRecords } from './delete-records.ts';
import { deleteTopics } from './delete-topics.ts';
import { describeCluster } from './describe-cluster.ts';
import { describeConfigs } from './describe-configs.ts';
import { describeLogDirs } from './describe-log-dirs.ts';
import { describeProducers } from './describe-producers.ts';
import { describeTopicPartitions } from './describe-topic-partitions.ts';
import { electLeaders } from './elect-leaders.ts';
import { fetch } from './fetch.ts';
import { incrementalAlterConfigs } from './incremental-alter-configs.ts';
import { initProducerId } from './init-producer-id.ts';
import { listConfigResources } from './list-config-resources.ts';
import { listOffsets } from './list-offsets.ts';
import { listPartitionReassignments } from './list-partition-reassignments.ts';
import { metadata } from './metadata.ts';
import { offsetForLeaderEpoch } from './offset-for-leader-epoch.ts';
import { produce } from './produce.ts';

/** Every API that the door answers: one file each, `register('Name', [lowest, highest version], handler)`. */
export const registrations: readonly Registration[] = [
  register('Produce', [3, 13], produce),
  register('Fetch', [4, 18], fetch),
  register('ListOffsets', [1, 11], listOffsets),
  register('Metadata', [0, 13], metadata),
  register('ApiVersions', [0, 4], apiVersions),
  register('CreateTopics', [2, 7], createTopics),
  register('DeleteTopics', [1, 6], deleteTopics),
  register('DeleteRecords', [0, 2], deleteRecords),
  register('InitProducerId', [0, 6], initProducerId),
  register('OffsetForLeaderEpoch', [2, 4], offsetForLeaderEpoch),
  register('DescribeConfigs', [1, 4], describeConfigs),
  register('AlterConfigs', [0, 2], alterConfigs),
  register('DescribeLogDirs', [1, 5], describeLogDirs),
  register('CreatePartitions', [0, 3], createPartitions),
  register('ElectLeaders', [0, 2], electLeaders),
  register('IncrementalAlterConfigs', [0, 1], incrementalAlterConfigs),
  register('ListPartitionReassignments', [0, 0], listPartitionReassignments),
  register('DescribeCluster', [0, 2], describeCluster),
  register('DescribeProducers', [0, 0], describeProducers),
  register('ListConfigResources', [0, 1], listConfigResources),
  register('DescribeTopicPartitions', [0, 0], describeTopicPartitions),
];
