import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Field, MethodArguments } from '../../../src/doors/amqp091/wire/index.ts';
import { frameType } from '../../../src/doors/amqp091/wire/index.ts';
import { patienceMs } from '../../support/patience.ts';
import { openBed } from './messages-bed.ts';
import { RawClient } from './raw-client.ts';

/*
 * What a channel is told reflects what it did before, without confirms and without waiting: everything here is sent at once.
 */

async function open(t: TestContext, channels = 1): Promise<RawClient> {
  const { port } = await openBed(t);
  const client = await RawClient.open(port);
  t.after(() => client.destroy());
  for (let channel = 1; channel <= channels; channel += 1) await client.openChannel(channel);
  return client;
}

async function declare(
  client: RawClient,
  queue: string,
  fields: Record<string, string | number> = {},
): Promise<void> {
  const table = new Map<string, Field>();
  for (const [name, value] of Object.entries(fields)) {
    table.set(name, typeof value === 'number' ? { type: 'I', value } : { type: 'S', value });
  }
  client.send(1, 'queueDeclare', {
    ticket: 0,
    queue,
    passive: false,
    durable: true,
    exclusive: false,
    autoDelete: false,
    nowait: false,
    arguments: table,
  });
  await client.next('queueDeclareOk', patienceMs);
}

function publish(
  client: RawClient,
  queue: string,
  text: string,
  { channel = 1, mandatory = false } = {},
): void {
  client.send(channel, 'basicPublish', {
    ticket: 0,
    exchange: '',
    routingKey: queue,
    mandatory,
    immediate: false,
  });
  client.header(channel, text.length);
  client.frame(frameType.body, channel, Buffer.from(text));
}

function askFor(client: RawClient, queue: string): void {
  client.send(1, 'basicGet', { ticket: 0, queue, noAck: false });
}

/** The body that a basic.get brought, and how many messages were left. */
async function got(client: RawClient): Promise<[body: string, left: number, tag: number]> {
  const { messageCount, deliveryTag } = await client.next('basicGetOk', patienceMs);
  return [await body(client), messageCount, deliveryTag];
}

async function body(client: RawClient): Promise<string> {
  const parts: string[] = [];
  for (;;) {
    const frame = await client.take(patienceMs);
    assert.ok(frame !== undefined, 'no frame came');
    if (frame.type === frameType.body) return frame.payload.toString();
    parts.push(String(frame.type));
    assert.ok(parts.length < 2, `frames ${parts.join(', ')} and no body`);
  }
}

async function delivered(client: RawClient): Promise<MethodArguments<'basicDeliver'>> {
  return client.next('basicDeliver', patienceMs);
}

function consume(client: RawClient, queue: string): void {
  client.send(1, 'basicConsume', {
    ticket: 0,
    queue,
    consumerTag: 'c',
    noLocal: false,
    noAck: false,
    exclusive: false,
    nowait: false,
    arguments: new Map(),
  });
}

