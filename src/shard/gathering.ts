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
  readonly #maxBytes: number;
  readonly #endOffset: number;
  readonly #minOneBatch: boolean;

  constructor(offset: number, endOffset: number, options: ReadOptions) {
    this.nextOffset = offset;
    this.#endOffset = endOffset;
    this.#maxBytes = Math.min(options.maxBytes, limits.readBytesMax);
    this.#minOneBatch = options.minOneBatch;
  }

  get wantedBytes(): number {
    return Math.max(this.#maxBytes - this.bytes, 1);
  }

  take(bytes: Uint8Array, at: number, length: number): void {
    const last = batchLastOffset(bytes, at);
    if (last < this.nextOffset) return;
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

  result(log: PartitionLog): ReadResult {
    const isSmall = this.slices.length > 8 && this.bytes / this.slices.length <= smallSliceBytes;
    return {
      slices: isSmall ? [concatenate(this.slices, this.bytes)] : this.slices,
      bytes: this.bytes,
      highWatermark: log.highWatermark,
      lastStableOffset: log.lastStableOffset,
      logStartOffset: log.logStartOffset,
    };
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
