import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  batchAttributes,
  batchCompression,
  batchDeleteHorizon,
  batchLastOffset,
  batchLastOffsetDelta,
  batchRecordCount,
  codecs,
  isControlBatch,
} from '../../../src/bytes/index.ts';
import { CompactionBed, encode, hourMs } from './compaction-bed.ts';

const dayMs = 24 * hourMs;

async function transact(
  bed: CompactionBed,
  producerId: number,
  sequence: number,
  records: readonly string[],
  outcome: 'commit' | 'abort',
): Promise<void> {
  bed.log.beginTransaction(producerId, 0);
  const batch = encode(records, bed.clock.nowMs()).build({
    producerId,
    producerEpoch: 0,
    baseSequence: sequence,
    isTransactional: true,
  });
  await bed.clock.runUntil(bed.log.append(batch));
  await bed.clock.runUntil(bed.log.endTransaction(producerId, 0, outcome, 1));
}

async function countMarkers(bed: CompactionBed): Promise<number> {
  const batches = await bed.readBatches();
  return batches.filter((batch) => isControlBatch(batchAttributes(batch, 0))).length;
}

describe('compaction by key', () => {
  test('keeps the newest record of each key, at its offset, with its time', async () => {
    const bed = await CompactionBed.open();
    await bed.send(['a=1', 'b=1', 'c=1']);
    await bed.send(['a=2', 'a=3']);
    await bed.send(['b=2']);
    const before = new Map((await bed.readCommitted()).map((record) => [record.offset, record]));
    const { highWatermark } = bed.log;
    await bed.sealAndCompact();
    const after = await bed.readCommitted();
    assert.deepEqual(
      after.map(({ offset, key, value }) => [offset, key, value]),
      [
        [2, 'c', '1'],
        [4, 'a', '3'],
        [5, 'b', '2'],
      ],
    );
    for (const record of after) assert.deepEqual(record, before.get(record.offset));
    assert.equal(bed.log.highWatermark, highWatermark);
    assert.equal(bed.log.logStartOffset, 0);
    await bed.restart();
    assert.deepEqual(await bed.readCommitted(), after);
    assert.equal(await bed.send(['d=1']), highWatermark);
  });

  test('can be read from every offset, those that are gone too', async () => {
    const bed = await CompactionBed.open();
    for (let round = 0; round < 30; round++) await bed.send([`a=${round}`, `k${round}=1`]);
    await bed.sealAndCompact();
    const all = await bed.readCommitted();
    assert.equal(all.length, 31);
    for (let offset = 0; offset < bed.log.highWatermark; offset++) {
      assert.deepEqual(
        await bed.readCommitted(offset),
        all.filter((record) => record.offset >= offset),
      );
    }
  });

  test('leaves a batch without records where nothing is left', async () => {
    const bed = await CompactionBed.open({ settings: { dirtyShareMin: 0 } });
    await bed.send(['a=1', 'b=1']);
    await bed.seal();
    await bed.send(['a=2', 'b=2']);
    await bed.seal();
    await bed.send(['c=1']);
    await bed.compact();
    const [first] = await bed.readBatches();
    assert.ok(first);
    assert.equal(batchRecordCount(first, 0), 0);
    assert.equal(batchLastOffset(first, 0), 1);
    assert.deepEqual(await bed.texts(), ['a=2', 'b=2', 'c=1']);
  });

  test('leaves the active part alone', async () => {
    const bed = await CompactionBed.open();
    await bed.send(['a=1', 'a=2']);
    await bed.compact();
    assert.deepEqual(await bed.texts(), ['a=1', 'a=2']);
  });

  test('ends the active part when it is large or old', async () => {
    for (const settings of [
      { activeBytesMax: 100 },
      { activeMs: hourMs },
      { compactionLagMaxMs: hourMs },
    ]) {
      const bed = await CompactionBed.open({ settings });
      await bed.send(['a=1', 'a=2', 'b=1']);
      if (!('activeBytesMax' in settings)) {
        await bed.compact();
        assert.deepEqual(await bed.texts(), ['a=1', 'a=2', 'b=1']);
        await bed.clock.runFor(2 * hourMs);
      }
      await bed.compact();
      await bed.clock.runFor(1000);
      await bed.compact();
      assert.deepEqual(await bed.texts(), ['a=2', 'b=1']);
    }
  });

  for (const codec of codecs) {
    test(`compresses again what was compressed: ${codec}`, async () => {
      const bed = await CompactionBed.open();
      const many = Array.from({ length: 300 }, (_, index) => `k${index % 100}=${index}`);
      await bed.send(many, codec);
      await bed.sealAndCompact();
      assert.deepEqual(await bed.texts(), many.slice(200));
      const batch = (await bed.readBatches()).find((one) => batchRecordCount(one, 0) > 0);
      assert.equal(codecs[batchCompression(batchAttributes(batch!, 0))], codec);
    });
  }

  test('takes no record without a key, and removes those from before', async () => {
    const bed = await CompactionBed.open({ settings: { cleanup: 'delete' } });
    await bed.send(['no key', 'a=1']);
    bed.log.settings = { ...bed.settings, cleanup: 'compact' };
    await assert.rejects(bed.send(['b=1', 'no key']), { code: 'batch-invalid' });
    await assert.rejects(bed.log.append(encode(['no key'], 0).build({ compression: 'gzip' })), {
      code: 'batch-invalid',
    });
    await bed.sealAndCompact();
    assert.deepEqual(await bed.texts(), ['a=1']);
  });
});

