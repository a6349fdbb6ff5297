import { ProtocolError } from '../base/index.ts';

/* Zstandard frames, RFC 8878 section 3. Only headers are read here, so as to know sizes before memory is taken. */

/** What the headers say about the decompressed size: a lower and an upper bound. */
export interface ZstdSize {
  bytesMin: number;
  bytesMax: number;
}

const frameMagic = 0xfd2fb528;
const skippableMagic = 0x184d2a50;
const blockBytesMax = 128 * 1024;

/** The size of all frames in `bytes`, decompressed. Throws a ProtocolError where they are cut or not well formed. */
export function measureZstdFrames(bytes: Uint8Array): ZstdSize {
  const size = { bytesMin: 0, bytesMax: 0 };
  if (bytes.length === 0) throw new ProtocolError('There is no zstd frame');
  let at = 0;
  while (at < bytes.length) {
    const magic = readLittle(bytes, at, 4);
    at += 4;
    if (magic === frameMagic) at = measureFrame(bytes, at, size);
    else if (magic - (magic % 16) === skippableMagic) at += 4 + readLittle(bytes, at, 4);
    else throw new ProtocolError('These are no zstd frames');
  }
  if (at > bytes.length) throw cut();
  return size;
}

/** Adds the frame whose header begins at `at` to `size`; returns where it ends. */
function measureFrame(bytes: Uint8Array, at: number, size: ZstdSize): number {
  let next = at;
  const descriptor = readLittle(bytes, next++, 1);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  let blockMax = blockBytesMax;
  if (!isSingleSegment) {
    const window = readLittle(bytes, next++, 1);
    const base = 2 ** (10 + (window >>> 3));
    blockMax = Math.min(blockMax, base + (base / 8) * (window & 7));
  }
  next += [0, 1, 2, 4][descriptor & 3]!;
  const contentField = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >>> 6]!;
  let content = contentField === 0 ? -1 : readLittle(bytes, next, contentField);
  if (contentField === 2) content += 256;
  next += contentField;

  let least = 0;
  let most = 0;
  let isLast = false;
  while (!isLast) {
    const header = readLittle(bytes, next, 3);
    next += 3;
    isLast = (header & 1) !== 0;
    const type = (header >>> 1) & 3;
    const length = header >>> 3;
    if (type === 3) throw new ProtocolError('A zstd block has a reserved type');
    // Type 0 is stored, 1 one byte repeated, 2 compressed.
    next += type === 1 ? 1 : length;
    if (next > bytes.length) throw cut();
    if (type !== 2) least += length;
    most += type === 2 ? blockMax : length;
  }
  if (descriptor & 4) next += 4;
  if (next > bytes.length) throw cut();
  if (content >= 0 && (content < least || content > most)) {
    throw new ProtocolError('A zstd frame announces a size that its blocks cannot have');
  }
  size.bytesMin += content >= 0 ? content : least;
  size.bytesMax += content >= 0 ? content : most;
  return next;
}

function readLittle(bytes: Uint8Array, at: number, count: number): number {
  if (at + count > bytes.length) throw cut();
  let value = 0;
  // Multiplied, not shifted: eight bytes do not fit a shift, and above 2^53 the exact value does not matter.
  for (let index = count - 1; index >= 0; index--) value = value * 256 + bytes[at + index]!;
  return value;
}

function cut(): ProtocolError {
  return new ProtocolError('The zstd data are cut');
}
