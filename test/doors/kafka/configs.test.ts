import assert from 'node:assert/strict';
import test from 'node:test';
import { errorCodes } from '../../../src/doors/kafka/error-codes.ts';
import type { ResponseOf } from '../../../src/doors/kafka/wire/index.ts';
import { openDoor } from './door-fixture.ts';
import type { WireClient } from './wire-client.ts';

const topicType = 2;
const brokerType = 4;
const set = 0;
const reset = 1;
const append = 2;
const subtract = 3;

type Entry = ResponseOf<'DescribeConfigs'>['results'][number]['configs'][number];

async function describe(
  client: WireClient,
  resourceType: number,
  resourceName: string,
  options: { keys?: string[] | null; version?: number } = {},
) {
  const version = options.version ?? 4;
  const response = await client.ask('DescribeConfigs', version, {
    resources: [{ resourceType, resourceName, configurationKeys: options.keys ?? null }],
    includeSynonyms: true,
    includeDocumentation: version >= 3,
  });
  return response.results[0]!;
}

function entryOf(configs: readonly Entry[], name: string): Entry {
  const entry = configs.find((config) => config.name === name);
  assert.ok(entry !== undefined, `there is no ${name}`);
  return entry;
}

test('DescribeConfigs tells defaults from what was set', async (t) => {
  const { broker, connect } = await openDoor(t);
  await broker.topics.create({
    name: 'orders',
    options: { retentionMs: 1000 },
    attributes: { 'kafka.flush.ms': '60000' },
  });
  const client = await connect();
  for (const version of [1, 2, 3, 4]) {
    const { configs, errorCode } = await describe(client, topicType, 'orders', { version });
    assert.equal(errorCode, errorCodes.NONE);
    const retention = entryOf(configs, 'retention.ms');
    assert.equal(retention.value, '1000');
    assert.equal(retention.configSource, 1);
    assert.equal(retention.readOnly, false);
    assert.deepEqual(retention.synonyms, [
      { name: 'retention.ms', value: '1000', source: 1 },
      { name: 'log.retention.ms', value: '604800000', source: 5 },
    ]);
    // Kafka 4 says so of every new cluster (KIP-966).
    const inSync = entryOf(configs, 'min.insync.replicas');
    assert.equal(inSync.configSource, 3);
    assert.deepEqual(
      inSync.synonyms.map(({ source }) => source),
      [3, 5],
    );
    assert.equal(entryOf(configs, 'flush.ms').value, '60000');
    assert.equal(entryOf(configs, 'flush.ms').configSource, 1);
    const policy = entryOf(configs, 'cleanup.policy');
    assert.equal(policy.value, 'delete');
    assert.equal(policy.configSource, 5);
    assert.equal(policy.configType, version < 3 ? 0 : 7);
    assert.equal((policy.documentation ?? '').length > 0, version >= 3);
    assert.equal(entryOf(configs, 'message.timestamp.before.max.ms').value, '9223372036854775807');
  }
});

test('DescribeConfigs gives only the keys asked for; an empty list means all', async (t) => {
  const { connect, createTopic } = await openDoor(t);
  await createTopic('orders');
  const client = await connect();
  const { configs } = await describe(client, topicType, 'orders', { keys: ['retention.ms', 'x'] });
  assert.deepEqual(
    configs.map((config) => config.name),
    ['retention.ms'],
  );
  const all = await describe(client, topicType, 'orders', { keys: [] });
  assert.ok(all.configs.length > 20);
});

test('the configuration of the broker can be read', async (t) => {
  const { connect, door } = await openDoor(t);
  const client = await connect();
  const { configs } = await describe(client, brokerType, '0');
  assert.equal(entryOf(configs, 'auto.create.topics.enable').value, 'true');
  assert.equal(entryOf(configs, 'num.partitions').value, '2');
  const listeners = entryOf(configs, 'advertised.listeners');
  assert.equal(listeners.value, `PLAINTEXT://127.0.0.1:${door.port}`);
  assert.ok(configs.every((config) => config.readOnly));
  assert.deepEqual((await describe(client, brokerType, '')).configs, []);
});

