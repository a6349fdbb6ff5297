import assert from 'node:assert/strict';
import test from 'node:test';
import { limits } from '../../../src/base/index.ts';
import { Memory } from '../../../src/doors/sqs/memory.ts';
import { SimulatedClock } from '../../../src/testing/index.ts';

test('values that take too much memory together are forgotten, the oldest first', async () => {
  const clock = new SimulatedClock();
  const memory = new Memory<string>(clock, 1000);
  const third = Math.floor(limits.webMemoryBytesMax / 3);
  for (const key of ['a', 'b', 'c', 'd']) memory.set(key, key, third);
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map((key) => memory.get(key)),
    [undefined, 'b', 'c', 'd'],
  );
  // What comes in the place of another takes its own memory only.
  memory.set('b', 'B', third);
  memory.delete('c');
  memory.set('e', 'e', third);
  assert.deepEqual(
    ['b', 'c', 'd', 'e'].map((key) => memory.get(key)),
    ['B', undefined, 'd', 'e'],
  );
  memory.set('f', 'f', limits.webMemoryBytesMax + 1);
  assert.deepEqual(
    ['b', 'd', 'e', 'f'].map((key) => memory.get(key)),
    [undefined, undefined, undefined, undefined],
  );
  memory.set('g', 'g', third);
  await clock.runFor(1001);
  assert.equal(memory.get('g'), undefined);
});
