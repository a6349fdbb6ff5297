import assert from 'node:assert/strict';
import test from 'node:test';
import {
  DirectTable,
  FanoutTable,
  HashTable,
  ModulusTable,
  RandomTable,
  type Route,
  type RouteTable,
} from '../../src/routing/index.ts';
import { SeededRandom } from '../../src/testing/index.ts';
import { createFacts, createRoute, match, type NamedTarget } from './table-fixture.ts';

test('direct: the key is the binding’s, byte by byte', () => {
  const table = new DirectTable<NamedTarget>();
  table.add(createRoute('a', 'k'));
  table.add(createRoute('b', 'k'));
  table.add(createRoute('c', 'K'));
  table.add(createRoute('d', ''));
  assert.deepEqual(match(table, ['k']), ['a', 'b']);
  assert.deepEqual(match(table, ['K', 'k']), ['a', 'b', 'c']);
  assert.deepEqual(match(table, ['']), ['d']);
  assert.deepEqual(match(table, ['none']), []);
  assert.deepEqual(match(table, []), []);
});

test('fanout: everything goes everywhere', () => {
  const table = new FanoutTable<NamedTarget>();
  table.add(createRoute('a', 'x'));
  table.add(createRoute('b', ''));
  assert.deepEqual(match(table, []), ['a', 'b']);
});

const keyed: Array<[name: string, create: () => RouteTable<NamedTarget>]> = [
  ['direct', () => new DirectTable()],
  ['fanout', () => new FanoutTable()],
];

for (const [name, create] of keyed) {
  test(`${name}: targets that come and go are counted, few and many`, () => {
    const random = new SeededRandom(7);
    const table = create();
    const routes: Array<Route<NamedTarget>> = [];
    for (let step = 0; step < 2000; step++) {
      // It grows to some 60 targets and shrinks again.
      const isGrowing = random.chance(step < 1000 ? 0.6 : 0.35);
      if (isGrowing || routes.length === 0) {
        const route = createRoute(`q${random.nextInt(60)}`, 'k');
        routes.push(route);
        table.add(route);
      } else {
        const [gone] = routes.splice(random.nextInt(routes.length), 1);
        if (gone !== undefined) table.remove(gone);
      }
      const expected = [...new Set(routes.map(({ target }) => target.id))].toSorted();
      assert.deepEqual(match(table, ['k']), expected);
    }
  });
}

test('random: one of the routes, each as often as the others', () => {
  const table = new RandomTable<NamedTarget>(new SeededRandom(3));
  assert.deepEqual(match(table, ['k']), []);
  const routes = ['a', 'b', 'c', 'd'].map((name) => createRoute(name, ''));
  for (const route of routes) table.add(route);
  table.remove(routes[1]!);
  table.remove(routes[1]!);
  const counts = new Map<string, number>();
  for (let index = 0; index < 3000; index++) {
    const [name, ...more] = match(table, ['k']);
    assert.deepEqual(more, []);
    counts.set(name!, (counts.get(name!) ?? 0) + 1);
  }
  assert.deepEqual([...counts.keys()].toSorted(), ['a', 'c', 'd']);
  for (const count of counts.values()) assert.ok(count > 850 && count < 1150, String(count));
});

function owners(table: HashTable<NamedTarget>, count: number): string[] {
  return Array.from({ length: count }, (_, index) => match(table, [`key-${index}`])[0] ?? '');
}

test('modulus hash: one target for the same keys, whatever the order in which routes came; all have their share', () => {
  const names = ['a', 'b', 'c', 'd'];
  const forwards = new ModulusTable<NamedTarget>();
  const backwards = new ModulusTable<NamedTarget>();
  for (const name of names) forwards.add(createRoute(name, 'ignored'));
  for (const name of names.toReversed()) backwards.add(createRoute(name, ''));
  const shares = new Map<string, number>();
  for (let key = 0; key < 4000; key++) {
    const found = match(forwards, [`key-${key}`]);
    assert.equal(found.length, 1);
    assert.deepEqual(match(backwards, [`key-${key}`]), found);
    shares.set(found[0]!, (shares.get(found[0]!) ?? 0) + 1);
  }
  for (const name of names)
    assert.ok((shares.get(name) ?? 0) > 700, `${name}: ${shares.get(name)}`);
});

