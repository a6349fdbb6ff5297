import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { frameType, type MethodArguments } from '../../../src/doors/amqp091/wire/index.ts';
import { openBed } from './messages-bed.ts';
import { RawClient } from './raw-client.ts';

// None of the JavaScript clients has transactions.

async function open(port: number): Promise<RawClient> {
  const client = await RawClient.open(port);
  await client.openChannel(1);
  return client;
}

async function declare(
  client: RawClient,
  queue: string,
  queueArguments: MethodArguments<'queueDeclare'>['arguments'] = new Map(),
): Promise<number> {
  client.send(1, 'queueDeclare', {
    ticket: 0,
    queue,
    passive: false,
    durable: true,
    exclusive: false,
    autoDelete: false,
    nowait: false,
    arguments: queueArguments,
  });
  return (await client.next('queueDeclareOk')).messageCount;
}

function publish(client: RawClient, queue: string, body: string): void {
  client.send(1, 'basicPublish', {
    ticket: 0,
    exchange: '',
    routingKey: queue,
    mandatory: false,
    immediate: false,
  });
  client.header(1, body.length);
  client.frame(frameType.body, 1, Buffer.from(body));
}

async function get(client: RawClient, queue: string): Promise<MethodArguments<'basicGetOk'>> {
  client.send(1, 'basicGet', { ticket: 0, queue, noAck: false });
  return client.next('basicGetOk');
}

async function select(client: RawClient): Promise<void> {
  client.send(1, 'txSelect', {});
  await client.next('txSelectOk');
}

async function commit(client: RawClient): Promise<void> {
  client.send(1, 'txCommit', {});
  await client.next('txCommitOk');
}

describe('transactions of a channel', () => {
  it('publish nothing before the commit, and nothing after a rollback', async (t) => {
    const bed = await openBed(t);
    const client = await open(bed.port);
    t.after(() => client.socket.destroy());
    await declare(client, 'a');
    await declare(client, 'b');
    await select(client);
    publish(client, 'a', '1');
    publish(client, 'b', '2');
    assert.equal(await declare(client, 'a'), 0);
    await commit(client);
    assert.deepEqual([await declare(client, 'a'), await declare(client, 'b')], [1, 1]);
    publish(client, 'a', '3');
    client.send(1, 'txRollback', {});
    await client.next('txRollbackOk');
    await commit(client);
    assert.equal(await declare(client, 'a'), 1);
  });

  it('settle with the commit, and take it back with a rollback', async (t) => {
    const bed = await openBed(t);
    const client = await open(bed.port);
    t.after(() => client.socket.destroy());
    await declare(client, 'q');
    await select(client);
    publish(client, 'q', '1');
    publish(client, 'q', '2');
    await commit(client);
    const first = await get(client, 'q');
    const second = await get(client, 'q');
    client.send(1, 'basicAck', { deliveryTag: first.deliveryTag, multiple: false });
    client.send(1, 'basicNack', {
      deliveryTag: second.deliveryTag,
      multiple: false,
      requeue: true,
    });
    assert.equal(await declare(client, 'q'), 0);
    client.send(1, 'txRollback', {});
    await client.next('txRollbackOk');
    client.send(1, 'basicAck', { deliveryTag: second.deliveryTag, multiple: true });
    await commit(client);
    const other = await open(bed.port);
    t.after(() => other.socket.destroy());
    client.socket.destroy();
    assert.equal(await declare(other, 'q'), 0);
    other.send(1, 'basicGet', { ticket: 0, queue: 'q', noAck: true });
    await other.next('basicGetEmpty');
  });

  it('give deliveries back that were settled in what was never committed', async (t) => {
    const bed = await openBed(t);
    const client = await open(bed.port);
    await declare(client, 'q');
    publish(client, 'q', '1');
    assert.equal(await declare(client, 'q'), 1);
    await select(client);
    const message = await get(client, 'q');
    client.send(1, 'basicAck', { deliveryTag: message.deliveryTag, multiple: false });
    client.send(1, 'channelClose', {
      replyCode: 200,
      replyText: '',
      failedClassId: 0,
      failedMethodId: 0,
    });
    await client.next('channelCloseOk');
    await client.openChannel(1);
    assert.equal((await get(client, 'q')).redelivered, true);
    client.socket.destroy();
  });

  it('give deliveries back that were settled in a commit that failed', async (t) => {
    const bed = await openBed(t);
    const client = await open(bed.port);
    t.after(() => client.socket.destroy());
    await declare(client, 'from');
    const full = new Map([
      ['x-max-length', { type: 'I', value: 0 }],
      ['x-overflow', { type: 'S', value: 'reject-publish' }],
    ] as const);
    await declare(client, 'full', full);
    publish(client, 'from', '1');
    publish(client, 'from', '2');
    assert.equal(await declare(client, 'from'), 2);
    await select(client);
    client.send(1, 'basicConsume', {
      ticket: 0,
      queue: 'from',
      consumerTag: 'c',
      noLocal: false,
      noAck: false,
      exclusive: false,
      nowait: false,
      arguments: new Map(),
    });
    await client.next('basicConsumeOk');
    for (let deliveryTag = 1; deliveryTag <= 2; deliveryTag++) {
      await client.next('basicDeliver');
      if (deliveryTag === 1) client.send(1, 'basicAck', { deliveryTag, multiple: false });
      else client.send(1, 'basicNack', { deliveryTag, multiple: false, requeue: false });
    }
    publish(client, 'full', 'x');
    client.send(1, 'txCommit', {});
    await client.next('channelClose');
    client.send(1, 'channelCloseOk', {});
    await client.openChannel(1);
    assert.equal(await declare(client, 'from'), 2);
  });

  for (const [first, second, text] of [
    ['confirmSelect', 'txSelect', 'cannot switch from confirm to tx mode'],
    ['txSelect', 'confirmSelect', 'cannot switch from tx to confirm mode'],
    [undefined, 'txCommit', 'channel is not transactional'],
    [undefined, 'txRollback', 'channel is not transactional'],
  ] as const) {
    it(`refuse ${second} after ${first ?? 'nothing'}`, async (t) => {
      const bed = await openBed(t);
      const client = await open(bed.port);
      for (const name of [first, second]) {
        if (name === 'confirmSelect') client.send(1, name, { nowait: false });
        else if (name !== undefined) client.send(1, name, {});
        if (name === 'confirmSelect' && name === first) await client.next('confirmSelectOk');
        if (name === 'txSelect' && name === first) await client.next('txSelectOk');
      }
      const close = await client.next('channelClose');
      assert.equal(close.replyText, `PRECONDITION_FAILED - ${text}`);
      client.socket.destroy();
    });
  }
});
