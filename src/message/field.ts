import { NameTable } from './name-table.ts';

/** A value of a message header or an argument. Integers beyond 2^53 are bigints. */
export type FieldValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | Uint8Array
  | Date
  | readonly FieldValue[]
  | { readonly [name: string]: FieldValue };

export type Fields = { readonly [name: string]: FieldValue };

/** The types that a header's value can have, as `pabal.types` writes them. The number is the place in the list. */
export const fieldTypeNames = [
  'text',
  'bytes',
  'int8',
  'uint8',
  'int16',
  'uint16',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'float',
  'double',
  'decimal',
  'boolean',
  'timestamp',
  'void',
  'table',
  'array',
  'number',
  'uuid',
  'symbol',
  'char',
] as const;

export type FieldTypeName = (typeof fieldTypeNames)[number];

/** A type as a number: `fieldType.int32`. Only good within a process. */
export type FieldType = number;

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- one entry for each name
export const fieldType = Object.fromEntries(fieldTypeNames.map((name, index) => [name, index])) as {
  readonly [name in FieldTypeName]: FieldType;
};

/** Types without arrays of their own in memory, by what a program holds: needed where a value is inside another. */
export type TypedValue =
  | { readonly type: 'text' | TextualTypeName; readonly value: string }
  | { readonly type: 'bytes'; readonly value: Uint8Array }
  | { readonly type: IntegerTypeName; readonly value: number | bigint }
  | { readonly type: 'float' | 'double'; readonly value: number }
  | { readonly type: 'boolean'; readonly value: boolean }
  /** Milliseconds since the epoch. */
  | { readonly type: 'timestamp'; readonly value: number | bigint }
  | { readonly type: 'void'; readonly value: null }
  | { readonly type: 'table'; readonly value: TypedTable }
  | { readonly type: 'array'; readonly value: readonly TypedValue[] };

export type TypedTable = ReadonlyMap<string, TypedValue>;

/** Types whose value is its text: an exact decimal, a number of any precision, a UUID, a word, one character. */
export type TextualTypeName = 'decimal' | 'number' | 'uuid' | 'symbol' | 'char';

export type IntegerTypeName =
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64';

const typeTable = new NameTable(fieldTypeNames);

/** The type whose name is `bytes[at, at + length)`; −1 for none. */
export function findFieldType(bytes: Uint8Array, at: number, length: number): FieldType {
  return typeTable.find(bytes, at, length);
}

const integerRanges: Readonly<Record<IntegerTypeName, readonly [min: bigint, max: bigint]>> = {
  int8: [-0x80n, 0x7fn],
  uint8: [0n, 0xffn],
  int16: [-0x8000n, 0x7fffn],
  uint16: [0n, 0xffffn],
  int32: [-0x80000000n, 0x7fffffffn],
  uint32: [0n, 0xffffffffn],
  int64: [-0x8000000000000000n, 0x7fffffffffffffffn],
  uint64: [0n, 0xffffffffffffffffn],
};

export function isIntegerType(name: string): name is IntegerTypeName {
  return Object.hasOwn(integerRanges, name);
}

/** Whether an integer is in the range of its type. */
export function isInRange(type: IntegerTypeName, value: number | bigint): boolean {
  const [min, max] = integerRanges[type];
  return value >= min && value <= max;
}

const textualTypes: ReadonlySet<string> = new Set(['decimal', 'number', 'uuid', 'symbol', 'char']);

export function isTextualType(name: string): name is TextualTypeName {
  return textualTypes.has(name);
}

/** The type that a plain value gets: integers int32 or int64, other numbers double, dates timestamp. */
export function typedOf(value: FieldValue): TypedValue {
  if (typeof value === 'string') return { type: 'text', value };
  if (typeof value === 'boolean') return { type: 'boolean', value };
  if (typeof value === 'number') return typedNumber(value);
  if (typeof value === 'bigint') return typedBigint(value);
  if (value === null) return { type: 'void', value };
  if (value instanceof Uint8Array) return { type: 'bytes', value };
  if (value instanceof Date) return typedDate(value);
  if (isFieldArray(value)) return { type: 'array', value: value.map(typedOf) };
  return { type: 'table', value: typedTableOf(value) };
}

export function typedTableOf(fields: Fields): TypedTable {
  return new Map(Object.entries(fields).map(([name, field]) => [name, typedOf(field)]));
}

/** Without the type. Bytes are those of `typed`; a table has no prototype, so that any name is harmless. */
export function plainOf(typed: TypedValue): FieldValue {
  switch (typed.type) {
    case 'table':
      return plainTableOf(typed.value);
    case 'array':
      return typed.value.map(plainOf);
    case 'timestamp': {
      const date = new Date(Number(typed.value));
      return Number.isNaN(date.getTime()) ? typed.value : date;
    }
    case 'decimal':
    case 'number': {
      const number = Number(typed.value);
      return typed.value.trim() === '' || !Number.isFinite(number) ? typed.value : number;
    }
    default:
      return typed.value;
  }
}

export function plainTableOf(table: TypedTable): Fields {
  const fields = newFields();
  for (const [name, value] of table) fields[name] = plainOf(value);
  return fields;
}

/** Without a prototype: a header may be named `__proto__`. */
export function newFields(): { [name: string]: FieldValue } {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an object without members is one of this type
  return Object.create(null) as { [name: string]: FieldValue };
}

/** `Array.isArray` does not tell readonly arrays from tables. */
export function isFieldArray(value: FieldValue): value is readonly FieldValue[] {
  return Array.isArray(value);
}

function typedNumber(value: number): TypedValue {
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) return { type: 'double', value };
  return { type: isInt32(value) ? 'int32' : 'int64', value };
}

function typedBigint(value: bigint): TypedValue {
  if (isInRange('int64', value)) {
    const number = Number(value);
    if (Number.isSafeInteger(number)) return typedNumber(number);
    return { type: 'int64', value };
  }
  if (isInRange('uint64', value)) return { type: 'uint64', value };
  return { type: 'number', value: String(value) };
}

function typedDate(value: Date): TypedValue {
  const ms = value.getTime();
  return Number.isNaN(ms) ? { type: 'void', value: null } : { type: 'timestamp', value: ms };
}

export function isInt32(value: number): boolean {
  return (value | 0) === value;
}
