import type { IncomingMessage } from 'node:http';
import { limits } from '../../base/index.ts';
import { GatheredBytes, isNestedDeeper } from '../../net/index.ts';
import { Problem } from './problem.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/** Reads a request's body as a JSON object of at most `bytesMax`. Rejects with a Problem. */
export async function readJsonBody(
  request: IncomingMessage,
  bytesMax: number,
): Promise<JsonObject> {
  const type = request.headers['content-type'] ?? '';
  // Forms and plain texts are what a foreign page can send without asking first; JSON is not (Fetch, CORS preflight).
  if (!/^application\/(?:[a-z.+-]+\+)?json\s*(?:;|$)/i.test(type)) {
    throw new Problem(415, 'content-type-unsupported', 'send JSON as application/json');
  }
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) throw tooLarge(bytesMax);
  const whole = new GatheredBytes();
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) throw new Problem(400, 'body-invalid', 'the body is not bytes');
    whole.add(chunk);
    if (whole.bytes > bytesMax) throw tooLarge(bytesMax);
  }
  const text = whole.take().toString('utf8');
  if (isNestedDeeper(text, limits.jsonDepthMax))
    throw new Problem(400, 'body-invalid', 'the body is nested too deeply');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new Problem(400, 'body-invalid', `the body is not JSON: ${error.message}`);
  }
  return asObject(value, 'the body');
}

function tooLarge(bytesMax: number): Problem {
  return new Problem(413, 'body-too-large', `a body has at most ${bytesMax} bytes`, {
    connection: 'close',
  });
}

export function asObject(value: unknown, where: string): JsonObject {
  if (!isObject(value)) throw invalid(where, 'an object');
  return value;
}

export function asArray(value: unknown, where: string, lengthMax: number): readonly unknown[] {
  if (!Array.isArray(value)) throw invalid(where, 'an array');
  if (value.length > lengthMax) throw invalid(where, `an array of at most ${lengthMax} items`);
  return value;
}

export function asText(value: unknown, where: string): string {
  if (typeof value !== 'string') throw invalid(where, 'a text');
  return value;
}

export function asWholeNumber(value: unknown, where: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
    throw invalid(where, 'a whole number');
  }
  return value;
}

export function asTruth(value: unknown, where: string): boolean {
  if (typeof value !== 'boolean') throw invalid(where, 'true or false');
  return value;
}

/** Reads a member where it is there; null counts as absent. */
export function optional<T>(
  object: JsonObject,
  key: string,
  read: (value: unknown, where: string) => T,
): T | undefined {
  const value = object[key];
  return value === undefined || value === null ? undefined : read(value, key);
}

/** A misspelt member that is silently dropped is worse than an error. */
export function refuseOthers(object: JsonObject, known: readonly string[], where: string): void {
  for (const key of Object.keys(object)) {
    if (!known.includes(key)) {
      throw new Problem(
        400,
        'body-invalid',
        `${where} has no member "${key}"; it may have: ${known.join(', ')}`,
      );
    }
  }
}

export function invalid(where: string, expected: string): Problem {
  return new Problem(400, 'body-invalid', `${where} must be ${expected}`);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
