import { limits, ProtocolError } from '../../../base/index.ts';
import { type ByteWriter, readInt64 } from '../../../bytes/index.ts';

/**
 * A value of a field table with the letter of its type, as RabbitMQ reads and writes them (which differs from the
 * specification's §4.2.1): t boolean, b B 8 bits, s u 16, I i 32, l L 64 (both signed), f d floating point, D decimal,
 * S long string, A array, T seconds since the epoch, F table, V nothing, x bytes.
 */
export type Field =
  | { readonly type: 't'; readonly value: boolean }
  | { readonly type: 'b' | 'B' | 's' | 'u' | 'I' | 'i' | 'f' | 'd'; readonly value: number }
  /** A bigint beyond the safe integers. */
  | { readonly type: 'l' | 'L' | 'T'; readonly value: number | bigint }
  | { readonly type: 'D'; readonly value: { readonly scale: number; readonly unscaled: number } }
  | { readonly type: 'S'; readonly value: string }
  | { readonly type: 'x'; readonly value: Uint8Array }
  | { readonly type: 'A'; readonly value: readonly Field[] }
  | { readonly type: 'F'; readonly value: FieldTable }
  | { readonly type: 'V'; readonly value: null };

/** In the order of the wire; of entries with the same name the last counts. */
export type FieldTable = ReadonlyMap<string, Field>;

export const emptyTable: FieldTable = new Map();

/**
 * Walks the entries of a table, or the items of an array, without making objects: after `next()` the fields say where
 * the entry lies in `bytes`. A lie about a length throws a ProtocolError.
 */
export class FieldCursor {
  bytes: Buffer;
  /** Of the name's UTF-8; both 0 in an array. */
  nameAt = 0;
  nameBytes = 0;
  /** The letter's character code. */
  type = 0;
  /** Of the value itself: for S, x, A and F without its length. */
  valueAt = 0;
  valueBytes = 0;
  #at: number;
  #end: number;
  #isArray: boolean;

  constructor() {
    this.bytes = nothing;
    this.#at = 0;
    this.#end = 0;
    this.#isArray = false;
  }

  /** `bytes[from, to)` holds the entries, without the length in front. */
  enter(bytes: Buffer, from: number, to: number, isArray: boolean): void {
    this.bytes = bytes;
    this.#at = from;
    this.#end = to;
    this.#isArray = isArray;
  }

  next(): boolean {
    const end = this.#end;
    let at = this.#at;
    if (at >= end) return false;
    const bytes = this.bytes;
    if (this.#isArray) {
      this.nameAt = 0;
      this.nameBytes = 0;
    } else {
      this.nameBytes = bytes[at]!;
      this.nameAt = at + 1;
      at += 1 + this.nameBytes;
      if (at >= end) throw overrun();
    }
    const type = bytes[at]!;
    at += 1;
    let length = fixedBytes[type]!;
    if (length === lengthFollows) {
      if (at + 4 > end) throw overrun();
      length = bytes.readUInt32BE(at);
      at += 4;
    } else if (length === unknownLetter) {
      throw new ProtocolError(`unknown field type ${type}`);
    }
    if (length > end - at) throw overrun();
    this.type = type;
    this.valueAt = at;
    this.valueBytes = length;
    this.#at = at + length;
    return true;
  }

  /** For letters with one: t is 0 or 1, a safe integer where it is one, else a bigint; D is its unscaled number. */
  number(): number | bigint {
    const { bytes, valueAt: at } = this;
    switch (this.type) {
      case letter.t:
        return bytes[at] === 0 ? 0 : 1;
      case letter.b:
        return bytes.readInt8(at);
      case letter.B:
        return bytes[at]!;
      case letter.s:
        return bytes.readInt16BE(at);
      case letter.u:
        return bytes.readUInt16BE(at);
      case letter.I:
        return bytes.readInt32BE(at);
      case letter.i:
        return bytes.readUInt32BE(at);
      case letter.l:
      case letter.L:
        return long(bytes.readBigInt64BE(at));
      case letter.T:
        return long(bytes.readBigUInt64BE(at));
      case letter.f:
        return bytes.readFloatBE(at);
      case letter.d:
        return bytes.readDoubleBE(at);
      case letter.D:
        return bytes.readUInt32BE(at + 1);
      default:
        throw new ProtocolError(`no number: field type ${this.type}`);
    }
  }
}

/** Character codes of the letters. */
export const letter = {
  t: 0x74,
  b: 0x62,
  B: 0x42,
  s: 0x73,
  u: 0x75,
  I: 0x49,
  i: 0x69,
  l: 0x6c,
  L: 0x4c,
  f: 0x66,
  d: 0x64,
  D: 0x44,
  S: 0x53,
  A: 0x41,
  T: 0x54,
  F: 0x46,
  V: 0x56,
  x: 0x78,
} as const;

const unknownLetter = -2;
const lengthFollows = -1;
/** Bytes of a value by its letter. */
const fixedBytes: Int8Array = (() => {
  const table = new Int8Array(256).fill(unknownLetter);
  for (const code of [letter.t, letter.b, letter.B]) table[code] = 1;
  for (const code of [letter.s, letter.u]) table[code] = 2;
  for (const code of [letter.I, letter.i, letter.f]) table[code] = 4;
  for (const code of [letter.l, letter.L, letter.d, letter.T]) table[code] = 8;
  for (const code of [letter.S, letter.x, letter.A, letter.F]) table[code] = lengthFollows;
  table[letter.D] = 5;
  table[letter.V] = 0;
  return table;
})();

