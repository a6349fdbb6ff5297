import assert from 'node:assert/strict';
import test from 'node:test';
import { type AccessRule, clusterName } from '../../../src/broker/index.ts';
import { errorCodes as codes } from '../../../src/doors/kafka/error-codes.ts';
import {
  type ApiName,
  type RequestInput,
  type ResponseOf,
  zeroUuid,
} from '../../../src/doors/kafka/wire/index.ts';
import { acl, aclFilter, type Bed, openBed } from './acl-bed.ts';
import { batchOf } from './door-fixture.ts';

const topic = 'open';
const partitionIndex = 0;

/** One request; what it answers without and with the right that it wants. */
interface Case<N extends ApiName> {
  readonly api: N;
  readonly version: number;
  readonly body: (bed: Bed) => RequestInput<N>;
  readonly needs: ReadonlyArray<readonly [AccessRule['operation'], AccessRule['kind'], string]>;
  readonly refusal: number;
  /** A method, so that cases of all APIs fit into one list. */
  codeOf(response: ResponseOf<N>): number | undefined;
}

function define<N extends ApiName>(one: Case<N>): Case<ApiName> {
  return one;
}

const topicRefused = codes.TOPIC_AUTHORIZATION_FAILED;
const groupRefused = codes.GROUP_AUTHORIZATION_FAILED;
const clusterRefused = codes.CLUSTER_AUTHORIZATION_FAILED;
const transactionRefused = codes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED;

