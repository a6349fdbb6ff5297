import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNestedDeeper } from '../../src/net/index.ts';

const cases: ReadonlyArray<[text: string, depth: number]> = [
  ['1', 0],
  ['"[[[["', 0],
  ['[]', 1],
  ['[[],[],{}]', 2],
  ['{"a[":{"b\\"{":[1]}}', 3],
  ['{"\\\\":[[]]}', 3],
  ['["\\\\\\"[", []]', 2],
  ['"never closed [[[', 0],
  [`${'['.repeat(500)}${']'.repeat(500)}`, 500],
];

for (const [text, depth] of cases) {
  test(`${text.slice(0, 30)} is nested ${depth} times`, () => {
    assert.equal(isNestedDeeper(text, depth), false);
    if (depth > 0) assert.equal(isNestedDeeper(text, depth - 1), true);
  });
}
