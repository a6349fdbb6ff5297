import assert from 'node:assert/strict';
import test from 'node:test';
import { RecordBatchBuilder } from '../../../src/bytes/index.ts';
import { QueueBed, TestConsumer } from './queue-bed.ts';
import { Transacting } from './transacting.ts';

const producerId = 7;

/** One transaction of a producer, with so many messages. */
async function transact(
  bed: QueueBed,
  sequence: number,
  texts: readonly string[],
  outcome: 'commit' | 'abort',
): Promise<void> {
  bed.log.beginTransaction(producerId, 0);
  const builder = new RecordBatchBuilder();
  for (const text of texts) {
    const value = Buffer.from(text);
    builder.add({ key: null, value, headers: [], timestampMs: bed.clock.nowMs() });
  }
  const batch = builder.build({
    producerId,
    producerEpoch: 0,
    baseSequence: sequence,
    isTransactional: true,
  });
  await bed.clock.runUntil(bed.log.append(batch));
  await bed.clock.runUntil(bed.log.endTransaction(producerId, 0, outcome, 0));
  await bed.settle();
}

for (const priorityMax of [0, 9]) {
  test(`aborted records and markers at the head are not ready, with nobody there (priorities: ${priorityMax})`, async () => {
    const bed = await QueueBed.open();
    const queue = bed.openQueue({}, { priorityMax });
    await transact(bed, 0, ['x', 'y'], 'abort');
    assert.deepEqual([queue.counts().ready, queue.settledOffset], [0, 3]);
    assert.equal(queue.counts().published, 2);
    await transact(bed, 2, ['a'], 'commit');
    const consumer = new TestConsumer({ credit: 1 });
    queue.attach(consumer);
    await bed.settle();
    assert.deepEqual(consumer.texts, ['a']);
    assert.deepEqual([queue.counts().ready, queue.counts().leased], [0, 1]);
    queue.accept(consumer.kept[0]?.lease ?? -1);
    await bed.settle();
    assert.deepEqual([queue.counts().ready, queue.settledOffset], [0, 5]);
    await transact(bed, 3, ['z'], 'abort');
    await bed.crash();
    await bed.settle();
    const again = bed.findQueue({}, '');
    await bed.settle();
    assert.deepEqual([again.counts().ready, again.settledOffset], [0, 7]);
  });
}

test('what comes behind a message that nobody wants is passed when its turn comes', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue();
  await bed.send('a');
  await transact(bed, 0, ['x'], 'abort');
  await bed.send('b');
  const consumer = new TestConsumer({ credit: 1 });
  queue.attach(consumer);
  await bed.settle();
  queue.accept(consumer.kept[0]?.lease ?? -1);
  await bed.settle();
  assert.deepEqual([queue.counts().ready, queue.settledOffset], [1, 3]);
});

test('a queue that gives out what is not committed waits for no transaction, and keeps what is aborted', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue({ givesUncommitted: true });
  const consumer = new TestConsumer({ credit: 2 });
  queue.attach(consumer);
  const producer = new Transacting(bed, producerId);
  await producer.write('a', 'b', 'c');
  assert.deepEqual(consumer.texts, ['a', 'b']);
  queue.accept(consumer.kept[0]?.lease ?? -1);
  const seen = await bed.clock.runUntil(queue.peek(0, 9, 1000));
  assert.deepEqual(
    seen.map(({ offset }) => offset),
    [2],
  );
  await producer.end('abort');
  // The marker is no message, all else is one.
  assert.deepEqual([queue.counts().ready, queue.counts().leased], [1, 1]);
  await bed.crash();
  await bed.settle();
  const again = bed.findQueue({ givesUncommitted: true }, '');
  const other = new TestConsumer({ credit: 9 });
  again.attach(other);
  await bed.settle();
  assert.deepEqual(other.texts, ['b', 'c']);
  for (const { lease } of other.kept) again.accept(lease);
  await bed.settle();
  assert.deepEqual([again.counts().ready, again.settledOffset], [0, 4]);
});

test('whether what is not committed is given out can change at any time', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue();
  const consumer = new TestConsumer({ credit: 9 });
  queue.attach(consumer);
  const producer = new Transacting(bed, producerId);
  await producer.write('a', 'b');
  assert.deepEqual(consumer.texts, []);
  queue.settings = { ...queue.settings, givesUncommitted: true };
  await bed.settle();
  assert.deepEqual(consumer.texts, ['a', 'b']);
  queue.settings = { ...queue.settings, givesUncommitted: false };
  await producer.write('c');
  await bed.settle();
  assert.deepEqual(consumer.texts, ['a', 'b']);
  // Whoever has it keeps it; what comes back is aborted, and goes.
  await producer.end('abort');
  queue.accept(consumer.kept[0]?.lease ?? -1);
  queue.release(consumer.kept[1]?.lease ?? -1, { isFailure: true });
  await bed.settle();
  assert.deepEqual(consumer.texts, ['a', 'b']);
  assert.deepEqual([queue.counts().ready, queue.counts().leased, queue.settledOffset], [0, 0, 4]);
});

test('a purge takes what is not committed along where it is given out', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue({ givesUncommitted: true });
  const producer = new Transacting(bed, producerId);
  await producer.write('a', 'b');
  assert.equal(await bed.clock.runUntil(queue.purge()), 2);
  await producer.end('commit');
  assert.deepEqual([queue.counts().ready, queue.settledOffset], [0, 3]);
});
