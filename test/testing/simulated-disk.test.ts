import assert from 'node:assert/strict';
import test from 'node:test';
import type { Disk, DiskFile } from '../../src/disk/index.ts';
import { AssertionError } from '../../src/base/index.ts';
import { SeededRandom, SimulatedClock, SimulatedDisk } from '../../src/testing/index.ts';
import type { SimulatedDiskOptions } from '../../src/testing/index.ts';

const sector = 512;
const path = '/data/file';

interface Bench {
  clock: SimulatedClock;
  disk: SimulatedDisk;
  run<T>(promise: Promise<T>): Promise<T>;
}

async function createBench(
  seed: number,
  options: Partial<SimulatedDiskOptions> = {},
): Promise<Bench> {
  const clock = new SimulatedClock();
  const disk = new SimulatedDisk({ clock, random: new SeededRandom(seed), ...options });
  const run = <T>(promise: Promise<T>): Promise<T> => clock.runUntil(promise);
  await run(disk.makeDirectory('/data'));
  await run(disk.syncDirectory('/'));
  return { clock, disk, run };
}

/** A new file whose name is durable. */
async function createFile(bench: Bench, isDurable: boolean, name = path): Promise<DiskFile> {
  const file = await bench.run(bench.disk.open(name, { create: true, isDurable }));
  await bench.run(bench.disk.syncDirectory('/data'));
  return file;
}

async function readAll(bench: Bench, disk: Disk, name = path): Promise<Buffer> {
  const file = await bench.run(disk.open(name, { isReadOnly: true }));
  const bytes = Buffer.alloc(await bench.run(file.size()), 0xee);
  assert.equal(await bench.run(file.read(bytes, 0)), bytes.length);
  await bench.run(file.close());
  return bytes;
}

/** One character for each sector: its byte, '.' for zeros, '!' when it is not uniform. */
function describe(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += sector) {
    const part = bytes.subarray(at, at + sector);
    const first = part[0]!;
    const isUniform = Buffer.alloc(part.length, first).equals(part);
    text += isUniform ? (first === 0 ? '.' : String.fromCharCode(first)) : '!';
  }
  return text;
}

function fill(text: string): Buffer {
  return Buffer.concat(Array.from(text, (letter) => Buffer.alloc(sector, letter)));
}

/** What a scenario leaves behind, for each of many seeds, in order of first appearance. */
async function outcomes(
  count: number,
  scenario: (seed: number) => Promise<string>,
): Promise<Set<string>> {
  const seen = new Set<string>();
  for (let seed = 1; seed <= count; seed++) seen.add(await scenario(seed));
  return seen;
}

async function rejectsWith(promise: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(promise, (error: unknown) => {
    assert.ok(error instanceof Error && 'code' in error, String(error));
    assert.equal(error.code, code);
    return true;
  });
}

test('a settled write to a durable file survives every crash', async () => {
  const seen = await outcomes(30, async (seed) => {
    const bench = await createBench(seed);
    const file = await createFile(bench, true);
    await bench.run(file.write(fill('abcd'), 0));
    await bench.run(file.write(fill('X'), sector));
    return describe(await readAll(bench, bench.disk.crash()));
  });
  assert.deepEqual([...seen], ['aXcd']);
});

test('a write without a sync is lost, kept or torn between sectors, and nothing else', async () => {
  const seen = await outcomes(180, async (seed) => {
    const bench = await createBench(seed);
    const file = await createFile(bench, false);
    await bench.run(file.write(fill('aaaa'), 0));
    await bench.run(file.sync());
    await bench.run(file.write(fill('bbbb'), 0));
    assert.equal(describe(await readAll(bench, bench.disk)), 'bbbb');
    return describe(await readAll(bench, bench.disk.crash()));
  });
  assert.ok(seen.has('aaaa') && seen.has('bbbb') && seen.has('abab'), [...seen].join(' '));
  // All sixteen ways to mix the sectors, and no other.
  assert.equal(seen.size, 16);
  for (const text of seen) assert.match(text, /^[ab]{4}$/);
});

