import type { Fields, FieldValue } from '../../../broker/index.ts';
import type { Field, FieldTable } from '../wire/index.ts';

/** Fields of the broker with types of the wire that lead back to the same fields. */
export function restoreTypes(fields: Fields): FieldTable {
  return new Map(Object.entries(fields).map(([name, value]) => [name, restoreType(value)]));
}

function restoreType(value: FieldValue): Field {
  if (typeof value === 'string') return { type: 'S', value };
  if (typeof value === 'boolean') return { type: 't', value };
  if (typeof value === 'bigint') return { type: 'l', value };
  if (typeof value === 'number') {
    return Number.isSafeInteger(value) ? { type: 'l', value } : { type: 'd', value };
  }
  if (value instanceof Uint8Array) return { type: 'x', value };
  if (value instanceof Date) return { type: 'T', value: Math.floor(value.getTime() / 1000) };
  if (Array.isArray(value)) {
    return { type: 'A', value: value.map((item: FieldValue) => restoreType(item)) };
  }
  if (value === null || value === undefined) return { type: 'V', value: null };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what is left of the values is a table
  return { type: 'F', value: restoreTypes(value as Fields) };
}
