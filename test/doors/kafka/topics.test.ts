import assert from 'node:assert/strict';
import test from 'node:test';
import { errorCodes } from '../../../src/doors/kafka/error-codes.ts';
import type { ResponseOf } from '../../../src/doors/kafka/wire/index.ts';
import { batchOf, openDoor, produceTo } from './door-fixture.ts';

const unknownId = '11111111-1111-4111-8111-111111111111';

for (const version of [0, 1, 4, 5, 8, 9, 10, 12, 13]) {
  test(`Metadata ${version} tells of the broker and of all topics`, async (t) => {
    const { connect, createTopic, door } = await openDoor(t);
    await createTopic('orders', 3);
    const client = await connect();
    const topics = version === 0 ? [] : null;
    const response = await client.ask('Metadata', version, { topics });
    assert.deepEqual(
      response.brokers.map(({ nodeId, host, port }) => ({ nodeId, host, port })),
      [{ nodeId: 0, host: '127.0.0.1', port: door.port }],
    );
    const [topic] = response.topics;
    assert.equal(topic?.name, 'orders');
    assert.deepEqual(
      topic.partitions.map((p) => [p.partitionIndex, p.leaderId, p.replicaNodes, p.isrNodes]),
      [0, 1, 2].map((index) => [index, 0, [0], [0]]),
    );
  });
}

test('the configured address is advertised instead of the one connected to', async (t) => {
  const advertised = { host: 'broker.example', port: 19_092 };
  const { connect } = await openDoor(t, { advertised });
  const client = await connect();
  const { brokers } = await client.ask('Metadata', 12, { topics: [] });
  assert.deepEqual([brokers[0]?.host, brokers[0]?.port], ['broker.example', 19_092]);
  const cluster = await client.ask('DescribeCluster', 1, {
    includeClusterAuthorizedOperations: true,
  });
  assert.deepEqual(
    [cluster.brokers[0]?.host, cluster.brokers[0]?.port],
    ['broker.example', 19_092],
  );
  // Of 16 bytes, as Kafka writes it: some tools read it back.
  assert.equal(Buffer.from(cluster.clusterId, 'base64url').length, 16);
});

test('a topic is created when it is asked for, and only if both sides want it', async (t) => {
  const { broker, connect } = await openDoor(t);
  const client = await connect();
  const ask = async (name: string, allowAutoTopicCreation: boolean) => {
    const response = await client.ask('Metadata', 8, {
      topics: [{ name }],
      allowAutoTopicCreation,
    });
    return response.topics[0]!;
  };
  assert.equal((await ask('orders', false)).errorCode, errorCodes.UNKNOWN_TOPIC_OR_PARTITION);
  const created = await ask('orders', true);
  assert.equal(created.errorCode, errorCodes.NONE);
  assert.equal(created.partitions.length, 2);
  assert.equal((await ask('no/slashes', true)).errorCode, errorCodes.INVALID_TOPIC_EXCEPTION);
  Object.assign(broker.options, { createTopicsOnUse: false });
  assert.equal((await ask('bills', true)).errorCode, errorCodes.UNKNOWN_TOPIC_OR_PARTITION);
});

test('two clients that create the same topic by use both get it', async (t) => {
  const { connect } = await openDoor(t);
  const clients = [await connect(), await connect()];
  const responses = await Promise.all(
    clients.map((client) => client.ask('Metadata', 8, { topics: [{ name: 'orders' }] })),
  );
  const codes = responses.map((response) => response.topics[0]?.errorCode);
  assert.deepEqual(codes, [errorCodes.NONE, errorCodes.NONE]);
});

test('Metadata finds topics by id from version 12 on', async (t) => {
  const { broker, connect, createTopic } = await openDoor(t);
  await createTopic('orders');
  const client = await connect();
  const topicId = broker.topics.find('orders')!.id;
  const ask = async (version: number, id: string) => {
    const response = await client.ask('Metadata', version, {
      topics: [{ topicId: id, name: null }],
    });
    return response.topics[0]!;
  };
  assert.equal((await ask(12, topicId)).name, 'orders');
  const unknown = await ask(12, unknownId);
  assert.equal(unknown.errorCode, errorCodes.UNKNOWN_TOPIC_ID);
  assert.equal(unknown.name, null);
  assert.equal((await ask(11, topicId)).errorCode, errorCodes.INVALID_REQUEST);
});

