import { assert } from '../base/index.ts';
import { batchHeaderBytes } from '../bytes/index.ts';
import { chunkAlignment, chunkHeaderBytes } from '../journal/index.ts';

/**
 * A chunk's payload is a sequence of entries, each one fact:
 *
 *   0 u8  kind     1 u24 note     4 u32 partition number (0 where none)     8 u32 payload bytes     12 payload
 *
 * The note is 0 but for record batches in a journal, where it saves replay from reading the records: bit 23, some carry
 * scheduling headers; bits 0-22, bytes that are not message bodies, plus 1 (0: not known).
 *
 * Kind 0 ends the chunk: what follows is padding up to the next multiple of 512, where the next chunk's header stands.
 * So a reader that stands on any entry can walk on through the journal without an index.
 * A chunk holds its control entries in the order in which they were made, then the record batches grouped by partition.
 *
 * To add a fact: take a new kind; never change what an old one means. Kinds from 32 on belong to extensions.
 */
export const entryHeaderBytes = 12;

export const entryKind = {
  end: 0,
  /** A record batch, its base offset and leader epoch filled in. */
  records: 1,
  /** A new owner has opened the shard: u32 epoch, i64 time. */
  opened: 2,
  /** u32 partition number, u32 index, utf8 topic id (rest). */
  partitionOpened: 3,
  /** u32 partition number. */
  partitionDropped: 4,
  /** u32 partition number, i64 new log start. */
  startAdvanced: 5,
  /** Live data were copied out of journal files into a segment: see `moved-entry.ts`. */
  moved: 6,
  /** i64: producer ids below this one may have been given out. */
  producerIds: 7,
  /** A stretch of one log was compacted by key into a segment: see `compaction/compacted-entry.ts`. */
  compacted: 8,
  /** First of the kinds of extensions. */
  extensionMin: 32,
} as const;

export function writeEntryHeader(
  bytes: Uint8Array,
  at: number,
  kind: number,
  partition: number,
  payloadBytes: number,
  note = 0,
): void {
  bytes[at] = kind;
  bytes[at + 1] = note >>> 16;
  bytes[at + 2] = note >>> 8;
  bytes[at + 3] = note;
  writeUint32(bytes, at + 4, partition);
  writeUint32(bytes, at + 8, payloadBytes);
}

const scheduledBit = 0x800000;
const overheadMask = 0x7fffff;

/** The note of a batch of `length` bytes whose records have `bodyBytes` of body (-1: not known). */
export function batchNote(length: number, bodyBytes: number, isScheduled: boolean): number {
  const overhead = bodyBytes < 0 ? 0 : length - bodyBytes + 1;
  return (
    (overhead > 0 && overhead <= overheadMask ? overhead : 0) | (isScheduled ? scheduledBit : 0)
  );
}

/** Whether the batch of the entry at `at` has records with scheduling headers. */
export function isScheduledEntry(bytes: Uint8Array, at: number): boolean {
  return ((bytes[at + 1] as number) & 0x80) !== 0;
}

/** Bytes of the bodies in the batch of the entry at `at`; where they were not counted, of all its records. */
export function entryBodyBytes(bytes: Uint8Array, at: number): number {
  const note = readUint32(bytes, at) & overheadMask;
  const length = entryPayloadBytes(bytes, at);
  return note === 0 ? Math.max(length - batchHeaderBytes, 0) : Math.max(length - note + 1, 0);
}

export function entryPartition(bytes: Uint8Array, at: number): number {
  return readUint32(bytes, at + 4);
}

export function entryPayloadBytes(bytes: Uint8Array, at: number): number {
  return readUint32(bytes, at + 8);
}

/** Where the next chunk's first entry is, given any LSN inside the padding of a chunk. */
export function nextChunkEntriesLsn(lsn: number): number {
  // At least one zero byte pads every chunk, so an LSN that is aligned here is never the next chunk itself.
  return Math.floor(lsn / chunkAlignment) * chunkAlignment + chunkAlignment + chunkHeaderBytes;
}

function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  assert(value >= 0 && value <= 0xffffffff, 'an unsigned 32-bit value');
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

function readUint32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  );
}
