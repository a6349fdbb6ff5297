import { InvalidArgumentError } from 'commander';
import { type Kind, ValueError } from '../server/index.ts';

/** A commander parser of one kind of value: its refusal becomes commander's. */
export function parserOf<T>(kind: Kind<T>): (text: string) => T {
  return (text) => {
    try {
      return kind.parse(text);
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      const [first = ''] = error.message;
      throw new InvalidArgumentError(`${first.toUpperCase()}${error.message.slice(1)}.`);
    }
  };
}

/** Collects `NAME=VALUE` of a flag that may be repeated. */
export function collectPairs(
  text: string,
  earlier: ReadonlyArray<readonly [string, string]> = [],
): Array<readonly [string, string]> {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('Expected NAME=VALUE.');
  return [...earlier, [text.slice(0, equals), text.slice(equals + 1)]];
}
