import type { Numeric } from '../numeric.ts';
import { narrow } from './token.ts';

/**
 * Whole numbers are computed with 64 bits, as the grammar's home does it; with a fraction on either side, or where the
 * text says so, in floating point. Undefined where a whole number is divided by zero.
 */
export function compute(
  operator: '+' | '-' | '*' | '/',
  left: Numeric,
  right: Numeric,
  isApproximate: boolean,
): Numeric | undefined {
  if (isApproximate || !isWhole(left) || !isWhole(right)) {
    return computeFloating(operator, Number(left), Number(right));
  }
  if (operator === '/' && !right) return undefined;
  if (typeof left === 'number' && typeof right === 'number') {
    const result = computeFloating(operator, left, right);
    if (Number.isSafeInteger(result)) return result;
    if (operator === '/') return Math.trunc(result);
  }
  return narrow(BigInt.asIntN(64, computeWhole(operator, BigInt(left), BigInt(right))));
}

export function negate(value: Numeric): Numeric {
  return typeof value === 'bigint' ? narrow(BigInt.asIntN(64, -value)) : -value;
}

function isWhole(value: Numeric): boolean {
  return typeof value === 'bigint' || Number.isInteger(value);
}

function computeFloating(operator: string, left: number, right: number): number {
  if (operator === '+') return left + right;
  if (operator === '-') return left - right;
  return operator === '*' ? left * right : left / right;
}

function computeWhole(operator: string, left: bigint, right: bigint): bigint {
  if (operator === '+') return left + right;
  if (operator === '-') return left - right;
  return operator === '*' ? left * right : left / right;
}
