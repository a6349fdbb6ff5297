import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { SystemClock, SystemRandom } from '../../../src/base/index.ts';
import { Broker } from '../../../src/broker/index.ts';
import { errorCodes as codes } from '../../../src/doors/kafka/error-codes.ts';
import { registrations } from '../../../src/doors/kafka/handlers/index.ts';
import { KafkaDoor } from '../../../src/doors/kafka/index.ts';
import {
  type ApiName,
  type RequestInput,
  type ResponseOf,
  zeroUuid,
} from '../../../src/doors/kafka/wire/index.ts';
import { silentLog } from '../../../src/net/index.ts';
import { batchOf } from './door-fixture.ts';
import { WireClient } from './wire-client.ts';

/** A request that has something wrong with it, and the code that says what. */
interface Case<N extends ApiName> {
  readonly api: N;
  readonly version: number;
  readonly wrong: string;
  readonly body: RequestInput<N>;
  readonly code: number;
  /** A method, so that cases of all APIs fit into one list. */
  codeOf(response: ResponseOf<N>): number | undefined;
}

function define<N extends ApiName>(one: Case<N>): Case<ApiName> {
  return one;
}

const strangeId = '11111111-1111-4111-8111-111111111111';
const timeoutMs = 1000;
const offset = { partitionIndex: 0, committedOffset: 1, committedMetadata: '' };

