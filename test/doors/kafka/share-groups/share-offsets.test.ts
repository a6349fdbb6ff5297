import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SystemClock } from '../../../../src/base/index.ts';
import { Broker } from '../../../../src/broker/index.ts';
import { errorCodes } from '../../../../src/doors/kafka/error-codes.ts';
import { presetGroups } from '../../../../src/doors/kafka/index.ts';
import type { WireClient } from '../wire-client.ts';
import { ack, nothingMs, ShareBed, valuesOf } from './share-bed.ts';

async function describeOffsets(client: WireClient, topics: null | Array<[string, number[]]>) {
  const response = await client.ask('DescribeShareGroupOffsets', 1, {
    groups: [
      {
        groupId: 'g',
        topics: topics?.map(([topicName, partitions]) => ({ topicName, partitions })) ?? null,
      },
    ],
  });
  const [group] = response.groups;
  assert.ok(group !== undefined);
  return {
    errorCode: group.errorCode,
    partitions: group.topics.flatMap(({ topicName, partitions }) =>
      partitions.map(({ partitionIndex, startOffset, lag, errorCode }) =>
        [topicName, partitionIndex, startOffset, lag, errorCode].join(' '),
      ),
    ),
  };
}

/** A group without members that has read ten records and accepted all but one. */
async function openRead(t: Parameters<typeof ShareBed.open>[0]) {
  const bed = await ShareBed.open(t);
  await bed.broker.topics.create({ name: 'orders', partitions: 1 });
  await bed.broker.topics.create({ name: 'other', partitions: 1 });
  await bed.fromEarliest('g');
  await bed.publish(
    'orders',
    Array.from({ length: 10 }, (_, index) => `${index}`),
  );
  const member = await bed.member('g', 'orders', 'm');
  await member.fetch();
  await member.acknowledge([...ack(0, 2, 1), ...ack(3, 3, 2), ...ack(4, 9, 1)]);
  await member.acknowledge([], { epoch: -1 });
  return { bed, client: await bed.connect() };
}

