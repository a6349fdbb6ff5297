import assert from 'node:assert/strict';
import test from 'node:test';
import { QueueBed, type Sent, TestConsumer } from './queue-bed.ts';

test('a message with a due time waits for it, and then has its place in the order', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue();
  const consumer = new TestConsumer();
  const dueMs = bed.clock.nowMs() + 5000;
  queue.attach(consumer);
  await bed.send('a', { text: 'late', headers: { 'pabal.deliver-at': `${dueMs}` } }, 'b');
  assert.deepEqual(consumer.drain(), ['a', 'b']);
  assert.equal(queue.counts().delayed, 1);
  await bed.clock.runFor(4000);
  await bed.crash();
  const again = bed.findQueue();
  const other = new TestConsumer({ credit: 2 });
  again.attach(other);
  await bed.settle();
  assert.deepEqual(other.drain(), ['a', 'b']);
  assert.equal(again.counts().delayed, 1);
  await bed.clock.runFor(4000);
  other.credit = 1;
  again.resume();
  await bed.settle();
  assert.deepEqual(other.drain(), ['late']);
  assert.deepEqual([again.counts().ready, again.counts().delayed], [0, 0]);
});

test('a delivered delayed message is not delayed again by a restart', async () => {
  for (const isAccepted of [true, false]) {
    const bed = await QueueBed.open();
    const queue = bed.openQueue({ leaseMs: 60_000 });
    const consumer = new TestConsumer();
    queue.attach(consumer);
    await bed.send({ text: 'a', headers: { 'pabal.deliver-at': `${bed.clock.nowMs() + 100}` } });
    await bed.clock.runFor(200);
    assert.deepEqual(consumer.texts, ['a']);
    if (isAccepted) queue.accept(consumer.kept[0]?.lease ?? -1);
    await bed.clock.runUntil(queue.settled());
    await bed.crash();
    const again = bed.findQueue();
    assert.deepEqual(
      [again.counts().ready, again.counts().delayed, again.counts().leased],
      [0, 0, isAccepted ? 0 : 1],
    );
  }
});

function priority(text: string, value: number): Sent {
  return { text, headers: { 'pabal.priority': `${value}` } };
}

test('greater priorities go first, equal ones in order, also after a crash', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue({}, { priorityMax: 9, priorityDefault: 4 });
  await bed.send(priority('1a', 1), 'a', priority('9a', 9), priority('99', 99));
  await bed.send('b', 'c');
  await bed.send(priority('9b', 9), priority('1b', 1));
  const peeked = await bed.clock.runUntil(queue.peek(1, 4, 1000));
  assert.deepEqual(
    peeked.map(({ offset }) => offset),
    [3, 6, 1, 4],
  );
  const consumer = new TestConsumer({ credit: 2 });
  queue.attach(consumer);
  await bed.settle();
  assert.deepEqual(consumer.texts, ['9a', '99']);
  queue.accept(consumer.kept[1]?.lease ?? -1);
  await bed.clock.runUntil(queue.settled());
  await bed.crash();
  const again = bed.findQueue();
  assert.deepEqual([again.counts().ready, again.counts().readyBytes], [7, 11]);
  const other = new TestConsumer();
  again.attach(other);
  await bed.settle();
  assert.deepEqual(other.texts, ['9a', '9b', 'a', 'b', 'c', '1a', '1b']);
});

test('messages expire by the queue and by themselves, whatever comes first, with nobody there', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue({ messageTtlMs: 10_000, deadLetter: { exchange: '', key: 'dead' } });
  const expiresAt = (text: string, inMs: number) => ({
    text,
    headers: { 'pabal.expires-at': `${bed.clock.nowMs() + inMs}` },
  });
  await bed.send(expiresAt('soon', 1000), expiresAt('as all', 99_000), 'as others');
  await bed.clock.runFor(2000);
  assert.deepEqual(
    bed.deaths.map(({ text, reason }) => [text, reason]),
    [['soon', 'expired']],
  );
  assert.equal(queue.counts().ready, 2);
  await bed.clock.runFor(9000);
  assert.deepEqual(
    bed.deaths.map(({ text }) => text),
    ['soon', 'as all', 'as others'],
  );
  assert.deepEqual([queue.counts().ready, queue.counts().dead, queue.counts().leased], [0, 3, 0]);
});

