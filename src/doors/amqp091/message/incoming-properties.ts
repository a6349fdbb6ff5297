import { ProtocolError } from '../../../base/index.ts';
import { ByteReader } from '../../../bytes/index.ts';
import {
  addRoute,
  encodeCopies,
  fieldType,
  HeaderReader,
  HeaderWriter,
  isUtf8Range,
  type PropertyId,
  property,
} from '../../../message/index.ts';
import { type Field, FieldCursor, letter, readField } from '../wire/field-table.ts';
import { flag, typedOfField } from './field-types.ts';

/** What a publish says of itself, as record headers and as what the door has to look at. */
export interface EncodedProperties {
  /** Memory of its own; only `restamp` writes to it again. */
  headers: Buffer;
  headerCount: number;
  /** The record's. */
  key: Uint8Array | null;
  priority: number | undefined;
  groupId: string | undefined;
  dedupId: string | undefined;
  /** Of a header of the application, not of a delayed exchange. */
  deliverAtMs: number | undefined;
  /** Milliseconds from its arrival on; undefined: none. */
  ttlMs: number | undefined;
  /** Where the digits of the time at which it expires stand in `headers`; −1: nowhere. */
  expiresAtAt: number;
  expiresAtMs: number | undefined;
  expiration: string | undefined;
  userId: string | undefined;
  replyTo: string | undefined;
  messageId: string | undefined;
  correlationId: string | undefined;
  /** Seconds, as text. */
  timestamp: string | undefined;
  /** Routing keys of copies: CC, and BCC, which nobody else sees. */
  copies: readonly string[];
  /** The header `x-delay`, milliseconds. */
  delayMs: number | undefined;
}

/** Why a message cannot be taken as it is; the text is what RabbitMQ says. */
export class InvalidProperties extends Error {
  override readonly name = 'InvalidProperties';
}

/** Reads properties (§2.3.5.2) and encodes them as docs/message-mapping.md says. One for all channels. */
export class PropertiesEncoder {
  readonly #writer = new HeaderWriter();
  readonly #reader = new HeaderReader();
  readonly #cursor = new FieldCursor();
  /** Found in the table while it is copied. */
  #cc: readonly string[] = [];
  #bcc: readonly string[] = [];
  #delayMs: number | undefined;