test('a sync makes everything before it survive, and nothing that came after it began', async () => {
  const seen = await outcomes(40, async (seed) => {
    const bench = await createBench(seed, { faults: { slowSyncRate: 1, slowSyncMs: 10 } });
    const file = await createFile(bench, false);
    await bench.run(file.write(fill('aa'), 0));
    const sync = file.sync();
    await bench.run(file.write(fill('b'), sector));
    await bench.run(sync);
    return describe(await readAll(bench, bench.disk.crash()));
  });
  assert.deepEqual([...seen].toSorted(), ['aa', 'ab']);
});

test('a sector that was written several times holds any of its states since the last sync', async () => {
  const seen = await outcomes(60, async (seed) => {
    const bench = await createBench(seed);
    const file = await createFile(bench, false);
    for (const letter of ['x', 'a']) await bench.run(file.write(fill(letter), 0));
    await bench.run(file.sync());
    for (const letter of ['b', 'c', 'd']) await bench.run(file.write(fill(letter), 0));
    return describe(await readAll(bench, bench.disk.crash()));
  });
  assert.deepEqual([...seen].toSorted(), ['a', 'b', 'c', 'd']);
});

test('a durable write that is under way may be torn', async () => {
  const seen = await outcomes(110, async (seed) => {
    const bench = await createBench(seed);
    const file = await createFile(bench, true);
    await bench.run(file.write(fill('aaa'), 0));
    void file.write(fill('bbb'), 0);
    return describe(await readAll(bench, bench.disk.crash()));
  });
  assert.equal(seen.size, 8, [...seen].join(' '));
});

test('a write beyond the end may leave the old size, the new one, or holes', async () => {
  const seen = await outcomes(110, async (seed) => {
    const bench = await createBench(seed);
    const file = await createFile(bench, false);
    await bench.run(file.write(fill('aa'), 0));
    return describe(await readAll(bench, bench.disk.crash()));
  });
  assert.deepEqual([...seen].toSorted(), ['', '..', '.a', 'a.', 'aa']);
});

test('parts of sectors are merged with what is there', async () => {
  const bench = await createBench(1);
  const file = await createFile(bench, true);
  await bench.run(file.write(Buffer.from('hello'), 510));
  await bench.run(file.write(Buffer.from('J'), 510));
  assert.equal(await bench.run(file.size()), 515);
  const into = Buffer.alloc(10, 0xee);
  assert.equal(await bench.run(file.read(into, 508)), 7);
  assert.equal(into.toString('latin1'), '\0\0Jelloîîî');
  assert.equal(await bench.run(file.read(into, 515)), 0);
  assert.equal(await bench.run(file.read(into, 10_000)), 0);
});

test('growing by truncation reads as zeros, and old bytes never come back behind a shrinking', async () => {
  const seen = await outcomes(110, async (seed) => {
    const bench = await createBench(seed);
    const file = await createFile(bench, false);
    await bench.run(file.write(fill('aaa'), 0));
    await bench.run(file.sync());
    await bench.run(file.truncate(sector));
    await bench.run(file.truncate(3 * sector));
    assert.equal(describe(await readAll(bench, bench.disk)), 'a..');
    const after = bench.disk.crash();
    return describe(await readAll(bench, after));
  });
  assert.deepEqual([...seen].toSorted(), ['a', 'a..', 'aaa']);
});

test('a durable write takes earlier truncations of its file with it', async () => {
  const seen = await outcomes(30, async (seed) => {
    const bench = await createBench(seed);
    const file = await createFile(bench, true);
    await bench.run(file.write(fill('abc'), 0));
    await bench.run(file.truncate(sector));
    await bench.run(file.truncate(4 * sector));
    await bench.run(file.write(fill('X'), 3 * sector));
    return describe(await readAll(bench, bench.disk.crash()));
  });
  assert.deepEqual([...seen], ['a..X']);
});

async function createAndCrash(seed: number, isSynced: boolean): Promise<string> {
  const bench = await createBench(seed);
  const file = await bench.run(bench.disk.open(path, { create: true, isDurable: true }));
  await bench.run(file.write(fill('a'), 0));
  if (isSynced) await bench.run(bench.disk.syncDirectory('/data'));
  return (await bench.run(bench.disk.crash().list('/data'))).join();
}

