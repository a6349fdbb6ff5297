import { asBuffer } from './reader.ts';

/** Up to here a loop is faster than a call into native code. */
const shortBytes = 24;

/**
 * Writes big-endian values one after the other into memory that grows.
 * Integers are cut to their width; the caller checks ranges. `finish()` returns a view that the next `reset()` and the
 * writes after it overwrite; `take()` gives the memory away instead.
 */
export class ByteWriter {
  position = 0;
  #buffer: Buffer;
  readonly #initialBytes: number;

  constructor(initialBytes = 256) {
    this.#initialBytes = Math.max(initialBytes, 16);
    this.#buffer = Buffer.allocUnsafeSlow(this.#initialBytes);
  }

  /** The bytes that fit before the memory must grow. */
  get capacity(): number {
    return this.#buffer.length;
  }

  /** Makes room for `length` further bytes. */
  ensure(length: number): void {
    const needed = this.position + length;
    if (needed > this.#buffer.length) this.#grow(needed);
  }

  int8(value: number): void {
    this.ensure(1);
    this.#buffer[this.position++] = value;
  }

  uint8(value: number): void {
    this.int8(value);
  }

  int16(value: number): void {
    this.ensure(2);
    const at = this.position;
    this.#buffer[at] = value >>> 8;
    this.#buffer[at + 1] = value;
    this.position = at + 2;
  }

  uint16(value: number): void {
    this.int16(value);
  }

  int32(value: number): void {
    this.ensure(4);
    writeInt32(this.#buffer, this.position, value);
    this.position += 4;
  }

  uint32(value: number): void {
    this.int32(value);
  }

  int64(value: bigint): void {
    this.ensure(8);
    this.position = this.#buffer.writeBigInt64BE(BigInt.asIntN(64, value), this.position);
  }

  /** A safe integer as a 64-bit one. */
  safeInt64(value: number): void {
    this.ensure(8);
    writeInt64(this.#buffer, this.position, value);
    this.position += 8;
  }

  float64(value: number): void {
    this.ensure(8);
    this.position = this.#buffer.writeDoubleBE(value, this.position);
  }

  /** An unsigned 32-bit integer in one to five bytes of seven bits, least significant first. */
  unsignedVarint(value: number): void {
    this.ensure(5);
    let rest = value >>> 0;
    while (rest > 0x7f) {
      this.#buffer[this.position++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#buffer[this.position++] = rest;
  }

  /** A signed 32-bit integer, zigzag coded. */
  varint(value: number): void {
    this.unsignedVarint((value << 1) ^ (value >> 31));
  }

  /** A safe integer, zigzag coded as a 64-bit one. */
  varlong(value: number): void {
    if (value >= -0x40000000 && value < 0x40000000) return this.varint(value);
    this.ensure(10);
    // Zigzag doubles the magnitude, which may leave the safe range: the lowest seven bits are taken off first.
    const isNegative = value < 0;
    const half = isNegative ? -(value + 1) : value;
    this.#buffer[this.position++] = 0x80 | ((half % 64) * 2) | (isNegative ? 1 : 0);
    let rest = Math.floor(half / 64);
    while (rest > 0x7f) {
      this.#buffer[this.position++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.#buffer[this.position++] = rest;
  }

  bytes(value: Uint8Array): void {
    this.ensure(value.length);
    this.#buffer.set(value, this.position);
    this.position += value.length;
  }

  /** Writes `source[from, to)` without a view of it. */
  range(source: Uint8Array, from: number, to: number): void {
    const length = to - from;
    this.ensure(length);
    const target = this.#buffer;
    if (length > shortBytes) {
      asBuffer(source).copy(target, this.position, from, to);
      this.position += length;
      return;
    }
    let at = this.position;
    for (let index = from; index < to; index++) target[at++] = source[index]!;
    this.position = at;
  }

  /** Writes a safe integer as decimal ASCII digits; see `decimalBytes`. */
  decimal(value: number): void {
    this.ensure(17);
    let rest = value;
    if (value < 0) {
      this.#buffer[this.position++] = 0x2d;
      rest = -value;
    }
    const end = this.position + decimalBytes(rest);
    let at = end;
    do {
      const quotient = Math.floor(rest / 10);
      this.#buffer[--at] = 0x30 + (rest - quotient * 10);
      rest = quotient;
    } while (rest > 0);
    this.position = end;
  }

  /** Writes `value` as UTF-8, without its length, and returns how many bytes it took. */
  utf8(value: string): number {
    this.ensure(value.length * 3);
    const count = this.#buffer.write(value, this.position, 'utf8');
    this.position += count;
    return count;
  }

  zeros(length: number): void {
    this.ensure(length);
    this.#buffer.fill(0, this.position, this.position + length);
    this.position += length;
  }

  /** Overwrites four bytes that were written before. */
  patchInt32(at: number, value: number): void {
    writeInt32(this.#buffer, at, value);
  }

  /** What was written so far: a view, valid until the next `reset()` or growth. */
  finish(): Buffer {
    return this.#buffer.subarray(0, this.position);
  }

  /** What was written so far, for keeps: the writer starts again with new memory. */
  take(): Buffer {
    const result = this.finish();
    this.#buffer = Buffer.allocUnsafeSlow(this.#initialBytes);
    this.position = 0;
    return result;
  }

  /** Starts again in the same memory; memory beyond `keepBytesMax` is given back. */
  reset(keepBytesMax = Number.MAX_SAFE_INTEGER): void {
    this.position = 0;
    if (this.#buffer.length > Math.max(keepBytesMax, this.#initialBytes)) {
      this.#buffer = Buffer.allocUnsafeSlow(this.#initialBytes);
    }
  }

  #grow(needed: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
    larger.set(this.#buffer.subarray(0, this.position));
    this.#buffer = larger;
  }
}

/** Writes a 32-bit integer at `at`, which the caller has checked to be inside. */
export function writeInt32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Writes a safe integer as a 64-bit one at `at`, which the caller has checked to be inside. */
export function writeInt64(bytes: Uint8Array, at: number, value: number): void {
  const high = Math.floor(value / 0x100000000);
  writeInt32(bytes, at, high);
  writeInt32(bytes, at + 4, value - high * 0x100000000);
}

/** How many bytes `decimal()` takes for `value`. */
export function decimalBytes(value: number): number {
  let count = value < 0 ? 2 : 1;
  for (let rest = Math.abs(value); rest >= 10; rest = Math.floor(rest / 10)) count++;
  return count;
}

/** How many bytes `varint()` takes for `value`. */
export function varintBytes(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
  if (zigzag < 0x80) return 1;
  if (zigzag < 0x4000) return 2;
  if (zigzag < 0x200000) return 3;
  return zigzag < 0x10000000 ? 4 : 5;
}

/** How many bytes `varlong()` takes for `value`. */
export function varlongBytes(value: number): number {
  if (value >= -0x40000000 && value < 0x40000000) return varintBytes(value);
  // The lowest byte holds six bits of the magnitude, each further one seven.
  let rest = Math.floor((value < 0 ? -(value + 1) : value) / 64);
  let count = 1;
  while (rest > 0) {
    rest = Math.floor(rest / 128);
    count++;
  }
  return count;
}
