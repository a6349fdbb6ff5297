import assert from 'node:assert/strict';
import test from 'node:test';
import { BrokerError } from '../../src/base/index.ts';
import { compilePolicy, compileSelector } from '../../src/routing/index.ts';
import { SeededRandom } from '../../src/testing/index.ts';

const letters = ['a', 'b', '😀', '.', '\n'] as const;

function text(random: SeededRandom, choices: readonly [string, ...string[]], max: number): string {
  return Array.from({ length: random.nextInt(max + 1) }, () => random.pick(choices)).join('');
}

test('LIKE matches as a regular expression does', () => {
  const random = new SeededRandom(11);
  for (let round = 0; round < 10_000; round++) {
    const pattern = text(random, [...letters, '%', '%', '_'], 7);
    const value = text(random, letters, 8);
    const expression = pattern.replaceAll('.', '\\.').replaceAll('%', '.*').replaceAll('_', '.');
    const expected = new RegExp(`^${expression}$`, 'su').test(value);
    const matches = compileSelector(`x LIKE '${pattern}'`);
    assert.equal(
      matches(() => value),
      expected,
      JSON.stringify([pattern, value]),
    );
  }
});

test('wildcards of policies match as a regular expression does', () => {
  const random = new SeededRandom(12);
  for (let round = 0; round < 10_000; round++) {
    const pattern = text(random, [...letters, '*', '*'], 7).replaceAll(/\*+/g, '*');
    const value = text(random, letters, 8);
    const expression = pattern.replaceAll('.', '\\.').replaceAll('*', '.*');
    const expected = new RegExp(`^${expression}$`, 'su').test(value);
    const matches = compilePolicy(JSON.stringify({ x: [{ wildcard: pattern }] }));
    assert.equal(matches({ x: value }), expected, JSON.stringify([pattern, value]));
  }
});

test('whatever stands in a selector, it is compiled or refused, and then answers', () => {
  const random = new SeededRandom(13);
  const words = [
    'a',
    'b.c',
    '"d"',
    '5',
    '-',
    '2.5',
    '0x1F',
    "'t'",
    'TRUE',
    'NOT',
    'AND',
    'OR',
    'BETWEEN',
    'IN',
    'LIKE',
    'IS',
    'NULL',
    'ESCAPE',
    '(',
    ')',
    ',',
    '=',
    '<>',
    '<',
    '>=',
    '+',
    '*',
    '/',
    "'%'",
    '!',
    '"',
  ] as const;
  const values = [undefined, null, 1, 2n, 0.5, 't', true, new Date(0), Uint8Array.of(1), ['x'], {}];
  let compiled = 0;
  for (let round = 0; round < 15_000; round++) {
    const selector = Array.from({ length: 1 + random.nextInt(8) }, () => random.pick(words)).join(
      ' ',
    );
    try {
      const matches = compileSelector(selector);
      compiled++;
      for (const value of values) assert.equal(typeof matches(() => value), 'boolean');
    } catch (error) {
      if (!(error instanceof BrokerError)) throw new Error(selector, { cause: error });
      assert.equal(error.code, 'filter-invalid');
    }
  }
  assert.ok(compiled > 100, String(compiled));
});

test('whatever stands in a policy, it is compiled or refused, and then answers', () => {
  const random = new SeededRandom(14);
  const words = [
    'exists',
    'prefix',
    'anything-but',
    'numeric',
    'cidr',
    'wildcard',
    'equals-ignore-case',
    '$or',
    'a',
    '10.0.0.0/8',
    '>',
    '=',
    'x*',
  ] as const;
  const value = (depth: number): unknown => {
    const kind = random.nextInt(depth > 4 ? 4 : 7);
    if (kind === 0) return random.pick(words);
    if (kind === 1) return random.nextInt(20) / 2;
    if (kind === 2) return random.chance(0.5);
    if (kind === 3) return null;
    const length = random.nextInt(3);
    if (kind < 6) return Array.from({ length: length + 1 }, () => value(depth + 1));
    return Object.fromEntries(Array.from({ length }, () => [random.pick(words), value(depth + 1)]));
  };
  const messages = [{}, { a: 'x1' }, { a: 5 }, { a: ['x', 2n] }, { a: { a: null } }];
  let compiled = 0;
  for (let round = 0; round < 15_000; round++) {
    const policy = JSON.stringify({ a: random.chance(0.5) ? [value(1)] : value(1) });
    try {
      const matches = compilePolicy(policy);
      compiled++;
      for (const message of messages) assert.equal(typeof matches(message), 'boolean');
    } catch (error) {
      if (!(error instanceof BrokerError)) throw new Error(policy, { cause: error });
      assert.equal(error.code, 'filter-invalid');
    }
  }
  assert.ok(compiled > 100, String(compiled));
});
