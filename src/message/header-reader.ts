import { asBuffer } from '../bytes/index.ts';
import {
  type Fields,
  type FieldType,
  type FieldValue,
  fieldType,
  fieldTypeNames,
  newFields,
  plainOf,
  type TypedValue,
} from './field.ts';
import { parseTyped } from './field-text.ts';
import { HeaderTypes } from './header-types.ts';
import { isUtf8Range, parseDigits, throwCut, varintLength, varintSize } from './header-walk.ts';
import { matchesAt } from './name-table.ts';
import {
  escapePrefix,
  findProperty,
  hasPropertyPrefix,
  type PropertyId,
  property,
} from './property.ts';

const escapeBytes = Buffer.from(escapePrefix, 'latin1');
const typesId = property.types;

/**
 * Moves over encoded record headers in place, without memory for each: `begin`, `while (next())`, then read its fields.
 * Headers that are cut throw a ProtocolError. Positions are positions in `bytes`; slices are borrowed.
 */
export class HeaderReader {
  bytes: Buffer = Buffer.alloc(0);
  /** The property that this header is; −1: a header of the application. */
  property: PropertyId = -1;
  /** The name, of an escaped one the application's own. */
  nameAt = 0;
  nameBytes = 0;
  valueAt = 0;
  /** −1: null. */
  valueBytes = -1;
  /** Where the header begins, with the length of its name. */
  headerAt = 0;
  /** Where it ends. */
  headerEnd = 0;
  #at = 0;
  #end = 0;
  /** Where the name stands as it is stored. */
  #storedAt = 0;
  readonly #types = new HeaderTypes();
  #hasTypes = false;
  #typed: TypedValue | undefined;
  /** The type of this header; −1: not looked at yet. */
  #type: FieldType = -1;

  /** Before the first header of `bytes[at, end)`. */
  begin(bytes: Uint8Array, at: number, end: number): this {
    if (bytes !== this.bytes) this.bytes = asBuffer(bytes);
    if (at < 0 || end > bytes.length || at > end) throwCut();
    this.#at = at;
    this.#end = end;
    this.headerEnd = at;
    this.#hasTypes = false;
    return this;
  }

  /** Moves to the next header; false behind the last. */
  next(): boolean {
    const bytes = this.bytes;
    const end = this.#end;
    const headerAt = this.headerEnd;
    if (headerAt >= end) return false;
    let size = bytes[headerAt]! < 0x80 ? 1 : varintSize(bytes, headerAt, end);
    const nameBytes = varintLength(bytes, headerAt, size);
    const nameAt = headerAt + size;
    const nameEnd = nameAt + nameBytes;
    if (nameBytes < 0 || nameEnd >= end) throwCut();
    size = bytes[nameEnd]! < 0x80 ? 1 : varintSize(bytes, nameEnd, end);
    this.valueBytes = varintLength(bytes, nameEnd, size);
    this.valueAt = nameEnd + size;
    this.headerAt = headerAt;
    this.headerEnd = this.valueAt + (this.valueBytes < 0 ? 0 : this.valueBytes);
    if (this.headerEnd > end) throwCut();
    this.#storedAt = nameAt;
    this.nameAt = nameAt;
    this.nameBytes = nameBytes;
    this.property = -1;
    this.#type = -1;
    if (hasPropertyPrefix(bytes, nameAt, nameBytes)) {
      this.property = findProperty(bytes, nameAt, nameBytes);
      const escape = escapeBytes.length;
      if (this.property < 0 && nameBytes >= escape && matchesAt(bytes, nameAt, escapeBytes)) {
        this.nameAt += escape;
        this.nameBytes -= escape;
      }
    }
    return true;
  }

  /** Moves to the first header, from the beginning on, that is this property; false when there is none. */
  seek(id: PropertyId): boolean {
    this.headerEnd = this.#at;
    while (this.next()) if (this.property === id) return true;
    return false;
  }

  get name(): string {
    return this.bytes.toString('utf8', this.nameAt, this.nameAt + this.nameBytes);
  }