test('operations that the client may do are told when asked for', async (t) => {
  const { connect, createTopic } = await openDoor(t);
  await createTopic('orders');
  const client = await connect();
  const ask = (isAsked: boolean) =>
    client.ask('Metadata', 8, {
      topics: null,
      includeClusterAuthorizedOperations: isAsked,
      includeTopicAuthorizedOperations: isAsked,
    });
  const told = await ask(true);
  // READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS: bits 3 to 8, 10, 11.
  assert.equal(told.topics[0]?.topicAuthorizedOperations, 0xdf8);
  assert.equal(told.clusterAuthorizedOperations, 0x1fa0);
  assert.equal((await ask(false)).topics[0]?.topicAuthorizedOperations, -2147483648);
});

test('what is wrong with a name is said in the words of Kafka, for which programs look', async (t) => {
  const { connect } = await openDoor(t);
  const client = await connect();
  const names = ['', '..', 'a b', 'x'.repeat(250)];
  const { topics } = await client.ask('CreateTopics', 7, { topics: names.map((n) => topicOf(n)) });
  const messages = topics.map(({ errorMessage }) => errorMessage ?? '');
  for (const [index, pattern] of [
    /^Topic name is invalid: the empty string is not allowed$/,
    /^Topic name is invalid: '\.\.' is not allowed$/,
    /^Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '\.', '_' and '-'$/,
    /^Topic name is invalid: the length of 'x{250}' is longer than the max allowed length 249$/,
  ].entries()) {
    assert.match(messages[index] ?? '', pattern);
  }
});

function topicOf(name: string, fields: object = {}) {
  return { name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [], ...fields };
}

const placed = { numPartitions: -1, replicationFactor: -1 };

for (const { what, topic, error } of [
  { what: 'a bad name', topic: topicOf('a b'), error: errorCodes.INVALID_TOPIC_EXCEPTION },
  { what: 'an empty name', topic: topicOf(''), error: errorCodes.INVALID_TOPIC_EXCEPTION },
  { what: 'a dot', topic: topicOf('.'), error: errorCodes.INVALID_TOPIC_EXCEPTION },
  {
    what: 'a long name',
    topic: topicOf('x'.repeat(250)),
    error: errorCodes.INVALID_TOPIC_EXCEPTION,
  },
  { what: 'a name in use', topic: topicOf('taken'), error: errorCodes.TOPIC_ALREADY_EXISTS },
  {
    what: 'no partitions',
    topic: topicOf('new', { numPartitions: 0 }),
    error: errorCodes.INVALID_PARTITIONS,
  },
  {
    what: '-2 partitions',
    topic: topicOf('new', { numPartitions: -2 }),
    error: errorCodes.INVALID_PARTITIONS,
  },
  {
    what: 'no replicas',
    topic: topicOf('new', { replicationFactor: 0 }),
    error: errorCodes.INVALID_REPLICATION_FACTOR,
  },
  {
    what: 'three replicas',
    topic: topicOf('new', { replicationFactor: 3 }),
    error: errorCodes.INVALID_REPLICATION_FACTOR,
  },
  {
    what: 'an unknown configuration',
    topic: topicOf('new', { configs: [{ name: 'no.such', value: '1' }] }),
    error: errorCodes.INVALID_CONFIG,
  },
  {
    what: "the log of Kafka's controllers",
    topic: topicOf('__cluster_metadata'),
    error: errorCodes.INVALID_REQUEST,
  },
  {
    what: 'a configuration without a value',
    topic: topicOf('new', { configs: [{ name: 'retention.ms', value: null }] }),
    error: errorCodes.INVALID_CONFIG,
  },
  {
    what: 'a configuration out of range',
    topic: topicOf('new', { configs: [{ name: 'retention.ms', value: '-2' }] }),
    error: errorCodes.INVALID_CONFIG,
  },
  {
    what: 'an assignment and a number of partitions',
    topic: topicOf('new', { assignments: [{ partitionIndex: 0, brokerIds: [0] }] }),
    error: errorCodes.INVALID_REQUEST,
  },
  {
    what: 'an assignment to another broker',
    topic: topicOf('new', { ...placed, assignments: [{ partitionIndex: 0, brokerIds: [7] }] }),
    error: errorCodes.INVALID_REPLICA_ASSIGNMENT,
  },
  {
    what: 'an assignment to nobody',
    topic: topicOf('new', { ...placed, assignments: [{ partitionIndex: 0, brokerIds: [] }] }),
    error: errorCodes.INVALID_REPLICA_ASSIGNMENT,
  },
  {
    what: 'an assignment with a gap',
    topic: topicOf('new', { ...placed, assignments: [{ partitionIndex: 1, brokerIds: [0] }] }),
    error: errorCodes.INVALID_REPLICA_ASSIGNMENT,
  },
]) {
  test(`CreateTopics refuses ${what} and creates the others`, async (t) => {
    const { broker, connect, createTopic } = await openDoor(t);
    await createTopic('taken');
    const client = await connect();
    const response = await client.ask('CreateTopics', 7, { topics: [topic, topicOf('good')] });
    const [refused, good] = response.topics;
    assert.equal(refused?.errorCode, error);
    assert.ok((refused.errorMessage ?? '').length > 0);
    assert.equal(good?.errorCode, errorCodes.NONE);
    assert.equal(broker.topics.find('new'), undefined);
    assert.ok(broker.topics.find('good') !== undefined);
  });
}

