import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printTable } from '../../src/cli/table.ts';

test('names stand in their column, and say nothing to the terminal', (t) => {
  let output = '';
  t.mock.method(process.stdout, 'write', (text: string) => {
    output += text;
    return true;
  });
  printTable(
    ['NAME', 'COUNT'],
    [
      ['plain', 7],
      ['a\nb\u001b[2J', 10],
    ],
  );
  t.mock.reset();
  assert.deepEqual(output.split('\n'), [
    'NAME           COUNT',
    'plain              7',
    String.raw`a\nb\u001b[2J     10`,
    '',
  ]);
});