test('a new file may vanish until its directory is synced', async () => {
  assert.deepEqual([...(await outcomes(40, (seed) => createAndCrash(seed, false)))].toSorted(), [
    '',
    'file',
  ]);
  assert.deepEqual([...(await outcomes(40, (seed) => createAndCrash(seed, true)))], ['file']);
});

test('a new directory stays from the moment it is made', async () => {
  const seen = await outcomes(30, async (seed) => {
    const bench = await createBench(seed);
    await bench.run(bench.disk.makeDirectory('/data/new/deep'));
    const after = bench.disk.crash();
    return (await bench.run(after.list('/data'))).join();
  });
  assert.deepEqual([...seen], ['new']);
});

async function replaceAndCrash(seed: number, isSynced: boolean): Promise<string> {
  const bench = await createBench(seed);
  const old = await createFile(bench, true);
  await bench.run(old.write(fill('aa'), 0));
  const next = await bench.run(bench.disk.open('/data/next', { create: true, isDurable: true }));
  await bench.run(next.write(fill('bb'), 0));
  await bench.run(bench.disk.rename('/data/next', path));
  if (isSynced) await bench.run(bench.disk.syncDirectory('/data'));
  const after = bench.disk.crash();
  const names = (await bench.run(after.list('/data'))).toSorted().join();
  return `${names} ${describe(await readAll(bench, after))}`;
}

test('replacing a file leaves the old or the new one, whole, under one name', async () => {
  const seen = await outcomes(40, (seed) => replaceAndCrash(seed, false));
  // The new file's first name may have been kept without the rename, never the rename without the new file.
  assert.deepEqual([...seen].toSorted(), ['file aa', 'file bb', 'file,next aa']);
  assert.deepEqual([...(await outcomes(40, (seed) => replaceAndCrash(seed, true)))], ['file bb']);
});

test('a name that is used again never hides a rename that was lost', async () => {
  const seen = await outcomes(80, async (seed) => {
    const bench = await createBench(seed);
    const old = await createFile(bench, true);
    await bench.run(old.write(fill('a'), 0));
    await bench.run(bench.disk.rename(path, '/data/moved'));
    const next = await bench.run(bench.disk.open(path, { create: true, isDurable: true }));
    await bench.run(next.write(fill('b'), 0));
    const after = bench.disk.crash();
    const names = (await bench.run(after.list('/data'))).toSorted();
    let text = '';
    for (const name of names) text += describe(await readAll(bench, after, `/data/${name}`));
    return `${names.join()} ${text}`;
  });
  assert.deepEqual([...seen].toSorted(), ['file a', 'file,moved ba', 'moved a']);
});

test('syncing a directory takes along what its names stand on elsewhere', async () => {
  const seen = await outcomes(40, async (seed) => {
    const bench = await createBench(seed);
    await bench.run(bench.disk.makeDirectory('/other'));
    await bench.run(bench.disk.syncDirectory('/'));
    await bench.run(bench.disk.open(path, { create: true }));
    await bench.run(bench.disk.rename(path, '/other/file'));
    await bench.run(bench.disk.syncDirectory('/other'));
    const after = bench.disk.crash();
    const here = await bench.run(after.list('/data'));
    const there = await bench.run(after.list('/other'));
    return `${here.length} ${there.length}`;
  });
  assert.deepEqual([...seen], ['0 1']);
});

test('syncing a directory takes nothing along that came after it began', async () => {
  const seen = await outcomes(40, async (seed) => {
    const bench = await createBench(seed, { faults: { slowSyncRate: 1, slowSyncMs: 10 } });
    await bench.run(bench.disk.open(path, { create: true }));
    const sync = bench.disk.syncDirectory('/data');
    await bench.run(bench.disk.open('/data/late', { create: true }));
    await bench.run(sync);
    return (await bench.run(bench.disk.crash().list('/data'))).toSorted().join();
  });
  assert.deepEqual([...seen].toSorted(), ['file', 'file,late']);
});

