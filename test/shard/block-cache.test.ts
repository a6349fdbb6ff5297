import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Journal, JournalFileMissing } from '../../src/journal/index.ts';
import { BlockCache } from '../../src/shard/block-cache.ts';
import { SeededRandom } from '../../src/testing/index.ts';

const blockBytes = 4096;

/** Two sealed files and an active one, whose bytes tell their LSN; counts what is read of it. */
class FakeJournal {
  readonly activeBaseLsn = 150_000;
  endLsn = 180_000;
  reads: Array<{ lsn: number; bytes: number }> = [];
  missing = new Set<number>();

  files() {
    return [
      { baseLsn: 512, bytes: 70_000 },
      { baseLsn: 70_512, bytes: 79_488 },
      { baseLsn: this.activeBaseLsn, bytes: this.endLsn - this.activeBaseLsn },
    ].filter((file) => !this.missing.has(file.baseLsn));
  }

  async read(lsn: number, into: Uint8Array): Promise<void> {
    this.reads.push({ lsn, bytes: into.length });
    const file = this.files().findLast((candidate) => candidate.baseLsn <= lsn);
    if (file === undefined || lsn + into.length > file.baseLsn + file.bytes) {
      throw new JournalFileMissing(`no file has LSN ${lsn}`);
    }
    for (let index = 0; index < into.length; index++) into[index] = expected(lsn + index);
  }
}

function expected(lsn: number): number {
  return (lsn * 2654435761) >>> 24;
}

function open(bytesMax = 64 * blockBytes) {
  const journal = new FakeJournal();
  return { journal, cache: new BlockCache(journal as unknown as Journal, blockBytes, bytesMax) };
}

function assertBytes(bytes: Uint8Array, start: number, end: number): void {
  assert.equal(bytes.length, end - start);
  for (let index = 0; index < bytes.length; index++) {
    assert.equal(bytes[index], expected(start + index));
  }
}

describe('blocks of journal files', () => {
  test('one partition alone reads its runs and nothing else', async () => {
    const { journal, cache } = open();
    for (let lsn = 512; lsn < 60_000; lsn += 6000) {
      assertBytes(await cache.read(1, 512, lsn, lsn + 300), lsn, lsn + 300);
    }
    assert.ok(journal.reads.every((read) => read.bytes === 300));
  });

  test('a second partition makes a block be read once for all that follow', async () => {
    const { journal, cache } = open();
    for (let partition = 1; partition <= 8; partition++) {
      const at = 1000 + partition * 100;
      assertBytes(await cache.read(partition, 512, at, at + 80), at, at + 80);
    }
    assert.deepEqual(
      journal.reads.filter((read) => read.lsn < 512 + blockBytes),
      [
        { lsn: 1100, bytes: 80 },
        { lsn: 512, bytes: blockBytes },
      ],
    );
  });

  test('runs that lie in two blocks, at the end of a file and in the active file are whole', async () => {
    const { cache } = open();
    const runs = [
      [512, 512 + blockBytes - 10, 512 + blockBytes + 10],
      [512, 70_512 - 100, 70_512],
      [70_512, 70_512, 70_512 + 100],
      [150_000, 179_900, 180_000],
    ] as const;
    for (let round = 1; round <= 3; round++) {
      for (const [file, start, end] of runs) {
        assertBytes(await cache.read(round, file, start, end), start, end);
      }
    }
  });

  test('what is appended after a block was read is seen', async () => {
    const { journal, cache } = open();
    await cache.read(1, 150_000, 179_000, 179_100);
    await cache.read(2, 150_000, 179_100, 179_200);
    journal.endLsn = 190_000;
    assertBytes(await cache.read(3, 150_000, 179_900, 181_000), 179_900, 181_000);
  });

  test('a file that is gone is told to everyone who reads in it, and others go on', async () => {
    const { journal, cache } = open();
    await cache.read(1, 512, 600, 700);
    journal.missing.add(512);
    for (let partition = 2; partition < 5; partition++) {
      await assert.rejects(cache.read(partition, 512, 800, 900), JournalFileMissing);
    }
    assertBytes(await cache.read(2, 70_512, 71_000, 71_100), 71_000, 71_100);
  });

  for (const seed of [1, 2, 3]) {
    test(`random reads by many partitions give the journal's bytes, seed ${seed}`, async () => {
      const random = new SeededRandom(seed);
      const { cache } = open(6 * blockBytes);
      for (let round = 0; round < 400; round++) {
        const file = [512, 70_512, 150_000][random.nextInt(3)]!;
        const length = 1 + random.nextInt(3000);
        const start = file + random.nextInt(29_000 - length);
        const pending = [0, 1, 2].map((extra) =>
          cache.read(random.nextInt(6), file, start + extra, start + length),
        );
        for (const [extra, bytes] of (await Promise.all(pending)).entries()) {
          if (length > extra) assertBytes(bytes, start + extra, start + length);
        }
      }
    });
  }
});
