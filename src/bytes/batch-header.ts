import { crc32cRange } from './crc32c.ts';
import { readInt32, readInt64 } from './reader.ts';
import { writeInt32, writeInt64 } from './writer.ts';

/*
 * The header of a record batch (Kafka RecordBatch v2 layout), the unit of the wire, of memory and of the disk:
 *
 *    0 int64  base offset            27 int64  base timestamp
 *    8 int32  length of what follows 35 int64  max timestamp
 *   12 int32  leader epoch           43 int64  producer id, -1 for none
 *   16 int8   magic, 2               51 int16  producer epoch
 *   17 uint32 CRC32C from 21 on      53 int32  base sequence
 *   21 int16  attributes             57 int32  number of records
 *   23 int32  last offset delta      61        records, compressed together
 *
 * Base offset and leader epoch lie outside the CRC so that a broker can set them. Attributes: bits 0-2 compression,
 * 3 timestamp type (1: time of append), 4 transactional, 5 control, 6 base timestamp is a delete horizon. A batch that
 * was compacted may have fewer records than offsets, or none.
 *
 * The accessors read at `at` without a check: `checkBatch` comes first. After its 'ok' every 64-bit field is a safe
 * integer.
 */

export const batchHeaderBytes = 61;

/** Bytes up to and including the length field, which counts what follows it. */
export const batchPrefixBytes = 12;

/** The one format that is understood; older ones keep their magic at the same place. */
export const batchMagicSupported = 2;
const appendTimeBit = 8;
export const transactionalBit = 16;
export const controlBit = 32;
export const deleteHorizonBit = 64;

/**
 * What is wrong with a batch. 'truncated': it goes on behind the limit; 'length': shorter than its own header;
 * 'count': a negative number of records, or a negative offset delta; 'range': a 64-bit field is not a safe integer or is below -1.
 */
export type BatchCheck = 'ok' | 'truncated' | 'length' | 'magic' | 'crc' | 'count' | 'range';

/** Checks the batch at `at` in `bytes[0, limit)`: frame, magic, CRC and header fields; not the records themselves. */
export function checkBatch(
  bytes: Uint8Array,
  at: number,
  limit: number,
  isCrcKnown = false,
): BatchCheck {
  const available = Math.min(limit, bytes.length) - at;
  if (available < batchPrefixBytes) return 'truncated';
  const totalBytes = batchTotalBytes(bytes, at);
  if (totalBytes < batchHeaderBytes) return 'length';
  if (available < batchHeaderBytes) return 'truncated';
  // Before the length is trusted: older formats may be shorter.
  if (batchMagic(bytes, at) !== batchMagicSupported) return 'magic';
  if (totalBytes > available) return 'truncated';
  if (!isCrcKnown && crc32cRange(bytes, at + 21, at + totalBytes) !== batchCrc(bytes, at))
    return 'crc';
  if (batchRecordCount(bytes, at) < 0 || batchLastOffsetDelta(bytes, at) < 0) return 'count';
  const isInRange =
    isOffset(batchBaseOffset(bytes, at)) &&
    Number.isSafeInteger(batchBaseTimestamp(bytes, at)) &&
    Number.isSafeInteger(batchMaxTimestamp(bytes, at)) &&
    isOffset(batchProducerId(bytes, at) + 1);
  return isInRange ? 'ok' : 'range';
}

export function batchBaseOffset(bytes: Uint8Array, at: number): number {
  return readInt64(bytes, at);
}

/** Bytes of the whole batch, header included. */
export function batchTotalBytes(bytes: Uint8Array, at: number): number {
  return batchPrefixBytes + readInt32(bytes, at + 8);
}

export function batchLeaderEpoch(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at + 12);
}

export function batchMagic(bytes: Uint8Array, at: number): number {
  return (bytes[at + 16]! << 24) >> 24;
}

/** The stored CRC, unsigned. */
export function batchCrc(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at + 17) >>> 0;
}

export function batchAttributes(bytes: Uint8Array, at: number): number {
  return readInt16(bytes, at + 21);
}

export function batchLastOffsetDelta(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at + 23);
}

/** Offset of the batch's last record, or of the last one that it had before compaction. */
export function batchLastOffset(bytes: Uint8Array, at: number): number {
  return batchBaseOffset(bytes, at) + batchLastOffsetDelta(bytes, at);
}

/** Milliseconds since the epoch. */
export function batchBaseTimestamp(bytes: Uint8Array, at: number): number {
  return readInt64(bytes, at + 27);
}

/** Milliseconds since the epoch; -1 when the records carry no timestamps. */
export function batchMaxTimestamp(bytes: Uint8Array, at: number): number {
  return readInt64(bytes, at + 35);
}

/** -1 for none. */
export function batchProducerId(bytes: Uint8Array, at: number): number {
  return readInt64(bytes, at + 43);
}

export function batchProducerEpoch(bytes: Uint8Array, at: number): number {
  return readInt16(bytes, at + 51);
}

export function batchBaseSequence(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at + 53);
}

export function batchRecordCount(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at + 57);
}

/** Sets what the broker assigns; the CRC does not cover it. */
export function patchBatchOffset(
  bytes: Uint8Array,
  at: number,
  baseOffset: number,
  leaderEpoch: number,
): void {
  writeInt64(bytes, at, baseOffset);
  writeInt32(bytes, at + 12, leaderEpoch);
}

/** Stamps a whole batch with the time of its append and computes its CRC anew. */
export function patchBatchAppendTime(bytes: Uint8Array, at: number, timeMs: number): void {
  bytes[at + 22] = bytes[at + 22]! | appendTimeBit;
  writeInt64(bytes, at + 35, timeMs);
  patchBatchCrc(bytes, at);
}

/** Computes the CRC of a whole batch anew. */
export function patchBatchCrc(bytes: Uint8Array, at: number): void {
  writeInt32(bytes, at + 17, crc32cRange(bytes, at + 21, at + batchTotalBytes(bytes, at)));
}

/** The number of the codec, 0 for none; numbers above 4 are not assigned. */
export function batchCompression(attributes: number): number {
  return attributes & 7;
}

/** The timestamps are the broker's, given on append: every record has the batch's max timestamp. */
export function isAppendTimeBatch(attributes: number): boolean {
  return (attributes & appendTimeBit) !== 0;
}

export function isTransactionalBatch(attributes: number): boolean {
  return (attributes & transactionalBit) !== 0;
}

/** The records are markers of a transaction's end, not messages. */
export function isControlBatch(attributes: number): boolean {
  return (attributes & controlBit) !== 0;
}

/** From this time on the batch's tombstones or markers may be removed, ms since the epoch; -1 when it was not set. */
export function batchDeleteHorizon(bytes: Uint8Array, at: number): number {
  const hasHorizon = (batchAttributes(bytes, at) & deleteHorizonBit) !== 0;
  return hasHorizon ? batchBaseTimestamp(bytes, at) : -1;
}

/** Sets the offset of a batch's last record, and its CRC: a batch may stand for offsets whose records are gone. */
export function patchBatchLastOffset(bytes: Uint8Array, at: number, lastOffset: number): void {
  writeInt32(bytes, at + 23, lastOffset - batchBaseOffset(bytes, at));
  patchBatchCrc(bytes, at);
}

function readInt16(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) >> 16) | bytes[at + 1]!;
}

function isOffset(value: number): boolean {
  return value >= 0 && Number.isSafeInteger(value);
}
