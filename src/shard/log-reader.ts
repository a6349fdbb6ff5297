import { BrokerError, present } from '../base/index.ts';
import {
  batchBaseOffset,
  batchLastOffset,
  batchMaxTimestamp,
  batchTotalBytes,
} from '../bytes/index.ts';
import { type Journal, JournalFileMissing } from '../journal/index.ts';
import { SegmentMissing, type SegmentStore } from '../segment/index.ts';
import { type BatchSink, Verifying, walkEntries } from './batch-sink.ts';
import { BlockCache } from './block-cache.ts';
import type { Extent } from './extent.ts';
import { Gathering } from './gathering.ts';
import type { IndexStore } from './index-store.ts';
import { walkIntact } from './intact-batches.ts';
import type { ReadOptions, ReadResult, TimedOffset } from './partition.ts';
import type { PartitionLog } from './partition-log.ts';
import { firstRecordAt, noteTimestampsFrom } from './record-search.ts';
import type { RunList } from './run-list.ts';
import { segmentName } from './segment-file.ts';
import type { TailCache } from './tail-cache.ts';

/** Two runs that are this close are read from disk with one call. */
const readGapBytesMax = 32 * 1024;
/** A stretch this long is worth a trip to the disk of its own. */
const sharedBytesMax = 256 * 1024;
/** Bytes that a scan of an extent reads with one call, about. */
const scanBytes = 1024 * 1024;
/** Tries after a file was removed between looking a run up and reading it. */
const attemptsMax = 4;

export interface LogReaderOptions {
  journal: Journal;
  segments: SegmentStore;
  indexes: IndexStore;
  cache: TailCache;
}

/** Offsets from `from` to the one before `end`. */
export interface OffsetRange {
  from: number;
  end: number;
}

/** Runs of an extent that are read with one call. */
interface Stretch {
  first: number;
  /** Behind the last. */
  endRun: number;
  start: number;
  end: number;
  reading: Promise<Uint8Array>;
}

/** Finds a partition's batches: in memory where the journal's tail is, else in journal files and segments. */
export class LogReader {
  readonly #journal: Journal;
  readonly #segments: SegmentStore;
  readonly #indexes: IndexStore;
  readonly #cache: TailCache;
  readonly #blocks: BlockCache;

  constructor(options: LogReaderOptions) {
    this.#journal = options.journal;
    this.#blocks = new BlockCache(options.journal);
    this.#segments = options.segments;
    this.#indexes = options.indexes;
    this.#cache = options.cache;
  }

