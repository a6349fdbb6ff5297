import assert from 'node:assert/strict';
import test from 'node:test';
import { QueueBed, TestConsumer } from './queue-bed.ts';

async function delivered(): Promise<{ bed: QueueBed; consumer: TestConsumer }> {
  const bed = await QueueBed.open();
  const queue = bed.openQueue();
  const consumer = new TestConsumer();
  queue.attach(consumer);
  await bed.send('a', 'b');
  assert.deepEqual(consumer.texts, ['a', 'b']);
  return { bed, consumer };
}

test('a settlement that nobody waits for costs no chunk of its own, and is durable soon', async () => {
  for (const [ms, ready] of [
    [1, 2],
    [3, 1],
  ] as const) {
    const { bed, consumer } = await delivered();
    const queue = bed.findQueue();
    assert.ok(queue.accept(consumer.kept[0]?.lease ?? -1));
    await bed.clock.runFor(ms);
    await bed.crash();
    assert.equal(bed.findQueue().counts().ready, ready, `after ${ms} ms`);
  }
});

test('a settlement goes with the next chunk, whoever brings that about', async () => {
  const { bed, consumer } = await delivered();
  assert.ok(bed.findQueue().accept(consumer.kept[0]?.lease ?? -1));
  const beforeMs = bed.clock.monotonicMs();
  await bed.clock.runUntil(bed.append(['c']));
  assert.ok(bed.clock.monotonicMs() - beforeMs < 1);
  await bed.crash();
  assert.equal(bed.findQueue().counts().ready, 2);
});

test('whoever waits for a settlement does not wait for others', async () => {
  const { bed, consumer } = await delivered();
  const queue = bed.findQueue();
  assert.ok(queue.accept(consumer.kept[0]?.lease ?? -1));
  const beforeMs = bed.clock.monotonicMs();
  await bed.clock.runUntil(queue.settled());
  assert.ok(bed.clock.monotonicMs() - beforeMs < 1);
  await bed.crash();
  assert.equal(bed.findQueue().counts().ready, 1);
});

test('settlements that follow each other are durable soon too, and so are those before an orderly end', async () => {
  const { bed, consumer } = await delivered();
  const queue = bed.findQueue();
  for (const { lease } of consumer.kept.splice(0)) {
    assert.ok(queue.accept(lease));
    await bed.clock.runFor(1.5);
  }
  await bed.clock.runFor(3);
  await bed.crash();
  const again = bed.findQueue();
  assert.equal(again.counts().ready, 0);
  const other = new TestConsumer();
  again.attach(other);
  await bed.send('c');
  assert.ok(again.accept(other.kept[0]?.lease ?? -1));
  await bed.restart();
  assert.equal(bed.findQueue().counts().ready, 0);
});
