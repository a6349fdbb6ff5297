/** Kafka's types of configuration values, as DescribeConfigs numbers them. */
export const configTypes = {
  boolean: 1,
  string: 2,
  int: 3,
  short: 4,
  long: 5,
  double: 6,
  list: 7,
} as const;

export type ConfigTypeName = keyof typeof configTypes;

/** What a value must be. */
export interface ConfigKind {
  readonly type: ConfigTypeName;
  readonly min?: bigint;
  readonly max?: bigint;
  /** All that a string may be, or the items of a list. */
  readonly choices?: readonly string[];
}

const longMax = 0x7fff_ffff_ffff_ffffn;
const longMin = -0x8000_0000_0000_0000n;
const intMax = 0x7fff_ffffn;
const intMin = -0x8000_0000n;

/** The value in its usual form, or what is wrong with it. */
export type ParsedConfig = { value: string } | { problem: string };

/** Reads a value as Kafka does: surrounding blanks do not count. */
export function parseConfig(kind: ConfigKind, text: string): ParsedConfig {
  const value = text.trim();
  switch (kind.type) {
    case 'boolean':
      return /^(?:true|false)$/i.test(value)
        ? { value: value.toLowerCase() }
        : { problem: 'it must be true or false' };
    case 'int':
    case 'short':
    case 'long':
      return parseInteger(kind, value);
    case 'double': {
      const number = Number(value);
      return value !== '' && Number.isFinite(number) && number >= 0 && number <= 1
        ? { value }
        : { problem: 'it must be a number from 0 to 1' };
    }
    case 'list': {
      const items = [...new Set(splitList(value))];
      const strange = items.find(
        (item) => kind.choices !== undefined && !kind.choices.includes(item),
      );
      return strange === undefined
        ? { value: items.join(',') }
        : { problem: `each item must be one of: ${kind.choices?.join(', ')}` };
    }
    default:
      return kind.choices === undefined || kind.choices.includes(value)
        ? { value }
        : { problem: `it must be one of: ${kind.choices.join(', ')}` };
  }
}

export function splitList(value: string): string[] {
  return value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function parseInteger(kind: ConfigKind, value: string): ParsedConfig {
  if (!/^[+-]?\d{1,19}$/.test(value)) return { problem: 'it must be a whole number' };
  const number = BigInt(value.startsWith('+') ? value.slice(1) : value);
  const min = kind.min ?? (kind.type === 'long' ? longMin : intMin);
  const max = kind.max ?? (kind.type === 'long' ? longMax : intMax);
  if (number < min) return { problem: `it must be at least ${min}` };
  if (number > max) return { problem: `it must be at most ${max}` };
  return { value: String(number) };
}

/** Numbers beyond the safe ones mean "without limit" on both sides. */
export function toLimit(value: string): number {
  const number = BigInt(value);
  return number >= BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(number);
}

export function fromLimit(limit: number): string {
  return limit >= Number.MAX_SAFE_INTEGER ? String(longMax) : String(limit);
}
