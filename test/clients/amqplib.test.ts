import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test, type TestContext } from 'node:test';
import {
  type Channel,
  type ChannelModel,
  type ConfirmChannel,
  type ConsumeMessage,
  connect,
  type GetMessage,
  type Options,
} from 'amqplib';
import { ServerProcess } from './server-process.ts';
import { until } from '../support/until.ts';

let server: ServerProcess;
let names = 0;

/** A name that no other test uses, also on a broker that is not ours. */
function unique(word: string): string {
  names += 1;
  return `amqplib-${word}-${process.pid.toString(36)}-${names}`;
}

/** A confirm channel on a connection of its own, closed with the test. */
async function openChannel(t: TestContext): Promise<ConfirmChannel> {
  return (await openClient(t)).createConfirmChannel();
}

async function openClient(t: TestContext): Promise<ChannelModel> {
  const client = await connect(server.amqpUrl);
  // What closes it is looked at by the test; an event without a listener would end the process.
  client.on('error', () => undefined);
  t.after(() => client.close().catch(() => undefined));
  return client;
}

/** Collects what a consumer is given. */
async function collect(
  channel: Channel,
  queue: string,
  options: Options.Consume = {},
): Promise<{ tag: string; messages: ConsumeMessage[]; cancelled: () => boolean }> {
  const messages: ConsumeMessage[] = [];
  let isCancelled = false;
  const { consumerTag } = await channel.consume(
    queue,
    (message) => {
      if (message === null) isCancelled = true;
      else messages.push(message);
    },
    options,
  );
  return { tag: consumerTag, messages, cancelled: () => isCancelled };
}

function texts(messages: readonly (ConsumeMessage | GetMessage)[]): string[] {
  return messages.map((message) => message.content.toString());
}

async function send(
  channel: ConfirmChannel,
  queue: string,
  ...bodies: readonly string[]
): Promise<void> {
  for (const body of bodies) channel.sendToQueue(queue, Buffer.from(body), { persistent: true });
  await channel.waitForConfirms();
}

async function getNow(channel: Channel, queue: string): Promise<GetMessage> {
  const message = await channel.get(queue);
  assert.ok(message !== false, `${queue} is empty`);
  return message;
}

