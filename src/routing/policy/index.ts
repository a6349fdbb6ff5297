import { BrokerError, limits } from '../../base/index.ts';
import { type Fields, type FieldValue, isFields } from '../field-value.ts';
import { type Condition, createCondition } from './condition.ts';
import { invalidIn, isObject } from './policy-error.ts';

type Check = (fields: Fields | undefined) => boolean;

const either = '$or';

/**
 * Compiles a filter policy, a JSON object: every key must match, and a key matches with any condition of its list. Keys
 * may be nested, or written with dots; `$or` is a list of policies of which one must match. A value that is a list matches when one of its
 * items does, and a nested policy when it fits one item of a list as a whole. Throws filter-invalid.
 */
export function compilePolicy(text: string): (fields: Fields) => boolean {
  if (text.length > limits.filterCharsMax) {
    throw invalidIn('', `it has more than ${limits.filterCharsMax} characters`);
  }
  let policy: unknown;
  try {
    policy = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    // V8 says where the text stops being JSON.
    throw new BrokerError('filter-invalid', `it is not JSON: ${error.message}`, { cause: error });
  }
  return new PolicyCompiler().compile(policy, '', 0);
}

class PolicyCompiler {
  #conditions = 0;

  compile(policy: unknown, path: string, depth: number): Check {
    if (!isObject(policy)) throw invalidIn(path, 'an object is expected');
    if (depth > limits.filterDepthMax) {
      throw invalidIn(path, `it is nested more than ${limits.filterDepthMax} deep`);
    }
    const checks: Check[] = [];
    for (const [key, given] of Object.entries(policy)) {
      const place = path === '' ? key : `${path}.${key}`;
      if (key === either && isAlternatives(given)) {
        checks.push(this.#compileAlternatives(given, place, depth));
      } else if (Array.isArray(given)) {
        checks.push(this.#compileKey(key, given, place));
      } else if (isObject(given)) {
        checks.push(compileNested(key, this.compile(given, place, depth + 1)));
      } else throw invalidIn(place, 'a list of conditions or an object is expected');
    }
    if (checks.length === 0) throw invalidIn(path, 'there is no key in it');
    return (fields) => checks.every((check) => check(fields));
  }

  #compileAlternatives(given: readonly unknown[], path: string, depth: number): Check {
    const checks = given.map((policy, index) =>
      this.compile(policy, `${path}[${index}]`, depth + 1),
    );
    return (fields) => checks.some((check) => check(fields));
  }

  #compileKey(key: string, given: readonly unknown[], path: string): Check {
    if (given.length === 0) throw invalidIn(path, 'the list of conditions is empty');
    this.#conditions += given.length;
    if (this.#conditions > limits.filterConditionsMax) {
      throw invalidIn(path, `there are more than ${limits.filterConditionsMax} conditions`);
    }
    const conditions = given.map((one, index) => createCondition(one, `${path}[${index}]`));
    return (fields) => matchesAny(conditions, find(fields, key));
  }
}

/** `$or` with fewer than two policies is a key like any other. */
function isAlternatives(given: unknown): given is readonly unknown[] {
  return Array.isArray(given) && given.length >= 2 && given.every(isObject);
}

function compileNested(key: string, check: Check): Check {
  return (fields) => {
    const value = find(fields, key);
    if (isList(value)) return matchesItem(value, check, 0);
    // Nothing is there below what is not there, which is what `exists: false` asks for.
    return check(isFields(value) ? value : undefined);
  };
}

/** Lists in the list are looked into, too, as deep as policies may be nested. */
function matchesItem(list: readonly FieldValue[], check: Check, depth: number): boolean {
  return list.some((item) =>
    isList(item)
      ? depth < limits.filterDepthMax && matchesItem(item, check, depth + 1)
      : isFields(item) && check(item),
  );
}

function matchesAny(conditions: readonly Condition[], value: FieldValue | undefined): boolean {
  if (!isList(value)) return conditions.some((condition) => condition(value));
  // An empty list has no value, but it is there.
  if (value.length === 0) return conditions.some((condition) => condition(value));
  return value.some((item) => conditions.some((condition) => condition(item)));
}

/** The value of a key; `a.b` is also `b` within `a`, where there is no `a.b`. */
function find(fields: Fields | undefined, key: string): FieldValue | undefined {
  if (fields === undefined) return undefined;
  if (Object.hasOwn(fields, key)) return fields[key];
  for (let dot = key.indexOf('.'); dot >= 0; dot = key.indexOf('.', dot + 1)) {
    const found = findWithin(findOwn(fields, key.slice(0, dot)), key.slice(dot + 1));
    if (found !== undefined) return found;
  }
  return undefined;
}

function findOwn(fields: Fields, key: string): FieldValue | undefined {
  return Object.hasOwn(fields, key) ? fields[key] : undefined;
}

/** Of a list, the values of all of its items; of lists in it, as deep as policies may be nested. */
function findWithin(value: FieldValue | undefined, key: string, depth = 0): FieldValue | undefined {
  if (isFields(value)) return find(value, key);
  if (!isList(value) || depth > limits.filterDepthMax) return undefined;
  const found = value.flatMap((item) => findWithin(item, key, depth + 1) ?? []);
  return found.length > 0 ? found : undefined;
}

function isList(value: FieldValue | undefined): value is readonly FieldValue[] {
  return Array.isArray(value);
}
