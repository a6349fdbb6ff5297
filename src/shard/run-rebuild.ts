import { batchBaseOffset, batchLastOffset, batchMaxTimestamp } from '../bytes/index.ts';
import type { Journal } from '../journal/index.ts';
import type { SegmentStore } from '../segment/index.ts';
import { entryHeaderBytes, entryKind, entryPartition, entryPayloadBytes } from './entry.ts';
import type { Extent } from './extent.ts';
import type { PartitionLog } from './partition-log.ts';
import { forEachEntry } from './recovery.ts';
import { RunList } from './run-list.ts';
import { segmentHeaderBytes, segmentName } from './segment-file.ts';

/** Bytes of a segment that are looked at together; a longer entry is read whole. */
const blockBytes = 4 * 1024 * 1024;

export interface RebuildSources {
  journal: Journal;
  segments: SegmentStore;
  logs: ReadonlyMap<number, PartitionLog>;
}

/**
 * Scans the extent's file and gives all extents in it their runs again, in memory. Rejects with storage-damaged when
 * the file itself is damaged.
 */
export async function rebuildRuns(extent: Extent, sources: RebuildSources): Promise<void> {
  const owners = new Map<number, Array<{ extent: Extent; runs: RunList }>>();
  for (const log of sources.logs.values()) {
    for (const candidate of log.extents) {
      if (candidate.kind !== extent.kind || candidate.fileId !== extent.fileId) continue;
      const list = owners.get(log.number) ?? [];
      list.push({ extent: candidate, runs: new RunList() });
      owners.set(log.number, list);
    }
  }
  const note = (
    partition: number,
    bytes: Uint8Array,
    at: number,
    length: number,
    position: number,
  ): void => {
    const firstOffset = batchBaseOffset(bytes, at);
    for (const owner of owners.get(partition) ?? []) {
      if (
        firstOffset < owner.extent.firstOffset ||
        batchLastOffset(bytes, at) >= owner.extent.endOffset
      )
        continue;
      owner.runs.add(
        firstOffset,
        position,
        entryHeaderBytes + length,
        batchMaxTimestamp(bytes, at),
      );
    }
  };
  if (extent.kind === 'journal') {
    await sources.journal.scan(extent.fileId, (chunk) => {
      forEachEntry(chunk.chunk, chunk.payloadBytes, (kind, partition, at, length) => {
        if (kind !== entryKind.records) return;
        note(partition, chunk.chunk, at, length, chunk.lsn + at - entryHeaderBytes);
      });
    });
  } else {
    await scanSegment(sources.segments, extent.fileId, note);
  }
  for (const list of owners.values()) for (const owner of list) owner.extent.runs = owner.runs;
}

/** Calls `visit` with every record batch of a segment; `position` is that of its entry. */
export async function scanSegment(
  segments: SegmentStore,
  number: number,
  visit: (
    partition: number,
    bytes: Uint8Array,
    at: number,
    length: number,
    position: number,
  ) => void,
): Promise<void> {
  let position = segmentHeaderBytes;
  let wanted = blockBytes;
  for (;;) {
    const block = new Uint8Array(wanted);
    const count = await segments.readRange(segmentName(number), position, block);
    let at = 0;
    while (at + entryHeaderBytes <= count) {
      const length = entryPayloadBytes(block, at);
      if (at + entryHeaderBytes + length > count) break;
      // Its readers pass over anything else; so it is missing, which they notice.
      if (isRecordsEntry(block, at))
        visit(entryPartition(block, at), block, at + entryHeaderBytes, length, position + at);
      at += entryHeaderBytes + length;
    }
    if (count < wanted) return;
    // An entry that is longer than the block is read again, whole.
    wanted =
      at === 0 ? Math.max(blockBytes, entryHeaderBytes + entryPayloadBytes(block, 0)) : blockBytes;
    position += at;
  }
}

function isRecordsEntry(bytes: Uint8Array, at: number): boolean {
  return (
    bytes[at] === entryKind.records &&
    bytes[at + 1] === 0 &&
    bytes[at + 2] === 0 &&
    bytes[at + 3] === 0
  );
}
