import { ProtocolError } from '../base/index.ts';
import {
  batchAttributes,
  batchBaseOffset,
  batchBaseTimestamp,
  batchCompression,
  batchHeaderBytes,
  batchLastOffsetDelta,
  batchMagic,
  batchMagicSupported,
  batchMaxTimestamp,
  batchPrefixBytes,
  batchRecordCount,
  batchTotalBytes,
  isAppendTimeBatch,
} from './batch-header.ts';
import { decompress, findCodec } from './compression.ts';
import { ByteReader } from './reader.ts';
import type { RecordHeader } from './record-batch.ts';

/** A record of a log. Key, value and header values are slices of the batch, or of what it was decompressed to. */
export interface LogRecord {
  offset: number;
  /** Milliseconds since the epoch; -1 for none. */
  timestampMs: number;
  key: Uint8Array | null;
  value: Uint8Array | null;
  headers: readonly RecordHeader[];
}

/**
 * Moves over the records of a batch without memory for each: `while (cursor.next())`, then read its fields.
 * Everything that is not well formed throws a ProtocolError; the CRC is not looked at, see `checkBatch`.
 */
export class RecordCursor implements LogRecord {
  offset = -1;
  timestampMs = -1;
  /** Headers of this record. */
  headerCount = 0;
  #reader!: ByteReader;
  #baseOffset = 0;
  #lastOffset = 0;
  #baseTimestampMs = 0;
  /** The time of all records where the broker gave it; else undefined. */
  #appendTimeMs: number | undefined;
  #left = 0;
  /** Where key and value stand in `bytes`; a length of −1 is null. */
  keyAt = 0;
  keyBytes = -1;
  valueAt = 0;
  valueBytes = -1;
  /** The encoded headers, without their count. */
  headersAt = 0;
  headersBytes = 0;
  /** Key, value and headers as they are encoded: where they begin, and end. */
  fieldsAt = 0;
  fieldsEnd = 0;

  /** The batch begins at `at`; its records may have `bytesMax` bytes when decompressed. */
  constructor(bytes: Uint8Array, at: number, bytesMax: number) {
    this.open(bytes, at, bytesMax);
  }

