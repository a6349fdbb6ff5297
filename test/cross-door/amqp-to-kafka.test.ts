import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { headersOf, openCrossBed } from './bed.ts';

describe('a message that AMQP publishes and Kafka consumes', () => {
  it('has its body, its properties as headers, and the types of headers', async (t) => {
    const { channel, readLog } = await openCrossBed(t);
    await channel.assertQueue('jobs');
    const beforeMs = Date.now();
    channel.sendToQueue('jobs', Buffer.from('hello'), {
      persistent: true,
      contentType: 'application/json',
      contentEncoding: 'gzip',
      correlationId: 'c-1',
      replyTo: 'answers',
      messageId: 'm-1',
      timestamp: 1_700_000_000,
      type: 't',
      appId: 'app',
      userId: 'guest',
      priority: 5,
      expiration: '60000',
      headers: {
        retries: 70000,
        urgent: true,
        ratio: 0.5,
        name: 'n',
        list: [70000, 'a'],
        none: null,
      },
    });
    await channel.waitForConfirms();
    const passedMs = Date.now() - beforeMs;
    const [message] = await readLog('jobs', 1);
    assert.equal(message?.value?.toString(), 'hello');
    assert.equal(message?.key, null);
    const { 'pabal.expires-at': expiresAt, none: _none, ...headers } = headersOf(message);
    assert.deepEqual(headers, {
      'pabal.content-type': 'application/json',
      'pabal.content-encoding': 'gzip',
      'pabal.correlation-id': 'c-1',
      'pabal.reply-to': 'answers',
      'pabal.message-id': 'm-1',
      'pabal.timestamp': '1700000000000',
      'pabal.type': 't',
      'pabal.app-id': 'app',
      'pabal.user-id': 'guest',
      'pabal.priority': '5',
      'pabal.expiration': '60000',
      retries: '70000',
      urgent: 'true',
      ratio: '0.5',
      name: 'n',
      list: '[70000,"a"]',
      'pabal.types': 'retries=int32 urgent=boolean ratio=double list=array',
    });
    const ttlMs = Number(expiresAt) - beforeMs;
    assert.ok(ttlMs >= 60_000 && ttlMs <= 60_000 + passedMs);
    assert.ok(Number(message?.timestamp) >= beforeMs);
  });

  it('has the routing key as its key, or the one that it was given', async (t) => {
    const { channel, readLog } = await openCrossBed(t);
    await channel.assertQueue('jobs');
    await channel.assertExchange('x', 'topic');
    await channel.bindQueue('jobs', 'x', '#');
    channel.publish('x', 'order.new', Buffer.from('1'), { persistent: true });
    channel.publish('x', 'order.new', Buffer.from('2'), {
      persistent: true,
      headers: { 'pabal.key': 'user-7' },
    });
    await channel.waitForConfirms();
    const [first, second] = await readLog('jobs', 2);
    assert.deepEqual(
      [String(first?.key), headersOf(first!)],
      // amqplib gives a table of headers with every message.
      ['order.new', { 'pabal.exchange': 'x', 'pabal.headers': 'empty' }],
    );
    assert.deepEqual(
      [String(second?.key), headersOf(second!)],
      ['user-7', { 'pabal.exchange': 'x', 'pabal.routing-key': 'order.new' }],
    );
  });

  it('can be published to a topic that Kafka made, by its name or a binding', async (t) => {
    const { kafka, channel, readLog } = await openCrossBed(t);
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: 'events', numPartitions: 1 }] });
    await admin.disconnect();
    await channel.assertExchange('x', 'fanout');
    await channel.bindQueue('events', 'x', '');
    channel.sendToQueue('events', Buffer.from('by name'));
    channel.publish('x', '', Buffer.from('by binding'));
    await channel.waitForConfirms();
    const records = await readLog('events', 2);
    assert.deepEqual(
      records.map(({ value }) => String(value)),
      ['by name', 'by binding'],
    );
  });

  it('stays readable when it was acked, where settled messages are kept', async (t) => {
    const { broker, channel, readLog, readQueue } = await openCrossBed(t);
    await broker.queues.declare({
      namespace: '',
      name: 'kept',
      settings: { keepSettledMs: 3_600_000 },
    });
    for (const body of ['1', '2', '3']) channel.sendToQueue('kept', Buffer.from(body));
    await channel.waitForConfirms();
    await readQueue('kept', 3);
    await broker.queues.find('', 'kept')?.settled();
    assert.equal((await channel.checkQueue('kept')).messageCount, 0);
    const history = await readLog('kept', 3);
    assert.deepEqual(
      history.map(({ value }) => String(value)),
      ['1', '2', '3'],
    );
  });

  it('comes back as it was published, through both doors', async (t) => {
    const { producer, channel, readLog, readQueue } = await openCrossBed(t);
    await channel.assertQueue('there');
    await channel.assertQueue('back');
    const properties = {
      persistent: true,
      contentType: 'text/plain',
      correlationId: 'c',
      replyTo: 'r',
      messageId: 'm',
      timestamp: 1_700_000_000,
      priority: 2,
      headers: {
        integer: 7,
        big: 2 ** 40,
        yes: false,
        text: 'ü',
        bytes: Buffer.from([1, 0xff]),
        table: { list: [1, 'two', { three: 3.5 }] },
      },
    };
    channel.sendToQueue('there', Buffer.from('body'), properties);
    await channel.waitForConfirms();
    const [record] = await readLog('there', 1);
    await producer.send({
      topic: 'back',
      messages: [{ key: record!.key, value: record!.value, headers: record!.headers ?? {} }],
    });
    const [message] = await readQueue('back', 1);
    assert.equal(message?.content.toString(), 'body');
    const { persistent: _persistent, ...wanted } = properties;
    const received = Object.entries(message.properties).filter(([, value]) => value !== undefined);
    assert.deepEqual(Object.fromEntries(received), { ...wanted, deliveryMode: 2 });
  });
});
