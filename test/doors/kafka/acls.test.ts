import assert from 'node:assert/strict';
import test from 'node:test';
import { clusterName } from '../../../src/broker/index.ts';
import { operationCodes } from '../../../src/doors/kafka/access/index.ts';
import { errorCodes as codes } from '../../../src/doors/kafka/error-codes.ts';
import { type RequestInput, zeroUuid } from '../../../src/doors/kafka/wire/index.ts';
import { acl, aclFilter, openBed } from './acl-bed.ts';
import { transactionalBatch } from '../../broker/transactions/bed.ts';
import { ShareClient } from './share-groups/share-bed.ts';
import { batchOf } from './door-fixture.ts';
import type { WireClient } from './wire-client.ts';

const partitionIndex = 0;
const topicRefused = codes.TOPIC_AUTHORIZATION_FAILED;

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

test('a transactional id that nothing is written in needs no right; batches of transactions do', async (t) => {
  const { ann, allow } = await openBed(t);
  await allow('write', 'topic', 'open');
  const ofTransaction = transactionalBatch({ producerId: 9, epoch: 0, sequence: 0 }, ['x']);
  const plain = batchOf({ values: ['x'] });
  const produce = async (transactionalId: string | null, batches: Uint8Array[]) => {
    const partitionData = batches.map((records, index) => ({ index, records }));
    const topicData = [{ name: 'open', partitionData }];
    const request = { transactionalId, acks: -1, timeoutMs: 1000, topicData };
    const { responses } = await ann.ask('Produce', 9, request);
    return responses[0]?.partitionResponses.map(({ errorCode }) => errorCode);
  };
  const refused = codes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
  assert.deepEqual(await produce('tx', [plain]), [codes.NONE]);
  for (const id of ['tx', null]) {
    assert.deepEqual(await produce(id, [ofTransaction, plain]), [refused, refused]);
  }
  await allow('write', 'transaction', 'tx');
  assert.deepEqual(await produce('tx', [ofTransaction]), [codes.INVALID_PRODUCER_ID_MAPPING]);
});

function accept(offset: number) {
  return [{ firstOffset: offset, lastOffset: offset, acknowledgeTypes: [1] }];
}

test('what a share group has acquired in a topic cannot be acknowledged once the topic may not be read', async (t) => {
  const { ann, root, allow, broker } = await openBed(t);
  for (const kind of ['group', 'topic'] as const)
    await allow('read', kind, kind === 'group' ? 'g' : 'open');
  const { id } = broker.topics.find('open')!;
  const configs = [{ name: 'share.auto.offset.reset', configOperation: 0, value: 'earliest' }];
  const resources = [{ resourceType: 32, resourceName: 'g', configs }];
  await root.ask('IncrementalAlterConfigs', 1, { resources, validateOnly: false });
  await broker.topics.find('open')!.partitions[0]!.append(batchOf({ values: ['a', 'b', 'c'] }));
  const member = new ShareClient(ann, 'g', id, 'm');
  const got = await member.fetch({ maxWaitMs: 30_000 });
  assert.equal(got.length, 3);
  const { partitionError } = await member.acknowledge(accept(0));
  assert.equal(partitionError, codes.NONE);
  await broker.access.deleteRules(broker.access.listRules().filter(({ kind }) => kind === 'topic'));
  assert.equal((await member.acknowledge(accept(1))).partitionError, topicRefused);
  const { responses } = await member.ask({ maxRecords: 0, acknowledge: { 0: accept(2) } });
  assert.equal(responses[0]?.partitions[0]?.acknowledgeErrorCode, topicRefused);
});

test('a pattern of topics leads a member only to those that it may describe', async (t) => {
  const { ann, allow, broker } = await openBed(t);
  await allow('read', 'group', 'g');
  await allow('describe', 'topic', 'open');
  const { assignment, errorCode } = await ann.ask('ConsumerGroupHeartbeat', 1, {
    groupId: 'g',
    memberId: 'm',
    memberEpoch: 0,
    rebalanceTimeoutMs: 60_000,
    subscribedTopicNames: null,
    subscribedTopicRegex: '.*',
    topicPartitions: [],
  });
  assert.equal(errorCode, codes.NONE);
  assert.deepEqual(assignment, {
    topicPartitions: [{ topicId: broker.topics.find('open')?.id, partitions: [0] }],
  });
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
  // Whatever length a client gives what it calls the salted password: it is the key of an HMAC.
  const long = { ...upsertion, mechanism: 2, saltedPassword: Buffer.alloc(20, 2) };
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
    [[], [{ ...upsertion, saltedPassword: Buffer.alloc(0) }], codes.UNACCEPTABLE_CREDENTIAL],
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
