import assert from 'node:assert/strict';
import test from 'node:test';
import type { AcquireRequest, QueueSettings } from '../../../src/shard/index.ts';
import { QueueBed, TestConsumer, textOf } from './queue-bed.ts';

const asking: AcquireRequest = {
  count: 10,
  bytesMax: 1000,
  leaseMs: -1,
  isAutoSettled: false,
  waitMs: 0,
};
const deadLetter = { exchange: '', key: 'dead' };

test('who only asks gets what consumers that want messages leave', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue();
  const consumer = new TestConsumer({ credit: 2 });
  queue.attach(consumer);
  const appended = bed.append(['1', '2', '3']);
  const asked = queue.acquire(asking);
  await bed.clock.runUntil(appended);
  const early = await bed.clock.runUntil(asked);
  await bed.settle();
  assert.deepEqual(consumer.texts, ['1', '2']);
  const late = await bed.clock.runUntil(queue.acquire(asking));
  assert.deepEqual([...early, ...late].map(textOf), ['3']);
});

test('who only asks gets what consumers with filters do not match', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue();
  const consumer = new TestConsumer({ filter: (message) => textOf(message) === 'a' });
  await bed.send('b', 'a', 'c');
  queue.attach(consumer);
  const found = await bed.clock.runUntil(queue.acquire(asking));
  assert.deepEqual(found.map(textOf), ['b', 'c']);
  assert.deepEqual(consumer.texts, ['a']);
});

test('who waits goes before consumers', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue();
  const consumer = new TestConsumer();
  queue.attach(consumer);
  const asked = queue.acquire({ ...asking, count: 1, waitMs: 1000 });
  await bed.send('1', '2');
  assert.deepEqual((await bed.clock.runUntil(asked)).map(textOf), ['1']);
  assert.deepEqual(consumer.texts, ['2']);
});

const limited: Array<[name: string, settings: Partial<QueueSettings>, expected: string[]]> = [
  ['two messages', { readyMax: 2 }, ['3', '4']],
  ['none', { readyMax: 0 }, []],
  ['two bytes', { readyBytesMax: 2 }, ['3', '4']],
];

for (const [name, settings, expected] of limited) {
  test(`a length of ${name} holds for who asks before the queue has looked`, async () => {
    const bed = await QueueBed.open();
    const queue = bed.openQueue({ ...settings, deadLetter });
    const appended = bed.append(['1', '2', '3', '4']);
    await bed.clock.runUntil(appended);
    const { ready, readyBytes } = queue.counts();
    if (settings.readyMax !== undefined) assert.equal(ready, expected.length);
    else assert.equal(readyBytes, settings.readyBytesMax);
    const found = await bed.clock.runUntil(queue.acquire(asking));
    assert.deepEqual(found.map(textOf), expected);
    assert.deepEqual(
      bed.deaths.map(({ text, reason }) => [text, reason]),
      ['1', '2', '3', '4']
        .filter((text) => !expected.includes(text))
        .map((text) => [text, 'maxlen']),
    );
  });
}

test('a length of none does not keep messages from a consumer that waits', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue({ readyMax: 0 });
  const consumer = new TestConsumer({ credit: 1 });
  queue.attach(consumer);
  await bed.send('1', '2');
  assert.deepEqual(consumer.texts, ['1']);
  assert.equal(queue.counts().ready, 0);
});

test('a message whose time is over when it comes goes to a consumer that waits, once', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue({ messageTtlMs: 0, deadLetter });
  await bed.send('nobody is there');
  const consumer = new TestConsumer({ credit: 1 });
  queue.attach(consumer);
  await bed.settle();
  assert.deepEqual(consumer.texts, []);
  await bed.send('1', '2');
  assert.deepEqual(consumer.texts, ['1']);
  consumer.credit = 1;
  queue.resume();
  queue.release(consumer.kept[0]?.lease ?? -1, { isFailure: false });
  await bed.settle();
  assert.deepEqual(consumer.texts, ['1']);
  assert.deepEqual(
    bed.deaths.map(({ text, reason }) => [text, reason]),
    [
      ['nobody is there', 'expired'],
      ['2', 'expired'],
      ['1', 'expired'],
    ],
  );
});

test('a message whose time is over when it comes is not for who only asks', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue({ messageTtlMs: 0 });
  await bed.clock.runUntil(bed.append(['1']));
  assert.deepEqual(await bed.clock.runUntil(queue.acquire(asking)), []);
  const waiting = queue.acquire({ ...asking, waitMs: 1000 });
  await bed.send('2');
  assert.deepEqual((await bed.clock.runUntil(waiting)).map(textOf), ['2']);
});

test('deaths are moved when those that were on their way have arrived or come back', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue({ deadLetter });
  assert.equal(queue.deathsMoved(), undefined);
  bed.onDeath = () => undefined;
  await bed.send('1', '2', '3');
  const found = await bed.clock.runUntil(queue.acquire(asking));
  for (const { lease } of found.slice(0, 2)) queue.reject(lease, 'rejected');
  let isMoved = false;
  const moved = queue.deathsMoved()?.then(() => {
    isMoved = true;
  });
  await bed.settle();
  assert.equal(bed.deaths.length, 2);
  queue.accept(bed.deaths[0]?.lease ?? -1);
  await bed.settle();
  assert.equal(isMoved, false);
  queue.release(bed.deaths[1]?.lease ?? -1, { delayMs: 1000, isFailure: false });
  await moved;
  assert.equal(queue.deathsMoved(), undefined);
});

test('deaths count as moved when the queue goes', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue({ deadLetter });
  bed.onDeath = () => undefined;
  await bed.send('1');
  const [message] = await bed.clock.runUntil(queue.acquire(asking));
  queue.reject(message?.lease ?? -1, 'rejected');
  const moved = queue.deathsMoved();
  assert.notEqual(moved, undefined);
  await bed.clock.runUntil(bed.table.drop(queue));
  await moved;
});
