import { BrokerError, type Clock, limits, type Random } from '../../base/index.ts';
import { batchBaseOffset } from '../../bytes/index.ts';
import type { SegmentStore } from '../../segment/index.ts';
import { ExtentWriter } from '../extent-writer.ts';
import type { Extent } from '../extent.ts';
import type { RoomForMoves } from '../free-space.ts';
import { buildIndex, indexName } from '../index-store.ts';
import type { BatchSink } from '../batch-sink.ts';
import type { LogReader } from '../log-reader.ts';
import type { PartitionLog } from '../partition-log.ts';
import { isCompacted } from '../partition-settings.ts';
import { segmentHeader, segmentHeaderBytes, segmentName } from '../segment-file.ts';
import { type Cleanable, dirtyShare, findCleanable } from './cleanable.ts';
import type { Compacted } from './compacted-entry.ts';
import { KeyMap } from './key-map.ts';
import { KeyMapping } from './key-mapping.ts';
import { CompactionPace } from './pace.ts';
import { RecordCleaner, type RemovedMarker } from './record-cleaner.ts';
import { RegionOutput } from './region-output.ts';

/** What is written is given to the disk in parts of so many bytes or more. */
const partBytesMin = 128 * 1024;
/** Bytes of extents that are rewritten into one segment, about: as much is on the disk twice for a while. */
const regionBytesMax = 64 * 1024 * 1024;
/** Markers stay so long at least, that no reader who met records of their transactions is still at it. */
const markerRetentionMsMin = 60_000;

export interface KeyCompactorOptions {
  clock: Clock;
  random: Random;
  segments: SegmentStore;
  /** Reads and writes together, while others use the shard. */
  bytesPerSecond: number;
  /** Somebody writes. */
  isBusy: () => boolean;
  /** Memory for the keys of one pass; what does not fit is left to the next. */
  mapBytesMax: number;
}

/** What a compaction needs of the maintenance that runs it. */
export interface CompactionHost {
  reader(): LogReader;
  isActive(extent: Extent): boolean;
  /** The shard closes, or does not know what is in its journal. */
  isStopped(): boolean;
  takeSegmentNumber(): number;
  /** Resolves when it is durable and applied. */
  commit(compacted: Compacted): Promise<void>;
  room(): Promise<RoomForMoves>;
  /** A part is done: files may go. */
  progressed(): Promise<void>;
}

/**
 * Removes from logs what newer records of the same keys have superseded. A pass notes the newest offset of each key in
 * what is new since the last pass, then rewrites the log from its start, a region of some extents at a time: each
 * becomes one extent of a new segment, and takes the old ones' place with an entry in the journal.
 */
export class KeyCompactor {
  readonly #options: KeyCompactorOptions;
  /** Partitions with damage in them, until the next start: where something is missing, nothing may be taken away. */
  readonly #uncleanable = new Set<number>();
  readonly #pace: CompactionPace;

  constructor(options: KeyCompactorOptions) {
    this.#options = options;
    this.#pace = new CompactionPace(options);
  }

