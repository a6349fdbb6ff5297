import assert from 'node:assert/strict';
import test from 'node:test';
import type { QueueForm } from '../../../src/shard/index.ts';
import { QueueBed, TestConsumer } from './queue-bed.ts';
import { Transacting } from './transacting.ts';

const forms: ReadonlyArray<Partial<QueueForm>> = [{}, { priorityMax: 3 }, { isGrouped: true }];

for (const form of forms) {
  for (const ending of ['at once', 'after a crash', 'after a restart'] as const) {
    test(`a purge leaves what is not committed yet (${JSON.stringify(form)}, ${ending})`, async () => {
      const bed = await QueueBed.open();
      let queue = bed.openQueue({}, form);
      const first = new Transacting(bed, 7);
      const second = new Transacting(bed, 8);
      await bed.send('a', 'b');
      await first.write('c', 'd');
      await bed.send('e');
      await second.write('x');
      await first.write({ text: 'f', headers: { 'pabal.priority': '2', 'pabal.group': 'g' } });
      await bed.send('g');
      const consumer = new TestConsumer({ credit: 1 });
      queue.attach(consumer);
      await bed.settle();
      assert.deepEqual(consumer.drain(), ['a']);
      // `b`, `e` and `g` are messages, and nobody has them.
      assert.equal(await bed.clock.runUntil(queue.purge()), 3);
      assert.deepEqual([queue.counts().ready, queue.counts().leased], [4, 1]);
      if (ending !== 'at once') {
        await (ending === 'after a crash' ? bed.crash() : bed.restart());
        queue = bed.findQueue({});
      } else queue.detach(consumer, 'return');
      assert.equal(queue.counts().readyBytes, 5);
      await first.end('commit');
      await second.end('abort');
      await bed.send('h');
      const other = new TestConsumer();
      queue.attach(other);
      await bed.settle();
      assert.deepEqual(other.texts.toSorted(), ['a', 'c', 'd', 'f', 'h']);
      for (const { lease } of other.kept) queue.accept(lease);
      await bed.settle();
      assert.deepEqual([queue.counts().ready, queue.counts().readyBytes], [0, 0]);
      assert.equal(queue.settledOffset, bed.log.nextOffset);
    });
  }
}

test('a purge leaves a delayed message that is not committed yet, and none that is', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue();
  const producer = new Transacting(bed, 7);
  const headers = { 'pabal.deliver-at': `${bed.clock.nowMs() + 1000}` };
  await bed.send({ text: 'gone', headers });
  await producer.write({ text: 'stays', headers });
  await bed.clock.runUntil(queue.purge());
  assert.deepEqual([queue.counts().ready, queue.counts().delayed], [0, 1]);
  await bed.crash();
  const again = bed.findQueue();
  await producer.end('commit');
  const consumer = new TestConsumer();
  again.attach(consumer);
  await bed.clock.runFor(2000);
  assert.deepEqual(consumer.texts, ['stays']);
});

test('markers and what was aborted do not count as ready, wherever they are', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue();
  const producer = new Transacting(bed, 7);
  await bed.send('a');
  await producer.write('x', 'y');
  await producer.end('abort');
  await bed.send('b');
  await producer.write('c');
  await producer.end('commit');
  assert.deepEqual([queue.counts().ready, queue.counts().readyBytes], [3, 3]);
  await bed.crash();
  const again = bed.findQueue();
  await bed.settle();
  assert.deepEqual([again.counts().ready, again.counts().readyBytes], [3, 3]);
  const consumer = new TestConsumer({ isAutoSettled: true });
  again.attach(consumer);
  await bed.settle();
  assert.deepEqual(consumer.texts, ['a', 'b', 'c']);
  assert.deepEqual([again.counts().ready, again.settledOffset], [0, bed.log.nextOffset]);
});

test('nothing dies of length for messages that may never be', async () => {
  for (const limit of [{ readyMax: 2 }, { readyBytesMax: 4 }]) {
    const bed = await QueueBed.open();
    const queue = bed.openQueue({ ...limit, overflow: 'drop-head' });
    await bed.send('a1', 'b1');
    const producer = new Transacting(bed, 7);
    await producer.write('x1', 'y1');
    await producer.end('abort');
    await bed.settle();
    const consumer = new TestConsumer();
    queue.attach(consumer);
    await bed.settle();
    assert.deepEqual(consumer.texts, ['a1', 'b1']);
  }
});