for (const { what, type, name, error } of [
  {
    what: 'an unknown topic',
    type: 2,
    name: 'nowhere',
    error: errorCodes.UNKNOWN_TOPIC_OR_PARTITION,
  },
  { what: 'a bad topic name', type: 2, name: 'a b', error: errorCodes.INVALID_TOPIC_EXCEPTION },
  { what: 'another broker', type: 4, name: '7', error: errorCodes.INVALID_REQUEST },
  { what: 'an unknown kind of thing', type: 77, name: 'x', error: errorCodes.INVALID_REQUEST },
]) {
  test(`DescribeConfigs refuses ${what}`, async (t) => {
    const { connect } = await openDoor(t);
    const result = await describe(await connect(), type, name);
    assert.equal(result.errorCode, error);
    assert.ok((result.errorMessage ?? '').length > 0);
  });
}

test('AlterConfigs replaces everything', async (t) => {
  const { broker, connect } = await openDoor(t);
  await broker.topics.create({
    name: 'orders',
    options: { retentionMs: 1000 },
    attributes: { 'kafka.flush.ms': '60000', 'other.setting': 'kept' },
  });
  const client = await connect();
  const response = await client.ask('AlterConfigs', 2, {
    resources: [
      {
        resourceType: topicType,
        resourceName: 'orders',
        configs: [{ name: 'max.message.bytes', value: '5000' }],
      },
    ],
    validateOnly: false,
  });
  assert.equal(response.responses[0]?.errorCode, errorCodes.NONE);
  const topic = broker.topics.find('orders');
  assert.deepEqual(topic?.ownOptions, { batchBytesMax: 5000 });
  assert.deepEqual(topic.attributes, { 'other.setting': 'kept' });
});

function change(configs: Array<[string, number, string | null]>, resourceName = 'orders') {
  return {
    resourceType: topicType,
    resourceName,
    configs: configs.map(([name, configOperation, value]) => ({ name, configOperation, value })),
  };
}

test('IncrementalAlterConfigs sets, resets, appends and subtracts', async (t) => {
  const { broker, connect, createTopic } = await openDoor(t);
  await createTopic('orders');
  const client = await connect();
  const apply = async (...configs: Array<[string, number, string | null]>) => {
    const response = await client.ask('IncrementalAlterConfigs', 1, {
      resources: [change(configs)],
      validateOnly: false,
    });
    assert.equal(response.responses[0]?.errorMessage, null);
    return broker.topics.find('orders')!;
  };
  const first = await apply(
    ['retention.ms', set, '1000'],
    ['cleanup.policy', append, 'compact'],
    ['preallocate', set, 'TRUE'],
  );
  assert.deepEqual(first.ownOptions, { retentionMs: 1000, cleanup: 'compact,delete' });
  // What comes first in a list stays there.
  const written = { 'kafka.preallocate': 'true', 'kafka.cleanup.policy': 'delete,compact' };
  assert.deepEqual(first.attributes, written);
  const policy = async () => {
    const { configs } = await describe(client, topicType, 'orders', { keys: ['cleanup.policy'] });
    return configs[0]?.value;
  };
  assert.equal(await policy(), 'delete,compact');
  await apply(['cleanup.policy', set, 'delete, delete']);
  assert.equal(await policy(), 'delete');
  await apply(['cleanup.policy', append, 'compact']);
  await broker.topics.configure('orders', { options: { cleanup: 'compact' } });
  assert.equal(await policy(), 'compact', 'somebody else has changed it');
  const none = await apply(['cleanup.policy', subtract, 'compact,delete']);
  assert.equal(none.ownOptions.cleanup, 'none');
  await apply(['cleanup.policy', set, 'compact,delete']);
  const second = await apply(
    ['retention.ms', reset, null],
    ['cleanup.policy', subtract, 'delete'],
    ['preallocate', reset, null],
  );
  assert.deepEqual(second.ownOptions, { cleanup: 'compact' });
  assert.deepEqual(second.attributes, {});
});

