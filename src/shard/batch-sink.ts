import { BrokerError } from '../base/index.ts';
import {
  batchBaseOffset,
  batchLastOffset,
  batchLeaderEpoch,
  batchTotalBytes,
  checkBatch,
} from '../bytes/index.ts';
import { chunkHeaderBytes } from '../journal/index.ts';
import {
  entryHeaderBytes,
  entryKind,
  entryPartition,
  entryPayloadBytes,
  nextChunkEntriesLsn,
} from './entry.ts';
import type { Extent } from './extent.ts';
import type { PartitionLog } from './partition-log.ts';
import type { RunList } from './run-list.ts';
import { segmentName } from './segment-file.ts';

/** Takes batches one after the other; their memory is never written again. */
export interface BatchSink {
  readonly isFull: boolean;
  take(bytes: Uint8Array, at: number, length: number): void;
}

/**
 * Checks what comes from the disk before it is handed on. A batch's CRC covers neither its base offset nor its leader
 * epoch, nor the entry headers around it; so the offsets must follow each other as the index says, and the epochs must be
 * those of the log.
 */
export class Verifying implements BatchSink {
  readonly #sink: BatchSink;
  readonly #log: PartitionLog;
  readonly #extent: Extent;
  readonly #position: number;
  readonly #endOffset: number;
  #nextOffset: number;

  /** For the batches of the runs from `first` to the one before `end`, as they are now. */
  constructor(
    sink: BatchSink,
    log: PartitionLog,
    extent: Extent,
    runs: RunList,
    first: number,
    end: number,
  ) {
    this.#sink = sink;
    this.#log = log;
    this.#extent = extent;
    this.#position = runs.position(first);
    this.#nextOffset = first === 0 ? extent.firstOffset : runs.firstOffset(first);
    this.#endOffset = end < runs.count ? runs.firstOffset(end) : extent.endOffset;
  }

  get isFull(): boolean {
    return this.#sink.isFull;
  }

  take(bytes: Uint8Array, at: number, length: number): void {
    const check = checkBatch(bytes, at, at + length);
    if (check !== 'ok') throw this.#damaged(check);
    // The entry's length is covered by no checksum here, and whoever gets the slice walks it by the batches' own.
    if (batchTotalBytes(bytes, at) !== length) throw this.#damaged('length');
    const baseOffset = batchBaseOffset(bytes, at);
    if (baseOffset !== this.#nextOffset) throw this.#damaged('offset');
    const epoch = this.#log.findStoredEpoch(baseOffset);
    if (epoch !== undefined && epoch !== batchLeaderEpoch(bytes, at)) throw this.#damaged('epoch');
    this.#nextOffset = batchLastOffset(bytes, at) + 1;
    this.#sink.take(bytes, at, length);
  }

  /** All has been walked: nothing may be missing. */
  checkEnd(): void {
    if (!this.#sink.isFull && this.#nextOffset !== this.#endOffset) throw this.#damaged('missing');
  }

  #damaged(check: string): BrokerError {
    const { kind, fileId } = this.#extent;
    const place =
      kind === 'journal'
        ? `position ${this.#position - fileId} of journal file ${fileId}`
        : `position ${this.#position} of ${segmentName(fileId)}`;
    return new BrokerError(
      'storage-damaged',
      `the batch of offset ${this.#nextOffset} of partition ${this.#log.topicId}-${this.#log.index}, ` +
        `at or behind ${place}, fails its check (${check})`,
    );
  }
}

/**
 * Hands the partition's batches from `lsn` to `end` to the sink; `bytes[at]` is the byte at `lsn`.
 * Returns the LSN that it came to: `end`, or the start of what lies beyond `bytes`.
 */
export function walkEntries(
  bytes: Uint8Array,
  at: number,
  lsn: number,
  end: number,
  partition: number,
  sink: BatchSink,
): number {
  const base = lsn - at;
  let position = lsn;
  while (position < end && !sink.isFull) {
    const entry = position - base;
    const kind = bytes[entry];
    if (kind === entryKind.end) {
      position = nextChunkEntriesLsn(position);
      // The next chunk may begin exactly where this memory ends; its header is then not here either.
      if (position - chunkHeaderBytes >= end) return Math.max(position, end);
      continue;
    }
    const length = entryPayloadBytes(bytes, entry);
    if (entry + entryHeaderBytes + length > bytes.length) {
      throw new BrokerError(
        'storage-damaged',
        `an entry at LSN ${position} is longer than its chunk`,
      );
    }
    if (kind === entryKind.records && entryPartition(bytes, entry) === partition) {
      sink.take(bytes, entry + entryHeaderBytes, length);
    }
    position += entryHeaderBytes + length;
  }
  return position;
}
