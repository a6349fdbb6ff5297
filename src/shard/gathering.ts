import { limits } from '../base/index.ts';
import { batchBaseOffset, batchLastOffset } from '../bytes/index.ts';
import type { BatchSink } from './batch-sink.ts';
import type { ReadOptions, ReadResult } from './partition.ts';
import type { PartitionLog } from './partition-log.ts';

/** Many slices of this size or less are copied together: a socket takes one buffer faster than many small ones. */
const smallSliceBytes = 2048;

/** Gathers batches below a limit, in offset order; no offset is in two of them. */
export class Gathering implements BatchSink {
  readonly slices: Uint8Array[] = [];
  bytes = 0;
  isFull = false;
  nextOffset: number;
  readonly #log: PartitionLog;
  readonly #onlyStable: boolean;
  readonly #maxBytes: number;
  readonly #minOneBatch: boolean;
  /** Where readers may not go on, as of the start. */
  #endOffset: number;

  constructor(log: PartitionLog, offset: number, options: ReadOptions) {
    this.nextOffset = offset;
    this.#log = log;
    this.#onlyStable = options.onlyStable === true;
    this.#maxBytes = Math.min(options.maxBytes, limits.readBytesMax);
    this.#minOneBatch = options.minOneBatch;
    this.#endOffset = this.#findEnd();
  }

  /** There is nothing to read yet. */
  get isAtEnd(): boolean {
    return this.nextOffset >= this.#endOffset;
  }

  get wantedBytes(): number {
    return Math.max(this.#maxBytes - this.bytes, 1);
  }

  take(bytes: Uint8Array, at: number, length: number): void {
    const last = batchLastOffset(bytes, at);
    if (last < this.nextOffset) return;
    // The first batch may stand for more than there was at the start: compaction has joined what came since.
    if (last >= this.#endOffset && this.slices.length === 0) this.#endOffset = this.#findEnd();
    // Compaction has made one batch of what is gathered and what comes next: it is the next read's first.
    const isRepeated = this.slices.length > 0 && batchBaseOffset(bytes, at) < this.nextOffset;
    if (last >= this.#endOffset || isRepeated) {
      this.isFull = true;
      return;
    }
    if (this.bytes + length > this.#maxBytes && !(this.#minOneBatch && this.slices.length === 0)) {
      this.isFull = true;
      return;
    }
    this.slices.push(bytes.subarray(at, at + length));
    this.bytes += length;
    this.nextOffset = last + 1;
    if (this.nextOffset >= this.#endOffset) this.isFull = true;
  }

  result(): ReadResult {
    const log = this.#log;
    const isSmall = this.slices.length > 8 && this.bytes / this.slices.length <= smallSliceBytes;
    return {
      slices: isSmall ? [concatenate(this.slices, this.bytes)] : this.slices,
      bytes: this.bytes,
      highWatermark: log.highWatermark,
      lastStableOffset: log.lastStableOffset,
      logStartOffset: log.logStartOffset,
    };
  }

  #findEnd(): number {
    return this.#onlyStable ? this.#log.lastStableOffset : this.#log.highWatermark;
  }
}

function concatenate(slices: readonly Uint8Array[], bytes: number): Uint8Array {
  const whole = Buffer.allocUnsafeSlow(bytes);
  let at = 0;
  for (const slice of slices) {
    whole.set(slice, at);
    at += slice.length;
  }
  return whole;
}