  /**
   * `bytes[at, end)` begins with the property flags. `replyTo` stands for the reply-to that the message says, where one is
   * given. Throws a ProtocolError for what cannot be read, InvalidProperties for what is refused.
   */
  encode(
    bytes: Uint8Array,
    at: number,
    end: number,
    exchange: string,
    routingKey: string,
    nowMs: number,
    replyTo: string | undefined,
  ): EncodedProperties {
    const writer = this.#writer;
    writer.reset();
    this.#cc = [];
    this.#bcc = [];
    this.#delayMs = undefined;
    const read: EncodedProperties = newProperties();
    const reader = new ByteReader(bytes, at, end);
    const flags = readFlags(reader);
    const tableAt = this.#readProperties(reader, flags, read, replyTo);
    if (reader.remaining > 0) throw new ProtocolError('Bytes follow the properties of a message');
    // Headers that stand for a property give way to the property.
    if (read.ttlMs !== undefined) writer.integer(property.expiresAt, nowMs + read.ttlMs);
    if (tableAt >= 0) this.#copyHeaders(bytes, tableAt, end);
    read.copies = this.#bcc.length === 0 ? this.#cc : [...this.#cc, ...this.#bcc];
    read.delayMs = this.#delayMs;
    if (this.#cc.length > 0) writer.text(property.copies, encodeCopies(this.#cc));
    read.key = addRoute(writer, exchange, routingKey, this.#cc.length > 0);
    read.headers = Buffer.from(writer.finish());
    read.headerCount = writer.count;
    read.priority = writer.priority;
    read.groupId = writer.groupId;
    read.dedupId = writer.dedupId;
    read.deliverAtMs = writer.deliverAtMs;
    read.expiresAtMs = writer.expiresAtMs;
    if (read.ttlMs !== undefined) {
      this.#reader.begin(read.headers, 0, read.headers.length).seek(property.expiresAt);
      read.expiresAtAt = this.#reader.valueAt;
    }
    return read;
  }

  /** Reads and writes all but the table of headers; answers where its length stands, or −1. */
  #readProperties(
    reader: ByteReader,
    flags: number,
    read: EncodedProperties,
    replyTo: string | undefined,
  ): number {
    const writer = this.#writer;
    let tableAt = -1;
    if (flags & flag.contentType) this.#short(reader, property.contentType);
    if (flags & flag.contentEncoding) this.#short(reader, property.contentEncoding);
    if (flags & flag.headers) {
      tableAt = reader.position;
      reader.skip(reader.uint32());
    }
    this.#deliveryMode(flags & flag.deliveryMode ? reader.uint8() : -1);
    if (flags & flag.priority) writer.integer(property.priority, reader.uint8());
    if (flags & flag.correlationId) {
      read.correlationId = this.#short(reader, property.correlationId);
    }
    if (flags & flag.replyTo) {
      if (replyTo === undefined) read.replyTo = this.#short(reader, property.replyTo);
      else {
        read.replyTo = reader.utf8(reader.uint8());
        writer.text(property.replyTo, replyTo);
      }
    }
    if (flags & flag.expiration) {
      const text = this.#short(reader, property.expiration);
      read.expiration = text;
      read.ttlMs = parseExpiration(text);
    }
    if (flags & flag.messageId) read.messageId = this.#short(reader, property.messageId);
    if (flags & flag.timestamp) {
      const seconds = reader.int64();
      read.timestamp = String(BigInt.asUintN(64, seconds));
      writer.integer(property.timestamp, Number(BigInt.asUintN(64, seconds)) * 1000);
    }
    if (flags & flag.type) this.#short(reader, property.type);
    if (flags & flag.userId) read.userId = this.#short(reader, property.userId);
    if (flags & flag.appId) this.#short(reader, property.appId);
    if (flags & flag.clusterId) this.#short(reader, property.clusterId);
    return tableAt;
  }

  /** Absent stands for persistent, the usual: it takes no header. */
  #deliveryMode(mode: number): void {
    if (mode === 2) return;
    this.#writer.text(property.deliveryMode, mode === -1 ? 'unset' : 'transient');
  }

  #short(reader: ByteReader, id: PropertyId): string {
    const length = reader.uint8();
    const at = reader.position;
    reader.skip(length);
    const { buffer } = reader;
    const isText = isUtf8Range(buffer, at, at + length);
    this.#writer.slice(id, buffer, at, at + length, isText ? fieldType.text : fieldType.bytes);
    return buffer.toString('utf8', at, at + length);
  }

  #copyHeaders(bytes: Uint8Array, at: number, end: number): void {
    const reader = new ByteReader(bytes, at, end);
    const length = reader.uint32();
    const from = reader.position;
    reader.skip(length);
    const cursor = this.#cursor;
    cursor.enter(reader.buffer, from, from + length, false);
    while (cursor.next()) {
      if (this.#noteField(cursor)) continue;
      this.#writer.nameSlice(cursor.bytes, cursor.nameAt, cursor.nameAt + cursor.nameBytes);
      copyValue(cursor, this.#writer);
    }
  }

  /** Looks at the headers that mean something here; true for one that is not handed on. */
  #noteField(cursor: FieldCursor): boolean {
    const { bytes, nameAt: at, nameBytes: length } = cursor;
    const first = bytes[at];
    if (length === 2 && first === 0x43 && bytes[at + 1] === 0x43) {
      this.#cc = readKeys('CC', readField(cursor));
      return false;
    }
    if (length === 3 && first === 0x42 && isName(bytes, at, bccName)) {
      this.#bcc = readKeys('BCC', readField(cursor));
      return true;
    }
    if (length === 7 && first === 0x78 && isName(bytes, at, delayName)) {
      const { value } = readField(cursor);
      if (typeof value === 'number' || typeof value === 'bigint') this.#delayMs = Number(value);
      else if (typeof value === 'string' && /^\d{1,10}$/.test(value)) this.#delayMs = Number(value);
    }
    return false;
  }
}

