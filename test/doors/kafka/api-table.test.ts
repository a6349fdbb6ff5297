import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { registrations } from '../../../src/doors/kafka/handlers/index.ts';

const readme = path.join(import.meta.dirname, '../../../src/doors/kafka/README.md');

/** The versions that the table tells, by name; those without any are not answered. */
function readTable(): Map<string, string> {
  const told = new Map<string, string>();
  for (const line of readFileSync(readme, 'utf8').split('\n')) {
    const [, keys, names = '', versions = ''] = line.split('|').map((cell) => cell.trim());
    if (keys === undefined || !/^\d/.test(keys)) continue;
    const ranges = versions.split(', ');
    for (const [index, name] of names.split(', ').entries())
      told.set(name, ranges[index] ?? ranges[0] ?? '');
  }
  return told;
}

test('the table of APIs tells what the door answers', () => {
  const answered = new Map(
    registrations.map(({ name, versionMin, versionMax }) => [
      name,
      versionMin === versionMax ? String(versionMin) : `${versionMin}-${versionMax}`,
    ]),
  );
  const told = new Map([...readTable()].filter(([, versions]) => versions !== ''));
  assert.deepEqual(
    [...told].toSorted(([a], [b]) => (a < b ? -1 : 1)),
    [...answered].toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );
});
