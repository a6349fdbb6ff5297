import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { closeReason, consume, openBed, settle } from './messages-bed.ts';

describe('basic.ack, nack, reject, recover', () => {
  it('refuse a tag that is not known, or not any more', async (t) => {
    const bed = await openBed(t);
    const channel = await bed.channel();
    await channel.assertQueue('q');
    channel.sendToQueue('q', Buffer.from('a'));
    const inbox = await consume(channel, 'q');
    const [message] = await inbox.until(1);
    const closed = closeReason(channel);
    channel.ack(message!);
    channel.ack(message!);
    assert.match(await closed, /406.*PRECONDITION_FAILED - unknown delivery tag 1/);
  });

  it('give back at the old place, marked as redelivered', async (t) => {
    const bed = await openBed(t);
    const channel = await bed.channel(3);
    await channel.assertQueue('q');
    for (const body of ['a', 'b', 'c', 'd']) channel.sendToQueue('q', Buffer.from(body));
    const inbox = await consume(channel, 'q');
    await inbox.until(3);
    channel.nackAll(true);
    await inbox.until(6);
    assert.deepEqual(inbox.bodies.slice(3), ['a', 'b', 'c']);
    assert.ok(inbox.messages.slice(3).every(({ fields }) => fields.redelivered));
  });

  it('give everything back with recover', async (t) => {
    const bed = await openBed(t);
    const channel = await bed.channel();
    await channel.assertQueue('q');
    for (const body of ['a', 'b']) channel.sendToQueue('q', Buffer.from(body));
    const inbox = await consume(channel, 'q');
    await inbox.until(2);
    await channel.recover();
    await inbox.until(4);
    assert.deepEqual(inbox.bodies.slice(2), ['a', 'b']);
  });

  it('count failures of quorum queues: reject does, nack does not', async (t) => {
    const bed = await openBed(t);
    const channel = await bed.channel(1);
    await channel.assertQueue('dead');
    await channel.assertQueue('q', {
      durable: true,
      arguments: {
        'x-queue-type': 'quorum',
        'x-delivery-limit': 2,
        'x-dead-letter-exchange': '',
        'x-dead-letter-routing-key': 'dead',
      },
    });
    channel.sendToQueue('q', Buffer.from('a'), { persistent: true });
    const inbox = await consume(channel, 'q');
    const seen: unknown[] = [];
    for (let round = 1; round <= 5; round += 1) {
      const message = (await inbox.until(round))[round - 1]!;
      const { headers = {} } = message.properties;
      seen.push([
        message.fields.redelivered,
        headers['x-acquired-count'],
        headers['x-delivery-count'],
      ]);
      if (round <= 2) channel.nack(message);
      else channel.reject(message);
    }
    assert.deepEqual(seen, [
      [false, undefined, undefined],
      [true, 1, undefined],
      [true, 2, undefined],
      [true, 3, 1],
      [true, 4, 2],
    ]);
    const dead = await consume(channel, 'dead');
    const [message] = await dead.until(1);
    const { headers = {} } = message!.properties;
    assert.equal(headers['x-first-death-reason'], 'delivery_limit');
    const [death] = headers['x-death'] ?? [];
    assert.deepEqual(
      [death?.['queue'], death?.['reason'], death?.['count'], death?.['exchange']],
      ['q', 'delivery_limit', 1, ''],
    );
  });

  it('dead-letter what is rejected, with its history', async (t) => {
    const bed = await openBed(t);
    const channel = await bed.channel();
    await channel.assertExchange('dlx', 'fanout');
    await channel.assertExchange('x', 'direct');
    await channel.assertQueue('dead');
    await channel.bindQueue('dead', 'dlx', '');
    await channel.assertQueue('q', { deadLetterExchange: 'dlx' });
    await channel.bindQueue('q', 'x', 'k');
    channel.publish('x', 'k', Buffer.from('a'), { headers: { own: 1 } });
    const inbox = await consume(channel, 'q');
    channel.nack((await inbox.until(1))[0]!, false, false);
    const dead = await consume(channel, 'dead');
    const [message] = await dead.until(1);
    assert.deepEqual(
      [message?.fields.exchange, message?.fields.routingKey, message?.fields.redelivered],
      ['dlx', 'k', false],
    );
    const { headers = {} } = message!.properties;
    assert.equal(headers['own'], 1);
    const names = ['reason', 'queue', 'exchange'];
    assert.deepEqual(
      names.map((name) => headers[`x-first-death-${name}`]),
      ['rejected', 'q', 'x'],
    );
    assert.deepEqual(
      names.map((name) => headers[`x-last-death-${name}`]),
      ['rejected', 'q', 'x'],
    );
    const [death] = headers['x-death'] ?? [];
    assert.deepEqual(
      [death?.['count'], death?.['reason'], death?.['exchange'], death?.['routing-keys']],
      [1, 'rejected', 'x', ['k']],
    );
  });

  it('return in order what a channel or a connection leaves behind', async (t) => {
    const bed = await openBed(t);
    const client = await bed.connect();
    const channel = await client.createChannel();
    await channel.assertQueue('q');
    for (let body = 0; body < 6; body += 1) channel.sendToQueue('q', Buffer.from(String(body)));
    const inbox = await consume(channel, 'q');
    await inbox.until(6);
    channel.ack(inbox.messages[1]!);
    await channel.close();
    const second = await client.createChannel();
    const again = await consume(second, 'q');
    await again.until(5);
    assert.deepEqual(again.bodies, ['0', '2', '3', '4', '5']);
    await client.close();
    const other = await bed.channel();
    const last = await consume(other, 'q');
    await last.until(5);
    assert.deepEqual(last.bodies, ['0', '2', '3', '4', '5']);
    assert.ok(last.messages.every(({ fields }) => fields.redelivered));
  });
});

describe('basic.get', () => {
  it('fetches one message, and says how many are left', async (t) => {
    const bed = await openBed(t);
    const channel = await bed.channel();
    await channel.assertQueue('q');
    assert.equal(await channel.get('q'), false);
    channel.sendToQueue('q', Buffer.from('a'));
    channel.sendToQueue('q', Buffer.alloc(300_000, 'b'));
    await settle(channel);
    const first = await channel.get('q');
    assert.ok(first !== false);
    assert.deepEqual(
      [first.content.toString(), first.fields.messageCount, first.fields.redelivered],
      ['a', 1, false],
    );
    channel.nack(first);
    await settle(channel);
    const again = await channel.get('q', { noAck: true });
    assert.ok(again !== false);
    assert.deepEqual([again.content.toString(), again.fields.redelivered], ['a', true]);
    const second = await channel.get('q');
    assert.ok(second !== false);
    assert.equal(second.content.length, 300_000);
    channel.ack(second);
    await settle(channel);
    assert.equal(await channel.get('q'), false);
  });
});