  /** Moves before the first record of another batch: one cursor may read many. */
  open(bytes: Uint8Array, at: number, bytesMax: number): void {
    const end = at + getBatchBytes(bytes, at, bytes.length);
    if (batchMagic(bytes, at) !== batchMagicSupported)
      throw new ProtocolError('The batch has an unknown format');
    const attributes = batchAttributes(bytes, at);
    const codec = findCodec(batchCompression(attributes));
    if (!codec) throw new ProtocolError('The batch has an unknown compression');
    this.#reader =
      codec === 'none'
        ? new ByteReader(bytes, at + batchHeaderBytes, end)
        : new ByteReader(decompress(codec, bytes.subarray(at + batchHeaderBytes, end), bytesMax));
    this.#baseOffset = batchBaseOffset(bytes, at);
    this.offset = this.#baseOffset - 1;
    this.#lastOffset = this.#baseOffset + batchLastOffsetDelta(bytes, at);
    this.#baseTimestampMs = batchBaseTimestamp(bytes, at);
    this.#appendTimeMs = isAppendTimeBatch(attributes) ? batchMaxTimestamp(bytes, at) : undefined;
    this.#left = batchRecordCount(bytes, at);
    if (this.#left < 0) throw new ProtocolError('The batch has a negative number of records');
    if (!Number.isSafeInteger(this.#lastOffset) || this.#baseOffset < 0) {
      throw new ProtocolError('The batch has an impossible offset');
    }
  }

  /** Moves to the next record; false behind the last. */
  next(): boolean {
    const reader = this.#reader;
    if (this.#left === 0) {
      if (reader.remaining > 0) throw new ProtocolError('Bytes follow the last record of a batch');
      return false;
    }
    this.#left--;
    const length = reader.varint();
    const end = reader.position + length;
    if (length < 0 || end > reader.limit) {
      throw new ProtocolError(`A record of ${length} bytes does not fit its batch`);
    }
    reader.skip(1);
    const timestampMs = this.#appendTimeMs ?? this.#baseTimestampMs + reader.varlong();
    if (this.#appendTimeMs !== undefined) reader.varlong();
    const offset = this.#baseOffset + reader.varint();
    if (
      !Number.isSafeInteger(timestampMs) ||
      !(offset > this.offset && offset <= this.#lastOffset)
    ) {
      throw new ProtocolError('A record has an impossible offset or timestamp');
    }
    this.offset = offset;
    this.timestampMs = timestampMs;
    this.fieldsAt = reader.position;
    this.fieldsEnd = end;
    this.keyBytes = skipField(reader);
    this.keyAt = reader.position - Math.max(this.keyBytes, 0);
    this.valueBytes = skipField(reader);
    this.valueAt = reader.position - Math.max(this.valueBytes, 0);
    this.headerCount = reader.varint();
    if (this.headerCount < 0) throw new ProtocolError('A record has a negative number of headers');
    this.headersAt = reader.position;
    for (let index = 0; index < this.headerCount; index++) {
      reader.skip(reader.varint());
      skipField(reader);
    }
    this.headersBytes = reader.position - this.headersAt;
    if (reader.position !== end) throw new ProtocolError('A record is not as long as it says');
    return true;
  }

  /** Memory of the records: the batch's own, or what it was decompressed to. */
  get bytes(): Buffer {
    return this.#reader.buffer;
  }

  /** A borrowed slice. */
  get key(): Buffer | null {
    if (this.keyBytes < 0) return null;
    return this.#reader.buffer.subarray(this.keyAt, this.keyAt + this.keyBytes);
  }

  /** A borrowed slice. */
  get value(): Buffer | null {
    if (this.valueBytes < 0) return null;
    return this.#reader.buffer.subarray(this.valueAt, this.valueAt + this.valueBytes);
  }

  /** The headers, with borrowed slices; made anew at each call. */
  get headers(): RecordHeader[] {
    const headers: RecordHeader[] = [];
    if (this.headerCount === 0) return headers;
    const reader = new ByteReader(this.#reader.buffer, this.headersAt, this.#reader.limit);
    for (let index = 0; index < this.headerCount; index++) {
      const name = reader.utf8(reader.varint());
      const length = reader.varint();
      headers.push([name, length < 0 ? null : reader.bytes(length)]);
    }
    return headers;
  }
}

/** Calls `visit` with each record of the batch at `at`, always the same cursor, until it returns false. */
export function forEachRecord(
  bytes: Uint8Array,
  at: number,
  bytesMax: number,
  visit: (record: RecordCursor) => boolean | void,
): void {
  const cursor = new RecordCursor(bytes, at, bytesMax);
  while (cursor.next()) if (visit(cursor) === false) return;
}

/** All records of the batch at `at`. */
export function decodeBatch(bytes: Uint8Array, at: number, bytesMax: number): LogRecord[] {
  const records: LogRecord[] = [];
  const cursor = new RecordCursor(bytes, at, bytesMax);
  while (cursor.next()) {
    const { offset, timestampMs, key, value, headers } = cursor;
    records.push({ offset, timestampMs, key, value, headers });
  }
  return records;
}

/** Where each of the contiguous batches in `bytes[start, limit)` begins. A batch that is cut throws a ProtocolError. */
export function splitBatches(bytes: Uint8Array, start = 0, limit = bytes.length): number[] {
  const positions: number[] = [];
  for (let at = start; at < limit; at += getBatchBytes(bytes, at, limit)) positions.push(at);
  return positions;
}

/** Bytes of the batch at `at`, whose frame must be inside `limit`. */
function getBatchBytes(bytes: Uint8Array, at: number, limit: number): number {
  if (limit - at < batchPrefixBytes) throw new ProtocolError('A batch is cut in its header');
  const length = batchTotalBytes(bytes, at);
  if (length < batchHeaderBytes || length > limit - at) {
    throw new ProtocolError(
      `A batch of ${length} bytes does not fit the ${limit - at} that are left`,
    );
  }
  return length;
}

/** Moves over a nullable field; its length, or -1. */
function skipField(reader: ByteReader): number {
  const length = reader.varint();
  if (length !== -1) reader.skip(length);
  return length;
}
