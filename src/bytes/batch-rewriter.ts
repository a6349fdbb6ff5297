import {
  batchAttributes,
  batchBaseOffset,
  batchBaseSequence,
  batchCompression,
  batchHeaderBytes,
  batchLeaderEpoch,
  batchMagicSupported,
  batchMaxTimestamp,
  batchPrefixBytes,
  batchProducerEpoch,
  batchProducerId,
  deleteHorizonBit,
  isAppendTimeBatch,
  patchBatchCrc,
} from './batch-header.ts';
import { type Codec, codecId, compress, findCodec } from './compression.ts';
import type { RecordCursor } from './record-cursor.ts';
import { ByteWriter, varintBytes, varlongBytes, writeInt32, writeInt64 } from './writer.ts';

/** What a rewritten batch has of the batches that its records come from. */
interface RewriteHeader {
  /** Compression is not looked at. */
  attributes: number;
  leaderEpoch: number;
  producerId: number;
  producerEpoch: number;
  baseSequence: number;
}

/**
 * Makes a batch of records of other batches: they keep their offsets and timestamps, and their fields are copied as they
 * are. May be used again after `finish`.
 */
export class BatchRewriter {
  readonly #writer: ByteWriter;
  #header: RewriteHeader = {
    attributes: 0,
    leaderEpoch: -1,
    producerId: -1,
    producerEpoch: -1,
    baseSequence: -1,
  };
  #codec: Codec = 'none';
  #baseOffset = 0;
  #baseTimestampMs = 0;
  #maxTimestampMs = -1;
  #hasHorizon = false;
  #count = 0;

  constructor(initialBytes = 16 * 1024) {
    this.#writer = new ByteWriter(initialBytes);
  }

  get count(): number {
    return this.#count;
  }

  /** Bytes so far, uncompressed. */
  get bytes(): number {
    return this.#writer.position;
  }

  /**
   * Begins with the header of the batch at `at`, at its base offset. `codec`: how the records will be compressed; its own
   * where it is not said. `deleteHorizonMs` is -1 without one.
   */
  begin(bytes: Uint8Array, at: number, deleteHorizonMs = -1, codec?: Codec): void {
    const header = this.#header;
    header.attributes = batchAttributes(bytes, at);
    header.leaderEpoch = batchLeaderEpoch(bytes, at);
    header.producerId = batchProducerId(bytes, at);
    header.producerEpoch = batchProducerEpoch(bytes, at);
    header.baseSequence = batchBaseSequence(bytes, at);
    this.#codec = codec ?? findCodec(batchCompression(header.attributes)) ?? 'none';
    this.#baseOffset = batchBaseOffset(bytes, at);
    this.#hasHorizon = deleteHorizonMs >= 0;
    this.#baseTimestampMs = deleteHorizonMs;
    // Where the broker stamps, the greatest time is the time of all.
    this.#maxTimestampMs = isAppendTimeBatch(header.attributes) ? batchMaxTimestamp(bytes, at) : -1;
    this.#count = 0;
    this.#writer.reset();
    this.#writer.zeros(batchHeaderBytes);
  }

  /** Adds the record at the cursor. */
  add(cursor: RecordCursor): void {
    this.addFields(
      cursor.bytes,
      cursor.fieldsAt,
      cursor.fieldsEnd,
      cursor.offset,
      cursor.timestampMs,
    );
  }

  /** Adds a record whose key, value and headers are encoded at `source[from, to)`. Offsets grow. */
  addFields(
    source: Uint8Array,
    from: number,
    to: number,
    offset: number,
    timestampMs: number,
  ): void {
    if (this.#count === 0 && !this.#hasHorizon) this.#baseTimestampMs = timestampMs;
    if (timestampMs > this.#maxTimestampMs) this.#maxTimestampMs = timestampMs;
    this.#count++;
    const timestampDelta = timestampMs - this.#baseTimestampMs;
    const offsetDelta = offset - this.#baseOffset;
    const length = 1 + varlongBytes(timestampDelta) + varintBytes(offsetDelta) + to - from;
    const writer = this.#writer;
    writer.ensure(length + 5);
    writer.varint(length);
    writer.int8(0);
    writer.varlong(timestampDelta);
    writer.varint(offsetDelta);
    writer.range(source, from, to);
  }

  /** The batch, in memory of its own; `lastOffset` is that of its last record, or of one that is gone. */
  finish(lastOffset: number): Buffer {
    const plain = this.#writer.finish();
    const isCompressed = this.#codec !== 'none' && this.#count > 0;
    const records = isCompressed
      ? compress(this.#codec, plain.subarray(batchHeaderBytes))
      : plain.subarray(batchHeaderBytes);
    const batch = Buffer.allocUnsafeSlow(batchHeaderBytes + records.length);
    records.copy(batch, batchHeaderBytes);
    const attributes =
      (this.#header.attributes & ~7 & ~deleteHorizonBit) |
      (isCompressed ? codecId(this.#codec) : 0) |
      (this.#hasHorizon ? deleteHorizonBit : 0);
    writeHeader(batch, { ...this.#header, attributes }, this.#count);
    writeInt64(batch, 0, this.#baseOffset);
    writeInt32(batch, 23, lastOffset - this.#baseOffset);
    writeInt64(batch, 27, this.#baseTimestampMs);
    writeInt64(batch, 35, this.#maxTimestampMs);
    patchBatchCrc(batch, 0);
    return batch;
  }
}

/** A batch without records that stands for the offsets from `baseOffset` to `lastOffset`. */
export function emptyBatch(baseOffset: number, lastOffset: number, leaderEpoch: number): Buffer {
  const batch = Buffer.alloc(batchHeaderBytes);
  const header = {
    attributes: 0,
    leaderEpoch,
    producerId: -1,
    producerEpoch: -1,
    baseSequence: -1,
  };
  writeHeader(batch, header, 0);
  writeInt64(batch, 0, baseOffset);
  writeInt32(batch, 23, lastOffset - baseOffset);
  writeInt64(batch, 27, -1);
  writeInt64(batch, 35, -1);
  patchBatchCrc(batch, 0);
  return batch;
}

/** Everything but offsets, timestamps and the CRC. */
function writeHeader(batch: Uint8Array, header: RewriteHeader, count: number): void {
  writeInt32(batch, 8, batch.length - batchPrefixBytes);
  writeInt32(batch, 12, header.leaderEpoch);
  batch[16] = batchMagicSupported;
  batch[21] = header.attributes >>> 8;
  batch[22] = header.attributes;
  writeInt64(batch, 43, header.producerId);
  batch[51] = header.producerEpoch >>> 8;
  batch[52] = header.producerEpoch;
  writeInt32(batch, 53, header.baseSequence);
  writeInt32(batch, 57, count);
}
