import { isIP } from 'node:net';
import { isObject } from '../shape.ts';

const keysMax = 5;
const combinationsMax = 150;

/** Thrown within this file: the service's sentence about a policy that it refuses. */
class Problem extends Error {}

/**
 * What the service says of a filter policy that it refuses; undefined for one that it takes. It looks at the form only,
 * and is stricter than `compilePolicy`, which several doors share.
 */
export function findFilterProblem(policy: Readonly<Record<string, unknown>>): string | undefined {
  try {
    const keys = Object.keys(policy);
    checkMembers(policy);
    if (keys.length > keysMax) return `Filter policy can not have more than ${keysMax} keys`;
    if (countCombinations(policy, 1) > combinationsMax) return 'Filter policy is too complex';
    return undefined;
  } catch (error) {
    if (error instanceof Problem) return error.message;
    throw error;
  }
}

/** Whether a policy looks into members of members, which attributes do not have. */
export function isNestedFilter(policy: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(policy).some(
    ([key, value]) =>
      isObject(value) ||
      (key === '$or' && isAlternatives(value) && value.some((each) => isNestedFilter(each))),
  );
}

function isAlternatives(value: unknown): value is ReadonlyArray<Record<string, unknown>> {
  return Array.isArray(value) && value.length >= 2 && value.every(isObject);
}

/** The service multiplies the numbers of values of all keys, each by how deep the key stands. */
function countCombinations(policy: Readonly<Record<string, unknown>>, depth: number): number {
  let product = 1;
  for (const [key, value] of Object.entries(policy)) {
    if (key === '$or' && isAlternatives(value)) {
      let sum = 0;
      for (const each of value) sum += countCombinations(each, depth);
      product *= sum;
    } else if (Array.isArray(value)) product *= value.length * depth;
    else if (isObject(value)) product *= countCombinations(value, depth + 1);
  }
  return product;
}

function checkMembers(policy: Readonly<Record<string, unknown>>): void {
  for (const [key, value] of Object.entries(policy)) {
    if (key === '$or' && isAlternatives(value)) {
      for (const each of value) checkMembers(each);
    } else if (Array.isArray(value)) {
      if (value.length === 0) throw new Problem('Empty arrays are not allowed');
      for (const each of value) checkCondition(each);
    } else if (isObject(value)) checkMembers(value);
    else throw new Problem(`"${key}" must be an object or an array`);
  }
}

function checkCondition(condition: unknown): void {
  if (!isObject(condition)) {
    if (Array.isArray(condition)) {
      throw new Problem('Match value must be String, number, true, false, or null');
    }
    return;
  }
  const [word, ...more] = Object.keys(condition);
  if (word === undefined) throw new Problem('Empty objects are not allowed');
  checkOperator(word, condition[word]);
  if (more.length > 0) throw new Problem('Only one key allowed in match expression');
}

function checkOperator(word: string, operand: unknown): void {
  switch (word) {
    case 'prefix':
    case 'suffix':
    case 'equals-ignore-case':
    case 'wildcard':
      checkText(word, operand);
      return;
    case 'cidr':
      // The service calls it a prefix here.
      checkText('prefix', operand);
      checkRange(String(operand));
      return;
    case 'exists':
      if (typeof operand !== 'boolean') {
        throw new Problem('exists match pattern must be either true or false.');
      }
      return;
    case 'numeric':
      checkNumeric(operand);
      return;
    case 'anything-but':
      checkAnythingBut(operand);
      return;
    default:
      throw new Problem(`Unrecognized match type ${word}`);
  }
}

function checkText(word: string, operand: unknown): void {
  if (typeof operand !== 'string') throw new Problem(`${word} match pattern must be a string`);
}

function checkRange(text: string): void {
  const [address = '', bits, ...more] = text.split('/');
  if (bits === undefined || more.length > 0) {
    throw new Problem("Malformed CIDR, one '/' required");
  }
  if (!/^[0-9]{1,3}$/.test(bits)) {
    throw new Problem('Malformed CIDR, mask bits must be an integer');
  }
  const version = isIP(address);
  if (version === 0) throw new Problem(`Nonstandard IP address: ${address}`);
  if (Number(bits) > (version === 4 ? 32 : 128)) {
    throw new Problem('Malformed CIDR, mask bits must not be negative or greater than the address');
  }
}

function checkAnythingBut(operand: unknown): void {
  if (isObject(operand)) {
    const [word = '', ...more] = Object.keys(operand);
    if (word !== 'prefix') throw new Problem(`Unsupported anything-but pattern: ${word}`);
    checkText(word, operand[word]);
    if (more.length > 0) throw new Problem('Only one key allowed in match expression');
    return;
  }
  const values: unknown[] = Array.isArray(operand) ? operand : [operand];
  if (values.length === 0) throw new Problem('Empty arrays are not allowed');
  if (!values.every((value) => typeof value === 'string' || typeof value === 'number')) {
    throw new Problem('anything-but list must be either string or number.');
  }
}

/** `["=", 5]`, `[">", 0]`, `[">=", 0, "<", 10]`. */
function checkNumeric(operand: unknown): void {
  if (!Array.isArray(operand)) throw new Problem('Value of numeric must be an array.');
  const [word, bound, upperWord, upper]: unknown[] = operand;
  if (operand.length === 0) throw new Problem('Invalid member in numeric match: ]');
  if (typeof word !== 'string') {
    throw new Problem(`Invalid member in numeric match: ${JSON.stringify(word)}`);
  }
  if (!/^(=|[<>]=?)$/.test(word)) {
    throw new Problem(`Unrecognized numeric range operator: ${word}`);
  }
  if (typeof bound !== 'number') {
    throw new Problem(`Value of ${word === '=' ? 'equals' : word} must be numeric`);
  }
  if (operand.length === 2) return;
  if (!word.startsWith('>')) throw new Problem('Too many elements in numeric expression');
  if (typeof upperWord !== 'string') {
    throw new Problem(`Bad value in numeric range: ${JSON.stringify(upperWord)}`);
  }
  if (upperWord !== '<' && upperWord !== '<=') {
    throw new Problem(`Bad numeric range operator: ${upperWord}`);
  }
  if (typeof upper !== 'number') throw new Problem(`Value of ${upperWord} must be numeric`);
  if (operand.length > 4) throw new Problem('Too many terms in numeric range expression');
  if (bound >= upper) throw new Problem('Bottom must be less than top');
}
