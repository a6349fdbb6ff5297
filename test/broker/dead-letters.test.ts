import assert from 'node:assert/strict';
import test from 'node:test';
import type { QueueHandle, QueueSettings, ReceivedMessage } from '../../src/broker/index.ts';
import { decodeDeaths } from '../../src/message/index.ts';
import { BrokerBed } from './broker-bed.ts';

async function makeQueue(
  bed: BrokerBed,
  name: string,
  settings: Partial<QueueSettings> = {},
): Promise<QueueHandle> {
  return bed.run(bed.broker.createQueue(name, { settings }));
}

/** A queue and where its dead go. */
async function makePair(
  bed: BrokerBed,
  settings: Partial<QueueSettings> = {},
): Promise<{ work: QueueHandle; dead: QueueHandle }> {
  const dead = await makeQueue(bed, 'dead');
  const work = await makeQueue(bed, 'work', {
    deadLetter: { exchange: '', key: 'dead' },
    ...settings,
  });
  return { work, dead };
}

async function receiveOne(bed: BrokerBed, queue: QueueHandle): Promise<ReceivedMessage> {
  const [message] = await bed.run(queue.receive());
  assert.ok(message !== undefined, `${queue.name} has a message`);
  return message;
}

function deathsOf(message: ReceivedMessage): Array<[string, string, number]> {
  return decodeDeaths(message.properties['deaths'] ?? '').map(({ queue, reason, count }) => [
    queue,
    reason,
    count,
  ]);
}

test('a rejected message goes to the queue of the dead, with its history', async () => {
  const bed = await BrokerBed.open();
  const { work, dead } = await makePair(bed);
  const sentMs = bed.clock.nowMs();
  await bed.run(
    work.send('m', {
      key: 'k',
      headers: { a: 1, b: 'two' },
      contentType: 'text/plain',
      priority: 3,
      ttlMs: 60_000,
    }),
  );
  (await receiveOne(bed, work)).reject();
  await bed.clock.runFor(100);
  const message = await receiveOne(bed, dead);
  assert.equal(message.text, 'm');
  assert.equal(message.key?.toString(), 'k');
  assert.deepEqual({ ...message.headers }, { a: 1, b: 'two' });
  const { properties } = message;
  assert.equal(properties['content-type'], 'text/plain');
  assert.equal(properties['priority'], '3');
  assert.equal(properties['expires-at'], undefined);
  assert.equal(properties['expiration'], undefined);
  assert.equal(properties['first-death-queue'], 'work');
  assert.equal(properties['first-death-reason'], 'rejected');
  assert.equal(properties['last-death-reason'], 'rejected');
  const [death] = decodeDeaths(properties['deaths'] ?? '');
  assert.equal(death?.queue, 'work');
  assert.equal(death?.reason, 'rejected');
  assert.equal(death?.count, 1);
  assert.deepEqual(death?.keys, ['work']);
  assert.equal(death?.expiration, '60000');
  assert.ok((death?.firstMs ?? 0) >= sentMs);
  assert.deepEqual(pickCounts(work), { ready: 0, leased: 0 });
});

function pickCounts(queue: QueueHandle): { ready: number; leased: number } {
  const { ready, leased } = queue.counts();
  return { ready, leased };
}

test('each failure too many, each expiry and each message too many is a death of its own kind', async () => {
  const cases: Array<
    [string, Partial<QueueSettings>, (bed: BrokerBed, work: QueueHandle) => Promise<void>]
  > = [
    [
      'delivery-limit',
      { failuresMax: 1 },
      async (bed, work) => {
        await bed.run(work.send('m'));
        (await receiveOne(bed, work)).release();
        (await receiveOne(bed, work)).release();
      },
    ],
    [
      'expired',
      { messageTtlMs: 50 },
      async (bed, work) => {
        await bed.run(work.send('m'));
        await bed.clock.runFor(200);
      },
    ],
    [
      'expired',
      {},
      async (bed, work) => {
        await bed.run(work.send('m', { ttlMs: 50 }));
        await bed.clock.runFor(200);
      },
    ],
    [
      'maxlen',
      { readyMax: 1 },
      async (bed, work) => {
        await bed.run(work.send('m'));
        await bed.run(work.send('stays'));
      },
    ],
  ];
  for (const [reason, settings, kill] of cases) {
    const bed = await BrokerBed.open();
    const { work, dead } = await makePair(bed, settings);
    await kill(bed, work);
    await bed.clock.runFor(200);
    const message = await receiveOne(bed, dead);
    assert.equal(message.text, 'm', reason);
    assert.deepEqual(deathsOf(message), [['work', reason, 1]]);
  }
});

test('the dead go through an exchange, by their own key or by another', async () => {
  for (const key of [undefined, 'other']) {
    const bed = await BrokerBed.open();
    const { exchanges } = bed.broker;
    const dead = await makeQueue(bed, 'dead');
    const exchange = {
      namespace: '',
      name: 'dlx',
      kind: 'direct',
      isDelayed: false,
      lifetime: 'durable',
      isAutoDelete: false,
      isInternal: false,
      alternate: undefined,
      arguments: {},
      attributes: {},
    } as const;
    await bed.run(exchanges.declare(exchange));
    await bed.run(
      exchanges.bind({
        namespace: '',
        source: 'dlx',
        destination: { kind: 'queue', name: 'dead' },
        key: key ?? 'work',
        arguments: {},
      }),
    );
    const work = await makeQueue(bed, 'work', { deadLetter: { exchange: 'dlx', key } });
    await bed.run(work.send('m'));
    (await receiveOne(bed, work)).reject();
    await bed.clock.runFor(100);
    const message = await receiveOne(bed, dead);
    assert.equal(message.properties['exchange'], 'dlx');
    assert.equal(message.key?.toString(), key ?? 'work');
  }
});

