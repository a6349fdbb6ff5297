import { type Registration, register } from '../handler.ts';
import { addOffsetsToTxn } from './add-offsets-to-txn.ts';
import { addPartitionsToTxn } from './add-partitions-to-txn.ts';
import { alterClientQuotas } from './alter-client-quotas.ts';
import { alterConfigs } from './alter-configs.ts';
import { alterPartitionReassignments } from './alter-partition-reassignments.ts';
import { alterReplicaLogDirs } from './alter-replica-log-dirs.ts';
import { alterShareGroupOffsets } from './alter-share-group-offsets.ts';
import { alterUserScramCredentials } from './alter-user-scram-credentials.ts';
import { apiVersions } from './api-versions.ts';
import { consumerGroupDescribe } from './consumer-group-describe.ts';
import { consumerGroupHeartbeat } from './consumer-group-heartbeat.ts';
import { createAcls } from './create-acls.ts';
import { createPartitions } from './create-partitions.ts';
import { createTopics } from './create-topics.ts';
import {
  createDelegationToken,
  describeDelegationToken,
  expireDelegationToken,
  renewDelegationToken,
} from './delegation-tokens.ts';
import { deleteAcls } from './delete-acls.ts';
import { deleteGroups } from './delete-groups.ts';
import { deleteRecords } from './delete-records.ts';
import { deleteShareGroupOffsets } from './delete-share-group-offsets.ts';
import { deleteTopics } from './delete-topics.ts';
import { describeAcls } from './describe-acls.ts';
import { describeClientQuotas } from './describe-client-quotas.ts';
import { describeCluster } from './describe-cluster.ts';
import { describeConfigs } from './describe-configs.ts';
import { describeGroups } from './describe-groups.ts';
import { describeLogDirs } from './describe-log-dirs.ts';
import { describeProducers } from './describe-producers.ts';
import { describeQuorum } from './describe-quorum.ts';
import { describeShareGroupOffsets } from './describe-share-group-offsets.ts';
import { describeTopicPartitions } from './describe-topic-partitions.ts';
import { describeTransactions } from './describe-transactions.ts';
import { describeUserScramCredentials } from './describe-user-scram-credentials.ts';
import { electLeaders } from './elect-leaders.ts';
import { endTxn } from './end-txn.ts';
import { fetch } from './fetch.ts';
import { findCoordinator } from './find-coordinator.ts';
import { heartbeat } from './heartbeat.ts';
import { incrementalAlterConfigs } from './incremental-alter-configs.ts';
import { initProducerId } from './init-producer-id.ts';
import { joinGroup } from './join-group.ts';
import { leaveGroup } from './leave-group.ts';
import { listConfigResources } from './list-config-resources.ts';
import { listGroups } from './list-groups.ts';
import { listOffsets } from './list-offsets.ts';
import { listPartitionReassignments } from './list-partition-reassignments.ts';
import { listTransactions } from './list-transactions.ts';
import { metadata } from './metadata.ts';
import { offsetCommit } from './offset-commit.ts';
import { offsetDelete } from './offset-delete.ts';
import { offsetFetch } from './offset-fetch.ts';
import { offsetForLeaderEpoch } from './offset-for-leader-epoch.ts';
import { produce } from './produce.ts';
import { saslAuthenticate } from './sasl-authenticate.ts';
import { saslHandshake } from './sasl-handshake.ts';
import { shareAcknowledge } from './share-acknowledge.ts';
import { shareFetch } from './share-fetch.ts';
import { shareGroupDescribe } from './share-group-describe.ts';
import { shareGroupHeartbeat } from './share-group-heartbeat.ts';
import { streamsGroupDescribe } from './streams-group-describe.ts';
import { streamsGroupHeartbeat } from './streams-group-heartbeat.ts';
import { syncGroup } from './sync-group.ts';
import { txnOffsetCommit } from './txn-offset-commit.ts';
import { updateFeatures } from './update-features.ts';
import { writeTxnMarkers } from './write-txn-markers.ts';