const cases: ReadonlyArray<Case<ApiName>> = [
  define({
    api: 'Produce',
    version: 9,
    wrong: 'acks of 2',
    body: {
      acks: 2,
      timeoutMs,
      topicData: [
        { name: 'open', partitionData: [{ index: 0, records: batchOf({ values: ['x'] }) }] },
      ],
    },
    code: codes.INVALID_REQUIRED_ACKS,
    codeOf: ({ responses }) => responses[0]?.partitionResponses[0]?.errorCode,
  }),
  define({
    api: 'Fetch',
    version: 12,
    wrong: 'a session that is not known',
    body: {
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: 1000,
      sessionId: 77,
      sessionEpoch: 3,
      topics: [],
      forgottenTopicsData: [],
    },
    code: codes.FETCH_SESSION_ID_NOT_FOUND,
    codeOf: ({ errorCode }) => errorCode,
  }),
  define({
    api: 'ListOffsets',
    version: 7,
    wrong: 'a partition that is not there',
    body: {
      replicaId: -1,
      topics: [{ name: 'open', partitions: [{ partitionIndex: 9, timestamp: -1 }] }],
    },
    code: codes.UNKNOWN_TOPIC_OR_PARTITION,
    codeOf: ({ topics }) => topics[0]?.partitions[0]?.errorCode,
  }),
  define({
    api: 'ListOffsets',
    version: 7,
    wrong: 'the same partition twice',
    body: {
      replicaId: -1,
      topics: [
        {
          name: 'open',
          partitions: [
            { partitionIndex: 0, timestamp: -1 },
            { partitionIndex: 0, timestamp: -2 },
          ],
        },
      ],
    },
    code: codes.INVALID_REQUEST,
    codeOf: ({ topics }) => topics[0]?.partitions[0]?.errorCode,
  }),
  define({
    api: 'Metadata',
    version: 12,
    wrong: 'a name that no topic can have',
    body: { topics: [{ topicId: zeroUuid, name: 'a b' }] },
    code: codes.INVALID_TOPIC_EXCEPTION,
    codeOf: ({ topics }) => topics[0]?.errorCode,
  }),
  define({
    api: 'Metadata',
    version: 12,
    wrong: 'an id of no topic',
    body: { topics: [{ topicId: strangeId, name: null }] },
    code: codes.UNKNOWN_TOPIC_ID,
    codeOf: ({ topics }) => topics[0]?.errorCode,
  }),
  define({
    api: 'OffsetCommit',
    version: 9,
    wrong: 'a partition that is not there',
    body: {
      groupId: 'g',
      memberId: '',
      topics: [{ name: 'open', partitions: [{ ...offset, partitionIndex: 9 }] }],
    },
    code: codes.UNKNOWN_TOPIC_OR_PARTITION,
    codeOf: ({ topics }) => topics[0]?.partitions[0]?.errorCode,
  }),
  define({
    api: 'OffsetFetch',
    version: 9,
    wrong: 'a member that is not there, of a consumer group',
    body: { groups: [{ groupId: 'managed', memberId: 'x', memberEpoch: 4, topics: null }] },
    code: codes.UNKNOWN_MEMBER_ID,
    codeOf: ({ groups }) => groups[0]?.errorCode,
  }),
  define({
    api: 'FindCoordinator',
    version: 4,
    wrong: 'a kind of key that is not known',
    body: { keyType: 9, coordinatorKeys: ['g'] },
    code: codes.INVALID_REQUEST,
    codeOf: ({ coordinators }) => coordinators[0]?.errorCode,
  }),
  define({
    api: 'JoinGroup',
    version: 9,
    wrong: 'a session of a millisecond',
    body: {
      groupId: 'g',
      sessionTimeoutMs: 1,
      rebalanceTimeoutMs: 1000,
      memberId: '',
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: Buffer.alloc(0) }],
    },
    code: codes.INVALID_SESSION_TIMEOUT,
    codeOf: ({ errorCode }) => errorCode,
  }),
  define({
    api: 'Heartbeat',
    version: 4,
    wrong: 'a group that is not there',
    body: { groupId: 'none', generationId: 1, memberId: 'x' },
    code: codes.UNKNOWN_MEMBER_ID,
    codeOf: ({ errorCode }) => errorCode,
  }),
  define({
    api: 'LeaveGroup',
    version: 5,
    wrong: 'a member that is not there',
    body: { groupId: 'none', members: [{ memberId: 'x' }] },
    code: codes.UNKNOWN_MEMBER_ID,
    codeOf: ({ members }) => members[0]?.errorCode,
  }),
  define({
    api: 'SyncGroup',
    version: 5,
    wrong: 'a group that is not there',
    body: {
      groupId: 'none',
      generationId: 1,
      memberId: 'x',
      protocolType: 'consumer',
      protocolName: 'range',
      assignments: [],
    },
    code: codes.UNKNOWN_MEMBER_ID,
    codeOf: ({ errorCode }) => errorCode,
  }),
  define({
    api: 'DescribeGroups',
    version: 6,
    wrong: 'a group that is not there',
    body: { groups: ['none'], includeAuthorizedOperations: false },
    code: codes.GROUP_ID_NOT_FOUND,
    codeOf: ({ groups }) => groups[0]?.errorCode,
  }),
  define({
    api: 'SaslHandshake',
    version: 1,
    wrong: 'a mechanism that is not offered',
    body: { mechanism: 'GSSAPI' },
    code: codes.UNSUPPORTED_SASL_MECHANISM,
    codeOf: ({ errorCode }) => errorCode,
  }),
  define({
    api: 'CreateTopics',
    version: 7,
    wrong: 'a topic that is there',
    body: {
      topics: [
        { name: 'open', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] },
      ],
      timeoutMs,
    },
    code: codes.TOPIC_ALREADY_EXISTS,
    codeOf: ({ topics }) => topics[0]?.errorCode,
  }),
  define({
    api: 'CreateTopics',
    version: 7,
    wrong: 'more replicas than brokers',
    body: {
      topics: [
        { name: 'new', numPartitions: 1, replicationFactor: 2, assignments: [], configs: [] },
      ],
      timeoutMs,
    },
    code: codes.INVALID_REPLICATION_FACTOR,
    codeOf: ({ topics }) => topics[0]?.errorCode,
  }),
  define({
    api: 'DeleteTopics',
    version: 6,
    wrong: 'an id of no topic',
    body: { topics: [{ name: null, topicId: strangeId }], timeoutMs },
    code: codes.UNKNOWN_TOPIC_ID,
    codeOf: ({ responses }) => responses[0]?.errorCode,
  }),
  define({
    api: 'DeleteRecords',
    version: 2,
    wrong: 'an offset behind the end',
    body: {
      topics: [{ name: 'open', partitions: [{ partitionIndex: 0, offset: 99 }] }],
      timeoutMs,
    },
    code: codes.OFFSET_OUT_OF_RANGE,
    codeOf: ({ topics }) => topics[0]?.partitions[0]?.errorCode,
  }),
  define({
    api: 'InitProducerId',
    version: 4,
    wrong: 'a transactional id that is empty',
    body: { transactionalId: '', transactionTimeoutMs: 1000 },
    code: codes.INVALID_REQUEST,
    codeOf: ({ errorCode }) => errorCode,
  }),
  define({
    api: 'InitProducerId',
    version: 4,
    wrong: 'a timeout of a month',
    body: { transactionalId: 't', transactionTimeoutMs: 2_000_000_000 },
    code: codes.INVALID_TRANSACTION_TIMEOUT,
    codeOf: ({ errorCode }) => errorCode,
  }),
  define({
    api: 'OffsetForLeaderEpoch',
    version: 4,
    wrong: 'a partition that is not there',
    body: { topics: [{ topic: 'open', partitions: [{ partition: 9, leaderEpoch: 0 }] }] },
    code: codes.UNKNOWN_TOPIC_OR_PARTITION,
    codeOf: ({ topics }) => topics[0]?.partitions[0]?.errorCode,
  }),
  define({
    api: 'AddPartitionsToTxn',
    version: 3,
    wrong: 'a transactional id that is not known',
    body: {
      v3AndBelowTransactionalId: 'none',
      v3AndBelowProducerId: 1,
      v3AndBelowProducerEpoch: 0,
      v3AndBelowTopics: [{ name: 'open', partitions: [0] }],
    },
    code: codes.INVALID_PRODUCER_ID_MAPPING,
    codeOf: ({ resultsByTopicV3AndBelow }) =>
      resultsByTopicV3AndBelow[0]?.resultsByPartition[0]?.partitionErrorCode,
  }),
  define({
    api: 'AddOffsetsToTxn',
    version: 4,
    wrong: 'a transactional id that is not known',
    body: { transactionalId: 'none', producerId: 1, producerEpoch: 0, groupId: 'g' },
    code: codes.INVALID_PRODUCER_ID_MAPPING,
    codeOf: ({ errorCode }) => errorCode,
  }),
  define({
    api: 'EndTxn',
    version: 4,
    wrong: 'a transactional id that is not known',
    body: { transactionalId: 'none', producerId: 1, producerEpoch: 0, committed: true },
    code: codes.INVALID_PRODUCER_ID_MAPPING,
    codeOf: ({ errorCode }) => errorCode,
  }),
  define({
    api: 'TxnOffsetCommit',
    version: 3,
    wrong: 'a partition that is not there',
    body: {
      transactionalId: 'none',
      groupId: 'g',
      producerId: 1,
      producerEpoch: 0,
      topics: [{ name: 'open', partitions: [{ ...offset, partitionIndex: 9 }] }],
    },
    code: codes.UNKNOWN_TOPIC_OR_PARTITION,
    codeOf: ({ topics }) => topics[0]?.partitions[0]?.errorCode,
  }),
  define({
    api: 'WriteTxnMarkers',
    version: 1,
    wrong: 'a partition that is not there',
    body: {
      markers: [
        {
          producerId: 1,
          producerEpoch: 0,
          transactionResult: false,
          topics: [{ name: 'open', partitionIndexes: [9] }],
          coordinatorEpoch: 0,
        },
      ],
    },
    code: codes.UNKNOWN_TOPIC_OR_PARTITION,
    codeOf: ({ markers }) => markers[0]?.topics[0]?.partitions[0]?.errorCode,
  }),
  define({
    api: 'DescribeConfigs',
    version: 4,
    wrong: 'a topic that is not there',
    body: { resources: [{ resourceType: 2, resourceName: 'none', configurationKeys: null }] },
    code: codes.UNKNOWN_TOPIC_OR_PARTITION,
    codeOf: ({ results }) => results[0]?.errorCode,
  }),
  define({
    api: 'AlterConfigs',
    version: 2,
    wrong: 'a value that is no number',
    body: {
      resources: [
        {
          resourceType: 2,
          resourceName: 'open',
          configs: [{ name: 'retention.ms', value: 'soon' }],
        },
      ],
      validateOnly: false,
    },
    code: codes.INVALID_CONFIG,
    codeOf: ({ responses }) => responses[0]?.errorCode,
  }),
  define({
    api: 'IncrementalAlterConfigs',
    version: 1,
    wrong: 'a number that something is appended to',
    body: {
      resources: [
        {
          resourceType: 2,
          resourceName: 'open',
          configs: [{ name: 'retention.ms', configOperation: 2, value: '1' }],
        },
      ],
      validateOnly: false,
    },
    code: codes.INVALID_CONFIG,
    codeOf: ({ responses }) => responses[0]?.errorCode,
  }),
  define({
    api: 'AlterReplicaLogDirs',
    version: 2,
    wrong: 'a directory that is not there',
    body: { dirs: [{ path: '/elsewhere', topics: [{ name: 'open', partitions: [0] }] }] },
    code: codes.LOG_DIR_NOT_FOUND,
    codeOf: ({ results }) => results[0]?.partitions[0]?.errorCode,
  }),
  define({
    api: 'CreatePartitions',
    version: 3,
    wrong: 'fewer partitions than there are',
    body: {
      topics: [{ name: 'open', count: 1, assignments: null }],
      timeoutMs,
      validateOnly: false,
    },
    code: codes.INVALID_PARTITIONS,
    codeOf: ({ results }) => results[0]?.errorCode,
  }),
  define({
    api: 'DeleteGroups',
    version: 2,
    wrong: 'a group that is not there',
    body: { groupsNames: ['none'] },
    code: codes.GROUP_ID_NOT_FOUND,
    codeOf: ({ results }) => results[0]?.errorCode,
  }),
  define({
    api: 'ElectLeaders',
    version: 2,
    wrong: 'a partition that is not there',
    body: { electionType: 0, topicPartitions: [{ topic: 'open', partitions: [9] }], timeoutMs },
    code: codes.UNKNOWN_TOPIC_OR_PARTITION,
    codeOf: ({ replicaElectionResults }) =>
      replicaElectionResults[0]?.partitionResult[0]?.errorCode,
  }),
  define({
    api: 'AlterPartitionReassignments',
    version: 1,
    wrong: 'a broker that is not there',
    body: {
      timeoutMs,
      topics: [{ name: 'open', partitions: [{ partitionIndex: 0, replicas: [9] }] }],
    },
    code: codes.INVALID_REPLICA_ASSIGNMENT,
    codeOf: ({ responses }) => responses[0]?.partitions[0]?.errorCode,
  }),
  define({
    api: 'OffsetDelete',
    version: 0,
    wrong: 'a group that is not there',
    body: { groupId: 'none', topics: [{ name: 'open', partitions: [{ partitionIndex: 0 }] }] },
    code: codes.GROUP_ID_NOT_FOUND,
    codeOf: ({ errorCode }) => errorCode,
  }),
  define({
    api: 'DescribeClientQuotas',
    version: 1,
    wrong: 'a kind of match that is not known',
    body: { components: [{ entityType: 'user', matchType: 9, match: null }], strict: false },
    code: codes.INVALID_REQUEST,
    codeOf: ({ errorCode }) => errorCode,
  }),
  define({
    api: 'AlterClientQuotas',
    version: 1,
    wrong: 'a quota that is not known',
    body: {
      entries: [
        {
          entity: [{ entityType: 'user', entityName: 'ann' }],
          ops: [{ key: 'sparkle_rate', value: 1, remove: false }],
        },
      ],
      validateOnly: false,
    },
    code: codes.INVALID_REQUEST,
    codeOf: ({ entries }) => entries[0]?.errorCode,
  }),
  define({
    api: 'DescribeUserScramCredentials',
    version: 0,
    wrong: 'a user who is not there',
    body: { users: [{ name: 'nobody' }] },
    code: codes.RESOURCE_NOT_FOUND,
    codeOf: ({ results }) => results[0]?.errorCode,
  }),
  define({
    api: 'AlterUserScramCredentials',
    version: 0,
    wrong: 'a mechanism that is not known',
    body: { deletions: [{ name: 'ann', mechanism: 9 }], upsertions: [] },
    code: codes.UNSUPPORTED_SASL_MECHANISM,
    codeOf: ({ results }) => results[0]?.errorCode,
  }),
  define({
    api: 'DescribeQuorum',
    version: 2,
    wrong: 'a partition that is not of the quorum',
    body: { topics: [{ topicName: 'open', partitions: [{ partitionIndex: 0 }] }] },
    code: codes.INVALID_REQUEST,
    codeOf: ({ errorCode }) => errorCode,
  }),
  define({
    api: 'UpdateFeatures',
    version: 1,
    wrong: 'a feature that is not known',
    body: { featureUpdates: [{ feature: 'x', maxVersionLevel: 1 }] },
    code: codes.INVALID_UPDATE_VERSION,
    codeOf: ({ errorCode }) => errorCode,
  }),
  define({
    api: 'DescribeProducers',
    version: 0,
    wrong: 'a partition that is not there',
    body: { topics: [{ name: 'open', partitionIndexes: [9] }] },
    code: codes.UNKNOWN_TOPIC_OR_PARTITION,
    codeOf: ({ topics }) => topics[0]?.partitions[0]?.errorCode,
  }),
  define({
    api: 'DescribeTransactions',
    version: 0,
    wrong: 'a transactional id that is not known',
    body: { transactionalIds: ['none'] },
    code: codes.TRANSACTIONAL_ID_NOT_FOUND,
    codeOf: ({ transactionStates }) => transactionStates[0]?.errorCode,
  }),
  define({
    api: 'ListTransactions',
    version: 2,
    wrong: 'a pattern that is none',
    body: { stateFilters: [], producerIdFilters: [], transactionalIdPattern: '(' },
    code: codes.INVALID_REGULAR_EXPRESSION,
    codeOf: ({ errorCode }) => errorCode,
  }),
  define({
    api: 'ConsumerGroupHeartbeat',
    version: 1,
    wrong: 'no group id',
    body: {
      groupId: '',
      memberId: 'm',
      memberEpoch: 0,
      rebalanceTimeoutMs: 1000,
      subscribedTopicNames: ['open'],
      topicPartitions: [],
    },
    code: codes.INVALID_REQUEST,
    codeOf: ({ errorCode }) => errorCode,
  }),
  define({
    api: 'ConsumerGroupDescribe',
    version: 1,
    wrong: 'a group that is not there',
    body: { groupIds: ['none'], includeAuthorizedOperations: false },
    code: codes.GROUP_ID_NOT_FOUND,
    codeOf: ({ groups }) => groups[0]?.errorCode,
  }),
  define({
    api: 'DescribeTopicPartitions',
    version: 0,
    wrong: 'a topic that is not there',
    body: { topics: [{ name: 'none' }], cursor: null },
    code: codes.UNKNOWN_TOPIC_OR_PARTITION,
    codeOf: ({ topics }) => topics[0]?.errorCode,
  }),
  define({
    api: 'ShareGroupHeartbeat',
    version: 1,
    wrong: 'no member id',
    body: { groupId: 'share', memberId: '', memberEpoch: 0, subscribedTopicNames: ['open'] },
    code: codes.INVALID_REQUEST,
    codeOf: ({ errorCode }) => errorCode,
  }),
  define({
    api: 'ShareGroupDescribe',
    version: 1,
    wrong: 'a group that is not there',
    body: { groupIds: ['none'], includeAuthorizedOperations: false },
    code: codes.GROUP_ID_NOT_FOUND,
    codeOf: ({ groups }) => groups[0]?.errorCode,
  }),
  define({
    api: 'StreamsGroupDescribe',
    version: 0,
    wrong: 'a group that is not there',
    body: { groupIds: ['none'], includeAuthorizedOperations: false },
    code: codes.GROUP_ID_NOT_FOUND,
    codeOf: ({ groups }) => groups[0]?.errorCode,
  }),
];

