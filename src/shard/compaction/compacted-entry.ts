import type { ByteReader } from '../../bytes/index.ts';
import { ByteWriter } from '../../bytes/index.ts';
import type { Extent } from '../extent.ts';
import type { PartitionLog } from '../partition-log.ts';
import type { RemovedMarker } from './record-cleaner.ts';

/** A stretch of a log was written anew, without what newer records of the same keys have superseded. */
export interface Compacted {
  partition: number;
  segment: number;
  /** The extents between these offsets are replaced by ... */
  fromOffset: number;
  toOffset: number;
  /** ... this one; none: there is nothing to replace. */
  extent: Extent | undefined;
  /** Below it every key occurs once. */
  cleanOffset: number;
  removedMarkers: readonly RemovedMarker[];
}

/**
 * Payload of an entry of kind `compacted`: u32 partition, i64 segment, i64 from, i64 to, u8 whether an extent follows (i64
 * first offset, i64 end, i64 bytes, i64 greatest timestamp, u32 place and u32 number of its runs), i64 clean offset, u32
 * number of removed markers, and of each i64 producer id, i64 offset.
 */
export function encodeCompacted(compacted: Compacted): Uint8Array {
  const writer = new ByteWriter(128);
  const { extent, removedMarkers } = compacted;
  writer.uint32(compacted.partition);
  writer.safeInt64(compacted.segment);
  writer.safeInt64(compacted.fromOffset);
  writer.safeInt64(compacted.toOffset);
  writer.uint8(extent === undefined ? 0 : 1);
  if (extent !== undefined) {
    writer.safeInt64(extent.firstOffset);
    writer.safeInt64(extent.endOffset);
    writer.safeInt64(extent.batchBytes);
    writer.safeInt64(extent.maxTimestampMs);
    writer.uint32(extent.runsAt);
    writer.uint32(extent.runCount);
  }
  writer.safeInt64(compacted.cleanOffset);
  writer.uint32(removedMarkers.length);
  for (const { producerId, offset } of removedMarkers) {
    writer.safeInt64(producerId);
    writer.safeInt64(offset);
  }
  return writer.take();
}

export function decodeCompacted(reader: ByteReader): Compacted {
  const partition = reader.uint32();
  const segment = reader.safeInt64();
  const fromOffset = reader.safeInt64();
  const toOffset = reader.safeInt64();
  const extent: Extent | undefined =
    reader.uint8() === 0
      ? undefined
      : {
          kind: 'segment',
          fileId: segment,
          firstOffset: reader.safeInt64(),
          endOffset: reader.safeInt64(),
          batchBytes: reader.safeInt64(),
          maxTimestampMs: reader.safeInt64(),
          runs: undefined,
          runsAt: reader.uint32(),
          runCount: reader.uint32(),
        };
  const cleanOffset = reader.safeInt64();
  const removedMarkers: RemovedMarker[] = [];
  for (let count = reader.uint32(); count > 0; count--)
    removedMarkers.push({ producerId: reader.safeInt64(), offset: reader.safeInt64() });
  return { partition, segment, fromOffset, toOffset, extent, cleanOffset, removedMarkers };
}

/**
 * The part of it that is sequenced state: what was aborted by a marker that is gone cannot be asked for any more. Readers
 * still find the marker until the entry is durable, which does no harm: its records went long before.
 */
export function forgetMarkers({ removedMarkers }: Compacted, log: PartitionLog): void {
  if (removedMarkers.length > 0) log.transactions?.forgetAborted(removedMarkers);
}

/** The part of it that readers see. A log that was trimmed since keeps only what it still wants. */
export function applyCompacted(
  { fromOffset, toOffset, extent, cleanOffset }: Compacted,
  log: PartitionLog,
): void {
  log.cleanOffset = Math.max(log.cleanOffset, cleanOffset);
  if (extent === undefined) return;
  const kept = log.extents.filter(
    (one) => one.firstOffset < fromOffset || one.endOffset > toOffset,
  );
  if (extent.endOffset > log.logStartOffset) {
    const behind = kept.findIndex((one) => one.firstOffset > extent.firstOffset);
    kept.splice(behind < 0 ? kept.length : behind, 0, extent);
  }
  log.extents = kept;
  for (const follower of log.followers) follower.rewritten?.();
}
