import { ByteWriter } from '../../../bytes/index.ts';
import { plainTable } from '../plain-table.ts';
import { tableOf } from '../stored-arguments.ts';
import { ContentHeader, property, readTable, writeTable } from '../wire/index.ts';
import { badRequest } from './api-error.ts';
import { isObject, type JsonObject } from './body.ts';

/** Names of properties in JSON, in the order of their flags. */
const names: ReadonlyArray<readonly [string, number, 'text' | 'octet' | 'table' | 'time']> = [
  ['content_type', property.contentType, 'text'],
  ['content_encoding', property.contentEncoding, 'text'],
  ['headers', property.headers, 'table'],
  ['delivery_mode', property.deliveryMode, 'octet'],
  ['priority', property.priority, 'octet'],
  ['correlation_id', property.correlationId, 'text'],
  ['reply_to', property.replyTo, 'text'],
  ['expiration', property.expiration, 'text'],
  ['message_id', property.messageId, 'text'],
  ['timestamp', property.timestamp, 'time'],
  ['type', property.type, 'text'],
  ['user_id', property.userId, 'text'],
  ['app_id', property.appId, 'text'],
  ['cluster_id', property.clusterId, 'text'],
];

/** Properties as a client sends them: flags, then values. Throws an ApiError. */
export function encodeProperties(value: unknown): Buffer {
  const given: JsonObject = Array.isArray(value) && value.length === 0 ? {} : needObject(value);
  const writer = new ByteWriter(256);
  writer.uint16(0);
  let flags = 0;
  for (const [name, index, form] of names) {
    const one = given[name];
    if (one === undefined || one === null) continue;
    flags |= 0x8000 >>> index;
    if (form === 'table') {
      writeTable(writer, tableOf(needObject(one)));
    } else if (form === 'octet') {
      const number = needInteger(one, name);
      if (number < 0 || number > 255) throw badRequest(['not_an_octet', one]);
      writer.uint8(number);
    } else if (form === 'time') {
      const seconds = needInteger(one, name);
      if (seconds < 0) throw badRequest(['not_a_timestamp', one]);
      writer.safeInt64(seconds);
    } else {
      if (typeof one !== 'string') throw badRequest(['not_string', name]);
      const bytes = Buffer.from(one, 'utf8');
      if (bytes.length > 255) throw badRequest(['too_long', name]);
      writer.uint8(bytes.length);
      writer.range(bytes, 0, bytes.length);
    }
  }
  const bytes = writer.take();
  bytes.writeUInt16BE(flags, 0);
  return bytes;
}

/** A text with digits is none here, other than elsewhere: RabbitMQ looks at properties more closely. */
function needInteger(value: unknown, name: string): number {
  if (!Number.isSafeInteger(value)) throw badRequest(['not_int', name]);
  return Number(value);
}

function needObject(value: unknown): JsonObject {
  if (!isObject(value)) throw badRequest(['not_a_map', 'properties']);
  return value;
}

/** Flags and values as JSON, the other way round; `[]` where there are none, as Erlang writes an empty list of pairs. */
export function showProperties(bytes: Uint8Array): JsonObject | readonly never[] {
  const header = new ContentHeader();
  const whole = Buffer.concat([Buffer.alloc(fixedBytes), bytes]);
  header.read(whole, 0, whole.length);
  const shown: Record<string, unknown> = {};
  for (const [name, index, form] of names) {
    const at = header.at[index]!;
    if (at === -1) continue;
    const end = at + header.size[index]!;
    if (form === 'table') {
      shown[name] = plainTable(readTable(whole, at, end));
    } else if (form === 'octet') shown[name] = whole[at];
    else if (form === 'time') shown[name] = Number(whole.readBigUInt64BE(at));
    else shown[name] = whole.toString('utf8', at, end);
  }
  return Object.keys(shown).length === 0 ? [] : shown;
}

/** Class, weight and size of the body, which stand before the flags. */
const fixedBytes = 12;