test('what no queue is bound for is gone', async () => {
  const bed = await BrokerBed.open();
  const work = await makeQueue(bed, 'work', { deadLetter: { exchange: 'nowhere', key: 'x' } });
  await bed.run(work.send('m'));
  (await receiveOne(bed, work)).reject();
  await bed.clock.runFor(5000);
  assert.deepEqual(pickCounts(work), { ready: 0, leased: 0 });
});

test('a message waits in one queue and comes back to the other, again and again; deaths are counted', async () => {
  const bed = await BrokerBed.open();
  const work = await makeQueue(bed, 'work', { deadLetter: { exchange: '', key: 'pause' } });
  await makeQueue(bed, 'pause', {
    messageTtlMs: 1000,
    deadLetter: { exchange: '', key: 'work' },
  });
  await bed.run(work.send('m'));
  for (let attempt = 1; attempt <= 4; attempt++) {
    const message = await receiveOne(bed, work);
    assert.equal(message.text, 'm');
    const deaths = deathsOf(message);
    if (attempt > 1) {
      assert.deepEqual(deaths, [
        ['pause', 'expired', attempt - 1],
        ['work', 'rejected', attempt - 1],
      ]);
      assert.equal(message.properties['first-death-queue'], 'work');
      assert.equal(message.properties['last-death-queue'], 'pause');
    }
    message.reject();
    await bed.clock.runFor(900);
    assert.equal(work.counts().ready, 0);
    await bed.clock.runFor(300);
  }
});

test('a message that goes round without anybody having rejected it is dropped', async () => {
  const bed = await BrokerBed.open();
  const first = await makeQueue(bed, 'first', {
    messageTtlMs: 100,
    deadLetter: { exchange: '', key: 'second' },
  });
  const second = await makeQueue(bed, 'second', {
    messageTtlMs: 100,
    deadLetter: { exchange: '', key: 'first' },
  });
  await bed.run(first.send('m'));
  await bed.clock.runFor(150);
  assert.deepEqual([first.counts().ready, second.counts().ready], [0, 1]);
  await bed.clock.runFor(5000);
  assert.deepEqual([first.counts().ready, second.counts().ready], [0, 0]);
  assert.equal(second.counts().published, 1);
});

test('a message that would die back into its own queue is dropped', async () => {
  const bed = await BrokerBed.open();
  const queue = await makeQueue(bed, 'q', {
    messageTtlMs: 100,
    deadLetter: { exchange: '', key: undefined },
  });
  await bed.run(queue.send('m'));
  await bed.clock.runFor(5000);
  assert.equal(queue.counts().published, 1);
  assert.deepEqual(pickCounts(queue), { ready: 0, leased: 0 });
});

test('a dead letter that finds its queue full stays where it was, and goes when there is room', async () => {
  const bed = await BrokerBed.open();
  const dead = await makeQueue(bed, 'dead', { readyMax: 1, overflow: 'reject' });
  const work = await makeQueue(bed, 'work', {
    messageTtlMs: 100,
    deadLetter: { exchange: '', key: 'dead' },
  });
  await bed.run(work.send('one'));
  await bed.run(work.send('two'));
  await bed.clock.runFor(3000);
  assert.deepEqual(await bed.drain(dead), ['one']);
  await bed.clock.runFor(3000);
  assert.deepEqual(await bed.drain(dead), ['two']);
  await bed.clock.runFor(100);
  assert.deepEqual(pickCounts(work), { ready: 0, leased: 0 });
});

test('a full queue that refuses sends what it refuses to the dead, if it is to', async () => {
  const bed = await BrokerBed.open();
  const { work, dead } = await makePair(bed, { readyMax: 1, overflow: 'reject-dead-letter' });
  await bed.run(work.send('one'));
  await assert.rejects(bed.run(work.send('two', { key: 'k' })), { code: 'queue-full' });
  await bed.clock.runFor(100);
  const message = await receiveOne(bed, dead);
  assert.equal(message.text, 'two');
  assert.equal(message.key?.toString(), 'k');
  assert.deepEqual(deathsOf(message), [['work', 'maxlen', 1]]);
  assert.equal(work.counts().ready, 1);
});

test('no dead letter is lost when the power goes at any moment of its way', async () => {
  for (let stopMs = 0; stopMs <= 6; stopMs++) {
    const bed = await BrokerBed.open({}, 100 + stopMs);
    const { work } = await makePair(bed);
    const count = 20;
    for (let index = 0; index < count; index++) await bed.run(work.send(`m${index}`));
    for (const message of await bed.run(work.receive({ max: count }))) message.reject();
    for (let event = 0; event < stopMs * 2; event++) await bed.clock.runNext();
    await bed.crash();
    const left = await bed.drain(bed.broker.queue('work'));
    await bed.clock.runFor(3000);
    const moved = await bed.drain(bed.broker.queue('dead'));
    const all = new Set([...left, ...moved]);
    assert.equal(all.size, count, `stopped after ${stopMs}: ${left.length} + ${moved.length}`);
  }
});

test('a flood of dead letters arrives whole', async () => {
  const bed = await BrokerBed.open();
  const { work, dead } = await makePair(bed, { messageTtlMs: 500 });
  const count = 3000;
  const sends: Array<Promise<unknown>> = [];
  for (let index = 0; index < count; index++) sends.push(work.send(`m${index}`));
  await bed.run(Promise.all(sends));
  await bed.clock.runFor(10_000);
  assert.equal(dead.counts().ready, count);
  assert.deepEqual(pickCounts(work), { ready: 0, leased: 0 });
});
