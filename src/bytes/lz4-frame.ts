import { ProtocolError } from '../base/index.ts';

/*
 * The LZ4 frame format (lz4_Frame_format.md 1.6.x): magic, FLG, BD, optional content size and dictionary id, header
 * checksum, blocks, end mark, optional content checksum. Only sizes are read here: the native decoder has no bound.
 */

const frameMagic = 0x184d2204;
const storedBit = 0x80000000;
/** A byte of compressed data makes at most this many: a run length grows by 255 for each byte. */
const expansionMax = 255;

/**
 * The size of the one frame in `bytes`, decompressed: exact where it is above `bytesMax`, else an upper bound that is
 * at most `bytesMax`. Throws a ProtocolError where the frame is cut, followed by something, or not well formed.
 */
export function measureLz4Frame(bytes: Uint8Array, bytesMax: number): number {
  if (bytes.length < 7 || readLittle32(bytes, 0) !== frameMagic) {
    throw new ProtocolError('This is no lz4 frame');
  }
  const flags = bytes[4]!;
  if (flags >>> 6 !== 1) throw new ProtocolError('The lz4 frame has an unknown version');
  const blockCode = (bytes[5]! >>> 4) & 7;
  if (blockCode < 4) throw new ProtocolError('The lz4 frame has an unknown block size');
  const blockBytesMax = 4 ** blockCode * 256;
  const hasBlockChecksum = (flags & 0x10) !== 0;
  const first = 7 + (flags & 8 ? 8 : 0) + (flags & 1 ? 4 : 0);

  let bound = 0;
  let at = first;
  for (;;) {
    if (at + 4 > bytes.length) throw cut();
    const header = readLittle32(bytes, at);
    at += 4;
    if (header === 0) break;
    const isStored = header >= storedBit;
    const length = isStored ? header - storedBit : header;
    if (at + length > bytes.length) throw cut();
    bound += isStored ? length : Math.min(blockBytesMax, length * expansionMax);
    at += length + (hasBlockChecksum ? 4 : 0);
  }
  if (flags & 4) at += 4;
  if (at > bytes.length) throw cut();
  if (at < bytes.length) throw new ProtocolError('Something follows the lz4 frame');
  return bound <= bytesMax ? bound : measureBlocks(bytes, first, hasBlockChecksum);
}

/** The sum of the blocks' exact sizes; their frame has been walked before. */
function measureBlocks(bytes: Uint8Array, first: number, hasBlockChecksum: boolean): number {
  let size = 0;
  for (let at = first; ; ) {
    const header = readLittle32(bytes, at);
    at += 4;
    if (header === 0) return size;
    const length = header >= storedBit ? header - storedBit : header;
    size += header >= storedBit ? length : measureBlock(bytes, at, at + length);
    at += length + (hasBlockChecksum ? 4 : 0);
  }
}

/** The exact size of one compressed block (lz4_Block_format.md): sequences of a token, literals and a match. */
function measureBlock(bytes: Uint8Array, start: number, end: number): number {
  let size = 0;
  let at = start;
  while (at < end) {
    const token = bytes[at++]!;
    let literals = token >>> 4;
    if (literals === 15) {
      let byte = 255;
      while (byte === 255 && at < end) {
        byte = bytes[at++]!;
        literals += byte;
      }
    }
    at += literals;
    size += literals;
    // The last sequence has no match.
    if (at >= end) break;
    at += 2;
    let match = (token & 15) + 4;
    if (match === 19) {
      let byte = 255;
      while (byte === 255 && at < end) {
        byte = bytes[at++]!;
        match += byte;
      }
    }
    size += match;
  }
  return size;
}

function readLittle32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
  );
}

function cut(): ProtocolError {
  return new ProtocolError('The lz4 frame is cut');
}