/** Nothing is made for plain values. */
function copyValue(cursor: FieldCursor, writer: HeaderWriter): void {
  const { bytes, type, valueAt, valueBytes } = cursor;
  switch (type) {
    case letter.S:
      return writer.valueSlice(bytes, valueAt, valueAt + valueBytes, fieldType.text);
    case letter.x:
      return writer.valueSlice(bytes, valueAt, valueAt + valueBytes, fieldType.bytes);
    case letter.t:
      return writer.valueBoolean(bytes[valueAt] !== 0);
    case letter.V:
      return writer.valueVoid();
    case letter.I:
      return writer.valueInteger(Number(cursor.number()), fieldType.int32);
    default:
      return writer.valueTyped(typedOfField(readField(cursor)));
  }
}

/** Writes the time at which a message expires that has arrived now over that of the one before it. */
export function restamp(properties: EncodedProperties, nowMs: number): void {
  if (properties.ttlMs === undefined || properties.expiresAtAt < 0) return;
  const expiresAtMs = nowMs + properties.ttlMs;
  if (expiresAtMs === properties.expiresAtMs) return;
  properties.expiresAtMs = expiresAtMs;
  // The number of digits is that of any time between the years 2001 and 2286.
  properties.headers.write(String(expiresAtMs), properties.expiresAtAt, 'latin1');
}

const bccName = Buffer.from('BCC', 'latin1');
const delayName = Buffer.from('x-delay', 'latin1');

function newProperties(): EncodedProperties {
  return {
    headers: Buffer.alloc(0),
    headerCount: 0,
    key: null,
    priority: undefined,
    groupId: undefined,
    dedupId: undefined,
    deliverAtMs: undefined,
    ttlMs: undefined,
    expiresAtAt: -1,
    expiresAtMs: undefined,
    expiration: undefined,
    userId: undefined,
    replyTo: undefined,
    messageId: undefined,
    correlationId: undefined,
    timestamp: undefined,
    copies: [],
    delayMs: undefined,
  };
}

function readFlags(reader: ByteReader): number {
  const flags = reader.uint16();
  if (flags & flag.more) throw new ProtocolError('A message has property flags that nobody knows');
  return flags;
}

function isName(bytes: Uint8Array, at: number, name: Uint8Array): boolean {
  for (let index = 0; index < name.length; index += 1) {
    if (bytes[at + index] !== name[index]) return false;
  }
  return true;
}

/** The routing keys in a header CC or BCC, which must be an array of texts. */
function readKeys(name: string, field: Field): readonly string[] {
  const refuse = (type: string): never => {
    throw new InvalidProperties(
      `invalid message: {unacceptable_type_in_header,<<"${name}">>,${type}}`,
    );
  };
  if (field.type !== 'A') return refuse(erlangTypes[field.type] ?? 'long');
  return field.value.map((item) => (item.type === 'S' ? item.value : refuse('array')));
}

/** How RabbitMQ's texts name the types. */
const erlangTypes: Partial<Record<Field['type'], string>> = {
  S: 'longstr',
  F: 'table',
  t: 'bool',
  I: 'signedint',
  x: 'binary',
  V: 'void',
};

const expirationMax = 4_294_967_295;

/** Milliseconds. What is refused, is with RabbitMQ's words (`rabbit_basic:parse_expiration`). */
function parseExpiration(text: string): number {
  const refuse = (why: string): never => {
    throw new InvalidProperties(`invalid expiration '${text}': ${why}`);
  };
  const match = /^([+-]?\d+)(.*)$/s.exec(text);
  if (match === null) return refuse('no_integer');
  if (match[2] !== '') return refuse(`{leftover_string,${JSON.stringify(match[2])}}`);
  const value = BigInt(match[1]!.startsWith('+') ? match[1]!.slice(1) : match[1]!);
  if (value < 0n) return refuse(`{value_negative,${value}}`);
  if (value > expirationMax) return refuse(`{value_too_big,${value}}`);
  return Number(value);
}
