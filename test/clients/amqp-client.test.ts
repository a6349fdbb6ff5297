import assert from 'node:assert/strict';
import { after, before, describe, test, type TestContext } from 'node:test';
import {
  type AMQPChannel,
  AMQPClient,
  type AMQPMessage,
  AMQPSession,
} from '@cloudamqp/amqp-client';
import { patienceMs } from '../support/patience.ts';
import { ServerProcess } from './server-process.ts';
import { until } from '../support/until.ts';

const pollMs = 10;
let server: ServerProcess;
let names = 0;

/** A name that no other test uses, also on a broker that is not ours. */
function unique(word: string): string {
  names += 1;
  return `amqp-client-${word}-${process.pid.toString(36)}-${names}`;
}

/** A channel on a connection of its own, which is closed with the test. */
async function openChannel(t: TestContext): Promise<AMQPChannel> {
  const client = new AMQPClient(server.amqpUrl);
  const connection = await client.connect();
  t.after(() => connection.close().catch(() => undefined));
  return connection.channel();
}

function texts(messages: readonly AMQPMessage[]): (string | null)[] {
  return messages.map((message) => message.bodyString());
}

describe('@cloudamqp/amqp-client', () => {
  before(async () => {
    server = await ServerProcess.start();
  });

  after(async () => {
    await server.stop();
  });

  test('declares, publishes with confirms, consumes with every property', async (t) => {
    const channel = await openChannel(t);
    const queue = unique('properties');
    await channel.queueDeclare(queue);
    await channel.confirmSelect();
    const properties = {
      contentType: 'text/plain',
      contentEncoding: 'identity',
      headers: { text: 'täxt', whole: 7, half: 1.5, yes: true, none: null, in: { side: 1 } },
      deliveryMode: 2,
      priority: 3,
      correlationId: 'correlation',
      replyTo: 'answers',
      expiration: '60000',
      messageId: 'message',
      timestamp: new Date(1_700_000_000_000),
      type: 'kind',
      userId: 'guest',
      appId: 'application',
    };
    assert.equal(await channel.basicPublish('', queue, 'hello', properties), 1);
    const message = await channel.basicGet(queue, { noAck: false });
    assert.equal(message?.bodyString(), 'hello');
    assert.deepEqual(message.properties, properties);
    assert.deepEqual(
      [message.exchange, message.routingKey, message.redelivered, message.messageCount],
      ['', queue, false, 0],
    );
    await message.ack();
    assert.equal((await channel.queueDelete(queue)).messageCount, 0);
  });

  test('acks, nacks, rejects and recovers', async (t) => {
    const channel = await openChannel(t);
    await channel.confirmSelect();
    const queue = (await channel.queueDeclare('')).name;
    for (const body of ['a', 'b', 'c']) await channel.basicPublish('', queue, body);
    const get = () => channel.basicGet(queue, { noAck: false });
    await (await get())!.nack(true);
    const again = (await get())!;
    assert.deepEqual([again.bodyString(), again.redelivered], ['a', true]);
    await again.reject(false);
    await get();
    await channel.basicRecover(true);
    assert.equal((await get())!.bodyString(), 'b');
    await (await get())!.ack(true);
    assert.equal(await get(), null);
  });

  test('holds to the prefetch, and gives more with each ack', async (t) => {
    const channel = await openChannel(t);
    await channel.confirmSelect();
    const queue = (await channel.queueDeclare('')).name;
    for (let index = 0; index < 6; index += 1) {
      await channel.basicPublish('', queue, String(index));
    }
    await channel.prefetch(2);
    const messages: AMQPMessage[] = [];
    const consumer = await channel.basicConsume(queue, { noAck: false }, (message) => {
      messages.push(message);
    });
    await until(() => messages.length === 2, 'two');
    assert.equal((await channel.queueDeclare(queue, { passive: true })).messageCount, 4);
    await messages[1]!.ack(true);
    await until(() => messages.length === 4, 'four');
    await consumer.cancel();
    assert.deepEqual(texts(messages), ['0', '1', '2', '3']);
  });

  test('a returned message comes back with why', async (t) => {
    const channel = await openChannel(t);
    await channel.confirmSelect();
    const returned: AMQPMessage[] = [];
    channel.onReturn = (message) => {
      returned.push(message);
    };
    await channel.basicPublish('amq.direct', 'nowhere', 'x', {}, true);
    await until(() => returned.length === 1, 'the return');
    assert.deepEqual(
      [returned[0]!.replyCode, returned[0]!.replyText, returned[0]!.bodyString()],
      [312, 'NO_ROUTE', 'x'],
    );
  });

  test('a topology of exchanges, dead letters and priorities', async (t) => {
    const channel = await openChannel(t);
    await channel.confirmSelect();
    const [source, inner] = [unique('source'), unique('inner')];
    await channel.exchangeDeclare(source, 'topic', { autoDelete: true });
    await channel.exchangeDeclare(inner, 'headers', { autoDelete: true });
    await channel.exchangeBind(inner, source, '#.error');
    const dead = (await channel.queueDeclare('')).name;
    const options = { exclusive: true, autoDelete: true };
    const { name } = await channel.queueDeclare('', options, {
      'x-max-priority': 3,
      'x-dead-letter-exchange': '',
      'x-dead-letter-routing-key': dead,
      'x-message-ttl': 3_600_000,
    });
    await channel.queueBind(name, inner, '', { 'x-match': 'all', from: 'here' });
    // Only this one has little time: the other must be there still when a slow machine comes to take it.
    const low = { priority: 1, expiration: '500', headers: { from: 'here' } };
    await channel.basicPublish(source, 'a.error', 'low', low);
    for (const [body, from] of [
      ['high', 'here'],
      ['elsewhere', 'there'],
    ] as const) {
      await channel.basicPublish(source, 'a.error', body, { priority: 3, headers: { from } });
    }
    const first = await channel.basicGet(name, { noAck: true });
    assert.equal(first?.bodyString(), 'high');
    const messages: AMQPMessage[] = [];
    await channel.basicConsume(dead, { noAck: true }, (message) => {
      messages.push(message);
    });
    await until(() => messages.length === 1, 'the dead letter');
    assert.deepEqual(texts(messages), ['low']);
    assert.equal(messages[0]!.properties.headers?.['x-first-death-reason'], 'expired');
  });

  test('transactions are seen when they are committed, and not when rolled back', async (t) => {
    const channel = await openChannel(t);
    const reader = await openChannel(t);
    const queue = unique('tx');
    await channel.queueDeclare(queue);
    await channel.txSelect();
    await channel.basicPublish('', queue, 'dropped');
    await channel.txRollback();
    await channel.basicPublish('', queue, 'kept');
    assert.equal((await reader.queueDeclare(queue, { passive: true })).messageCount, 0);
    await channel.txCommit();
    assert.equal((await reader.basicGet(queue))?.bodyString(), 'kept');
    assert.equal((await reader.queueDelete(queue)).messageCount, 0);
  });

  test('an error closes the channel and tells why; the connection stays', async (t) => {
    const channel = await openChannel(t);
    await assert.rejects(
      channel.queueDeclare(unique('none'), { passive: true }),
      /NOT_FOUND - no queue 'amqp-client-none-.*' in vhost '\/'/,
    );
    const next = await channel.connection.channel();
    assert.match((await next.queueDeclare('')).name, /^amq\.gen-/);
  });

  test('a session calls with direct reply-to', async () => {
    const session = await AMQPSession.connect(server.amqpUrl, { logger: null });
    const queue = unique('rpc');
    try {
      await session.rpcServer(queue, (message) => `${message.bodyString()}!`);
      const answer = await session.rpcCall(queue, 'ping', { timeout: patienceMs });
      assert.equal(answer.bodyString(), 'ping!');
    } finally {
      await session.stop();
    }
  });

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    test(`a session finds its way back after ${signal}, with its consumers`, async (t) => {
      if (server.isOther) return t.skip('not ours to restart');
      const session = await AMQPSession.connect(server.amqpUrl, {
        logger: null,
        reconnectInterval: 50,
        maxReconnectInterval: 200,
      });
      try {
        const queue = await session.queue(unique('session'), { durable: true });
        const seen: (string | null)[] = [];
        await queue.subscribe({ noAck: false }, (message) => {
          seen.push(message.bodyString());
        });
        await queue.publish('before');
        await until(() => seen.includes('before'), 'the first');
        await server.restart(signal);
        await until(() => !session.closed, 'the connection');
        const deadlineMs = Date.now() + patienceMs;
        for (;;) {
          try {
            await queue.publish('after');
            break;
          } catch (error) {
            if (Date.now() > deadlineMs) throw error;
            // It fails at once, and must let the session go on.
            await new Promise((resolve) => {
              setTimeout(resolve, pollMs);
            });
          }
        }
        await until(() => seen.includes('after'), 'the second');
      } finally {
        await session.stop();
      }
    });
  }
});
