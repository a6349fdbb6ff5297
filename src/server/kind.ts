import { hostAndPort } from '../net/index.ts';

/**
 * The kinds of values that a setting can have. Flags and environment variables give text; a configuration file may
 * also give numbers, booleans, lists and objects. Written by hand because it is on the path of every start, where a
 * schema library costs 70 ms and 12 MB; see docs/configuration.md for the texts that are accepted.
 */
export interface Kind<T> {
  /** What `--help` shows for the value: `<dir>`. */
  readonly hint: string;
  /** Throws a ValueError that says what was expected. */
  parse(text: string): T;
  /** A value of a configuration file. Throws a ValueError. */
  read(value: unknown): T;
  /** The value as a person reads it in `pabal config`. */
  print(value: T): string;
}

/** What was expected instead: completes "KEY: ..., not VALUE". */
export class ValueError extends Error {
  override readonly name = 'ValueError';
}

/** A host and a port; port 0 picks a free one. */
export interface Address {
  host: string;
  port: number;
}

export function choice<const T extends string>(...words: readonly T[]): Kind<T> {
  const hint = `<${words.join('|')}>`;
  const parse = (text: string): T => {
    const found = words.find((word) => word === text);
    if (found === undefined) throw new ValueError(`expected ${words.join(' or ')}`);
    return found;
  };
  return { hint, parse, read: (value) => parse(asText(value)), print: String };
}

export function plainText(hint: string): Kind<string> {
  return {
    hint,
    parse: parsePlain,
    read: (value) => parsePlain(asText(value)),
    print: (value) => value,
  };
}

function parsePlain(text: string): string {
  if (text === '') throw new ValueError('expected a text');
  return text;
}

/** An access key and its secret: `KEY:SECRET`. The secret is never shown. */
export function accessKey(): Kind<{ key: string; secret: string }> {
  return {
    hint: '<key:secret>',
    parse: parseAccessKey,
    read: (value) => parseAccessKey(asText(value)),
    print: ({ key }) => `${key}:***`,
  };
}

function parseAccessKey(text: string): { key: string; secret: string } {
  const match = /^([A-Za-z0-9_]{1,128}):([^\s,]{1,128})$/.exec(text);
  if (match === null) throw new ValueError('expected KEY:SECRET');
  return { key: match[1]!, secret: match[2]! };
}

/** A whole number within bounds, both included. */
export function integer(min: number, max: number): Kind<number> {
  const parse = (value: string): number => {
    const number = /^-?\d+$/.test(value) ? Number(value) : Number.NaN;
    if (!(number >= min && number <= max)) {
      const isOpenEnded = max === Number.MAX_SAFE_INTEGER;
      const range = isOpenEnded ? `of at least ${min}` : `from ${min} to ${max}`;
      throw new ValueError(`expected a whole number ${range}`);
    }
    return number;
  };
  return { hint: '<number>', parse, read: (value) => parse(asText(value)), print: String };
}

const BYTE_UNITS: Record<string, number> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
};

/** A number of bytes: `1048576`, `64MiB`, `1.5 GB`. `none` is -1 where there may be no limit. */
export function byteSize(min: number, max: number, canBeNone = false): Kind<number> {
  const parse = (value: string): number => {
    if (canBeNone && (value === 'none' || value === '-1')) return -1;
    const match = /^(\d+(?:\.\d+)?)\s*([a-zA-Z]*)$/.exec(value);
    const unit = BYTE_UNITS[(match?.[2] ?? '?').toLowerCase()];
    const bytes = unit === undefined ? Number.NaN : Math.round(Number(match?.[1]) * unit);
    if (!(bytes >= min && bytes <= max)) {
      const range = `from ${printBytes(min)} to ${printBytes(max)}`;
      throw new ValueError(
        `expected a size such as 64MiB, ${range}${canBeNone ? ', or none' : ''}`,
      );
    }
    return bytes;
  };
  return {
    hint: '<size>',
    parse,
    read: (value) => parse(asText(value)),
    print: (value) => (value === -1 ? 'none' : printBytes(value)),
  };
}

