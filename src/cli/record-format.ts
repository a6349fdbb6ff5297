import { isUtf8 } from 'node:buffer';
import type { RecordCursor } from '../bytes/index.ts';

export const formatNames = ['value', 'json', 'key-value'] as const;
export type FormatName = (typeof formatNames)[number];

const newline = Buffer.from('\n');

/** Appends the bytes by which a record is printed; they may be slices of the record. */
export type RecordFormat = (
  record: RecordCursor,
  at: { topic: string; partition: number },
  into: Buffer[],
) => void;

/** How `--format` prints a record. */
export function recordFormat(name: FormatName, keySeparator: string): RecordFormat {
  const separator = Buffer.from(keySeparator);
  const formats: Record<FormatName, RecordFormat> = {
    value: ({ value }, _at, into) => {
      into.push(value ?? empty, newline);
    },
    'key-value': ({ key, value }, _at, into) => {
      into.push(key ?? empty, separator, value ?? empty, newline);
    },
    json: (record, at, into) => {
      into.push(Buffer.from(`${JSON.stringify(toJson(record, at))}\n`));
    },
  };
  return formats[name];
}

const empty = Buffer.alloc(0);

function toJson(record: RecordCursor, at: { topic: string; partition: number }): object {
  return {
    topic: at.topic,
    partition: at.partition,
    offset: record.offset,
    timestamp: new Date(record.timestampMs).toISOString(),
    ...encode('key', record.key),
    ...encode('value', record.value),
    headers: record.headers.map(([name, value]) => ({ name, ...encode('value', value) })),
  };
}

/** Text as it is; bytes that are no UTF-8 as base64, which a member beside it says. */
function encode(name: string, bytes: Uint8Array | null): Record<string, string | null> {
  if (bytes === null) return { [name]: null };
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isUtf8(buffer)) return { [name]: buffer.toString('utf8') };
  return { [name]: buffer.toString('base64'), [`${name}Encoding`]: 'base64' };
}
