import { BrokerError, type Clock, limits, ProtocolError, type Random } from '../../base/index.ts';
import {
  batchAttributes,
  batchBaseOffset,
  batchLastOffset,
  batchProducerId,
  batchRecordCount,
  emptyBatch,
  isControlBatch,
  isTransactionalBatch,
  RecordCursor,
} from '../../bytes/index.ts';
import type { SegmentStore } from '../../segment/index.ts';
import { ExtentWriter } from '../extent-writer.ts';
import type { Extent } from '../extent.ts';
import type { RoomForMoves } from '../free-space.ts';
import { buildIndex, indexName } from '../index-store.ts';
import type { BatchSink, LogReader } from '../log-reader.ts';
import type { PartitionLog } from '../partition-log.ts';
import { segmentHeader, segmentHeaderBytes, segmentName } from '../segment-file.ts';
import { type Cleanable, dirtyShare, findCleanable } from './cleanable.ts';
import type { Compacted } from './compacted-entry.ts';
import { KeyMap } from './key-map.ts';
import { RecordCleaner, type RemovedMarker } from './record-cleaner.ts';
import { RegionOutput } from './region-output.ts';

/** Bytes that are looked at in one go: a millisecond or so, and a fifth of that while others write. */
const sliceBytes = 128 * 1024;
const busySliceBytes = 32 * 1024;
/** Records of one batch whose keys are noted in one go while others write: a tenth of a millisecond or so. */
const busySliceRecords = 128;
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
  /** Read and written since the last pause. */
  #pacedBytes = 0;

  constructor(options: KeyCompactorOptions) {
    this.#options = options;
  }

  /** What is worth a pass now, the most needed first. */
  async choose(logs: Iterable<PartitionLog>, host: CompactionHost): Promise<Cleanable[]> {
    const nowMs = this.#options.clock.nowMs();
    const chosen: Cleanable[] = [];
    for (const log of logs) {
      if (log.settings.cleanup === 'delete' || this.#uncleanable.has(log.number)) continue;
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
    if (log.settings.cleanup === 'delete' || extent === undefined || !host.isActive(extent))
      return false;
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
    if (endOffset <= log.cleanOffset) return false;
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
    const mapping = new Mapping(log, map, endOffset);
    const read = new ReadBatches();
    for (const extent of log.extents.slice()) {
      if (extent.endOffset <= baseOffset) continue;
      if (extent.firstOffset >= endOffset || mapping.isFull) break;
      for await (const _ of host.reader().scan(log, extent, read, this.#slice)) {
        for (const { bytes, at, length } of read.takeAll()) {
          mapping.open(bytes, at);
          while (
            !mapping.step(this.#options.isBusy() ? busySliceRecords : Number.MAX_SAFE_INTEGER)
          ) {
            await new Promise<void>((resolve) => this.#options.clock.setAfterIo(resolve));
          }
          await this.#pace(length);
          if (host.isStopped()) return undefined;
          if (mapping.isFull) break;
        }
        if (mapping.isFull) break;
      }
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
      for (const extent of region) {
        for await (const _ of host.reader().scan(log, extent, sink, this.#slice)) {
          isStopped ||= host.isStopped();
          if (isStopped) return;
          const part = sink.takeAll();
          await this.#pace(sink.takeBytes() + (part?.length ?? 0));
          if (part !== undefined) yield part;
        }
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

  readonly #slice = (): number => (this.#options.isBusy() ? busySliceBytes : sliceBytes);

  /** Lets others have their turn after each slice; at a limited rate while they write. */
  async #pace(bytes: number): Promise<void> {
    this.#pacedBytes += bytes;
    // Where many partitions share the files, one read brings a few kilobytes.
    if (this.#pacedBytes < this.#slice()) return;
    const { clock, bytesPerSecond, isBusy } = this.#options;
    const pauseMs = (this.#pacedBytes / bytesPerSecond) * 1000;
    this.#pacedBytes = 0;
    await new Promise<void>((resolve) => {
      if (isBusy()) clock.setTimer(pauseMs, resolve);
      else clock.setAfterIo(resolve);
    });
  }
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

/** Notes the keys of batches until there is no more room for them. */
class Mapping {
  isFull = false;
  hasUnreadable = false;
  /** Everything from the map's base to here was noted. */
  endOffset: number;
  readonly #log: PartitionLog;
  readonly #map: KeyMap;
  readonly #cursor = new RecordCursor(emptyBatch(0, 0, 0), 0, 0);
  #isOpen = false;

  constructor(log: PartitionLog, map: KeyMap, endOffset: number) {
    this.#log = log;
    this.#map = map;
    this.endOffset = endOffset;
  }

  /** The next batch; `step` goes through it. */
  open(bytes: Uint8Array, at: number): void {
    const attributes = batchAttributes(bytes, at);
    this.#isOpen = false;
    if (
      isControlBatch(attributes) ||
      batchRecordCount(bytes, at) === 0 ||
      batchLastOffset(bytes, at) < this.#map.baseOffset ||
      (isTransactionalBatch(attributes) &&
        this.#log.isAborted(batchProducerId(bytes, at), batchBaseOffset(bytes, at)))
    )
      return;
    try {
      this.#cursor.open(bytes, at, limits.decompressedBytesMax);
      this.#isOpen = true;
    } catch (error) {
      this.#noteUnreadable(error);
    }
  }

  /** Notes the keys of some records; true when the batch has no more, or the map no more room. */
  step(records: number): boolean {
    if (!this.#isOpen) return true;
    const map = this.#map;
    const cursor = this.#cursor;
    try {
      for (let left = records; left > 0; left--) {
        if (!cursor.next()) return true;
        if (cursor.keyBytes < 0 || cursor.offset < map.baseOffset) continue;
        const { keyAt } = cursor;
        if (!map.put(cursor.bytes, keyAt, keyAt + cursor.keyBytes, cursor.offset)) {
          this.isFull = true;
          this.endOffset = cursor.offset;
          return true;
        }
        if (cursor.valueBytes < 0) map.tombstones++;
      }
    } catch (error) {
      this.#noteUnreadable(error);
      return true;
    }
    return false;
  }

  /** It stays as it is: the log took what it cannot read. */
  #noteUnreadable(error: unknown): void {
    if (!(error instanceof ProtocolError)) throw error;
    this.hasUnreadable = true;
  }
}

/** Hands batches that are not below the log start to the cleaner; begins its output with the first of them. */
class CleaningSink implements BatchSink {
  readonly isFull = false;
  removedMarkers: readonly RemovedMarker[] = [];
  readonly #cleaner: RecordCleaner;
  readonly #writer: ExtentWriter;
  #output: RegionOutput | undefined;
  #bytes = 0;

  constructor(cleaner: RecordCleaner, writer: ExtentWriter) {
    this.#cleaner = cleaner;
    this.#writer = writer;
  }

  /** Bytes of the batches since the last call. */
  takeBytes(): number {
    const bytes = this.#bytes;
    this.#bytes = 0;
    return bytes;
  }

  take(bytes: Uint8Array, at: number, length: number): void {
    this.#bytes += length;
    if (this.#writer.isDead(bytes, at)) return;
    if (this.#output === undefined) {
      this.#output = new RegionOutput(this.#writer, batchBaseOffset(bytes, at));
      this.#cleaner.begin(this.#output);
    }
    this.#cleaner.take(bytes, at, length);
  }

  end(endOffset: number): void {
    if (this.#output !== undefined) this.removedMarkers = this.#cleaner.end(endOffset);
  }

  takeAll(): Uint8Array | undefined {
    return this.#output?.takeAll();
  }
}