const TIME_UNITS: Record<string, number> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
};

/** A length of time in milliseconds: `500ms`, `10s`, `7d`. `forever` is -1 where there may be no end. */
export function duration(minMs: number, maxMs: number, canBeForever = false): Kind<number> {
  const parse = (value: string): number => {
    if (canBeForever && (value === 'forever' || value === '-1')) return -1;
    const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)$/.exec(value);
    const ms = Math.round(Number(match?.[1]) * (TIME_UNITS[match?.[2] ?? ''] ?? Number.NaN));
    if (!(ms >= minMs && ms <= maxMs)) {
      const range = `from ${printDuration(minMs)} to ${printDuration(maxMs)}`;
      throw new ValueError(
        `expected a time such as 500ms, 10s or 7d, ${range}${canBeForever ? ', or forever' : ''}`,
      );
    }
    return ms;
  };
  return {
    hint: '<time>',
    parse,
    read: (value) => parse(asText(value)),
    print: (value) => (value === -1 ? 'forever' : printDuration(value)),
  };
}

/** True or false; as a flag, its name alone means true. */
export function truth(): Kind<boolean> {
  return {
    hint: '[true|false]',
    parse: parseTruth,
    read: (value) => (typeof value === 'boolean' ? value : parseTruth(asText(value))),
    print: String,
  };
}

function parseTruth(text: string): boolean {
  if (/^(true|yes|on|1)$/i.test(text)) return true;
  if (/^(false|no|off|0)$/i.test(text)) return false;
  throw new ValueError('expected true or false');
}

/** Several values: separated by commas in text, a list in a file. */
export function several<T>(item: Kind<T>, hint: string): Kind<T[]> {
  const parse = (value: string): T[] =>
    value
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '')
      .map((part) => item.parse(part));
  return {
    hint,
    parse,
    read: (value) =>
      Array.isArray(value) ? value.map((part) => item.read(part)) : parse(asText(value)),
    print: (values) => values.map((value) => item.print(value)).join(','),
  };
}

/** Names with their values: `NAME=VALUE,NAME=VALUE` in text, also an object in a file. */
export function properties(): Kind<ReadonlyArray<readonly [string, string]>> {
  const pairs = several({ hint: '', parse: parsePair, read: readPair, print: printPair }, '');
  return {
    hint: '<name=value,...>',
    parse: (text) => pairs.parse(text),
    read: (value) =>
      isPlainObject(value)
        ? Object.entries(value).map(([name, item]) => [name, asText(item)] as const)
        : pairs.read(value),
    print: (values) => values.map(printPair).join(','),
  };
}

function parsePair(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at <= 0) throw new ValueError('expected NAME=VALUE');
  return [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}

function readPair(value: unknown): readonly [string, string] {
  return parsePair(asText(value));
}

function printPair([name, value]: readonly [string, string]): string {
  return `${name}=${value}`;
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `HOST:PORT`, an IPv6 address in brackets. */
export function address(minPort: number): Kind<Address> {
  const parse = (value: string): Address => {
    const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(value);
    const port = Number(match?.[3] ?? Number.NaN);
    if (match === null || !(port >= minPort && port <= 65_535)) {
      throw new ValueError('expected HOST:PORT, such as 127.0.0.1:9092 or [::1]:9092');
    }
    return { host: match[1] ?? match[2] ?? '', port };
  };
  return {
    hint: '<host:port>',
    parse,
    read: (value) => parse(asText(value)),
    print: printAddress,
  };
}

export function printAddress(value: Address): string {
  return hostAndPort(value.host, value.port);
}

export function printBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && value % 1024 === 0 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value}${units[unit]}`;
}

export function printDuration(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's']) {
    const unitMs = TIME_UNITS[unit] ?? 1;
    if (ms >= unitMs && ms % unitMs === 0) return `${ms / unitMs}${unit}`;
  }
  return `${ms}ms`;
}

/** Numbers and booleans of a file are read as their text, so that one rule judges every source. */
function asText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw new ValueError('expected a single value');
}
