import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { SystemClock, SystemRandom } from '../../../src/base/index.ts';
import { type AccessRule, Broker, clusterName } from '../../../src/broker/index.ts';
import { operationCodes } from '../../../src/doors/kafka/access/index.ts';
import { errorCodes as codes } from '../../../src/doors/kafka/error-codes.ts';
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

const keys = {
  salt: 'c2FsdA==',
  iterations: 4096,
  storedKey: 'ys1hfUgJFhi81P3XRM0O5+m5LOn05eJzY6XPAwRYB4U=',
  serverKey: 'FodGjhBFJk2ccCqPE/jpSA9I+WvGxyzvw08bsp7G8vA=',
};

interface Bed {
  readonly broker: Broker;
  /** Of a user who may nothing but what rules allow. */
  readonly ann: WireClient;
  /** Of an administrator. */
  readonly root: WireClient;
  readonly allow: (
    operation: AccessRule['operation'],
    kind: AccessRule['kind'],
    name: string,
  ) => Promise<void>;
}

/** A door where tokens prove users, for they cost nothing: the token is the name. */
async function openBed(t: TestContext): Promise<Bed> {
  const broker = await Broker.open({ store: 'memory' });
  await broker.access.putScramKeys('root', 'sha-256', keys);
  await broker.access.putUser({ name: 'root', tags: ['administrator'] });
  await broker.access.putPermission({
    user: 'root',
    namespace: '',
    configure: '.*',
    write: '.*',
    read: '.*',
  });
  await broker.topics.create({ name: 'open', partitions: 1 });
  await broker.topics.create({ name: 'secret', partitions: 1 });
  const door = await KafkaDoor.open({
    broker,
    clock: new SystemClock(),
    random: new SystemRandom(),
    log: silentLog,
    host: '127.0.0.1',
    port: 0,
    requiresLogin: true,
    tokens: {
      verify: (user) => Promise.resolve({ user, expiresMs: Number.MAX_SAFE_INTEGER }),
    },
  });
  const clients: WireClient[] = [];
  t.after(async () => {
    for (const client of clients) client.close();
    await door.close(0);
    await broker.close();
  });
  const logIn = async (user: string): Promise<WireClient> => {
    const client = await WireClient.connect(door.port);
    clients.push(client);
    await client.ask('SaslHandshake', 1, { mechanism: 'OAUTHBEARER' });
    const authBytes = Buffer.from(`n,,\u0001auth=Bearer ${user}\u0001\u0001`);
    const { errorCode } = await client.ask('SaslAuthenticate', 2, { authBytes });
    assert.equal(errorCode, codes.NONE);
    return client;
  };
  const allow: Bed['allow'] = (operation, kind, name) =>
    broker.access.addRules([
      {
        effect: 'allow',
        user: 'ann',
        host: '127.0.0.1',
        kind,
        pattern: 'literal',
        name,
        operation,
      },
    ]);
  return { broker, ann: await logIn('ann'), root: await logIn('root'), allow };
}

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

const acl = {
  resourceType: 2,
  resourceName: 'x',
  resourcePatternType: 3,
  principal: 'User:x',
  host: '*',
  operation: 3,
  permissionType: 3,
};
const aclFilter = {
  resourceTypeFilter: 1,
  resourceNameFilter: null,
  patternTypeFilter: 1,
  principalFilter: null,
  hostFilter: null,
  operation: 1,
  permissionType: 1,
};

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
    api: 'Produce',
    version: 9,
    body: () => ({
      transactionalId: 'tx',
      acks: -1,
      timeoutMs: 1000,
      topicData: [
        { name: topic, partitionData: [{ index: 0, records: batchOf({ values: ['x'] }) }] },
      ],
    }),
    needs: [
      ['write', 'topic', topic],
      ['write', 'transaction', 'tx'],
    ],
    refusal: transactionRefused,
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

async function namesFor(client: WireClient): Promise<Array<string | null>> {
  const { topics } = await client.ask('Metadata', 12, { topics: null });
  return topics.map(({ name }) => name).filter((name) => name?.startsWith('__') !== true);
}

