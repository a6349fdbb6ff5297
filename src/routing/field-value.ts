import type { Fields, FieldValue } from '../message/index.ts';

export type { Fields, FieldValue } from '../message/index.ts';

/** An object with named values: not a list, a date or bytes. */
export function isFields(value: FieldValue | undefined): value is Fields {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array) &&
    !(value instanceof Date)
  );
}
