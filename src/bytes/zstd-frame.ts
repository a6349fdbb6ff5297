import { ProtocolError } from '../base/index.ts';

/* Zstandard frames, RFC 8878 section 3. Only headers are read here, so as to know sizes before memory is taken. */

export interface ZstdFrame {
  /** Position behind the frame. */
  end: number;
  /** It holds no data. */
  isSkippable: boolean;
  /** What the headers say about the decompressed size: a lower and an upper bound. */
  bytesMin: number;
  bytesMax: number;
}

const frameMagic = 0xfd2fb528;
const skippableMagic = 0x184d2a50;
const blockBytesMax = 128 * 1024;

/** The frame at `at`. Throws a ProtocolError where it is cut or not well formed. */
export function measureZstdFrame(bytes: Uint8Array, at: number): ZstdFrame {
  const magic = readLittle(bytes, at, 4);
  if (magic === frameMagic) return measureContent(bytes, at + 4);
  if (magic - (magic % 16) !== skippableMagic) throw new ProtocolError('This is no zstd frame');
  const end = at + 8 + readLittle(bytes, at + 4, 4);
  if (end > bytes.length) throw cut();
  return { end, isSkippable: true, bytesMin: 0, bytesMax: 0 };
}

/** The frame whose header begins at `at`, behind the magic. */
function measureContent(bytes: Uint8Array, at: number): ZstdFrame {
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
  if (content >= 0) least = most = content;
  return { end: next, isSkippable: false, bytesMin: least, bytesMax: most };
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
