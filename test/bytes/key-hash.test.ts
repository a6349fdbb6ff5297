import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyHash, partitionOfKey } from '../../src/bytes/index.ts';

// Values that the Java client's own tests state for its murmur2.
const known: ReadonlyArray<readonly [key: string, hash: number]> = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
];

for (const [key, hash] of known) {
  test(`the hash of "${key}" is the one that other producers compute`, () => {
    assert.equal(keyHash(Buffer.from(key)), hash);
  });
}

test('a negative hash still names a partition', () => {
  assert.equal(partitionOfKey(Buffer.from('21'), 7), (-973932308 & 0x7fffffff) % 7);
});
