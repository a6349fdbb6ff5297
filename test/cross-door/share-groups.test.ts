import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib';
import { SystemClock, SystemRandom } from '../../src/base/index.ts';
import { AmqpDoor } from '../../src/doors/amqp091/index.ts';
import { silentLog } from '../../src/net/index.ts';
import {
  ack,
  type Batches,
  ShareBed,
  type ShareClient,
} from '../doors/kafka/share-groups/share-bed.ts';

const accept = 1;
const release = 2;
const reject = 3;

interface Bed {
  readonly bed: ShareBed;
  readonly channel: ConfirmChannel;
}

async function openBed(t: TestContext): Promise<Bed> {
  const bed = await ShareBed.open(t);
  const door = await AmqpDoor.open({
    broker: bed.broker,
    clock: new SystemClock(),
    random: new SystemRandom(),
    log: silentLog,
    host: '127.0.0.1',
    port: 0,
    version: '0.0.0',
  });
  const client: ChannelModel = await connect(`amqp://guest:guest@127.0.0.1:${door.port}`);
  client.on('error', () => undefined);
  const channel = await client.createConfirmChannel();
  t.after(async () => {
    await Promise.allSettled([client.close()]);
    await door.close(0);
  });
  return { bed, channel };
}

async function publish(channel: ConfirmChannel, queue: string, bodies: readonly string[]) {
  for (const body of bodies) channel.sendToQueue(queue, Buffer.from(body));
  await channel.waitForConfirms();
}

/** Fetches and accepts until there are so many. */
async function takeAll(member: ShareClient, seen: Set<string>, isDone: () => boolean) {
  let accepted: Batches = [];
  while (!isDone()) {
    const deliveries = await member.fetch({
      ...(accepted.length === 0 ? {} : { acknowledge: { 0: accepted } }),
      maxRecords: 20,
      maxWaitMs: 50,
    });
    for (const { value } of deliveries) {
      assert.ok(!seen.has(value), `${value} came twice`);
      seen.add(value);
    }
    accepted = deliveries.flatMap(({ offset }) => ack(offset, offset, accept));
  }
  await member.acknowledge(accepted, { epoch: -1 });
}

describe('a queue with consumers of AMQP and of a Kafka share group', () => {
  it('gives each message to one of them', async (t) => {
    const { bed, channel } = await openBed(t);
    await channel.assertQueue('orders');
    const members = await Promise.all(['a', 'b'].map((id) => bed.member('orders', 'orders', id)));
    const total = 1000;
    const byKafka = new Set<string>();
    const byAmqp = new Set<string>();
    const isDone = (): boolean => byKafka.size + byAmqp.size === total;
    await channel.prefetch(10);
    await channel.consume('orders', (message) => {
      if (message === null) return;
      const body = message.content.toString();
      assert.ok(!byKafka.has(body) && !byAmqp.has(body), `${body} came twice`);
      byAmqp.add(body);
      channel.ack(message);
    });
    const taking = members.map((member) => takeAll(member, byKafka, isDone));
    const bodies = Array.from({ length: total }, (_, index) => `order ${index}`);
    for (let at = 0; at < total; at += 50)
      await publish(channel, 'orders', bodies.slice(at, at + 50));
    await Promise.all(taking);
    assert.deepEqual(new Set([...byKafka, ...byAmqp]), new Set(bodies));
    assert.ok(byKafka.size > 0 && byAmqp.size > 0, `${byKafka.size} and ${byAmqp.size}`);
    assert.equal((await channel.checkQueue('orders')).messageCount, 0);
  });

  it('hands on to one door what the other one gives back', async (t) => {
    const { bed, channel } = await openBed(t);
    await channel.assertQueue('orders');
    await publish(channel, 'orders', ['a', 'b', 'c']);
    const member = await bed.member('orders', 'orders', 'm');
    assert.equal((await member.fetch()).length, 3);
    assert.equal(await channel.get('orders'), false);
    await member.acknowledge(ack(0, 2, release, accept, release));
    const first = await channel.get('orders');
    assert.ok(first !== false);
    assert.equal(first.content.toString(), 'a');
    assert.equal(first.fields.redelivered, true);
    channel.nack(first);
    const again: string[] = [];
    while (again.length < 2) for (const { value } of await member.fetch()) again.push(value);
    assert.deepEqual(again.toSorted(), ['a', 'c']);
  });

  it('dead-letters what a Kafka consumer rejects', async (t) => {
    const { bed, channel } = await openBed(t);
    await channel.assertQueue('dead');
    await channel.assertQueue('orders', {
      arguments: { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead' },
    });
    await publish(channel, 'orders', ['bad']);
    const member = await bed.member('orders', 'orders', 'm');
    await member.fetch();
    await member.acknowledge(ack(0, 0, reject));
    const dead = await bed.member('dead', 'dead', 'm');
    assert.equal((await dead.fetch())[0]?.value, 'bad');
  });

  it('gives out by priority', async (t) => {
    const { bed, channel } = await openBed(t);
    await channel.assertQueue('orders', { arguments: { 'x-max-priority': 5 } });
    for (const priority of [1, 5, 3])
      channel.sendToQueue('orders', Buffer.from(`${priority}`), { priority });
    await channel.waitForConfirms();
    const member = await bed.member('orders', 'orders', 'm');
    const order: string[] = [];
    for (let count = 0; count < 3; count += 1)
      for (const { value } of await member.fetch({ maxRecords: 1, shareAcquireMode: 1 }))
        order.push(value);
    assert.deepEqual(order, ['5', '3', '1']);
  });

  it('is the same when the topic and the share group were first', async (t) => {
    const { bed, channel } = await openBed(t);
    await bed.broker.topics.create({ name: 'orders', partitions: 1 });
    await bed.fromEarliest('orders');
    await bed.publish('orders', ['a', 'b']);
    const member = await bed.member('orders', 'orders', 'm');
    await member.fetch({ maxRecords: 1, shareAcquireMode: 1 });
    const message = await channel.get('orders');
    assert.ok(message !== false);
    assert.equal(message.content.toString(), 'b');
  });

  it('keeps its messages from other share groups, which have copies of their own', async (t) => {
    const { bed, channel } = await openBed(t);
    await channel.assertQueue('orders');
    await bed.fromEarliest('audit');
    await publish(channel, 'orders', ['a', 'b']);
    const audit = await bed.member('audit', 'orders', 'm');
    assert.equal((await audit.fetch()).length, 2);
    assert.equal((await channel.checkQueue('orders')).messageCount, 2);
  });

  it('cannot be used while it belongs to one connection alone', async (t) => {
    const { bed, channel } = await openBed(t);
    await channel.assertQueue('mine', { exclusive: true });
    const member = await bed.member('mine', 'mine', 'm');
    const response = await member.ask();
    assert.equal(response.responses[0]?.partitions[0]?.errorCode, 29);
  });
});
