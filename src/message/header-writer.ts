import { asBuffer, ByteWriter, decimalBytes, varintBytes } from '../bytes/index.ts';
import { type FieldType, type FieldValue, fieldType, type TypedValue, typedOf } from './field.ts';
import { textOf } from './field-text.ts';
import { HeaderReader } from './header-reader.ts';
import { beginTypeEntry, endTypeEntry, writeTypeEntryName } from './header-types.ts';
import { isUtf8Range } from './header-walk.ts';
import { matchesAt } from './name-table.ts';
import {
  annotationPrefix,
  escapePrefix,
  findProperty,
  fitsForm,
  footerPrefix,
  hasPropertyPrefix,
  headerNameBytesOf,
  isPassable,
  keyName,
  type PropertyId,
  property,
  propertyCount,
} from './property.ts';

const ascii = (text: string): Buffer => Buffer.from(text, 'latin1');
const escapeBytes = ascii(escapePrefix);
const keyBytes = ascii(keyName);
const openPrefixes = [ascii(annotationPrefix), ascii(footerPrefix)];
const trueBytes = ascii('true');
const falseBytes = ascii('false');
const noName = new Uint8Array(0);

/** The largest integer that is stored as a property: a time in the year 33,658. */
export const integerMax = 999_999_999_999_999;

/** Memory that is kept between messages. */
const keptBytesMax = 64 * 1024;

/** What the name of an application's header makes of it. */
type NameKind = 'plain' | 'escaped' | 'property' | 'key';

/**
 * Encodes a message's properties and headers as record headers, into memory that is used again for the next message:
 * `reset()`; properties and headers in any order, properties of the protocol's own first; `finish()`. A property that is
 * there already is not added again. Allocates nothing for a header, except for nested values and names that begin with
 * `pabal.`.
 *
 * A header of the application is a name (`name`, `nameSlice`) and then one value (`valueText`, ...). One whose name is a
 * passable property's and whose value is of its form becomes that property; `pabal.key` becomes `key`; other names that
 * begin with `pabal.` are escaped.
 */
export class HeaderWriter {
  /** Headers so far; `pabal.types` counts from `finish()` on. */
  count = 0;
  /** What queues must know at once, of what was written: see `OutgoingMessage`. */
  priority: number | undefined;
  expiresAtMs: number | undefined;
  deliverAtMs: number | undefined;
  groupId: string | undefined;
  dedupId: string | undefined;
  /** The record's key, where a header gave one; memory of its own. */
  key: Uint8Array | undefined;
  readonly #writer = new ByteWriter(1024);
  readonly #types = new ByteWriter(256);
  readonly #present = new Uint8Array(propertyCount);
  #nameScratch = Buffer.alloc(256);
  #reader: HeaderReader | undefined;
  // The name whose value comes next.
  #name: Uint8Array = noName;
  #nameFrom = 0;
  #nameTo = 0;
  #nameKind: NameKind = 'plain';
  #nameProperty: PropertyId = -1;

  /** Starts again with nothing; what `finish()` gave is overwritten. */
  reset(): void {
    this.count = 0;
    this.priority = undefined;
    this.expiresAtMs = undefined;
    this.deliverAtMs = undefined;
    this.groupId = undefined;
    this.dedupId = undefined;
    this.key = undefined;
    this.#writer.reset(keptBytesMax);
    this.#types.reset(keptBytesMax);
    this.#present.fill(0);
    this.#name = noName;
  }

  /** The encoded headers without their count: a view, good until the next call of anything but a getter. */
  finish(): Buffer {
    const types = this.#types;
    if (types.position > 0) {
      const { position } = types;
      this.#propertyName(property.types);
      this.#writer.varint(position);
      this.#writer.range(types.finish(), 0, position);
      types.reset();
    }
    return this.#writer.finish();
  }

  has(id: PropertyId): boolean {
    return this.#present[id] === 1;
  }

