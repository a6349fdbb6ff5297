import type { Extent } from '../extent.ts';
import type { PartitionLog } from '../partition-log.ts';

/** What of a log may be compacted now. */
export interface Cleanable {
  log: PartitionLog;
  /** Extents that may be rewritten end here. */
  endOffset: number;
  /** Bytes below the clean offset, and from there to the end. */
  cleanBytes: number;
  dirtyBytes: number;
  /** The first extent with something new. */
  firstDirty: Extent | undefined;
}

/**
 * Looks at extents from the log start on: those that are sealed, decided, and old enough. `isActive`: it is in the file
 * that is being written.
 */
export function findCleanable(
  log: PartitionLog,
  nowMs: number,
  isActive: (extent: Extent) => boolean,
): Cleanable {
  const stableOffset = log.lastStableOffset;
  const { compactionLagMinMs } = log.settings;
  const found: Cleanable = {
    log,
    endOffset: log.logStartOffset,
    cleanBytes: 0,
    dirtyBytes: 0,
    firstDirty: undefined,
  };
  for (const extent of log.extents) {
    if (isActive(extent) || extent.endOffset > stableOffset) break;
    const isDirty = extent.endOffset > log.cleanOffset;
    if (isDirty && compactionLagMinMs > 0 && extent.maxTimestampMs > nowMs - compactionLagMinMs)
      break;
    const offsets = extent.endOffset - extent.firstOffset;
    const dirtyOffsets = extent.endOffset - Math.max(extent.firstOffset, log.cleanOffset);
    const dirtyBytes = isDirty ? (extent.batchBytes * dirtyOffsets) / offsets : 0;
    if (isDirty) found.firstDirty ??= extent;
    found.dirtyBytes += dirtyBytes;
    found.cleanBytes += extent.batchBytes - dirtyBytes;
    found.endOffset = extent.endOffset;
  }
  return found;
}

/** The part of the bytes that is new. */
export function dirtyShare({ cleanBytes, dirtyBytes }: Cleanable): number {
  return dirtyBytes <= 0 ? 0 : dirtyBytes / (cleanBytes + dirtyBytes);
}
