import assert from 'node:assert/strict';
import test from 'node:test';
import type { QueueMessage } from '../../../src/shard/index.ts';
import { QueueBed, type Sent, TestConsumer, textOf } from './queue-bed.ts';

function startsWith(prefix: string): (message: QueueMessage) => boolean {
  return (message) => textOf(message).startsWith(prefix);
}

function grouped(text: string, group: string): Sent {
  return { text, headers: { 'pabal.group': group } };
}

function withId(id: string): Sent {
  return { text: id, headers: { 'pabal.dedup-id': id } };
}

test('of a group one message is out at a time, in order; groups go in parallel', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue({}, { isGrouped: true });
  const consumer = new TestConsumer();
  queue.attach(consumer);
  await bed.send(
    grouped('a1', 'a'),
    grouped('a2', 'a'),
    grouped('b1', 'b'),
    'free',
    grouped('a3', 'a'),
  );
  assert.deepEqual(consumer.texts, ['a1', 'b1', 'free']);
  assert.equal(queue.counts().ready, 2);
  queue.accept(consumer.kept[0]?.lease ?? -1);
  await bed.settle();
  assert.deepEqual(consumer.drain(), ['a1', 'b1', 'free', 'a2']);
});

test('a message that failed still holds its group, while it waits and after a restart', async () => {
  const bed = await QueueBed.open();
  const settings = { retryDelayMs: 1000, leaseMs: 60_000 };
  const queue = bed.openQueue(settings, { isGrouped: true });
  const consumer = new TestConsumer({ credit: 2 });
  queue.attach(consumer);
  await bed.send(grouped('a1', 'a'), grouped('a2', 'a'), grouped('b1', 'b'), grouped('b2', 'b'));
  assert.deepEqual(consumer.texts, ['a1', 'b1']);
  queue.release(consumer.kept[0]?.lease ?? -1, { isFailure: true });
  await bed.clock.runUntil(queue.settled());
  await bed.crash();
  const again = bed.findQueue(settings);
  const other = new TestConsumer();
  again.attach(other);
  await bed.settle();
  assert.deepEqual(other.texts, []);
  await bed.clock.runFor(1100);
  assert.deepEqual(other.texts, ['a1']);
  assert.equal(again.accept(again.findLease(2, 1) ?? -1), true);
  await bed.settle();
  assert.deepEqual(other.texts, ['a1', 'b2']);
});

test('purging leaves those of a group that are out, and forgets those that wait behind', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue({}, { isGrouped: true });
  const consumer = new TestConsumer();
  queue.attach(consumer);
  await bed.send(grouped('a1', 'a'), grouped('a2', 'a'));
  assert.equal(await bed.clock.runUntil(queue.purge()), 1);
  await bed.send(grouped('a3', 'a'));
  assert.deepEqual(consumer.texts, ['a1']);
  queue.accept(consumer.kept[0]?.lease ?? -1);
  await bed.settle();
  assert.deepEqual(consumer.texts, ['a1', 'a3']);
});

test('a noisy tenant does not keep the others waiting', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue({}, { isFair: true });
  const consumer = new TestConsumer({ credit: 100 });
  queue.attach(consumer);
  const noisy = Array.from({ length: 300 }, (_, index) => grouped(`n${index}`, 'noisy'));
  await bed.send(...noisy);
  await bed.send(
    ...Array.from({ length: 20 }, (_, index) => grouped(`q${index}`, `quiet${index}`)),
  );
  assert.equal(consumer.drain().length, 100);
  consumer.credit = 30;
  queue.resume();
  await bed.settle();
  assert.equal(consumer.texts.filter((text) => text.startsWith('q')).length, 20);
  assert.equal(queue.counts().ready, 190);
});

test('the queue settles what its own filter does not match', async () => {
  const bed = await QueueBed.open({ compileFilter: ({ text }) => startsWith(text) });
  const queue = bed.openQueue({ filter: { language: 'prefix', text: 'y' } });
  const consumer = new TestConsumer();
  queue.attach(consumer);
  await bed.send('n1', 'y1', 'n2', 'y2');
  assert.deepEqual(consumer.texts, ['y1', 'y2']);
  assert.deepEqual([queue.counts().ready, queue.counts().leased], [0, 2]);
});

test('what a consumer does not match is passed by, and is there for the next one', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue();
  const forA = new TestConsumer({ filter: startsWith('a'), credit: 1 });
  const forB = new TestConsumer({ filter: startsWith('b') });
  queue.attach(forA);
  queue.attach(forB);
  await bed.send('a1', 'b1', 'a2', 'c1', 'b2', 'a3');
  assert.deepEqual([forA.texts, forB.texts], [['a1'], ['b1', 'b2']]);
  assert.equal(queue.counts().ready, 3);
  forA.credit = 9;
  queue.resume();
  await bed.settle();
  assert.deepEqual(forA.texts, ['a1', 'a2', 'a3']);
  await bed.crash();
  const again = bed.findQueue();
  assert.equal(again.counts().ready, 6);
  const all = new TestConsumer();
  again.attach(all);
  await bed.settle();
  assert.deepEqual(
    all.kept.map(({ text, failures }) => `${text}${failures}`),
    ['a11', 'b11', 'a21', 'c10', 'b21', 'a31'],
  );
});

