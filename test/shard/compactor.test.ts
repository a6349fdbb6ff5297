import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MemoryDisk } from '../../src/disk/index.ts';
import { FileSegmentStore } from '../../src/segment/index.ts';
import { Compactor, type FileUse } from '../../src/shard/compactor.ts';
import { SimulatedClock } from '../../src/testing/index.ts';

const MIB = 1024 * 1024;

function use(fileId: number, fileBytes: number, liveBytes: number): FileUse {
  return { kind: 'journal', fileId, fileBytes, liveBytes, runs: 1, partitions: 1 };
}

async function choose(
  uses: FileUse[],
  room: { spareBytes: number; anyBytes: number },
): Promise<number[]> {
  const compactor = new Compactor({
    clock: new SimulatedClock(),
    segments: await FileSegmentStore.open(new MemoryDisk(), 'segments'),
    bytesPerSecond: 1,
  });
  return compactor.choose(uses, room).map(({ fileId }) => fileId);
}

describe('what the compactor moves', () => {
  const plenty = { spareBytes: 1024 * MIB, anyBytes: 1024 * MIB };
  const manySmall = Array.from({ length: 8 }, (_, i) => use(i, 2 * MIB, 2 * MIB));
  const mostlyDead = [use(10, 64 * MIB, 4 * MIB), use(11, 64 * MIB, 20 * MIB)];

  test('is what is mostly dead, or many and small', async () => {
    assert.deepEqual(await choose(mostlyDead, plenty), [10, 11]);
    assert.deepEqual(await choose(manySmall, plenty), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert.deepEqual(await choose([use(1, 64 * MIB, 40 * MIB)], plenty), []);
  });

  test('fits beside what is there', async () => {
    assert.deepEqual(await choose(manySmall, { spareBytes: 5 * MIB, anyBytes: 8 * MIB }), [0, 1]);
    assert.deepEqual(await choose(manySmall, { spareBytes: 0, anyBytes: 8 * MIB }), []);
  });

  test('takes of the reserve only what gives back more', async () => {
    assert.deepEqual(await choose(mostlyDead, { spareBytes: 0, anyBytes: 8 * MIB }), [10]);
    assert.deepEqual(await choose(mostlyDead, { spareBytes: 0, anyBytes: 1 * MIB }), []);
  });
});
