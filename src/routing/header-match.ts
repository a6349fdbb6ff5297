import { BrokerError } from '../base/index.ts';
import { type Fields, type FieldValue, isFields } from './field-value.ts';

/** The argument that says how the others are meant. */
const matchArgument = 'x-match';
/** Arguments that begin so take part only where `x-match` says so. */
const reservedPrefix = 'x-';

export type HeaderMatchMode = 'all' | 'any';

/** What headers must be. A value of null asks only that the header is there. */
export interface HeaderMatch {
  readonly mode: HeaderMatchMode;
  readonly conditions: ReadonlyArray<readonly [name: string, value: FieldValue]>;
}

/**
 * Reads the arguments of a binding: `x-match` is `all` (the default), `any`, `all-with-x` or `any-with-x`; the others
 * are the headers, of which those that begin with `x-` count only in the last two. Throws filter-invalid.
 */
export function parseHeaderMatch(given: Fields): HeaderMatch {
  const word = given[matchArgument] ?? 'all';
  if (word !== 'all' && word !== 'any' && word !== 'all-with-x' && word !== 'any-with-x') {
    throw new BrokerError(
      'filter-invalid',
      `${matchArgument} is all or any, or one of them with -with-x behind it, not ${describe(word)}`,
    );
  }
  const withReserved = word.endsWith('-with-x');
  const conditions = Object.entries(given).filter(
    ([name]) => name !== matchArgument && (withReserved || !name.startsWith(reservedPrefix)),
  );
  return { mode: word.startsWith('all') ? 'all' : 'any', conditions };
}

/** Without conditions `all` matches everything and `any` nothing. */
export function matchesHeaders(match: HeaderMatch, headers: Fields): boolean {
  const isAny = match.mode === 'any';
  for (const [name, value] of match.conditions) {
    const header = Object.hasOwn(headers, name) ? headers[name] : undefined;
    const isMatch = header !== undefined && (value === null || isSameValue(value, header));
    if (isMatch === isAny) return isAny;
  }
  return !isAny;
}

/** Equal in type and value; numbers of any width are of one type. */
export function isSameValue(left: FieldValue, right: FieldValue): boolean {
  if (left === right) return true;
  if (typeof left === 'number' || typeof left === 'bigint') {
    if (typeof right !== 'number' && typeof right !== 'bigint') return false;
    return (
      typeof left !== typeof right &&
      isWhole(left) &&
      isWhole(right) &&
      BigInt(left) === BigInt(right)
    );
  }
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) {
    return false;
  }
  if (left instanceof Uint8Array) {
    return right instanceof Uint8Array && Buffer.compare(left, right) === 0;
  }
  if (left instanceof Date) return right instanceof Date && left.getTime() === right.getTime();
  if (Array.isArray(left)) return Array.isArray(right) && isSameList(left, right);
  if (!isFields(left) || !isFields(right)) return false;
  const names = Object.keys(left);
  return (
    names.length === Object.keys(right).length &&
    names.every((name) => {
      const [one, other] = [left[name], Object.hasOwn(right, name) ? right[name] : undefined];
      return one !== undefined && other !== undefined && isSameValue(one, other);
    })
  );
}

function isWhole(value: number | bigint): boolean {
  return typeof value === 'bigint' || Number.isInteger(value);
}

function isSameList(left: readonly FieldValue[], right: readonly FieldValue[]): boolean {
  return (
    left.length === right.length &&
    left.every((item, index) => {
      const other = right[index];
      return other !== undefined && isSameValue(item, other);
    })
  );
}

function describe(value: FieldValue): string {
  return typeof value === 'string' ? `"${value}"` : `a ${typeof value}`;
}
