import { ByteWriter } from '../../../bytes/index.ts';
import {
  decodeCopies,
  decodeDeaths,
  type Death,
  fieldType,
  HeaderReader,
  headerNameOf,
  formOf,
  isPassable,
  isUtf8Range,
  keyName,
  type PropertyId,
  property,
  propertyCount,
} from '../../../message/index.ts';
import type { QueueMessage } from '../../../shard/index.ts';
import {
  property as basic,
  type Field,
  type FieldTable,
  letter,
  propertyFlag,
} from '../wire/index.ts';
import { writeField } from '../wire/field-table.ts';
import { fieldOfTyped, shortBytesMax } from './field-types.ts';

/** Exchange, routing key and properties of a message, as 0-9-1 writes them: views, good until the next `encode`. */
export interface OutgoingProperties {
  exchange: string;
  routingKey: string;
  /** Flags and properties. */
  bytes: Uint8Array;
  /** They follow from headers and key alone: another message with the same has the same. */
  isLasting: boolean;
}

/** Where a property's value stands among the record's headers. */
class PropertySlots {
  readonly at = new Int32Array(propertyCount);
  /** −1: not there. */
  readonly bytes = new Int32Array(propertyCount).fill(-1);
}

/** Writes a record's headers as properties (§2.3.5.2), as docs/message-mapping.md says. One for all channels. */
export class PropertiesWriter {
  readonly #reader = new HeaderReader();
  readonly #slots = new PropertySlots();
  readonly #writer = new ByteWriter(512);
  readonly #table = new ByteWriter(512);
  #isLasting = true;
  /** Some header is a property: the record does not come from a log producer. */
  #hasProperties = false;

  /**
   * `added`: headers of the delivery, which come last. `bytesMax`: what flags and properties may take, for a header frame is
   * never split (§4.2.6.1); headers of the application that do not fit are left out.
   */
  encode(
    message: QueueMessage,
    queueName: string,
    nowMs: number,
    added: FieldTable | undefined,
    bytesMax: number,
  ): OutgoingProperties {
    const encoded = this.#encode(message, queueName, nowMs, added, bytesMax);
    if (encoded.bytes.length <= bytesMax) return encoded;
    return this.#encode(message, queueName, nowMs, added, bytesMax - reservedBytes);
  }

