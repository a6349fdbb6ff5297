import assert from 'node:assert/strict';
import {
  batchAttributes,
  batchBaseOffset,
  batchLastOffset,
  batchProducerId,
  batchTotalBytes,
  type Codec,
  isControlBatch,
  isTransactionalBatch,
  RecordBatchBuilder,
  RecordCursor,
} from '../../../src/bytes/index.ts';
import { FileBacking, type PartitionLog, Shard } from '../../../src/shard/index.ts';
import {
  type PartitionSettings,
  unboundedSettings,
} from '../../../src/shard/partition-settings.ts';
import { findOutcome } from '../../../src/shard/transaction/index.ts';
import { SeededRandom, SimulatedClock, SimulatedDisk } from '../../../src/testing/index.ts';
import { LifeClock } from '../../simulation/life-clock.ts';

export const hourMs = 3_600_000;

export interface SeenRecord {
  offset: number;
  key: string | null;
  /** Undefined: a tombstone. */
  value: string | undefined;
  timestampMs: number;
}

export interface BedOptions {
  seed?: number;
  settings?: Partial<PartitionSettings>;
  journalFileBytes?: number;
  mapBytes?: number;
  latencyMsMax?: number;
}

/** One shard with one compacted log, on a simulated disk. */
export class CompactionBed {
  readonly clock = new SimulatedClock();
  readonly random: SeededRandom;
  readonly warnings: string[] = [];
  disk: SimulatedDisk;
  life: LifeClock;
  shard!: Shard;
  log!: PartitionLog;
  settings: PartitionSettings;
  readonly #options: BedOptions;

  private constructor(options: BedOptions) {
    this.#options = options;
    this.random = new SeededRandom(options.seed ?? 1);
    this.settings = { ...unboundedSettings, cleanup: 'compact', ...options.settings };
    this.disk = new SimulatedDisk({
      clock: this.clock,
      random: this.random.fork(),
      latencyMsMax: options.latencyMsMax ?? 0,
    });
    this.life = new LifeClock(this.clock);
  }

  static async open(options: BedOptions = {}): Promise<CompactionBed> {
    const bed = new CompactionBed(options);
    await bed.start();
    const { log, durable } = bed.shard.openPartition('topic', 0, bed.settings);
    bed.log = log;
    await bed.clock.runUntil(durable);
    return bed;
  }

  async start(): Promise<void> {
    const journalFileBytes = this.#options.journalFileBytes ?? 1024 * 1024;
    const note = (message: string): void => void this.warnings.push(message);
    const opening = Shard.open({
      backing: new FileBacking({
        disk: this.disk,
        directory: '/data/shard-0',
        journalFileBytes,
        isDurable: true,
      }),
      clock: this.life,
      random: this.random.fork(),
      extensions: [],
      log: { info: () => undefined, warn: note, error: note },
      journalFileBytes,
      tailCacheBytes: 64 * 1024,
      freeBytesMin: 0,
      ...(this.#options.mapBytes === undefined
        ? {}
        : { compactionMapBytes: this.#options.mapBytes }),
    });
    this.shard = await this.clock.runUntil(opening);
    for (const log of this.shard.logs()) {
      log.settings = this.settings;
      this.log = log;
    }
  }

  /** Cuts the power and starts again. */
  async crash(): Promise<void> {
    this.life.end();
    this.disk = this.disk.crash();
    this.life = new LifeClock(this.clock);
    await this.start();
  }

  /** Ends orderly and starts again. */
  async restart(): Promise<void> {
    await this.clock.runUntil(this.shard.close());
    this.life.end();
    this.life = new LifeClock(this.clock);
    await this.start();
  }

  /** One batch of `key=value` records; `key=` is a tombstone. Resolves with its base offset. */
  async send(records: readonly string[], compression: Codec = 'none'): Promise<number> {
    const batch = encode(records, this.clock.nowMs()).build({ compression });
    return (await this.clock.runUntil(this.log.append(batch))).baseOffset;
  }

  /** Ends the active file. */
  async seal(): Promise<void> {
    this.shard.requestSeal();
    await this.clock.runFor(1000);
  }

  async compact(): Promise<void> {
    await this.clock.runUntil(this.shard.maintain());
  }

  /** Seals, and compacts what was written. */
  async sealAndCompact(): Promise<void> {
    await this.seal();
    await this.compact();
  }

  /** Everything between two offsets, markers and aborted records too; every batch follows the one before. */
  async readBatches(from = this.log.logStartOffset): Promise<Buffer[]> {
    const batches: Buffer[] = [];
    let offset = from;
    while (offset < this.log.highWatermark) {
      const reading = this.log.read(offset, { maxBytes: 64 * 1024, minOneBatch: true });
      const { slices } = await this.clock.runUntil(Promise.resolve(reading));
      assert.ok(slices.length > 0, `nothing at ${offset}`);
      for (const slice of slices) {
        for (let at = 0; at < slice.length; at += batchTotalBytes(slice, at)) {
          if (batches.length > 0)
            assert.equal(batchBaseOffset(slice, at), offset, 'no gap between batches');
          else assert.ok(batchBaseOffset(slice, at) <= offset);
          batches.push(Buffer.from(slice.subarray(at, at + batchTotalBytes(slice, at))));
          offset = batchLastOffset(slice, at) + 1;
        }
      }
    }
    return batches;
  }

  /** What a reader of committed records sees: it goes by the list of aborted transactions and by the markers. */
  async readCommitted(from = this.log.logStartOffset): Promise<SeenRecord[]> {
    const aborted = this.log.findAborted(from, this.log.highWatermark);
    const batches = await this.readBatches(from);
    const seen: SeenRecord[] = [];
    const ignored = new Set<number>();
    for (const batch of batches) {
      const producerId = batchProducerId(batch, 0);
      const attributes = batchAttributes(batch, 0);
      for (const one of aborted.filter(
        ({ firstOffset }) => firstOffset <= batchLastOffset(batch, 0),
      ))
        ignored.add(aborted.splice(aborted.indexOf(one), 1)[0]?.producerId ?? -1);
      if (isControlBatch(attributes)) {
        if (findOutcome(batch, 0) === 'abort') ignored.delete(producerId);
        continue;
      }
      if (isTransactionalBatch(attributes) && ignored.has(producerId)) continue;
      seen.push(...decode(batch).filter(({ offset }) => offset >= from));
    }
    return seen;
  }

  /** Those records as `key=value`. */
  async texts(): Promise<string[]> {
    return (await this.readCommitted()).map(({ key, value }) => `${key}=${value ?? ''}`);
  }
}

export function encode(records: readonly string[], timestampMs: number): RecordBatchBuilder {
  const builder = new RecordBatchBuilder();
  for (const [index, text] of records.entries()) {
    const at = text.indexOf('=');
    const value = text.slice(at + 1);
    builder.add({
      key: at < 0 ? null : Buffer.from(text.slice(0, at)),
      value: value === '' ? null : Buffer.from(value),
      headers: [['number', Buffer.from(String(index))]],
      timestampMs: timestampMs + index,
    });
  }
  return builder;
}

export function decode(batch: Uint8Array): SeenRecord[] {
  const records: SeenRecord[] = [];
  const cursor = new RecordCursor(batch, 0, 1024 * 1024);
  while (cursor.next()) {
    const { offset, key, value, timestampMs } = cursor;
    records.push({
      offset,
      key: key?.toString() ?? null,
      value: value?.toString(),
      timestampMs,
    });
  }
  return records;
}
