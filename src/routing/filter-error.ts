import { BrokerError } from '../base/index.ts';

/** `at` counts characters from 0; people count from 1. */
export function invalidAt(at: number, problem: string): BrokerError {
  return new BrokerError('filter-invalid', `at character ${at + 1}: ${problem}`);
}
