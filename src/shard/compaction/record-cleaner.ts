import { limits, present, ProtocolError } from '../../base/index.ts';
import {
  batchAttributes,
  batchBaseOffset,
  batchDeleteHorizon,
  batchLastOffset,
  batchLeaderEpoch,
  batchMaxTimestamp,
  batchProducerEpoch,
  batchProducerId,
  batchRecordCount,
  BatchRewriter,
  deleteHorizonBit,
  emptyBatch,
  isAppendTimeBatch,
  isControlBatch,
  isTransactionalBatch,
  RecordCursor,
} from '../../bytes/index.ts';
import { findOutcome } from '../transaction/index.ts';
import type { KeyMap } from './key-map.ts';
import type { RegionOutput } from './region-output.ts';

/** Batches of so many bytes are copied as they are when all of their records stay; smaller ones are put together. */
const wholeBytesMin = 8 * 1024;
/** A batch that was put together takes no more records when it has so many bytes. */
const mergedBytesMax = 32 * 1024;
/** A batch says in 31 bits how far its last offset is from its first. */
const deltaMax = 0x7fffffff;

export interface CleaningRules {
  /** Where the newest record of each key is, from `map.baseOffset` to `endOffset`; before it every key occurs once. */
  map: KeyMap;
  endOffset: number;
  nowMs: number;
  /** Until when tombstones and markers are kept that are met for the first time. */
  tombstoneHorizonMs: number;
  markerHorizonMs: number;
  /** Some batch of the stretch could not be read: such batches stay as they are. */
  hasUnreadable: boolean;
  isAborted: (producerId: number, offset: number) => boolean;
}

interface BatchPlace {
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly length: number;
}

/** The marker of an aborted transaction that is gone from the log. */
export interface RemovedMarker {
  producerId: number;
  offset: number;
}

/** Decides, batch by batch from the log start on, what of a log stays. */
export class RecordCleaner {
  readonly #rules: CleaningRules;
  readonly #cursor: RecordCursor;
  readonly #rewriter = new BatchRewriter();
  #output!: RegionOutput;
  /** Producers with records before this place in a transaction whose marker is still to come. */
  readonly #writing = new Set<number>();
  #removedMarkers: RemovedMarker[] = [];
  /** What the open batch was begun with; undefined: none is open. */
  #open: { bytes: Uint8Array; at: number; horizonMs: number; lastOffset: number } | undefined;
  /** The batch that `step` goes through. */
  #batch: BatchPlace | undefined;
  #hasTombstone = false;
  /** The records of it that stay. */
  #count = 0;
  #offsets = new Float64Array(256);
  #timestamps = new Float64Array(256);
  #from = new Int32Array(256);
  #to = new Int32Array(256);

  constructor(rules: CleaningRules) {
    this.#rules = rules;
    this.#cursor = new RecordCursor(emptyBatch(0, 0, 0), 0, 0);
  }

  /** What follows goes there. */
  begin(output: RegionOutput): void {
    this.#output = output;
  }

  /** Nothing more comes for this output. The markers of aborted transactions that were removed for it. */
  end(endOffset: number): RemovedMarker[] {
    this.#closeOpen();
    this.#output.end(endOffset);
    const removed = this.#removedMarkers;
    this.#removedMarkers = [];
    return removed;
  }

  /** The next batch; `step` goes through it. Its memory must stay as it is until the output has given it out. */
  open(bytes: Uint8Array, at: number, length: number): void {
    const { map, endOffset, isAborted } = this.#rules;
    const baseOffset = batchBaseOffset(bytes, at);
    if (baseOffset >= endOffset) return this.#keepWhole(bytes, at, length);
    const attributes = batchAttributes(bytes, at);
    if (isControlBatch(attributes)) return this.#takeMarker(bytes, at, length);
    const isTransactional = isTransactionalBatch(attributes);
    const producerId = batchProducerId(bytes, at);
    if (isTransactional && isAborted(producerId, baseOffset)) return;
    const records = batchRecordCount(bytes, at);
    if (records === 0) return;
    const lastOffset = batchLastOffset(bytes, at);
    if (baseOffset >= map.baseOffset && lastOffset < endOffset) {
      const newest = map.countNewest(baseOffset, lastOffset);
      // Without a look into it, most times.
      if (newest === 0 && !this.#rules.hasUnreadable) return;
      if (newest === records && map.tombstones === 0 && length >= wholeBytesMin) {
        if (isTransactional) this.#writing.add(producerId);
        return this.#keepWhole(bytes, at, length);
      }
    }
    this.#batch = { bytes, at, length };
    this.#count = 0;
    this.#hasTombstone = false;
    try {
      this.#cursor.open(bytes, at, limits.decompressedBytesMax);
    } catch (error) {
      this.#keepUnreadable(error);
    }
  }

  /** Looks at up to `records` of the batch; returns how many of them are left: 0 when the batch may have more. */
  step(records: number): number {
    const batch = this.#batch;
    if (batch === undefined) return records;
    let left: number;
    try {
      left = this.#select(records, batchDeleteHorizon(batch.bytes, batch.at));
    } catch (error) {
      this.#keepUnreadable(error);
      return 1;
    }
    if (left > 0) {
      this.#batch = undefined;
      this.#takeSelected(batch);
    }
    return left;
  }

  /** Finds the records that stay. */
  #select(records: number, knownHorizonMs: number): number {
    const { map, endOffset, nowMs } = this.#rules;
    const isExpired = knownHorizonMs >= 0 && knownHorizonMs <= nowMs;
    const cursor = this.#cursor;
    let left = records;
    for (; left > 0 && cursor.next(); left--) {
      const { offset } = cursor;
      if (offset < endOffset) {
        // A record without a key can never be superseded.
        if (cursor.keyBytes < 0) continue;
        if (offset >= map.baseOffset) {
          if (!map.isNewest(offset)) continue;
        } else if (map.has(cursor.bytes, cursor.keyAt, cursor.keyAt + cursor.keyBytes)) continue;
        if (cursor.valueBytes < 0) {
          if (isExpired) continue;
          this.#hasTombstone = true;
        }
      }
      this.#note(cursor);
    }
    return left;
  }

