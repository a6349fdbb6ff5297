import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecordBatchBuilder } from '../../../src/bytes/index.ts';
import { unboundedSettings } from '../../../src/shard/partition-settings.ts';
import { QueueBed, TestConsumer } from '../queue/queue-bed.ts';

const compacted = { ...unboundedSettings, cleanup: 'compact', dirtyShareMin: 0 } as const;

async function send(bed: QueueBed, records: readonly string[]): Promise<void> {
  const builder = new RecordBatchBuilder();
  for (const text of records) {
    const [key = '', value = ''] = text.split('=');
    builder.add({
      key: Buffer.from(key),
      value: Buffer.from(value),
      headers: [],
      timestampMs: bed.clock.nowMs(),
    });
  }
  await bed.clock.runUntil(bed.log.append(builder.build()));
  await bed.settle();
}

async function compact(bed: QueueBed): Promise<void> {
  bed.shard.requestSeal();
  await bed.clock.runFor(1000);
  await bed.clock.runUntil(bed.shard.maintain());
}

test('a queue over a compacted log gives out what is left, and its counts come to nothing', async () => {
  const bed = await QueueBed.open();
  bed.log.settings = compacted;
  const queue = bed.openQueue();
  for (let round = 0; round < 20; round++) {
    const keys = Array.from({ length: 30 }, (_, index) => `k${index}=${round}`);
    await send(bed, [...keys, `only${round}=${round}`]);
  }
  await compact(bed);
  const consumer = new TestConsumer({ isAutoSettled: true });
  queue.attach(consumer);
  await bed.clock.runFor(1000);
  const expected = Array.from({ length: 20 }, (_, round) => String(round));
  const newest = Array.from({ length: 30 }, () => '19');
  assert.deepEqual(consumer.texts, [...expected.slice(0, 19), ...newest, '19']);
  assert.equal(queue.counts().ready, 0);
  await send(bed, ['new=20']);
  assert.equal(consumer.texts.at(-1), '20');
  await bed.restart();
  assert.equal(bed.findQueue().counts().ready, 0);
});

test('what was leased and is gone by then is passed over when it comes back', async () => {
  const bed = await QueueBed.open();
  bed.log.settings = compacted;
  const queue = bed.openQueue();
  await send(bed, ['a=1', 'b=1', 'c=1']);
  const consumer = new TestConsumer({ credit: 2 });
  queue.attach(consumer);
  await bed.settle();
  assert.deepEqual(consumer.texts, ['1', '1']);
  await send(bed, ['a=2', 'd=1']);
  await compact(bed);
  queue.detach(consumer, 'return');
  const next = new TestConsumer();
  queue.attach(next);
  await bed.clock.runFor(1000);
  assert.deepEqual(
    next.kept.map(({ offset }) => offset),
    [1, 2, 3, 4],
  );
});
