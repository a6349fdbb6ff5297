import { limits } from '../base/index.ts';
import {
  batchAttributes,
  batchBaseOffset,
  batchLastOffset,
  batchProducerId,
  batchTotalBytes,
  isControlBatch,
  isTransactionalBatch,
  RecordCursor,
} from '../bytes/index.ts';
import type { Partition } from '../shard/index.ts';

/** A record as applications get it. The memory of key, value and header values is their own. */
export interface IncomingRecord {
  topic: string;
  partition: number;
  offset: number;
  /** Milliseconds since the epoch. */
  timestampMs: number;
  key: Buffer | null;
  value: Buffer | null;
  /** In order; a name may occur more than once. */
  headers: ReadonlyArray<readonly [string, Buffer | null]>;
}

/**
 * The records of whole batches from `minOffset` on, but for those of aborted transactions, and the offset behind the
 * batches. Throws a ProtocolError for a batch that is not well formed.
 */
export function decodeRecords(
  slices: readonly Uint8Array[],
  topic: string,
  log: Partition,
  minOffset: number,
): { records: IncomingRecord[]; endOffset: number } {
  const records: IncomingRecord[] = [];
  const partition = log.index;
  let endOffset = minOffset;
  for (const slice of slices) {
    for (let at = 0; at < slice.length; at += batchTotalBytes(slice, at)) {
      endOffset = batchLastOffset(slice, at) + 1;
      if (!isMessages(slice, at, log)) continue;
      const cursor = new RecordCursor(slice, at, limits.decompressedBytesMax);
      while (cursor.next()) {
        if (cursor.offset < minOffset) continue;
        records.push({
          topic,
          partition,
          offset: cursor.offset,
          timestampMs: cursor.timestampMs,
          key: copy(cursor.key),
          value: copy(cursor.value),
          headers: cursor.headers.map(([name, value]) => [name, copy(value)] as const),
        });
      }
    }
  }
  return { records, endOffset };
}

/** Markers and what was aborted are no messages. */
function isMessages(slice: Uint8Array, at: number, log: Partition): boolean {
  const attributes = batchAttributes(slice, at);
  if (isControlBatch(attributes)) return false;
  if (!isTransactionalBatch(attributes)) return true;
  return !log.isAborted(batchProducerId(slice, at), batchBaseOffset(slice, at));
}

function copy(bytes: Uint8Array | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes);
}
