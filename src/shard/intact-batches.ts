import {
  batchBaseOffset,
  batchHeaderBytes,
  batchLastOffset,
  batchLeaderEpoch,
  batchTotalBytes,
  checkBatch,
} from '../bytes/index.ts';
import { entryHeaderBytes, entryKind, entryPartition, entryPayloadBytes } from './entry.ts';
import type { BatchSink } from './batch-sink.ts';
import type { OffsetRange } from './log-reader.ts';
import type { PartitionLog } from './partition-log.ts';

/**
 * Finds its way through a stretch of a file in which something is damaged. The lengths in it may be what is damaged, so
 * the next batch is looked for byte by byte: an entry of the partition that holds a batch whose checksum, epoch and place
 * in the order are right. What intact batches contain is not looked at. No checksum covers a batch's offset: one that
 * leaves a gap before it is believed only where it leaves room for what follows.
 *
 * `run` are the offsets of the partition that the stretch held when it was written, `offset` one of them. Hands `sink` the
 * intact batches from that of `offset` on, up to the next gap. Returns what lies between the intact batches before and
 * behind `offset`; undefined when its batch is intact.
 */
export function walkIntact(
  bytes: Uint8Array,
  log: PartitionLog,
  run: OffsetRange,
  offset: number,
  sink: BatchSink | undefined,
): OffsetRange | undefined {
  let expected = run.from;
  let isFound = false;
  for (let at = 0; ; ) {
    const entry = findIntact(bytes, at, log, expected, run.end);
    const batch = entry + entryHeaderBytes;
    const base = entry < 0 ? run.end : batchBaseOffset(bytes, batch);
    if (base > expected && !isFound && offset < base) return { from: expected, end: base };
    if (entry < 0 || (isFound && base > expected)) return undefined;
    const length = batchTotalBytes(bytes, batch);
    expected = batchLastOffset(bytes, batch) + 1;
    at = batch + length;
    if (offset < expected) {
      isFound = true;
      if (sink === undefined || sink.isFull) return undefined;
      sink.take(bytes, batch, length);
    }
  }
}

/** The next entry with an intact batch in its place, whose offsets are in `[from, end)`; −1: there is none. */
function findIntact(
  bytes: Uint8Array,
  start: number,
  log: PartitionLog,
  from: number,
  end: number,
): number {
  for (let at = start; ; ) {
    const entry = findCandidate(bytes, at, log, from, end);
    if (entry < 0) return -1;
    const batch = entry + entryHeaderBytes;
    if (batchBaseOffset(bytes, batch) === from) return entry;
    at = batch + batchTotalBytes(bytes, batch);
    const next = findCandidate(bytes, at, log, from, end);
    const nextBase = next < 0 ? end : batchBaseOffset(bytes, next + entryHeaderBytes);
    if (batchLastOffset(bytes, batch) < nextBase) return entry;
  }
}

/** The next entry with a batch of the log that seems to be intact and says that its offsets are in `[from, end)`. */
function findCandidate(
  bytes: Uint8Array,
  start: number,
  log: PartitionLog,
  from: number,
  end: number,
): number {
  const last = bytes.length - entryHeaderBytes - batchHeaderBytes;
  for (let at = start; at <= last; at++) {
    if (bytes[at] !== entryKind.records) continue;
    const batch = at + entryHeaderBytes;
    const length = batchTotalBytes(bytes, batch);
    if (length !== entryPayloadBytes(bytes, at)) continue;
    if (checkBatch(bytes, batch, batch + length) !== 'ok') continue;
    if (entryPartition(bytes, at) !== log.number) {
      // A batch of another partition may contain anything.
      at = batch + length - 1;
      continue;
    }
    const base = batchBaseOffset(bytes, batch);
    const epoch = log.findStoredEpoch(base);
    const isInPlace = base >= from && batchLastOffset(bytes, batch) < end;
    if (isInPlace && (epoch === undefined || epoch === batchLeaderEpoch(bytes, batch))) return at;
  }
  return -1;
}
