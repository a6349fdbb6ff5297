import { ProtocolError } from '../base/index.ts';

/**
 * Reads big-endian values one after the other from `bytes[position, limit)`.
 * Everything that does not fit (an overrun, a negative length, a varint that is too long) throws a ProtocolError and
 * leaves the position where the value began or inside it: the reader is of no more use.
 */
export class ByteReader {
  readonly buffer: Buffer;
  readonly limit: number;
  position: number;

  constructor(bytes: Uint8Array, position = 0, limit = bytes.length) {
    if (position < 0 || limit > bytes.length || position > limit) {
      throw new ProtocolError(
        `A reader of [${position}, ${limit}) does not fit ${bytes.length} bytes`,
      );
    }
    this.buffer = asBuffer(bytes);
    this.position = position;
    this.limit = limit;
  }

  get remaining(): number {
    return this.limit - this.position;
  }

  // `!` below: `#advance` has checked that the bytes are there.

  int8(): number {
    return (this.buffer[this.#advance(1)]! << 24) >> 24;
  }

  uint8(): number {
    return this.buffer[this.#advance(1)]!;
  }

  int16(): number {
    const at = this.#advance(2);
    return ((this.buffer[at]! << 24) >> 16) | this.buffer[at + 1]!;
  }

  uint16(): number {
    const at = this.#advance(2);
    return (this.buffer[at]! << 8) | this.buffer[at + 1]!;
  }

  int32(): number {
    return readInt32(this.buffer, this.#advance(4));
  }

  uint32(): number {
    return readInt32(this.buffer, this.#advance(4)) >>> 0;
  }

  int64(): bigint {
    return this.buffer.readBigInt64BE(this.#advance(8));
  }

  /** A 64-bit integer that must be a safe one. */
  safeInt64(): number {
    const value = readInt64(this.buffer, this.#advance(8));
    if (!Number.isSafeInteger(value)) throw new ProtocolError('A 64-bit integer is too large');
    return value;
  }

  float64(): number {
    return this.buffer.readDoubleBE(this.#advance(8));
  }

  /** An unsigned 32-bit integer in one to five bytes of seven bits, least significant first. */
  unsignedVarint(): number {
    const { buffer, limit } = this;
    let at = this.position;
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      if (at >= limit) throw overrun(1, 0);
      const byte = buffer[at++]!;
      if (shift === 28 && byte > 0x0f) break;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.position = at;
        return value >>> 0;
      }
    }
    throw new ProtocolError('A variable-length integer has more than 32 bits');
  }

  /** A signed 32-bit integer, zigzag coded: 0, -1, 1, -2, ... */
  varint(): number {
    const value = this.unsignedVarint();
    return (value >>> 1) ^ -(value & 1);
  }

  /** A signed 64-bit integer, zigzag coded, that must be a safe one. */
  varlong(): number {
    const { buffer, limit } = this;
    let at = this.position;
    let low = 0;
    // Bits 28 and up; a float holds these 36 bits exactly.
    let high = 0;
    let scale = 1;
    for (let index = 0; index < 10; index++) {
      if (at >= limit) throw overrun(1, 0);
      const byte = buffer[at++]!;
      if (index < 4) {
        low |= (byte & 0x7f) << (7 * index);
      } else {
        high += (byte & 0x7f) * scale;
        scale *= 128;
      }
      if (byte >= 0x80) continue;
      this.position = at;
      const half = high * 0x8000000 + (low >>> 1);
      const value = low & 1 ? -half - 1 : half;
      if (!Number.isSafeInteger(value)) break;
      return value;
    }
    throw new ProtocolError('A variable-length integer is too large');
  }

  /** A borrowed slice of `length` bytes. */
  bytes(length: number): Buffer {
    const at = this.#advance(length);
    return this.buffer.subarray(at, at + length);
  }

  /** Text of `length` bytes; what is not UTF-8 becomes U+FFFD. */
  utf8(length: number): string {
    const at = this.#advance(length);
    return this.buffer.toString('utf8', at, at + length);
  }

  skip(length: number): void {
    this.#advance(length);
  }

  /** Moves over `length` bytes and returns where they begin. */
  #advance(length: number): number {
    const at = this.position;
    // Written so that a length that is not a number fails too.
    if (!(length >= 0 && length <= this.limit - at)) throw overrun(length, this.limit - at);
    this.position = at + length;
    return at;
  }
}

/** The same memory as a Buffer. */
export function asBuffer(bytes: Uint8Array): Buffer {
  if (Buffer.isBuffer(bytes)) return bytes;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A signed 32-bit integer at `at`, which the caller has checked to be inside. */
export function readInt32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

/** A signed 64-bit integer at `at`, which the caller has checked to be inside; exact where it is a safe integer. */
export function readInt64(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at) * 0x100000000 + (readInt32(bytes, at + 4) >>> 0);
}

function overrun(length: number, remaining: number): ProtocolError {
  if (length < 0) return new ProtocolError(`A length is negative: ${length}`);
  return new ProtocolError(`${length} bytes are announced, ${remaining} are left`);
}
