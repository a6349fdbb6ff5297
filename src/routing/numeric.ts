import type { FieldValue } from './field-value.ts';

export type Numeric = number | bigint;

export function isNumeric(value: FieldValue | undefined): value is Numeric {
  return typeof value === 'number' || typeof value === 'bigint';
}

/** Below 0, 0 or above 0 as `left` is less, equal or greater; NaN when one of them is. */
export function compareNumbers(left: Numeric, right: Numeric): number {
  if (left < right) return -1;
  if (left > right) return 1;
  return Number.isNaN(left) || Number.isNaN(right) ? Number.NaN : 0;
}
