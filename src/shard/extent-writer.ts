import {
  batchBaseOffset,
  batchLastOffset,
  batchLastOffsetDelta,
  batchMaxTimestamp,
} from '../bytes/index.ts';
import { entryHeaderBytes } from './entry.ts';
import type { Extent } from './extent.ts';
import type { PartitionLog } from './partition-log.ts';
import { RunList } from './run-list.ts';

/** Describes the new extent as its batches are written. */
export class ExtentWriter {
  position: number;
  readonly extent: Extent;
  readonly log: PartitionLog;
  /** As of the start: a log start that moves on meanwhile must not leave a gap. */
  readonly #logStartOffset: number;

  constructor(log: PartitionLog, number: number, position: number) {
    this.log = log;
    this.#logStartOffset = log.logStartOffset;
    this.position = position;
    this.extent = {
      kind: 'segment',
      fileId: number,
      firstOffset: -1,
      endOffset: -1,
      batchBytes: 0,
      maxTimestampMs: -1,
      runs: new RunList(),
      runsAt: 0,
      runCount: 0,
    };
  }

  isDead(bytes: Uint8Array, at: number): boolean {
    return batchLastOffset(bytes, at) < this.#logStartOffset;
  }

  note(bytes: Uint8Array, at: number, length: number): void {
    const { extent } = this;
    const firstOffset = batchBaseOffset(bytes, at);
    const maxTimestampMs = batchMaxTimestamp(bytes, at);
    if (extent.firstOffset < 0) extent.firstOffset = firstOffset;
    extent.endOffset = firstOffset + batchLastOffsetDelta(bytes, at) + 1;
    extent.batchBytes += length;
    extent.maxTimestampMs = Math.max(extent.maxTimestampMs, maxTimestampMs);
    extent.runs?.add(firstOffset, this.position, entryHeaderBytes + length, maxTimestampMs);
    this.position += entryHeaderBytes + length;
  }
}
