import { isUtf8 } from 'node:buffer';
import { ProtocolError } from '../base/index.ts';

/*
 * Encoded record headers: one after the other varint length of the name, name, varint length of the value (−1: null),
 * value. Varints are zigzag coded; see bytes/record-batch.ts.
 */

/** Bytes of the varint at `at`, which must end before `end`. */
export function varintSize(bytes: Uint8Array, at: number, end: number): number {
  for (let index = at; index < end && index < at + 5; index++) {
    if (bytes[index]! < 0x80) return index + 1 - at;
  }
  throw new ProtocolError('A header is cut in a length');
}

/** The length in the varint of `size` bytes at `at`: −1 for null. */
export function varintLength(bytes: Uint8Array, at: number, size: number): number {
  let coded = 0;
  for (let index = size - 1; index >= 0; index--) {
    coded = coded * 128 + (bytes[at + index]! & 0x7f);
  }
  // Beyond 32 bits, or below −1, it is no length at all; what is too large is found when it is compared with the end.
  return coded % 2 === 0 ? coded / 2 : coded === 1 ? -1 : Number.MAX_SAFE_INTEGER;
}

export function throwCut(): never {
  throw new ProtocolError('A header is longer than what holds it');
}

/** Whether `bytes[from, to)` is UTF-8. ASCII, which nearly all is, takes no call. */
export function isUtf8Range(bytes: Uint8Array, from: number, to: number): boolean {
  for (let index = from; index < to; index++) {
    if (bytes[index]! >= 0x80) return isUtf8(bytes.subarray(index, to));
  }
  return true;
}

/** The integer whose 1 to 15 decimal digits are `bytes[at, at + length)`; −1 when they are none. */
export function parseDigits(bytes: Uint8Array, at: number, length: number): number {
  if (length < 1 || length > 15) return -1;
  let value = 0;
  for (let index = at; index < at + length; index++) {
    const digit = bytes[index]! - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}
