import assert from 'node:assert/strict';
import test from 'node:test';
import { RecordBatchBuilder } from '../../../src/bytes/index.ts';
import { QueueBed, TestConsumer } from './queue-bed.ts';

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
