/**
 * Random lives of a compacted log beside a model, with power cuts in the midst of compaction.
 *
 *   PABAL_COMPACTION_SEEDS=2000 npm test -- compaction-model    more of them
 *   PABAL_COMPACTION_SEED=17 npm test -- compaction-model       one
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codecs } from '../../../src/bytes/index.ts';
import { verifyStore } from '../../../src/shard/index.ts';
import { CompactionBed, encode, hourMs, type SeenRecord } from './compaction-bed.ts';

const seeds = Number(process.env['PABAL_COMPACTION_SEEDS'] ?? 15);
const single = process.env['PABAL_COMPACTION_SEED'];
const tombstoneRetentionMs = hourMs;
/** Of every other life. */
const expiryMs = 5 * hourMs;

interface Open {
  offsets: number[];
}

/** What was written, whether or not the log still has it. */
class Model {
  /** By offset; undefined: a marker, or aborted. */
  readonly records = new Map<number, SeenRecord & { isVisible: boolean }>();
  readonly open = new Map<number, Open>();
  readonly sequences = new Map<number, number>();
  startOffset = 0;

  /** The newest visible record of each key below `endOffset`. */
  newest(endOffset: number): Map<string, SeenRecord> {
    const newest = new Map<string, SeenRecord>();
    for (const record of this.records.values()) {
      if (record.isVisible && record.offset < endOffset && record.key !== null)
        newest.set(record.key, record);
    }
    return newest;
  }
}

async function live(seed: number): Promise<number> {
  const bed = await CompactionBed.open({
    seed,
    settings: {
      tombstoneRetentionMs,
      dirtyShareMin: 0,
      ...(seed % 2 === 0 ? { cleanup: 'compact,delete', retentionMs: expiryMs } : {}),
    },
    journalFileBytes: 16 * 1024,
    latencyMsMax: 3,
    ...(seed % 3 === 0 ? { mapBytes: 20 * (4 + (seed % 17)) } : {}),
  });
  const { random } = bed;
  const model = new Model();
  let removed = 0;
  for (let step = 0; step < 60; step++) {
    const choice = random.nextInt(100);
    if (choice < 45) await write(bed, model);
    else if (choice < 55) await endTransaction(bed, model);
    else if (choice < 65) await bed.seal();
    else if (choice < 80) await bed.sealAndCompact();
    else if (choice < 85) await bed.clock.runFor(random.nextInt(4) * hourMs);
    else if (choice < 89) await bed.restart();
    else if (choice < 94) await crashWhileCompacting(bed);
    else if (choice < 95) await trim(bed, model);
    else if (choice < 96) await trimWhileCompacting(bed, model);
    else removed = Math.max(removed, await check(bed, model));
  }
  for (const producerId of [...model.open.keys()]) await endOf(bed, model, producerId, 'commit');
  await bed.sealAndCompact();
  removed = Math.max(removed, await check(bed, model));
  assert.deepEqual(bed.warnings, []);
  await bed.clock.runUntil(bed.shard.close());
  assert.deepEqual((await bed.clock.runUntil(verifyStore('/data', bed.disk))).problems, []);
  return removed;
}

async function write(bed: CompactionBed, model: Model): Promise<void> {
  const { random, log } = bed;
  const texts: string[] = [];
  for (let count = 1 + random.nextInt(12); count > 0; count--) {
    const value = random.chance(0.2) ? '' : `${random.nextInt(1e9)}`;
    texts.push(`k${random.nextInt(25)}=${value}`);
  }
  const compression = codecs[random.nextInt(codecs.length)] ?? 'none';
  const nowMs = bed.clock.nowMs();
  const builder = encode(texts, nowMs);
  const producerId = random.chance(0.5) ? 1 + random.nextInt(4) : -1;
  const sequence = model.sequences.get(producerId) ?? 0;
  let open: Open | undefined;
  if (producerId > 0) {
    open = model.open.get(producerId) ?? { offsets: [] };
    model.open.set(producerId, open);
    model.sequences.set(producerId, sequence + texts.length);
    // The coordinator says so again after each start.
    log.beginTransaction(producerId, 0);
  }
  const batch = builder.build(
    producerId < 0
      ? { compression }
      : {
          compression,
          producerId,
          producerEpoch: 0,
          baseSequence: sequence,
          isTransactional: true,
        },
  );
  const { baseOffset } = await bed.clock.runUntil(log.append(batch));
  for (const [index, text] of texts.entries()) {
    const [key = '', value = ''] = text.split('=');
    const offset = baseOffset + index;
    model.records.set(offset, {
      offset,
      key,
      value: value === '' ? undefined : value,
      timestampMs: nowMs + index,
      isVisible: producerId < 0,
    });
    open?.offsets.push(offset);
  }
}

