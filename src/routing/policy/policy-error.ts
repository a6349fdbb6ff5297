import { BrokerError } from '../../base/index.ts';

/** `path` is where it stands in the policy: `price[0].numeric`. */
export function invalidIn(path: string, problem: string): BrokerError {
  return new BrokerError('filter-invalid', path === '' ? problem : `at ${path}: ${problem}`);
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
