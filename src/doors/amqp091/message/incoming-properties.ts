import {
  addRoute,
  encodeCopies,
  fieldType,
  HeaderReader,
  HeaderWriter,
  type PropertyId,
  property,
} from '../../../message/index.ts';
import { AmqpError } from '../amqp-error.ts';
import { letterName } from '../field-name.ts';
import { expiryMsMost } from '../queue-arguments.ts';
import {
  property as basic,
  type ContentHeader,
  type Field,
  FieldCursor,
  letter,
  type PropertyIndex,
  propertyFlag,
  readField,
} from '../wire/index.ts';
import { typedOfField } from './field-types.ts';

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
  /** How long a delayed exchange keeps it, milliseconds; undefined: it does not. */
  delayMs: number | undefined;
  /** As `expiresAtAt`, for the time at which it is due. */
  deliverAtAt: number;
}

/** Times that count from the arrival on, and where they stand in the headers. */
export type Stamp = Pick<
  EncodedProperties,
  'headers' | 'ttlMs' | 'expiresAtAt' | 'expiresAtMs' | 'delayMs' | 'deliverAtAt' | 'deliverAtMs'
>;

/** Reads properties (§2.3.5.2) and encodes them as docs/message-mapping.md says. One for all channels. */
export class PropertiesEncoder {
  readonly #writer = new HeaderWriter();
  readonly #reader = new HeaderReader();
  readonly #cursor = new FieldCursor();
  /** Found in the table while it is copied. */
  #cc: readonly string[] | undefined;
  #bcc: readonly string[] = [];
  #delayMs: number | undefined;

  /**
   * `replyTo` stands for the reply-to that the message says, where one is given; `isDelayed`: its exchange takes `x-delay`
   * as the time that it waits. Throws an AmqpError for what is refused.
   */
  encode(
    header: ContentHeader,
    exchange: string,
    routingKey: string,
    nowMs: number,
    isDelayed: boolean,
    replyTo: string | undefined,
  ): EncodedProperties {
    const writer = this.#writer;
    writer.reset();
    this.#cc = undefined;
    this.#bcc = [];
    this.#delayMs = undefined;
    const read: EncodedProperties = newProperties();
    this.#readProperties(header, read, replyTo);
    const hasTable = header.has(basic.headers);
    const isTableEmpty = hasTable && header.size[basic.headers] === tableLengthBytes;
    // A record without any property would be taken for one of a log producer, and shown with the record's timestamp.
    if (
      !isTableEmpty &&
      exchange === '' &&
      (header.flags & ~bareFlags) === 0 &&
      header.octet(basic.deliveryMode) === 2
    )
      writer.text(property.deliveryMode, 'persistent');
    // Headers that stand for a property give way to the property.
    if (read.ttlMs !== undefined) writer.integer(property.expiresAt, nowMs + read.ttlMs);
    if (hasTable) this.#copyHeaders(header, isDelayed);
    if (isDelayed && this.#delayMs !== undefined) {
      read.delayMs = Math.min(Math.max(this.#delayMs, 0), delayMsMax);
      writer.integer(property.deliverAt, nowMs + read.delayMs);
    }
    const cc = this.#cc;
    read.copies = this.#bcc.length === 0 ? (cc ?? noCopies) : [...(cc ?? noCopies), ...this.#bcc];
    if (cc !== undefined) writer.text(property.copies, encodeCopies(cc));
    read.key = addRoute(writer, exchange, routingKey, cc !== undefined || this.#bcc.length > 0);
    read.headers = Buffer.from(writer.finish());
    read.headerCount = writer.count;
    read.priority = writer.priority;
    read.groupId = writer.groupId;
    read.dedupId = writer.dedupId;
    read.deliverAtMs = writer.deliverAtMs;
    read.expiresAtMs = writer.expiresAtMs;
    if (read.ttlMs !== undefined) read.expiresAtAt = this.#find(read.headers, property.expiresAt);
    if (read.delayMs !== undefined) read.deliverAtAt = this.#find(read.headers, property.deliverAt);
    return read;
  }

  #find(headers: Buffer, id: PropertyId): number {
    const reader = this.#reader.begin(headers, 0, headers.length);
    return reader.seek(id) ? reader.valueAt : -1;
  }

  /** Reads and writes all but the table of headers. */
  #readProperties(
    header: ContentHeader,
    read: EncodedProperties,
    replyTo: string | undefined,
  ): void {
    const writer = this.#writer;
    this.#short(header, basic.contentType, property.contentType);
    this.#short(header, basic.contentEncoding, property.contentEncoding);
    const mode = header.octet(basic.deliveryMode);
    // Absent stands for persistent, the usual: it takes no header.
    if (mode !== 2) {
      writer.text(property.deliveryMode, mode === undefined ? 'unset' : 'transient');
    }
    const priority = header.octet(basic.priority);
    if (priority !== undefined) writer.integer(property.priority, priority);
    read.correlationId = this.#short(header, basic.correlationId, property.correlationId);
    if (replyTo !== undefined) writer.text(property.replyTo, replyTo);
    this.#short(header, basic.replyTo, property.replyTo);
    read.expiration = this.#short(header, basic.expiration, property.expiration);
    if (read.expiration !== undefined) read.ttlMs = parseExpiration(read.expiration);
    read.messageId = this.#short(header, basic.messageId, property.messageId);
    if (header.has(basic.timestamp)) {
      const seconds = header.bytes.readBigUInt64BE(header.at[basic.timestamp]);
      read.timestamp = String(seconds);
      writer.integer(property.timestamp, Number(seconds) * 1000);
    }
    this.#short(header, basic.type, property.type);
    read.userId = this.#short(header, basic.userId, property.userId);
    this.#short(header, basic.appId, property.appId);
    this.#short(header, basic.clusterId, property.clusterId);
  }

  #short(header: ContentHeader, index: PropertyIndex, id: PropertyId): string | undefined {
    const text = header.text(index);
    if (text === undefined) return undefined;
    const at = header.at[index]!;
    this.#writer.slice(id, header.bytes, at, at + header.size[index]!);
    return text;
  }

