import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
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
  type SourceFile,
} from './rules.ts';

const root = path.resolve(import.meta.dirname, '../..');
const floors = parseFloors(readFileSync(path.join(root, 'ARCHITECTURE.md'), 'utf8'));

/** Everything that git knows or would add, so that a new file is checked before its first commit. */
function readRepository(): SourceFile[] {
  const listing = execFileSync(
    'git',
    ['ls-files', '-z', '--cached', '--others', '--exclude-standard'],
    { cwd: root, encoding: 'utf8', maxBuffer: 64 << 20 },
  );
  return listing
    .split('\0')
    .filter((name) => /\.(?:ts|js|mjs|json|md|sh|go|py|java|xml|txt|yml)$|^\.ci\//.test(name))
    .filter((name) => existsSync(path.join(root, name)))
    .map((name) => ({ path: name, text: readFileSync(path.join(root, name), 'utf8') }));
}

const files = readRepository();

function assertNone(found: readonly string[]): void {
  assert.ok(found.length === 0, `${found.length} found:\n${found.join('\n')}`);
}

test('the sources are read', () => {
  assert.ok(files.some((file) => file.path === 'src/base/index.ts'));
});

test('folders import lower floors only, through their index', () => {
  assertNone(findFloorViolations(files, floors));
});

test('no protocol is named below the doors', () => {
  assertNone(findProtocolNames(files, floors));
});

test('time and randomness are injected from the journal to the broker', () => {
  assertNone(findAmbientTime(files, floors));
});

test('no file is too long', () => {
  assertNone(findLongFiles(files));
});

test('the type checker is nowhere switched off', () => {
  assertNone(findEscapesFromTypes(files));
});

test('modules have no mutable state', () => {
  assertNone(findModuleState(files));
});

test('files are named after one noun', () => {
  assertNone(findBadFileNames(files));
});

test('what is random in tests comes from a seed', () => {
  assertNone(findUnseededProperties(files));
});

test('no path or host of one machine is written down', () => {
  assertNone(findMachinePaths(files));
});