test('a message that failed once more than it may dies; without a target it is dropped', async () => {
  for (const hasTarget of [true, false]) {
    const bed = await QueueBed.open();
    const deadLetter = hasTarget ? { exchange: '', key: 'dead' } : undefined;
    const queue = bed.openQueue({ failuresMax: 1, deadLetter });
    const consumer = new TestConsumer();
    queue.attach(consumer);
    await bed.send('a');
    queue.release(consumer.kept[0]?.lease ?? -1, { isFailure: true });
    await bed.settle();
    assert.equal(consumer.kept.length, 2);
    queue.release(consumer.kept[1]?.lease ?? -1, { isFailure: true });
    await bed.settle();
    assert.equal(consumer.kept.length, 2);
    assert.deepEqual(
      bed.deaths.map(({ text, reason }) => [text, reason]),
      hasTarget ? [['a', 'delivery-limit']] : [],
    );
    assert.deepEqual([queue.counts().leased, queue.counts().dead], [0, 1]);
  }
});

test('a poison message dies also when each attempt ends in a crash', async () => {
  const bed = await QueueBed.open();
  const settings = { failuresMax: 2, deadLetter: { exchange: '', key: 'dead' } };
  bed.openQueue(settings);
  await bed.send('poison', 'sound');
  const deliveries: number[] = [];
  for (let attempt = 0; attempt < 4; attempt++) {
    const queue = bed.findQueue(settings);
    const consumer = new TestConsumer({ credit: 1 });
    queue.attach(consumer);
    await bed.settle();
    deliveries.push(...consumer.kept.map(({ offset }) => offset));
    await bed.crash();
  }
  assert.deepEqual(deliveries, [0, 0, 0, 1]);
  assert.deepEqual(
    bed.deaths.map(({ text, reason }) => [text, reason]),
    [['poison', 'delivery-limit']],
  );
});

test('what a crash made fail once too often dies without anybody who asks for it', async () => {
  const bed = await QueueBed.open();
  const settings = {
    failuresMax: 0,
    deadLetter: { exchange: '', key: 'dead' },
  };
  const queue = bed.openQueue(settings);
  queue.attach(new TestConsumer());
  await bed.send('poison');
  await bed.clock.runFor(100);
  await bed.crash();
  bed.findQueue(settings);
  await bed.clock.runFor(100);
  assert.deepEqual(
    bed.deaths.map(({ text, reason }) => [text, reason]),
    [['poison', 'delivery-limit']],
  );
});

test('a failed message waits longer each time', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue({ retryDelayMs: 1000, retryDelayFactor: 3, retryDelayMaxMs: 5000 });
  const consumer = new TestConsumer();
  queue.attach(consumer);
  await bed.send('a');
  for (const waitMs of [1000, 3000, 5000, 5000]) {
    const count = consumer.kept.length;
    queue.release(consumer.kept.at(-1)?.lease ?? -1, { isFailure: true });
    await bed.clock.runFor(waitMs - 100);
    assert.equal(consumer.kept.length, count);
    await bed.clock.runFor(200);
    assert.equal(consumer.kept.length, count + 1);
  }
});

test('a dead message stays until it has arrived; one that could not is tried again', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue({ deadLetter: { exchange: '', key: 'dead' } });
  bed.onDeath = () => undefined;
  const consumer = new TestConsumer({ credit: 1 });
  queue.attach(consumer);
  await bed.send('a');
  const { lease = -1 } = consumer.kept[0] ?? {};
  assert.equal(queue.reject(lease, 'rejected'), true);
  assert.equal(queue.accept(lease), false);
  await bed.settle();
  assert.deepEqual(
    bed.deaths.map(({ text, reason }) => [text, reason]),
    [['a', 'rejected']],
  );
  assert.equal(queue.counts().leased, 1);
  queue.detach(consumer, 'return');
  assert.equal(queue.release(bed.deaths[0]?.lease ?? -1, { isFailure: false }), true);
  assert.deepEqual([queue.counts().ready, queue.counts().delayed], [0, 1]);
  await bed.clock.runFor(1100);
  assert.equal(queue.counts().ready, 1);
});

