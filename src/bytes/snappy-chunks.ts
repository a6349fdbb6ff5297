import { ProtocolError } from '../base/index.ts';
import { asBuffer } from './reader.ts';

/*
 * Snappy in record batches comes as one raw block (snappy's format_description.txt), or as the stream of the Java
 * library (xerial): a header of the magic below and two int32 versions, then chunks of an int32 length and a raw block.
 * All Java clients write the second, so it is what everybody can read.
 */

const magic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const headerBytes = 16;
const version = 1;

/** Uncompressed bytes of one chunk, as the Java library has it. */
const chunkBytesMax = 32 * 1024;

/**
 * Calls `visit` with each raw block in `bytes`, in either form: a borrowed slice, and the size that it announces for
 * its decompressed bytes.
 */
export function forEachSnappyChunk(
  bytes: Uint8Array,
  visit: (chunk: Buffer, chunkBytes: number) => void,
): void {
  const buffer = asBuffer(bytes);
  if (!isHeader(buffer, 0)) return visit(buffer, measureSnappy(buffer));
  let at = headerBytes;
  while (at < buffer.length) {
    // Streams may be concatenated.
    if (isHeader(buffer, at)) {
      at += headerBytes;
      continue;
    }
    if (buffer.length - at < 4) throw new ProtocolError('A snappy stream ends inside a length');
    const length = buffer.readInt32BE(at);
    at += 4;
    if (length < 0 || length > buffer.length - at) {
      throw new ProtocolError('A snappy chunk has an impossible length');
    }
    const chunk = buffer.subarray(at, at + length);
    visit(chunk, measureSnappy(chunk));
    at += length;
  }
}

/** `bytes` as a stream of chunks that `compressChunk` has compressed. */
export function wrapSnappyChunks(
  bytes: Uint8Array,
  compressChunk: (chunk: Uint8Array) => Buffer,
): Buffer {
  const header = Buffer.alloc(headerBytes);
  magic.copy(header);
  header.writeInt32BE(version, 8);
  header.writeInt32BE(version, 12);
  const parts: Uint8Array[] = [header];
  for (let at = 0; at < bytes.length; at += chunkBytesMax) {
    const chunk = compressChunk(bytes.subarray(at, at + chunkBytesMax));
    const length = Buffer.alloc(4);
    length.writeInt32BE(chunk.length);
    parts.push(length, chunk);
  }
  return Buffer.concat(parts);
}

function isHeader(buffer: Buffer, at: number): boolean {
  return (
    buffer.length - at >= headerBytes &&
    buffer.compare(magic, 0, magic.length, at, at + magic.length) === 0
  );
}

function measureSnappy(chunk: Uint8Array): number {
  let size = 0;
  for (let index = 0; index < 5; index++) {
    const byte = chunk[index];
    if (byte === undefined) throw new ProtocolError('A snappy block ends inside its length');
    // Not a shift: 32 bits unsigned do not fit one.
    size += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return size;
  }
  throw new ProtocolError('A snappy block has an impossible length');
}
