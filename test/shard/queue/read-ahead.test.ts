import assert from 'node:assert/strict';
import test from 'node:test';
import { ReadAheadBudget } from '../../../src/shard/queue/read-ahead.ts';
import { QueueBed, TestConsumer } from './queue-bed.ts';

test('what follows is read while a backlog that is not in memory is drained; every message comes once, in order', async () => {
  const bed = await QueueBed.open({ tailCacheBytes: 4096, latencyMsMax: 3 });
  const queue = bed.openQueue();
  const count = 600;
  for (let at = 0; at < count; at += 20)
    await bed.send(
      ...Array.from({ length: 20 }, (_, index) => `${at + index} ${'x'.repeat(2000)}`),
    );
  const consumer = new TestConsumer({ credit: 0 });
  queue.attach(consumer);
  let seen = 0;
  for (let left = count; left > 0; left -= 10) {
    consumer.credit = 10;
    queue.resume();
    await bed.clock.runFor(20);
    seen = Math.max(seen, bed.table.readAhead.bytes);
  }
  assert.deepEqual(
    consumer.texts.map((text) => Number.parseInt(text, 10)),
    Array.from({ length: count }, (_, index) => index),
  );
  // One window, for one queue.
  assert.equal(seen, 256 * 1024);
  queue.detach(consumer, 'return');
  await bed.settle();
  assert.equal(bed.table.readAhead.bytes, 0);
});

test('a queue whose consumers go while it reads ahead gives the room back', async () => {
  const bed = await QueueBed.open({ tailCacheBytes: 4096, latencyMsMax: 3 });
  const queue = bed.openQueue();
  for (let at = 0; at < 20; at++)
    await bed.send(...Array.from({ length: 20 }, () => 'x'.repeat(2000)));
  for (let ms = 0; ms < 12; ms++) {
    const consumer = new TestConsumer({ credit: 1 });
    queue.attach(consumer);
    await bed.clock.runFor(ms);
    queue.detach(consumer, 'return');
    await bed.settle();
    assert.equal(bed.table.readAhead.bytes, 0, `after ${ms} ms`);
  }
});

test('all queues together read ahead so much and no more', () => {
  const budget = new ReadAheadBudget(100);
  assert.ok(budget.take(60));
  assert.ok(!budget.take(41));
  assert.ok(budget.take(40));
  budget.exceed(30);
  budget.give(90);
  assert.equal(budget.bytes, 40);
});