test('lists leave out what may not be described', async (t) => {
  const { ann, root, allow } = await openBed(t);
  await allow('read', 'topic', 'open');
  for (const groupId of ['seen', 'unseen']) {
    await root.ask('OffsetCommit', 8, {
      groupId,
      memberId: '',
      topics: ['open', 'secret'].map((name) => ({
        name,
        partitions: [{ partitionIndex, committedOffset: 0, committedMetadata: '' }],
      })),
    });
  }
  await allow('describe', 'group', 'seen');
  assert.deepEqual(await namesFor(ann), ['open']);
  assert.deepEqual(await namesFor(root), ['open', 'secret']);
  const page = await ann.ask('DescribeTopicPartitions', 0, {
    topics: [],
    responsePartitionLimit: 1,
  });
  assert.deepEqual(
    page.topics.map(({ name }) => name),
    ['open'],
  );
  assert.equal(page.nextCursor, null);
  const { groups } = await ann.ask('ListGroups', 4, { statesFilter: [] });
  assert.deepEqual(
    groups.map(({ groupId }) => groupId),
    ['seen'],
  );
  const offsets = await ann.ask('OffsetFetch', 8, { groups: [{ groupId: 'seen', topics: null }] });
  assert.deepEqual(
    offsets.groups[0]?.topics.map(({ name }) => name),
    ['open'],
  );
});

test('a topic that may not be described looks the same whether it is there or not, and is not made', async (t) => {
  const { ann, broker, allow } = await openBed(t);
  const ask = (name: string) =>
    ann.ask('Metadata', 12, {
      topics: [{ topicId: zeroUuid, name }],
      allowAutoTopicCreation: true,
    });
  const there = await ask('secret');
  const missing = await ask('nowhere');
  assert.deepEqual(there.topics, [{ ...missing.topics[0]!, name: 'secret' }]);
  await allow('describe', 'topic', 'nowhere');
  assert.equal((await ask('nowhere')).topics[0]?.errorCode, topicRefused);
  assert.equal(broker.topics.find('nowhere'), undefined);
  await allow('create', 'topic', 'nowhere');
  assert.equal((await ask('nowhere')).topics[0]?.errorCode, codes.NONE);
});

test('some topics of a request are answered, others refused', async (t) => {
  const { ann, allow } = await openBed(t);
  await allow('write', 'topic', 'open');
  const { responses } = await ann.ask('Produce', 9, {
    acks: -1,
    timeoutMs: 1000,
    topicData: ['secret', 'open'].map((name) => ({
      name,
      partitionData: [{ index: 0, records: batchOf({ values: [name] }) }],
    })),
  });
  const found = Object.fromEntries(
    responses.map(({ name, partitionResponses: [one] }) => [name, one?.errorCode]),
  );
  assert.deepEqual(found, { open: codes.NONE, secret: topicRefused });
});

test('who produces without acks where it may not is disconnected, and what it may is taken', async (t) => {
  const { ann, allow, broker } = await openBed(t);
  await allow('write', 'topic', 'open');
  const { bytes } = ann.encode('Produce', 9, {
    acks: 0,
    timeoutMs: 1000,
    topicData: ['secret', 'open'].map((name) => ({
      name,
      partitionData: [{ index: 0, records: batchOf({ values: [name] }) }],
    })),
  });
  ann.socket.write(bytes);
  await ann.closed();
  assert.equal(broker.topics.find('open')?.partitions[0]?.highWatermark, 1);
  assert.equal(broker.topics.find('secret')?.partitions[0]?.highWatermark, 0);
});

test('all topics of a transaction are refused with one of them', async (t) => {
  const { ann, allow } = await openBed(t);
  await allow('write', 'transaction', 'tx');
  await allow('write', 'topic', 'open');
  const { resultsByTopicV3AndBelow } = await ann.ask('AddPartitionsToTxn', 3, {
    v3AndBelowTransactionalId: 'tx',
    v3AndBelowProducerId: 1,
    v3AndBelowProducerEpoch: 0,
    v3AndBelowTopics: ['open', 'secret'].map((name) => ({ name, partitions: [0] })),
  });
  assert.deepEqual(
    resultsByTopicV3AndBelow.map(({ resultsByPartition: [one] }) => one?.partitionErrorCode),
    [codes.OPERATION_NOT_ATTEMPTED, topicRefused],
  );
});

test('a right that is taken back ends a fetch session that goes on', async (t) => {
  const { ann, broker, allow } = await openBed(t);
  await allow('read', 'topic', 'open');
  const fetch = (sessionId: number, sessionEpoch: number) =>
    ann.ask('Fetch', 12, {
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: 1000,
      isolationLevel: 0,
      sessionId,
      sessionEpoch,
      topics:
        sessionEpoch === 0
          ? [
              {
                topic: 'open',
                partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }],
              },
            ]
          : [],
      forgottenTopicsData: [],
    });
  const first = await fetch(0, 0);
  assert.equal(first.responses[0]?.partitions[0]?.errorCode, codes.NONE);
  await broker.access.deleteRules(broker.access.listRules());
  const second = await fetch(first.sessionId, 1);
  assert.equal(second.responses[0]?.partitions[0]?.errorCode, topicRefused);
  await allow('read', 'topic', 'open');
  const third = await fetch(first.sessionId, 2);
  assert.equal(third.responses[0]?.partitions[0]?.errorCode, codes.NONE);
});

