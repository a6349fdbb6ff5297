import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LineSplitter } from '../../src/cli/line-splitter.ts';

function split(chunks: readonly string[]): string[] {
  const splitter = new LineSplitter(100);
  const lines: string[] = [];
  for (const chunk of chunks) {
    for (const line of splitter.split(Buffer.from(chunk))) lines.push(line.toString());
  }
  const last = splitter.end();
  if (last !== undefined) lines.push(last.toString());
  return lines;
}

describe('lines', () => {
  const cases: ReadonlyArray<readonly [string, string[], string[]]> = [
    ['of one chunk', ['a\nb\n'], ['a', 'b']],
    ['over chunks', ['a', 'b', 'c\nd', '\n'], ['abc', 'd']],
    ['without a last line feed', ['a\nb'], ['a', 'b']],
    ['that are empty', ['\n\na\n\n'], ['', '', 'a', '']],
    ['of no input', [], []],
    ['whose line feed comes alone', ['a', '\n', 'b'], ['a', 'b']],
  ];
  for (const [name, chunks, lines] of cases) {
    test(name, () => assert.deepEqual(split(chunks), lines));
  }

  test('are refused beyond the longest', () => {
    assert.throws(() => split(['x'.repeat(101)]), RangeError);
  });
});
