import type { ByteReader } from '../bytes/index.ts';
import { ByteWriter } from '../bytes/index.ts';
import type { Extent } from './extent.ts';
import type { PartitionLog } from './partition-log.ts';

/** What a compaction did: the live data of the source files are in one new segment now. */
export interface Moved {
  segment: number;
  sources: Array<{ kind: Extent['kind']; fileId: number }>;
  extents: Array<{ partition: number; extent: Extent }>;
}

/** Payload of an entry of kind `moved`. */
export function encodeMoved(moved: Moved): Uint8Array {
  const writer = new ByteWriter(256);
  writer.safeInt64(moved.segment);
  writer.uint32(moved.sources.length);
  for (const source of moved.sources) {
    writer.uint8(source.kind === 'journal' ? 0 : 1);
    writer.safeInt64(source.fileId);
  }
  writer.uint32(moved.extents.length);
  for (const { partition, extent } of moved.extents) {
    writer.uint32(partition);
    writer.safeInt64(extent.firstOffset);
    writer.safeInt64(extent.endOffset);
    writer.safeInt64(extent.batchBytes);
    writer.safeInt64(extent.maxTimestampMs);
    writer.uint32(extent.runsAt);
    writer.uint32(extent.runCount);
  }
  return writer.take();
}

export function decodeMoved(reader: ByteReader): Moved {
  const moved: Moved = { segment: reader.safeInt64(), sources: [], extents: [] };
  for (let count = reader.uint32(); count > 0; count--) {
    moved.sources.push({
      kind: reader.uint8() === 0 ? 'journal' : 'segment',
      fileId: reader.safeInt64(),
    });
  }
  for (let count = reader.uint32(); count > 0; count--) {
    const partition = reader.uint32();
    moved.extents.push({
      partition,
      extent: {
        kind: 'segment',
        fileId: moved.segment,
        firstOffset: reader.safeInt64(),
        endOffset: reader.safeInt64(),
        batchBytes: reader.safeInt64(),
        maxTimestampMs: reader.safeInt64(),
        runs: undefined,
        runsAt: reader.uint32(),
        runCount: reader.uint32(),
      },
    });
  }
  return moved;
}

/**
 * Puts the new extents in the place of those in the source files. A log that was dropped or trimmed since the data were
 * copied keeps only what it still wants.
 */
export function applyMoved(moved: Moved, logs: Iterable<PartitionLog>): void {
  const sources = new Set(moved.sources.map((source) => `${source.kind}${source.fileId}`));
  const replacements = new Map<number, Extent[]>();
  for (const { partition, extent } of moved.extents) {
    const known = replacements.get(partition);
    if (known === undefined) replacements.set(partition, [extent]);
    else known.push(extent);
  }
  for (const log of logs) {
    const isMoved = (extent: Extent): boolean => sources.has(`${extent.kind}${extent.fileId}`);
    if (!log.extents.some(isMoved)) continue;
    const kept = log.extents.filter((extent) => !isMoved(extent));
    for (const replacement of replacements.get(log.number) ?? []) {
      if (replacement.endOffset <= log.logStartOffset) continue;
      const behind = kept.findIndex((extent) => extent.firstOffset > replacement.firstOffset);
      kept.splice(behind < 0 ? kept.length : behind, 0, replacement);
    }
    log.extents = kept;
  }
}