/**
 * Reads the entries in `bytes[from, to)`, without the length in front. Throws a ProtocolError for lengths that lie,
 * unknown letters, and tables deeper than `limits.fieldDepthMax`.
 */
export function readTable(bytes: Buffer, from: number, to: number, depth = 0): FieldTable {
  if (from === to) return emptyTable;
  const table = new Map<string, Field>();
  const cursor = enterNested(bytes, from, to, false, depth);
  while (cursor.next()) {
    const name = bytes.toString('utf8', cursor.nameAt, cursor.nameAt + cursor.nameBytes);
    table.set(name, readField(cursor, depth));
  }
  return table;
}

/** The value at which the cursor stands. Bytes are copied. */
export function readField(cursor: FieldCursor, depth = 0): Field {
  const { bytes, type, valueAt, valueBytes } = cursor;
  const valueEnd = valueAt + valueBytes;
  switch (type) {
    case letter.S:
      return { type: 'S', value: bytes.toString('utf8', valueAt, valueEnd) };
    case letter.x:
      return { type: 'x', value: Buffer.from(bytes.subarray(valueAt, valueEnd)) };
    case letter.F:
      return { type: 'F', value: readTable(bytes, valueAt, valueEnd, depth + 1) };
    case letter.A:
      return { type: 'A', value: readItems(bytes, valueAt, valueEnd, depth + 1) };
    case letter.V:
      return { type: 'V', value: null };
    case letter.t:
      return { type: 't', value: bytes[valueAt] !== 0 };
    case letter.D:
      return {
        type: 'D',
        value: { scale: bytes[valueAt]!, unscaled: bytes.readUInt32BE(valueAt + 1) },
      };
    case letter.l:
    case letter.L:
      // Both are read as the same type; RabbitMQ writes it as `l`.
      return { type: 'l', value: cursor.number() };
    case letter.T:
      return { type: 'T', value: cursor.number() };
    default:
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the letters that are left hold plain numbers
      return { type: String.fromCharCode(type), value: cursor.number() } as Field;
  }
}

function readItems(bytes: Buffer, from: number, to: number, depth: number): Field[] {
  const items: Field[] = [];
  const cursor = enterNested(bytes, from, to, true, depth);
  while (cursor.next()) items.push(readField(cursor, depth));
  return items;
}

function enterNested(bytes: Buffer, from: number, to: number, isArray: boolean, depth: number) {
  if (depth > limits.fieldDepthMax) throw new ProtocolError('field tables are nested too deeply');
  const cursor = new FieldCursor();
  cursor.enter(bytes, from, to, isArray);
  return cursor;
}

/** Writes a table with its length in front. */
export function writeTable(writer: ByteWriter, table: FieldTable): void {
  const lengthAt = writer.position;
  writer.uint32(0);
  for (const [name, field] of table) {
    writeShortText(writer, name);
    writeField(writer, field);
  }
  writer.patchInt32(lengthAt, writer.position - lengthAt - 4);
}

export function writeField(writer: ByteWriter, field: Field): void {
  writer.uint8(field.type === 'L' ? letter.l : letter[field.type]);
  switch (field.type) {
    case 't':
      return writer.uint8(field.value ? 1 : 0);
    case 'b':
    case 'B':
      return writer.int8(field.value);
    case 's':
    case 'u':
      return writer.int16(field.value);
    case 'I':
    case 'i':
      return writer.int32(field.value);
    case 'l':
    case 'L':
    case 'T':
      return writer.int64(BigInt(field.value));
    case 'f':
      writer.ensure(4);
      return writer.bytes(floatBytes(field.value));
    case 'd':
      return writer.float64(field.value);
    case 'D':
      writer.uint8(field.value.scale);
      return writer.uint32(field.value.unscaled);
    case 'S':
      return writeLongText(writer, field.value);
    case 'x':
      writer.uint32(field.value.length);
      return writer.bytes(field.value);
    case 'A': {
      const lengthAt = writer.position;
      writer.uint32(0);
      for (const item of field.value) writeField(writer, item);
      return writer.patchInt32(lengthAt, writer.position - lengthAt - 4);
    }
    case 'F':
      return writeTable(writer, field.value);
    case 'V':
      return undefined;
  }
}

/** A string of at most 255 bytes with one byte for its length; longer ones are cut, which no name of ours is. */
export function writeShortText(writer: ByteWriter, text: string): void {
  const at = writer.position;
  writer.uint8(0);
  const length = writer.utf8(text);
  if (length > shortBytesMax) writer.position = at + 1 + shortBytesMax;
  writer.finish()[at] = Math.min(length, shortBytesMax);
}

export function writeLongText(writer: ByteWriter, text: string): void {
  const at = writer.position;
  writer.uint32(0);
  writer.patchInt32(at, writer.utf8(text));
}

const shortBytesMax = 255;
const nothing = Buffer.alloc(0);

function floatBytes(value: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeFloatBE(value);
  return bytes;
}

function long(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** A 64-bit integer at `at` as a number; beyond the safe integers it is not exact. */
export function readLongNumber(bytes: Buffer, at: number): number {
  return readInt64(bytes, at);
}

function overrun(): ProtocolError {
  return new ProtocolError('a field is longer than the table that it stands in');
}
