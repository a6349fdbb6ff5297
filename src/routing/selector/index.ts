import { limits } from '../../base/index.ts';
import { invalidAt } from '../filter-error.ts';
import type { Lookup } from './expression.ts';
import { SelectorParser } from './parser.ts';

export type { Lookup } from './expression.ts';

/**
 * Compiles a condition over named values in the subset of SQL-92 that message selectors have: comparisons, BETWEEN, IN,
 * LIKE with ESCAPE, IS NULL, AND, OR and NOT with three values, arithmetic. What is unknown is no match; an empty text matches everything. Beyond that
 * subset: names in double quotes and names with dots, `!=`, and numbers and booleans in IN. Throws filter-invalid.
 */
export function compileSelector(text: string): (lookup: Lookup) => boolean {
  if (text.length > limits.filterCharsMax) {
    throw invalidAt(limits.filterCharsMax, `it has more than ${limits.filterCharsMax} characters`);
  }
  if (text.trim() === '') return () => true;
  const { evaluate } = new SelectorParser(text).parse();
  return (lookup) => evaluate(lookup) === true;
}