describe('on one channel', () => {
  it('a get sees what was published, and what the queue’s length leaves of it', async (t) => {
    const client = await open(t);
    await declare(client, 'q', { 'x-max-length': 2 });
    for (const text of ['1', '2', '3', '4']) publish(client, 'q', text);
    askFor(client, 'q');
    assert.deepEqual((await got(client)).slice(0, 2), ['3', 1]);
  });

  it('a get leaves what a consumer waits for', async (t) => {
    const client = await open(t);
    await declare(client, 'q');
    consume(client, 'q');
    await client.next('basicConsumeOk', patienceMs);
    publish(client, 'q', '1');
    askFor(client, 'q');
    await delivered(client);
    assert.equal(await body(client), '1');
    await client.next('basicGetEmpty', patienceMs);
  });

  for (const kind of ['basicReject', 'basicNack'] as const) {
    it(`a get sees the dead letter of a ${kind} before it`, async (t) => {
      const client = await open(t);
      await declare(client, 'dead');
      await declare(client, 'q', {
        'x-dead-letter-exchange': '',
        'x-dead-letter-routing-key': 'dead',
      });
      for (const text of ['1', '2']) {
        publish(client, 'q', text);
        askFor(client, 'q');
        const [, , deliveryTag] = await got(client);
        if (kind === 'basicReject') client.send(1, kind, { deliveryTag, requeue: false });
        else client.send(1, kind, { deliveryTag, multiple: false, requeue: false });
        askFor(client, 'dead');
        assert.equal((await got(client))[0], text);
      }
    });
  }

  it('a message with a TTL of 0 is delivered to a consumer that waits, and dies when it comes back', async (t) => {
    const client = await open(t);
    await declare(client, 'q', { 'x-message-ttl': 0 });
    publish(client, 'q', 'before the consumer');
    consume(client, 'q');
    await client.next('basicConsumeOk', patienceMs);
    publish(client, 'q', '1');
    const { deliveryTag } = await delivered(client);
    assert.equal(await body(client), '1');
    client.send(1, 'basicReject', { deliveryTag, requeue: true });
    publish(client, 'q', '2');
    await delivered(client);
    assert.equal(await body(client), '2');
  });

  it('a consumer gets what acks make room for before it is cancelled', async (t) => {
    const client = await open(t);
    await declare(client, 'q');
    for (const text of ['1', '2', '3', '4', '5']) publish(client, 'q', text);
    client.send(1, 'basicQos', { prefetchSize: 0, prefetchCount: 2, global: false });
    await client.next('basicQosOk', patienceMs);
    consume(client, 'q');
    const bodies: string[] = [];
    const deliver = async (): Promise<number> => {
      const { deliveryTag } = await client.next('basicDeliver', patienceMs);
      bodies.push(await body(client));
      return deliveryTag;
    };
    const tags = [await deliver(), await deliver()];
    for (const deliveryTag of tags) client.send(1, 'basicAck', { deliveryTag, multiple: false });
    client.send(1, 'basicCancel', { consumerTag: 'c', nowait: false });
    await deliver();
    await deliver();
    await client.next('basicCancelOk', patienceMs);
    assert.deepEqual(bodies, ['1', '2', '3', '4']);
    askFor(client, 'q');
    assert.equal((await got(client))[0], '5');
  });

  it('a consumer is told of its queue’s deletion behind the answer', async (t) => {
    const { port } = await openBed(t);
    const notices: [string, Field] = ['consumer_cancel_notify', { type: 't', value: true }];
    const client = await RawClient.open(port, { capabilities: new Map([notices]) });
    t.after(() => client.destroy());
    await client.openChannel(1);
    await declare(client, 'q');
    consume(client, 'q');
    await client.next('basicConsumeOk', patienceMs);
    client.send(1, 'queueDelete', {
      ticket: 0,
      queue: 'q',
      ifUnused: false,
      ifEmpty: false,
      nowait: false,
    });
    await client.next('queueDeleteOk', patienceMs);
    assert.equal((await client.next('basicCancel', patienceMs)).consumerTag, 'c');
  });
});

describe('on another channel of the connection', () => {
  it('a get sees what was published on a channel that has been closed', async (t) => {
    const client = await open(t, 2);
    await declare(client, 'q');
    publish(client, 'q', '1', { channel: 2 });
    client.send(2, 'channelClose', {
      replyCode: 200,
      replyText: '',
      failedClassId: 0,
      failedMethodId: 0,
    });
    await client.next('channelCloseOk', patienceMs);
    askFor(client, 'q');
    assert.equal((await got(client))[0], '1');
  });

  it('a get finds what is on its way from a channel that is still open', async (t) => {
    const client = await open(t, 2);
    await declare(client, 'q');
    publish(client, 'q', '1', { channel: 2 });
    askFor(client, 'q');
    assert.equal((await got(client))[0], '1');
  });
});

describe('in a transaction', () => {
  it('what no queue takes comes back with the commit, before its answer; a rollback forgets it', async (t) => {
    const client = await open(t);
    client.send(1, 'txSelect', {});
    await client.next('txSelectOk', patienceMs);
    publish(client, 'nobody', 'forgotten', { mandatory: true });
    client.send(1, 'txRollback', {});
    await client.next('txRollbackOk', patienceMs);
    publish(client, 'nobody', 'returned', { mandatory: true });
    client.send(1, 'basicQos', { prefetchSize: 0, prefetchCount: 0, global: false });
    await client.next('basicQosOk', patienceMs);
    client.send(1, 'txCommit', {});
    assert.equal((await client.next('basicReturn', patienceMs)).replyCode, 312);
    assert.equal(await body(client), 'returned');
    await client.next('txCommitOk', patienceMs);
  });
});
