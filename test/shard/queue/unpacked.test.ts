import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '../../../src/base/index.ts';
import { QueueBed, TestConsumer } from './queue-bed.ts';

const bodyBytes = 24 * 1024 * 1024;

test('queues that read batches which become large when they are decompressed share a bound', async () => {
  const bed = await QueueBed.open();
  const readers = ['a', 'b', 'c', 'd', 'e', 'f'].map((subscription) => {
    const consumer = new TestConsumer({ credit: 1 });
    const queue = bed.openQueue({}, {}, subscription);
    queue.attach(consumer);
    return { consumer, queue };
  });
  const text = 'x'.repeat(bodyBytes);
  // A few kilobytes on the disk.
  const { bytes } = bed.encode([text, 'second'], 'zstd');
  await bed.clock.runUntil(bed.log.append(bytes));
  await bed.settle();
  for (const { consumer } of readers) assert.equal(consumer.drain()[0]?.length, bodyBytes);
  const { unpackedBytes } = bed.table;
  assert.ok(unpackedBytes > 0, 'what is being read is kept');
  assert.ok(unpackedBytes <= limits.queueUnpackedBytesMax, `${unpackedBytes} bytes are held`);
  // Who had to let go reads it again.
  for (const { consumer, queue } of readers) {
    consumer.credit = 1;
    queue.resume();
  }
  await bed.settle();
  for (const { consumer } of readers) assert.deepEqual(consumer.drain(), ['second']);
});