test('a rename between directories is never half done', async () => {
  const seen = await outcomes(30, async (seed) => {
    const bench = await createBench(seed);
    await bench.run(bench.disk.makeDirectory('/other'));
    await bench.run(bench.disk.syncDirectory('/'));
    await createFile(bench, false);
    await bench.run(bench.disk.rename(path, '/other/file'));
    const after = bench.disk.crash();
    const here = await bench.run(after.list('/data'));
    const there = await bench.run(after.list('/other'));
    return `${here.length} ${there.length}`;
  });
  assert.deepEqual([...seen].toSorted(), ['0 1', '1 0']);
});

async function removeAndCrash(seed: number, isSynced: boolean): Promise<string> {
  const bench = await createBench(seed);
  const file = await createFile(bench, true);
  await bench.run(file.write(fill('a'), 0));
  await bench.run(bench.disk.remove(path));
  if (isSynced) await bench.run(bench.disk.syncDirectory('/data'));
  const after = bench.disk.crash();
  const names = await bench.run(after.list('/data'));
  return names.length === 0 ? 'gone' : describe(await readAll(bench, after));
}

test('a removed file may come back, with its bytes, until the directory is synced', async () => {
  assert.deepEqual([...(await outcomes(40, (seed) => removeAndCrash(seed, false)))].toSorted(), [
    'a',
    'gone',
  ]);
  assert.deepEqual([...(await outcomes(40, (seed) => removeAndCrash(seed, true)))], ['gone']);
});

test('a killed process leaves what it wrote, and the first sectors of what it was writing', async () => {
  const seen = await outcomes(40, async (seed) => {
    const bench = await createBench(seed);
    const file = await bench.run(bench.disk.open(path, { create: true }));
    await bench.run(file.write(fill('aaa'), 0));
    void file.write(fill('bbb'), 0);
    return describe(await readAll(bench, bench.disk.kill()));
  });
  assert.deepEqual([...seen].toSorted(), ['aaa', 'baa', 'bba', 'bbb']);
});

test('what a killed process left is not durable yet', async () => {
  const seen = await outcomes(30, async (seed) => {
    const bench = await createBench(seed);
    const file = await createFile(bench, false);
    await bench.run(file.write(fill('a'), 0));
    const killed = bench.disk.kill();
    assert.equal(describe(await readAll(bench, killed)), 'a');
    return describe(await readAll(bench, killed.crash()));
  });
  assert.ok(seen.has('a') && seen.has(''), [...seen].join(' '));
});

test('calls on a disk that has ended never settle and change nothing', async () => {
  const bench = await createBench(1);
  const file = await createFile(bench, true);
  await bench.run(file.write(fill('a'), 0));
  let settledCount = 0;
  const settled = (): void => void settledCount++;
  const calls = (): Promise<unknown>[] => [
    file.write(fill('b'), 0),
    file.read(Buffer.alloc(1), 0),
    file.sync(),
    file.truncate(0),
    file.size(),
    bench.disk.open(path, {}),
    bench.disk.list('/data'),
    bench.disk.remove(path),
    bench.disk.syncDirectory('/data'),
    bench.disk.space(),
  ];
  const before = file.read(Buffer.alloc(1), 0);
  before.then(settled, settled);
  assert.equal(bench.disk.inFlightCount, 1);
  const after = bench.disk.kill();
  for (const call of calls()) call.then(settled, settled);
  await bench.clock.runUntilIdle();
  assert.equal(settledCount, 0);
  assert.equal(describe(await readAll(bench, after)), 'a');
});

