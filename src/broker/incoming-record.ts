import { limits } from '../base/index.ts';
import { batchAttributes, batchTotalBytes, isControlBatch, RecordCursor } from '../bytes/index.ts';

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

/** The records of whole batches from `minOffset` on. Throws a ProtocolError for a batch that is not well formed. */
export function decodeRecords(
  slices: readonly Uint8Array[],
  topic: string,
  partition: number,
  minOffset: number,
): IncomingRecord[] {
  const records: IncomingRecord[] = [];
  for (const slice of slices) {
    for (let at = 0; at < slice.length; at += batchTotalBytes(slice, at)) {
      if (isControlBatch(batchAttributes(slice, at))) continue;
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
  return records;
}

function copy(bytes: Uint8Array | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes);
}
