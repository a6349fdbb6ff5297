import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import {
  fieldTypeNames,
  formOf,
  headerNameOf,
  isPassable,
  property,
  propertyNames,
} from '../../src/message/index.ts';

const file = path.resolve(import.meta.dirname, '../../docs/message-mapping.md');
const page = readFileSync(file, 'utf8');

/** Rows of the tables, as cells; those of the properties have four. */
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.split('|').map((cell) => cell.trim()));

for (const name of propertyNames) {
  const headerName = headerNameOf(property[name]);
  test(`docs/message-mapping.md has ${headerName}, and says who may set it`, () => {
    const row = rows.find((cells) => cells[1]?.split(', ').includes(`\`${headerName}\``));
    assert.ok(row !== undefined, 'no row');
    const form = formOf(property[name]);
    const words =
      form === 'integer' ? ['digits'] : form === 'json' ? ['JSON'] : form === 'text' ? [] : form;
    for (const word of words) assert.ok(row[2]?.includes(word), word);
    assert.equal(row[3] === '✓', isPassable(property[name]));
  });
}

for (const name of fieldTypeNames) {
  test(`docs/message-mapping.md has the type ${name}`, () => {
    const types = rows.flatMap((cells) => cells[1] ?? '').join(' ');
    const isInRange = /^int(?:16|32)$/.test(name) && types.includes('`int8` … `int64`');
    assert.ok(isInRange || types.includes(`\`${name}\``));
  });
}