  /** `offset` is within the log. Answers at once when all that it needs is in memory. */
  read(log: PartitionLog, offset: number, options: ReadOptions): ReadResult | Promise<ReadResult> {
    const gathering = new Gathering(log, offset, options);
    if (gathering.isAtEnd || (options.maxBytes <= 0 && !options.minOneBatch))
      return gathering.result();
    if (this.#gatherFromCache(log, gathering)) return gathering.result();
    return this.#readFromStorage(log, gathering, offset, options);
  }

  /** The first record at or after a time, at or above the log start and below the high watermark. */
  findByTime(log: PartitionLog, timestampMs: number): Promise<TimedOffset | undefined> {
    return this.#whileMoved(log, () => this.#findByTime(log, timestampMs));
  }

  /** The first of the records with the greatest timestamp, at or above the log start. */
  findMaxTimestamp(log: PartitionLog): Promise<TimedOffset | undefined> {
    return this.#whileMoved(log, async () => {
      const timestampMs = await this.#maxTimestamp(log);
      return timestampMs === undefined ? undefined : this.#findByTime(log, timestampMs);
    });
  }

  /** Looks again where what was wanted has been moved or deleted meanwhile. */
  async #whileMoved<T>(log: PartitionLog, find: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      const { extents } = log;
      try {
        const found = await find();
        // Compaction may have removed what it came for, for something newer behind all that it looked at.
        if (found !== undefined || log.extents === extents) return found;
      } catch (error) {
        const isTrimmed = error instanceof BrokerError && error.code === 'offset-out-of-range';
        if (!isTrimmed && !isGone(error)) throw error;
        if (log.extents === extents && attempt >= attemptsMax)
          throw isTrimmed ? error : missing(error);
      }
    }
  }

  /** The greatest timestamp of an extent's first records, some kilobytes of them. */
  firstTimestamp(log: PartitionLog, extent: Extent): Promise<number> {
    return this.#whileMoved(log, async () => {
      const runs = extent.runs ?? (await this.#indexes.load(extent, log.number));
      return runs.maxTimestampMs(0);
    });
  }

  /** The first offset whose run holds anything at or after a time; the high watermark when there is none. */
  async findRunByTime(log: PartitionLog, timestampMs: number): Promise<number> {
    // What arrives while indexes are loaded is not looked at, and not passed over.
    const { highWatermark } = log;
    for (const extent of log.extents.slice()) {
      if (extent.maxTimestampMs < timestampMs) continue;
      const runs = extent.runs ?? (await this.#indexes.load(extent, log.number));
      const run = runs.findByTime(timestampMs);
      if (run >= 0) return Math.max(runs.firstOffset(run), log.logStartOffset);
    }
    return highWatermark;
  }

  /** The first offset of the run of `extent` before which lie at most `bytes`. */
  async findRunBySize(log: PartitionLog, extent: Extent, bytes: number): Promise<number> {
    const runs = extent.runs ?? (await this.#indexes.load(extent, log.number));
    let passed = 0;
    let run = 0;
    while (run + 1 < runs.count && passed + runs.bytes(run) <= bytes) passed += runs.bytes(run++);
    return run === 0 ? extent.firstOffset : runs.firstOffset(run);
  }

  /**
   * What cannot be read at `offset`: from the end of the last intact batch before it to the start of the next one, which
   * is one damaged batch where more than its lengths is damaged nowhere. Looks at the disk, not at what was read before.
   * Undefined when it can be read after all, or is deleted. Rejects where that cannot be told now (storage-failed).
   */
  async findDamage(log: PartitionLog, offset: number): Promise<OffsetRange | undefined> {
    this.#blocks.clear();
    for (let attempt = 0; ; attempt++) {
      const { extents } = log;
      const extent = extents[findExtent(extents, offset)];
      if (extent === undefined || offset < extent.firstOffset || offset >= extent.endOffset)
        return undefined;
      try {
        return await this.#walkDamaged(log, extent, offset, undefined);
      } catch (error) {
        const isLost = isGone(error) && log.extents === extents && attempt >= attemptsMax;
        // Its file is missing, or neither the index nor the file can be read.
        if (isLost || isDamage(error)) return { from: offset, end: extent.endOffset };
        if (!isGone(error)) throw error;
      }
    }
  }

  /** Walks the run that holds `offset`, hands `sink` what is intact from there on, and returns what is damaged there. */
  async #walkDamaged(
    log: PartitionLog,
    extent: Extent,
    offset: number,
    sink: BatchSink | undefined,
  ): Promise<OffsetRange | undefined> {
    const runs = extent.runs ?? (await this.#indexes.load(extent, log.number));
    const run = runs.find(offset);
    const from = run === 0 ? extent.firstOffset : runs.firstOffset(run);
    const end = run + 1 < runs.count ? runs.firstOffset(run + 1) : extent.endOffset;
    const start = runs.position(run);
    let bytes: Uint8Array;
    try {
      bytes = await this.#readStretch(extent, start, start + runs.bytes(run));
    } catch (error) {
      // The file ends too early.
      if (isDamage(error)) return { from, end };
      throw error;
    }
    return walkIntact(bytes, log, { from, end }, offset, sink);
  }

  /** False when a batch that is wanted is not in memory; nothing is gathered then. */
  #gatherFromCache(log: PartitionLog, gathering: Gathering): boolean {
    const at = findExtent(log.extents, gathering.nextOffset);
    const first = log.extents[at];
    if (first?.runs === undefined || first.kind !== 'journal') return false;
    let run = first.runs.find(gathering.nextOffset);
    if (first.runs.position(run) < this.#cache.startLsn) return false;
    for (let i = at; i < log.extents.length && !gathering.isFull; i++) {
      const extent = log.extents[i];
      const runs = extent?.kind === 'journal' ? extent.runs : undefined;
      if (runs === undefined) break;
      for (; run < runs.count && !gathering.isFull; run++) {
        if (!this.#walkCached(log.number, runs.position(run), runs.bytes(run), gathering))
          return gathering.bytes > 0;
      }
      run = 0;
    }
    return true;
  }

  #walkCached(partition: number, start: number, length: number, gathering: Gathering): boolean {
    const end = start + length;
    for (let lsn = start; lsn < end && !gathering.isFull; ) {
      const place = this.#cache.find(lsn);
      if (place === undefined) return false;
      const stop = Math.min(end, place.endLsn);
      lsn = walkEntries(place.bytes, place.at, lsn, stop, partition, gathering);
    }
    return true;
  }

  async #readFromStorage(
    log: PartitionLog,
    gathering: Gathering,
    offset: number,
    options: ReadOptions,
  ): Promise<ReadResult> {
    for (let attempt = 0; ; attempt++) {
      const { extents } = log;
      try {
        await this.#gatherFromStorage(log, gathering);
        break;
      } catch (error) {
        if (isDamage(error)) {
          await this.#gatherBehindDamage(log, gathering, error);
          break;
        }
        if (!isGone(error)) throw error;
        // What was wanted has been moved by the compactor, or has expired: look it up again. Else it is lost.
        if (log.extents === extents && attempt >= attemptsMax) throw missing(error);
        if (gathering.bytes > 0) break;
        if (gathering.nextOffset < log.logStartOffset) throw trimmed(log);
      }
    }
    if (log.isDropped) throw new BrokerError('topic-not-found');
    // What was aborted there is forgotten: whoever has these records now would take them for messages.
    if (options.onlyStable && offset < log.logStartOffset) throw trimmed(log);
    return gathering.result();
  }

  /** Something in the stretch is damaged: what is intact before it is an answer, and so is what lies behind it. */
  async #gatherBehindDamage(
    log: PartitionLog,
    gathering: Gathering,
    error: BrokerError,
  ): Promise<void> {
    if (gathering.bytes > 0) return;
    const offset = gathering.nextOffset;
    const extent = log.extents[findExtent(log.extents, offset)];
    if (extent === undefined || offset < extent.firstOffset || offset >= extent.endOffset)
      throw error;
    try {
      if ((await this.#walkDamaged(log, extent, offset, gathering)) !== undefined) throw error;
    } catch (failure) {
      throw isGone(failure) ? error : failure;
    }
  }

  async #gatherFromStorage(log: PartitionLog, gathering: Gathering): Promise<void> {
    while (!gathering.isFull) {
      const extent = log.extents[findExtent(log.extents, gathering.nextOffset)];
      if (extent === undefined || extent.endOffset <= gathering.nextOffset) return;
      if (extent.firstOffset > gathering.nextOffset) {
        // What comes next was deleted meanwhile: what there is so far is an answer, one with a gap is not.
        if (gathering.bytes > 0) return;
        throw trimmed(log);
      }
      const runs = extent.runs ?? (await this.#indexes.load(extent, log.number));
      const before = gathering.nextOffset;
      await this.#gatherFromExtent(log, extent, runs, gathering);
      if (gathering.nextOffset === before && !gathering.isFull) {
        throw new BrokerError(
          'storage-damaged',
          `offset ${before} of partition ${log.topicId}-${log.index} is not where the index says`,
        );
      }
    }
  }

  async #gatherFromExtent(
    log: PartitionLog,
    extent: Extent,
    runs: RunList,
    gathering: Gathering,
  ): Promise<void> {
    let run = runs.find(gathering.nextOffset);
    while (run < runs.count && !gathering.isFull) {
      const start = runs.position(run);
      let end = start + runs.bytes(run);
      let next = run + 1;
      while (
        next < runs.count &&
        end - start < gathering.wantedBytes &&
        runs.position(next) - end <= readGapBytesMax
      ) {
        end = runs.position(next) + runs.bytes(next);
        next += 1;
      }
      const batches = new Verifying(gathering, log, extent, runs, run, next);
      const bytes =
        extent.kind === 'journal' && end - start < sharedBytesMax
          ? await this.#blocks.read(log.number, extent.fileId, start, end)
          : await this.#readStretch(extent, start, end);
      walkEntries(bytes, 0, start, end, log.number, batches);
      batches.checkEnd();
      run = next;
    }
  }

  /** Hands every batch of an extent to `sink`, from the disk and checked; yields after each read, of about `readBytes`. */
  async *scan(
    log: PartitionLog,
    extent: Extent,
    sink: BatchSink,
    readBytes: () => number = () => scanBytes,
  ): AsyncGenerator<void> {
    const runs = extent.runs ?? (await this.#indexes.load(extent, log.number));
    let next: Stretch | undefined = this.#beginStretch(extent, runs, 0, readBytes());
    while (next !== undefined && !sink.isFull) {
      const { first, endRun, start, end, reading }: Stretch = next;
      const bytes = await reading;
      // The next is read while this one is looked at.
      next = this.#beginStretch(extent, runs, endRun, readBytes());
      const batches = new Verifying(sink, log, extent, runs, first, endRun);
      walkEntries(bytes, 0, start, end, log.number, batches);
      batches.checkEnd();
      yield;
    }
  }

  /** Begins to read neighbouring runs from `first` on, of about `wantedBytes`; undefined behind the last. */
  #beginStretch(
    extent: Extent,
    runs: RunList,
    first: number,
    wantedBytes: number,
  ): Stretch | undefined {
    if (first >= runs.count) return undefined;
    const start = runs.position(first);
    let end = start;
    let run = first;
    for (; run < runs.count && runs.position(run) - end <= readGapBytesMax; run++) {
      if (end - start >= wantedBytes) break;
      end = runs.position(run) + runs.bytes(run);
    }
    const reading = this.#readStretch(extent, start, end);
    // It may fail before anybody waits for it, and nobody does when the scan is given up.
    reading.catch(() => undefined);
    return { first, endRun: run, start, end, reading };
  }

  async #readStretch(extent: Extent, start: number, end: number): Promise<Uint8Array> {
    const buffer = Buffer.allocUnsafeSlow(end - start);
    if (extent.kind === 'journal') await this.#journal.read(start, buffer);
    else await this.#readSegment(extent.fileId, start, buffer);
    return buffer;
  }

  async #readSegment(number: number, position: number, into: Uint8Array): Promise<void> {
    const count = await this.#segments.readRange(segmentName(number), position, into);
    if (count < into.length) {
      throw new BrokerError(
        'storage-damaged',
        `${segmentName(number)} ends at ${position + count}`,
      );
    }
  }

  async #maxTimestamp(log: PartitionLog): Promise<number | undefined> {
    let max: number | undefined;
    const note = (timestampMs: number): void => {
      max = Math.max(max ?? timestampMs, timestampMs);
    };
    for (const extent of log.extents.slice()) {
      if (extent.firstOffset >= log.logStartOffset) {
        note(extent.maxTimestampMs);
        continue;
      }
      // A part of it is deleted, and the greatest timestamp may have gone with that.
      const runs = extent.runs ?? (await this.#indexes.load(extent, log.number));
      for (let run = 0; run < runs.count; run++) {
        const end = run + 1 < runs.count ? runs.firstOffset(run + 1) : extent.endOffset;
        if (runs.firstOffset(run) >= log.logStartOffset) note(runs.maxTimestampMs(run));
        else await this.#noteTimestamps(log, log.logStartOffset, end, note);
      }
    }
    return max;
  }

  async #noteTimestamps(
    log: PartitionLog,
    from: number,
    endOffset: number,
    note: (timestampMs: number) => void,
  ): Promise<void> {
    for (let offset = from; offset < endOffset; ) {
      const part = await this.read(log, offset, { maxBytes: 1024 * 1024, minOneBatch: true });
      if (part.slices.length === 0) return;
      for (const slice of part.slices) {
        for (let at = 0; at < slice.length; at += batchTotalBytes(slice, at)) {
          offset = batchLastOffset(slice, at) + 1;
          if (batchBaseOffset(slice, at) >= from) note(batchMaxTimestamp(slice, at));
          else noteTimestampsFrom(slice, at, from, note);
        }
      }
    }
  }

  async #findByTime(log: PartitionLog, timestampMs: number): Promise<TimedOffset | undefined> {
    for (const extent of log.extents.slice()) {
      if (extent.maxTimestampMs < timestampMs) continue;
      const runs = extent.runs ?? (await this.#indexes.load(extent, log.number));
      for (
        let run = runs.findByTime(timestampMs);
        run >= 0;
        run = runs.findByTime(timestampMs, run + 1)
      ) {
        const from = Math.max(runs.firstOffset(run), log.logStartOffset);
        const end = run + 1 < runs.count ? runs.firstOffset(run + 1) : extent.endOffset;
        const found = await this.#findInRange(
          log,
          from,
          Math.min(end, log.highWatermark),
          timestampMs,
        );
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }

  async #findInRange(
    log: PartitionLog,
    from: number,
    endOffset: number,
    timestampMs: number,
  ): Promise<TimedOffset | undefined> {
    for (let offset = from; offset < endOffset; ) {
      const part = await this.read(log, offset, { maxBytes: 1024 * 1024, minOneBatch: true });
      if (part.slices.length === 0) return undefined;
      for (const slice of part.slices) {
        for (let at = 0; at < slice.length; at += batchTotalBytes(slice, at)) {
          offset = batchLastOffset(slice, at) + 1;
          if (batchMaxTimestamp(slice, at) < timestampMs) continue;
          const found = firstRecordAt(slice, at, timestampMs, log.logStartOffset);
          if (found !== undefined) return found;
        }
      }
    }
    return undefined;
  }
}

/** The last extent that begins at or before `offset`; 0 when there is none. */
function findExtent(extents: readonly Extent[], offset: number): number {
  let low = 0;
  let high = extents.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (present(extents[middle], 'in range').firstOffset <= offset) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}

function isDamage(error: unknown): error is BrokerError {
  return error instanceof BrokerError && error.code === 'storage-damaged';
}

function isGone(error: unknown): error is JournalFileMissing | SegmentMissing {
  return error instanceof JournalFileMissing || error instanceof SegmentMissing;
}

function trimmed(log: PartitionLog): BrokerError {
  return new BrokerError('offset-out-of-range', `the log starts at ${log.logStartOffset} now`);
}

/** A file that is still gone when it is looked up anew was taken away. */
function missing(error: Error): BrokerError {
  return new BrokerError('storage-damaged', `a file is missing: ${error.message}`, {
    cause: error,
  });
}