  /** What it is cannot be told: it stays as it is. */
  #keepUnreadable(error: unknown): void {
    if (!(error instanceof ProtocolError)) throw error;
    const { bytes, at, length } = present(this.#batch, 'a batch is open');
    this.#batch = undefined;
    if (isTransactionalBatch(batchAttributes(bytes, at)))
      this.#writing.add(batchProducerId(bytes, at));
    this.#keepWhole(bytes, at, length);
  }

  #takeSelected({ bytes, at, length }: BatchPlace): void {
    if (this.#count === 0) return;
    if (isTransactionalBatch(batchAttributes(bytes, at)))
      this.#writing.add(batchProducerId(bytes, at));
    // Until when it must keep its tombstones.
    let horizonMs = -1;
    if (this.#hasTombstone) {
      horizonMs = batchDeleteHorizon(bytes, at);
      if (horizonMs < 0) horizonMs = this.#rules.tombstoneHorizonMs;
    }
    const isWhole = this.#count === batchRecordCount(bytes, at) && horizonMs < 0;
    if (isWhole && length >= wholeBytesMin) this.#keepWhole(bytes, at, length);
    else this.#merge(bytes, at, horizonMs);
  }

  #note(cursor: RecordCursor): void {
    const index = this.#count++;
    if (index === this.#offsets.length) this.#grow();
    this.#offsets[index] = cursor.offset;
    this.#timestamps[index] = cursor.timestampMs;
    this.#from[index] = cursor.fieldsAt;
    this.#to[index] = cursor.fieldsEnd;
  }

  /** Adds what was selected to the open batch, or to a new one. */
  #merge(bytes: Uint8Array, at: number, horizonMs: number): void {
    const lastOffset = batchLastOffset(bytes, at);
    if (this.#open === undefined || !this.#fits(bytes, at, horizonMs, lastOffset)) {
      this.#closeOpen();
      this.#rewriter.begin(bytes, at, horizonMs);
      this.#open = { bytes, at, horizonMs, lastOffset };
    }
    this.#open.lastOffset = lastOffset;
    const source = this.#cursor.bytes;
    for (let index = 0; index < this.#count; index++) {
      this.#rewriter.addFields(
        source,
        this.#from[index]!,
        this.#to[index]!,
        this.#offsets[index]!,
        this.#timestamps[index]!,
      );
    }
    if (this.#rewriter.bytes >= mergedBytesMax) this.#closeOpen();
  }

  /** Whether records of the batch may stand in the open one. */
  #fits(bytes: Uint8Array, at: number, horizonMs: number, lastOffset: number): boolean {
    const open = this.#open;
    if (open === undefined) return false;
    const attributes = batchAttributes(bytes, at);
    return (
      open.horizonMs === horizonMs &&
      (batchAttributes(open.bytes, open.at) | deleteHorizonBit) ===
        (attributes | deleteHorizonBit) &&
      batchProducerId(open.bytes, open.at) === batchProducerId(bytes, at) &&
      batchProducerEpoch(open.bytes, open.at) === batchProducerEpoch(bytes, at) &&
      batchLeaderEpoch(open.bytes, open.at) === batchLeaderEpoch(bytes, at) &&
      lastOffset - batchBaseOffset(open.bytes, open.at) < deltaMax &&
      (!isAppendTimeBatch(attributes) ||
        batchMaxTimestamp(open.bytes, open.at) === batchMaxTimestamp(bytes, at))
    );
  }

  #closeOpen(): void {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    this.#output.put(this.#rewriter.finish(open.lastOffset));
  }

  #keepWhole(bytes: Uint8Array, at: number, length: number): void {
    this.#closeOpen();
    this.#output.put(bytes.subarray(at, at + length));
  }

  /**
   * A marker stays while the log has records of its transaction, and then for a while: readers that began before must
   * still find it.
   */
  #takeMarker(bytes: Uint8Array, at: number, length: number): void {
    const { nowMs, markerHorizonMs } = this.#rules;
    const producerId = batchProducerId(bytes, at);
    const hadRecords = this.#writing.delete(producerId);
    const horizonMs = batchDeleteHorizon(bytes, at);
    if (hadRecords || horizonMs > nowMs) return this.#keepWhole(bytes, at, length);
    if (horizonMs >= 0) {
      if (findOutcome(bytes, at) === 'abort')
        this.#removedMarkers.push({ producerId, offset: batchBaseOffset(bytes, at) });
      return;
    }
    this.#closeOpen();
    const cursor = this.#cursor;
    cursor.open(bytes, at, limits.decompressedBytesMax);
    this.#rewriter.begin(bytes, at, markerHorizonMs);
    while (cursor.next()) this.#rewriter.add(cursor);
    this.#output.put(this.#rewriter.finish(batchLastOffset(bytes, at)));
  }

  #grow(): void {
    this.#offsets = doubled(this.#offsets, Float64Array);
    this.#timestamps = doubled(this.#timestamps, Float64Array);
    this.#from = doubled(this.#from, Int32Array);
    this.#to = doubled(this.#to, Int32Array);
  }
}

function doubled<T extends Float64Array | Int32Array>(
  cells: T,
  type: new (length: number) => T,
): T {
  const larger = new type(cells.length * 2);
  larger.set(cells);
  return larger;
}
