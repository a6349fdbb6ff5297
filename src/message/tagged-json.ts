import { limits, ProtocolError } from '../base/index.ts';
import {
  type FieldTypeName,
  fieldTypeNames,
  isInRange,
  isInt32,
  isIntegerType,
  isTextualType,
  type TypedValue,
} from './field.ts';
import { doubleText, floatText, parseFloating, parseInteger } from './number-text.ts';

/*
 * Tables and arrays as JSON. What JSON's own words give back stands there plainly: text, booleans, null, arrays, objects;
 * integers without fraction are int32, or int64 where they are too large for it; other numbers are doubles. Everything
 * else is an object with one member whose name is `$` and the type: {"$uint8":7}, {"$bytes":"AAE="},
 * {"$timestamp":1767225600000}, {"$decimal":"1.50"}. A table's own names that begin with `$` get one more.
 */

export function taggedJson(typed: TypedValue): string {
  return JSON.stringify(jsonOf(typed, 0));
}

/** Throws a SyntaxError for what is no JSON, a ProtocolError for what nests too deep. */
export function parseTaggedJson(text: string): TypedValue {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what JSON.parse gives is one of these
  return typedOfJson(JSON.parse(text) as Json, 0);
}

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

function jsonOf(typed: TypedValue, depth: number): Json {
  checkDepth(depth);
  switch (typed.type) {
    case 'text':
    case 'boolean':
    case 'void':
      return typed.value;
    case 'array':
      return typed.value.map((value) => jsonOf(value, depth + 1));
    case 'table': {
      const entries: Array<[string, Json]> = [];
      for (const [name, value] of typed.value) {
        entries.push([name.startsWith('$') ? `$${name}` : name, jsonOf(value, depth + 1)]);
      }
      return Object.fromEntries(entries);
    }
    case 'bytes':
      return tag('bytes', Buffer.from(typed.value).toString('base64'));
    case 'float':
      return tag('float', numberOrText(typed.value, floatText(typed.value)));
    case 'double':
      return Number.isFinite(typed.value) && !Number.isInteger(typed.value)
        ? typed.value
        : tag('double', numberOrText(typed.value, doubleText(typed.value)));
    case 'timestamp':
      return tag('timestamp', integerJson(typed.value));
    default:
      return isIntegerType(typed.type)
        ? integerOf(typed.type, typed.value)
        : tag(typed.type, String(typed.value));
  }
}

function integerOf(type: FieldTypeName, value: number | bigint | string): Json {
  const json = typeof value === 'string' ? value : integerJson(value);
  if (typeof json === 'number') {
    if (type === 'int32') return json;
    if (type === 'int64' && !isInt32(json)) return json;
  }
  return tag(type, json);
}

/** Numbers that a reader of JSON might round are text. */
function integerJson(value: number | bigint): Json {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number + 0 : String(value);
}

function numberOrText(value: number, text: string): Json {
  return Number.isFinite(value) && !Object.is(value, -0) ? Number(text) : text;
}

function tag(type: FieldTypeName, value: Json): Json {
  return { [`$${type}`]: value };
}

function typedOfJson(json: Json, depth: number): TypedValue {
  checkDepth(depth);
  if (typeof json === 'string') return { type: 'text', value: json };
  if (typeof json === 'boolean') return { type: 'boolean', value: json };
  if (typeof json === 'number') return typedJsonNumber(json);
  if (json === null) return { type: 'void', value: null };
  if (isJsonArray(json)) {
    return { type: 'array', value: json.map((item) => typedOfJson(item, depth + 1)) };
  }
  const entries = Object.entries(json);
  const first = entries[0];
  if (entries.length === 1 && first !== undefined) {
    const tagged = findTagged(first[0], first[1]);
    if (tagged !== undefined) return tagged;
  }
  const table = new Map<string, TypedValue>();
  for (const [name, value] of entries) {
    table.set(name.startsWith('$$') ? name.slice(1) : name, typedOfJson(value, depth + 1));
  }
  return { type: 'table', value: table };
}

function typedJsonNumber(value: number): TypedValue {
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) return { type: 'double', value };
  return { type: isInt32(value) ? 'int32' : 'int64', value };
}

/** Undefined: the name is no tag, or the value is none of the type; then it is a table like any other. */
function findTagged(name: string, json: Json): TypedValue | undefined {
  if (!name.startsWith('$') || typeof json === 'object' || typeof json === 'boolean') {
    return undefined;
  }
  const type = fieldTypeNames.find((candidate) => candidate === name.slice(1));
  if (type === undefined) return undefined;
  const text = String(json);
  if (isTextualType(type)) return { type, value: text };
  if (isIntegerType(type)) {
    const value = parseInteger(text);
    return value !== undefined && isInRange(type, value) ? { type, value } : undefined;
  }
  if (type === 'timestamp') {
    const value = parseInteger(text);
    return value === undefined ? undefined : { type, value };
  }
  if (type === 'float' || type === 'double') {
    const value = parseFloating(text);
    if (value === undefined) return undefined;
    return { type, value: type === 'float' ? Math.fround(value) : value };
  }
  return type === 'bytes' && typeof json === 'string'
    ? { type, value: Buffer.from(json, 'base64') }
    : undefined;
}

function isJsonArray(json: Json): json is readonly Json[] {
  return Array.isArray(json);
}

function checkDepth(depth: number): void {
  if (depth > limits.fieldDepthMax) {
    throw new ProtocolError(`A header nests deeper than ${limits.fieldDepthMax} tables and arrays`);
  }
}
