import { limits } from '../../base/index.ts';
import type { FieldValue } from '../field-value.ts';
import { compareNumbers, isNumeric, type Numeric } from '../numeric.ts';
import { AddressRange } from './cidr.ts';
import { invalidIn, isObject } from './policy-error.ts';

/** Whether one value is what a condition asks; `undefined`: there is no value. */
export type Condition = (value: FieldValue | undefined) => boolean;

/** One condition of a list. `path` says where it stands, for errors. Throws filter-invalid. */
export function createCondition(given: unknown, path: string): Condition {
  if (!isObject(given)) return createExact(given, path);
  const [word, ...more] = Object.keys(given);
  if (word === undefined || more.length > 0) {
    throw invalidIn(path, 'a condition has exactly one member, which says what it is');
  }
  const operand = given[word];
  const place = `${path}.${word}`;
  switch (word) {
    case 'exists':
      if (typeof operand !== 'boolean') throw invalidIn(place, 'true or false is expected');
      return (value) => (value !== undefined) === operand;
    case 'anything-but':
      return createAnythingBut(operand, place);
    case 'numeric':
      return createNumeric(operand, place);
    default:
      return createTextual(word, operand, place);
  }
}

function createExact(given: unknown, path: string): Condition {
  if (typeof given === 'string' || typeof given === 'boolean' || given === null) {
    return (value) => value === given;
  }
  if (typeof given !== 'number') throw invalidIn(path, 'a value or a condition is expected');
  return (value) => isNumeric(value) && compareNumbers(value, given) === 0;
}

/** Those that look at a text. */
function createTextual(word: string, operand: unknown, path: string): Condition {
  if (isObject(operand) && (word === 'prefix' || word === 'suffix')) {
    const [inner, ...more] = Object.keys(operand);
    const text = operand['equals-ignore-case'];
    if (inner !== 'equals-ignore-case' || more.length > 0 || typeof text !== 'string') {
      throw invalidIn(path, 'a text, or equals-ignore-case of one, is expected');
    }
    const folded = fold(text);
    return word === 'prefix'
      ? (value) => typeof value === 'string' && fold(value).startsWith(folded)
      : (value) => typeof value === 'string' && fold(value).endsWith(folded);
  }
  const given = (): string => {
    if (typeof operand !== 'string') throw invalidIn(path, 'a text is expected');
    return operand;
  };
  switch (word) {
    case 'prefix': {
      const prefix = given();
      return (value) => typeof value === 'string' && value.startsWith(prefix);
    }
    case 'suffix': {
      const suffix = given();
      return (value) => typeof value === 'string' && value.endsWith(suffix);
    }
    case 'equals-ignore-case': {
      const folded = fold(given());
      return (value) => typeof value === 'string' && fold(value) === folded;
    }
    case 'wildcard': {
      const parts = splitWildcard(given(), path);
      return (value) => typeof value === 'string' && matchesWildcard(parts, value);
    }
    case 'cidr': {
      const range = AddressRange.parse(given());
      if (range === undefined) throw invalidIn(path, 'a range such as 10.0.0.0/24 is expected');
      return (value) => typeof value === 'string' && range.includes(value);
    }
    default:
      throw invalidIn(path, 'there is no such condition');
  }
}

/** There must be a value, and it is none of those. */
function createAnythingBut(operand: unknown, path: string): Condition {
  const excluded: Condition[] = [];
  if (isObject(operand)) {
    const [word, ...more] = Object.keys(operand);
    if (word === undefined || more.length > 0 || word === 'exists' || word === 'anything-but') {
      throw invalidIn(path, 'a value, a list of values, or one condition on texts is expected');
    }
    const inner = operand[word];
    const texts = Array.isArray(inner) && word !== 'numeric' ? inner : [inner];
    if (texts.length === 0) throw invalidIn(`${path}.${word}`, 'the list is empty');
    for (const text of texts) excluded.push(createCondition({ [word]: text }, path));
  } else {
    const values: unknown[] = Array.isArray(operand) ? operand : [operand];
    if (values.length === 0) throw invalidIn(path, 'the list is empty');
    if (values.length > limits.filterConditionsMax) {
      throw invalidIn(path, `there are more than ${limits.filterConditionsMax} values`);
    }
    for (const [index, value] of values.entries()) {
      excluded.push(createExact(value, `${path}[${index}]`));
    }
  }
  return (value) => value !== undefined && !excluded.some((condition) => condition(value));
}

/** `["=", 5]`, `[">", 0]`, `[">=", 0, "<", 10]`. */
function createNumeric(operand: unknown, path: string): Condition {
  if (!Array.isArray(operand) || (operand.length !== 2 && operand.length !== 4)) {
    throw invalidIn(path, 'a list of an operator and a number, or two of each, is expected');
  }
  const checks: Array<(value: Numeric) => boolean> = [];
  const words: string[] = [];
  for (let index = 0; index < operand.length; index += 2) {
    const word: unknown = operand[index];
    const bound: unknown = operand[index + 1];
    if (typeof bound !== 'number') throw invalidIn(`${path}[${index + 1}]`, 'a number is expected');
    checks.push(createBound(word, bound, `${path}[${index}]`));
    words.push(String(word));
  }
  if (words.length === 2 && !(words[0]?.startsWith('>') && words[1]?.startsWith('<'))) {
    throw invalidIn(path, 'a range has a lower bound (> or >=) and then an upper one (< or <=)');
  }
  if (operand.length === 4 && Number(operand[1]) > Number(operand[3])) {
    throw invalidIn(path, 'the lower bound is above the upper one');
  }
  return (value) => isNumeric(value) && checks.every((check) => check(value));
}

function createBound(word: unknown, bound: number, path: string): (value: Numeric) => boolean {
  switch (word) {
    case '=':
      return (value) => compareNumbers(value, bound) === 0;
    case '<':
      return (value) => value < bound;
    case '<=':
      return (value) => value <= bound;
    case '>':
      return (value) => value > bound;
    case '>=':
      return (value) => value >= bound;
    default:
      throw invalidIn(path, 'one of =, <, <=, > and >= is expected');
  }
}

/** Texts between `*`, of which `\*` is none. */
function splitWildcard(pattern: string, path: string): string[] {
  const parts = [''];
  for (let index = 0; index < pattern.length; index++) {
    let character = pattern[index] ?? '';
    if (character === '*') {
      if (pattern[index + 1] === '*') throw invalidIn(path, 'two * follow one another');
      parts.push('');
      continue;
    }
    if (character === '\\') {
      index++;
      character = pattern[index] ?? '';
      if (character !== '*' && character !== '\\') {
        throw invalidIn(path, 'a backslash stands before * or another one');
      }
    }
    parts[parts.length - 1] += character;
  }
  if (parts.length - 1 > limits.filterWildcardsMax) {
    throw invalidIn(path, `a pattern has at most ${limits.filterWildcardsMax} wildcards`);
  }
  return parts;
}

function matchesWildcard(parts: readonly string[], text: string): boolean {
  const first = parts[0] ?? '';
  const last = parts.at(-1) ?? '';
  if (parts.length === 1) return text === first;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (let index = 1; index < parts.length - 1; index++) {
    const part = parts[index] ?? '';
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

function fold(text: string): string {
  return text.toLowerCase();
}