  /** What is worth a pass now, the most needed first. */
  async choose(logs: Iterable<PartitionLog>, host: CompactionHost): Promise<Cleanable[]> {
    const nowMs = this.#options.clock.nowMs();
    const chosen: Cleanable[] = [];
    for (const log of logs) {
      if (!isCompacted(log.settings) || this.#uncleanable.has(log.number)) continue;
      const cleanable = findCleanable(log, nowMs, (extent) => host.isActive(extent));
      if (cleanable.dirtyBytes <= 0) continue;
      const isWorthIt = dirtyShare(cleanable) >= log.settings.dirtyShareMin;
      if (isWorthIt || (await this.#isOverdue(cleanable, nowMs, host))) chosen.push(cleanable);
    }
    return chosen.toSorted((a, b) => dirtyShare(b) - dirtyShare(a));
  }

  /** A log whose active part should be ended, so that it can be compacted. */
  needsSeal(log: PartitionLog, host: CompactionHost): boolean {
    const extent = log.extents.at(-1);
    if (!isCompacted(log.settings) || extent === undefined || !host.isActive(extent)) return false;
    const { activeBytesMax, activeMs, compactionLagMaxMs } = log.settings;
    const firstMs = extent.runs?.maxTimestampMs(0) ?? -1;
    const ageMs = this.#options.clock.nowMs() - firstMs;
    return extent.batchBytes >= activeBytesMax || ageMs >= Math.min(activeMs, compactionLagMaxMs);
  }

  /** Nothing in this log is compacted before the next start. */
  giveUp(log: PartitionLog): void {
    this.#uncleanable.add(log.number);
  }

  /** One pass; false when there is nothing to do, no room to do it, or no time. Rejects as reading and writing do. */
  async run(log: PartitionLog, host: CompactionHost): Promise<boolean> {
    const nowMs = this.#options.clock.nowMs();
    const { endOffset } = findCleanable(log, nowMs, (extent) => host.isActive(extent));
    // A log that was trimmed as far as that meanwhile has nothing left to do either.
    if (endOffset <= Math.max(log.cleanOffset, log.logStartOffset)) return false;
    const mapped = await this.#mapKeys(log, endOffset, host);
    if (mapped === undefined) return false;
    const { tombstoneRetentionMs } = log.settings;
    const cleaner = new RecordCleaner({
      ...mapped,
      nowMs,
      tombstoneHorizonMs: nowMs + tombstoneRetentionMs,
      markerHorizonMs: nowMs + Math.max(tombstoneRetentionMs, markerRetentionMsMin),
      isAborted: (producerId, offset) => log.isAborted(producerId, offset),
    });
    for (let offset = log.logStartOffset; offset < mapped.endOffset; ) {
      const region = await this.#takeRegion(log, offset, mapped.endOffset, host);
      const last = region.at(-1);
      if (last === undefined) return false;
      const cleanOffset = last.endOffset >= mapped.endOffset ? mapped.endOffset : 0;
      if (!(await this.#rewrite(log, region, cleaner, cleanOffset, host))) return false;
      offset = last.endOffset;
      await host.progressed();
    }
    return true;
  }

  /** Some record that is superseded may be too old. */
  async #isOverdue(
    { log, firstDirty }: Cleanable,
    nowMs: number,
    host: CompactionHost,
  ): Promise<boolean> {
    const { compactionLagMaxMs } = log.settings;
    if (firstDirty === undefined || compactionLagMaxMs === Number.MAX_SAFE_INTEGER) return false;
    // What is not older than that as a whole need not be looked at closely, most times.
    if (firstDirty.maxTimestampMs <= nowMs - compactionLagMaxMs) return true;
    try {
      const firstMs = await host.reader().firstTimestamp(log, firstDirty);
      return firstMs <= nowMs - compactionLagMaxMs;
    } catch (error) {
      if (error instanceof BrokerError && error.isRetryable) throw error;
      // Damaged or missing, which its readers are told of; other logs have their turn.
      this.giveUp(log);
      return false;
    }
  }

  /** The keys of what is new; undefined when the shard stopped. */
  async #mapKeys(
    log: PartitionLog,
    endOffset: number,
    host: CompactionHost,
  ): Promise<{ map: KeyMap; endOffset: number; hasUnreadable: boolean } | undefined> {
    const baseOffset = Math.max(log.cleanOffset, log.logStartOffset);
    const map = new KeyMap({
      secret: this.#options.random.nextBytes(16),
      baseOffset,
      offsetsMax: Math.min(endOffset - baseOffset, limits.compactionOffsetsMax),
      bytesMax: this.#options.mapBytesMax,
    });
    const mapping = new KeyMapping(log, map, endOffset);
    const wanted = log.extents.filter(
      (extent) => extent.endOffset > baseOffset && extent.firstOffset < endOffset,
    );
    for await (const bytes of this.#walk(log, wanted, mapping, host)) {
      await this.#pace.spend(bytes);
      if (host.isStopped()) return undefined;
    }
    return { map, endOffset: mapping.endOffset, hasUnreadable: mapping.hasUnreadable };
  }

  /** Extents from `offset` on that are rewritten together; none when there is no room for it. */
  async #takeRegion(
    log: PartitionLog,
    offset: number,
    endOffset: number,
    host: CompactionHost,
  ): Promise<Extent[]> {
    const { spareBytes } = await host.room();
    const region: Extent[] = [];
    let bytes = 0;
    for (const extent of log.extents) {
      if (extent.endOffset <= offset) continue;
      if (extent.firstOffset >= endOffset) break;
      bytes += extent.batchBytes;
      if (bytes > spareBytes || (region.length > 0 && bytes > regionBytesMax)) break;
      region.push(extent);
    }
    return region;
  }

  /** False when the shard stopped; nothing has changed then. */
  async #rewrite(
    log: PartitionLog,
    region: readonly Extent[],
    cleaner: RecordCleaner,
    cleanOffset: number,
    host: CompactionHost,
  ): Promise<boolean> {
    const first = region[0];
    const last = region.at(-1);
    if (first === undefined || last === undefined) return false;
    const { segments } = this.#options;
    const number = host.takeSegmentNumber();
    const writer = new ExtentWriter(log, number, segmentHeaderBytes);
    const sink = new CleaningSink(cleaner, writer);
    let isStopped = false;
    const parts = async function* (this: KeyCompactor): AsyncGenerator<Uint8Array> {
      yield segmentHeader(number);
      for await (const bytes of this.#walk(log, region, sink, host)) {
        isStopped ||= host.isStopped();
        if (isStopped) return;
        const part = sink.takeAll(partBytesMin);
        await this.#pace.spend(bytes + (part?.length ?? 0));
        if (part !== undefined) yield part;
      }
      sink.end(last.endOffset);
      const part = sink.takeAll();
      if (part !== undefined) yield part;
    };
    await segments.put(segmentName(number), parts.call(this));
    if (isStopped) {
      await segments.delete(segmentName(number));
      return false;
    }
    const { extent } = writer;
    await segments.put(indexName('segment', number), [
      buildIndex('segment', number, [{ partition: log.number, extent }]),
    ]);
    extent.runs = undefined;
    await host.commit({
      partition: log.number,
      segment: number,
      fromOffset: first.firstOffset,
      toOffset: last.endOffset,
      extent: extent.firstOffset < 0 ? undefined : extent,
      cleanOffset,
      removedMarkers: sink.removedMarkers,
    });
    return true;
  }

  /** Has `work` look at all batches of some extents, in slices; yields the bytes of each read behind it. */
  async *#walk(
    log: PartitionLog,
    extents: readonly Extent[],
    work: BatchWork,
    host: CompactionHost,
  ): AsyncGenerator<number> {
    const pace = this.#pace;
    const read = new ReadBatches();
    let left = pace.sliceRecords;
    for (const extent of extents) {
      for await (const _ of host.reader().scan(log, extent, read, pace.readBytes)) {
        let readBytes = 0;
        for (const { bytes, at, length } of read.takeAll()) {
          readBytes += length;
          work.open(bytes, at, length);
          left = work.step(left) - 1;
          while (left < 0) {
            await pace.giveWay();
            if (host.isStopped()) {
              // Whoever walks sees that it stopped, and does not take this for the end.
              yield readBytes;
              return;
            }
            left = work.step(pace.sliceRecords) - 1;
          }
          if (work.isFull) return;
        }
        yield readBytes;
      }
    }
  }
}