test('CreateTopics tells what it made', async (t) => {
  const { broker, connect } = await openDoor(t);
  const client = await connect();
  const configs = [
    { name: 'cleanup.policy', value: 'compact, delete' },
    { name: 'retention.ms', value: '9223372036854775807' },
    { name: 'flush.ms', value: '1000' },
    { name: 'message.timestamp.type', value: 'LogAppendTime' },
  ];
  const response = await client.ask('CreateTopics', 7, {
    topics: [topicOf('orders', { numPartitions: 4, configs }), topicOf('many', placed)],
  });
  const [topic, many] = response.topics;
  const made = broker.topics.find('orders');
  assert.equal(topic?.topicId, made?.id);
  assert.equal(topic?.numPartitions, 4);
  assert.equal(topic.replicationFactor, 1);
  assert.equal(many?.numPartitions, 2);
  const values = new Map(topic.configs?.map(({ name, value }) => [name, value]));
  assert.equal(values.get('cleanup.policy'), 'compact,delete');
  assert.equal(values.get('retention.ms'), '9223372036854775807');
  assert.equal(values.get('flush.ms'), '1000');
  assert.equal(values.get('max.message.bytes'), '1048588');
  assert.deepEqual(made?.ownOptions, {
    cleanup: 'compact,delete',
    retentionMs: Number.MAX_SAFE_INTEGER,
    timestampType: 'append',
  });
  assert.deepEqual(made.attributes, { 'kafka.flush.ms': '1000' });
});

test('CreateTopics and CreatePartitions can be tried without effect', async (t) => {
  const { broker, connect, createTopic } = await openDoor(t);
  await createTopic('orders');
  const client = await connect();
  const created = await client.ask('CreateTopics', 5, {
    topics: [topicOf('new')],
    validateOnly: true,
  });
  assert.equal(created.topics[0]?.errorCode, errorCodes.NONE);
  assert.equal(broker.topics.find('new'), undefined);
  const grown = await client.ask('CreatePartitions', 3, {
    topics: [{ name: 'orders', count: 5, assignments: null }],
    timeoutMs: 1000,
    validateOnly: true,
  });
  assert.equal(grown.results[0]?.errorCode, errorCodes.NONE);
  assert.equal(broker.topics.find('orders')?.partitions.length, 1);
});

test('a topic that is named twice in a request is refused once', async (t) => {
  const { broker, connect, createTopic } = await openDoor(t);
  await createTopic('orders');
  const client = await connect();
  const created = await client.ask('CreateTopics', 5, { topics: [topicOf('new'), topicOf('new')] });
  assert.deepEqual(
    created.topics.map((topic) => [topic.name, topic.errorCode]),
    [['new', errorCodes.INVALID_REQUEST]],
  );
  assert.equal(broker.topics.find('new'), undefined);
  const twice = { name: 'orders', count: 2, assignments: null };
  const grown = await client.ask('CreatePartitions', 3, {
    topics: [twice, twice],
    timeoutMs: 1000,
    validateOnly: false,
  });
  assert.deepEqual(
    grown.results.map((result) => result.errorCode),
    [errorCodes.INVALID_REQUEST],
  );
});