describe('tombstones', () => {
  test('supersede at once, and go when they were kept for long enough', async () => {
    const bed = await CompactionBed.open({
      settings: { tombstoneRetentionMs: dayMs, dirtyShareMin: 0 },
    });
    await bed.send(['a=1', 'b=1', 'a=']);
    await bed.sealAndCompact();
    assert.deepEqual(await bed.texts(), ['b=1', 'a=']);
    const timestamps = (await bed.readCommitted()).map(({ timestampMs }) => timestampMs);
    await bed.clock.runFor(dayMs / 2);
    await bed.send(['c=1']);
    await bed.sealAndCompact();
    assert.deepEqual(await bed.texts(), ['b=1', 'a=', 'c=1']);
    assert.deepEqual(
      (await bed.readCommitted()).slice(0, 2).map(({ timestampMs }) => timestampMs),
      timestamps,
      'their times are what they were',
    );
    await bed.clock.runFor(dayMs);
    await bed.send(['d=1']);
    await bed.sealAndCompact();
    assert.deepEqual(await bed.texts(), ['b=1', 'c=1', 'd=1']);
  });

  test('that are new stay when an older one of another key goes', async () => {
    const bed = await CompactionBed.open({
      settings: { tombstoneRetentionMs: dayMs, dirtyShareMin: 0 },
    });
    await bed.send(['a=']);
    await bed.sealAndCompact();
    await bed.clock.runFor(dayMs + 1);
    await bed.send(['b=']);
    await bed.sealAndCompact();
    assert.deepEqual(await bed.texts(), ['b=']);
    const horizon = (await bed.readBatches())
      .map((batch) => batchDeleteHorizon(batch, 0))
      .find((one) => one >= 0);
    assert.ok((horizon ?? 0) > bed.clock.nowMs());
  });
});

describe('when a log is compacted', () => {
  test('so much of it must be new', async () => {
    const bed = await CompactionBed.open({ settings: { dirtyShareMin: 0.5 } });
    const many = Array.from({ length: 100 }, (_, index) => `k${index}=some value`);
    await bed.send(many);
    await bed.sealAndCompact();
    await bed.send(['k0=2', 'k0=3']);
    await bed.sealAndCompact();
    assert.equal((await bed.texts()).length, 102);
    await bed.send(many);
    await bed.sealAndCompact();
    assert.equal((await bed.texts()).length, 100);
  });

  test('or some record too old', async () => {
    const bed = await CompactionBed.open({ settings: { compactionLagMaxMs: dayMs } });
    const many = Array.from({ length: 100 }, (_, index) => `k${index}=some value`);
    await bed.send(many);
    await bed.sealAndCompact();
    await bed.send(['k0=2', 'k0=3']);
    await bed.sealAndCompact();
    assert.equal((await bed.texts()).length, 102);
    await bed.clock.runFor(dayMs);
    await bed.compact();
    assert.equal((await bed.texts()).length, 100);
  });

  test('what is too new is left alone', async () => {
    const bed = await CompactionBed.open({ settings: { compactionLagMinMs: dayMs } });
    await bed.send(['a=1', 'a=2']);
    await bed.sealAndCompact();
    assert.equal((await bed.texts()).length, 2);
    await bed.clock.runFor(dayMs + 1000);
    await bed.compact();
    assert.equal((await bed.texts()).length, 1);
  });

  test('keys that do not fit into memory together are compacted in several passes', async () => {
    const bed = await CompactionBed.open({ mapBytes: 20 * 10 });
    const many = Array.from({ length: 60 }, (_, index) => `k${index % 30}=${index}`);
    for (let at = 0; at < many.length; at += 7) await bed.send(many.slice(at, at + 7));
    await bed.sealAndCompact();
    assert.deepEqual(await bed.texts(), many.slice(30));
  });
});