  /** A table in which nothing is left to hand on is told from none at all, as RabbitMQ does it. */
  #copyHeaders(header: ContentHeader, isDelayed: boolean): void {
    const writer = this.#writer;
    let isEmpty = true;
    const at = header.at[basic.headers]!;
    const cursor = this.#cursor;
    cursor.enter(header.bytes, at, at + header.size[basic.headers]!, false);
    while (cursor.next()) {
      if (this.#noteField(cursor, isDelayed)) continue;
      isEmpty = false;
      writer.nameSlice(cursor.bytes, cursor.nameAt, cursor.nameAt + cursor.nameBytes);
      copyValue(cursor, writer);
    }
    if (isEmpty && this.#cc === undefined) writer.text(property.headers, 'empty');
  }

  /** Looks at the headers that mean something here; true for one that is not handed on. */
  #noteField(cursor: FieldCursor, isDelayed: boolean): boolean {
    const { bytes, nameAt: at, nameBytes: length } = cursor;
    const first = bytes[at];
    if (length === 2 && first === 0x43 && bytes[at + 1] === 0x43) {
      this.#cc = readKeys('CC', readField(cursor));
      return true;
    }
    if (length === 3 && first === 0x42 && isName(bytes, at, bccName)) {
      this.#bcc = readKeys('BCC', readField(cursor));
      return true;
    }
    if (length === dedupName.length && first === 0x78 && isName(bytes, at, dedupName)) {
      const { value } = readField(cursor);
      if (typeof value === 'string' && value !== '') this.#writer.text(property.dedupId, value);
      return false;
    }
    if (isDelayed && length === 7 && first === 0x78 && isName(bytes, at, delayName)) {
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

/** Writes the times at which a message expires, and is due, that has arrived now over those of the one before it. */
export function restamp(properties: Stamp, nowMs: number): void {
  const { ttlMs, delayMs } = properties;
  if (ttlMs !== undefined && nowMs + ttlMs !== properties.expiresAtMs) {
    properties.expiresAtMs = nowMs + ttlMs;
    writeDigits(properties.headers, properties.expiresAtAt, nowMs + ttlMs);
  }
  if (delayMs !== undefined && nowMs + delayMs !== properties.deliverAtMs) {
    properties.deliverAtMs = nowMs + delayMs;
    writeDigits(properties.headers, properties.deliverAtAt, nowMs + delayMs);
  }
}

/** The number of digits is that of any time between the years 2001 and 2286. */
function writeDigits(bytes: Buffer, at: number, ms: number): void {
  bytes.write(String(ms), at, 'latin1');
}

/** What `x-delay` may be (2^32 − 1), so that the digits of the time stay thirteen. */
const delayMsMax = 4_294_967_295;
/** With no more than these no property is stored. */
const bareFlags = propertyFlag(basic.headers) | propertyFlag(basic.deliveryMode);

/** What stands before a table's entries. */
const tableLengthBytes = 4;

const noCopies: readonly string[] = [];
const bccName = Buffer.from('BCC', 'latin1');
const dedupName = Buffer.from('x-deduplication-header', 'latin1');
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
    deliverAtAt: -1,
  };
}

function isName(bytes: Uint8Array, at: number, name: Uint8Array): boolean {
  for (let index = 0; index < name.length; index += 1) {
    if (bytes[at + index] !== name[index]) return false;
  }
  return true;
}

/** The routing keys in a header CC or BCC, which must be an array. What is no text in it is no key, as in RabbitMQ. */
function readKeys(name: string, field: Field): readonly string[] {
  if (field.type !== 'A') {
    throw new AmqpError(
      'PRECONDITION_FAILED',
      `invalid message: {unacceptable_type_in_header,"${name}",${letterName(field)}}`,
    );
  }
  return field.value.flatMap((item) => (item.type === 'S' ? [item.value] : []));
}

/** Milliseconds. What is refused, is with RabbitMQ's words (`rabbit_basic:parse_expiration`). */
function parseExpiration(text: string): number {
  const refuse = (why: string): never => {
    throw new AmqpError('PRECONDITION_FAILED', `invalid expiration '${text}': ${why}`);
  };
  const match = /^([+-]?\d+)(.*)$/s.exec(text);
  if (match === null) return refuse('no_integer');
  if (match[2] !== '') return refuse(`{leftover_string,${JSON.stringify(match[2])}}`);
  const value = BigInt(match[1]!.startsWith('+') ? match[1]!.slice(1) : match[1]!);
  if (value < 0n) return refuse(`{value_negative,${value}}`);
  if (value > expiryMsMost) return refuse(`{value_too_large,${value}}`);
  return Number(value);
}