test('drop-head keeps the newest, in number and in bytes', async () => {
  const bed = await QueueBed.open();
  const byCount = bed.openQueue(
    { readyMax: 2, deadLetter: { exchange: '', key: 'x' } },
    {},
    'count',
  );
  const byBytes = bed.openQueue({ readyBytesMax: 5 }, {}, 'bytes');
  await bed.send('aa', 'bb', 'cc', 'dd');
  assert.deepEqual(
    bed.deaths.map(({ text, reason }) => text + reason),
    ['aamaxlen', 'bbmaxlen'],
  );
  assert.deepEqual([byCount.counts().ready, byBytes.counts().ready], [2, 2]);
  const consumer = new TestConsumer();
  byBytes.attach(consumer);
  await bed.send('ee', 'ff', 'gg');
  assert.deepEqual(consumer.texts, ['cc', 'dd', 'ee', 'ff', 'gg']);
});

test('of several consumers one is active, and the next in line takes over', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue({ isSingleActive: true });
  const consumers = [new TestConsumer(), new TestConsumer(), new TestConsumer()];
  for (const consumer of consumers) queue.attach(consumer);
  await bed.send('a', 'b');
  const [first, second, third] = consumers as [TestConsumer, TestConsumer, TestConsumer];
  assert.deepEqual(
    consumers.map(({ isActive }) => isActive),
    [true, false, false],
  );
  assert.deepEqual([first.texts, second.texts], [['a', 'b'], []]);
  queue.detach(first, 'return');
  await bed.settle();
  assert.deepEqual(second.texts, ['a', 'b']);
  queue.detach(third, 'return');
  assert.equal(second.isActive, true);
});

test('a paused queue gives nothing out', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue();
  const consumer = new TestConsumer();
  queue.attach(consumer);
  queue.isPaused = true;
  await bed.send('a');
  const request = { count: 1, bytesMax: 10, leaseMs: -1, isAutoSettled: false, waitMs: 0 };
  assert.deepEqual(await bed.clock.runUntil(queue.acquire(request)), []);
  assert.deepEqual(consumer.texts, []);
  queue.isPaused = false;
  await bed.settle();
  assert.deepEqual(consumer.texts, ['a']);
});

test('more than may be leased at once is not given out', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue({ leasedMax: 2 });
  const consumer = new TestConsumer();
  queue.attach(consumer);
  await bed.send('a', 'b', 'c');
  assert.deepEqual(consumer.texts, ['a', 'b']);
  queue.accept(consumer.kept[0]?.lease ?? -1);
  await bed.settle();
  assert.deepEqual(consumer.texts, ['a', 'b', 'c']);
});

test('going back gives settled messages out again, but not those that are in hand', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue({ keepSettledMs: 1_000_000 });
  const consumer = new TestConsumer();
  queue.attach(consumer);
  await bed.send('a', 'b', 'c', 'd', 'e');
  for (const at of [0, 1, 2, 4]) queue.accept(consumer.kept[at]?.lease ?? -1);
  consumer.drain();
  await bed.clock.runUntil(queue.rewind(1));
  await bed.settle();
  assert.deepEqual(consumer.texts, ['b', 'c', 'e']);
  await bed.crash();
  const again = bed.findQueue();
  const other = new TestConsumer();
  again.attach(other);
  await bed.settle();
  assert.deepEqual(other.texts, ['b', 'c', 'd', 'e']);
});

test('what every queue has settled is deleted, unless it may be wanted again', async () => {
  const bed = await QueueBed.open({ journalFileBytes: 16 * 1024 });
  const fast = bed.openQueue({}, {}, 'fast');
  const slow = bed.openQueue({}, {}, 'slow');
  const consumer = new TestConsumer({ isAutoSettled: true });
  const reluctant = new TestConsumer({ isAutoSettled: true, credit: 10 });
  fast.attach(consumer);
  slow.attach(reluctant);
  for (let index = 0; index < 50; index++) await bed.send('x'.repeat(1000));
  await bed.clock.runUntil(bed.shard.maintain());
  assert.equal(bed.log.logStartOffset, 10);
  slow.settings = { ...slow.settings, keepSettledMs: 60_000 };
  reluctant.credit = 100;
  slow.resume();
  await bed.settle();
  await bed.clock.runUntil(bed.shard.maintain());
  assert.equal(bed.log.logStartOffset, 10);
  await bed.clock.runFor(70_000);
  await bed.clock.runUntil(bed.shard.maintain());
  assert.equal(bed.log.logStartOffset, 50);
});