  /** `tableMax`: what the table of headers may take. */
  #encode(
    message: QueueMessage,
    queueName: string,
    nowMs: number,
    added: FieldTable | undefined,
    tableMax: number,
  ): OutgoingProperties {
    const { bytes, headersAt, headersBytes } = message;
    const slots = this.#slots;
    slots.bytes.fill(-1);
    this.#isLasting = true;
    this.#hasProperties = false;
    this.#table.reset(keptBytesMax);
    this.#reader.begin(bytes, headersAt, headersAt + headersBytes);
    const hasDeaths = this.#reader.seek(property.deaths);
    this.#reader.begin(bytes, headersAt, headersAt + headersBytes);
    this.#readHeaders(tableMax, hasDeaths, added);
    const route = this.#readRoute(message, queueName);
    this.#writeDeaths();
    this.#writePassed();
    if (added !== undefined) for (const [name, field] of added) this.#field(name, field);
    this.#writeProperties(message, nowMs, tableMax);
    return { ...route, bytes: this.#writer.finish(), isLasting: this.#isLasting };
  }

  /** Notes the properties, and writes the application's headers. */
  #readHeaders(tableMax: number, hasDeaths: boolean, added: FieldTable | undefined): void {
    const reader = this.#reader;
    const table = this.#table;
    while (reader.next()) {
      const id = reader.property;
      if (id >= 0) {
        this.#hasProperties = true;
        if (this.#slots.bytes[id] === -1 && reader.valueBytes >= 0) {
          this.#slots.at[id] = reader.valueAt;
          this.#slots.bytes[id] = reader.valueBytes;
        }
        continue;
      }
      // What does not fit into one frame cannot be told.
      const needed = reader.nameBytes + reader.valueBytes + 16;
      if (reader.nameBytes > shortBytesMax || table.position + needed > tableMax) continue;
      // What the broker says itself stands for what an application says of the same name.
      if (hasDeaths && deathNames.has(reader.name)) continue;
      if (added?.has(reader.name) === true) continue;
      table.uint8(reader.nameBytes);
      table.range(reader.bytes, reader.nameAt, reader.nameAt + reader.nameBytes);
      this.#copyValue();
    }
  }

  #copyValue(): void {
    const reader = this.#reader;
    const table = this.#table;
    const { type } = reader;
    if (type === fieldType.text || type === fieldType.bytes) {
      const length = Math.max(reader.valueBytes, 0);
      table.uint8(type === fieldType.text ? letter.S : letter.x);
      table.uint32(length);
      table.range(reader.bytes, reader.valueAt, reader.valueAt + length);
      return;
    }
    writeField(table, fieldOfTyped(reader.typed));
  }

  #has(id: PropertyId): boolean {
    return this.#slots.bytes[id]! >= 0;
  }

  #text(id: PropertyId): string {
    const at = this.#slots.at[id]!;
    return this.#reader.bytes.toString('utf8', at, at + this.#slots.bytes[id]!);
  }

  /** As `readRoute` in `message/`, without reading the headers again; the application's key becomes a header. */
  #readRoute(message: QueueMessage, queueName: string): { exchange: string; routingKey: string } {
    const { bytes, keyAt, keyBytes } = message;
    const exchange = this.#has(property.exchange) ? this.#text(property.exchange) : '';
    const hasRoutingKey = this.#has(property.routingKey);
    if (exchange !== '' && !hasRoutingKey) {
      const routingKey =
        keyBytes < 0 ? '' : this.#reader.bytes.toString('utf8', keyAt, keyAt + keyBytes);
      return { exchange, routingKey };
    }
    if (keyBytes >= 0) {
      const isText = isUtf8Range(bytes, keyAt, keyAt + keyBytes);
      const table = this.#table;
      this.#name(keyName);
      table.uint8(isText ? letter.S : letter.x);
      table.uint32(keyBytes);
      table.range(bytes, keyAt, keyAt + keyBytes);
    }
    return { exchange, routingKey: hasRoutingKey ? this.#text(property.routingKey) : queueName };
  }

  #writeDeaths(): void {
    if (!this.#has(property.deaths)) return;
    const deaths = decodeDeaths(this.#text(property.deaths));
    if (deaths.length === 0) return;
    this.#field('x-death', { type: 'A', value: deaths.map(deathField) });
    for (const [id, name] of deathHeaders) {
      if (this.#has(id)) this.#field(name, { type: 'S', value: rabbitReason(this.#text(id)) });
    }
  }

  /** Properties that this protocol has no word for are headers of their own name. */
  #writePassed(): void {
    if (this.#has(property.copies)) {
      const keys = decodeCopies(this.#text(property.copies));
      this.#field('CC', { type: 'A', value: keys.map((key) => ({ type: 'S', value: key })) });
    }
    for (const id of passedProperties) {
      if (!this.#has(id)) continue;
      const text = this.#text(id);
      const isDigits = formOf(id) === 'integer' && /^\d{1,15}$/.test(text);
      this.#field(
        headerNameOf(id),
        isDigits ? { type: 'l', value: Number(text) } : { type: 'S', value: text },
      );
    }
  }

  #name(name: string): void {
    const table = this.#table;
    table.uint8(Buffer.byteLength(name));
    table.utf8(name);
  }

  #field(name: string, field: Field): void {
    this.#name(name);
    writeField(this.#table, field);
  }

  #writeProperties(message: QueueMessage, nowMs: number, tableMax: number): void {
    const writer = this.#writer;
    writer.reset(keptBytesMax);
    let flags = 0;
    writer.uint16(0);
    if (this.#short(property.contentType)) flags |= propertyFlag(basic.contentType);
    if (this.#short(property.contentEncoding)) flags |= propertyFlag(basic.contentEncoding);
    const tableBytes = this.#table.position;
    // A record of a log producer always has headers, if only none. Of others an empty table goes out where one came in:
    // clients show it as an empty map, and its absence as none.
    const hasTable = tableBytes > 0 || this.#has(property.headers) || !this.#hasProperties;
    if (hasTable && tableBytes <= tableMax) {
      flags |= propertyFlag(basic.headers);
      writer.uint32(tableBytes);
      if (tableBytes > 0) writer.range(this.#table.finish(), 0, tableBytes);
    }
    const mode = this.#has(property.deliveryMode) ? this.#text(property.deliveryMode) : '';
    if (mode !== 'unset') {
      flags |= propertyFlag(basic.deliveryMode);
      writer.uint8(mode === 'transient' ? 1 : 2);
    }
    const priority = this.#integer(property.priority);
    if (priority >= 0) {
      flags |= propertyFlag(basic.priority);
      writer.uint8(Math.min(priority, 255));
    }
    if (this.#short(property.correlationId)) flags |= propertyFlag(basic.correlationId);
    if (this.#short(property.replyTo)) flags |= propertyFlag(basic.replyTo);
    if (this.#writeExpiration(nowMs)) flags |= propertyFlag(basic.expiration);
    if (this.#short(property.messageId)) flags |= propertyFlag(basic.messageId);
    let timestampMs = this.#integer(property.timestamp);
    if (!this.#hasProperties) {
      timestampMs = message.timestampMs;
      this.#isLasting = false;
    }
    if (timestampMs >= 0) {
      flags |= propertyFlag(basic.timestamp);
      writer.safeInt64(Math.floor(timestampMs / 1000));
    }
    if (this.#short(property.type)) flags |= propertyFlag(basic.type);
    if (this.#short(property.userId)) flags |= propertyFlag(basic.userId);
    if (this.#short(property.appId)) flags |= propertyFlag(basic.appId);
    if (this.#short(property.clusterId)) flags |= propertyFlag(basic.clusterId);
    const bytes = writer.finish();
    bytes[0] = flags >>> 8;
    bytes[1] = flags;
  }

  /** As it was written; from another protocol: what is left of it. */
  #writeExpiration(nowMs: number): boolean {
    if (this.#short(property.expiration)) return true;
    const expiresAtMs = this.#integer(property.expiresAt);
    if (expiresAtMs < 0) return false;
    this.#isLasting = false;
    const text = String(Math.max(0, expiresAtMs - nowMs));
    this.#writer.uint8(text.length);
    this.#writer.utf8(text);
    return true;
  }

  /** Cut to what a short string may have, at a character. */
  #short(id: PropertyId): boolean {
    let length = this.#slots.bytes[id]!;
    if (length < 0) return false;
    const at = this.#slots.at[id]!;
    const { bytes } = this.#reader;
    if (length > shortBytesMax) {
      length = shortBytesMax;
      while (length > 0 && (bytes[at + length]! & 0xc0) === 0x80) length -= 1;
    }
    this.#writer.uint8(length);
    this.#writer.range(bytes, at, at + length);
    return true;
  }

  #integer(id: PropertyId): number {
    if (!this.#has(id)) return -1;
    const text = this.#text(id);
    return /^\d{1,15}$/.test(text) ? Number(text) : -1;
  }
}

const keptBytesMax = 64 * 1024;
/** Kept free for everything but the application's headers: the short strings and what the broker adds. */
const reservedBytes = 3 * 1024;

/** Properties that have a place of their own here, or that only lead to one. */
const nativeProperties: ReadonlySet<PropertyId> = new Set([
  property.contentType,
  property.contentEncoding,
  property.correlationId,
  property.replyTo,
  property.messageId,
  property.timestamp,
  property.type,
  property.appId,
  property.clusterId,
  property.deliveryMode,
  property.priority,
  property.expiresAt,
]);

const passedProperties: readonly PropertyId[] = Array.from(
  { length: propertyCount },
  (_unused, id) => id,
).filter((id) => isPassable(id) && !nativeProperties.has(id));

const deathHeaders: ReadonlyArray<readonly [PropertyId, string]> = [
  [property.firstDeathReason, 'x-first-death-reason'],
  [property.firstDeathQueue, 'x-first-death-queue'],
  [property.firstDeathExchange, 'x-first-death-exchange'],
  [property.lastDeathReason, 'x-last-death-reason'],
  [property.lastDeathQueue, 'x-last-death-queue'],
  [property.lastDeathExchange, 'x-last-death-exchange'],
];

const deathNames: ReadonlySet<string> = new Set([
  'x-death',
  ...deathHeaders.map(([, name]) => name),
]);

function rabbitReason(reason: string): string {
  return reason === 'delivery-limit' ? 'delivery_limit' : reason;
}

/** An entry of `x-death` (https://www.rabbitmq.com/docs/dlx#effects). */
function deathField(death: Death): Field {
  const fields = new Map<string, Field>([
    ['count', { type: 'l', value: death.count }],
    ['reason', { type: 'S', value: rabbitReason(death.reason) }],
    ['queue', { type: 'S', value: death.queue }],
    ['time', { type: 'T', value: Math.floor(death.firstMs / 1000) }],
    ['exchange', { type: 'S', value: death.exchange }],
    ['routing-keys', { type: 'A', value: death.keys.map((key) => ({ type: 'S', value: key })) }],
  ]);
  if (death.expiration !== undefined) {
    fields.set('original-expiration', { type: 'S', value: death.expiration });
  }
  return { type: 'F', value: fields };
}
