import { BrokerError, limits, ProtocolError } from '../base/index.ts';
import {
  batchAttributes,
  batchCompression,
  batchLastOffset,
  batchTotalBytes,
  BatchRewriter,
  type Codec,
  codecId,
  RecordCursor,
} from '../bytes/index.ts';
import { RecordsInvalid } from './records-invalid.ts';

/** Throws batch-invalid unless every record of the batch at `at` can be read and has a key; RecordsInvalid tells which have none. */
export function checkKeys(bytes: Uint8Array, at: number): void {
  const keyless = findRecords(bytes, at, (record) => record.keyBytes < 0);
  if (keyless.length > 0) {
    const reason = 'a compacted topic takes no record without a key';
    throw new RecordsInvalid('batch-invalid', keyless, reason);
  }
}

/**
 * Throws timestamp-invalid unless all records of the batch at `at` that have a time are of the time from `firstMs` to `lastMs`;
 * RecordsInvalid tells which are not. Throws batch-invalid for one that cannot be read.
 */
export function checkTimes(bytes: Uint8Array, at: number, firstMs: number, lastMs: number): void {
  const outside = findRecords(bytes, at, ({ timestampMs }) => {
    return timestampMs > lastMs || (timestampMs >= 0 && timestampMs < firstMs);
  });
  if (outside.length > 0) {
    const reason = `the topic takes times from ${firstMs} to ${lastMs} now`;
    throw new RecordsInvalid('timestamp-invalid', outside, reason);
  }
}

/** Positions of records, from 0 on: the first `limits.invalidRecordsTold` of them. */
function findRecords(
  bytes: Uint8Array,
  at: number,
  isWanted: (record: RecordCursor) => boolean,
): number[] {
  const found: number[] = [];
  try {
    const cursor = new RecordCursor(bytes, at, limits.decompressedBytesMax);
    for (let index = 0; cursor.next(); index++) {
      if (isWanted(cursor) && found.length < limits.invalidRecordsTold) found.push(index);
    }
  } catch (error) {
    throw asInvalid(error);
  }
  return found;
}

/**
 * The batches in `bytes`, each compressed with `codec`; `bytes` itself where they all are. Throws batch-invalid for one
 * that cannot be read, or whose records are more than `limits.decompressedBytesMax`.
 */
export function compressBatches(bytes: Uint8Array, codec: Codec): Uint8Array {
  let isDone = true;
  for (let at = 0; at < bytes.length && isDone; at += batchTotalBytes(bytes, at))
    isDone = isCompressedWith(bytes, at, codec);
  if (isDone) return bytes;
  const batches: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += batchTotalBytes(bytes, at)) {
    batches.push(
      isCompressedWith(bytes, at, codec)
        ? bytes.subarray(at, at + batchTotalBytes(bytes, at))
        : compressBatch(bytes, at, codec),
    );
  }
  return batches.length === 1 && batches[0] !== undefined ? batches[0] : Buffer.concat(batches);
}

function isCompressedWith(bytes: Uint8Array, at: number, codec: Codec): boolean {
  return batchCompression(batchAttributes(bytes, at)) === codecId(codec);
}

function compressBatch(bytes: Uint8Array, at: number, codec: Codec): Buffer {
  const rewriter = new BatchRewriter(batchTotalBytes(bytes, at));
  try {
    const cursor = new RecordCursor(bytes, at, limits.decompressedBytesMax);
    rewriter.begin(bytes, at, -1, codec);
    while (cursor.next()) rewriter.add(cursor);
  } catch (error) {
    throw asInvalid(error);
  }
  return rewriter.finish(batchLastOffset(bytes, at));
}

function asInvalid(error: unknown): unknown {
  if (!(error instanceof ProtocolError)) return error;
  return new BrokerError('batch-invalid', error.message, { cause: error });
}