/** APIs that have nothing to get wrong here, or whose refusals have tests of their own. */
const elsewhere: ReadonlyMap<ApiName, string> = new Map<ApiName, string>([
  ['ApiVersions', 'answers whatever it is asked; its names of software: connection.test.ts'],
  ['SaslAuthenticate', 'sasl.test.ts'],
  ['ListGroups', 'filters that match nothing find nothing'],
  ['DescribeCluster', 'cluster.test.ts'],
  ['DescribeLogDirs', 'what is not there is left out'],
  ['ListPartitionReassignments', 'what is not there is left out'],
  ['ListConfigResources', 'configs.test.ts'],
  ['DescribeAcls', 'acls.test.ts'],
  ['CreateAcls', 'acls.test.ts'],
  ['DeleteAcls', 'acls.test.ts'],
  ['CreateDelegationToken', 'acls.test.ts'],
  ['RenewDelegationToken', 'acls.test.ts'],
  ['ExpireDelegationToken', 'acls.test.ts'],
  ['DescribeDelegationToken', 'acls.test.ts'],
  ['ShareFetch', 'share-groups'],
  ['ShareAcknowledge', 'share-groups'],
  ['DescribeShareGroupOffsets', 'share-groups'],
  ['AlterShareGroupOffsets', 'share-groups'],
  ['DeleteShareGroupOffsets', 'share-groups'],
  ['StreamsGroupHeartbeat', 'streams-groups'],
]);