describe('transactions in a compacted log', () => {
  test('aborted records go, and supersede nothing', async () => {
    const bed = await CompactionBed.open({
      settings: { tombstoneRetentionMs: dayMs, dirtyShareMin: 0 },
    });
    await transact(bed, 7, 0, ['a=1', 'b=1'], 'commit');
    await transact(bed, 7, 2, ['a=wrong', 'b='], 'abort');
    await transact(bed, 8, 0, ['b=2'], 'commit');
    await bed.sealAndCompact();
    assert.deepEqual(await bed.texts(), ['a=1', 'b=2']);
    for (const batch of await bed.readBatches())
      assert.doesNotMatch(batch.toString('latin1'), /wrong/);
    assert.equal(await countMarkers(bed), 3);
    assert.equal(bed.log.findAborted(0, 100).length, 1);
  });

  test('markers go when nothing refers to them, some time later', async () => {
    const bed = await CompactionBed.open({
      settings: { tombstoneRetentionMs: dayMs, dirtyShareMin: 0 },
    });
    await transact(bed, 7, 0, ['a=1'], 'commit');
    await transact(bed, 7, 1, ['b=wrong'], 'abort');
    await transact(bed, 7, 2, ['a=2', 'c=1'], 'commit');
    await bed.sealAndCompact();
    await bed.clock.runFor(dayMs + 1);
    await bed.send(['d=1']);
    await bed.sealAndCompact();
    // That of the first transaction, whose record is superseded, and that of the aborted one.
    assert.equal(await countMarkers(bed), 1);
    assert.deepEqual(bed.log.findAborted(0, 100), []);
    assert.deepEqual(await bed.texts(), ['a=2', 'c=1', 'd=1']);
    for (const start of ['crash', 'restart'] as const) {
      await bed[start]();
      assert.deepEqual(bed.log.findAborted(0, 100), []);
      assert.deepEqual(await bed.texts(), ['a=2', 'c=1', 'd=1']);
      assert.equal(bed.log.listProducers()[0]?.lastSequence, 3, 'the producer is still known');
    }
  });

  test('a marker stands for no aborted record that is gone while others of it are there', async () => {
    // Three keys do not fit into memory: a pass ends in the midst of the second transaction.
    const bed = await CompactionBed.open({
      mapBytes: 20 * 3,
      settings: { dirtyShareMin: 0 },
      latencyMsMax: 2,
    });
    await transact(bed, 7, 0, ['x=wrong'], 'abort');
    bed.log.beginTransaction(7, 0);
    const append = (sequence: number, record: string): Promise<unknown> => {
      const batch = encode([record], bed.clock.nowMs()).build({
        producerId: 7,
        producerEpoch: 0,
        baseSequence: sequence,
        isTransactional: true,
      });
      return bed.clock.runUntil(bed.log.append(batch));
    };
    await append(1, 'a=wrong');
    await bed.send(['a=1']);
    await bed.send(['b=1']);
    await bed.send(['c=1']);
    await append(2, 'd=wrong');
    await bed.clock.runUntil(bed.log.endTransaction(7, 0, 'abort', 1));
    bed.shard.requestSeal();
    const clean = new Set<number>();
    for (let step = 0; step < 300; step++) {
      await bed.clock.runFor(0.5);
      if (clean.has(bed.log.cleanOffset)) continue;
      clean.add(bed.log.cleanOffset);
      assert.deepEqual(await bed.texts(), ['a=1', 'b=1', 'c=1']);
    }
    assert.ok(clean.size > 2, 'there was more than one pass');
    for (const batch of await bed.readBatches()) {
      if (isControlBatch(batchAttributes(batch, 0)))
        assert.equal(batchLastOffsetDelta(batch, 0), 0);
    }
  });

  test('what is open, and what follows it, is left alone', async () => {
    const bed = await CompactionBed.open();
    await bed.send(['a=1', 'a=2']);
    await bed.seal();
    bed.log.beginTransaction(7, 0);
    const batch = encode(['a=3'], 0).build({
      producerId: 7,
      producerEpoch: 0,
      baseSequence: 0,
      isTransactional: true,
    });
    await bed.clock.runUntil(bed.log.append(batch));
    await bed.send(['b=1', 'b=2']);
    await bed.sealAndCompact();
    const offsets = (await bed.readCommitted()).map(({ offset }) => offset);
    assert.deepEqual(offsets, [1, 2, 3, 4]);
    await bed.clock.runUntil(bed.log.endTransaction(7, 0, 'commit', 1));
    await bed.sealAndCompact();
    assert.deepEqual(await bed.texts(), ['a=3', 'b=2']);
  });
});
