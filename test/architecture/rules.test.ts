import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  findAmbientTime,
  findBadFileNames,
  findEscapesFromTypes,
  findFloorViolations,
  findLongFiles,
  findMachinePaths,
  findModuleState,
  findProtocolNames,
  findUnseededProperties,
  parseFloors,
} from './rules.ts';

const floors = parseFloors(
  '# x\n\n```floors\n0 base/\n2 journal/ segment/\n3 shard/\n6 doors/* cluster/\n7 client/\n8 cli/\n```\n',
);

function file(path: string, text: string) {
  return [{ path, text }];
}

describe('floors', () => {
  const refused: readonly [name: string, path: string, text: string, problem: RegExp][] = [
    [
      'a higher floor',
      'src/base/a.ts',
      "import { x } from '../shard/index.ts';",
      /floor 0 may not/,
    ],
    ['the same floor', 'src/journal/a.ts', "import '../segment/index.ts';", /same floor/],
    ['another door', 'src/doors/one/a.ts', "import { x } from '../two/index.ts';", /same floor/],
    ['past the index', 'src/shard/a.ts', "import { x } from '../base/clock.ts';", /index\.ts/],
    ['a type', 'src/base/a.ts', "import type { x } from '../shard/index.ts';", /floor 0 may not/],
    ['a re-export', 'src/base/a.ts', "export * from '../shard/index.ts';", /floor 0 may not/],
    ['dynamically', 'src/base/a.ts', "await import('../shard/index.ts');", /floor 0 may not/],
    [
      'over lines',
      'src/base/a.ts',
      "import {\n  x,\n} from '../shard/index.ts';",
      /floor 0 may not/,
    ],
    ['testing', 'src/shard/a.ts', "import { x } from '../testing/index.ts';", /tests only/],
    ['a wire', 'src/cli/a.ts', "import { x } from '../doors/one/wire/index.ts';", /index\.ts/],
    ['outside', 'src/cli/a.ts', "import { x } from '../../test/a.ts';", /outside/],
    ['no floor', 'src/misc/a.ts', '', /on no floor/],
    ['no folder', 'src/other.ts', '', /only index\.ts/],
  ];
  for (const [name, path, text, problem] of refused) {
    test(`refuse ${name}`, () => {
      const found = findFloorViolations(file(path, text), floors);
      assert.equal(found.length, 1);
      assert.match(found[0]!, problem);
    });
  }

  const allowed: readonly [name: string, path: string, text: string][] = [
    ['lower floors', 'src/shard/a.ts', "import { x } from '../base/index.ts';"],
    ['its own folder', 'src/shard/group/a.ts', "import { x } from '../partition.ts';"],
    ['the client at a codec', 'src/client/a.ts', "import '../doors/one/wire/index.ts';"],
    ['packages', 'src/base/a.ts', "import fs from 'node:fs';"],
    ['testing everything', 'src/testing/a.ts', "import '../doors/one/deep/a.ts';"],
  ];
  for (const [name, path, text] of allowed) {
    test(`allow ${name}`, () => {
      assert.deepEqual(findFloorViolations(file(path, text), floors), []);
    });
  }

  test('refuse a block that cannot be read', () => {
    assert.throws(() => parseFloors('no block'));
    assert.throws(() => parseFloors('```floors\nzero base/\n```\n'));
  });
});

test('protocol names are found below the doors, and only there', () => {
  const text = '// as Kafka does';
  assert.equal(findProtocolNames(file('src/shard/a.ts', text), floors).length, 1);
  assert.equal(findProtocolNames(file('src/shard/a.ts', 'class SqsQueue {}'), floors).length, 1);
  assert.deepEqual(findProtocolNames(file('src/doors/kafka/a.ts', text), floors), []);
  const layout = '// Kafka RecordBatch v2 layout';
  assert.deepEqual(findProtocolNames(file('src/base/a.ts', layout), floors), []);
});

test('ambient time is found between the journal and the broker', () => {
  for (const text of ['Date.now()', 'Math.random()', 'setTimeout(f, 1)', 'randomUUID()']) {
    assert.equal(findAmbientTime(file('src/shard/a.ts', text), floors).length, 1, text);
    assert.deepEqual(findAmbientTime(file('src/base/a.ts', text), floors), []);
  }
  assert.deepEqual(findAmbientTime(file('src/shard/a.ts', ' * Date.now() is never'), floors), []);
});

test('long files are found', () => {
  assert.equal(findLongFiles(file('src/a.ts', 'x\n'.repeat(801))).length, 1);
  assert.deepEqual(findLongFiles(file('src/a.ts', 'x\n'.repeat(800))), []);
});

test('escapes from the type checker are found', () => {
  const escapes = [
    'const a: any = 1;',
    'f(x as any)',
    'Array<any>',
    'let a: string | any;',
    'any[]',
    '// @ts-ignore',
    '/* @ts-expect-error */',
  ];
  for (const text of escapes) {
    assert.equal(findEscapesFromTypes(file('src/a.ts', text)).length, 1, text);
  }
  for (const text of ['// at least 1, any more is fine', "log('a, any b')", 'isAny(x)']) {
    assert.deepEqual(findEscapesFromTypes(file('src/a.ts', text)), [], text);
  }
});

test('mutable module state is found', () => {
  assert.equal(findModuleState(file('src/a.ts', 'let count = 0;')).length, 1);
  assert.equal(findModuleState(file('src/a.ts', 'export let count = 0;')).length, 1);
  assert.deepEqual(findModuleState(file('src/a.ts', '  let count = 0;')), []);
});

test('file names that say nothing are found', () => {
  for (const name of ['utils', 'helper', 'common', 'nodeDisk', 'Node']) {
    assert.equal(findBadFileNames(file(`src/base/${name}.ts`, '')).length, 1, name);
  }
  assert.deepEqual(findBadFileNames(file('src/base/node-disk.ts', '')), []);
});

test('paths and hosts of one machine are found', () => {
  const home = ['', 'home', 'someone', 'x'].join('/');
  const checkout = ['', 'work', 'main'].join('/');
  const host = ['registry', 'npmjs', 'org'].join('.');
  for (const text of [`cd ${checkout}`, `"${home}"`, `see ${host}`]) {
    assert.equal(findMachinePaths(file('docs/a.md', text)).length, 1, text);
  }
  assert.deepEqual(findMachinePaths(file('docs/a.md', 'src/work/a.ts homework/x')), []);
});

test('properties whose cases come from no known seed are found', () => {
  const from = ['from', "'fast-check'"].join(' ');
  assert.equal(findUnseededProperties(file('test/a.test.ts', `import fc ${from};`)).length, 1);
  assert.equal(findUnseededProperties(file('test/a.ts', `import * as fc ${from};`)).length, 1);
  const seeded = ['from', "'../support/fast-check.ts'"].join(' ');
  assert.deepEqual(findUnseededProperties(file('test/a.ts', `import fc ${seeded};`)), []);
  assert.deepEqual(
    findUnseededProperties(file('test/support/fast-check.ts', `export * ${from};`)),
    [],
  );
});