async function open(t: TestContext): Promise<WireClient> {
  const broker = await Broker.open({ store: 'memory', createTopicsOnUse: false });
  const door = await KafkaDoor.open({
    broker,
    clock: new SystemClock(),
    random: new SystemRandom(),
    log: silentLog,
    host: '127.0.0.1',
    port: 0,
  });
  t.after(async () => {
    await door.close(0);
    await broker.close();
  });
  await broker.createTopic('open', { partitions: 2 });
  const client = await WireClient.connect(door.port);
  t.after(() => client.socket.destroy());
  return client;
}

test('what is wrong with a request has its code, and the connection goes on', async (t) => {
  const client = await open(t);
  const joined = await client.ask('ConsumerGroupHeartbeat', 1, {
    groupId: 'managed',
    memberId: 'm',
    memberEpoch: 0,
    rebalanceTimeoutMs: 60_000,
    subscribedTopicNames: ['open'],
    topicPartitions: [],
  });
  assert.equal(joined.errorCode, codes.NONE);
  const found: string[] = [];
  const expected: string[] = [];
  for (const one of cases) {
    const response = await client.ask(one.api, one.version, one.body);
    const name = `${one.api} with ${one.wrong}: `;
    found.push(name + codeName(one.codeOf(response)));
    expected.push(name + codeName(one.code));
  }
  assert.deepEqual(found, expected);
});

test('every API that is answered has such a request, or says where it is tested', () => {
  const covered = new Set<string>([...cases.map(({ api }) => api), ...elsewhere.keys()]);
  const missing = registrations.filter(({ name }) => !covered.has(name)).map(({ name }) => name);
  assert.deepEqual(missing, []);
});

function codeName(code: number | undefined): string {
  return Object.entries(codes).find(([, value]) => value === code)?.[0] ?? String(code);
}
