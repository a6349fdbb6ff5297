import { SqsError } from './sqs-error.ts';

/** What a parameter, or a member of an answer, is. Flattened lists and maps have the name of one entry in the Query protocol. */
export type Shape =
  | { readonly kind: 'string' | 'integer' | 'boolean' }
  | { readonly kind: 'list'; readonly entry: string; readonly of: Shape }
  | {
      readonly kind: 'map';
      readonly entry: string;
      readonly keyName: string;
      readonly valueName: string;
      readonly of: Shape;
    }
  | Structure;

export interface Structure {
  readonly kind: 'structure';
  readonly members: Readonly<Record<string, Shape>>;
}

export type Input = Readonly<Record<string, unknown>>;

export const string: Shape = { kind: 'string' };
export const integer: Shape = { kind: 'integer' };
export const boolean: Shape = { kind: 'boolean' };

export function list(entry: string, of: Shape = string): Shape {
  return { kind: 'list', entry, of };
}

export function map(entry: string, keyName: string, of: Shape = string): Shape {
  return { kind: 'map', entry, keyName, valueName: 'Value', of };
}

export function structure(members: Readonly<Record<string, Shape>>): Structure {
  return { kind: 'structure', members };
}

/** Checks the types of a JSON body, in place. Unknown members are left alone; null counts as absent. Throws SqsError. */
export function checkInput(shape: Structure, value: unknown): Input {
  if (!isObject(value)) throw unexpected('an object');
  for (const name in shape.members) {
    const member = value[name];
    if (member !== undefined && member !== null) checkValue(shape.members[name]!, member, name);
  }
  return value;
}

function checkValue(shape: Shape, value: unknown, where: string): void {
  switch (shape.kind) {
    case 'string':
      if (typeof value !== 'string') throw unexpected('a String', where);
      return;
    case 'integer':
      if (!Number.isSafeInteger(value)) throw unexpected('an Integer', where);
      return;
    case 'boolean':
      if (typeof value !== 'boolean') throw unexpected('a Boolean', where);
      return;
    case 'list':
      if (!Array.isArray(value)) throw unexpected('a List', where);
      for (const item of value) checkValue(shape.of, item, where);
      return;
    case 'map':
      if (!isObject(value)) throw unexpected('a Map', where);
      for (const key of Object.keys(value)) checkValue(shape.of, value[key], where);
      return;
    default:
      checkInput(shape, value);
  }
}

function unexpected(what: string, where = 'the request'): SqsError {
  return new SqsError('SerializationException', `Expected ${what} for ${where}`);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Members of a checked input. */
export function textOf(input: Input, name: string): string | undefined {
  const value = input[name];
  return typeof value === 'string' ? value : undefined;
}

export function numberOf(input: Input, name: string): number | undefined {
  const value = input[name];
  return typeof value === 'number' ? value : undefined;
}

export function listOf(input: Input, name: string): readonly unknown[] {
  const value = input[name];
  return Array.isArray(value) ? value : [];
}

export function textsOf(input: Input, name: string): string[] {
  return listOf(input, name).filter((item) => typeof item === 'string');
}

export function objectsOf(input: Input, name: string): Input[] {
  return listOf(input, name).filter(isObject);
}

/** Undefined where there is none, or it is empty. */
export function mapOf(input: Input, name: string): Input | undefined {
  const value = input[name];
  return isObject(value) && Object.keys(value).length > 0 ? value : undefined;
}