  /** A property that is text. `type` where a protocol has several for it (message ids). */
  text(id: PropertyId, value: string, type: FieldType = fieldType.text): void {
    if (this.#present[id] === 1) return;
    this.#propertyName(id);
    this.#writeText(value);
    if (type !== fieldType.text) this.#propertyType(id, type);
    if (isScheduled(id)) this.#note(id, value);
  }

  /** As `text`, from UTF-8 bytes, or with the type `bytes` from any. */
  slice(
    id: PropertyId,
    bytes: Uint8Array,
    from: number,
    to: number,
    type: FieldType = fieldType.text,
  ): void {
    if (this.#present[id] === 1) return;
    this.#propertyName(id);
    this.#writer.varint(to - from);
    this.#writer.range(bytes, from, to);
    if (type !== fieldType.text) this.#propertyType(id, type);
    if (isScheduled(id)) this.#note(id, asBuffer(bytes).toString('utf8', from, to));
  }

  /** A property that is an integer: not negative; above `integerMax` it is that. */
  integer(id: PropertyId, value: number): void {
    if (this.#present[id] === 1) return;
    const bounded = Math.min(Math.max(Math.trunc(value), 0), integerMax);
    this.#propertyName(id);
    this.#writer.varint(decimalBytes(bounded));
    this.#writer.decimal(bounded);
    if (isScheduled(id)) this.#noteNumber(id, bounded);
  }

  /** The name of the application's next header; `bytes` is borrowed until its value was given. */
  nameSlice(bytes: Uint8Array, from: number, to: number): void {
    this.#name = bytes;
    this.#nameFrom = from;
    this.#nameTo = to;
    this.#nameKind = hasPropertyPrefix(bytes, from, to - from) ? this.#findKind() : 'plain';
  }

  name(value: string): void {
    const bytesMax = value.length * 3;
    if (this.#nameScratch.length < bytesMax) this.#nameScratch = Buffer.alloc(bytesMax);
    this.nameSlice(this.#nameScratch, 0, this.#nameScratch.write(value, 0, 'utf8'));
  }

  valueText(value: string, type: FieldType = fieldType.text, label?: string): void {
    if (this.#isReserved()) return this.#reservedText(type, value);
    this.#userName();
    this.#writeText(value);
    if (type !== fieldType.text || label !== undefined) this.#userType(type, label);
  }

  /** UTF-8 with the type `text`, or any bytes with the type `bytes`. */
  valueSlice(bytes: Uint8Array, from: number, to: number, type: FieldType, label?: string): void {
    if (this.#isReserved()) return this.#reservedSlice(bytes, from, to, type);
    this.#userName();
    this.#writer.varint(to - from);
    this.#writer.range(bytes, from, to);
    // Text that is none would be taken for bytes.
    if (type !== fieldType.text || label !== undefined || !isUtf8Range(bytes, from, to)) {
      this.#userType(type, label);
    }
  }

  /** A safe integer of an integer type, or milliseconds since the epoch as a timestamp. */
  valueInteger(value: number, type: FieldType): void {
    if (this.#isReserved()) return this.#reservedText(type, String(value));
    this.#userName();
    this.#writer.varint(decimalBytes(value));
    this.#writer.decimal(value);
    this.#userType(type, undefined);
  }

  valueBoolean(value: boolean): void {
    if (this.#isReserved()) return this.#reservedText(fieldType.boolean, String(value));
    const bytes = value ? trueBytes : falseBytes;
    this.#userName();
    this.#writer.varint(bytes.length);
    this.#writer.bytes(bytes);
    this.#userType(fieldType.boolean, undefined);
  }

  valueVoid(): void {
    // Nothing to be set: a property that is null is one that is not there.
    if (this.#isReserved()) this.#nameKind = 'escaped';
    this.#userName();
    this.#writer.varint(-1);
  }

  /** Any value. Tables and arrays that nest too deep throw a ProtocolError. */
  valueTyped(value: TypedValue, label?: string): void {
    if (value.type === 'void') return this.valueVoid();
    const type = fieldType[value.type];
    if (value.type === 'bytes') {
      return this.valueSlice(value.value, 0, value.value.length, type, label);
    }
    this.valueText(textOf(value) ?? '', type, label);
  }

  /** A header of the application. */
  header(name: string, value: FieldValue): void {
    this.name(name);
    this.valueTyped(typedOf(value));
  }

  /**
   * Adds the encoded headers `bytes[at, end)` as they are, except the properties that `isLeftOut`, and those that are
   * there already.
   */
  copy(
    bytes: Uint8Array,
    at: number,
    end: number,
    isLeftOut: (id: PropertyId) => boolean = () => false,
  ): void {
    const reader = (this.#reader ??= new HeaderReader());
    reader.begin(bytes, at, end);
    while (reader.next()) {
      const id = reader.property;
      const valueEnd = reader.valueAt + reader.valueBytes;
      if (id === property.types) {
        if (reader.valueBytes > 0) {
          beginTypeEntry(this.#types);
          this.#types.range(reader.bytes, reader.valueAt, valueEnd);
        }
        continue;
      }
      if (id >= 0) {
        if (this.#present[id] === 1 || isLeftOut(id)) continue;
        this.#present[id] = 1;
        if (isScheduled(id)) this.#note(id, reader.text);
      }
      this.#writer.range(reader.bytes, reader.headerAt, reader.headerEnd);
      this.count++;
    }
  }

  #findKind(): NameKind {
    const bytes = this.#name;
    const from = this.#nameFrom;
    const length = this.#nameTo - from;
    if (length === keyBytes.length && matchesAt(bytes, from, keyBytes)) return 'key';
    const id = findProperty(bytes, from, length);
    if (id >= 0 && isPassable(id)) {
      this.#nameProperty = id;
      return 'property';
    }
    const isOpen = openPrefixes.some(
      (prefix) => length >= prefix.length && matchesAt(bytes, from, prefix),
    );
    return isOpen ? 'plain' : 'escaped';
  }

  /** Whether the pending name is not an application's own word. */
  #isReserved(): boolean {
    return this.#nameKind === 'property' || this.#nameKind === 'key';
  }

  /** The value of a header whose name is a property's, or the key's. */
  #reservedText(type: FieldType, value: string): void {
    if (this.#nameKind === 'key') {
      this.key = Buffer.from(value, 'utf8');
      return;
    }
    const isNested = type === fieldType.table || type === fieldType.array;
    if (isNested || !fitsForm(this.#nameProperty, value)) {
      this.#nameKind = 'escaped';
      this.valueText(value, type);
      return;
    }
    this.text(this.#nameProperty, value);
  }

  #reservedSlice(bytes: Uint8Array, from: number, to: number, type: FieldType): void {
    if (this.#nameKind === 'key') {
      this.key = Uint8Array.prototype.slice.call(bytes, from, to);
      return;
    }
    if (!fitsForm(this.#nameProperty, asBuffer(bytes).toString('utf8', from, to))) {
      this.#nameKind = 'escaped';
      this.valueSlice(bytes, from, to, type);
      return;
    }
    this.slice(this.#nameProperty, bytes, from, to, type);
  }

  #propertyName(id: PropertyId): void {
    const name = headerNameBytesOf(id);
    this.#present[id] = 1;
    this.count++;
    this.#writer.varint(name.length);
    this.#writer.range(name, 0, name.length);
  }

  #userName(): void {
    const length = this.#nameTo - this.#nameFrom;
    this.count++;
    if (this.#nameKind === 'escaped') {
      this.#writer.varint(escapeBytes.length + length);
      this.#writer.bytes(escapeBytes);
    } else {
      this.#writer.varint(length);
    }
    this.#writer.range(this.#name, this.#nameFrom, this.#nameTo);
  }

  #writeText(value: string): void {
    const length = Buffer.byteLength(value);
    this.#writer.varint(length);
    this.#writer.utf8(value);
  }

  #propertyType(id: PropertyId, type: FieldType): void {
    const name = headerNameBytesOf(id);
    beginTypeEntry(this.#types);
    writeTypeEntryName(this.#types, name, 0, name.length);
    endTypeEntry(this.#types, type, undefined);
  }

  #userType(type: FieldType, label: string | undefined): void {
    beginTypeEntry(this.#types);
    if (this.#nameKind === 'escaped') {
      writeTypeEntryName(this.#types, escapeBytes, 0, escapeBytes.length);
    }
    writeTypeEntryName(this.#types, this.#name, this.#nameFrom, this.#nameTo);
    endTypeEntry(this.#types, type, label);
  }

  /** As `Schedule.read` will see it: what is empty or of the wrong form is none. */
  #note(id: PropertyId, value: string): void {
    if (value === '') return;
    if (id === property.group) this.groupId = value;
    else if (id === property.dedupId) this.dedupId = value;
    else if (/^\d{1,15}$/.test(value)) this.#noteNumber(id, Number(value));
  }

  #noteNumber(id: PropertyId, value: number): void {
    if (id === property.priority) this.priority = value;
    else if (id === property.expiresAt) this.expiresAtMs = value;
    else if (id === property.deliverAt) this.deliverAtMs = value;
  }
}

/** Bytes that a header of these lengths takes; a value of −1 is null. */
export function headerBytes(nameBytes: number, valueBytes: number): number {
  const valueSize = valueBytes < 0 ? 1 : varintBytes(valueBytes) + valueBytes;
  return varintBytes(nameBytes) + nameBytes + valueSize;
}

function isScheduled(id: PropertyId): boolean {
  return (
    id === property.priority ||
    id === property.expiresAt ||
    id === property.deliverAt ||
    id === property.group ||
    id === property.dedupId
  );
}
