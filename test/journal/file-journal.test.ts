import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { BrokerError } from '../../src/base/index.ts';
import { type Disk, type DiskFile, MemoryDisk } from '../../src/disk/index.ts';
import {
  chunkBytesFor,
  chunkHeaderBytes,
  FileJournal,
  JournalFileMissing,
  type ReplayedChunk,
  verifyJournal,
} from '../../src/journal/index.ts';
import { SeededRandom, SimulatedClock, SimulatedDisk } from '../../src/testing/index.ts';
import { HeldDisk } from '../support/held-disk.ts';

const directory = '/journal';

interface Opened {
  journal: FileJournal;
  texts: string[];
  epochs: number[];
  notices: string[];
}

async function open(
  disk: Disk,
  options: { isDurable?: boolean; minEpoch?: number } = {},
): Promise<Opened> {
  const texts: string[] = [];
  const epochs: number[] = [];
  const notices: string[] = [];
  const journal = await FileJournal.open({
    disk,
    directory,
    fileBytes: 64 * 1024,
    isDurable: options.isDurable ?? true,
    replayFromLsn: 0,
    minEpoch: options.minEpoch ?? 1,
    onChunk: (chunk) => {
      texts.push(textOf(chunk));
      epochs.push(chunk.epoch);
    },
    onNotice: (notice) => notices.push(notice),
  });
  return { journal, texts, epochs, notices };
}

function textOf({ chunk, payloadBytes }: ReplayedChunk): string {
  return Buffer.from(chunk.subarray(chunkHeaderBytes, chunkHeaderBytes + payloadBytes)).toString();
}

async function append(journal: FileJournal, text: string): Promise<void> {
  const payload = Buffer.from(text);
  const chunk = new Uint8Array(chunkBytesFor(payload.length));
  chunk.set(payload, chunkHeaderBytes);
  await journal.append(chunk, payload.length, 1000);
}

async function patch(disk: Disk, file: string, position: number, bytes: Uint8Array): Promise<void> {
  const handle = await disk.open(join(directory, file), {});
  await handle.write(bytes, position);
  await handle.close();
}

async function readFile(disk: Disk, file: string): Promise<Buffer> {
  const handle = await disk.open(join(directory, file), { isReadOnly: true });
  const bytes = Buffer.alloc(await handle.size());
  await handle.read(bytes, 0);
  return bytes;
}

const firstFile = '0000000000000000.journal';

test('chunks are replayed in order, across files, and found by their LSN', async () => {
  const disk = new MemoryDisk();
  const { journal } = await open(disk);
  await append(journal, 'one');
  await append(journal, 'x'.repeat(1000));
  await journal.roll();
  const lsn = journal.endLsn;
  await append(journal, 'three');
  const into = new Uint8Array(5);
  await journal.read(lsn + chunkHeaderBytes, into);
  assert.equal(Buffer.from(into).toString(), 'three');
  assert.deepEqual(
    journal.files().map((file) => file.baseLsn),
    [0, lsn],
  );
  await journal.close();
  const again = await open(disk);
  assert.deepEqual(again.texts, ['one', 'x'.repeat(1000), 'three']);
  assert.deepEqual(again.notices, []);
  assert.equal(again.journal.endLsn, lsn + 512);
});

test('every opening has a greater epoch, whatever chunks it wrote', async () => {
  const disk = new MemoryDisk();
  for (const epoch of [1, 2, 3]) {
    const { journal } = await open(disk);
    assert.equal(journal.epoch, epoch);
    await append(journal, `${epoch}`);
    await journal.close();
  }
  const { epochs, journal } = await open(disk, { minEpoch: 10 });
  assert.deepEqual(epochs, [1, 2, 3]);
  assert.equal(journal.epoch, 10);
});

