import { asBuffer, type ByteWriter } from '../bytes/index.ts';
import { type FieldType, fieldTypeNames, findFieldType } from './field.ts';

/*
 * The value of `pabal.types`: one entry for each header that is not what it would be taken for (valid UTF-8: text, else
 * bytes), in the order of the headers, with one space between them: `name=type`, or `name=type.label`. The name is the
 * header's as it is stored; bytes up to 0x20, 0x7f, `%` and `=` are written `%` and two hexadecimal digits.
 */

const space = 0x20;
const percent = 0x25;
const equals = 0x3d;
const dot = 0x2e;

/** Up to so many bytes are searched for each header anew; more are read once, into a map. */
const searchedBytesMax = 256;

const typeNameBytes = fieldTypeNames.map((name) => Buffer.from(name, 'latin1'));

function mustEscape(byte: number): boolean {
  return byte <= space || byte === percent || byte === equals || byte === 0x7f;
}

/** Appends the beginning of an entry: what is left to write is its name. */
export function beginTypeEntry(writer: ByteWriter): void {
  if (writer.position > 0) writer.uint8(space);
}

export function writeTypeEntryName(
  writer: ByteWriter,
  bytes: Uint8Array,
  from: number,
  to: number,
): void {
  for (let index = from; index < to; index++) {
    const byte = bytes[index]!;
    if (mustEscape(byte)) {
      writer.uint8(percent);
      writer.utf8(byte.toString(16).padStart(2, '0'));
    } else {
      writer.uint8(byte);
    }
  }
}

export function endTypeEntry(writer: ByteWriter, type: FieldType, label: string | undefined): void {
  writer.uint8(equals);
  writer.bytes(typeNameBytes[type]!);
  if (label === undefined || label === '') return;
  writer.uint8(dot);
  const bytes = Buffer.from(label, 'utf8');
  writeTypeEntryName(writer, bytes, 0, bytes.length);
}

/** Where an entry's parts stand. */
interface Entry {
  readonly at: number;
  /** The `=`, or the entry's end. */
  readonly nameTo: number;
  /** The first dot behind it, or the entry's end. */
  readonly typeTo: number;
  readonly to: number;
}

/**
 * Answers the types of one message's headers. Few of them are found without memory for each, at once when they are asked
 * for in the order of the entries; many are put into a map. So the work stays in proportion to the headers, whatever
 * somebody has written.
 */
export class HeaderTypes implements Entry {
  // The entry that was read last.
  at = 0;
  nameTo = 0;
  typeTo = 0;
  to = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #from = 0;
  #end = 0;
  /** Where the next entry begins. */
  #next = 0;
  #map: Map<string, Entry> | undefined;
  // Label of the type that `find` answered last; its bytes are those of the entry, still escaped.
  #labelFrom = 0;
  #labelTo = 0;

  /** An empty range: every header is what it is taken for. */
  begin(bytes: Uint8Array, at: number, end: number): void {
    this.#bytes = bytes;
    this.#from = at;
    this.#end = end;
    this.#next = at;
    this.#map = undefined;
    this.#labelTo = this.#labelFrom;
  }

  /** The type of the header of this stored name; −1 when it has no entry, or one that nobody knows. */
  find(bytes: Uint8Array, at: number, length: number): FieldType {
    this.#labelTo = this.#labelFrom;
    if (this.#from === this.#end) return -1;
    if (this.#end - this.#from > searchedBytesMax) return this.#findInMap(bytes, at, length);
    if (this.#next < this.#end && this.#isEntryOf(this.#next, bytes, at, length)) {
      return this.#take(this);
    }
    for (let entry = this.#from; entry < this.#end; entry = this.to + 1) {
      if (this.#isEntryOf(entry, bytes, at, length)) return this.#take(this);
    }
    return -1;
  }

  /** What stands behind the type that `find` answered last. */
  get label(): string | undefined {
    if (this.#labelTo === this.#labelFrom) return undefined;
    return asBuffer(unescape(this.#bytes, this.#labelFrom, this.#labelTo)).toString('utf8');
  }

  #take({ nameTo, typeTo, to }: Entry): FieldType {
    this.#next = to + 1;
    if (nameTo === to) return -1;
    this.#labelFrom = Math.min(typeTo + 1, to);
    this.#labelTo = to;
    return findFieldType(this.#bytes, nameTo + 1, typeTo - nameTo - 1);
  }

  #read(at: number): void {
    const bytes = this.#bytes;
    let nameTo = -1;
    let typeTo = -1;
    let index = at;
    for (; index < this.#end; index++) {
      const byte = bytes[index]!;
      if (byte === space) break;
      if (byte === equals && nameTo < 0) nameTo = index;
      else if (byte === dot && nameTo >= 0 && typeTo < 0) typeTo = index;
    }
    this.at = at;
    this.nameTo = nameTo < 0 ? index : nameTo;
    this.typeTo = typeTo < 0 ? index : typeTo;
    this.to = index;
  }

  /** Reads the entry, and tells whether it is that of the name. */
  #isEntryOf(entry: number, bytes: Uint8Array, at: number, length: number): boolean {
    this.#read(entry);
    const own = this.#bytes;
    const end = at + length;
    let other = at;
    for (let index = entry; index < this.nameTo; index++) {
      if (other === end) return false;
      let byte = own[index]!;
      if (byte === percent) {
        byte = hexByte(own, index + 1, this.nameTo);
        index += 2;
      }
      if (byte !== bytes[other]) return false;
      other++;
    }
    return other === end;
  }

  #findInMap(bytes: Uint8Array, at: number, length: number): FieldType {
    this.#map ??= this.#readAll();
    const entry = this.#map.get(asBuffer(bytes).toString('latin1', at, at + length));
    return entry === undefined ? -1 : this.#take(entry);
  }

  #readAll(): Map<string, Entry> {
    const map = new Map<string, Entry>();
    for (let entry = this.#from; entry < this.#end; entry = this.to + 1) {
      this.#read(entry);
      const { at, nameTo, typeTo, to } = this;
      const name = asBuffer(unescape(this.#bytes, at, nameTo)).toString('latin1');
      if (!map.has(name)) map.set(name, { at, nameTo, typeTo, to });
    }
    return map;
  }
}

function unescape(bytes: Uint8Array, from: number, to: number): Uint8Array {
  const result = new Uint8Array(to - from);
  let length = 0;
  for (let index = from; index < to; index++) {
    const byte = bytes[index]!;
    if (byte === percent) {
      result[length++] = hexByte(bytes, index + 1, to);
      index += 2;
    } else {
      result[length++] = byte;
    }
  }
  return result.subarray(0, length);
}

/** The byte that two hexadecimal digits at `at` stand for; 0x100, which is no byte, when there are none. */
function hexByte(bytes: Uint8Array, at: number, end: number): number {
  if (at + 2 > end) return 0x100;
  const high = hexDigit(bytes[at]!);
  const low = hexDigit(bytes[at + 1]!);
  return high < 0 || low < 0 ? 0x100 : high * 16 + low;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1;
}