const cases: ReadonlyArray<Case<ApiName>> = [
  define({
    api: 'Produce',
    version: 9,
    body: () => ({
      acks: -1,
      timeoutMs: 1000,
      topicData: [
        { name: topic, partitionData: [{ index: 0, records: batchOf({ values: ['x'] }) }] },
      ],
    }),
    needs: [['write', 'topic', topic]],
    refusal: topicRefused,
    codeOf: ({ responses }) => responses[0]?.partitionResponses[0]?.errorCode,
  }),
  define({
    api: 'Fetch',
    version: 12,
    body: () => ({
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: 1000,
      isolationLevel: 0,
      sessionId: 0,
      sessionEpoch: -1,
      topics: [{ topic, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }] }],
      forgottenTopicsData: [],
    }),
    needs: [['read', 'topic', topic]],
    refusal: topicRefused,
    codeOf: ({ responses }) => responses[0]?.partitions[0]?.errorCode,
  }),
  define({
    api: 'ListOffsets',
    version: 5,
    body: () => ({
      replicaId: -1,
      topics: [{ name: topic, partitions: [{ partitionIndex, timestamp: -1 }] }],
    }),
    needs: [['describe', 'topic', topic]],
    refusal: topicRefused,
    codeOf: ({ topics }) => topics[0]?.partitions[0]?.errorCode,
  }),
  define({
    api: 'Metadata',
    version: 12,
    body: () => ({ topics: [{ topicId: zeroUuid, name: topic }] }),
    needs: [['describe', 'topic', topic]],
    refusal: topicRefused,
    codeOf: ({ topics }) => topics[0]?.errorCode,
  }),
  define({
    api: 'Metadata',
    version: 12,
    body: ({ broker }) => ({ topics: [{ topicId: broker.topics.find(topic)!.id, name: null }] }),
    needs: [['describe', 'topic', topic]],
    refusal: topicRefused,
    codeOf: ({ topics }) => topics[0]?.errorCode,
  }),
  define({
    api: 'DescribeTopicPartitions',
    version: 0,
    body: () => ({ topics: [{ name: topic }] }),
    needs: [['describe', 'topic', topic]],
    refusal: topicRefused,
    codeOf: ({ topics }) => topics[0]?.errorCode,
  }),
  define({
    api: 'OffsetCommit',
    version: 8,
    body: () => ({
      groupId: 'g',
      memberId: '',
      topics: [
        {
          name: topic,
          partitions: [{ partitionIndex, committedOffset: 0, committedMetadata: '' }],
        },
      ],
    }),
    needs: [
      ['read', 'topic', topic],
      ['read', 'group', 'g'],
    ],
    refusal: groupRefused,
    codeOf: ({ topics }) => topics[0]?.partitions[0]?.errorCode,
  }),
  define({
    api: 'OffsetCommit',
    version: 8,
    body: () => ({
      groupId: 'g',
      memberId: '',
      topics: [
        {
          name: topic,
          partitions: [{ partitionIndex, committedOffset: 0, committedMetadata: '' }],
        },
      ],
    }),
    needs: [
      ['read', 'group', 'g'],
      ['read', 'topic', topic],
    ],
    refusal: topicRefused,
    codeOf: ({ topics }) => topics[0]?.partitions[0]?.errorCode,
  }),
  ...([7, 8] as const).map((version) =>
    define({
      api: 'OffsetFetch',
      version,
      body: () =>
        version === 7
          ? { groupId: 'g', topics: [{ name: topic, partitionIndexes: [0] }] }
          : { groups: [{ groupId: 'g', topics: [{ name: topic, partitionIndexes: [0] }] }] },
      needs: [
        ['describe', 'topic', topic],
        ['describe', 'group', 'g'],
      ],
      refusal: groupRefused,
      codeOf: ({ errorCode, groups }) => (version === 7 ? errorCode : groups[0]?.errorCode),
    }),
  ),
  ...([7, 8] as const).map((version) =>
    define({
      api: 'OffsetFetch',
      version,
      body: () =>
        version === 7
          ? { groupId: 'g', topics: [{ name: topic, partitionIndexes: [0] }] }
          : { groups: [{ groupId: 'g', topics: [{ name: topic, partitionIndexes: [0] }] }] },
      needs: [
        ['describe', 'group', 'g'],
        ['describe', 'topic', topic],
      ],
      refusal: topicRefused,
      codeOf: ({ topics, groups }) =>
        (version === 7 ? topics : groups[0]?.topics)?.[0]?.partitions[0]?.errorCode,
    }),
  ),
  ...([3, 4] as const).flatMap((version) =>
    (
      [
        [0, 'group', groupRefused],
        [1, 'transaction', transactionRefused],
      ] as const
    ).map(([keyType, kind, refusal]) =>
      define({
        api: 'FindCoordinator',
        version,
        body: () => (version === 3 ? { key: 'k', keyType } : { keyType, coordinatorKeys: ['k'] }),
        needs: [['describe', kind, 'k']],
        refusal,
        codeOf: ({ errorCode, coordinators }) =>
          version === 3 ? errorCode : coordinators[0]?.errorCode,
      }),
    ),
  ),
  define({
    api: 'Heartbeat',
    version: 4,
    body: () => ({ groupId: 'g', generationId: 1, memberId: 'm' }),
    needs: [['read', 'group', 'g']],
    refusal: groupRefused,
    codeOf: ({ errorCode }) => (errorCode === codes.UNKNOWN_MEMBER_ID ? 0 : errorCode),
  }),
  define({
    api: 'JoinGroup',
    version: 7,
    body: () => ({
      groupId: 'g',
      sessionTimeoutMs: 10_000,
      memberId: '',
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: new Uint8Array(0) }],
    }),
    needs: [['read', 'group', 'g']],
    refusal: groupRefused,
    codeOf: ({ errorCode }) => (errorCode === codes.MEMBER_ID_REQUIRED ? 0 : errorCode),
  }),
  define({
    api: 'SyncGroup',
    version: 5,
    body: () => ({ groupId: 'g', generationId: 1, memberId: 'm', assignments: [] }),
    needs: [['read', 'group', 'g']],
    refusal: groupRefused,
    codeOf: ({ errorCode }) => (errorCode === codes.INCONSISTENT_GROUP_PROTOCOL ? 0 : errorCode),
  }),
  define({
    api: 'LeaveGroup',
    version: 4,
    body: () => ({ groupId: 'g', members: [] }),
    needs: [['read', 'group', 'g']],
    refusal: groupRefused,
    codeOf: ({ errorCode }) => errorCode,
  }),
  define({
    api: 'DescribeGroups',
    version: 5,
    body: () => ({ groups: ['g'] }),
    needs: [['describe', 'group', 'g']],
    refusal: groupRefused,
    codeOf: ({ groups }) => groups[0]?.errorCode,
  }),
  define({
    api: 'DeleteGroups',
    version: 2,
    body: () => ({ groupsNames: ['g'] }),
    needs: [['delete', 'group', 'g']],
    refusal: groupRefused,
    codeOf: ({ results: [result] }) =>
      result?.errorCode === codes.GROUP_ID_NOT_FOUND ? 0 : result?.errorCode,
  }),
  define({
    api: 'OffsetDelete',
    version: 0,
    body: () => ({ groupId: 'g', topics: [{ name: topic, partitions: [{ partitionIndex }] }] }),
    needs: [
      ['read', 'topic', topic],
      ['delete', 'group', 'g'],
    ],
    refusal: groupRefused,
    codeOf: ({ errorCode }) => (errorCode === codes.GROUP_ID_NOT_FOUND ? 0 : errorCode),
  }),
  define({
    api: 'ShareGroupHeartbeat',
    version: 1,
    body: () => ({
      groupId: 's',
      memberId: 'AAAAAAAAAAAAAAAAAAAAAA',
      memberEpoch: 0,
      subscribedTopicNames: [topic],
    }),
    needs: [
      ['read', 'group', 's'],
      ['describe', 'topic', topic],
    ],
    refusal: topicRefused,
    codeOf: ({ errorCode }) => errorCode,
  }),
  define({
    api: 'ShareGroupDescribe',
    version: 1,
    body: () => ({ groupIds: ['s'], includeAuthorizedOperations: false }),
    needs: [['describe', 'group', 's']],
    refusal: groupRefused,
    codeOf: ({ groups: [group] }) =>
      group?.errorCode === codes.GROUP_ID_NOT_FOUND ? 0 : group?.errorCode,
  }),
  define({
    api: 'StreamsGroupHeartbeat',
    version: 0,
    body: () => ({
      groupId: 'st',
      memberId: 'm',
      memberEpoch: 1,
      endpointInformationEpoch: 0,
    }),
    needs: [['read', 'group', 'st']],
    refusal: groupRefused,
    codeOf: ({ errorCode }) => (errorCode === codes.UNKNOWN_MEMBER_ID ? 0 : errorCode),
  }),
  define({
    api: 'StreamsGroupHeartbeat',
    version: 0,
    body: () => ({
      groupId: 'st',
      memberId: 'm',
      memberEpoch: 0,
      endpointInformationEpoch: 0,
      rebalanceTimeoutMs: 1000,
      processId: 'p',
      topology: {
        epoch: 0,
        subtopologies: [
          {
            subtopologyId: '0',
            sourceTopics: [topic],
            sourceTopicRegex: [],
            stateChangelogTopics: [],
            repartitionSinkTopics: [],
            repartitionSourceTopics: [],
            copartitionGroups: [],
          },
        ],
      },
      activeTasks: [],
      standbyTasks: [],
      warmupTasks: [],
    }),
    needs: [
      ['read', 'group', 'st'],
      ['describe', 'topic', topic],
    ],
    refusal: topicRefused,
    codeOf: ({ errorCode }) => errorCode,
  }),
  define({
    api: 'StreamsGroupDescribe',
    version: 0,
    body: () => ({ groupIds: ['st'], includeAuthorizedOperations: false }),
    needs: [['describe', 'group', 'st']],
    refusal: groupRefused,
    codeOf: ({ groups: [group] }) =>
      group?.errorCode === codes.GROUP_ID_NOT_FOUND ? 0 : group?.errorCode,
  }),
  define({
    api: 'CreateTopics',
    version: 5,
    body: () => ({
      topics: [
        { name: 'new', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] },
      ],
    }),
    needs: [['create', 'topic', 'new']],
    refusal: topicRefused,
    codeOf: ({ topics }) => topics[0]?.errorCode,
  }),
  define({
    api: 'CreateTopics',
    version: 5,
    body: () => ({
      topics: [
        { name: 'new', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] },
      ],
    }),
    needs: [['create', 'cluster', clusterName]],
    refusal: topicRefused,
    codeOf: ({ topics }) => topics[0]?.errorCode,
  }),
  define({
    api: 'DeleteTopics',
    version: 5,
    body: () => ({ topicNames: [topic], timeoutMs: 1000 }),
    needs: [['delete', 'topic', topic]],
    refusal: topicRefused,
    codeOf: ({ responses }) => responses[0]?.errorCode,
  }),
  define({
    api: 'DeleteTopics',
    version: 6,
    body: ({ broker }) => ({
      topics: [{ topicId: broker.topics.find(topic)!.id }],
      timeoutMs: 1000,
    }),
    needs: [['delete', 'topic', topic]],
    refusal: topicRefused,
    codeOf: ({ responses }) => responses[0]?.errorCode,
  }),
  define({
    api: 'DeleteRecords',
    version: 2,
    body: () => ({
      topics: [{ name: topic, partitions: [{ partitionIndex, offset: 0 }] }],
      timeoutMs: 1000,
    }),
    needs: [['delete', 'topic', topic]],
    refusal: topicRefused,
    codeOf: ({ topics }) => topics[0]?.partitions[0]?.errorCode,
  }),
  define({
    api: 'CreatePartitions',
    version: 3,
    body: () => ({
      topics: [{ name: topic, count: 2, assignments: null }],
      timeoutMs: 1000,
      validateOnly: false,
    }),
    needs: [['alter', 'topic', topic]],
    refusal: topicRefused,
    codeOf: ({ results }) => results[0]?.errorCode,
  }),
  define({
    api: 'OffsetForLeaderEpoch',
    version: 4,
    body: () => ({ topics: [{ topic, partitions: [{ partition: 0, leaderEpoch: 0 }] }] }),
    needs: [['describe', 'topic', topic]],
    refusal: topicRefused,
    codeOf: ({ topics }) => topics[0]?.partitions[0]?.errorCode,
  }),
  define({
    api: 'DescribeProducers',
    version: 0,
    body: () => ({ topics: [{ name: topic, partitionIndexes: [0] }] }),
    needs: [['read', 'topic', topic]],
    refusal: topicRefused,
    codeOf: ({ topics }) => topics[0]?.partitions[0]?.errorCode,
  }),
  ...(
    [
      [2, topic, 'topic', topicRefused],
      [32, 'g', 'group', groupRefused],
      [4, '1', 'cluster', clusterRefused],
    ] as const
  ).flatMap(([resourceType, resourceName, kind, refusal]) => [
    define({
      api: 'DescribeConfigs',
      version: 4,
      body: () => ({ resources: [{ resourceType, resourceName, configurationKeys: null }] }),
      needs: [['describe-configs', kind, kind === 'cluster' ? clusterName : resourceName]],
      refusal,
      codeOf: ({ results }) => results[0]?.errorCode,
    }),
    define({
      api: 'IncrementalAlterConfigs',
      version: 1,
      body: () => ({
        resources: [{ resourceType, resourceName, configs: [] }],
        validateOnly: true,
      }),
      needs: [['alter-configs', kind, kind === 'cluster' ? clusterName : resourceName]],
      refusal,
      codeOf: ({ responses }) => responses[0]?.errorCode,
    }),
  ]),
  define({
    api: 'InitProducerId',
    version: 4,
    body: () => ({ transactionalId: 'tx', transactionTimeoutMs: 10_000 }),
    needs: [['write', 'transaction', 'tx']],
    refusal: transactionRefused,
    codeOf: ({ errorCode }) => errorCode,
  }),
  define({
    api: 'InitProducerId',
    version: 4,
    body: () => ({ transactionalId: null, transactionTimeoutMs: 10_000 }),
    needs: [['idempotent-write', 'cluster', clusterName]],
    refusal: clusterRefused,
    codeOf: ({ errorCode }) => errorCode,
  }),
  define({
    api: 'InitProducerId',
    version: 4,
    body: () => ({ transactionalId: null, transactionTimeoutMs: 10_000 }),
    needs: [['write', 'topic', 'any']],
    refusal: clusterRefused,
    codeOf: ({ errorCode }) => errorCode,
  }),
  define({
    api: 'EndTxn',
    version: 3,
    body: () => ({ transactionalId: 'tx', producerId: 1, producerEpoch: 0, committed: true }),
    needs: [['write', 'transaction', 'tx']],
    refusal: transactionRefused,
    codeOf: ({ errorCode }) => (errorCode === codes.INVALID_PRODUCER_ID_MAPPING ? 0 : errorCode),
  }),
  define({
    api: 'AddOffsetsToTxn',
    version: 3,
    body: () => ({ transactionalId: 'tx', producerId: 1, producerEpoch: 0, groupId: 'g' }),
    needs: [
      ['write', 'transaction', 'tx'],
      ['read', 'group', 'g'],
    ],
    refusal: groupRefused,
    codeOf: ({ errorCode }) => (errorCode === codes.INVALID_PRODUCER_ID_MAPPING ? 0 : errorCode),
  }),
  define({
    api: 'AddPartitionsToTxn',
    version: 3,
    body: () => ({
      v3AndBelowTransactionalId: 'tx',
      v3AndBelowProducerId: 1,
      v3AndBelowProducerEpoch: 0,
      v3AndBelowTopics: [{ name: topic, partitions: [0] }],
    }),
    needs: [
      ['write', 'transaction', 'tx'],
      ['write', 'topic', topic],
    ],
    refusal: topicRefused,
    codeOf: ({ resultsByTopicV3AndBelow: [result] }) => {
      const code = result?.resultsByPartition[0]?.partitionErrorCode;
      return code === codes.INVALID_PRODUCER_ID_MAPPING ? 0 : code;
    },
  }),
  define({
    api: 'DescribeTransactions',
    version: 0,
    body: () => ({ transactionalIds: ['tx'] }),
    needs: [['describe', 'transaction', 'tx']],
    refusal: transactionRefused,
    codeOf: ({ transactionStates: [state] }) =>
      state?.errorCode === codes.TRANSACTIONAL_ID_NOT_FOUND ? 0 : state?.errorCode,
  }),
  define({
    api: 'DescribeAcls',
    version: 3,
    body: () => aclFilter,
    needs: [['describe', 'cluster', clusterName]],
    refusal: clusterRefused,
    codeOf: ({ errorCode }) => errorCode,
  }),
  define({
    api: 'CreateAcls',
    version: 3,
    body: () => ({ creations: [acl] }),
    needs: [['alter', 'cluster', clusterName]],
    refusal: clusterRefused,
    codeOf: ({ results }) => results[0]?.errorCode,
  }),
  define({
    api: 'DeleteAcls',
    version: 3,
    body: () => ({ filters: [{ ...aclFilter, resourceNameFilter: 'x' }] }),
    needs: [['alter', 'cluster', clusterName]],
    refusal: clusterRefused,
    codeOf: ({ filterResults }) => filterResults[0]?.errorCode,
  }),
  define({
    api: 'DescribeUserScramCredentials',
    version: 0,
    body: () => ({ users: null }),
    needs: [['describe', 'cluster', clusterName]],
    refusal: clusterRefused,
    codeOf: ({ errorCode }) => errorCode,
  }),
  define({
    api: 'AlterUserScramCredentials',
    version: 0,
    body: () => ({ deletions: [{ name: 'root', mechanism: 1 }], upsertions: [] }),
    needs: [['alter', 'cluster', clusterName]],
    refusal: clusterRefused,
    codeOf: ({ results: [result] }) =>
      result?.errorCode === codes.RESOURCE_NOT_FOUND ? 0 : result?.errorCode,
  }),
  define({
    api: 'DescribeLogDirs',
    version: 4,
    body: () => ({ topics: null }),
    needs: [['describe', 'cluster', clusterName]],
    refusal: clusterRefused,
    codeOf: ({ errorCode }) => errorCode,
  }),
  define({
    api: 'ListPartitionReassignments',
    version: 0,
    body: () => ({ topics: null }),
    needs: [['describe', 'cluster', clusterName]],
    refusal: clusterRefused,
    codeOf: ({ errorCode }) => errorCode,
  }),
];

for (const one of cases) {
  const { api, version, body, needs, refusal } = one;
  const last = needs.at(-1)!;
  test(`${api} ${version} asks for ${last[0]} with the ${last[1]} ${last[2]}`, async (t) => {
    const bed = await openBed(t);
    const ask = async (): Promise<number | undefined> =>
      one.codeOf(await bed.ann.ask(api, version, body(bed)));
    for (const [operation, kind, name] of needs.slice(0, -1)) {
      await bed.allow(operation, kind, name);
    }
    assert.equal(await ask(), refusal);
    await bed.allow(...last);
    assert.equal(await ask(), codes.NONE);
  });
}