for (const { what, resources, error } of [
  {
    what: 'a value out of range',
    resources: [change([['retention.ms', set, 'soon']])],
    error: errorCodes.INVALID_CONFIG,
  },
  {
    what: 'a number beyond 64 bits',
    resources: [change([['retention.ms', set, '9223372036854775808']])],
    error: errorCodes.INVALID_CONFIG,
  },
  {
    what: 'an unknown name',
    resources: [change([['no.such', set, '1']])],
    error: errorCodes.INVALID_CONFIG,
  },
  {
    what: 'an append to a number',
    resources: [change([['retention.ms', append, '1']])],
    error: errorCodes.INVALID_CONFIG,
  },
  {
    what: 'a missing value',
    resources: [change([['retention.ms', set, null]])],
    error: errorCodes.INVALID_REQUEST,
  },
  {
    what: 'an unknown operation',
    resources: [change([['retention.ms', 9, '1']])],
    error: errorCodes.INVALID_REQUEST,
  },
  {
    what: 'a name twice',
    resources: [
      change([
        ['retention.ms', set, '1'],
        ['retention.ms', set, '2'],
      ]),
    ],
    error: errorCodes.INVALID_REQUEST,
  },
  {
    what: 'a topic twice',
    resources: [change([['retention.ms', set, '1']]), change([['flush.ms', set, '1']])],
    error: errorCodes.INVALID_REQUEST,
  },
  {
    what: 'an unknown topic',
    resources: [change([], 'nowhere')],
    error: errorCodes.UNKNOWN_TOPIC_OR_PARTITION,
  },
  {
    what: 'a change of the broker',
    resources: [{ ...change([['log.dirs', set, '/tmp']], '0'), resourceType: brokerType }],
    error: errorCodes.INVALID_REQUEST,
  },
]) {
  test(`IncrementalAlterConfigs refuses ${what}, and nothing is changed`, async (t) => {
    const { broker, connect, createTopic } = await openDoor(t);
    await createTopic('orders');
    const client = await connect();
    const response = await client.ask('IncrementalAlterConfigs', 1, {
      resources,
      validateOnly: false,
    });
    assert.ok(response.responses.every((result) => result.errorCode === error));
    assert.ok(response.responses.every((result) => (result.errorMessage ?? '').length > 0));
    assert.deepEqual(broker.topics.find('orders')?.ownOptions, {});
  });
}

test('a change can be tried without effect', async (t) => {
  const { broker, connect, createTopic } = await openDoor(t);
  await createTopic('orders');
  const client = await connect();
  for (const [value, error] of [
    ['1000', errorCodes.NONE],
    ['soon', errorCodes.INVALID_CONFIG],
  ] as const) {
    const response = await client.ask('IncrementalAlterConfigs', 1, {
      resources: [change([['retention.ms', set, value]])],
      validateOnly: true,
    });
    assert.equal(response.responses[0]?.errorCode, error);
  }
  assert.deepEqual(broker.topics.find('orders')?.ownOptions, {});
});

test('ListConfigResources names what has a configuration', async (t) => {
  const { connect, createTopic } = await openDoor(t);
  await createTopic('orders');
  const client = await connect();
  const ask = (resourceTypes: number[]) => client.ask('ListConfigResources', 1, { resourceTypes });
  assert.deepEqual((await ask([])).configResources, [
    { resourceName: 'orders', resourceType: topicType },
    { resourceName: '0', resourceType: brokerType },
  ]);
  assert.deepEqual((await ask([brokerType])).configResources, [
    { resourceName: '0', resourceType: brokerType },
  ]);
  assert.equal((await ask([99])).errorCode, errorCodes.UNSUPPORTED_VERSION);
});
