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
  let keyless: number[] | undefined;
  try {
    const cursor = new RecordCursor(bytes, at, limits.decompressedBytesMax);
    for (let index = 0; cursor.next(); index++) {
      if (cursor.keyBytes >= 0) continue;
      keyless ??= [];
      if (keyless.length < limits.invalidRecordsTold) keyless.push(index);
    }
  } catch (error) {
    throw asInvalid(error);
  }
  if (keyless !== undefined)
    throw new RecordsInvalid(keyless, 'a compacted topic takes no record without a key');
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
