import assert from 'node:assert/strict';
import test from 'node:test';
import { BrokerError } from '../../src/base/index.ts';
import { compilePolicy, type Fields, type FieldValue } from '../../src/routing/index.ts';

const cases: Array<[policy: unknown, matching: Fields[], others: Fields[]]> = [
  [{ a: ['x'] }, [{ a: 'x' }, { a: 'x', b: 1 }], [{}, { a: 'X' }, { a: 1 }, { a: null }]],
  [{ a: ['x', 'y'] }, [{ a: 'x' }, { a: 'y' }], [{ a: 'z' }]],
  [{ a: ['x'], b: ['y'] }, [{ a: 'x', b: 'y' }], [{ a: 'x' }, { b: 'y' }, { a: 'x', b: 'x' }]],
  [{ a: [5] }, [{ a: 5 }, { a: 5n }, { a: 5.0 }], [{ a: '5' }, { a: 6 }]],
  [{ a: [true, null] }, [{ a: true }, { a: null }], [{ a: false }, {}, { a: 'true' }]],
  [{ a: [{ prefix: 'ab' }] }, [{ a: 'ab' }, { a: 'abc' }], [{ a: 'a' }, { a: 'xab' }, { a: 5 }]],
  [{ a: [{ suffix: 'ab' }] }, [{ a: 'ab' }, { a: 'cab' }], [{ a: 'abc' }, {}]],
  [{ a: [{ prefix: { 'equals-ignore-case': 'AB' } }] }, [{ a: 'aBc' }], [{ a: 'cab' }]],
  [{ a: [{ suffix: { 'equals-ignore-case': 'AB' } }] }, [{ a: 'caB' }], [{ a: 'abc' }]],
  [{ a: [{ 'equals-ignore-case': 'Straße' }] }, [{ a: 'STRAßE' }], [{ a: 'Strasse' }]],
  [{ a: [{ 'anything-but': 'x' }] }, [{ a: 'y' }, { a: 5 }], [{ a: 'x' }, {}]],
  [{ a: [{ 'anything-but': ['x', 5] }] }, [{ a: 'y' }, { a: 6 }], [{ a: 'x' }, { a: 5 }, {}]],
  [{ a: [{ 'anything-but': { prefix: 'x' } }] }, [{ a: 'yx' }, { a: 1 }], [{ a: 'xy' }, {}]],
  [{ a: [{ 'anything-but': { suffix: ['x', 'y'] } }] }, [{ a: 'z' }], [{ a: 'ax' }, { a: 'ay' }]],
  [{ a: [{ 'anything-but': { wildcard: 'x*z' } }] }, [{ a: 'xy' }], [{ a: 'xyz' }]],
  [{ a: [{ 'anything-but': { 'equals-ignore-case': ['X', 'Y'] } }] }, [{ a: 'z' }], [{ a: 'x' }]],
  [{ a: [{ 'anything-but': ['x'] }, { exists: false }] }, [{ a: 'y' }, {}], [{ a: 'x' }]],
  [{ a: [{ numeric: ['=', 5] }] }, [{ a: 5 }, { a: 5n }], [{ a: 6 }, { a: '5' }, {}]],
  [{ a: [{ numeric: ['>', 5] }] }, [{ a: 5.1 }], [{ a: 5 }]],
  [{ a: [{ numeric: ['>=', 5] }] }, [{ a: 5 }], [{ a: 4.9 }]],
  [{ a: [{ numeric: ['<', 5] }] }, [{ a: -1e3 }], [{ a: 5 }]],
  [{ a: [{ numeric: ['>', 0, '<=', 10] }] }, [{ a: 10 }, { a: 0.1 }], [{ a: 0 }, { a: 11 }]],
  [{ a: [{ exists: true }] }, [{ a: 'x' }, { a: null }, { a: [] }], [{}, { b: 1 }]],
  [{ a: [{ exists: false }] }, [{}, { b: 1 }], [{ a: null }, { a: '' }]],
  [{ a: [{ wildcard: '*' }] }, [{ a: '' }, { a: 'x' }], [{ a: 1 }, {}]],
  [{ a: [{ wildcard: 'x*y*z' }] }, [{ a: 'xyz' }, { a: 'x1y2z' }], [{ a: 'xz' }, { a: 'xyzw' }]],
  [{ a: [{ wildcard: '*ab' }] }, [{ a: 'ab' }, { a: 'abab' }], [{ a: 'aba' }]],
  [{ a: [{ wildcard: 'ab*ba' }] }, [{ a: 'abba' }], [{ a: 'aba' }]],
  [{ a: [{ wildcard: 'a\\*b\\\\*' }] }, [{ a: 'a*b\\' }, { a: 'a*b\\c' }], [{ a: 'axb\\' }]],
  [{ a: [{ wildcard: 'none' }] }, [{ a: 'none' }], [{ a: 'none ' }]],
  [
    { ip: [{ cidr: '10.1.0.0/16' }] },
    [{ ip: '10.1.2.3' }, { ip: '10.1.255.255' }],
    [{ ip: '10.2.0.0' }, { ip: '10.1.2' }, { ip: '10.1.2.256' }, { ip: '::1' }, { ip: 1 }],
  ],
  [{ ip: [{ cidr: '10.1.2.3/32' }] }, [{ ip: '10.1.2.3' }], [{ ip: '10.1.2.2' }]],
  [{ ip: [{ cidr: '10.1.2.129/25' }] }, [{ ip: '10.1.2.200' }], [{ ip: '10.1.2.100' }]],
  [{ ip: [{ cidr: '0.0.0.0/0' }] }, [{ ip: '255.1.2.3' }], [{ ip: '' }, { ip: '01.2.3.4' }]],
  [
    { ip: [{ cidr: '2001:db8::/32' }] },
    [{ ip: '2001:db8::1' }, { ip: '2001:0DB8:0:0:0:0:0:1' }, { ip: '2001:db8::1.2.3.4' }],
    [{ ip: '2001:db9::1' }, { ip: '2001:db8:::1' }, { ip: '2001:db8' }, { ip: '1.2.3.4' }],
  ],
  [
    { ip: [{ cidr: '::/0' }] },
    [{ ip: '::' }, { ip: '1:2:3:4:5:6:7:8' }],
    [{ ip: '1:2' }, { ip: ':' }],
  ],
  // A list matches with any of its items.
  [{ a: ['x'] }, [{ a: ['y', 'x'] }], [{ a: [] }, { a: ['y'] }, { a: [['x']] }]],
  [{ a: [{ 'anything-but': ['x', 'y'] }] }, [{ a: ['x', 'z'] }], [{ a: ['x', 'y'] }]],
  // Keys inside keys.
  [{ a: { b: ['x'] } }, [{ a: { b: 'x' } }], [{ a: 'x' }, {}, { b: 'x' }, { a: { c: 'x' } }]],
  [{ a: { b: { c: [1] } } }, [{ a: { b: { c: 1 } } }], [{ a: { b: 1 } }, { a: { c: 1 } }]],
  [{ a: { b: [{ exists: false }] } }, [{}, { a: {} }, { a: 5 }], [{ a: { b: 1 } }]],
  // Written with dots.
  [
    { 'a.b.c': ['x'] },
    [{ 'a.b.c': 'x' }, { a: { b: { c: 'x' } } }, { 'a.b': { c: 'x' } }, { a: [{ 'b.c': 'x' }] }],
    [{ a: { b: 'x' } }, { a: { c: 'x' } }, { 'a.b': 'x' }, {}],
  ],
  // One item of a list must fit as a whole.
  [
    { a: { b: ['x'], c: ['y'] } },
    [{ a: [{ b: 'z' }, { b: 'x', c: 'y' }] }],
    [{ a: [{ b: 'x' }, { c: 'y' }] }, { a: [] }, { a: ['x'] }],
  ],
  [
    { a: { b: { c: ['x'] } } },
    [{ a: { b: [[{ c: 'y' }], [{ c: 'x' }]] } }, { a: [[{ b: [{ c: 'x' }] }]] }],
    [{ a: { b: [['x'], [{ c: 'y' }]] } }],
  ],
  [{ 'a.b': ['x'] }, [{ a: [[{ b: 'x' }]] }], [{ a: [[['x']]] }]],
  // Alternatives.
  [
    { a: [1], $or: [{ b: [2] }, { c: [{ prefix: 'x' }] }] },
    [
      { a: 1, b: 2 },
      { a: 1, c: 'xx' },
    ],
    [{ a: 1 }, { b: 2 }, { a: 1, b: 3, c: 'y' }],
  ],
  [{ $or: [{ a: [1], b: [2] }, { a: [3] }] }, [{ a: 1, b: 2 }, { a: 3 }], [{ a: 1 }]],
  [{ a: { $or: [{ b: [1] }, { c: [1] }] } }, [{ a: { c: 1 } }], [{ a: {} }, { c: 1 }]],
  [{ $or: ['x'] }, [{ $or: 'x' }], [{}]],
  // Names that every object has are no keys of a message.
  [{ constructor: [{ exists: true }] }, [{ constructor: 'x' }], [{}]],
];

