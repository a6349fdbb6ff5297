import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FreeSpace } from '../../src/shard/free-space.ts';
import { SimulatedClock } from '../../src/testing/index.ts';

async function open(bytesMin: number) {
  const disk = { freeBytes: 1000 };
  const clock = new SimulatedClock();
  const state = { pendingBytes: 0, lowCount: 0, errors: 0 };
  const space = new FreeSpace({
    backing: {
      place: 'the disk',
      space: async () => ({ freeBytes: disk.freeBytes, totalBytes: 2000 }),
    },
    clock,
    bytesMin,
    pendingBytes: () => state.pendingBytes,
    log: {
      info: () => {},
      warn: () => {},
      error: () => {
        state.errors++;
      },
    },
    onLow: () => {
      state.lowCount++;
    },
  });
  await space.look();
  return { disk, clock, space, state };
}

const full = { code: 'storage-full' };

describe('the reserve of free space', () => {
  test('is kept although nobody has looked since', async () => {
    const { space, state } = await open(400);
    space.spend(300);
    space.spend(300);
    assert.throws(() => space.spend(1), full);
    assert.throws(() => space.spend(1), full);
    assert.equal(space.isLow, true);
    assert.deepEqual([state.lowCount, state.errors], [1, 1]);
  });

  test('counts what was let in and is not on the disk yet', async () => {
    const { disk, space, state } = await open(400);
    space.spend(500);
    disk.freeBytes = 700;
    state.pendingBytes = 200;
    await space.look();
    space.spend(100);
    assert.throws(() => space.spend(1), full);
  });

  test('is looked at early while half of the room is left', async () => {
    const { disk, space } = await open(400);
    space.spend(301);
    disk.freeBytes = 2000;
    space.spend(1);
    await new Promise(setImmediate);
    space.spend(1500);
    assert.equal(space.isLow, false);
  });

  test('is given up again when there is clearly more room, not at the first byte', async () => {
    const { disk, clock, space } = await open(400);
    assert.throws(() => space.spend(601), full);
    disk.freeBytes = 499;
    await clock.runFor(1000);
    assert.equal(space.isLow, true);
    disk.freeBytes = 500;
    await clock.runFor(1000);
    assert.equal(space.isLow, false);
    space.spend(100);
  });

  test('of 0 bytes refuses nothing', async () => {
    const { disk, space } = await open(0);
    disk.freeBytes = 0;
    await space.look();
    space.spend(5000);
    assert.equal(space.isLow, false);
  });

  test('lets data be moved only into what is left of the room', async () => {
    const { disk, space, state } = await open(400);
    space.spend(200);
    state.pendingBytes = 200;
    assert.deepEqual(await space.roomForMoves(), { spareBytes: 200, anyBytes: 200 });
    disk.freeBytes = 300;
    assert.deepEqual(await space.roomForMoves(), { spareBytes: 0, anyBytes: 25 });
  });

  test('is not kept where there is none: the disk itself refuses', async () => {
    const { disk, space, state } = await open(0);
    space.spend(2000);
    state.pendingBytes = 2000;
    disk.freeBytes = 1;
    await space.look();
    space.spend(1);
    assert.deepEqual([space.isLow, state.lowCount], [false, 0]);
  });
});