test('a full disk stores the part that fits, and goes on when there is room', async () => {
  const bench = await createBench(1, { capacityBytes: 4 * sector });
  const file = await createFile(bench, true);
  // A hole takes no room.
  await bench.run(file.truncate(100 * sector));
  assert.equal((await bench.run(bench.disk.space())).freeBytes, 4 * sector);
  await bench.run(file.write(fill('ab'), 0));
  assert.equal((await bench.run(bench.disk.space())).freeBytes, 2 * sector);
  await rejectsWith(bench.run(file.write(fill('cdef'), sector)), 'ENOSPC');
  assert.equal(describe(await readAll(bench, bench.disk)).slice(0, 6), 'acde..');
  assert.equal((await bench.run(bench.disk.space())).freeBytes, 0);
  // What is there already can be written again.
  await bench.run(file.write(fill('AB'), 0));
  const other = await createFile(bench, true, '/data/other');
  await rejectsWith(bench.run(other.write(fill('x'), 0)), 'ENOSPC');
  await bench.run(file.truncate(sector));
  await bench.run(other.write(fill('xyz'), 0));
  await bench.run(bench.disk.remove(path));
  assert.equal((await bench.run(bench.disk.space())).freeBytes, 0);
  await bench.run(file.close());
  assert.equal((await bench.run(bench.disk.space())).freeBytes, sector);
  bench.disk.capacityBytes = 100 * sector;
  assert.equal((await bench.run(bench.disk.space())).freeBytes, 97 * sector);
  assert.equal(bench.disk.crash().usedBytes % sector, 0);
});

test('a failed write stores some part of its bytes', async () => {
  const seen = await outcomes(30, async (seed) => {
    const bench = await createBench(seed, { faults: { writeErrorRate: 1 } });
    const file = await createFile(bench, false);
    await rejectsWith(bench.run(file.write(fill('abc'), 0)), 'EIO');
    bench.disk.faults.writeErrorRate = 0;
    await bench.run(file.write(fill('z'), 3 * sector));
    return describe(await readAll(bench, bench.disk));
  });
  assert.deepEqual([...seen].toSorted(), ['...z', 'a..z', 'ab.z', 'abcz']);
});

test('after a failed sync another one succeeds without writing what was lost', async () => {
  let staleCount = 0;
  const seen = await outcomes(40, async (seed) => {
    const bench = await createBench(seed);
    const file = await createFile(bench, false);
    await bench.run(file.write(fill('aa'), 0));
    await bench.run(file.sync());
    await bench.run(file.write(fill('bb'), 0));
    bench.disk.faults.syncErrorRate = 1;
    await rejectsWith(bench.run(file.sync()), 'EIO');
    bench.disk.faults.syncErrorRate = 0;
    await bench.run(file.sync());
    const visible = describe(await readAll(bench, bench.disk));
    const durable = describe(await readAll(bench, bench.disk.crash()));
    if (visible !== durable) staleCount++;
    return durable;
  });
  assert.deepEqual([...seen].toSorted(), ['aa', 'ab', 'ba', 'bb']);
  // Reads have shown bytes that power loss took away, though a sync came between.
  assert.ok(staleCount > 0);
});

test('a durable write fails like a sync, and only its own range suffers', async () => {
  const seen = await outcomes(30, async (seed) => {
    const bench = await createBench(seed);
    const file = await createFile(bench, true);
    await bench.run(file.write(fill('aaa'), 0));
    bench.disk.faults.syncErrorRate = 1;
    await rejectsWith(bench.run(file.write(fill('b'), sector)), 'EIO');
    return describe(await readAll(bench, bench.disk.crash()));
  });
  assert.deepEqual([...seen].toSorted(), ['aaa', 'aba']);
});

test('a durable write that fails leaves other parts of the file to their own sync', async () => {
  const seen = await outcomes(30, async (seed) => {
    const bench = await createBench(seed);
    const plain = await createFile(bench, false);
    const durable = await bench.run(bench.disk.open(path, { isDurable: true }));
    await bench.run(durable.write(fill('aaa'), 0));
    await bench.run(plain.write(fill('z'), 2 * sector));
    bench.disk.faults.syncErrorRate = 1;
    await rejectsWith(bench.run(durable.write(fill('b'), sector)), 'EIO');
    bench.disk.faults.syncErrorRate = 0;
    await bench.run(plain.sync());
    return describe(await readAll(bench, bench.disk.crash()));
  });
  assert.deepEqual([...seen].toSorted(), ['aaz', 'abz']);
});

