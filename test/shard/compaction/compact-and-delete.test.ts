import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { batchAttributes, isControlBatch } from '../../../src/bytes/index.ts';
import type { PartitionSettings } from '../../../src/shard/partition-settings.ts';
import { CompactionBed, encode, hourMs } from './compaction-bed.ts';

const dayMs = 24 * hourMs;

function openBoth(
  settings: Partial<PartitionSettings> = {},
  latencyMsMax = 0,
): Promise<CompactionBed> {
  return CompactionBed.open({
    settings: { cleanup: 'compact,delete', dirtyShareMin: 0, ...settings },
    latencyMsMax,
  });
}

async function append(
  bed: CompactionBed,
  sequence: number,
  records: readonly string[],
): Promise<{ baseOffset: number; isDuplicate: boolean }> {
  const batch = encode(records, bed.clock.nowMs()).build({
    producerId: 7,
    producerEpoch: 0,
    baseSequence: sequence,
    isTransactional: true,
  });
  return bed.clock.runUntil(bed.log.append(batch));
}

async function transact(
  bed: CompactionBed,
  sequence: number,
  records: readonly string[],
  outcome: 'commit' | 'abort',
): Promise<void> {
  bed.log.beginTransaction(7, 0);
  await append(bed, sequence, records);
  await bed.clock.runUntil(bed.log.endTransaction(7, 0, outcome, 1));
}