test('a log that keeps its own retention takes the floor of its queues along', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue();
  const consumer = new TestConsumer({ credit: 2 });
  queue.attach(consumer);
  await bed.send('a', 'b', 'c', 'd', 'e');
  queue.release(consumer.kept[0]?.lease ?? -1, { isFailure: false });
  await bed.clock.runUntil(bed.log.deleteBefore(3));
  await bed.settle();
  assert.deepEqual([queue.counts().ready, queue.counts().leased], [2, 0]);
  consumer.credit = 9;
  consumer.drain();
  queue.resume();
  await bed.settle();
  assert.deepEqual(consumer.texts, ['d', 'e']);
  await bed.crash();
  assert.equal(bed.findQueue().counts().ready, 2);
});

test('what was deleted before it came due does not count among what comes due, also after a crash', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue({ leaseMs: 600_000 });
  const consumer = new TestConsumer();
  queue.attach(consumer);
  const nowMs = bed.clock.nowMs();
  const late = (text: string, ms: number): Sent => ({
    text,
    headers: { 'pabal.deliver-at': `${nowMs + ms}` },
  });
  await bed.send(late('a', 1000), late('b', 1000), late('c', 2000), late('d', 2000));
  await bed.clock.runUntil(bed.log.deleteBefore(2));
  await bed.clock.runFor(3000);
  assert.deepEqual(consumer.drain(), ['c', 'd']);
  await bed.settle();
  await bed.crash();
  const again = bed.findQueue({ leaseMs: 600_000 });
  const other = new TestConsumer();
  again.attach(other);
  await bed.clock.runFor(5000);
  assert.deepEqual(other.drain(), []);
  assert.deepEqual([again.counts().leased, again.counts().delayed], [2, 0]);
});

test('going back restores priorities and the order within each, also after a crash; a delay that ended does not begin again', async () => {
  for (const tailCacheBytes of [1024 * 1024, 4096]) {
    const bed = await QueueBed.open({ tailCacheBytes });
    const queue = bed.openQueue(
      { keepSettledMs: 1_000_000 },
      { priorityMax: 9, priorityDefault: 4 },
    );
    const late = {
      text: '9 late',
      headers: { 'pabal.priority': '9', 'pabal.deliver-at': `${bed.clock.nowMs() + 100_000}` },
    };
    await bed.send(priority('1a', 1), 'a', priority('9a', 9), late, priority('9b', 9), 'b');
    await bed.send(priority('1b', 1), priority('4c', 4), priority('9c', 9));
    // Beyond what is in memory, where that is little.
    for (let at = 0; at < 8; at++) await bed.send(priority('x'.repeat(2000), 0));
    const consumer = new TestConsumer({ credit: 2 });
    queue.attach(consumer);
    await bed.settle();
    assert.deepEqual(consumer.texts, ['9a', '9b']);
    for (const { lease } of consumer.kept.splice(0)) queue.accept(lease);
    consumer.credit = 1;
    queue.resume();
    await bed.settle();
    assert.deepEqual(consumer.texts, ['9c']);
    await bed.clock.runUntil(queue.purge());
    await bed.clock.runUntil(queue.rewind(1));
    const expected = ['9a', '9 late', '9b', 'a', 'b', '4c', '1b'];
    const list = async (from: typeof queue): Promise<number[]> =>
      (await bed.clock.runUntil(from.peek(0, 7, 1_000_000))).map(({ offset }) => offset);
    const before = await list(queue);
    await bed.crash();
    const again = bed.findQueue({ keepSettledMs: 1_000_000 });
    const other = new TestConsumer();
    again.attach(other);
    await bed.settle();
    // The one that was leased comes back with the others.
    assert.deepEqual(before, [2, 3, 4, 1, 5, 7, 6]);
    assert.deepEqual(other.texts.slice(0, 8), [
      ...expected.slice(0, 3),
      '9c',
      ...expected.slice(3),
    ]);
    assert.equal(other.kept.length, 16);
  }
});