describe('offsets of share groups', () => {
  it('are the first one that is not settled, and how many are not', async (t) => {
    const { client } = await openRead(t);
    assert.deepEqual(await describeOffsets(client, null), {
      errorCode: errorCodes.NONE,
      partitions: ['orders 0 3 1 0'],
    });
    const asked: Array<[string, number[]]> = [
      ['orders', [0, 5]],
      ['other', [0]],
      ['none', [0]],
    ];
    assert.deepEqual((await describeOffsets(client, asked)).partitions, [
      'orders 0 3 1 0',
      'orders 5 -1 -1 3',
      'other 0 -1 -1 0',
      'none 0 -1 -1 3',
    ]);
  });

  it('of a group that is not there are an error', async (t) => {
    const bed = await ShareBed.open(t);
    const { errorCode } = await describeOffsets(await bed.connect(), null);
    assert.equal(errorCode, errorCodes.GROUP_ID_NOT_FOUND);
  });

  for (const [startOffset, expected] of [
    [8, ['8', '9']],
    [0, ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']],
    [10, []],
    [1000, []],
  ] as const)
    it(`are put to ${startOffset}`, async (t) => {
      const { bed, client } = await openRead(t);
      const response = await client.ask('AlterShareGroupOffsets', 0, {
        groupId: 'g',
        topics: [{ topicName: 'orders', partitions: [{ partitionIndex: 0, startOffset }] }],
      });
      assert.equal(response.responses[0]?.partitions[0]?.errorCode, errorCodes.NONE);
      assert.deepEqual((await describeOffsets(client, null)).partitions, [
        `orders 0 ${Math.min(startOffset, 10)} ${expected.length} 0`,
      ]);
      const member = await bed.member('g', 'orders', 'm');
      const waiting = expected.length === 0 ? { maxWaitMs: nothingMs } : {};
      assert.deepEqual(valuesOf(await member.fetch(waiting)), expected);
    });

  it('are deleted with what the group has in the topic', async (t) => {
    const { bed, client } = await openRead(t);
    const remove = async (topicName: string) => {
      const response = await client.ask('DeleteShareGroupOffsets', 0, {
        groupId: 'g',
        topics: [{ topicName }],
      });
      return [response.errorCode, response.responses[0]?.errorCode];
    };
    const unknown = errorCodes.UNKNOWN_TOPIC_OR_PARTITION;
    assert.deepEqual(await remove('none'), [errorCodes.NONE, unknown]);
    assert.deepEqual(await remove('other'), [errorCodes.NONE, unknown]);
    assert.deepEqual(await remove('orders'), [errorCodes.NONE, errorCodes.NONE]);
    assert.equal(bed.broker.queues.find('', 'orders', 'g'), undefined);
    assert.equal((await remove('orders'))[0], errorCodes.GROUP_ID_NOT_FOUND);
  });

  it('are left alone while there are members', async (t) => {
    const { client } = await openRead(t);
    await client.ask('ShareGroupHeartbeat', 1, {
      groupId: 'g',
      memberId: 'm',
      memberEpoch: 0,
      rackId: null,
      subscribedTopicNames: ['orders'],
    });
    const altered = await client.ask('AlterShareGroupOffsets', 0, { groupId: 'g', topics: [] });
    const deleted = await client.ask('DeleteShareGroupOffsets', 0, { groupId: 'g', topics: [] });
    assert.deepEqual(
      [altered.errorCode, deleted.errorCode],
      [errorCodes.NON_EMPTY_GROUP, errorCodes.NON_EMPTY_GROUP],
    );
  });
});

describe('configurations of groups', () => {
  it('are told with their defaults, changed and reset', async (t) => {
    const bed = await ShareBed.open(t);
    const client = await bed.connect();
    const find = async (name: string) => {
      const { results } = await client.ask('DescribeConfigs', 4, {
        resources: [{ resourceType: 32, resourceName: 'g', configurationKeys: [name] }],
        includeSynonyms: true,
        includeDocumentation: false,
      });
      const [config] = results[0]?.configs ?? [];
      return [config?.value, config?.configSource, config?.synonyms.length];
    };
    const name = 'share.record.lock.duration.ms';
    assert.deepEqual(await find(name), ['30000', 5, 1]);
    await bed.configure('g', { [name]: '20000' });
    assert.deepEqual(await find(name), ['20000', 8, 2]);
    const listed = await client.ask('ListConfigResources', 1, { resourceTypes: [32] });
    assert.deepEqual(listed.configResources, [{ resourceName: 'g', resourceType: 32 }]);
    const change = async (configName: string, configOperation: number, value: string | null) => {
      const { responses } = await client.ask('IncrementalAlterConfigs', 1, {
        resources: [
          {
            resourceType: 32,
            resourceName: 'g',
            configs: [{ name: configName, configOperation, value }],
          },
        ],
        validateOnly: false,
      });
      return responses[0]?.errorCode;
    };
    assert.equal(await change(name, 1, null), errorCodes.NONE);
    assert.deepEqual(await find(name), ['30000', 5, 1]);
    for (const [configName, value] of [
      [name, '1000'],
      [name, 'x'],
      ['share.auto.offset.reset', 'sometime'],
      ['share.auto.offset.reset', 'by_duration:'],
      ['share.auto.offset.reset', 'by_duration:P'],
      ['share.auto.offset.reset', 'by_duration:PT'],
      ['share.auto.offset.reset', 'by_duration:-PT1H'],
      ['share.isolation.level', 'none'],
      ['retention.ms', '1'],
    ] as const)
      assert.equal(await change(configName, 0, value), errorCodes.INVALID_CONFIG, value);
    assert.equal(await change(name, 2, '20000'), errorCodes.INVALID_REQUEST);
    for (const value of ['by_duration:P1D', 'by_duration:PT0.5S', 'by_duration:P1DT2H3M4.5S'])
      assert.equal(await change('share.auto.offset.reset', 0, value), errorCodes.NONE, value);
  });
});

describe('what the broker presets for groups', () => {
  it('is told as its own, and bounds what groups may say', async (t) => {
    const lock = 'share.record.lock.duration.ms';
    const presets = presetGroups(
      new Map([
        ['group.share.record.lock.duration.ms', '1500'],
        ['group.share.min.record.lock.duration.ms', ' 1000 '],
        ['group.consumer.assignor.offload.enable', 'false'],
        ['group.min.session.timeout.ms', '100'],
      ]),
    );
    assert.deepEqual([presets.sessionTimeoutMinMs, presets.sessionTimeoutMaxMs], [100, 1_800_000]);
    const bed = await ShareBed.open(t, new SystemClock(), presets);
    const client = await bed.connect();
    const find = async (resourceType: number, resourceName: string, name: string) => {
      const { results } = await client.ask('DescribeConfigs', 4, {
        resources: [{ resourceType, resourceName, configurationKeys: [name] }],
        includeSynonyms: true,
        includeDocumentation: false,
      });
      const [config] = results[0]?.configs ?? [];
      return [config?.value, config?.configSource, config?.synonyms.map(({ source }) => source)];
    };
    const brokerId = String(bed.broker.brokerId);
    assert.deepEqual(await find(32, 'g', lock), ['1500', 4, [4, 5]]);
    assert.deepEqual(await find(4, brokerId, 'group.share.min.record.lock.duration.ms'), [
      '1000',
      4,
      [4],
    ]);
    assert.deepEqual(await find(4, brokerId, 'group.share.max.record.lock.duration.ms'), [
      '60000',
      5,
      [5],
    ]);
    await bed.configure('g', { [lock]: '1000' });
    assert.deepEqual(await find(32, 'g', lock), ['1000', 8, [8, 4, 5]]);
    await assert.rejects(bed.configure('g', { [lock]: '999' }), /at least 1000/);
  });

  it('reaches the queues that a group had before', async (t) => {
    const broker = await Broker.open({ store: 'memory' });
    const before = await ShareBed.openOver(t, broker);
    await broker.topics.create({ name: 'orders', partitions: 1 });
    const member = await before.member('g', 'orders', 'm');
    await member.ask();
    const failuresMax = (): number | undefined =>
      broker.queues.find('', 'orders', 'g')?.settings.failuresMax;
    assert.equal(failuresMax(), 4);
    const presets = presetGroups(new Map([['group.share.delivery.count.limit', '7']]));
    const after = await ShareBed.openOver(t, broker, new SystemClock(), presets);
    await (await after.member('g', 'orders', 'n')).ask();
    assert.equal(failuresMax(), 6);
  });

  for (const [properties, problem] of [
    [{ 'group.share.max.size': '9' }, /group\.share\.max\.size cannot be set/],
    [{ 'group.share.min.record.lock.duration.ms': '999' }, /at least 1000/],
    [{ 'group.share.record.lock.duration.ms': '1000' }, /must be from 15000 to 60000/],
    [{ 'group.streams.max.standby.replicas': 'x' }, /whole number/],
    [{ 'group.min.session.timeout.ms': '1800001' }, /is more than/],
  ] as const) {
    it(`is refused: ${JSON.stringify(properties)}`, () => {
      assert.throws(() => presetGroups(new Map(Object.entries(properties))), problem);
    });
  }
});
