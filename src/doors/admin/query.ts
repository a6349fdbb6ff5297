import { Problem } from './problem.ts';

/** A whole number; undefined where it is not given. Throws a Problem. */
export function readNumber(
  query: URLSearchParams,
  name: string,
  min: number,
  max: number,
): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) {
    throw new Problem(400, 'query-invalid', `${name} must be a whole number from ${min} to ${max}`);
  }
  return value;
}

/** A misspelt parameter that is silently dropped is worse than an error. */
export function refuseOtherParameters(query: URLSearchParams, known: readonly string[]): void {
  for (const name of query.keys()) {
    if (!known.includes(name)) {
      throw new Problem(
        400,
        'query-invalid',
        `there is no parameter "${name}"; there are: ${known.join(', ')}`,
      );
    }
  }
}

/** `true` or `false`; false where it is not given. Throws a Problem. */
export function readTruth(query: URLSearchParams, name: string): boolean {
  const text = query.get(name) ?? 'false';
  if (text !== 'true' && text !== 'false') {
    throw new Problem(400, 'query-invalid', `${name} must be true or false`);
  }
  return text === 'true';
}
