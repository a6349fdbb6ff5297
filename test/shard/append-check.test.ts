import assert from 'node:assert/strict';
import test from 'node:test';
import type { BrokerError } from '../../src/base/index.ts';
import { QueueBed } from './queue/queue-bed.ts';

test('the checksum of a batch is looked at when it is appended, unless it was built here', async () => {
  const bed = await QueueBed.open();
  const append = (isBuiltHere: boolean | undefined): Promise<string> => {
    const { bytes, traits } = bed.encode(['a']);
    bytes.writeInt32BE(bytes.readInt32BE(17) ^ 1, 17);
    const all = isBuiltHere === undefined ? traits : { ...traits, isBuiltHere };
    return bed.log.append(bytes, all).then(
      () => 'ok',
      (error: BrokerError) => error.code,
    );
  };
  assert.equal(await bed.clock.runUntil(append(undefined)), 'batch-corrupt');
  assert.equal(await bed.clock.runUntil(append(false)), 'batch-corrupt');
  assert.equal(await bed.clock.runUntil(append(true)), 'ok');
});

test('whatever else is wrong with a batch is seen in those that were built here too', async () => {
  const bed = await QueueBed.open();
  const { bytes, traits } = bed.encode(['a']);
  const appended = bed.log.append(bytes.subarray(0, bytes.length - 1), {
    ...traits,
    isBuiltHere: true,
  });
  await assert.rejects(bed.clock.runUntil(appended), { code: 'batch-corrupt' });
});