test('bytes that a failed sync lost take no room', async () => {
  const seen = await outcomes(30, async (seed) => {
    const bench = await createBench(seed, { faults: { syncErrorRate: 0 } });
    const file = await createFile(bench, false);
    await bench.run(file.write(fill('abcd'), 0));
    bench.disk.faults.syncErrorRate = 1;
    await rejectsWith(bench.run(file.sync()), 'EIO');
    const there = describe(await readAll(bench, bench.disk)).replaceAll('.', '').length;
    assert.equal(bench.disk.usedBytes, there * sector);
    return String(there);
  });
  assert.ok(seen.size > 2);
});

test('a failed sync of a directory keeps nothing for sure', async () => {
  const seen = await outcomes(40, async (seed) => {
    const bench = await createBench(seed);
    await bench.run(bench.disk.open(path, { create: true }));
    bench.disk.faults.syncErrorRate = 1;
    await rejectsWith(bench.run(bench.disk.syncDirectory('/data')), 'EIO');
    const after = bench.disk.crash();
    assert.equal(after.faults.syncErrorRate, 1);
    return (await bench.run(after.list('/data'))).join();
  });
  assert.deepEqual([...seen].toSorted(), ['', 'file']);
});

test('reads and names fail where they are told to', async () => {
  const bench = await createBench(1);
  const file = await createFile(bench, true);
  bench.disk.faults.readErrorRate = 1;
  await rejectsWith(bench.run(file.read(Buffer.alloc(1), 0)), 'EIO');
  bench.disk.faults.nameErrorRate = 1;
  await rejectsWith(bench.run(bench.disk.open(path, {})), 'EIO');
  await rejectsWith(bench.run(bench.disk.rename(path, '/data/other')), 'EIO');
  await rejectsWith(bench.run(bench.disk.remove(path)), 'EIO');
  bench.disk.faults.nameErrorRate = 0;
  assert.deepEqual(await bench.run(bench.disk.list('/data')), ['file']);
});

test('a flipped bit is read, and survives', async () => {
  const bench = await createBench(1);
  const file = await createFile(bench, true);
  await bench.run(file.write(fill('aaa'), 0));
  await bench.run(file.truncate(5 * sector));
  assert.equal(bench.disk.flipBit(path, sector + 3, 2), true);
  const check = async (disk: SimulatedDisk): Promise<void> => {
    const bytes = await readAll(bench, disk);
    assert.equal(bytes[sector + 3], 'a'.charCodeAt(0) ^ 4);
    assert.equal(describe(bytes).slice(0, 3), 'a!a');
  };
  await check(bench.disk);
  assert.equal(bench.disk.flipBit(path, 4 * sector, 0), false);
  assert.throws(() => bench.disk.flipBit('/data/none', 0, 0), { code: 'ENOENT' });
  await check(bench.disk.crash());
});

test('a slow sync takes its time, other calls do not', async () => {
  const faults = { slowSyncRate: 1, slowSyncMs: 500 };
  const bench = await createBench(1, { faults });
  const file = await createFile(bench, false);
  const before = bench.clock.monotonicMs();
  await bench.run(file.write(fill('a'), 0));
  assert.ok(bench.clock.monotonicMs() - before <= 1);
  await bench.run(file.sync());
  assert.ok(bench.clock.monotonicMs() - before >= 500);
});

test('calls under way together finish in any order', async () => {
  const seen = await outcomes(40, async (seed) => {
    const bench = await createBench(seed);
    const file = await createFile(bench, false);
    let order = '';
    await bench.run(
      Promise.all(
        Array.from('abc', (letter, index) =>
          file.write(fill(letter), index * sector).then(() => (order += letter)),
        ),
      ),
    );
    return order;
  });
  assert.equal(seen.size, 6);
});

test('without latency a disk needs no clock to be run', async () => {
  const disk = new SimulatedDisk({
    clock: new SimulatedClock(),
    random: new SeededRandom(1),
    latencyMsMax: 0,
  });
  await disk.makeDirectory('/data');
  const file = await disk.open(path, { create: true });
  await file.write(Buffer.from('abc'), 0);
  const into = Buffer.alloc(3);
  await file.read(into, 0);
  assert.equal(into.toString(), 'abc');
});

