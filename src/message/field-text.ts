import { ProtocolError } from '../base/index.ts';
import { asBuffer } from '../bytes/index.ts';
import {
  type FieldTypeName,
  isInRange,
  isIntegerType,
  isTextualType,
  type TypedValue,
} from './field.ts';
import { doubleText, floatText, parseFloating, parseInteger } from './number-text.ts';
import { parseTaggedJson, taggedJson } from './tagged-json.ts';

/** The text that stands for a value in a record header; undefined for bytes, which stand for themselves, and for void. */
export function textOf(typed: TypedValue): string | undefined {
  switch (typed.type) {
    case 'bytes':
    case 'void':
      return undefined;
    case 'float':
      return floatText(typed.value);
    case 'double':
      return doubleText(typed.value);
    case 'table':
    case 'array':
      return taggedJson(typed);
    default:
      return String(typed.value);
  }
}

/** The value that a header's bytes stand for; undefined when they are not of the type. Bytes are borrowed. */
export function parseTyped(
  type: FieldTypeName,
  bytes: Uint8Array,
  at: number,
  end: number,
): TypedValue | undefined {
  if (type === 'bytes') return { type, value: bytes.subarray(at, end) };
  if (type === 'void') return { type, value: null };
  const text = asBuffer(bytes).toString('utf8', at, end);
  if (type === 'text' || isTextualType(type)) return { type, value: text };
  if (isIntegerType(type)) {
    const value = parseInteger(text);
    return value !== undefined && isInRange(type, value) ? { type, value } : undefined;
  }
  switch (type) {
    case 'timestamp': {
      const value = parseInteger(text);
      return value === undefined ? undefined : { type, value };
    }
    case 'boolean':
      return text === 'true' || text === 'false' ? { type, value: text === 'true' } : undefined;
    case 'float':
    case 'double': {
      const value = parseFloating(text);
      if (value === undefined) return undefined;
      return { type, value: type === 'float' ? Math.fround(value) : value };
    }
    default:
      return parseNested(type, text);
  }
}

function parseNested(type: 'table' | 'array', text: string): TypedValue | undefined {
  try {
    const typed = parseTaggedJson(text);
    return typed.type === type ? typed : undefined;
  } catch (error) {
    // The header was changed on its way, or nests too deep: it is shown as what it is, a text.
    if (error instanceof SyntaxError || error instanceof ProtocolError) return undefined;
    throw error;
  }
}