function bits(...names: ReadonlyArray<keyof typeof operationCodes>): number {
  return names.reduce((set, name) => set | (1 << operationCodes[name]), 0);
}

async function operationsTold(client: WireClient): Promise<number | undefined> {
  const { topics } = await client.ask('Metadata', 12, {
    topics: [{ topicId: zeroUuid, name: 'open' }],
    includeTopicAuthorizedOperations: true,
  });
  return topics[0]?.topicAuthorizedOperations;
}

test('what a client may do is told where it is asked for', async (t) => {
  const { ann, root, allow } = await openBed(t);
  await allow('write', 'topic', 'open');
  assert.equal(await operationsTold(ann), bits('write', 'describe'));
  assert.equal(
    await operationsTold(root),
    bits(
      'read',
      'write',
      'create',
      'delete',
      'alter',
      'describe',
      'describe-configs',
      'alter-configs',
    ),
  );
  const cluster = await ann.ask('DescribeCluster', 1, { includeClusterAuthorizedOperations: true });
  assert.equal(cluster.clusterAuthorizedOperations, 0);
});

test('who may make a topic, and no more, is not told its configuration', async (t) => {
  const { ann, allow } = await openBed(t);
  await allow('create', 'topic', 'new');
  const { topics } = await ann.ask('CreateTopics', 5, {
    topics: [{ name: 'new', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
  });
  assert.equal(topics[0]?.errorCode, codes.NONE);
  assert.equal(topics[0]?.topicConfigErrorCode, topicRefused);
  assert.equal(topics[0]?.configs, null);
});

test('ACLs come back as they were made, are found by patterns, and go', async (t) => {
  const { root, broker } = await openBed(t);
  const made = [
    acl,
    { ...acl, resourceName: 'x', resourcePatternType: 4, permissionType: 2 },
    { ...acl, resourceType: 4, resourceName: 'kafka-cluster', operation: 7 },
    { ...acl, resourceType: 7, resourceName: 'ann', operation: 13, host: '0:0:0:0:0:0:0:1' },
    { ...acl, resourceType: 5, operation: 2, principal: 'User:*' },
  ];
  const created = await root.ask('CreateAcls', 3, { creations: [...made, acl] });
  assert.deepEqual(new Set(created.results.map(({ errorCode }) => errorCode)), new Set([0]));
  assert.equal(broker.access.listRules({ kind: 'cluster', name: clusterName }).length, 1);
  const list = async (filter: Partial<typeof aclFilter> | Record<string, unknown>) => {
    const { resources } = await root.ask('DescribeAcls', 3, { ...aclFilter, ...filter });
    return resources.flatMap(({ resourceName, patternType, acls }) =>
      acls.map(({ host }) => `${resourceName} ${patternType} ${host}`),
    );
  };
  assert.equal((await list({})).length, made.length);
  assert.deepEqual(await list({ resourceTypeFilter: 7 }), ['ann 3 ::1']);
  assert.deepEqual(await list({ hostFilter: '::1' }), ['ann 3 ::1']);
  assert.deepEqual(await list({ resourceTypeFilter: 4, resourceNameFilter: 'kafka-cluster' }), [
    'kafka-cluster 3 *',
  ]);
  const topicX = { resourceTypeFilter: 2, resourceNameFilter: 'x' };
  assert.deepEqual(await list({ ...topicX, patternTypeFilter: 4 }), ['x 4 *']);
  assert.equal((await list({ ...topicX, patternTypeFilter: 2 })).length, 2);
  assert.deepEqual(await list({ ...topicX, resourceNameFilter: 'xy', patternTypeFilter: 2 }), [
    'x 4 *',
  ]);
  assert.deepEqual(await list({ principalFilter: 'Group:x' }), []);
  const { filterResults } = await root.ask('DeleteAcls', 3, {
    filters: [
      { ...aclFilter, ...topicX, patternTypeFilter: 2 },
      { ...aclFilter, resourceTypeFilter: 6 },
    ],
  });
  assert.deepEqual(
    filterResults.map(({ matchingAcls }) => matchingAcls.length),
    [2, 0],
  );
  assert.equal((await list({})).length, made.length - 2);
});

for (const [what, bad] of [
  ['any type', { resourceType: 1 }],
  ['a delegation token', { resourceType: 6 }],
  ['a pattern that is none', { resourcePatternType: 2 }],
  ['any operation', { operation: 1 }],
  ['any permission', { permissionType: 1 }],
  ['a principal that is no user', { principal: 'Group:x' }],
  ['no principal', { principal: 'User:' }],
  ['no host', { host: '' }],
  ['no name', { resourceName: '' }],
  ['another cluster', { resourceType: 4, resourceName: 'x' }],
] as const) {
  test(`an ACL for ${what} is refused`, async (t) => {
    const { root } = await openBed(t);
    const { results } = await root.ask('CreateAcls', 3, { creations: [{ ...acl, ...bad }, acl] });
    assert.deepEqual(
      results.map(({ errorCode }) => errorCode),
      [codes.INVALID_REQUEST, codes.NONE],
    );
  });
}

test('credentials of SCRAM are made and deleted without their password', async (t) => {
  const { root, broker } = await openBed(t);
  const upsertion = {
    name: 'carl',
    mechanism: 1,
    iterations: 4096,
    salt: Buffer.from('salt'),
    saltedPassword: Buffer.alloc(32, 1),
  };
  const alter = async (deletions: object[], upsertions: object[]) => {
    const { results } = await root.ask('AlterUserScramCredentials', 0, {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- made of the parts above
      ...({ deletions, upsertions } as RequestInput<'AlterUserScramCredentials'>),
    });
    return results.map(({ errorCode }) => errorCode);
  };
  const long = { ...upsertion, mechanism: 2, saltedPassword: Buffer.alloc(64, 2) };
  assert.deepEqual(await alter([], [upsertion, long]), [codes.NONE]);
  const told = await root.ask('DescribeUserScramCredentials', 0, {
    users: [{ name: 'carl' }, { name: 'nobody' }],
  });
  assert.deepEqual(told.results[0]?.credentialInfos, [
    { mechanism: 1, iterations: 4096 },
    { mechanism: 2, iterations: 4096 },
  ]);
  assert.equal(told.results[1]?.errorCode, codes.RESOURCE_NOT_FOUND);
  const all = await root.ask('DescribeUserScramCredentials', 0, { users: null });
  assert.deepEqual(all.results.map(({ user }) => user).toSorted(), ['carl', 'guest', 'root']);
  assert.deepEqual(await alter([{ name: 'carl', mechanism: 1 }], []), [codes.NONE]);
  assert.equal(broker.access.findScramKeys('carl', 'sha-256'), undefined);
  assert.notEqual(broker.access.findScramKeys('carl', 'sha-512'), undefined);
  const refused: ReadonlyArray<readonly [object[], object[], number]> = [
    [[{ name: 'carl', mechanism: 1 }], [], codes.RESOURCE_NOT_FOUND],
    [[{ name: 'carl', mechanism: 3 }], [], codes.UNSUPPORTED_SASL_MECHANISM],
    [[], [upsertion, upsertion], codes.DUPLICATE_RESOURCE],
    [[], [{ ...upsertion, iterations: 4095 }], codes.UNACCEPTABLE_CREDENTIAL],
    [[], [{ ...upsertion, iterations: 16_385 }], codes.UNACCEPTABLE_CREDENTIAL],
    [[], [{ ...upsertion, salt: Buffer.alloc(0) }], codes.UNACCEPTABLE_CREDENTIAL],
    [[], [{ ...upsertion, mechanism: 2 }], codes.UNACCEPTABLE_CREDENTIAL],
    [[], [{ ...upsertion, name: '' }], codes.UNACCEPTABLE_CREDENTIAL],
  ];
  for (const [deletions, upsertions, code] of refused) {
    assert.deepEqual(await alter(deletions, upsertions), [code]);
  }
});

test('nobody gets tokens for others to log in by', async (t) => {
  const { root } = await openBed(t);
  const disabled = codes.DELEGATION_TOKEN_AUTH_DISABLED;
  const made = await root.ask('CreateDelegationToken', 3, {
    ownerPrincipalType: null,
    ownerPrincipalName: null,
    renewers: [],
    maxLifetimeMs: 1000,
  });
  assert.equal(made.errorCode, disabled);
  const hmac = Buffer.from('x');
  const renewed = await root.ask('RenewDelegationToken', 2, { hmac, renewPeriodMs: 1 });
  assert.equal(renewed.errorCode, disabled);
  const expired = await root.ask('ExpireDelegationToken', 2, { hmac, expiryTimePeriodMs: 1 });
  assert.equal(expired.errorCode, disabled);
  const described = await root.ask('DescribeDelegationToken', 3, { owners: null });
  assert.equal(described.errorCode, disabled);
});
