import { BrokerError, type CompiledPattern, compilePattern } from '../../../broker/index.ts';
import { ApiError, badRequest } from './api-error.ts';
import { type ApiReply, ok } from './api.ts';
import { isObject, type JsonObject } from './body.ts';

const pageSizeInitial = 100;
const pageSizeMax = 500;

/**
 * Answers a list as the query asks for it: sorted (`sort`, `sort_reverse`), with some members only (`columns`), and in pages
 * (`page`, `page_size`, `name`, `use_regex`), which come in an envelope. `defaults`: the members it is sorted by otherwise.
 */
export function listReply(
  items: readonly JsonObject[],
  query: URLSearchParams,
  defaults: readonly string[] = ['vhost', 'name'],
): ApiReply {
  const page = readPage(query);
  if (page === undefined) return ok(trim(sort(items, query, defaults), query));
  const filtered = filter(items, query);
  const { number, size } = page;
  const pageCount = Math.ceil(filtered.length / size);
  if (number > 1 && number > pageCount) {
    throw new ApiError(
      400,
      'page_out_of_range',
      `Page out of range, page: ${number} page size: ${size}, len: ${filtered.length}`,
    );
  }
  const from = (number - 1) * size;
  const shown = sort(filtered, query, defaults).slice(from, from + size);
  return ok({
    filtered_count: filtered.length,
    item_count: shown.length,
    items: trim(shown, query),
    page: number,
    page_count: pageCount,
    page_size: size,
    total_count: items.length,
  });
}

/** One object with the members that `columns` asks for. */
export function objectReply(item: JsonObject, query: URLSearchParams): ApiReply {
  const columns = readColumns(query);
  return ok(columns === undefined ? item : pick(item, columns));
}

function readPage(query: URLSearchParams): { number: number; size: number } | undefined {
  const page = query.get('page');
  if (page === null) return undefined;
  const pageSize = query.get('page_size');
  const number = wholeNumber(page);
  const size = pageSize === null ? pageSizeInitial : wholeNumber(pageSize);
  if (number < 1 || size < 1 || size > pageSizeMax) {
    throw new ApiError(
      400,
      'invalid_pagination_parameters',
      `Invalid pagination parameters: page number ${number}, page size ${pageSize === null ? 'undefined' : size}`,
    );
  }
  return { number, size };
}

function wholeNumber(text: string): number {
  if (!/^-?\d{1,9}$/.test(text)) throw badRequest('Pagination parameters are invalid');
  return Number(text);
}

function filter(items: readonly JsonObject[], query: URLSearchParams): readonly JsonObject[] {
  const wanted = query.get('name') ?? '';
  if (wanted === '') return items;
  const matches = query.get('use_regex') === 'true' ? expression(wanted) : containing(wanted);
  return items.filter(({ name }) => typeof name === 'string' && matches(name));
}

function containing(part: string): (name: string) => boolean {
  const wanted = part.toLowerCase();
  return (name) => name.toLowerCase().includes(wanted);
}

function expression(pattern: string): (name: string) => boolean {
  let compiled: CompiledPattern;
  try {
    compiled = compilePattern(`(?i)${pattern}`);
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    throw badRequest('Pagination parameters are invalid', error);
  }
  return (name) => compiled.test(name);
}

function sort(
  items: readonly JsonObject[],
  query: URLSearchParams,
  defaults: readonly string[],
): readonly JsonObject[] {
  const wanted = query.get('sort');
  const paths = (wanted === null || wanted === '' ? defaults : [wanted]).map((key) =>
    key.split('.'),
  );
  const sign = query.get('sort_reverse') === 'true' ? -1 : 1;
  // Keys are looked up once for each item, not for each comparison.
  const keyed = items.map((item) => ({ item, keys: paths.map((path) => valueAt(item, path)) }));
  keyed.sort((a, b) => {
    for (let index = 0; index < paths.length; index += 1) {
      const order = compare(a.keys[index], b.keys[index]);
      if (order !== 0) return sign * order;
    }
    return 0;
  });
  return keyed.map(({ item }) => item);
}

function valueAt(item: JsonObject, path: readonly string[]): unknown {
  let value: unknown = item;
  for (const key of path) {
    if (!isObject(value)) return undefined;
    value = value[key];
  }
  return value;
}

/** What is not there comes first, then numbers, then texts. */
function compare(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  const left = rank(a);
  const right = rank(b);
  if (left !== right) return left - right;
  const x = typeof a === 'string' ? a : (JSON.stringify(a) ?? '');
  const y = typeof b === 'string' ? b : (JSON.stringify(b) ?? '');
  return x < y ? -1 : x > y ? 1 : 0;
}

function rank(value: unknown): number {
  if (value === undefined || value === null) return 0;
  if (typeof value === 'number') return 1;
  return typeof value === 'string' ? 3 : 2;
}

/** By first name, the further names inside it; an empty tree means all of it. */
type Columns = Map<string, Columns>;

function readColumns(query: URLSearchParams): Columns | undefined {
  const text = query.get('columns');
  if (text === null || text === '') return undefined;
  const columns: Columns = new Map();
  for (const path of text.split(',')) {
    let place = columns;
    for (const key of path.split('.')) {
      let inner = place.get(key);
      if (inner === undefined) {
        inner = new Map();
        place.set(key, inner);
      }
      place = inner;
    }
  }
  return columns;
}

function trim(items: readonly JsonObject[], query: URLSearchParams): readonly JsonObject[] {
  const columns = readColumns(query);
  return columns === undefined ? items : items.map((item) => pick(item, columns));
}

function pick(item: JsonObject, columns: Columns): JsonObject {
  const picked: Record<string, unknown> = {};
  for (const [key, inner] of columns) {
    const value = item[key];
    if (value === undefined) continue;
    picked[key] = inner.size > 0 && isObject(value) ? pick(value, inner) : value;
  }
  return picked;
}