for (const [what, tear] of Object.entries({
  'a chunk without its end': (chunk: Buffer) => chunk.fill(0, 512),
  'a chunk without its header': (chunk: Buffer) => chunk.fill(0, 0, 512),
  'a chunk with a wrong byte': (chunk: Buffer) => chunk.fill(7, 700, 701),
})) {
  test(`${what} at the end is cut off, and appending goes on there`, async () => {
    const disk = new MemoryDisk();
    const first = await open(disk);
    await append(first.journal, 'kept');
    await append(first.journal, 'torn'.repeat(300));
    await first.journal.close();
    const bytes = (await readFile(disk, firstFile)).subarray(512, 512 + 1536);
    tear(bytes);
    await patch(disk, firstFile, 512, bytes);
    const second = await open(disk);
    assert.deepEqual(second.texts, ['kept']);
    assert.equal(second.journal.endLsn, 512);
    await append(second.journal, 'new');
    await second.journal.close();
    assert.deepEqual((await open(disk)).texts, ['kept', 'new']);
  });
}

test('damage before an intact chunk is reported with file and position, and nothing is changed', async () => {
  const disk = new MemoryDisk();
  const { journal } = await open(disk);
  for (const text of ['one', 'two', 'three']) await append(journal, text);
  await journal.close();
  await patch(disk, firstFile, 512 + 65, Buffer.from('X'));
  const before = await readFile(disk, firstFile);
  await assert.rejects(open(disk), (error: BrokerError) => {
    assert.equal(error.code, 'storage-damaged');
    assert.match(error.message, /0000000000000000\.journal is damaged at position 512/);
    return true;
  });
  assert.deepEqual(await readFile(disk, firstFile), before);
  const damage: Array<[string, number]> = [];
  let chunks = 0;
  await verifyJournal(disk, directory, {
    onFile: () => undefined,
    onChunk: () => {
      chunks += 1;
    },
    onDamage: (file, position) => damage.push([file, position]),
  });
  assert.deepEqual(damage, [[firstFile, 512]]);
  assert.equal(chunks, 1);
});

test('a damaged last chunk of a file with a later file is damage, not a torn write', async () => {
  const disk = new MemoryDisk();
  const { journal } = await open(disk);
  await append(journal, 'one');
  await append(journal, 'two');
  await journal.roll();
  await append(journal, 'three');
  await journal.close();
  await patch(disk, firstFile, 512 + 66, Buffer.from('X'));
  await assert.rejects(open(disk), { code: 'storage-damaged', message: /position 512.*next file/ });
});

test('a hole behind unsynced chunks ends the journal there', async () => {
  const disk = new MemoryDisk();
  const { journal } = await open(disk, { isDurable: false });
  for (const text of ['one', 'two', 'three']) await append(journal, text);
  await journal.close();
  await patch(disk, firstFile, 512, new Uint8Array(512));
  const again = await open(disk, { isDurable: false });
  assert.deepEqual(again.texts, ['one']);
  assert.match(again.notices.join(), /--sync os/);
});

test('a missing file is damage', async () => {
  const disk = new MemoryDisk();
  const { journal } = await open(disk);
  for (const text of ['one', 'two', 'three']) {
    await append(journal, text);
    await journal.roll();
  }
  await journal.close();
  await disk.remove(join(directory, '0000000000000512.journal'));
  await assert.rejects(open(disk), { code: 'storage-damaged', message: /no bytes 512\.\.1024/ });
});

test('an empty file at the end is dropped and its name used again', async () => {
  const disk = new MemoryDisk();
  const { journal } = await open(disk);
  await append(journal, 'one');
  await journal.roll();
  await journal.close();
  await (await disk.open(join(directory, '0000000000000512.journal'), { create: true })).close();
  const again = await open(disk);
  await append(again.journal, 'two');
  assert.deepEqual(
    again.journal.files().map((file) => file.baseLsn),
    [0, 512],
  );
  await again.journal.close();
  assert.deepEqual((await open(disk)).texts, ['one', 'two']);
});

function fail(): Promise<never> {
  return Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' }));
}

