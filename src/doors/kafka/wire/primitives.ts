import { AssertionError, limits, ProtocolError } from '../../../base/index.ts';

/**
 * What the generated readers and writers call. A reader's function gets positions that were checked to be inside the
 * frame; a writer's gets room that was made before.
 */
export const primitives = {
  elementsMax: limits.wireElementsMax,
  textBytesMax: limits.wireTextBytesMax,
  overrun,
  wrongLength,
  wrongNull,
  wrongTag,
  tooMany,
  wrongVarint,
  safe,
  saturated,
  text,
  uuidText,
  unsupported,
  putInt64,
  putSaturated,
  putUuid,
  putString,
  putCompactString,
  putVarint,
  closeTag,
  slicesBytes,
};

function overrun(): never {
  throw new ProtocolError('A message ends before its last field');
}

function wrongLength(length: number): never {
  throw new ProtocolError(`A length or count of ${length} does not fit its message`);
}

function wrongNull(name: string): never {
  throw new ProtocolError(`The field ${name} is null in a version in which it may not be`);
}

function wrongTag(tag: number): never {
  throw new ProtocolError(`The tagged field ${tag} does not have the length that it announces`);
}

function tooMany(): never {
  throw new ProtocolError(`A message has more than ${limits.wireElementsMax} elements`);
}

function wrongVarint(): never {
  throw new ProtocolError('A variable-length integer is too long');
}

function safe(value: number): number {
  if (!Number.isSafeInteger(value)) throw new ProtocolError('A 64-bit integer is too large');
  return value;
}

function saturated(value: number): number {
  return Math.min(Math.max(value, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
}

function text(buffer: Buffer, start: number, end: number): string {
  return start === end ? '' : buffer.toString('utf8', start, end);
}

/** Where the two digits of each byte stand in the canonical text. */
const uuidDigits: readonly number[] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
const hexDigits = Buffer.from('0123456789abcdef');
/** Overwritten by each call: one flat string out of one buffer is twice as fast as putting pieces together. */
const uuidScratch = Buffer.alloc(36, '-');

function uuidText(buffer: Buffer, at: number): string {
  for (let index = 0; index < 16; index++) {
    const byte = buffer[at + index]!;
    const digit = uuidDigits[index]!;
    uuidScratch[digit] = hexDigits[byte >> 4]!;
    uuidScratch[digit + 1] = hexDigits[byte & 15]!;
  }
  return uuidScratch.toString('latin1');
}

function unsupported(name: string, version: number): never {
  throw new AssertionError(`Version ${version} cannot carry a value of the field ${name}`);
}

function putInt64(buffer: Buffer, at: number, value: number): void {
  const high = Math.floor(value / 0x100000000);
  const low = value - high * 0x100000000;
  buffer[at] = high >>> 24;
  buffer[at + 1] = high >>> 16;
  buffer[at + 2] = high >>> 8;
  buffer[at + 3] = high;
  buffer[at + 4] = low >>> 24;
  buffer[at + 5] = low >>> 16;
  buffer[at + 6] = low >>> 8;
  buffer[at + 7] = low;
}

function putSaturated(buffer: Buffer, at: number, value: number): void {
  if (value < Number.MAX_SAFE_INTEGER) return putInt64(buffer, at, value);
  buffer[at] = 0x7f;
  buffer.fill(0xff, at + 1, at + 8);
}

function hexDigit(unit: number): number {
  if (unit >= 0x30 && unit <= 0x39) return unit - 0x30;
  const letter = unit | 0x20;
  if (letter >= 0x61 && letter <= 0x66) return letter - 0x57;
  throw new AssertionError('A UUID has a character that is no hexadecimal digit');
}

function putUuid(buffer: Buffer, at: number, value: string): void {
  if (value.length !== 36) throw new AssertionError(`Not a UUID: ${value}`);
  for (let index = 0; index < 16; index++) {
    const digit = uuidDigits[index]!;
    buffer[at + index] =
      (hexDigit(value.charCodeAt(digit)) << 4) | hexDigit(value.charCodeAt(digit + 1));
  }
}

/** Texts up to this many characters are written in JavaScript: cheaper than a call into the runtime. */
const shortTextChars = 24;

/** Writes the text without its length and returns the position behind it. */
function putText(buffer: Buffer, at: number, value: string): number {
  const { length } = value;
  if (length > shortTextChars) return at + buffer.write(value, at, 'utf8');
  for (let index = 0; index < length; index++) {
    const unit = value.charCodeAt(index);
    if (unit > 0x7f) return at + buffer.write(value, at, 'utf8');
    buffer[at + index] = unit;
  }
  return at + length;
}

/** With a length of 16 bits; the room is three bytes for each character and two more. */
function putString(buffer: Buffer, at: number, value: string): number {
  const end = putText(buffer, at + 2, value);
  const length = end - at - 2;
  if (length > limits.wireTextBytesMax)
    throw new AssertionError(`A string of ${length} bytes is too long to write`);
  buffer[at] = length >>> 8;
  buffer[at + 1] = length;
  return end;
}

/** With its length plus one as a varint (KIP-482); the room is three bytes for each character and five more. */
function putCompactString(buffer: Buffer, at: number, value: string): number {
  // A text that takes less than 127 bytes whatever its characters are has a length of one byte.
  if (value.length > 42) {
    return putText(buffer, putVarint(buffer, at, Buffer.byteLength(value) + 1), value);
  }
  const end = putText(buffer, at + 1, value);
  buffer[at] = end - at;
  return end;
}

function putVarint(buffer: Buffer, at: number, value: number): number {
  let rest = value;
  let end = at;
  while (rest > 0x7f) {
    buffer[end++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  buffer[end++] = rest;
  return end;
}

/**
 * Writes the length of a tagged field whose value was written from `start + 1` to `end`, moving the value when the
 * length takes more than one byte; the room is four bytes behind `end`.
 */
function closeTag(buffer: Buffer, start: number, end: number): number {
  const length = end - start - 1;
  if (length < 0x80) {
    buffer[start] = length;
    return end;
  }
  const lengthBytes = length < 0x4000 ? 2 : length < 0x200000 ? 3 : length < 0x10000000 ? 4 : 5;
  buffer.copyWithin(start + lengthBytes, start + 1, end);
  putVarint(buffer, start, length);
  return end + lengthBytes - 1;
}

function slicesBytes(value: Uint8Array | readonly Uint8Array[]): number {
  if (value instanceof Uint8Array) return value.length;
  let length = 0;
  for (let index = 0; index < value.length; index++) length += value[index]!.length;
  return length;
}
