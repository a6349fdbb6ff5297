import type { FieldValue } from '../field-value.ts';
import { compareNumbers, isNumeric } from '../numeric.ts';
import { compute, negate } from './arithmetic.ts';
import type { LikePattern } from './like-pattern.ts';

/** What a message says of a name; undefined and null: nothing. */
export type Lookup = (name: string) => FieldValue | undefined;

export type Evaluation<T> = (lookup: Lookup) => T | undefined;

/** Undefined is NULL in a value and unknown in a condition. */
export interface Expression {
  /** What its text alone says of its values: `any` for a name. */
  readonly type: 'any' | 'boolean' | 'number' | 'string';
  /** Where it begins. */
  readonly at: number;
  /** A number that is computed in floating point whatever its value is. */
  readonly isApproximate: boolean;
  /** The name, where it is nothing but one. */
  readonly name?: string;
  readonly evaluate: Evaluation<FieldValue>;
}

export type Comparison = '=' | '<>' | '<' | '<=' | '>' | '>=';

export function createName(name: string, at: number): Expression {
  return {
    type: 'any',
    at,
    isApproximate: false,
    name,
    evaluate: (lookup) => lookup(name) ?? undefined,
  };
}

export function createLiteral(
  value: string | number | bigint | boolean,
  at: number,
  isApproximate = false,
): Expression {
  const type = typeof value === 'bigint' ? 'number' : (typeof value as 'string');
  return { type, at, isApproximate, evaluate: () => value };
}

export function createCondition(at: number, evaluate: Evaluation<boolean>): Expression {
  return { type: 'boolean', at, isApproximate: false, evaluate };
}

/** Operands and the operators between them, from left to right: a long chain is no deep one. */
export function createChain(
  operands: readonly Expression[],
  operators: ReadonlyArray<'+' | '-' | '*' | '/'>,
): Expression {
  const evaluations = operands.map(({ evaluate }) => evaluate);
  // From the first operand that is approximate on, the result is.
  let isApproximate = false;
  const approximations = operands.map((operand) => (isApproximate ||= operand.isApproximate));
  return {
    type: 'number',
    at: operands[0]?.at ?? 0,
    isApproximate,
    evaluate: (lookup) => {
      let result = evaluations[0]?.(lookup);
      for (let index = 0; index < operators.length; index++) {
        const right = evaluations[index + 1]?.(lookup);
        const operator = operators[index];
        if (!isNumeric(result) || !isNumeric(right) || operator === undefined) return undefined;
        result = compute(operator, result, right, approximations[index + 1] ?? false);
      }
      return result;
    },
  };
}

export function createNegation({ evaluate, isApproximate }: Expression, at: number): Expression {
  return {
    type: 'number',
    at,
    isApproximate,
    evaluate: (lookup) => {
      const value = evaluate(lookup);
      return isNumeric(value) ? negate(value) : undefined;
    },
  };
}

/** All of them, or any: unknown where that would decide. */
export function createJunction(operands: readonly Expression[], isAnd: boolean): Expression {
  const evaluations = operands.map(({ evaluate }) => evaluate);
  return createCondition(operands[0]?.at ?? 0, (lookup) => {
    let result: boolean | undefined = isAnd;
    for (const evaluate of evaluations) {
      const value = evaluate(lookup);
      if (value === !isAnd) return !isAnd;
      // Something that is no boolean is as unknown as NULL.
      if (value !== isAnd) result = undefined;
    }
    return result;
  });
}

export function createNot({ evaluate }: Expression, at: number): Expression {
  return createCondition(at, (lookup) => {
    const value = evaluate(lookup);
    return typeof value === 'boolean' ? !value : undefined;
  });
}

export function createComparison(
  operator: Comparison,
  left: Expression,
  right: Expression,
): Expression {
  const evaluateLeft = left.evaluate;
  const evaluateRight = right.evaluate;
  return createCondition(left.at, (lookup) => {
    const one = evaluateLeft(lookup);
    if (one === undefined) return undefined;
    const other = evaluateRight(lookup);
    return other === undefined ? undefined : compareValues(operator, one, other);
  });
}

export function createBetween(value: Expression, low: Expression, high: Expression): Expression {
  return createJunction(
    [createComparison('>=', value, low), createComparison('<=', value, high)],
    true,
  );
}

export function createIn(
  { evaluate, at }: Expression,
  choices: ReadonlyArray<string | number | bigint | boolean>,
): Expression {
  const texts = new Set(choices.filter((choice) => typeof choice === 'string'));
  const others = choices.filter((choice) => typeof choice !== 'string');
  return createCondition(at, (lookup) => {
    const value = evaluate(lookup);
    if (value === undefined) return undefined;
    if (typeof value === 'string') return texts.has(value);
    return others.some((choice) => compareValues('=', value, choice));
  });
}

export function createLike({ evaluate, at }: Expression, pattern: LikePattern): Expression {
  return createCondition(at, (lookup) => {
    const value = evaluate(lookup);
    if (value === undefined) return undefined;
    return typeof value === 'string' && pattern.matches(value);
  });
}

export function createIsNull({ evaluate, at }: Expression): Expression {
  return createCondition(at, (lookup) => evaluate(lookup) === undefined);
}

/** Values of different types are neither equal nor unequal; only numbers have an order. */
function compareValues(operator: Comparison, left: FieldValue, right: FieldValue): boolean {
  if (isNumeric(left) && isNumeric(right)) {
    const order = compareNumbers(left, right);
    switch (operator) {
      case '=':
        return order === 0;
      case '<>':
        return order !== 0;
      case '<':
        return order < 0;
      case '<=':
        return order <= 0;
      case '>':
        return order > 0;
      default:
        return order >= 0;
    }
  }
  if (typeof left !== typeof right || (typeof left !== 'string' && typeof left !== 'boolean')) {
    return false;
  }
  if (operator === '=') return left === right;
  return operator === '<>' && left !== right;
}