describe('amqplib', () => {
  before(async () => {
    server = await ServerProcess.start();
  });

  after(async () => {
    await server.stop();
  });

  test('declares, publishes with confirms, consumes with every property', async (t) => {
    const channel = await openChannel(t);
    const queue = unique('properties');
    assert.deepEqual(await channel.assertQueue(queue), {
      queue,
      messageCount: 0,
      consumerCount: 0,
    });
    const properties = {
      contentType: 'application/json',
      contentEncoding: 'gzip',
      headers: { text: 'täxt', whole: 7, half: 1.5, yes: true, list: [1, 'two'], in: { side: 1 } },
      deliveryMode: 2,
      priority: 3,
      correlationId: 'correlation',
      replyTo: 'answers',
      expiration: '60000',
      messageId: 'message',
      timestamp: 1_700_000_000,
      type: 'kind',
      userId: 'guest',
      appId: 'application',
    };
    const body = Buffer.from([0, 1, 2, 255]);
    channel.publish('', queue, body, properties);
    await channel.waitForConfirms();
    assert.equal((await channel.checkQueue(queue)).messageCount, 1);
    const { messages, tag } = await collect(channel, queue);
    await until(() => messages.length === 1, 'the message');
    const message = messages[0]!;
    assert.deepEqual(message.content, body);
    const { clusterId, ...received } = message.properties;
    assert.equal(clusterId, undefined);
    assert.deepEqual(received, properties);
    assert.deepEqual(message.fields, {
      consumerTag: tag,
      deliveryTag: 1,
      redelivered: false,
      exchange: '',
      routingKey: queue,
    });
    channel.ack(message);
    await channel.cancel(tag);
    assert.deepEqual(await channel.deleteQueue(queue), { messageCount: 0 });
  });

  test('acks, nacks and rejects, one and many', async (t) => {
    const channel = await openChannel(t);
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await send(channel, queue, 'a', 'b', 'c', 'd', 'e');
    const first = await getNow(channel, queue);
    assert.equal(first.fields.messageCount, 4);
    channel.nack(first);
    const again = await getNow(channel, queue);
    assert.deepEqual([texts([again]), again.fields.redelivered], [['a'], true]);
    channel.reject(again, false);
    await getNow(channel, queue);
    const c = await getNow(channel, queue);
    channel.ack(c, true);
    await getNow(channel, queue);
    await getNow(channel, queue);
    channel.nackAll(true);
    assert.equal((await channel.checkQueue(queue)).messageCount, 2);
    assert.deepEqual(texts([await getNow(channel, queue), await getNow(channel, queue)]), [
      'd',
      'e',
    ]);
    channel.ackAll();
    assert.equal(await channel.get(queue), false);
  });

  test('holds to the prefetch of each consumer, and gives more with each ack', async (t) => {
    const channel = await openChannel(t);
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await send(channel, queue, ...Array.from({ length: 10 }, (_, index) => String(index)));
    await channel.prefetch(3);
    const { messages } = await collect(channel, queue);
    await until(() => messages.length === 3, 'three messages');
    assert.equal((await channel.checkQueue(queue)).messageCount, 7);
    channel.ack(messages[1]!, true);
    await until(() => messages.length === 5, 'five messages');
    assert.equal((await channel.checkQueue(queue)).messageCount, 5);
    assert.deepEqual(texts(messages), ['0', '1', '2', '3', '4']);
  });

  test('what a connection leaves behind comes again, in order and marked', async (t) => {
    const channel = await openChannel(t);
    const queue = unique('redelivered');
    await channel.assertQueue(queue);
    await send(channel, queue, 'a', 'b', 'c');
    const client = await openClient(t);
    const other = await client.createChannel();
    const left = await collect(other, queue);
    await until(() => left.messages.length === 3, 'all');
    await client.close();
    const { messages } = await collect(channel, queue, { noAck: true });
    await until(() => messages.length === 3, 'all again');
    assert.deepEqual(texts(messages), ['a', 'b', 'c']);
    assert.ok(messages.every((message) => message.fields.redelivered));
    await channel.deleteQueue(queue);
  });

  test('a cancelled consumer gets nothing more; one whose queue goes is told', async (t) => {
    const channel = await openChannel(t);
    const { queue } = await channel.assertQueue(unique('cancel'), { autoDelete: false });
    const quiet = await collect(channel, queue, { consumerTag: 'quiet' });
    await channel.cancel('quiet');
    await send(channel, queue, 'later');
    assert.equal((await channel.checkQueue(queue)).messageCount, 1);
    const told = await collect(channel, queue);
    await until(() => told.messages.length === 1, 'the message');
    await channel.deleteQueue(queue);
    await until(() => told.cancelled(), 'being told');
    assert.deepEqual([quiet.messages.length, quiet.cancelled()], [0, false]);
  });

  test('a mandatory message that goes nowhere is returned before its confirm', async (t) => {
    const channel = await openChannel(t);
    const order: string[] = [];
    channel.on('return', (message: { fields: { replyCode?: number; routingKey: string } }) => {
      order.push(`return ${message.fields.replyCode} ${message.fields.routingKey}`);
    });
    channel.publish('amq.direct', 'nowhere', Buffer.from('x'), { mandatory: true }, (error) => {
      order.push(error === null || error === undefined ? 'confirm' : 'nack');
    });
    await channel.waitForConfirms();
    assert.deepEqual(order, ['return 312 nowhere', 'confirm']);
  });

  const routes: ReadonlyArray<{
    type: string;
    options?: Options.AssertExchange;
    bindings: ReadonlyArray<readonly [queue: string, key: string, args?: Record<string, unknown>]>;
    messages: ReadonlyArray<readonly [key: string, headers: Record<string, unknown>, to: string]>;
  }> = [
    {
      type: 'direct',
      bindings: [
        ['a', 'one'],
        ['b', 'one'],
        ['b', 'two'],
      ],
      messages: [
        ['one', {}, 'ab'],
        ['two', {}, 'b'],
        ['three', {}, ''],
      ],
    },
    {
      type: 'fanout',
      bindings: [
        ['a', ''],
        ['b', 'ignored'],
      ],
      messages: [['anything', {}, 'ab']],
    },
    {
      type: 'topic',
      bindings: [
        ['a', 'eu.*.high'],
        ['b', 'eu.#'],
        ['c', '#'],
      ],
      messages: [
        ['eu.de.high', {}, 'abc'],
        ['eu', {}, 'bc'],
        ['us.ny.high', {}, 'c'],
        ['eu.de.berlin.high', {}, 'bc'],
      ],
    },
    {
      type: 'headers',
      bindings: [
        ['a', '', { 'x-match': 'all', kind: 'x', size: 1 }],
        ['b', '', { 'x-match': 'any', kind: 'x', size: 1 }],
      ],
      messages: [
        ['', { kind: 'x', size: 1 }, 'ab'],
        ['', { kind: 'x', size: 2 }, 'b'],
        ['', { kind: 'y' }, ''],
      ],
    },
  ];
  for (const { type, options, bindings, messages } of routes) {
    test(`an exchange of type ${type} routes as its type says`, async (t) => {
      const channel = await openChannel(t);
      const exchange = unique(type);
      await channel.assertExchange(exchange, type, { autoDelete: true, ...options });
      const queues = new Map<string, string>();
      for (const [letter, key, args] of bindings) {
        const known = queues.get(letter);
        const name = known ?? (await channel.assertQueue('', { exclusive: true })).queue;
        queues.set(letter, name);
        await channel.bindQueue(name, exchange, key, args);
      }
      for (const [key, headers, expected] of messages) {
        channel.publish(exchange, key, Buffer.from(key), { headers });
        await channel.waitForConfirms();
        let reached = '';
        for (const [letter, name] of queues) {
          if ((await channel.get(name, { noAck: true })) !== false) reached += letter;
        }
        assert.equal(reached, expected, `${key} ${JSON.stringify(headers)}`);
      }
    });
  }

  test('exchanges bound to exchanges, and an alternate one for the rest', async (t) => {
    const channel = await openChannel(t);
    const [source, inner, rest] = [unique('source'), unique('inner'), unique('rest')];
    await channel.assertExchange(rest, 'fanout', { autoDelete: true });
    await channel.assertExchange(source, 'direct', { alternateExchange: rest });
    await channel.assertExchange(inner, 'topic', { autoDelete: true });
    await channel.bindExchange(inner, source, 'known.key');
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const { queue: others } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(queue, inner, 'known.*');
    await channel.bindQueue(others, rest, '');
    channel.publish(source, 'known.key', Buffer.from('in'));
    channel.publish(source, 'other', Buffer.from('out'));
    await channel.waitForConfirms();
    assert.deepEqual(texts([await getNow(channel, queue), await getNow(channel, others)]), [
      'in',
      'out',
    ]);
    await channel.deleteExchange(source);
  });

  test('expired, rejected and overflowing messages go to the dead-letter exchange', async (t) => {
    const channel = await openChannel(t);
    const dead = (await channel.assertQueue('', { exclusive: true })).queue;
    const options = { exclusive: true, deadLetterExchange: '', deadLetterRoutingKey: dead };
    const { queue } = await channel.assertQueue('', { ...options, maxLength: 2 });
    // One of its own: nobody could say what else expires on a machine that stands still.
    const short = (await channel.assertQueue('', { ...options, messageTtl: 300 })).queue;
    await send(channel, queue, 'overflowing', 'rejected', 'staying');
    channel.reject(await getNow(channel, queue), false);
    const { messages } = await collect(channel, dead, { noAck: true });
    await until(() => messages.length === 2, 'two dead letters');
    await send(channel, short, 'expiring');
    await until(() => messages.length === 3, 'three dead letters');
    assert.deepEqual(
      messages.map((message) => [
        message.content.toString(),
        message.properties.headers?.['x-first-death-reason'],
        message.properties.headers?.['x-death']?.[0]?.queue,
        message.properties.headers?.['x-death']?.[0]?.count,
      ]),
      [
        ['overflowing', 'maxlen', queue, 1],
        ['rejected', 'rejected', queue, 1],
        ['expiring', 'expired', short, 1],
      ],
    );
  });

  test('priorities overtake', async (t) => {
    const channel = await openChannel(t);
    const { queue } = await channel.assertQueue('', { exclusive: true, maxPriority: 5 });
    for (const [index, priority] of [0, 5, 2, 5, 9].entries()) {
      channel.sendToQueue(queue, Buffer.from(`${priority}-${index}`), { priority });
    }
    await channel.waitForConfirms();
    const { messages } = await collect(channel, queue, { noAck: true });
    await until(() => messages.length === 5, 'all');
    assert.deepEqual(texts(messages), ['5-1', '5-3', '9-4', '2-2', '0-0']);
  });

  test('a delayed exchange gives each message when it is due', async (t) => {
    const channel = await openChannel(t);
    if (server.isOther) return t.skip('the delayed exchange is a plugin there');
    const exchange = unique('delayed');
    await channel.assertExchange(exchange, 'x-delayed-message', {
      autoDelete: true,
      arguments: { 'x-delayed-type': 'direct' },
    });
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(queue, exchange, 'k');
    const sentMs = Date.now();
    for (const delay of [600, 200, 0]) {
      channel.publish(exchange, 'k', Buffer.from(String(delay)), {
        headers: { 'x-delay': delay },
      });
    }
    await channel.waitForConfirms();
    // Which comes first is for the clock to say: where the machine stands still, later ones may be due as well.
    const tookMs = new Map<number, number>();
    const take = (message: ConsumeMessage | null): void => {
      tookMs.set(Number(message?.content), Date.now() - sentMs);
    };
    await channel.consume(queue, take, { noAck: true });
    await until(() => tookMs.size === 3, 'all');
    for (const [delay, ms] of tookMs) assert.ok(ms >= delay, `${delay} came after ${ms} ms`);
  });

  test('asks and answers with direct reply-to', async (t) => {
    const asking = await openChannel(t);
    const answering = await openChannel(t);
    const { queue } = await answering.assertQueue('', { exclusive: true });
    await answering.consume(
      queue,
      (message) => {
        const { replyTo, correlationId } = message!.properties;
        const answer = Buffer.from(message!.content.toString().toUpperCase());
        answering.sendToQueue(String(replyTo), answer, { correlationId: String(correlationId) });
      },
      { noAck: true },
    );
    const { messages } = await collect(asking, 'amq.rabbitmq.reply-to', { noAck: true });
    for (const word of ['one', 'two']) {
      asking.publish('', queue, Buffer.from(word), {
        replyTo: 'amq.rabbitmq.reply-to',
        correlationId: `id-${word}`,
      });
    }
    await until(() => messages.length === 2, 'answers');
    assert.deepEqual(
      messages.map((message) => [message.properties.correlationId, message.content.toString()]),
      [
        ['id-one', 'ONE'],
        ['id-two', 'TWO'],
      ],
    );
  });

  const mistakes: ReadonlyArray<
    readonly [string, number, (channel: Channel) => Promise<unknown> | void]
  > = [
    ['a queue that is not there', 404, (channel) => channel.checkQueue(unique('none'))],
    ['another declaration', 406, redeclare],
    ['an ack of nothing', 406, ackNothing],
    ['an exchange that is not there', 404, publishNowhere],
    ['a reserved name', 403, (channel) => channel.assertQueue('amq.mine')],
  ];
  for (const [name, code, run] of mistakes) {
    test(`${name}: the channel is closed with ${code}, the connection stays`, async (t) => {
      const client = await openClient(t);
      const channel = await client.createChannel();
      const failing = once(channel, 'error') as Promise<[Error & { code: number }]>;
      await Promise.resolve(run(channel)).catch(() => undefined);
      const [error] = await failing;
      assert.equal(error.code, code);
      const next = await client.createChannel();
      assert.ok((await next.assertQueue('', { exclusive: true })).queue.startsWith('amq.gen-'));
    });
  }

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    test(`what was confirmed is there after ${signal}, what was acked is not`, async (t) => {
      if (server.isOther) return t.skip('not ours to restart');
      const client = await openClient(t);
      const channel = await client.createConfirmChannel();
      const queue = unique('restart');
      await channel.assertQueue(queue, { durable: true });
      await channel.assertExchange(`${queue}-x`, 'topic', { durable: true });
      await channel.bindQueue(queue, `${queue}-x`, 'a.#');
      await send(channel, queue, 'acked', 'held', 'kept');
      channel.ack(await getNow(channel, queue));
      await getNow(channel, queue);
      // A confirm that comes after an ack on the same channel says that the ack is durable.
      await send(channel, queue, 'last');
      // Not once(): it rejects on the error that a killed server leaves.
      const isClosed = new Promise((resolve) => {
        client.on('close', resolve);
      });
      await server.restart(signal);
      await isClosed;
      const next = await openChannel(t);
      next.publish(`${queue}-x`, 'a.b', Buffer.from('routed'));
      await next.waitForConfirms();
      const { messages } = await collect(next, queue, { noAck: true });
      await until(() => messages.length === 4, 'what was kept');
      assert.deepEqual(texts(messages), ['held', 'kept', 'last', 'routed']);
      assert.deepEqual(
        messages.map((message) => message.fields.redelivered),
        [true, false, false, false],
      );
      await next.deleteQueue(queue);
      await next.deleteExchange(`${queue}-x`);
    });
  }
});

async function redeclare(channel: Channel): Promise<void> {
  const queue = unique('again');
  await channel.assertQueue(queue, { exclusive: true });
  await channel.assertQueue(queue, { exclusive: true, maxLength: 5 });
}

function ackNothing(channel: Channel): void {
  channel.ackAll();
  channel.ack({ fields: { deliveryTag: 77 } } as ConsumeMessage);
}

function publishNowhere(channel: Channel): void {
  channel.publish(unique('none'), 'key', Buffer.from('x'));
}
