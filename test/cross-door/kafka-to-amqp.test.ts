import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openCrossBed } from './bed.ts';

describe('a message that Kafka produces and AMQP consumes', () => {
  it('has its body, key, headers and time', async (t) => {
    const { broker, producer, readQueue } = await openCrossBed(t);
    // The time of what is produced is long ago.
    await broker.createTopic('orders', { options: { retentionMs: -1 } });
    await producer.send({
      topic: 'orders',
      messages: [
        {
          key: 'user-7',
          value: 'hello',
          headers: { trace: 'abc', count: '12', raw: Buffer.from([0xff, 0xfe]) },
          timestamp: '1700000000123',
        },
      ],
    });
    const [message] = await readQueue('orders', 1);
    assert.equal(message?.content.toString(), 'hello');
    assert.deepEqual([message?.fields.exchange, message?.fields.routingKey], ['', 'orders']);
    assert.deepEqual(message?.properties.headers, {
      trace: 'abc',
      count: '12',
      raw: Buffer.from([0xff, 0xfe]),
      'pabal.key': 'user-7',
    });
    assert.equal(message?.properties.timestamp, 1_700_000_000);
    assert.equal(message?.properties.deliveryMode, 2);
  });

  it('has the properties and types that its headers say', async (t) => {
    const { producer, readQueue } = await openCrossBed(t);
    await producer.send({
      topic: 'orders',
      messages: [
        {
          value: 'x',
          headers: {
            'pabal.content-type': 'text/plain',
            'pabal.correlation-id': 'c-1',
            'pabal.reply-to': 'answers',
            'pabal.message-id': 'm-1',
            'pabal.timestamp': '1600000000999',
            'pabal.priority': '3',
            'pabal.group': 'g',
            retries: '3',
            urgent: 'true',
            ratio: '0.5',
            'pabal.types': 'retries=int32 urgent=boolean ratio=double',
          },
        },
      ],
    });
    const [message] = await readQueue('orders', 1);
    const { properties } = message!;
    assert.deepEqual(properties.headers, {
      retries: 3,
      urgent: true,
      ratio: 0.5,
      'pabal.group': 'g',
    });
    assert.deepEqual(
      [properties.contentType, properties.correlationId, properties.replyTo, properties.messageId],
      ['text/plain', 'c-1', 'answers', 'm-1'],
    );
    assert.deepEqual([properties.timestamp, properties.priority], [1_600_000_000, 3]);
  });

  it('expires when its header says so', async (t) => {
    const { producer, channel, readQueue } = await openCrossBed(t);
    await channel.assertQueue('orders');
    await producer.send({
      topic: 'orders',
      messages: [
        { value: 'late', headers: { 'pabal.expires-at': String(Date.now() - 1000) } },
        { value: 'in time', headers: { 'pabal.expires-at': String(Date.now() + 600_000) } },
      ],
    });
    const [message] = await readQueue('orders', 1);
    assert.equal(message?.content.toString(), 'in time');
    const leftMs = Number(message?.properties.expiration);
    assert.ok(leftMs > 500_000 && leftMs <= 600_000);
  });

  it('can be read again and again by offset, over all partitions', async (t) => {
    const { kafka, producer, readQueue } = await openCrossBed(t);
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: 'log', numPartitions: 3 }] });
    await admin.disconnect();
    const messages = Array.from({ length: 30 }, (_unused, index) => ({
      key: `k${index}`,
      value: String(index),
      partition: index % 3,
    }));
    await producer.send({ topic: 'log', messages });
    for (let round = 0; round < 2; round += 1) {
      const received = await readQueue('log', 30, { 'x-stream-offset': 'first' });
      const bodies = received.map(({ content }) => Number(content.toString()));
      assert.deepEqual(
        bodies.toSorted((a, b) => a - b),
        Array.from({ length: 30 }, (_unused, index) => index),
      );
      for (const partition of [0, 1, 2]) {
        const own = bodies.filter((body) => body % 3 === partition);
        assert.deepEqual(
          own,
          own.toSorted((a, b) => a - b),
        );
      }
    }
  });

  it('goes to one of the competing consumers of a topic', async (t) => {
    const { producer, channel, readQueue } = await openCrossBed(t);
    await producer.send({ topic: 'work', messages: [{ value: '1' }, { value: '2' }] });
    const received = await readQueue('work', 2);
    assert.deepEqual(received.map(({ content }) => content.toString()).toSorted(), ['1', '2']);
    await channel.waitForConfirms();
    assert.equal((await channel.checkQueue('work')).messageCount, 0);
  });
});
