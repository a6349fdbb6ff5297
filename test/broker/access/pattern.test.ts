import assert from 'node:assert/strict';
import test from 'node:test';
import { BrokerError, limits } from '../../../src/base/index.ts';
import { compilePattern, escapePattern, PatternCache } from '../../../src/broker/access/pattern.ts';

const usable: ReadonlyArray<[pattern: string, matching: string[], other: string[]]> = [
  ['.*', ['', 'a'], []],
  ['^amq\\.', ['amq.x'], ['amqx', 'x.amq.']],
  ['^(amq\\.gen.*|amq\\.default)$', ['amq.gen-1', 'amq.default'], ['amq.other']],
  ['(?i)^ORDERS$', ['orders', 'Orders'], ['order']],
  ['\\Aabc\\z', ['abc'], ['xabc', 'abcx']],
  ['^(?P<team>x|y)-\\d{1,3}$', ['x-12'], ['z-1']],
  ['^(a|b)+$', ['abba'], ['abc']],
  ['^(?:ab)*$', ['abab'], ['aba']],
  ['^(?!amq\\.).*', ['orders'], ['amq.x']],
  ['[^/]+/[^/]+', ['a/b'], ['ab']],
  ['^[\\]a]+$', [']a'], ['b']],
  ['a{2}', ['aa'], ['a']],
  ['x{1,5}y?', ['xxy'], ['y']],
  ['\\\\A', ['\\A'], ['A']],
  // None of these may take longer than a moment.
  ['^(.?){9}(.?){9}(.?){9}b$', ['a'.repeat(18) + 'b'], ['a'.repeat(18)]],
  [`^${'a?'.repeat(60)}${'a'.repeat(60)}$`, ['a'.repeat(60)], ['a'.repeat(59)]],
  ['(a{0,9}){9}b', ['ab'], ['a'.repeat(40)]],
  [`${'.*a'.repeat(60)}b$`, ['a'.repeat(100) + 'b'], ['a'.repeat(250)]],
  [`^${'(a|b|ab)'.repeat(60)}c`, [`${'a'.repeat(60)}c`], ['ab'.repeat(60)]],
];
for (const [pattern, matching, other] of usable) {
  test(`the pattern ${pattern}`, () => {
    const cache = new PatternCache();
    for (const name of [...matching, ...matching]) {
      assert.equal(cache.matches(pattern, name), true, name);
    }
    for (const name of other) assert.equal(cache.matches(pattern, name), false, name);
  });
}

const refused: ReadonlyArray<[pattern: string, why: string]> = [
  ['(', 'syntax'],
  ['[', 'syntax'],
  ['*', 'syntax'],
  ['(a+)+$', 'repeats what repeats'],
  ['(a*)*', 'repeats what repeats'],
  ['((a+)b?)+', 'repeats what repeats, deeper'],
  ['(a|a)*$', 'alternatives that are the same'],
  ['(a|ab)+$', 'alternatives that begin the same'],
  ['(\\w|a)+$', 'alternatives that may be the same'],
  ['(?:.*,){11,}x', 'repeats what repeats, by number'],
  ['(.*,){20}x', 'repeats what repeats, a fixed number of times'],
  ['(a)\\1', 'refers back'],
  ['(?!x).*a.*a.*a.*b', 'looks ahead, and repeats much'],
  ['(?!x)(.?){9}', 'looks ahead, and repeats what repeats'],
  [`(?=a)${'a?'.repeat(20)}`, 'looks ahead, and may have much'],
  ['x'.repeat(limits.patternCharsMax + 1), 'length'],
];
for (const [pattern, why] of refused) {
  test(`a pattern is refused: ${why}`, () => {
    assert.throws(
      () => compilePattern(pattern),
      (error: unknown) => error instanceof BrokerError && error.code === 'config-invalid',
    );
    assert.equal(new PatternCache().matches(pattern, 'a'), false);
  });
}

test('an escaped text matches itself only', () => {
  const text = 'a.b*c+(d)[e]{f}|^$\\/-?';
  const expression = compilePattern(`^${escapePattern(text)}$`);
  assert.ok(expression.test(text));
  assert.ok(!expression.test(text.replace('.', 'x')));
});

test('what is remembered is bounded and stays right', () => {
  const cache = new PatternCache();
  for (let index = 0; index < limits.patternAnswersMax + 100; index++) {
    assert.equal(cache.matches('5$', `n${index}`), index % 10 === 5);
  }
});
