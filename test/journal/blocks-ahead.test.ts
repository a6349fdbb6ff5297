import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DiskFile, type DiskOpenOptions, MemoryDisk } from '../../src/disk/index.ts';
import {
  chunkBytesFor,
  chunkHeaderBytes,
  FileJournal,
  type ReplayedChunk,
} from '../../src/journal/index.ts';
import { until } from '../support/until.ts';

const directory = '/journal';
const fileBytes = 1024 * 1024;
/** Of a file of that length. */
const blockBytes = fileBytes / 32;
const gapBytes = blockBytes / 16;
const payload = Buffer.alloc(4000, 'x');
const chunkBytes = chunkBytesFor(payload.length);

/** Tells of what is written by handles that are opened while a journal is in use: the zeros. */
class WatchedDisk extends MemoryDisk {
  isWatching = false;
  hasOthers = false;
  readonly zeros: Array<{ from: number; to: number }> = [];
  /** Zeros wait until they are let go. */
  isHolding = false;
  waitingCount = 0;
  release: () => void = () => undefined;
  fault: 'open' | 'write' | 'sync' | undefined;
  openCount = 0;
  syncCount = 0;

  override async open(path: string, options: DiskOpenOptions): Promise<DiskFile> {
    const file = await super.open(path, options);
    if (!this.isWatching || options.create === true || options.isReadOnly === true) return file;
    this.#check('open');
    this.openCount += 1;
    return {
      read: (into, position) => file.read(into, position),
      truncate: (length) => file.truncate(length),
      size: () => file.size(),
      write: async (bytes, position) => {
        this.#check('write');
        // What is thrown here nobody would hear of.
        if (bytes.some((byte) => byte !== 0)) this.hasOthers = true;
        this.zeros.push({ from: position, to: position + bytes.length });
        if (this.isHolding) {
          this.waitingCount += 1;
          await new Promise<void>((resolve) => {
            this.release = resolve;
          });
          this.waitingCount -= 1;
        }
        await file.write(bytes, position);
      },
      sync: async () => {
        this.#check('sync');
        this.syncCount += 1;
      },
      close: async () => {
        this.openCount -= 1;
      },
    };
  }

  #check(call: WatchedDisk['fault']): void {
    if (this.fault === call) throw Object.assign(new Error(`EIO: ${call}`), { code: 'EIO' });
  }
}

async function open(disk: WatchedDisk, isDurable = true) {
  const sizes: number[] = [];
  disk.isWatching = false;
  const journal = await FileJournal.open({
    ...{ disk, directory, fileBytes, isDurable, replayFromLsn: 0, minEpoch: 1 },
    onChunk: ({ chunk, payloadBytes }: ReplayedChunk) => {
      const found = chunk.subarray(chunkHeaderBytes, chunkHeaderBytes + payloadBytes);
      assert.deepEqual(Buffer.from(found), payload);
      sizes.push(payloadBytes);
    },
    onNotice: () => undefined,
  });
  disk.isWatching = true;
  return { journal, sizes };
}

/** Time as it is told to appends, `stepMs` from one to the next. */
function appender(journal: FileJournal, stepMs = 60) {
  let nowMs = 1000;
  return async (): Promise<void> => {
    const chunk = new Uint8Array(chunkBytes);
    chunk.set(payload, chunkHeaderBytes);
    await journal.append(chunk, payload.length, (nowMs += stepMs));
  };
}

test('what is appended slowly gets zeros before it, which are replaced', async () => {
  const disk = new WatchedDisk();
  const { journal } = await open(disk);
  const append = appender(journal);
  const count = 100;
  for (let number = 0; number < count; number++) {
    await append();
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(disk.zeros.length > 5);
  assert.ok(disk.syncCount > 0);
  assert.equal(disk.hasOthers, false);
  for (const { from, to } of disk.zeros) {
    assert.ok(to - from <= blockBytes);
    assert.ok(from >= 2 * gapBytes, 'what was not written yet gets no zeros');
  }
  for (const [index, { from }] of disk.zeros.entries()) {
    if (index > 0) assert.ok(from >= disk.zeros[index - 1]!.to, 'each place once');
  }
  const end = disk.zeros.at(-1)!.to;
  assert.ok(end > journal.endLsn && end <= journal.endLsn + 2 * blockBytes);
  await journal.close();
  assert.equal(disk.openCount, 0);
  const { sizes } = await open(disk);
  assert.equal(sizes.length, count);
});

for (const { what, stepMs, isDurable } of [
  { what: 'what comes fast', stepMs: 0.05, isDurable: true },
  { what: 'what is not made durable by each write', stepMs: 60, isDurable: false },
]) {
  test(`${what} gets no zeros`, async () => {
    const disk = new WatchedDisk();
    const { journal } = await open(disk, isDurable);
    const append = appender(journal, stepMs);
    for (let number = 0; number < 200; number++) await append();
    assert.deepEqual(disk.zeros, []);
    await journal.close();
  });
}

test('an append that reaches zeros which are being written waits for them, and is not overwritten', async () => {
  const disk = new WatchedDisk();
  const { journal } = await open(disk);
  const append = appender(journal);
  let count = 0;
  disk.isHolding = true;
  for (; disk.waitingCount === 0; count++) {
    assert.ok(count < 200, 'zeros are written');
    await append();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { from } = disk.zeros[0]!;
  // Up to them nothing has to wait.
  for (; journal.endLsn + chunkBytes <= from; count++) await append();
  let isAppended = false;
  const appending = append().then(() => (isAppended = true));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isAppended, false);
  disk.isHolding = false;
  disk.release();
  await appending;
  assert.equal(disk.zeros.length, 1, 'the rest of them is left out');
  for (let more = 0; more < 20; more++) await append();
  await journal.close();
  const { sizes } = await open(disk);
  assert.equal(sizes.length, count + 21);
});

for (const { what, finish } of [
  { what: 'sealed', finish: (journal: FileJournal) => journal.roll() },
  { what: 'closed', finish: (journal: FileJournal) => journal.close() },
]) {
  test(`a file is ${what} when its zeros have been written`, async () => {
    const disk = new WatchedDisk();
    const { journal } = await open(disk);
    const append = appender(journal);
    disk.isHolding = true;
    for (let count = 0; disk.waitingCount === 0; count++) {
      assert.ok(count < 200, 'zeros are written');
      await append();
      await new Promise((resolve) => setImmediate(resolve));
    }
    const bytes = journal.endLsn;
    let isFinished = false;
    const finishing = finish(journal).then(() => (isFinished = true));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isFinished, false);
    disk.release();
    await finishing;
    assert.equal(disk.openCount, 0);
    await journal.close();
    const again = await open(disk);
    assert.equal(again.journal.endLsn, bytes);
    const [name] = await disk.list(directory);
    const file = await disk.open(`${directory}/${name}`, { isReadOnly: true });
    assert.equal(await file.size(), bytes);
  });
}

for (const fault of ['open', 'write', 'sync'] as const) {
  test(`appends go on when zeros fail: ${fault}`, async () => {
    const disk = new WatchedDisk();
    disk.fault = fault;
    const { journal } = await open(disk);
    const append = appender(journal);
    for (let number = 0; number < 50; number++) await append();
    await until(() => disk.openCount <= 1);
    await journal.roll();
    await append();
    await journal.close();
    assert.equal(disk.openCount, 0);
    const { sizes } = await open(disk);
    assert.equal(sizes.length, 51);
  });
}
