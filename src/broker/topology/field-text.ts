import { BrokerError, limits } from '../../base/index.ts';
import { type Fields, type FieldValue, isFields } from '../../routing/index.ts';

/**
 * A field value as JSON keeps it. Text, finite numbers, booleans and null are themselves; everything else is an object
 * with one member: `i` a big integer, `n` a number that JSON does not have, `b` bytes in base64, `d` a time in
 * milliseconds, `a` a list, `o` named values in order of name.
 */
export type StoredValue =
  | string
  | number
  | boolean
  | null
  | { readonly i: string }
  | { readonly n: string }
  | { readonly b: string }
  | { readonly d: number }
  | { readonly a: readonly StoredValue[] }
  | { readonly o: StoredFields };

export type StoredFields = { readonly [name: string]: StoredValue };

/** Names are sorted, so that equal fields have equal JSON. Throws config-invalid for what is nested too deeply. */
export function storeFields(fields: Fields, depth = 0): StoredFields {
  if (depth > limits.argumentsDepthMax) {
    throw new BrokerError(
      'config-invalid',
      `arguments are nested more than ${limits.argumentsDepthMax} deep`,
    );
  }
  const names = Object.keys(fields).toSorted();
  return Object.fromEntries(names.map((name) => [name, storeValue(fields[name] ?? null, depth)]));
}

export function loadFields(stored: StoredFields): Fields {
  return Object.fromEntries(
    Object.entries(stored).map(([name, value]) => [name, loadValue(value)] as const),
  );
}

function storeValue(value: FieldValue, depth: number): StoredValue {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') {
    return Number.isFinite(value) && !Object.is(value, -0)
      ? value
      : { n: Object.is(value, -0) ? '-0' : String(value) };
  }
  if (typeof value === 'bigint') return { i: String(value) };
  if (value instanceof Uint8Array) return { b: Buffer.from(value).toString('base64') };
  if (value instanceof Date) return { d: value.getTime() };
  if (isFields(value)) return { o: storeFields(value, depth + 1) };
  if (depth >= limits.argumentsDepthMax) storeFields({}, depth + 1);
  return { a: value.map((item) => storeValue(item, depth + 1)) };
}

function loadValue(stored: StoredValue): FieldValue {
  if (typeof stored !== 'object' || stored === null) return stored;
  if ('i' in stored) return BigInt(stored.i);
  if ('n' in stored) return Number(stored.n);
  if ('b' in stored) return Uint8Array.from(Buffer.from(stored.b, 'base64'));
  if ('d' in stored) return new Date(stored.d);
  if ('a' in stored) return stored.a.map(loadValue);
  return loadFields(stored.o);
}
