import assert from 'node:assert/strict';
import test from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { defaultQueueForm, defaultQueueSettings } from '../../../src/shard/index.ts';
import { QueueBed, TestConsumer } from './queue-bed.ts';

const lease = { count: 20_000, bytesMax: 1e9, leaseMs: 60_000, isAutoSettled: false, waitMs: 0 };

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function usedBytes(): number {
  // Memory of buffers is given back some time after their collection.
  for (let count = 0; count < 3; count++) collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

test('120,000 messages in hand take less than 10 MB', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue();
  const batch = Array.from({ length: 10_000 }, (_, index) => `${index}`);
  for (let count = 0; count < 12; count++) await bed.clock.runUntil(bed.append(batch));
  await bed.settle();
  // What the first deliveries bring into memory is not the leases'.
  const first = new TestConsumer({ credit: 20_000 });
  queue.attach(first);
  await bed.clock.runFor(100);
  queue.detach(first, 'return');
  first.drain();
  let taken = 0;
  const consumer = {
    priority: 0,
    isAutoSettled: false,
    leaseMs: 60_000,
    wants: () => true,
    take: () => void taken++,
    detached: () => undefined,
  };
  await bed.settle();
  const before = usedBytes();
  queue.attach(consumer);
  await bed.clock.runFor(1000);
  const after = usedBytes();
  assert.equal(taken, 120_000);
  assert.equal(queue.counts().leased, 120_000);
  assert.ok(after - before < 10e6, `${after - before} bytes`);
});

test('a backlog takes no memory for each message, in the state and in the snapshot', async () => {
  const bed = await QueueBed.open({ tailCacheBytes: 64 * 1024, journalFileBytes: 4 * 1024 * 1024 });
  const queue = bed.openQueue();
  const { bytes, traits } = bed.encode(Array.from({ length: 100_000 }, () => ''));
  const snapshotBytes = bed.table.encode().length;
  await bed.clock.runUntil(bed.log.append(bytes, traits));
  await bed.settle();
  const before = usedBytes();
  for (let count = 0; count < 10; count++) await bed.clock.runUntil(bed.log.append(bytes, traits));
  await bed.settle();
  assert.equal(queue.counts().ready, 1_100_000);
  assert.ok(bed.table.encode().length < snapshotBytes + 32);
  // What the simulated disk holds is not the queue's.
  const perMessage = (usedBytes() - before - 10 * bytes.length * 3) / 1_000_000;
  assert.ok(perMessage < 0.5, `${perMessage} bytes`);
  const [last] = await bed.clock.runUntil(queue.peek(1_000_000, 1, 100));
  assert.equal(last?.offset, 1_000_000);
  assert.equal((await bed.clock.runUntil(queue.acquire(lease))).length, 1000);
});

test('idle queues cost little, each and in a snapshot', async () => {
  const bed = await QueueBed.open();
  const count = 10_000;
  const before = usedBytes();
  const durables: Array<Promise<void>> = [];
  for (let index = 0; index < count; index++) {
    durables.push(
      bed.table.open(bed.log, `${index}`, defaultQueueForm, defaultQueueSettings, 0).durable,
    );
  }
  await bed.clock.runUntil(Promise.all(durables));
  durables.length = 0;
  const each = (usedBytes() - before) / count;
  assert.ok(each < 1024, `${each} bytes`);
  assert.ok(bed.table.encode().length / count < 48);
  await bed.restart();
  assert.equal([...bed.table.list()].length, count);
});

test('after the storage failed and works again, what was accepted durably does not come again', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue();
  const consumer = new TestConsumer();
  queue.attach(consumer);
  await bed.send('a', 'b', 'c');
  queue.accept(consumer.kept[0]?.lease ?? -1);
  await bed.clock.runUntil(queue.settled());
  bed.disk.faults.writeErrorRate = 1;
  queue.accept(consumer.kept[1]?.lease ?? -1);
  await assert.rejects(bed.clock.runUntil(queue.settled()));
  bed.disk.faults.writeErrorRate = 0;
  await bed.clock.runFor(5000);
  assert.equal(consumer.detachedFor, 'failed');
  assert.equal(bed.table.find(bed.log, ''), queue);
  const other = new TestConsumer();
  queue.attach(other);
  await bed.settle();
  assert.deepEqual(other.texts, ['b', 'c']);
  assert.equal(queue.accept(consumer.kept[2]?.lease ?? -1), false);
  for (const { lease: held } of other.kept) assert.equal(queue.accept(held), true);
  await bed.clock.runUntil(queue.settled());
});

test('more queues than may keep a stretch of their log in memory all go on', async () => {
  const bed = await QueueBed.open({ tailCacheBytes: 4096 });
  const consumers: TestConsumer[] = [];
  const queues = Array.from({ length: 100 }, (_, index) => {
    const queue = bed.openQueue({}, {}, `${index}`);
    const consumer = new TestConsumer({ credit: 1 });
    queue.attach(consumer);
    consumers.push(consumer);
    return queue;
  });
  for (let count = 0; count < 30; count++) await bed.send(`${count}`.padEnd(400, '.'));
  for (let count = 1; count < 30; count++) {
    for (const [index, queue] of queues.entries()) {
      (consumers[index] as TestConsumer).credit++;
      queue.resume();
    }
    await bed.settle();
  }
  const whole = Array.from({ length: 30 }, (_, index) => index);
  for (const { kept } of consumers)
    assert.deepEqual(
      kept.map(({ offset }) => offset),
      whole,
    );
});

test('a queue that turns empty has its records deleted soon', async () => {
  const bed = await QueueBed.open({ journalFileBytes: 4 * 1024 * 1024 });
  const queue = bed.openQueue();
  queue.attach(new TestConsumer({ isAutoSettled: true }));
  const part = Array.from({ length: 9 }, () => 'x'.repeat(100_000));
  for (let count = 0; count < 12; count++) await bed.clock.runUntil(bed.append(part));
  await bed.clock.runFor(100);
  assert.equal(queue.counts().ready, 0);
  assert.ok(bed.log.logStartOffset > 80, `${bed.log.logStartOffset}`);
});