  /** The value as text, '' for null. */
  get text(): string {
    if (this.valueBytes <= 0) return '';
    return this.bytes.toString('utf8', this.valueAt, this.valueAt + this.valueBytes);
  }

  /** A borrowed slice; null for null. */
  get value(): Buffer | null {
    if (this.valueBytes < 0) return null;
    return this.bytes.subarray(this.valueAt, this.valueAt + this.valueBytes);
  }

  /** The value as an integer of 1 to 15 digits; −1 when it is none. */
  get digits(): number {
    return parseDigits(this.bytes, this.valueAt, this.valueBytes);
  }

  /**
   * The value's type. What `pabal.types` says counts where the value is of that form; otherwise, and without it, valid
   * UTF-8 is text, anything else bytes, null void.
   */
  get type(): FieldType {
    if (this.#type < 0) this.#findType();
    return this.#type;
  }

  /** What the type's entry says behind the type, for a protocol that has names of its own for types. */
  get typeLabel(): string | undefined {
    this.#findType();
    return this.#types.label;
  }

  /** The value with its type; bytes are a borrowed slice. */
  get typed(): TypedValue {
    const type = this.type;
    if (this.#typed !== undefined) return this.#typed;
    if (type === fieldType.void) return { type: 'void', value: null };
    if (type === fieldType.bytes) return { type: 'bytes', value: this.value ?? Buffer.alloc(0) };
    return { type: 'text', value: this.text };
  }

  /** The value without its type; bytes are a borrowed slice. */
  get field(): FieldValue {
    return plainOf(this.typed);
  }

  #findType(): void {
    this.#typed = undefined;
    if (!this.#hasTypes) this.#beginTypes();
    const { bytes, valueAt, valueBytes } = this;
    const storedBytes = this.nameAt + this.nameBytes - this.#storedAt;
    const type = this.#types.find(bytes, this.#storedAt, storedBytes);
    if (valueBytes < 0) {
      this.#type = fieldType.void;
    } else if (type === fieldType.text || type === fieldType.bytes) {
      this.#type = type;
    } else {
      if (type >= 0) {
        this.#typed = parseTyped(fieldTypeNames[type]!, bytes, valueAt, valueAt + valueBytes);
      }
      if (this.#typed !== undefined) this.#type = type;
      else {
        const isText = isUtf8Range(bytes, valueAt, valueAt + valueBytes);
        this.#type = isText ? fieldType.text : fieldType.bytes;
      }
    }
  }

  /** Looks for `pabal.types`, wherever it stands, and comes back. */
  #beginTypes(): void {
    const { property: id, nameAt, nameBytes, valueAt, valueBytes, headerAt, headerEnd } = this;
    const storedAt = this.#storedAt;
    if (this.seek(typesId) && this.valueBytes > 0) {
      this.#types.begin(this.bytes, this.valueAt, this.valueAt + this.valueBytes);
    } else {
      this.#types.begin(this.bytes, 0, 0);
    }
    this.property = id;
    this.nameAt = nameAt;
    this.nameBytes = nameBytes;
    this.valueAt = valueAt;
    this.valueBytes = valueBytes;
    this.headerAt = headerAt;
    this.headerEnd = headerEnd;
    this.#storedAt = storedAt;
    this.#type = -1;
    this.#hasTypes = true;
  }
}

/** The application's headers among encoded ones, the last of those with one name. Bytes are borrowed slices. */
export function readFields(bytes: Uint8Array, at: number, end: number): Fields {
  const fields = newFields();
  const reader = new HeaderReader().begin(bytes, at, end);
  while (reader.next()) if (reader.property < 0) fields[reader.name] = reader.field;
  return fields;
}

/** The text of a property; undefined when it is not there. */
export function readProperty(
  bytes: Uint8Array,
  at: number,
  end: number,
  id: PropertyId,
): string | undefined {
  const reader = new HeaderReader().begin(bytes, at, end);
  return reader.seek(id) && reader.valueBytes >= 0 ? reader.text : undefined;
}
