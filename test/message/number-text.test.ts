import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from '../support/fast-check.ts';
import {
  decimalText,
  floatText,
  parseDecimalText,
  parseInteger,
  plainOf,
  typedOf,
} from '../../src/message/index.ts';
import { typedValue } from './arbitrary.ts';

test('a float has the shortest text that gives it back', () => {
  assert.equal(floatText(Math.fround(0.1)), '0.1');
  assert.equal(floatText(Math.fround(16_777_217)), '16777216');
  assert.equal(floatText(-0), '-0');
  fc.assert(
    fc.property(fc.float(), (value) => assert.equal(Math.fround(Number(floatText(value))), value)),
  );
});

const decimals: ReadonlyArray<[bigint, number, string]> = [
  [150n, 2, '1.50'],
  [-1n, 3, '-0.001'],
  [0n, 0, '0'],
  [0n, 2, '0.00'],
  [4_294_967_295n, 0, '4294967295'],
];
for (const [unscaled, scale, text] of decimals) {
  test(`the decimal ${unscaled} / 10^${scale} is ${text}`, () => {
    assert.equal(decimalText(unscaled, scale), text);
    assert.deepEqual(parseDecimalText(text), { unscaled, scale });
  });
}

for (const text of ['', '.5', '1.', '1e5', '+1', 'x', '1'.repeat(1001)]) {
  test(`no decimal: "${text.slice(0, 5)}"`, () => assert.equal(parseDecimalText(text), undefined));
}

test('integers are numbers where these are exact', () => {
  assert.equal(parseInteger('9007199254740991'), 9_007_199_254_740_991);
  assert.equal(parseInteger('9007199254740993'), 9_007_199_254_740_993n);
  assert.equal(parseInteger('-0'), 0);
  for (const text of ['', '-', '1.0', ' 1', '1'.repeat(22)]) {
    assert.equal(parseInteger(text), undefined);
  }
});

test('plain values keep what they are when they are given a type and lose it again', () => {
  fc.assert(
    fc.property(typedValue, (typed) => {
      const plain = plainOf(typed);
      assert.deepEqual(plainOf(typedOf(plain)), plain);
    }),
  );
});
