import {
  batchHeaderBytes,
  batchMagicSupported,
  batchPrefixBytes,
  controlBit,
  patchBatchCrc,
  transactionalBit,
} from './batch-header.ts';
import { type Codec, codecId, compress } from './compression.ts';
import { ByteWriter, varintBytes, varlongBytes, writeInt32, writeInt64 } from './writer.ts';

/*
 * The records of a batch (Kafka RecordBatch v2 layout), each: varint length of what follows, int8 attributes (none are
 * defined), varlong timestamp delta, varint offset delta, key and value (varint length, -1 for null, and bytes), varint
 * number of headers, each a key (varint length and UTF-8) and a value like those above.
 */

/** A header's name and value. */
export type RecordHeader = readonly [name: string, value: Uint8Array | null];

/** A record to be written. */
export interface NewRecord {
  key: Uint8Array | null;
  value: Uint8Array | null;
  headers: readonly RecordHeader[];
  /** Milliseconds since the epoch. */
  timestampMs: number;
}

export interface BatchOptions {
  compression?: Codec;
  /** Of the first record; else 0. The broker sets it on append. */
  baseOffset?: number;
  leaderEpoch?: number;
  producerId?: number;
  producerEpoch?: number;
  baseSequence?: number;
  isTransactional?: boolean;
  /** The records are markers, not messages. */
  isControl?: boolean;
}

/** Collects records and makes a batch of them; may be used again after `build()`. */
export class RecordBatchBuilder {
  readonly #writer: ByteWriter;
  #count = 0;
  #baseTimestampMs = 0;
  #maxTimestampMs = 0;

  constructor(initialBytes = 1024) {
    this.#writer = new ByteWriter(initialBytes);
    this.#reset();
  }

  /** Records so far. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of the batch so far, header included, uncompressed. */
  get bytes(): number {
    return this.#writer.position;
  }

  add(record: NewRecord): void {
    const { key, value, headers } = record;
    if (this.#count === 0) {
      this.#baseTimestampMs = record.timestampMs;
      this.#maxTimestampMs = record.timestampMs;
    } else if (record.timestampMs > this.#maxTimestampMs) {
      this.#maxTimestampMs = record.timestampMs;
    }
    const timestampDelta = record.timestampMs - this.#baseTimestampMs;
    const offsetDelta = this.#count++;

    let length = 1 + varlongBytes(timestampDelta) + varintBytes(offsetDelta);
    length += fieldBytes(key) + fieldBytes(value) + varintBytes(headers.length);
    for (const [name, content] of headers) {
      const nameBytes = Buffer.byteLength(name);
      length += varintBytes(nameBytes) + nameBytes + fieldBytes(content);
    }

    const writer = this.#writer;
    writer.ensure(length + 5);
    writer.varint(length);
    writer.int8(0);
    writer.varlong(timestampDelta);
    writer.varint(offsetDelta);
    writeField(writer, key);
    writeField(writer, value);
    writer.varint(headers.length);
    for (const [name, content] of headers) {
      writer.varint(Buffer.byteLength(name));
      writer.utf8(name);
      writeField(writer, content);
    }
  }

  /**
   * Adds a record whose parts are there already: `body` in pieces (`bodyBytes` in all, −1 for null), `headers` as they
   * stand in a record behind their count. Makes nothing per record; returns the record's bytes.
   */
  addEncoded(
    key: Uint8Array | null,
    body: readonly Uint8Array[],
    bodyBytes: number,
    headers: Uint8Array,
    headerCount: number,
    timestampMs: number,
    bodyAt = 0,
  ): number {
    if (this.#count === 0) {
      this.#baseTimestampMs = timestampMs;
      this.#maxTimestampMs = timestampMs;
    } else if (timestampMs > this.#maxTimestampMs) {
      this.#maxTimestampMs = timestampMs;
    }
    const timestampDelta = timestampMs - this.#baseTimestampMs;
    const offsetDelta = this.#count++;
    const length =
      1 +
      varlongBytes(timestampDelta) +
      varintBytes(offsetDelta) +
      fieldBytes(key) +
      varintBytes(bodyBytes) +
      Math.max(0, bodyBytes) +
      varintBytes(headerCount) +
      headers.length;
    const writer = this.#writer;
    const start = writer.position;
    writer.ensure(length + 5);
    writer.varint(length);
    writer.int8(0);
    writer.varlong(timestampDelta);
    writer.varint(offsetDelta);
    writeField(writer, key);
    writer.varint(bodyBytes);
    if (body.length === 1) writer.range(body[0]!, bodyAt, bodyAt + bodyBytes);
    else for (let index = 0; index < body.length; index++) writer.bytes(body[index]!);
    writer.varint(headerCount);
    if (headers.length > 0) writer.bytes(headers);
    return writer.position - start;
  }

  /** Bytes of memory that it holds. */
  get capacity(): number {
    return this.#writer.capacity;
  }

  /** The batch, uncompressed, in the builder's own memory: good until `clear()`, which must come before the next record. */
  finish(): Buffer {
    const batch = this.#writer.finish();
    this.#writeHeader(batch, 'none', {});
    return batch;
  }

  /** Starts again, empty, in the same memory. */
  clear(): void {
    this.#reset();
  }

  /** The batch, in memory of its own. The builder starts again, empty. */
  build(options: BatchOptions = {}): Buffer {
    const { compression = 'none' } = options;
    const plain = this.#writer.finish();
    let batch: Buffer;
    if (compression === 'none') {
      batch = Buffer.allocUnsafeSlow(plain.length);
      plain.copy(batch);
    } else {
      const records = compress(compression, plain.subarray(batchHeaderBytes));
      batch = Buffer.allocUnsafeSlow(batchHeaderBytes + records.length);
      records.copy(batch, batchHeaderBytes);
    }
    this.#writeHeader(batch, compression, options);
    this.#reset();
    return batch;
  }

  #writeHeader(batch: Buffer, compression: Codec, options: BatchOptions): void {
    writeInt64(batch, 0, options.baseOffset ?? 0);
    writeInt32(batch, 8, batch.length - batchPrefixBytes);
    writeInt32(batch, 12, options.leaderEpoch ?? -1);
    batch[16] = batchMagicSupported;
    const attributes =
      codecId(compression) |
      (options.isTransactional ? transactionalBit : 0) |
      (options.isControl ? controlBit : 0);
    batch[21] = attributes >>> 8;
    batch[22] = attributes;
    writeInt32(batch, 23, this.#count - 1);
    writeInt64(batch, 27, this.#baseTimestampMs);
    writeInt64(batch, 35, this.#maxTimestampMs);
    writeInt64(batch, 43, options.producerId ?? -1);
    const producerEpoch = options.producerEpoch ?? -1;
    batch[51] = producerEpoch >>> 8;
    batch[52] = producerEpoch;
    writeInt32(batch, 53, options.baseSequence ?? -1);
    writeInt32(batch, 57, this.#count);
    patchBatchCrc(batch, 0);
  }

  #reset(): void {
    this.#count = 0;
    this.#writer.reset();
    // The header is written over these when its values are known.
    this.#writer.zeros(batchHeaderBytes);
  }
}

function fieldBytes(field: Uint8Array | null): number {
  return field === null ? 1 : varintBytes(field.length) + field.length;
}

function writeField(writer: ByteWriter, field: Uint8Array | null): void {
  if (field === null) return writer.varint(-1);
  writer.varint(field.length);
  writer.bytes(field);
}
