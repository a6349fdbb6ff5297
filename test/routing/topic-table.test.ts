import assert from 'node:assert/strict';
import test from 'node:test';
import { type Route, TopicTable } from '../../src/routing/index.ts';
import { SeededRandom } from '../../src/testing/index.ts';
import { createRoute, match, type NamedTarget } from './table-fixture.ts';

/** The definition, word by word. */
function matchesNaively(pattern: readonly string[], key: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return key.length === 0;
  if (first === '#') {
    return matchesNaively(rest, key) || (key.length > 0 && matchesNaively(pattern, key.slice(1)));
  }
  return (
    key.length > 0 && (first === '*' || first === key[0]) && matchesNaively(rest, key.slice(1))
  );
}

const words = (key: string): string[] => (key === '' ? [] : key.split('.'));

const cases: Array<[pattern: string, matching: string[], others: string[]]> = [
  ['', [''], ['a', '.', 'a.']],
  ['a', ['a'], ['', 'a.b', 'b', 'a.']],
  ['*', ['a', '*', '#'], ['', 'a.b', '.']],
  ['#', ['', 'a', 'a.b', '.', '...'], []],
  ['*.*', ['a.b', '.', 'a.'], ['', 'a', 'a.b.c']],
  ['a.#', ['a', 'a.b', 'a.b.c', 'a.'], ['', 'b', 'b.a', 'ab']],
  ['#.a', ['a', 'b.a', 'b.c.a', '.a'], ['', 'a.b']],
  ['a.*.c', ['a.b.c', 'a..c'], ['a.c', 'a.b.b.c']],
  ['a.#.c', ['a.c', 'a.b.c', 'a.b.b.c', 'a..c'], ['a', 'c', 'a.b']],
  ['#.a.#', ['a', 'a.a', 'b.a.b', 'b.b.a'], ['', 'b', 'b.b']],
  ['*.#', ['a', 'a.b', '.'], ['']],
  ['#.*', ['a', 'a.b', '.'], ['']],
  ['#.#', ['', 'a', 'a.b'], []],
  ['*.#.*', ['a.b', 'a.b.c'], ['', 'a']],
  ['a#', ['a#'], ['a', 'a.b']],
  ['..', ['..'], ['.', '...']],
  ['#.a.#.a.#', ['a.a', 'a.b.a', 'b.a.a.b'], ['a', 'b.a.b']],
];

test('* stands for one word and # for any number of them', () => {
  for (const [pattern, matching, others] of cases) {
    const table = new TopicTable<NamedTarget>();
    table.add(createRoute('q', pattern));
    for (const key of matching) assert.deepEqual(match(table, [key]), ['q'], `${pattern} ~ ${key}`);
    for (const key of others) assert.deepEqual(match(table, [key]), [], `${pattern} !~ ${key}`);
    for (const key of [...matching, ...others]) {
      assert.equal(matchesNaively(words(pattern), words(key)), matching.includes(key), 'the model');
    }
  }
});

test('a target is found once, whatever number of patterns and keys lead to it', () => {
  const table = new TopicTable<NamedTarget>();
  for (const pattern of ['#', 'a.#', '#.b', 'a.b', '*.*', '#.#'])
    table.add(createRoute('q', pattern));
  assert.deepEqual(match(table, ['a.b', 'a.b', 'b']), ['q']);
});

test('what was added twice stays until it was removed twice', () => {
  const table = new TopicTable<NamedTarget>();
  const [first, second] = [createRoute('q', 'a.#'), createRoute('q', 'a.#')];
  table.add(first);
  table.add(second);
  table.remove(first);
  assert.deepEqual(match(table, ['a']), ['q']);
  table.remove(second);
  assert.deepEqual(match(table, ['a']), []);
  table.remove(second);
});

test('random patterns that come and go match as the definition says', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new SeededRandom(seed);
    const word = (): string => random.pick(['a', 'b', 'c', '', '*', '#', '#']);
    const sequence = (max: number): string =>
      Array.from({ length: random.nextInt(max + 1) }, word).join('.');
    const table = new TopicTable<NamedTarget>();
    const routes: Array<Route<NamedTarget>> = [];
    for (let step = 0; step < 300; step++) {
      if (routes.length > 0 && random.chance(0.4)) {
        const [gone] = routes.splice(random.nextInt(routes.length), 1);
        if (gone !== undefined) table.remove(gone);
      } else {
        const route = createRoute(`q${random.nextInt(12)}`, sequence(5));
        routes.push(route);
        table.add(route);
      }
      const keys = Array.from({ length: 1 + random.nextInt(2) }, () => sequence(6));
      const expected = new Set(
        routes
          .filter(({ key }) => keys.some((one) => matchesNaively(words(key), words(one))))
          .map(({ target }) => target.id),
      );
      assert.deepEqual(
        match(table, keys),
        [...expected].toSorted(),
        `seed ${seed}, ${keys.join(' ')}`,
      );
    }
  }
});

test('with 100,000 patterns a key looks at those that may fit and no others', () => {
  const table = new TopicTable<NamedTarget>();
  for (let index = 0; index < 100_000; index++) {
    table.add(createRoute(`q${index}`, `region${index % 100}.device${index}.*`));
  }
  for (let index = 0; index < 100; index++) table.add(createRoute('all', `region${index}.#`));
  const before = table.visits;
  assert.deepEqual(match(table, ['region42.device12342.alarm']), ['all', 'q12342']);
  const visited = table.visits - before;
  assert.ok(visited < 12, `${visited} nodes`);
});

test('nothing is left of patterns that were removed', () => {
  const table = new TopicTable<NamedTarget>();
  const routes = ['a.b.c', 'a.*', '#', 'a.#.b', '', '*.*.*'].map((key) => createRoute('q', key));
  for (const route of routes) table.add(route);
  for (const route of routes) table.remove(route);
  const before = table.visits;
  assert.deepEqual(match(table, ['a.b.c']), []);
  assert.equal(table.visits - before, 1, 'only the root');
});

test('many # are walked word by word, never in every combination', () => {
  const table = new TopicTable<NamedTarget>();
  table.add(createRoute('q', Array.from({ length: 60 }, () => '#.a').join('.')));
  table.add(createRoute('never', `${Array.from({ length: 60 }, () => '#.a').join('.')}.b`));
  const key = Array.from({ length: 127 }, () => 'a').join('.');
  const before = table.visits;
  assert.deepEqual(match(table, [key]), ['q']);
  const visited = table.visits - before;
  assert.ok(visited <= 127 * 122 + 2, `${visited} nodes`);
});
