import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BrokerError } from '../../../src/base/index.ts';
import { TopicPattern } from '../../../src/shard/group/topic-pattern.ts';

const matching: ReadonlyArray<[pattern: string, yes: string[], no: string[]]> = [
  ['orders', ['orders'], ['order', 'orders2', 'xorders']],
  ['orders.*', ['orders', 'orders-eu'], ['my-orders']],
  ['a|bc|d', ['a', 'bc', 'd'], ['b', 'abc', '']],
  ['(eu|us)-[a-c]+', ['eu-a', 'us-abc'], ['eu-', 'eu-d', 'asia-a']],
  ['x{2}', ['xx'], ['x', 'xxx']],
  ['x{2,3}?y', ['xxy', 'xxxy'], ['xy', 'xxxxy']],
  ['x{1,}', ['x', 'xxxx'], ['']],
  ['x{a}', ['x{a}'], ['x']],
  ['[^.]+\\.log', ['a.log'], ['a.b.log', '.log']],
  ['\\d\\D\\w\\W\\s\\S', ['1a_- x'], ['aa_- x']],
  ['[[:alpha:]_-]+', ['ab_-c'], ['a1']],
  ['[]a]+', [']a]'], ['b']],
  ['[a-]+', ['a-'], ['b']],
  ['(?i)ORDERS', ['orders', 'OrDeRs'], ['order']],
  ['(?i:A)b', ['Ab', 'ab'], ['aB']],
  ['a(?i)b|c', ['ab', 'aB', 'C'], ['AB']],
  ['(?P<x>a)(?<y>b)(?:c)', ['abc'], ['ab']],
  ['^a$', ['a'], ['ab']],
  ['a\\b-b\\B_', ['a-b_'], ['a-b-']],
  ['\\Qa.b*\\E+', ['a.b*', 'a.b**'], ['aab']],
  ['\\x61\\x{62}\\.', ['ab.'], ['abc']],
  ['\\pL+\\p{Nd}\\P{Lu}', ['aé1x'], ['aé1X']],
  ['\\p{Greek}+', ['αβ'], ['ab']],
  ['(a*)*b', ['b', 'aab'], ['a']],
  ['(a|a)*', ['', 'aaa'], ['b']],
  ['', [''], ['a']],
  ['.*', ['', 'anything'], []],
];

for (const [pattern, yes, no] of matching) {
  test(`${pattern} matches whole names only`, () => {
    const compiled = new TopicPattern(pattern);
    for (const name of yes) assert.equal(compiled.matches(name), true, name);
    for (const name of no) assert.equal(compiled.matches(name), false, name);
  });
}

const invalid = [
  '(',
  ')',
  'a)',
  '[a',
  '[b-a]',
  '*a',
  'a**',
  'a{3,2}',
  'a{1001}',
  '(?=a)',
  '(?<!a)b',
  '(a)\\1',
  '\\p{Nonsense}',
  '\\y',
  '\\',
  '[[:nonsense:]]',
  '(?x)a',
  'x'.repeat(1001),
  '('.repeat(65) + ')'.repeat(65),
  '((a{100}){100}){100}',
];

for (const pattern of invalid) {
  test(`${pattern.slice(0, 20)} is refused`, () => {
    assert.throws(
      () => new TopicPattern(pattern),
      (error) => error instanceof BrokerError && error.code === 'filter-invalid',
    );
  });
}

test('nested repetitions of nothing end', () => {
  assert.equal(new TopicPattern('((((){1000}){1000}){1000}){1000}').matches(''), true);
});

test('what takes a backtracking engine for ever takes steps in proportion', () => {
  const pattern = new TopicPattern('(a+)+(a+)+(a|a)*!');
  assert.equal(pattern.matches('a'.repeat(249)), false);
});

test('agrees with the engine of the language on simple patterns', () => {
  const atoms = ['a', 'b', '.', '[ab]', '[^a]', '(a|b)', '(?:ab)', 'a*', 'b+', 'a?', '(ab)*'];
  const names = ['', 'a', 'b', 'ab', 'ba', 'aab', 'abab', 'abb', 'c', 'acb'];
  for (const first of atoms) {
    for (const second of atoms) {
      for (const pattern of [first + second, `${first}|${second}`, `(${first}${second})+`]) {
        const expected = new RegExp(`^(?:${pattern})$`);
        const compiled = new TopicPattern(pattern);
        for (const name of names) {
          assert.equal(compiled.matches(name), expected.test(name), `${pattern} ${name}`);
        }
      }
    }
  }
});

const within: ReadonlyArray<[pattern: string, yes: string[], no: string[]]> = [
  ['', ['', 'a'], []],
  ['b', ['b', 'abc'], ['', 'ac']],
  ['^b', ['b', 'bc'], ['ab']],
  ['b$', ['b', 'ab'], ['bc']],
  ['^$', [''], ['a']],
  ['ab+c', ['xabbcx', 'aabc'], ['ac', 'abb']],
  ['\\bcat\\b', ['a cat here'], ['concat']],
  ['(?i)ORD', ['my orders'], ['or']],
];

for (const [pattern, yes, no] of within) {
  test(`${pattern} is looked for within a text`, () => {
    const compiled = new TopicPattern(pattern);
    for (const text of yes) assert.equal(compiled.isIn(text), true, text);
    for (const text of no) assert.equal(compiled.isIn(text), false, text);
  });
}
