import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { until } from '../../support/until.ts';
import { RawClient } from './raw-client.ts';
import { closeReason, consume, openBed, settle } from './messages-bed.ts';

describe('basic.consume', () => {
  it('delivers in order, with tags that count from 1', async (t) => {
    const bed = await openBed(t);
    const channel = await bed.channel();
    await channel.assertQueue('q');
    for (const body of ['a', 'b', 'c']) channel.sendToQueue('q', Buffer.from(body));
    const inbox = await consume(channel, 'q');
    const messages = await inbox.until(3);
    assert.deepEqual(inbox.bodies, ['a', 'b', 'c']);
    assert.deepEqual(
      messages.map(({ fields }) => [fields.deliveryTag, fields.redelivered, fields.routingKey]),
      [
        [1, false, 'q'],
        [2, false, 'q'],
        [3, false, 'q'],
      ],
    );
    assert.match(inbox.tag, /^amq\.ctag-[\w-]{22}$/);
  });

  it('holds back what goes beyond the prefetch of the consumer until it is acked', async (t) => {
    const bed = await openBed(t);
    const channel = await bed.channel(2);
    await channel.assertQueue('q');
    for (let body = 0; body < 5; body += 1) channel.sendToQueue('q', Buffer.from(String(body)));
    const inbox = await consume(channel, 'q');
    await inbox.until(2);
    await settle(channel);
    assert.deepEqual(inbox.bodies, ['0', '1']);
    channel.ack(inbox.messages[0]!);
    await inbox.until(3);
    await settle(channel);
    assert.deepEqual(inbox.bodies, ['0', '1', '2']);
    channel.ack(inbox.messages[2]!, true);
    await inbox.until(5);
  });

  it('shares a global prefetch among the consumers of a channel', async (t) => {
    const bed = await openBed(t);
    const channel = await bed.channel();
    await channel.prefetch(3, true);
    await channel.assertQueue('a');
    await channel.assertQueue('b');
    for (let body = 0; body < 4; body += 1) {
      channel.sendToQueue('a', Buffer.from(`a${body}`));
      channel.sendToQueue('b', Buffer.from(`b${body}`));
    }
    const first = await consume(channel, 'a');
    const second = await consume(channel, 'b');
    const count = (): number => first.messages.length + second.messages.length;
    for (const wanted of [3, 6, 8]) {
      await until(() => count() >= wanted);
      await settle(channel);
      assert.equal(count(), wanted);
      channel.ackAll();
    }
  });

  it('refuses a prefetch in bytes', async (t) => {
    const bed = await openBed(t);
    const client = await RawClient.open(bed.port);
    await client.openChannel(1);
    client.send(1, 'basicQos', { prefetchSize: 10, prefetchCount: 0, global: false });
    const close = await client.next('connectionClose');
    assert.equal(close.replyText, 'NOT_IMPLEMENTED - prefetch_size!=0 (10)');
    client.socket.destroy();
  });

  it('settles at once without acks', async (t) => {
    const bed = await openBed(t);
    const channel = await bed.channel(1);
    await channel.assertQueue('q');
    for (let body = 0; body < 10; body += 1) channel.sendToQueue('q', Buffer.from(String(body)));
    const inbox = await consume(channel, 'q', { noAck: true });
    await inbox.until(10);
    await settle(channel);
    const { messageCount } = await channel.checkQueue('q');
    assert.equal(messageCount, 0);
    channel.ack(inbox.messages[0]!);
    assert.match(await closeReason(channel), /406.*PRECONDITION_FAILED - unknown delivery tag 1/);
  });

  it('prefers consumers with a greater priority', async (t) => {
    const bed = await openBed(t);
    const channel = await bed.channel(2);
    await channel.assertQueue('q');
    const low = await consume(channel, 'q', { priority: 1 });
    const high = await consume(channel, 'q', { priority: 5 });
    for (let body = 0; body < 3; body += 1) channel.sendToQueue('q', Buffer.from(String(body)));
    await low.until(1);
    assert.deepEqual(high.bodies, ['0', '1']);
    assert.deepEqual(low.bodies, ['2']);
  });

  it('gives equal consumers turns', async (t) => {
    const bed = await openBed(t);
    const channel = await bed.channel();
    await channel.assertQueue('q');
    const first = await consume(channel, 'q');
    const second = await consume(channel, 'q');
    for (let body = 0; body < 10; body += 1) channel.sendToQueue('q', Buffer.from(String(body)));
    await until(() => first.messages.length + second.messages.length >= 10);
    assert.equal(first.messages.length + second.messages.length, 10);
    // Each round of deliveries begins anew with the turns.
    assert.ok(Math.min(first.messages.length, second.messages.length) >= 3);
  });

  it('refuses a tag that is used already: the connection ends', async (t) => {
    const bed = await openBed(t);
    const client = await bed.connect();
    const channel = await client.createChannel();
    channel.on('error', () => undefined);
    await channel.assertQueue('q');
    await consume(channel, 'q', { consumerTag: 'me' });
    const failed = once(client, 'error');
    channel.consume('q', () => undefined, { consumerTag: 'me' }).catch(() => undefined);
    const [error] = await failed;
    assert.match(String(error), /530.*NOT_ALLOWED - attempt to reuse consumer tag 'me'/);
  });

  it('lets one consumer have the queue to itself', async (t) => {
    const bed = await openBed(t);
    const channel = await bed.channel();
    await channel.assertQueue('q');
    const inbox = await consume(channel, 'q', { exclusive: true });
    const other = await bed.channel();
    await assert.rejects(
      consume(other, 'q'),
      /403.*ACCESS_REFUSED - queue 'q' in vhost '\/' in exclusive use/,
    );
    await channel.cancel(inbox.tag);
    const third = await bed.channel();
    await consume(third, 'q');
    const fourth = await bed.channel();
    await assert.rejects(consume(fourth, 'q', { exclusive: true }), /in exclusive use/);
  });

  it('keeps deliveries of a cancelled consumer until they are settled', async (t) => {
    const bed = await openBed(t);
    const channel = await bed.channel();
    await channel.assertQueue('q');
    channel.sendToQueue('q', Buffer.from('a'));
    const inbox = await consume(channel, 'q');
    await inbox.until(1);
    await channel.cancel(inbox.tag);
    channel.sendToQueue('q', Buffer.from('b'));
    await settle(channel);
    assert.deepEqual(inbox.bodies, ['a']);
    assert.equal((await channel.checkQueue('q')).messageCount, 1);
    channel.nack(inbox.messages[0]!);
    await settle(channel);
    assert.equal((await channel.checkQueue('q')).messageCount, 2);
  });

  it('gives a consumer what its channel published before it cancels, and nothing after', async (t) => {
    const bed = await openBed(t);
    const channel = await bed.channel();
    await channel.assertQueue('q');
    const inbox = await consume(channel, 'q');
    for (const body of ['a', 'b', 'c']) channel.sendToQueue('q', Buffer.from(body));
    await channel.cancel(inbox.tag);
    assert.deepEqual(inbox.bodies, ['a', 'b', 'c']);
    channel.sendToQueue('q', Buffer.from('d'));
    assert.equal((await channel.checkQueue('q')).messageCount, 1);
  });

  it('tells the client when the queue goes', async (t) => {
    const bed = await openBed(t);
    const channel = await bed.channel();
    await channel.assertQueue('q');
    const inbox = await consume(channel, 'q');
    const other = await bed.channel();
    await other.deleteQueue('q');
    await inbox.waitFor(() => inbox.isCancelled);
    await settle(channel);
  });

  it('refuses a queue that is not there', async (t) => {
    const bed = await openBed(t);
    const channel = await bed.channel();
    await assert.rejects(
      consume(channel, 'none'),
      /404.*NOT_FOUND - no queue 'none' in vhost '\/'/,
    );
  });

  it('closes the channel of a client that holds a delivery for too long', async (t) => {
    const bed = await openBed(t);
    const channel = await bed.channel();
    await channel.assertQueue('q');
    channel.sendToQueue('q', Buffer.from('a'));
    const closed = closeReason(channel);
    const inbox = await consume(channel, 'q', { arguments: { 'x-consumer-timeout': 150 } });
    await inbox.until(1);
    assert.match(
      await closed,
      /406.*PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: 150 ms/,
    );
    const other = await bed.channel();
    const again = await consume(other, 'q');
    const [message] = await again.until(1);
    assert.equal(message?.fields.redelivered, true);
  });
});
