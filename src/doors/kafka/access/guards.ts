import type { HandlerContext, HandlerResult } from '../handler.ts';
import type { ApiName, RequestOf } from '../wire/index.ts';
import * as cluster from './cluster-guards.ts';
import * as group from './group-guards.ts';
import { free, Gate, type Guard, type Proceed } from './guard.ts';
import * as member from './member-guards.ts';
import * as topic from './topic-guards.ts';
import * as transaction from './transaction-guards.ts';

/**
 * Which rights each API asks for, as Kafka does: `topic`, `group`, `member` (of a group),
 * `transaction` and `cluster` are what is looked at first.
 * An API without a guard does not compile. `free`: everybody may, or the handler asks by itself.
 */
const guards: { readonly [N in ApiName]: Guard<N> } = {
  Produce: topic.produce,
  // A session is longer than a request: `FetchRun` asks for each partition.
  Fetch: free(),
  ListOffsets: topic.listOffsets,
  Metadata: topic.metadata,
  OffsetCommit: group.offsetCommit,
  OffsetFetch: group.offsetFetch,
  FindCoordinator: transaction.findCoordinator,
  JoinGroup: group.joinGroup,
  Heartbeat: group.heartbeat,
  LeaveGroup: group.leaveGroup,
  SyncGroup: group.syncGroup,
  DescribeGroups: group.describeGroups,
  ListGroups: group.listGroups,
  SaslHandshake: free(),
  ApiVersions: free(),
  CreateTopics: topic.createTopics,
  DeleteTopics: topic.deleteTopics,
  DeleteRecords: topic.deleteRecords,
  InitProducerId: transaction.initProducerId,
  OffsetForLeaderEpoch: topic.offsetForLeaderEpoch,
  AddPartitionsToTxn: transaction.addPartitionsToTxn,
  AddOffsetsToTxn: transaction.addOffsetsToTxn,
  EndTxn: transaction.endTxn,
  WriteTxnMarkers: transaction.writeTxnMarkers,
  TxnOffsetCommit: group.txnOffsetCommit,
  DescribeAcls: cluster.describeAcls,
  CreateAcls: cluster.createAcls,
  DeleteAcls: cluster.deleteAcls,
  DescribeConfigs: cluster.describeConfigs,
  AlterConfigs: cluster.alterConfigs,
  AlterReplicaLogDirs: cluster.alterReplicaLogDirs,
  DescribeLogDirs: cluster.describeLogDirs,
  SaslAuthenticate: free(),
  CreatePartitions: topic.createPartitions,
  CreateDelegationToken: free(),
  RenewDelegationToken: free(),
  ExpireDelegationToken: free(),
  DescribeDelegationToken: free(),
  DeleteGroups: group.deleteGroups,
  ElectLeaders: cluster.electLeaders,
  IncrementalAlterConfigs: cluster.incrementalAlterConfigs,
  AlterPartitionReassignments: cluster.alterPartitionReassignments,
  ListPartitionReassignments: cluster.listPartitionReassignments,
  OffsetDelete: group.offsetDelete,
  DescribeClientQuotas: cluster.describeClientQuotas,
  AlterClientQuotas: cluster.alterClientQuotas,
  DescribeUserScramCredentials: cluster.describeUserScramCredentials,
  AlterUserScramCredentials: cluster.alterUserScramCredentials,
  DescribeQuorum: cluster.describeQuorum,
  UpdateFeatures: cluster.updateFeatures,
  DescribeCluster: cluster.describeCluster,
  DescribeProducers: topic.describeProducers,
  DescribeTransactions: transaction.describeTransactions,
  ListTransactions: transaction.listTransactions,
  ConsumerGroupHeartbeat: member.consumerGroupHeartbeat,
  ConsumerGroupDescribe: member.consumerGroupDescribe,
  ListConfigResources: cluster.listConfigResources,
  DescribeTopicPartitions: topic.describeTopicPartitions,
  ShareGroupHeartbeat: member.shareGroupHeartbeat,
  ShareGroupDescribe: member.shareGroupDescribe,
  ShareFetch: group.shareFetch,
  ShareAcknowledge: group.shareAcknowledge,
  StreamsGroupHeartbeat: member.streamsGroupHeartbeat,
  StreamsGroupDescribe: member.streamsGroupDescribe,
  DescribeShareGroupOffsets: group.describeShareGroupOffsets,
  AlterShareGroupOffsets: group.alterShareGroupOffsets,
  DeleteShareGroupOffsets: group.deleteShareGroupOffsets,
};

/** Answers a request of a client who may not do everything. */
export function guarded<N extends ApiName>(
  name: N,
  context: HandlerContext,
  request: RequestOf<N>,
  version: number,
  proceed: Proceed<N>,
): HandlerResult<N> | Promise<HandlerResult<N>> {
  return guards[name](new Gate(context), request, proceed, version);
}
