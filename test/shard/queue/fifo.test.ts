import assert from 'node:assert/strict';
import test from 'node:test';
import { QueueBed, TestConsumer, textOf } from './queue-bed.ts';

test('messages go out in order, and are gone when they are accepted', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue();
  const consumer = new TestConsumer();
  queue.attach(consumer);
  await bed.send('a', 'b', 'c');
  await bed.send('d');
  assert.deepEqual(consumer.texts, ['a', 'b', 'c', 'd']);
  assert.deepEqual(pick(queue.counts()), { ready: 0, readyBytes: 0, leased: 4, leasedBytes: 4 });
  for (const { lease } of consumer.kept) assert.equal(queue.accept(lease), true);
  for (const { lease } of consumer.kept) assert.equal(queue.accept(lease), false);
  await bed.clock.runUntil(queue.settled());
  assert.deepEqual(pick(queue.counts()), { ready: 0, readyBytes: 0, leased: 0, leasedBytes: 0 });
  await bed.crash();
  const again = bed.findQueue();
  const other = new TestConsumer();
  again.attach(other);
  await bed.settle();
  assert.deepEqual(other.texts, []);
});

test('a backlog from before the consumer came is delivered, also from disk', async () => {
  const bed = await QueueBed.open({ tailCacheBytes: 4096, journalFileBytes: 16 * 1024 });
  const queue = bed.openQueue();
  const sent: string[] = [];
  for (let index = 0; index < 300; index++) {
    sent.push(`${index}`.padEnd(100, '.'));
    await bed.send(sent.at(-1) ?? '');
  }
  assert.equal(queue.counts().ready, 300);
  assert.equal(queue.counts().readyBytes, 30_000);
  const consumer = new TestConsumer();
  queue.attach(consumer);
  await bed.settle();
  assert.deepEqual(consumer.texts, sent);
});

test('consumers take turns, within the credit that they have', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue();
  const first = new TestConsumer({ credit: 2 });
  const second = new TestConsumer();
  const better = new TestConsumer({ credit: 1, priority: 1 });
  for (const consumer of [first, second, better]) queue.attach(consumer);
  await bed.send('a', 'b', 'c', 'd', 'e', 'f', 'g');
  assert.deepEqual(better.drain(), ['a']);
  assert.equal(first.drain().length, 2);
  assert.equal(second.drain().length, 4);
  first.credit = 1;
  second.credit = 0;
  await bed.send('h');
  assert.deepEqual([first.drain(), second.drain()], [[], []]);
  queue.resume();
  await bed.settle();
  assert.deepEqual([first.drain(), second.drain()], [['h'], []]);
});

test('consumers take turns also when messages come one by one', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue();
  const consumers = [new TestConsumer(), new TestConsumer(), new TestConsumer()];
  for (const consumer of consumers) queue.attach(consumer);
  for (const text of ['a', 'b', 'c', 'd', 'e']) await bed.send(text);
  assert.deepEqual(
    consumers.map(({ texts }) => texts),
    [['a', 'd'], ['b', 'e'], ['c']],
  );
});

test('a single active consumer is followed by one of the greatest priority, then of the longest stay', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue({ isSingleActive: true });
  const [first, second, urgent] = [
    new TestConsumer(),
    new TestConsumer(),
    new TestConsumer({ priority: 5 }),
  ];
  for (const consumer of [first, second, urgent]) queue.attach(consumer);
  await bed.send('a');
  queue.detach(first, 'return');
  await bed.settle();
  queue.detach(urgent, 'return');
  await bed.settle();
  await bed.send('b');
  assert.deepEqual([first.texts, urgent.texts, second.texts], [['a'], ['a'], ['a', 'b']]);
});

test('what a consumer leaves behind returns to its place, with its history', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue();
  const leaving = new TestConsumer({ credit: 3 });
  queue.attach(leaving);
  await bed.send('a', 'b', 'c', 'd');
  queue.accept(leaving.kept[1]?.lease ?? -1);
  queue.detach(leaving, 'return-failed');
  const next = new TestConsumer();
  queue.attach(next);
  await bed.settle();
  assert.deepEqual(next.texts, ['a', 'c', 'd']);
  assert.deepEqual(
    next.kept.map(({ deliveries, failures }) => [deliveries, failures]),
    [
      [2, 1],
      [2, 1],
      [1, 0],
    ],
  );
  assert.equal(queue.accept(leaving.kept[0]?.lease ?? -1), false);
});

test('what was leased when the power went comes again as a failure, in order', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue();
  const consumer = new TestConsumer({ credit: 3 });
  queue.attach(consumer);
  await bed.send('a', 'b', 'c', 'd', 'e');
  queue.accept(consumer.kept[1]?.lease ?? -1);
  await bed.clock.runUntil(queue.settled());
  await bed.crash();
  const again = bed.findQueue();
  assert.deepEqual(pick(again.counts()), { ready: 4, readyBytes: 4, leased: 0, leasedBytes: 0 });
  const other = new TestConsumer();
  again.attach(other);
  await bed.settle();
  assert.deepEqual(
    other.kept.map(({ text, deliveries, failures }) => `${text}${deliveries}${failures}`),
    ['a21', 'c21', 'd10', 'e10'],
  );
});