test('a message whose id was seen lately is not taken again, also after a crash', async () => {
  const bed = await QueueBed.open();
  const settings = { dedupWindowMs: 5000 };
  const queue = bed.openQueue(settings);
  const admit = (dedupId: string) => {
    const asked = bed.table.find(bed.log, '') ?? queue;
    return asked.admit({ bodyBytes: 1, dedupId, nowMs: bed.clock.nowMs() });
  };
  assert.equal(admit('x'), 'take');
  assert.equal(admit('x'), 'duplicate');
  await bed.send({ text: 'x', headers: { 'pabal.dedup-id': 'x' } });
  assert.equal(admit('lost'), 'take');
  await bed.crash();
  bed.findQueue(settings);
  assert.equal(admit('x'), 'duplicate');
  assert.equal(admit('lost'), 'take');
  await bed.restart();
  bed.findQueue(settings);
  assert.equal(admit('x'), 'duplicate');
  await bed.clock.runFor(6000);
  assert.equal(admit('x'), 'take');
});

test('an id is forgotten in time, whatever timestamp its message has, also after a crash', async () => {
  for (const isCrashed of [false, true]) {
    const bed = await QueueBed.open();
    const settings = { dedupWindowMs: 5000 };
    let queue = bed.openQueue(settings);
    await bed.send({ ...withId('ahead'), timestampMs: Number.MAX_SAFE_INTEGER }, withId('now'));
    if (isCrashed) {
      await bed.crash();
      queue = bed.findQueue(settings);
    }
    const admit = (dedupId: string): string =>
      queue.admit({ bodyBytes: 1, dedupId, nowMs: bed.clock.nowMs() });
    assert.deepEqual([admit('ahead'), admit('now')], ['duplicate', 'duplicate']);
    await bed.clock.runFor(6000);
    assert.deepEqual([admit('ahead'), admit('now')], ['take', 'take']);
  }
});

test('an id is forgotten in time although the clock was set back by hours, also after a crash', async () => {
  for (const isCrashed of [false, true]) {
    const bed = await QueueBed.open();
    const settings = { dedupWindowMs: 5000 };
    let queue = bed.openQueue(settings);
    await bed.send(withId('before'));
    bed.clock.jumpWallClock(-3 * 3_600_000);
    await bed.send(withId('behind'));
    if (isCrashed) {
      await bed.crash();
      queue = bed.findQueue(settings);
    }
    const admit = (dedupId: string): string =>
      queue.admit({ bodyBytes: 1, dedupId, nowMs: bed.clock.nowMs() });
    assert.deepEqual([admit('before'), admit('behind')], ['duplicate', 'duplicate']);
    await bed.clock.runFor(6000);
    assert.deepEqual([admit('before'), admit('behind')], ['take', 'take']);
  }
});

test('a full queue refuses, counting what is on its way', async () => {
  for (const overflow of ['reject', 'reject-dead-letter'] as const) {
    const bed = await QueueBed.open();
    const queue = bed.openQueue({ readyMax: 2, overflow });
    const admit = () => queue.admit({ bodyBytes: 1, dedupId: undefined, nowMs: bed.clock.nowMs() });
    assert.deepEqual([admit(), admit(), admit()], ['take', 'take', overflow]);
    await bed.send('a', 'b');
    assert.equal(admit(), overflow);
    const consumer = new TestConsumer({ credit: 1 });
    queue.attach(consumer);
    await bed.settle();
    assert.deepEqual([admit(), admit()], ['take', overflow]);
  }
});

test('batches of another door are looked into: compressed or not', async () => {
  for (const compression of ['none', 'gzip', 'zstd'] as const) {
    const bed = await QueueBed.open();
    const queue = bed.openQueue();
    const consumer = new TestConsumer();
    queue.attach(consumer);
    const dueMs = bed.clock.nowMs() + 1000;
    const late = { text: 'late', headers: { 'pabal.deliver-at': `${dueMs}` } };
    const { bytes } = bed.encode([late, 'now'], compression);
    await bed.clock.runUntil(bed.log.append(bytes));
    await bed.settle();
    assert.deepEqual(consumer.texts, ['now']);
    assert.deepEqual([queue.counts().delayed, queue.counts().leasedBytes], [1, 3]);
    await bed.crash();
    const again = bed.findQueue();
    assert.deepEqual([again.counts().delayed, again.counts().ready], [1, 1]);
    again.attach(consumer);
    await bed.clock.runFor(1100);
    assert.deepEqual(consumer.texts, ['now', 'now', 'late']);
  }
});
