import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { errorCodes } from '../../../../src/doors/kafka/error-codes.ts';
import { ack, ShareBed } from './share-bed.ts';

const release = 2;
const reject = 3;
const consent = { 'kafka.errors.deadletterqueue.group.enable': 'true' };
const topicName = 'errors.deadletterqueue.topic.name';
const copies = 'errors.deadletterqueue.copy.record.enable';

async function open(t: TestContext, configs: Record<string, string> = {}) {
  const bed = await ShareBed.open(t);
  await bed.broker.topics.create({ name: 'orders', partitions: 1 });
  await bed.broker.topics.create({ name: 'dlq.orders', partitions: 1, attributes: consent });
  await bed.configure('g', {
    'share.auto.offset.reset': 'earliest',
    'share.delivery.count.limit': '2',
    [topicName]: 'dlq.orders',
    ...configs,
  });
  return { bed, member: await bed.member('g', 'orders', 'm') };
}

/** The next records of the dead-letter topic, as a client of the broker sees them. */
async function readDead(bed: ShareBed, count: number) {
  const found: Array<{ key: string | null; value: string | null; headers: Map<string, string> }> =
    [];
  const records = bed.broker.consume({ group: 'look', topics: ['dlq.orders'], from: 'earliest' });
  for await (const { key, value, headers } of records) {
    found.push({
      key: key === null ? null : Buffer.from(key).toString(),
      value: value === null ? null : Buffer.from(value).toString(),
      headers: new Map(
        [...headers].map(([name, each]) => [name, Buffer.from(each ?? []).toString()]),
      ),
    });
    if (found.length === count) break;
  }
  return found;
}

describe('the dead-letter topic of a share group', () => {
  it('tells where what was rejected comes from, without it', async (t) => {
    const { bed, member } = await open(t);
    await bed.broker.send('orders', { key: 'k', value: 'bad', headers: { colour: 'red' } });
    await member.fetch();
    await member.acknowledge(ack(0, 0, reject));
    const [dead] = await readDead(bed, 1);
    assert.deepEqual([dead?.key, dead?.value, dead?.headers.has('colour')], [null, null, false]);
    const expected = {
      '__dlq.errors.topic': 'orders',
      '__dlq.errors.partition': '0',
      '__dlq.errors.offset': '0',
      '__dlq.errors.group': 'g',
      '__dlq.errors.delivery.count': '1',
      '__dlq.errors.message': 'Offset rejected by client.',
    };
    for (const [name, text] of Object.entries(expected)) {
      assert.equal(dead?.headers.get(name), text, name);
    }
  });

  it('gets the record itself where the group wants it, after too many deliveries, too', async (t) => {
    const { bed, member } = await open(t, { [copies]: 'true' });
    await bed.broker.send('orders', { key: 'k', value: 'bad', headers: { colour: 'red' } });
    await member.fetch();
    await member.acknowledge(ack(0, 0, release));
    await member.fetch();
    await member.acknowledge(ack(0, 0, release));
    const [dead] = await readDead(bed, 1);
    assert.deepEqual([dead?.key, dead?.value, dead?.headers.get('colour')], ['k', 'bad', 'red']);
    assert.equal(dead?.headers.get('__dlq.errors.delivery.count'), '2');
    assert.match(dead?.headers.get('__dlq.errors.message') ?? '', /count exceeded/);
  });

  it('is none any more when the group’s configuration is reset', async (t) => {
    const { bed, member } = await open(t);
    await bed.publish('orders', ['first', 'second']);
    await member.fetch({ maxRecords: 1, shareAcquireMode: 1 });
    await bed.configure('g', { [topicName]: '' });
    await member.acknowledge(ack(0, 0, reject));
    await bed.configure('g', { [topicName]: 'dlq.orders', [copies]: 'true' });
    await member.fetch();
    await member.acknowledge(ack(1, 1, reject));
    const [dead] = await readDead(bed, 1);
    assert.equal(dead?.value, 'second');
  });

  it('must be there, be called so, and agree', async (t) => {
    const { bed } = await open(t);
    await bed.broker.topics.create({ name: 'dlq.unwilling', partitions: 1 });
    await bed.broker.topics.create({ name: 'business', partitions: 1, attributes: consent });
    const client = await bed.connect();
    for (const [value, problem] of [
      ['dlq.missing', /no such topic/],
      ['dlq.unwilling', /group\.enable=true/],
      ['business', /does not begin with dlq\./],
    ] as const) {
      const response = await client.ask('IncrementalAlterConfigs', 1, {
        resources: [
          {
            resourceType: 32,
            resourceName: 'g',
            configs: [{ name: topicName, configOperation: 0, value }],
          },
        ],
        validateOnly: false,
      });
      const [result] = response.responses;
      assert.equal(result?.errorCode, errorCodes.INVALID_CONFIG, value);
      assert.match(result.errorMessage ?? '', problem);
    }
  });
});