test('modulus hash: routes that go leave the rest to those that stay; nobody is found where there are none', () => {
  const table = new ModulusTable<NamedTarget>();
  assert.deepEqual(match(table, ['k']), []);
  const routes = ['a', 'b'].map((name) => createRoute(name, ''));
  for (const route of routes) table.add(route);
  table.remove(routes[0]!);
  for (const key of ['', 'k', 'other']) assert.deepEqual(match(table, [key]), ['b']);
  table.remove(routes[1]!);
  assert.deepEqual(match(table, ['k']), []);
});

test('hash: one target for a key, shares by weight', () => {
  const table = new HashTable<NamedTarget>({});
  assert.deepEqual(match(table, ['k']), []);
  table.add(createRoute('light', '1'));
  table.add(createRoute('heavy', '3'));
  const found = owners(table, 8000);
  assert.deepEqual(owners(table, 8000), found);
  const heavy = found.filter((name) => name === 'heavy').length;
  assert.ok(heavy > 5200 && heavy < 6800, String(heavy));
});

test('hash: a target that comes or goes moves only its own share', () => {
  const table = new HashTable<NamedTarget>({});
  for (const name of ['a', 'b', 'c', 'd']) table.add(createRoute(name, '2'));
  const before = owners(table, 4000);
  const added = createRoute('e', '2');
  table.add(added);
  const with5 = owners(table, 4000);
  for (const [index, name] of with5.entries()) assert.ok(name === before[index] || name === 'e');
  const share = with5.filter((name) => name === 'e').length;
  assert.ok(share > 500 && share < 1100, String(share));
  table.remove(added);
  assert.deepEqual(owners(table, 4000), before);
});

test('hash: the ring does not depend on the order of the bindings', () => {
  const [one, other] = [new HashTable<NamedTarget>({}), new HashTable<NamedTarget>({})];
  for (const name of ['a', 'b', 'c']) one.add(createRoute(name, '5'));
  for (const name of ['c', 'a', 'b']) other.add(createRoute(name, '5'));
  assert.deepEqual(owners(one, 500), owners(other, 500));
});

test('hash: by a header or a property where one is named, and what lacks it goes to one place', () => {
  const byHeader = new HashTable<NamedTarget>({ header: 'user', property: 'message-id' });
  const byProperty = new HashTable<NamedTarget>({ property: 'message-id' });
  assert.equal(byHeader.isKeyOnly, false);
  assert.equal(new HashTable<NamedTarget>({}).isKeyOnly, true);
  for (const table of [byHeader, byProperty]) {
    for (const name of ['a', 'b', 'c', 'd']) table.add(createRoute(name, '10'));
  }
  const found = new Set<string>();
  for (let index = 0; index < 50; index++) {
    const [first] = match(byHeader, [`k${index}`], { user: 'one' });
    assert.equal(first, match(byHeader, ['k'], { user: 'one' })[0]);
    found.add(match(byHeader, ['k'], { user: index })[0]!);
  }
  assert.equal(found.size, 4);
  assert.equal(match(byHeader, [], { user: { deep: [1n, null] } }).length, 1);
  assert.deepEqual(match(byHeader, ['x']), match(byHeader, ['y'], { other: 1 }));
  const byId = (id: string | undefined): NamedTarget[] => {
    const targets = new Set<NamedTarget>();
    byProperty.match({ ...createFacts(['k']), property: () => id }, targets);
    return [...targets];
  };
  assert.deepEqual(byId('7'), byId('7'));
  const ids = Array.from({ length: 40 }, (_, index) => String(index));
  assert.equal(new Set(ids.flatMap(byId)).size, 4);
  assert.equal(byId(undefined).length, 1);
});

test('hash: a weight is a whole number within bounds', () => {
  const table = new HashTable<NamedTarget>({});
  for (const key of ['', '0', '-1', '1.5', 'x', '1e3', '1001', '99999999999']) {
    assert.throws(() => table.check(key), { code: 'config-invalid' }, key);
  }
  table.check('1');
  table.check('1000');
  for (let index = 0; index < 16; index++) table.add(createRoute(`q${index}`, '1000'));
  assert.throws(() => table.check('1000'), { code: 'config-invalid' });
});