for (const call of ['truncate', 'sync', 'syncDirectory'] as const) {
  test(`a file that cannot be made because of ${call} does not stay open`, async () => {
    const memory = new MemoryDisk();
    let openCount = 0;
    let isFailing = false;
    const wrap = (file: DiskFile): DiskFile => ({
      write: (bytes, position) => file.write(bytes, position),
      read: (into, position) => file.read(into, position),
      sync: () => (isFailing && call === 'sync' ? fail() : file.sync()),
      truncate: (length) => (isFailing && call === 'truncate' ? fail() : file.truncate(length)),
      size: () => file.size(),
      close: async () => {
        openCount -= 1;
        await file.close();
      },
    });
    const disk: Disk = {
      open: async (path, options) => {
        openCount += 1;
        return wrap(await memory.open(path, options));
      },
      list: (path) => memory.list(path),
      makeDirectory: (path) => memory.makeDirectory(path),
      rename: (from, to) => memory.rename(from, to),
      remove: (path) => memory.remove(path),
      syncDirectory: () =>
        isFailing && call === 'syncDirectory' ? fail() : memory.syncDirectory(),
      space: () => memory.space(),
    };
    await memory.makeDirectory(directory);
    // A shard whose storage fails opens it again and again.
    for (let attempt = 0; attempt < 3; attempt++) {
      const { journal } = await open(disk);
      isFailing = true;
      await assert.rejects(append(journal, 'a'), { code: 'storage-failed' });
      isFailing = false;
      await journal.close();
    }
    assert.equal(openCount, 0);
  });
}

test('a failed append closes the journal for writing', async () => {
  const clock = new SimulatedClock();
  const disk = new SimulatedDisk({ clock, random: new SeededRandom(1), latencyMsMax: 0 });
  const { journal } = await open(disk);
  await append(journal, 'one');
  disk.capacityBytes = disk.usedBytes;
  await assert.rejects(append(journal, 'two'), { code: 'storage-full' });
  disk.capacityBytes = Number.POSITIVE_INFINITY;
  await assert.rejects(append(journal, 'three'), { code: 'storage-full' });
  await journal.close();
  assert.deepEqual((await open(disk)).texts, ['one']);
});

test('what was removed is missing for its readers', async () => {
  const disk = new MemoryDisk();
  const { journal } = await open(disk);
  await append(journal, 'one');
  await journal.roll();
  await append(journal, 'two');
  await journal.remove(0);
  await assert.rejects(journal.read(0, new Uint8Array(10)), JournalFileMissing);
  await assert.rejects(
    journal.scan(0, () => undefined),
    JournalFileMissing,
  );
  await journal.read(512, new Uint8Array(10));
});

test('an open journal does not hold on to what was replayed', async () => {
  const disk = new MemoryDisk();
  let replayed: object | undefined = { chunks: 0 };
  const held = new WeakRef(replayed);
  const openWith = (state: object): Promise<FileJournal> =>
    FileJournal.open({
      disk,
      directory,
      fileBytes: 64 * 1024,
      isDurable: true,
      replayFromLsn: 0,
      minEpoch: 1,
      onChunk: () => void Object.assign(state, { chunks: 1 }),
      onNotice: () => undefined,
    });
  const journal = await openWith(replayed);
  replayed = undefined;
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  for (let count = 0; held.deref() !== undefined && count < 1000; count++) {
    // What a WeakRef was asked for stays until the turn is over.
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
  }
  assert.equal(held.deref(), undefined);
  await journal.close();
});

test('a file that is being sealed stays open, however many others are read meanwhile', async () => {
  const disk = new HeldDisk();
  const first = await open(disk);
  const files = 300;
  for (let number = 0; number < files; number++) {
    await append(first.journal, `${number}`);
    await first.journal.roll();
  }
  await first.journal.close();
  const { journal } = await open(disk);
  await append(journal, 'last');
  disk.holdNext('truncate', /\.journal$/);
  const rolling = journal.roll();
  while (!disk.isHolding) await Promise.resolve();
  const bytes = new Uint8Array(chunkHeaderBytes);
  for (const { baseLsn } of journal.files()) await journal.read(baseLsn, bytes);
  disk.release();
  await rolling;
  await append(journal, 'goes on');
  assert.equal(journal.files().length, files + 2);
  await journal.close();
});