for (const { what, count, assignments = null, error } of [
  { what: 'adds partitions', count: 3, error: errorCodes.NONE },
  { what: 'places them', count: 3, assignments: [{ brokerIds: [0] }], error: errorCodes.NONE },
  { what: 'refuses the same number', count: 2, error: errorCodes.INVALID_PARTITIONS },
  { what: 'refuses fewer', count: 1, error: errorCodes.INVALID_PARTITIONS },
  {
    what: 'refuses too few places',
    count: 4,
    assignments: [{ brokerIds: [0] }],
    error: errorCodes.INVALID_REPLICA_ASSIGNMENT,
  },
  {
    what: 'refuses another broker',
    count: 3,
    assignments: [{ brokerIds: [1] }],
    error: errorCodes.INVALID_REPLICA_ASSIGNMENT,
  },
]) {
  test(`CreatePartitions ${what}`, async (t) => {
    const { broker, connect, createTopic } = await openDoor(t);
    await createTopic('orders', 2);
    const client = await connect();
    const response = await client.ask('CreatePartitions', 2, {
      topics: [{ name: 'orders', count, assignments }],
      timeoutMs: 1000,
      validateOnly: false,
    });
    assert.equal(response.results[0]?.errorCode, error);
    const expected = error === errorCodes.NONE ? count : 2;
    assert.equal(broker.topics.find('orders')?.partitions.length, expected);
  });
}

test('DeleteTopics deletes by name and by id, and says what it does not know', async (t) => {
  const { broker, connect, createTopic } = await openDoor(t);
  for (const name of ['one', 'two', 'three']) await createTopic(name);
  const client = await connect();
  const byName = await client.ask('DeleteTopics', 5, {
    topicNames: ['one', 'nowhere'],
    timeoutMs: 1,
  });
  assert.deepEqual(
    byName.responses.map(({ name, errorCode }) => [name, errorCode]),
    [
      ['one', errorCodes.NONE],
      ['nowhere', errorCodes.UNKNOWN_TOPIC_OR_PARTITION],
    ],
  );
  const twoId = broker.topics.find('two')!.id;
  const zero = '00000000-0000-0000-0000-000000000000';
  const byId = await client.ask('DeleteTopics', 6, {
    topics: [
      { topicId: twoId, name: null },
      { topicId: unknownId, name: null },
      { topicId: zero, name: null },
      { topicId: unknownId, name: 'three' },
    ],
    timeoutMs: 1,
  });
  assert.deepEqual(
    byId.responses.map(({ name, errorCode }) => [name, errorCode]),
    [
      ['two', errorCodes.NONE],
      [null, errorCodes.UNKNOWN_TOPIC_ID],
      [null, errorCodes.INVALID_REQUEST],
      ['three', errorCodes.INVALID_REQUEST],
    ],
  );
  assert.deepEqual(
    broker.topics.list().map((topic) => topic.name),
    ['three'],
  );
});

test('a topic that is meant by its name and by its id is not deleted', async (t) => {
  const { broker, connect, createTopic } = await openDoor(t);
  await createTopic('orders');
  const client = await connect();
  const { id } = broker.topics.find('orders')!;
  const zero = '00000000-0000-0000-0000-000000000000';
  const topics = [
    { topicId: id, name: null },
    { topicId: zero, name: 'orders' },
  ];
  const { responses } = await client.ask('DeleteTopics', 6, { topics, timeoutMs: 1 });
  assert.deepEqual(
    responses.map((response) => response.errorCode),
    [errorCodes.INVALID_REQUEST, errorCodes.INVALID_REQUEST],
  );
  assert.ok(broker.topics.find('orders') !== undefined);
});