/** Every API that the door answers: one file each, `register('Name', [lowest, highest version], handler)`. */
export const registrations: readonly Registration[] = [
  register('Produce', [3, 13], produce),
  register('Fetch', [4, 18], fetch),
  register('ListOffsets', [1, 11], listOffsets),
  register('Metadata', [0, 13], metadata),
  register('OffsetCommit', [2, 10], offsetCommit),
  register('OffsetFetch', [1, 10], offsetFetch),
  register('FindCoordinator', [0, 6], findCoordinator),
  register('JoinGroup', [0, 9], joinGroup),
  register('Heartbeat', [0, 4], heartbeat),
  register('LeaveGroup', [0, 5], leaveGroup),
  register('SyncGroup', [0, 5], syncGroup),
  register('DescribeGroups', [0, 6], describeGroups),
  register('ListGroups', [0, 5], listGroups),
  register('SaslHandshake', [0, 1], saslHandshake),
  register('ApiVersions', [0, 4], apiVersions),
  register('CreateTopics', [2, 7], createTopics),
  register('DeleteTopics', [1, 6], deleteTopics),
  register('DeleteRecords', [0, 2], deleteRecords),
  register('InitProducerId', [0, 6], initProducerId),
  register('OffsetForLeaderEpoch', [2, 4], offsetForLeaderEpoch),
  register('AddPartitionsToTxn', [0, 5], addPartitionsToTxn),
  register('AddOffsetsToTxn', [0, 4], addOffsetsToTxn),
  register('EndTxn', [0, 5], endTxn),
  register('WriteTxnMarkers', [1, 2], writeTxnMarkers),
  register('TxnOffsetCommit', [0, 5], txnOffsetCommit),
  register('DescribeAcls', [1, 3], describeAcls),
  register('CreateAcls', [1, 3], createAcls),
  register('DeleteAcls', [1, 3], deleteAcls),
  register('DescribeConfigs', [1, 4], describeConfigs),
  register('AlterConfigs', [0, 2], alterConfigs),
  register('AlterReplicaLogDirs', [1, 2], alterReplicaLogDirs),
  register('DescribeLogDirs', [1, 5], describeLogDirs),
  register('SaslAuthenticate', [0, 2], saslAuthenticate),
  register('CreatePartitions', [0, 3], createPartitions),
  register('CreateDelegationToken', [1, 3], createDelegationToken),
  register('RenewDelegationToken', [1, 2], renewDelegationToken),
  register('ExpireDelegationToken', [1, 2], expireDelegationToken),
  register('DescribeDelegationToken', [1, 3], describeDelegationToken),
  register('DeleteGroups', [0, 2], deleteGroups),
  register('ElectLeaders', [0, 2], electLeaders),
  register('IncrementalAlterConfigs', [0, 1], incrementalAlterConfigs),
  register('AlterPartitionReassignments', [0, 1], alterPartitionReassignments),
  register('ListPartitionReassignments', [0, 0], listPartitionReassignments),
  register('OffsetDelete', [0, 0], offsetDelete),
  register('DescribeClientQuotas', [0, 1], describeClientQuotas),
  register('AlterClientQuotas', [0, 1], alterClientQuotas),
  register('DescribeUserScramCredentials', [0, 0], describeUserScramCredentials),
  register('AlterUserScramCredentials', [0, 0], alterUserScramCredentials),
  register('DescribeQuorum', [0, 2], describeQuorum),
  register('UpdateFeatures', [0, 2], updateFeatures),
  register('DescribeCluster', [0, 2], describeCluster),
  register('DescribeProducers', [0, 0], describeProducers),
  register('DescribeTransactions', [0, 0], describeTransactions),
  register('ListTransactions', [0, 2], listTransactions),
  register('ConsumerGroupHeartbeat', [0, 1], consumerGroupHeartbeat),
  register('ConsumerGroupDescribe', [0, 1], consumerGroupDescribe),
  register('ListConfigResources', [0, 1], listConfigResources),
  register('DescribeTopicPartitions', [0, 0], describeTopicPartitions),
  register('ShareGroupHeartbeat', [1, 1], shareGroupHeartbeat),
  register('ShareGroupDescribe', [1, 1], shareGroupDescribe),
  register('ShareFetch', [1, 2], shareFetch),
  register('ShareAcknowledge', [1, 2], shareAcknowledge),
  register('StreamsGroupHeartbeat', [0, 0], streamsGroupHeartbeat),
  register('StreamsGroupDescribe', [0, 0], streamsGroupDescribe),
  register('DescribeShareGroupOffsets', [0, 1], describeShareGroupOffsets),
  register('AlterShareGroupOffsets', [0, 0], alterShareGroupOffsets),
  register('DeleteShareGroupOffsets', [0, 0], deleteShareGroupOffsets),
];
