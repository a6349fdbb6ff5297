import { limits, ProtocolError } from '../../base/index.ts';
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
import type { PartitionLog } from '../partition-log.ts';
import type { KeyMap } from './key-map.ts';

/** Notes the keys of batches until there is no more room for them. */
export class KeyMapping {
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

  /** Notes the keys of up to `records`; returns how many of them are left: 0 when the batch may have more. */
  step(records: number): number {
    if (!this.#isOpen) return records;
    const map = this.#map;
    const cursor = this.#cursor;
    let left = records;
    try {
      for (; left > 0; left--) {
        if (!cursor.next()) break;
        if (cursor.keyBytes < 0 || cursor.offset < map.baseOffset) continue;
        const { keyAt } = cursor;
        map.put(cursor.bytes, keyAt, keyAt + cursor.keyBytes, cursor.offset);
        if (cursor.valueBytes < 0) map.tombstones++;
      }
    } catch (error) {
      this.#noteUnreadable(error);
      left = Math.max(left, 1);
    }
    map.flush();
    if (map.isFull) {
      this.isFull = true;
      this.endOffset = map.fullOffset;
      return Math.max(left, 1);
    }
    return left;
  }

  /** It stays as it is: the log took what it cannot read. */
  #noteUnreadable(error: unknown): void {
    if (!(error instanceof ProtocolError)) throw error;
    this.hasUnreadable = true;
  }
}
