import {
  parseDecimalText,
  type TypedTable,
  type TypedValue,
  decimalText,
} from '../../../message/index.ts';
import type { Field, FieldTable } from '../wire/index.ts';

/** A field as the neutral value with its type, and back: docs/message-mapping.md. */
export function typedOfField(field: Field): TypedValue {
  switch (field.type) {
    case 't':
      return { type: 'boolean', value: field.value };
    case 'b':
      return { type: 'int8', value: field.value };
    case 'B':
      return { type: 'uint8', value: field.value };
    case 's':
      return { type: 'int16', value: field.value };
    case 'u':
      return { type: 'uint16', value: field.value };
    case 'I':
      return { type: 'int32', value: field.value };
    case 'i':
      return { type: 'uint32', value: field.value };
    case 'l':
    case 'L':
      return { type: 'int64', value: field.value };
    case 'f':
      return { type: 'float', value: field.value };
    case 'd':
      return { type: 'double', value: field.value };
    case 'D':
      return { type: 'decimal', value: decimalText(field.value.unscaled, field.value.scale) };
    case 'S':
      return { type: 'text', value: field.value };
    case 'x':
      return { type: 'bytes', value: field.value };
    case 'T':
      return { type: 'timestamp', value: milliseconds(field.value) };
    case 'V':
      return { type: 'void', value: null };
    case 'A':
      return { type: 'array', value: field.value.map(typedOfField) };
    case 'F':
      return { type: 'table', value: typedOfTable(field.value) };
    default:
      return field satisfies never;
  }
}

function typedOfTable(table: FieldTable): TypedTable {
  return new Map([...table].map(([name, field]) => [name, typedOfField(field)]));
}

/** What 0-9-1 has no type for becomes text. */
export function fieldOfTyped(typed: TypedValue): Field {
  switch (typed.type) {
    case 'boolean':
      return { type: 't', value: typed.value };
    case 'int8':
      return { type: 'b', value: Number(typed.value) };
    case 'uint8':
      return { type: 'B', value: Number(typed.value) };
    case 'int16':
      return { type: 's', value: Number(typed.value) };
    case 'uint16':
      return { type: 'u', value: Number(typed.value) };
    case 'int32':
      return { type: 'I', value: Number(typed.value) };
    case 'uint32':
      return { type: 'i', value: Number(typed.value) };
    case 'int64':
      return { type: 'l', value: typed.value };
    case 'uint64':
      return typed.value <= int64Max
        ? { type: 'l', value: typed.value }
        : { type: 'S', value: String(typed.value) };
    case 'float':
      return { type: 'f', value: typed.value };
    case 'double':
      return { type: 'd', value: typed.value };
    case 'bytes':
      return { type: 'x', value: typed.value };
    case 'timestamp':
      return timestampField(typed.value);
    case 'void':
      return { type: 'V', value: null };
    case 'array':
      return { type: 'A', value: typed.value.map(fieldOfTyped) };
    case 'table':
      return { type: 'F', value: fieldTableOf(typed.value) };
    case 'decimal':
      return decimalField(typed.value);
    default:
      return { type: 'S', value: typed.value };
  }
}

/** Names that are too long for a field's are left out. */
function fieldTableOf(table: TypedTable): FieldTable {
  const fields = new Map<string, Field>();
  for (const [name, value] of table) {
    if (Buffer.byteLength(name) <= shortBytesMax) fields.set(name, fieldOfTyped(value));
  }
  return fields;
}

function decimalField(text: string): Field {
  const decimal = parseDecimalText(text);
  if (decimal === undefined || decimal.scale > 255) return { type: 'S', value: text };
  const { unscaled, scale } = decimal;
  if (unscaled < 0n || unscaled > 0xffff_ffffn) return { type: 'S', value: text };
  return { type: 'D', value: { scale, unscaled: Number(unscaled) } };
}

/** Seconds; what lies before 1970 has no timestamp here. */
function timestampField(ms: number | bigint): Field {
  if (ms < 0) return { type: 'S', value: String(ms) };
  const seconds = typeof ms === 'bigint' ? ms / 1000n : Math.floor(ms / 1000);
  return { type: 'T', value: seconds };
}

function milliseconds(seconds: number | bigint): number | bigint {
  const ms = BigInt(seconds) * 1000n;
  const number = Number(ms);
  return Number.isSafeInteger(number) ? number : ms;
}

const int64Max = 0x7fff_ffff_ffff_ffffn;

/** A table's field names and the short strings of properties have at most so many bytes. */
export const shortBytesMax = 255;