test('DescribeTopicPartitions goes page by page through what was asked for', async (t) => {
  const { connect, createTopic } = await openDoor(t);
  await createTopic('a', 2);
  await createTopic('b', 3);
  await createTopic('c', 1);
  const client = await connect();
  const pages: Array<Array<[string | null, number, number[]]>> = [];
  let cursor: { topicName: string; partitionIndex: number } | null = null;
  do {
    const response: ResponseOf<'DescribeTopicPartitions'> = await client.ask(
      'DescribeTopicPartitions',
      0,
      {
        topics: ['c', 'b', 'nowhere', 'a'].map((name) => ({ name })),
        responsePartitionLimit: 3,
        cursor,
      },
    );
    pages.push(
      response.topics.map(({ name, errorCode, partitions }) => [
        name,
        errorCode,
        partitions.map((partition) => partition.partitionIndex),
      ]),
    );
    cursor = response.nextCursor;
  } while (cursor !== null);
  assert.deepEqual(pages, [
    [
      ['a', errorCodes.NONE, [0, 1]],
      ['b', errorCodes.NONE, [0]],
    ],
    [
      ['b', errorCodes.NONE, [1, 2]],
      ['c', errorCodes.NONE, [0]],
      ['nowhere', errorCodes.UNKNOWN_TOPIC_OR_PARTITION, []],
    ],
  ]);
});

/** One offset for each partition, in order. */
function recordsBefore(name: string, offsets: number[]) {
  return {
    name,
    partitions: offsets.map((offset, partitionIndex) => ({ partitionIndex, offset })),
  };
}

test('DescribeTopicPartitions names no other replicas, by empty lists as the Java client needs them', async (t) => {
  const { connect, createTopic } = await openDoor(t);
  await createTopic('orders');
  const client = await connect();
  const { topics } = await client.ask('DescribeTopicPartitions', 0, { topics: [] });
  const [partition] = topics[0]!.partitions;
  assert.deepEqual([partition?.isrNodes, partition?.eligibleLeaderReplicas], [[0], []]);
  assert.deepEqual([partition?.lastKnownElr, partition?.offlineReplicas], [[], []]);
});

test('DeleteRecords drops what is before an offset', async (t) => {
  const { broker, connect, createTopic } = await openDoor(t);
  const [first, second] = await createTopic('orders', 2);
  await createTopic('compacted');
  await broker.topics.configure('compacted', { options: { cleanup: 'compact' } });
  await first!.append(batchOf({ values: ['a', 'b', 'c'] }));
  await second!.append(batchOf({ values: ['a', 'b', 'c'] }));
  const client = await connect();
  const response = await client.ask('DeleteRecords', 2, {
    topics: [recordsBefore('orders', [2, -1, 0]), recordsBefore('compacted', [0])],
    timeoutMs: 1,
  });
  const answers = response.topics.map(({ partitions }) =>
    partitions.map(({ lowWatermark, errorCode }) => [lowWatermark, errorCode]),
  );
  assert.deepEqual(answers, [
    [
      [2, errorCodes.NONE],
      [3, errorCodes.NONE],
      [-1, errorCodes.UNKNOWN_TOPIC_OR_PARTITION],
    ],
    [[-1, errorCodes.POLICY_VIOLATION]],
  ]);
  const beyond = await client.ask('DeleteRecords', 2, {
    topics: [recordsBefore('orders', [4])],
    timeoutMs: 1,
  });
  assert.equal(beyond.topics[0]?.partitions[0]?.errorCode, errorCodes.OFFSET_OUT_OF_RANGE);
});

test('the topics that tools take for internal are there once they are used, marked and closed to producers', async (t) => {
  const { connect: connectClient } = await openDoor(t, {});
  const client = await connectClient();
  const before = await client.ask('Metadata', 9, { topics: null });
  assert.deepEqual(before.topics, []);
  await client.ask('FindCoordinator', 4, { keyType: 0, coordinatorKeys: ['group'] });
  const after = await client.ask('Metadata', 9, { topics: null });
  assert.deepEqual(
    after.topics.map((topic) => [topic.name, topic.isInternal, topic.partitions.length]),
    [['__consumer_offsets', true, 50]],
  );
  const produced = await client.ask(
    'Produce',
    9,
    produceTo('__consumer_offsets', batchOf({ values: ['a'] })),
  );
  assert.equal(
    produced.responses[0]?.partitionResponses[0]?.errorCode,
    errorCodes.INVALID_TOPIC_EXCEPTION,
  );
});
