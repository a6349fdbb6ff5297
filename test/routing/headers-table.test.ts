import assert from 'node:assert/strict';
import test from 'node:test';
import {
  type Fields,
  HeadersTable,
  isSameValue,
  matchesHeaders,
  parseHeaderMatch,
  type Route,
} from '../../src/routing/index.ts';
import { SeededRandom } from '../../src/testing/index.ts';
import { createRoute, match, type NamedTarget } from './table-fixture.ts';

const cases: Array<[given: Fields, headers: Fields, isMatch: boolean]> = [
  [{}, {}, true],
  [{}, { a: 1 }, true],
  [{ 'x-match': 'all' }, {}, true],
  [{ 'x-match': 'any' }, { a: 1 }, false],
  [{ a: 1, b: 2 }, { a: 1, b: 2, c: 3 }, true],
  [{ a: 1, b: 2 }, { a: 1 }, false],
  [{ 'x-match': 'all', a: 1, b: 2 }, { a: 1, b: 3 }, false],
  [{ 'x-match': 'any', a: 1, b: 2 }, { a: 5, b: 2 }, true],
  [{ 'x-match': 'any', a: 1, b: 2 }, { a: 2, b: 1 }, false],
  // A value of null asks for the header alone.
  [{ a: null }, { a: 'whatever' }, true],
  [{ a: null }, { a: null }, true],
  [{ a: null }, { b: 1 }, false],
  [{ a: 'x' }, { a: null }, false],
  [{ 'x-match': 'any', a: null, b: 1 }, { a: 7 }, true],
  // Headers that begin with x- count only where that is said.
  [{ 'x-a': 1 }, {}, true],
  [{ 'x-match': 'any', 'x-a': 1 }, { 'x-a': 1 }, false],
  [{ 'x-match': 'all-with-x', 'x-a': 1 }, {}, false],
  [{ 'x-match': 'all-with-x', 'x-a': 1, b: 2 }, { 'x-a': 1, b: 2 }, true],
  [{ 'x-match': 'any-with-x', 'x-a': 1, b: 2 }, { 'x-a': 1 }, true],
  // Types count.
  [{ a: 1 }, { a: '1' }, false],
  [{ a: '1' }, { a: 1 }, false],
  [{ a: 1 }, { a: true }, false],
  [{ a: 1 }, { a: 1n }, true],
  [{ a: 9007199254740993n }, { a: 9007199254740993n }, true],
  [{ a: 9007199254740993n }, { a: 9007199254740992 }, false],
  [{ a: 1.5 }, { a: 1.5 }, true],
  [{ a: new Date(5) }, { a: new Date(5) }, true],
  [{ a: new Date(5) }, { a: 5 }, false],
  [{ a: Uint8Array.of(1, 2) }, { a: Uint8Array.of(1, 2) }, true],
  [{ a: Uint8Array.of(1, 2) }, { a: Uint8Array.of(1, 3) }, false],
  [{ a: ['x', 1] }, { a: ['x', 1n] }, true],
  [{ a: ['x', 1] }, { a: [1, 'x'] }, false],
  [{ a: { b: [true] } }, { a: { b: [true] } }, true],
  [{ a: { b: 1 } }, { a: { b: 1, c: 2 } }, false],
  // Names of every object's own are no headers.
  [{ toString: null }, {}, false],
];

test('headers match by x-match, presence, type and value', () => {
  for (const [given, headers, isMatch] of cases) {
    const what = `${Object.keys(given).join()} ~ ${Object.keys(headers).join()}`;
    assert.equal(matchesHeaders(parseHeaderMatch(given), headers), isMatch, what);
    const table = new HeadersTable<NamedTarget>();
    table.check('', given);
    table.add(createRoute('q', '', given));
    assert.deepEqual(match(table, [], headers), isMatch ? ['q'] : [], what);
  }
});

test('NaN is like nothing', () => {
  assert.equal(isSameValue(Number.NaN, Number.NaN), false);
  assert.equal(isSameValue(1n, Number.NaN), false);
});

test('x-match is one of four words', () => {
  for (const word of ['some', '', 1, true, ['all']]) {
    assert.throws(() => parseHeaderMatch({ 'x-match': word }), { code: 'filter-invalid' });
  }
});

test('random bindings that come and go match as each of them does alone', () => {
  for (let seed = 1; seed <= 10; seed++) {
    const random = new SeededRandom(seed);
    const value = (): Fields[string] => random.pick(['x', 'y', 1, 2, 1n, true, null, 'x']);
    const fields = (max: number): Fields =>
      Object.fromEntries(
        Array.from({ length: random.nextInt(max + 1) }, () => [
          random.pick(['a', 'b', 'c', 'x-d']),
          value(),
        ]),
      );
    const table = new HeadersTable<NamedTarget>();
    const routes: Array<Route<NamedTarget>> = [];
    for (let step = 0; step < 400; step++) {
      if (routes.length > 0 && random.chance(0.4)) {
        const [gone] = routes.splice(random.nextInt(routes.length), 1);
        if (gone !== undefined) table.remove(gone);
      } else {
        const mode = random.pick(['all', 'any', 'all-with-x', 'any-with-x']);
        const route = createRoute(`q${step}`, '', { ...fields(3), 'x-match': mode });
        routes.push(route);
        table.add(route);
      }
      const headers = fields(4);
      const expected = routes
        .filter((route) => matchesHeaders(parseHeaderMatch(route.arguments), headers))
        .map(({ target }) => target.id)
        .toSorted();
      assert.deepEqual(match(table, [], headers), expected, `seed ${seed}, step ${step}`);
    }
  }
});

test('with 100,000 bindings a message looks at those that share a header and its value', () => {
  const table = new HeadersTable<NamedTarget>();
  for (let index = 0; index < 100_000; index++) {
    // Half of them share a value that says little.
    const given = { kind: 'order', customer: index, ...(index % 2 === 0 ? { urgent: true } : {}) };
    table.add(createRoute(`q${index}`, '', given));
  }
  const before = table.visits;
  const headers = { kind: 'order', customer: 4711, urgent: true, other: 'x' };
  assert.deepEqual(match(table, [], headers), ['q4711']);
  const visited = table.visits - before;
  assert.ok(visited <= 3, `${visited} bindings`);
});
