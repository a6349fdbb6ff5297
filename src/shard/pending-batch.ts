import { batchLastOffsetDelta, batchMaxTimestamp, batchTotalBytes } from '../bytes/index.ts';
import type { AppendResult } from './partition.ts';

/** A batch that has its offsets but is not durable yet. */
export interface PendingBatch {
  /** Borrowed from the caller until it is copied into its chunk. */
  bytes: Uint8Array;
  at: number;
  length: number;
  baseOffset: number;
  recordCount: number;
  maxTimestampMs: number;
  /** Set where the broker stamps the records; else -1. */
  appendTimeMs: number;
  /** Bytes of all values; -1: nobody has looked. */
  bodyBytes: number;
  /** Some record carries a scheduling header. */
  isScheduled: boolean;
  /** It must be in the same chunk as everything else of its unit: see `Shard.atomically`. */
  isInUnit: boolean;
  settled: Promise<AppendResult>;
  resolve: (result: AppendResult) => void;
  reject: (error: Error) => void;
}

export class WaitingBatch implements PendingBatch {
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly length: number;
  readonly baseOffset: number;
  readonly recordCount: number;
  readonly maxTimestampMs: number;
  readonly appendTimeMs: number;
  bodyBytes = -1;
  isScheduled = false;
  isInUnit = false;
  readonly settled: Promise<AppendResult>;
  resolve!: (result: AppendResult) => void;
  reject!: (error: Error) => void;

  constructor(bytes: Uint8Array, at: number, baseOffset: number, appendTimeMs: number) {
    this.bytes = bytes;
    this.at = at;
    this.length = batchTotalBytes(bytes, at);
    this.baseOffset = baseOffset;
    this.recordCount = batchLastOffsetDelta(bytes, at) + 1;
    this.maxTimestampMs = appendTimeMs >= 0 ? appendTimeMs : batchMaxTimestamp(bytes, at);
    this.appendTimeMs = appendTimeMs;
    this.settled = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}
