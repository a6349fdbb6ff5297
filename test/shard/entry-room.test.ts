import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '../../src/base/index.ts';
import { FileBacking, OffsetTable, Shard } from '../../src/shard/index.ts';
import { SeededRandom, SimulatedClock, SimulatedDisk } from '../../src/testing/index.ts';

interface Bed {
  shard: Shard;
  offsets: OffsetTable;
}

async function open(clock: SimulatedClock, disk: SimulatedDisk): Promise<Bed> {
  const offsets = new OffsetTable();
  const opening = Shard.open({
    backing: new FileBacking({
      disk,
      directory: '/data/shard-0',
      journalFileBytes: limits.journalFileBytes,
      isDurable: true,
    }),
    clock,
    random: new SeededRandom(3),
    extensions: [offsets],
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    freeBytesMin: 0,
  });
  const shard = await clock.runUntil(opening);
  offsets.attach(shard);
  return { shard, offsets };
}

test('states of groups wait for each other before a chunk becomes longer than recovery believes in', async () => {
  const clock = new SimulatedClock();
  const disk = new SimulatedDisk({ clock, random: new SeededRandom(4), latencyMsMax: 5 });
  const { offsets } = await open(clock, disk);
  const state = Buffer.alloc(Math.ceil(limits.pendingBytesMax * 0.6), 7);
  const first = offsets.saveGroup('first', state);
  await assert.rejects(offsets.saveGroup('second', state), { code: 'overloaded' });
  assert.equal(offsets.findGroup('second'), undefined, 'what was refused has no effect');
  await assert.rejects(
    offsets.saveMembers('third', Buffer.alloc(1), new Map([['m', state]]), true),
    { code: 'overloaded' },
  );
  const small = offsets.saveGroup('small', Buffer.alloc(100));
  await clock.runUntil(Promise.all([first, small]));
  await clock.runUntil(offsets.saveGroup('second', state.subarray(0, 5000)));
  const again = await open(clock, disk.crash());
  assert.deepEqual(again.offsets.listGroupIds().toSorted(), ['first', 'second', 'small']);
  assert.equal(again.offsets.findGroup('first')?.length, state.length);
});
