import { crc32c } from '../bytes/index.ts';

/**
 * Layout of a chunk header, big-endian; a chunk is one group commit and starts at a multiple of 512 bytes, so that a
 * torn write never touches a sector that holds an acknowledged chunk.
 *
 *  0 u32 magic "PBLC"        20 u32 reserved, 0              44 u64 reserved, 0
 *  4 u32 CRC32C of 8..end of payload   24 i64 sequence         52 i64 timestamp, ms
 *  8 u8  layout version      32 i64 LSN of this header 60 u32 reserved, 0
 *  9 u8  flags               40 u32 CRC of the chunk before
 * 10 u16 reserved, 0
 * 12 u32 payload bytes
 * 16 u32 epoch
 *
 * At least one zero byte follows the payload, up to the next multiple of 512.
 * To change the layout: raise the version, keep reading every older one, and write the new one only to new files.
 */
export const chunkHeaderBytes = 64;
export const chunkAlignment = 512;
export const chunkMagic = 0x50424c43;
const layoutVersion = 1;

/** The chunk was written without waiting for the disk (`--sync os`): power loss may leave holes before it. */
export const chunkFlagUnsynced = 1;

/** Bytes of a whole chunk with the given payload: header, payload, at least one zero, aligned. */
export function chunkBytesFor(payloadBytes: number): number {
  return Math.ceil((chunkHeaderBytes + payloadBytes + 1) / chunkAlignment) * chunkAlignment;
}

export interface ChunkHeader {
  flags: number;
  payloadBytes: number;
  epoch: number;
  sequence: number;
  lsn: number;
  previousCrc: number;
  timestampMs: number;
}

/** Fills in the header in place; returns the chunk's CRC. */
export function sealChunk(chunk: Uint8Array, header: ChunkHeader): number {
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunkHeaderBytes);
  chunk.fill(0, 0, chunkHeaderBytes);
  view.setUint32(0, chunkMagic);
  view.setUint8(8, layoutVersion);
  view.setUint8(9, header.flags);
  view.setUint32(12, header.payloadBytes);
  view.setUint32(16, header.epoch);
  setSafeInteger(view, 24, header.sequence);
  setSafeInteger(view, 32, header.lsn);
  view.setUint32(40, header.previousCrc);
  setSafeInteger(view, 52, header.timestampMs);
  const crc = crc32c(chunk.subarray(8, chunkHeaderBytes + header.payloadBytes));
  view.setUint32(4, crc);
  return crc;
}

/** Reads a header; undefined when the first 64 bytes cannot be one that belongs at `lsn`. The CRC is not checked. */
export function findChunkHeader(
  bytes: Uint8Array,
  at: number,
  lsn: number,
): ChunkHeader | undefined {
  if (bytes.length - at < chunkHeaderBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, chunkHeaderBytes);
  if (view.getUint32(0) !== chunkMagic || view.getUint8(8) !== layoutVersion) return undefined;
  if (getSafeInteger(view, 32) !== lsn) return undefined;
  return {
    flags: view.getUint8(9),
    payloadBytes: view.getUint32(12),
    epoch: view.getUint32(16),
    sequence: getSafeInteger(view, 24),
    lsn,
    previousCrc: view.getUint32(40),
    timestampMs: getSafeInteger(view, 52),
  };
}

/** The stored CRC of the chunk at `at`. */
export function chunkCrc(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset + at, 8).getUint32(4);
}

/** Whether header and payload match the stored CRC; `bytes` must hold the whole chunk from `at`. */
export function isChunkIntact(bytes: Uint8Array, at: number, payloadBytes: number): boolean {
  return (
    crc32c(bytes.subarray(at + 8, at + chunkHeaderBytes + payloadBytes)) === chunkCrc(bytes, at)
  );
}

function setSafeInteger(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / 0x100000000));
  view.setUint32(at + 4, value >>> 0);
}

function getSafeInteger(view: DataView, at: number): number {
  return view.getUint32(at) * 0x100000000 + view.getUint32(at + 4);
}