async function endTransaction(bed: CompactionBed, model: Model): Promise<void> {
  const producers = [...model.open.keys()];
  const producerId = producers[bed.random.nextInt(Math.max(producers.length, 1))];
  if (producerId === undefined) return;
  await endOf(bed, model, producerId, bed.random.chance(0.5) ? 'commit' : 'abort');
}

async function endOf(
  bed: CompactionBed,
  model: Model,
  producerId: number,
  outcome: 'commit' | 'abort',
): Promise<void> {
  await bed.clock.runUntil(bed.log.endTransaction(producerId, 0, outcome, 1));
  const offsets = model.open.get(producerId)?.offsets ?? [];
  model.open.delete(producerId);
  for (const offset of offsets) {
    const record = model.records.get(offset);
    if (record === undefined) continue;
    if (outcome === 'commit') record.isVisible = true;
    else model.records.delete(offset);
  }
}

async function crashWhileCompacting(bed: CompactionBed): Promise<void> {
  await bed.seal();
  bed.shard.maintain().catch(() => undefined);
  await bed.clock.runFor(bed.random.nextInt(40));
  await bed.crash();
}

async function trim(bed: CompactionBed, model: Model): Promise<void> {
  const { log, random } = bed;
  expire(bed, model);
  const most = Math.max(log.lastStableOffset - model.startOffset, 1);
  const target = model.startOffset + random.nextInt(Math.ceil(most / 4));
  await bed.clock.runUntil(log.deleteBefore(target));
  model.startOffset = target;
  for (const offset of [...model.records.keys()]) if (offset < target) model.records.delete(offset);
}

async function trimWhileCompacting(bed: CompactionBed, model: Model): Promise<void> {
  await bed.seal();
  const compacting = bed.shard.maintain();
  await bed.clock.runFor(bed.random.nextInt(40));
  await trim(bed, model);
  await bed.clock.runUntil(compacting);
}

/** What has expired since it was looked at last was old enough. */
function expire(bed: CompactionBed, model: Model): void {
  const { log, settings } = bed;
  if (settings.retentionMs < 0) return;
  assert.ok(log.logStartOffset >= model.startOffset);
  const oldestMs = bed.clock.nowMs() - settings.retentionMs;
  model.startOffset = log.logStartOffset;
  for (const [offset, { timestampMs }] of model.records) {
    if (offset >= log.logStartOffset) continue;
    assert.ok(timestampMs < oldestMs, `offset ${offset} was too new to expire`);
    model.records.delete(offset);
  }
}

/** Returns how many records the log has lost by right. */
async function check(bed: CompactionBed, model: Model): Promise<number> {
  const { log } = bed;
  expire(bed, model);
  assert.equal(log.logStartOffset, model.startOffset);
  const end = log.lastStableOffset;
  const seen = (await bed.readCommitted()).filter(({ offset }) => offset < end);
  const offsets = new Set<number>();
  for (const record of seen) {
    const known = model.records.get(record.offset);
    assert.ok(known?.isVisible, `offset ${record.offset} should not be seen`);
    assert.deepEqual({ ...record, isVisible: true }, known);
    offsets.add(record.offset);
  }
  for (const { offset, value } of model.newest(end).values())
    assert.ok(value === undefined || offsets.has(offset), `offset ${offset} is lost`);
  const expected = [...model.records.values()].filter((one) => one.isVisible && one.offset < end);
  for (const { offset } of expected)
    assert.ok(offset < log.cleanOffset || offsets.has(offset), `${offset} was too new to go`);
  // A key without its newest value must not show an older one.
  const newest = model.newest(end);
  const last = new Map(seen.map((record) => [record.key, record]));
  for (const [key, record] of last) assert.equal(record.value, newest.get(key ?? '')?.value);
  const clean = seen.filter(({ offset }) => offset < log.cleanOffset).map(({ key }) => key);
  assert.equal(new Set(clean).size, clean.length, 'what was compacted has each key once');
  await checkFromTheMidst(bed, seen, end);
  return expected.length - seen.length;
}

async function checkFromTheMidst(
  bed: CompactionBed,
  seen: readonly SeenRecord[],
  end: number,
): Promise<void> {
  const { log, random } = bed;
  if (log.highWatermark === log.logStartOffset) return;
  const from = log.logStartOffset + random.nextInt(log.highWatermark - log.logStartOffset);
  const read = (await bed.readCommitted(from)).filter(({ offset }) => offset < end);
  assert.deepEqual(
    read,
    seen.filter(({ offset }) => offset >= from),
  );
}

if (single === undefined) {
  test(`a compacted log is as the model says, through ${seeds} random lives`, async () => {
    let removed = 0;
    for (let seed = 1; seed <= seeds; seed++) {
      try {
        removed += await live(seed);
      } catch (error) {
        throw new Error(`PABAL_COMPACTION_SEED=${seed}: ${String(error)}`, { cause: error });
      }
    }
    assert.ok(removed > seeds * 10, `only ${removed} records were removed`);
  });
} else {
  test(`seed ${single}`, async () => {
    await live(Number(single));
  });
}