test('policies: every key must match, with one of its conditions', () => {
  for (const [policy, matching, others] of cases) {
    const text = JSON.stringify(policy);
    const matches = compilePolicy(text);
    for (const fields of matching) assert.equal(matches(fields), true, `${text} ~ ${show(fields)}`);
    for (const fields of others) assert.equal(matches(fields), false, `${text} !~ ${show(fields)}`);
  }
});

function show(fields: Fields): string {
  return JSON.stringify(fields, (_, value: unknown) =>
    typeof value === 'bigint' ? `${value}n` : value,
  );
}

const mistakes: Array<[policy: string, where: string]> = [
  ['', 'not JSON'],
  ['{', 'not JSON'],
  ['[]', 'an object is expected'],
  ['5', 'an object is expected'],
  ['{}', 'no key'],
  ['{"a":{}}', 'at a:'],
  ['{"a":"x"}', 'at a:'],
  ['{"a":5}', 'at a:'],
  ['{"a":[]}', 'at a:'],
  ['{"a":{"b":5}}', 'at a.b:'],
  ['{"a":["x",["y"]]}', 'at a[1]:'],
  ['{"a":[{}]}', 'at a[0]:'],
  ['{"a":[{"prefix":"x","suffix":"y"}]}', 'at a[0]:'],
  ['{"a":[{"prefix":5}]}', 'at a[0].prefix:'],
  ['{"a":[{"prefix":{"wildcard":"x"}}]}', 'at a[0].prefix:'],
  ['{"a":[{"like":"x"}]}', 'at a[0].like: there is no such condition'],
  ['{"a":[{"exists":"true"}]}', 'at a[0].exists:'],
  ['{"a":[{"equals-ignore-case":1}]}', 'at a[0].equals-ignore-case:'],
  ['{"a":[{"anything-but":[]}]}', 'at a[0].anything-but:'],
  ['{"a":[{"anything-but":[["x"]]}]}', 'at a[0].anything-but[0]:'],
  ['{"a":[{"anything-but":{"exists":true}}]}', 'at a[0].anything-but:'],
  ['{"a":[{"anything-but":{"prefix":5}}]}', 'at a[0].anything-but.prefix:'],
  ['{"a":[{"anything-but":{"prefix":[]}}]}', 'at a[0].anything-but.prefix:'],
  ['{"a":[{"numeric":5}]}', 'at a[0].numeric:'],
  ['{"a":[{"numeric":[">"]}]}', 'at a[0].numeric:'],
  ['{"a":[{"numeric":["!",5]}]}', 'at a[0].numeric[0]:'],
  ['{"a":[{"numeric":[">","5"]}]}', 'at a[0].numeric[1]:'],
  ['{"a":[{"numeric":["<",5,">",0]}]}', 'at a[0].numeric:'],
  ['{"a":[{"numeric":[">",5,"<",0]}]}', 'at a[0].numeric:'],
  ['{"a":[{"numeric":["=",5,"=",5]}]}', 'at a[0].numeric:'],
  ['{"a":[{"wildcard":"x**"}]}', 'at a[0].wildcard:'],
  ['{"a":[{"wildcard":"x\\\\y"}]}', 'at a[0].wildcard:'],
  ['{"a":[{"cidr":"10.0.0.0"}]}', 'at a[0].cidr:'],
  ['{"a":[{"cidr":"10.0.0.0/33"}]}', 'at a[0].cidr:'],
  ['{"a":[{"cidr":"10.0.0/8"}]}', 'at a[0].cidr:'],
  ['{"a":[{"cidr":"2001:db8::/129"}]}', 'at a[0].cidr:'],
  ['{"$or":[{"a":[1]},{"b":1}]}', 'at $or[1].b:'],
  ['{"$or":[{"a":[1]},5]}', 'at $or[0].a:'],
];

test('a policy that is wrong says where', () => {
  for (const [policy, where] of mistakes) {
    assert.throws(
      () => compilePolicy(policy),
      (error) =>
        error instanceof BrokerError &&
        error.code === 'filter-invalid' &&
        error.message.includes(where),
      `${policy}: ${where}`,
    );
  }
});

test('policies have greatest sizes', () => {
  let deep: unknown = { a: [1] };
  for (let depth = 0; depth < 70; depth++) deep = { a: deep };
  const many = { a: Array.from({ length: 1001 }, (_, index) => index) };
  const wild = { a: [{ wildcard: '*a'.repeat(101) }] };
  const long = { a: ['x'.repeat(70_000)] };
  for (const policy of [deep, many, wild, long]) {
    assert.throws(() => compilePolicy(JSON.stringify(policy)), { code: 'filter-invalid' });
  }
});

test('policies: lists in lists may be as deep as they like', () => {
  let list: FieldValue = [];
  for (let depth = 0; depth < 100_000; depth += 1) list = [list];
  for (const policy of [{ a: { b: ['x'] } }, { 'a.b': ['x'] }, { a: ['x'] }]) {
    assert.equal(compilePolicy(JSON.stringify(policy))({ a: list }), false);
  }
});