/** What is done with batches, one after the other. */
interface BatchWork {
  /** No more are wanted. */
  readonly isFull: boolean;
  open(bytes: Uint8Array, at: number, length: number): void;
  /** Looks at up to `records` of the batch; returns how many of them are left: 0 when the batch may have more. */
  step(records: number): number;
}

/** The batches of one read, in memory that is theirs. */
class ReadBatches implements BatchSink {
  readonly isFull = false;
  #batches: Array<{ bytes: Uint8Array; at: number; length: number }> = [];

  take(bytes: Uint8Array, at: number, length: number): void {
    this.#batches.push({ bytes, at, length });
  }

  takeAll(): ReadonlyArray<{ bytes: Uint8Array; at: number; length: number }> {
    const batches = this.#batches;
    this.#batches = [];
    return batches;
  }
}

/** Hands batches that are not below the log start to the cleaner; begins its output with the first of them. */
class CleaningSink implements BatchWork {
  readonly isFull = false;
  removedMarkers: readonly RemovedMarker[] = [];
  readonly #cleaner: RecordCleaner;
  readonly #writer: ExtentWriter;
  #output: RegionOutput | undefined;

  constructor(cleaner: RecordCleaner, writer: ExtentWriter) {
    this.#cleaner = cleaner;
    this.#writer = writer;
  }

  open(bytes: Uint8Array, at: number, length: number): void {
    if (this.#writer.isDead(bytes, at)) return;
    if (this.#output === undefined) {
      this.#output = new RegionOutput(this.#writer, batchBaseOffset(bytes, at));
      this.#cleaner.begin(this.#output);
    }
    this.#cleaner.open(bytes, at, length);
  }

  step(records: number): number {
    return this.#cleaner.step(records);
  }

  end(endOffset: number): void {
    if (this.#output !== undefined) this.removedMarkers = this.#cleaner.end(endOffset);
  }

  takeAll(bytesMin?: number): Uint8Array | undefined {
    return this.#output?.takeAll(bytesMin);
  }
}