test('a lease with a time outlives a restart, and its receipt still settles it', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue({ leaseMs: 10_000 });
  const [message] = await bed.clock.runUntil(
    (async () => {
      await bed.append(['a', 'b']);
      return queue.acquire({
        count: 1,
        bytesMax: 1000,
        leaseMs: undefined,
        isAutoSettled: false,
        waitMs: 100,
      });
    })(),
  );
  assert.equal(message === undefined ? '' : textOf(message), 'a');
  await bed.settle();
  await bed.restart();
  const again = bed.findQueue({ leaseMs: 10_000 });
  assert.equal(again.counts().leased, 1);
  assert.equal(again.findLease(0, 2), undefined);
  const lease = again.findLease(0, 1) ?? -1;
  assert.equal(again.accept(lease), true);
  const consumer = new TestConsumer();
  again.attach(consumer);
  await bed.clock.runFor(15_000);
  assert.deepEqual(consumer.texts, ['b', 'b']);
  assert.equal(consumer.expired.length, 1);
});

test('acquire waits for the first message, and no longer than it was told', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue();
  const request = {
    count: 10,
    bytesMax: 6,
    leaseMs: undefined,
    isAutoSettled: false,
    waitMs: 1000,
  };
  assert.deepEqual(await bed.clock.runUntil(queue.acquire({ ...request, waitMs: 0 })), []);
  assert.deepEqual(await bed.clock.runUntil(queue.acquire(request)), []);
  const waiting = queue.acquire(request);
  await bed.send('aaa', 'bbb', 'ccc');
  assert.deepEqual((await waiting).map(textOf), ['aaa', 'bbb']);
  const owner = {};
  const [owned] = await bed.clock.runUntil(queue.acquire({ ...request, owner }));
  assert.equal(owned === undefined ? '' : textOf(owned), 'ccc');
  queue.releaseOwner(owner);
  const [again] = await bed.clock.runUntil(queue.acquire(request));
  assert.deepEqual([again?.offset, again?.deliveries, again?.failures], [2, 2, 0]);
  const controller = new AbortController();
  const aborted = queue.acquire({ ...request, signal: controller.signal });
  controller.abort();
  assert.deepEqual(await aborted, []);
});

test('a queue over a log that has records begins where it is told', async () => {
  const bed = await QueueBed.open();
  await bed.send('a', 'bb', 'ccc');
  void bed.append(['d']);
  const all = bed.openQueue({}, {}, 'all');
  const { queue: fresh } = bed.table.open(
    bed.log,
    'new',
    all.form,
    all.settings,
    bed.log.nextOffset,
  );
  await bed.send('e');
  assert.deepEqual([all.counts().ready, fresh.counts().ready], [5, 1]);
  await bed.crash();
  for (const [name, texts] of [
    ['all', ['a', 'bb', 'ccc', 'd', 'e']],
    ['new', ['e']],
  ] as const) {
    const consumer = new TestConsumer();
    bed.findQueue({}, name).attach(consumer);
    await bed.settle();
    assert.deepEqual(consumer.texts, texts);
  }
});

test('a purge settles all that is not leased, for good', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue();
  const consumer = new TestConsumer({ credit: 2 });
  queue.attach(consumer);
  await bed.send('a', 'b', 'c', 'd', 'e');
  queue.release(consumer.kept[0]?.lease ?? -1, { isFailure: false });
  assert.equal(await bed.clock.runUntil(queue.purge()), 4);
  assert.deepEqual(pick(queue.counts()), { ready: 0, readyBytes: 0, leased: 1, leasedBytes: 1 });
  await bed.crash();
  const again = bed.findQueue();
  const other = new TestConsumer();
  again.attach(other);
  await bed.send('f');
  assert.deepEqual(other.texts, ['b', 'f']);
});

test('consumers of a queue that is dropped, or whose partition is, are told so', async () => {
  const bed = await QueueBed.open();
  const consumers = [new TestConsumer(), new TestConsumer()];
  const dropped = bed.openQueue({}, {}, 'one');
  const other = bed.openQueue({}, {}, 'two');
  dropped.attach(consumers[0] as TestConsumer);
  other.attach(consumers[1] as TestConsumer);
  await bed.clock.runUntil(bed.table.drop(dropped));
  assert.deepEqual(
    consumers.map(({ detachedFor }) => detachedFor),
    ['deleted', undefined],
  );
  await bed.clock.runUntil(bed.shard.dropPartition(bed.log));
  assert.deepEqual(
    consumers.map(({ detachedFor }) => detachedFor),
    ['deleted', 'deleted'],
  );
  assert.deepEqual([...bed.table.list()], []);
  await bed.crash();
  assert.deepEqual([...bed.table.list()], []);
});

function pick(counts: {
  ready: number;
  readyBytes: number;
  leased: number;
  leasedBytes: number;
}): unknown {
  const { ready, readyBytes, leased, leasedBytes } = counts;
  return { ready, readyBytes, leased, leasedBytes };
}
