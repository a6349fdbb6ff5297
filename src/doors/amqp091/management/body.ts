import type { IncomingMessage } from 'node:http';
import { limits } from '../../../base/index.ts';
import { GatheredBytes, isNestedDeeper } from '../../../net/index.ts';
import { tableOf } from '../stored-arguments.ts';
import { emptyTable, type FieldTable } from '../wire/index.ts';
import { ApiError, badRequest, keyMissing } from './api-error.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/** Reads a request's body as JSON of at most `bytesMax`; an empty one is an empty object. Rejects with an ApiError. */
export async function readJsonBody(
  request: IncomingMessage,
  bytesMax: number,
): Promise<JsonObject> {
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) throw tooLarge(bytesMax);
  const whole = new GatheredBytes();
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) throw badRequest('not_json');
    whole.add(chunk);
    if (whole.bytes > bytesMax) throw tooLarge(bytesMax);
  }
  if (whole.bytes === 0) return {};
  const text = whole.take().toString('utf8');
  if (isNestedDeeper(text, limits.jsonDepthMax)) throw badRequest('not_json');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw badRequest('not_json', error);
  }
  if (!isObject(value)) throw badRequest('not_json');
  return value;
}

function tooLarge(bytesMax: number): ApiError {
  return new ApiError(413, 'payload_too_large', `a body has at most ${bytesMax} bytes`, {
    headers: { connection: 'close' },
  });
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A member that must be there. */
export function need(body: JsonObject, key: string): unknown {
  const value = body[key];
  if (value === undefined) throw keyMissing(key);
  return value;
}

export function needText(body: JsonObject, key: string): string {
  return asText(need(body, key), key);
}

export function asText(value: unknown, key: string): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  throw badRequest([`not_string`, key]);
}

/** Numbers also come as texts: rabbitmqadmin gives what was typed. */
export function asInteger(value: unknown, key: string): number {
  const number = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isSafeInteger(number)) {
    throw badRequest(['not_integer', value === undefined ? key : value]);
  }
  return number;
}

/** Truths also come as texts. */
export function truthOf(body: JsonObject, key: string, initial: boolean): boolean {
  const value = body[key];
  if (value === undefined || value === null) return initial;
  if (typeof value === 'boolean') return value;
  if (value === 'true') return true;
  if (value === 'false') return false;
  throw badRequest(['not_boolean', value]);
}

export function argumentsOf(body: JsonObject, key = 'arguments'): FieldTable {
  const value = body[key];
  // An empty Erlang list is what some tools write for no arguments.
  if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) {
    return emptyTable;
  }
  if (!isObject(value)) throw badRequest(['not_a_map', key]);
  return tableOf(value);
}

/** A list of objects, absent for none. */
export function objectsOf(body: JsonObject, key: string): readonly JsonObject[] {
  const value = body[key];
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || !value.every(isObject)) throw badRequest(['not_a_list', key]);
  return value;
}

/** Tags are a list, or a text with commas. */
export function tagsOf(value: unknown): string[] {
  const words = typeof value === 'string' ? value.split(',') : value;
  if (!Array.isArray(words)) throw badRequest(['not_a_list', 'tags']);
  return words.map((word) => asText(word, 'tags').trim()).filter((word) => word !== '');
}