describe('a log that is compacted and expires', () => {
  test('loses what is superseded, and what is too old though it is the newest of its key', async () => {
    const bed = await openBoth({ retentionMs: 2 * dayMs });
    await bed.send(['a=1', 'b=1', 'b=2']);
    await bed.sealAndCompact();
    assert.deepEqual(await bed.texts(), ['a=1', 'b=2']);
    await bed.clock.runFor(dayMs);
    await bed.send(['b=3', 'c=1', 'c=2']);
    await bed.sealAndCompact();
    assert.deepEqual(await bed.texts(), ['a=1', 'b=3', 'c=2']);
    await bed.clock.runFor(dayMs + hourMs);
    await bed.send(['d=1', 'd=2']);
    await bed.sealAndCompact();
    assert.deepEqual((await bed.texts()).slice(-2), ['c=2', 'd=2']);
    await bed.clock.runFor(2 * dayMs);
    await bed.compact();
    assert.deepEqual(await bed.texts(), []);
    assert.equal(bed.log.logStartOffset, bed.log.highWatermark);
    for (const start of ['crash', 'restart'] as const) {
      await bed[start]();
      assert.equal(bed.log.logStartOffset, bed.log.highWatermark);
    }
    assert.equal(await bed.send(['a=2']), 8);
  });

  test('loses its oldest part when it is too large as it was compacted', async () => {
    const bed = await openBoth({ retentionBytes: 100_000 });
    const value = 'v'.repeat(20_000);
    for (let round = 0; round < 12; round++) {
      await bed.send([`a=${value}`, `k${round}=${value}`]);
      await bed.sealAndCompact();
    }
    assert.ok(bed.log.logStartOffset > 0);
    assert.ok(bed.log.sizeBytes < 150_000, 'to a batch or two');
    const keys = (await bed.readCommitted()).map(({ key }) => key);
    assert.equal(new Set(keys).size, keys.length);
    assert.deepEqual(keys.slice(-2), ['a', 'k11']);
  });

  test('keeps what is too new from compaction, not from expiry', async () => {
    const bed = await openBoth({ compactionLagMinMs: dayMs, retentionMs: hourMs });
    await bed.send(['a=1', 'a=2']);
    await bed.sealAndCompact();
    assert.deepEqual(await bed.texts(), ['a=1', 'a=2']);
    await bed.clock.runFor(2 * hourMs);
    await bed.send(['a=3', 'a=4']);
    await bed.sealAndCompact();
    assert.deepEqual(await bed.texts(), ['a=3', 'a=4']);
  });

  test('is compacted when a record was left alone for too long', async () => {
    const bed = await openBoth({
      dirtyShareMin: 1,
      compactionLagMaxMs: hourMs,
      retentionMs: 10 * dayMs,
    });
    await bed.send(['a=1', 'b=1']);
    await bed.clock.runFor(hourMs + 1);
    // The first run ends the active part, the next compacts it.
    await bed.compact();
    await bed.clock.runFor(1000);
    await bed.compact();
    await bed.send(['a=2', 'c=1']);
    await bed.compact();
    assert.deepEqual(await bed.texts(), ['a=1', 'b=1', 'a=2', 'c=1']);
    await bed.clock.runFor(hourMs + 1);
    await bed.compact();
    await bed.clock.runFor(1000);
    await bed.compact();
    assert.deepEqual(await bed.texts(), ['b=1', 'a=2', 'c=1']);
  });

  test('forgets tombstones after their time, or with all else', async () => {
    const bed = await openBoth({ tombstoneRetentionMs: dayMs, retentionMs: 3 * dayMs });
    await bed.send(['a=1', 'b=1', 'a=']);
    await bed.sealAndCompact();
    assert.deepEqual(await bed.texts(), ['b=1', 'a=']);
    await bed.clock.runFor(dayMs + 1);
    await bed.send(['c=1', 'd=']);
    await bed.sealAndCompact();
    assert.deepEqual(await bed.texts(), ['b=1', 'c=1', 'd=']);
    bed.settings = { ...bed.settings, tombstoneRetentionMs: 30 * dayMs };
    bed.log.settings = bed.settings;
    await bed.clock.runFor(4 * dayMs);
    await bed.compact();
    assert.deepEqual(await bed.texts(), []);
  });

  test('keeps no line about an aborted transaction that expired with its marker', async () => {
    const bed = await openBoth({ retentionMs: dayMs, tombstoneRetentionMs: 10 * dayMs });
    await transact(bed, 0, ['a=wrong'], 'abort');
    await transact(bed, 1, ['a=1', 'a=2'], 'commit');
    await bed.sealAndCompact();
    assert.deepEqual(await bed.texts(), ['a=2']);
    assert.equal(bed.log.findAborted(0, 100).length, 1);
    await bed.clock.runFor(2 * dayMs);
    await transact(bed, 3, ['b=1'], 'commit');
    await bed.sealAndCompact();
    await bed.compact();
    assert.deepEqual(await bed.texts(), ['b=1']);
    assert.deepEqual(bed.log.findAborted(0, 100), []);
    const markers = (await bed.readBatches()).filter((batch) =>
      isControlBatch(batchAttributes(batch, 0)),
    );
    assert.equal(markers.length, 1);
  });

  test('knows what a producer wrote last when nothing of it is left', async () => {
    const bed = await openBoth({ retentionMs: dayMs });
    await transact(bed, 0, ['a=1', 'b=1'], 'commit');
    await transact(bed, 2, ['a=2'], 'commit');
    await bed.send(['a=3', 'b=2']);
    await bed.sealAndCompact();
    assert.deepEqual(await bed.texts(), ['a=3', 'b=2']);
    for (const start of ['crash', 'restart', 'expire', 'crash', 'restart'] as const) {
      if (start === 'expire') {
        await bed.clock.runFor(2 * dayMs);
        await bed.compact();
        assert.deepEqual(await bed.texts(), []);
      } else await bed[start]();
      assert.equal(bed.log.listProducers()[0]?.lastSequence, 2);
      bed.log.beginTransaction(7, 0);
      assert.equal((await append(bed, 2, ['a=2'])).isDuplicate, true);
      await assert.rejects(append(bed, 5, ['a=4']), { code: 'sequence-out-of-order' });
    }
  });

  for (const startedMs of [0, 2, 5, 10, 20, 40]) {
    test(`may be trimmed while it is compacted, ${startedMs} ms after the start`, async () => {
      const bed = await openBoth({}, 3);
      await bed.send(['a=1', 'a=2', 'b=1']);
      await bed.seal();
      await bed.send(['c=1', 'c=2', 'd=1']);
      const compacting = bed.shard.maintain();
      await bed.clock.runFor(startedMs);
      // Into the part that cannot be compacted yet.
      await bed.clock.runUntil(bed.log.deleteBefore(4));
      await bed.clock.runUntil(compacting);
      assert.deepEqual(await bed.texts(), ['c=2', 'd=1']);
      await bed.crash();
      assert.deepEqual(await bed.texts(), ['c=2', 'd=1']);
      await bed.sealAndCompact();
      assert.deepEqual(await bed.texts(), ['c=2', 'd=1']);
      assert.deepEqual(bed.warnings, []);
    });
  }
});