test('bytes that change while they are being written are found out', async () => {
  const bench = await createBench(1);
  const file = await createFile(bench, true);
  const bytes = fill('a');
  const write = file.write(bytes, 0);
  bytes[7] = 1;
  await assert.rejects(bench.run(write), AssertionError);
});

test('closed and read-only handles refuse', async () => {
  const bench = await createBench(1);
  const file = await createFile(bench, true);
  await bench.run(file.close());
  await rejectsWith(bench.run(file.write(fill('a'), 0)), 'EBADF');
  await rejectsWith(bench.run(file.sync()), 'EBADF');
  const reader = await bench.run(bench.disk.open(path, { isReadOnly: true }));
  await rejectsWith(bench.run(reader.write(fill('a'), 0)), 'EBADF');
  await rejectsWith(bench.run(reader.truncate(0)), 'EBADF');
});

test('whatever is done, a crash leaves each sector in a state that it may have', async () => {
  let lostCount = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const bench = await createBench(seed);
    const random = new SeededRandom(seed + 1000);
    const plain = await createFile(bench, false);
    const durable = await bench.run(bench.disk.open(path, { isDurable: true }));
    await bench.run(durable.write(fill('.'.repeat(8)), 0));
    const allowed = Array.from({ length: 8 }, () => new Set(['.']));
    for (let step = 0; step < 30; step++) {
      const at = random.nextInt(8);
      const length = 1 + random.nextInt(8 - at);
      const letter = String.fromCharCode(97 + (step % 26));
      const action = random.nextInt(6);
      if (action < 3) {
        await bench.run(plain.write(fill(letter.repeat(length)), at * sector));
        for (let index = at; index < at + length; index++) allowed[index]!.add(letter);
      } else if (action < 5) {
        await bench.run(durable.write(fill(letter.repeat(length)), at * sector));
        for (let index = at; index < at + length; index++) allowed[index] = new Set([letter]);
      } else {
        const visible = describe(await readAll(bench, bench.disk));
        await bench.run(plain.sync());
        for (let index = 0; index < 8; index++) allowed[index] = new Set([visible[index]!]);
      }
    }
    const visible = describe(await readAll(bench, bench.disk));
    const left = describe(await readAll(bench, bench.disk.crash()));
    assert.equal(left.length, 8);
    if (left !== visible) lostCount++;
    left.split('').forEach((letter, index) => {
      assert.ok(
        allowed[index]!.has(letter),
        `seed ${seed}: sector ${index} is ${letter} of ${left}`,
      );
    });
  }
  assert.ok(lostCount > 10);
});

/** A few rounds of writes, faults and crashes, and what came of them. */
async function play(seed: number): Promise<string> {
  const faults = { writeErrorRate: 0.1, syncErrorRate: 0.1, slowSyncRate: 0.2, slowSyncMs: 7 };
  const bench = await createBench(5, { random: new SeededRandom(seed), faults: {} });
  let disk = bench.disk;
  let history = '';
  for (let round = 0; round < 3; round++) {
    Object.assign(disk.faults, { syncErrorRate: 0 });
    const name = `/data/${round}`;
    const file = await bench.run(disk.open(name, { create: true }));
    await bench.run(disk.syncDirectory('/data'));
    Object.assign(disk.faults, faults);
    for (let step = 0; step < 10; step++) {
      const call = step % 4 ? file.write(fill('abcd'), step * sector) : file.sync();
      const note = (text: string) => (): void => void (history += text);
      await bench.run(call.then(note('+'), note('-')));
    }
    disk = round % 2 ? disk.kill() : disk.crash();
    Object.assign(disk.faults, { syncErrorRate: 0 });
    history += `${bench.clock.monotonicMs()} ${describe(await readAll(bench, disk, name))} `;
  }
  return history;
}

test('one seed gives one history', async () => {
  assert.equal(await play(11), await play(11));
  assert.notEqual(await play(11), await play(12));
});
