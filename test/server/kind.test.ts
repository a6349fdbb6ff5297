import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  address,
  byteSize,
  duration,
  integer,
  printBytes,
  printDuration,
  properties,
  ValueError,
} from '../../src/server/index.ts';

describe('sizes', () => {
  const size = byteSize(0, 2 ** 50, true);
  const accepted: ReadonlyArray<readonly [string, number]> = [
    ['0', 0],
    ['1048576', 1048576],
    ['64MiB', 64 * 1024 * 1024],
    ['64m', 64 * 1024 * 1024],
    ['64MB', 64_000_000],
    ['1.5 GiB', 1.5 * 1024 ** 3],
    ['none', -1],
  ];
  for (const [text, bytes] of accepted) {
    test(`${text} is ${bytes}`, () => assert.equal(size.parse(text), bytes));
  }
  for (const text of ['', '-2', '1 potato', '1e3', '0x10', 'NaN', '99999999TiB']) {
    test(`"${text}" is refused`, () => assert.throws(() => size.parse(text), ValueError));
  }
  test('are printed in the largest unit that is exact', () => {
    assert.equal(printBytes(64 * 1024 * 1024), '64MiB');
    assert.equal(printBytes(1500), '1500B');
    assert.equal(size.parse(printBytes(3 * 1024)), 3 * 1024);
  });
});

describe('times', () => {
  const time = duration(1, 1e15, true);
  const accepted: ReadonlyArray<readonly [string, number]> = [
    ['500ms', 500],
    ['10s', 10_000],
    ['1.5h', 5_400_000],
    ['7d', 604_800_000],
    ['forever', -1],
  ];
  for (const [text, ms] of accepted) {
    test(`${text} is ${ms} ms`, () => assert.equal(time.parse(text), ms));
  }
  for (const text of ['', '10', '0ms', '-5s', '5 years']) {
    test(`"${text}" is refused`, () => assert.throws(() => time.parse(text), ValueError));
  }
  test('are printed in the largest unit that is exact', () => {
    assert.equal(printDuration(604_800_000), '7d');
    assert.equal(printDuration(1500), '1500ms');
  });
});

describe('properties', () => {
  const kind = properties();
  const pairs = [
    ['a.b', '1'],
    ['c', ''],
  ];
  test('are read from text, lists and objects', () => {
    assert.deepEqual(kind.parse(' a.b = 1, c='), pairs);
    assert.deepEqual(kind.read(['a.b=1', 'c=']), pairs);
    assert.deepEqual(kind.read({ 'a.b': 1, c: '' }), pairs);
    assert.equal(kind.print(kind.parse('a.b=1,c=')), 'a.b=1,c=');
  });
  for (const text of ['a', '=1', 'a=1,b']) {
    test(`"${text}" is refused`, () => assert.throws(() => kind.parse(text), ValueError));
  }
});

describe('addresses', () => {
  test('have a host and a port', () => {
    assert.deepEqual(address(0).parse('localhost:0'), { host: 'localhost', port: 0 });
    assert.deepEqual(address(0).parse('[fe80::1]:80'), { host: 'fe80::1', port: 80 });
    assert.equal(address(0).print({ host: '::1', port: 5 }), '[::1]:5');
  });
  for (const text of ['localhost', ':80', '::1:80', 'a b:80', 'x:', 'x:-1', 'x:99999']) {
    test(`"${text}" is refused`, () => assert.throws(() => address(0).parse(text), ValueError));
  }
});

describe('whole numbers', () => {
  for (const text of ['', '1.5', '1e3', '0', '11', ' 5']) {
    test(`"${text}" is not one from 1 to 10`, () => {
      assert.throws(() => integer(1, 10).parse(text), ValueError);
    });
  }
});
