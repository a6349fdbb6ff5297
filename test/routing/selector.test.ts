import assert from 'node:assert/strict';
import test from 'node:test';
import { BrokerError } from '../../src/base/index.ts';
import { compileSelector, type Fields } from '../../src/routing/index.ts';

const message: Fields = {
  age: 30,
  weight: 72.5,
  big: 9007199254740993n,
  negative: -4,
  name: 'Ada',
  empty: '',
  quote: "it's",
  percent: '100%',
  under: 'a_b',
  lines: 'one\ntwo',
  emoji: 'a😀b',
  yes: true,
  no: false,
  nothing: null,
  when: new Date(1000),
  bytes: Uint8Array.of(1),
  $price: 5,
  _x1: 1,
  größe: 3,
  'a.b.c': 7,
  'with-dash': 8,
  'quo"te': 9,
};

function evaluate(selector: string): boolean {
  return compileSelector(selector)((name) => message[name]);
}

const groups: Array<[what: string, matching: string[], others: string[]]> = [
  [
    'literals',
    ['TRUE', 'true', 'age = 30', "name = 'Ada'", "quote = 'it''s'", "empty = ''", '', '   '],
    ['FALSE', 'False', "name = 'ada'", "name = ''"],
  ],
  [
    'integers in every base',
    [
      'age = 0x1E',
      'age = 0X1eL',
      'age = 036',
      'age = 30L',
      'age = 30l',
      'age = 0b11110',
      '0 = 0x0',
    ],
    ['age = 0x1F', 'age = 0x1', '0x7FFFFFFFFFFFFFFF < 0', '0xFFFFFFFFFFFFFFFF > 0'],
  ],
  [
    'fractions and exponents',
    [
      'weight = 72.5',
      'weight = 7.25E1',
      'weight = 725e-1',
      'weight = .725e2',
      'weight = 72.5f',
      'weight = 72.5D',
      'age = 30.',
      'age = 30.0',
      'age = 3E1',
      'age = +30',
      'age = 30d',
      'age = 3e+1',
    ],
    ['weight = 72', 'weight = .5'],
  ],
  [
    'the greatest and smallest integers',
    [
      'big = 9007199254740993',
      'big > 9007199254740992',
      'big <> 9007199254740992',
      '-9223372036854775808 < 0',
      '0xFFFFFFFFFFFFFFFF = -1',
      '9223372036854775807 + 1 < 0',
      'big + 1 = 9007199254740994',
      '9007199254740991 * 3 = 27021597764222973',
    ],
    ['big = 9007199254740992'],
  ],
  [
    'comparisons of numbers',
    ['age > 29', 'age >= 30', 'age <= 30', 'age < 31', 'age <> 31', 'age != 31', '29 < age'],
    ['age > 30', 'age < 30', 'age <> 30', 'age = 31', 'negative > 0'],
  ],
  [
    'values of different types are neither equal nor unequal',
    ['NOT (name = 5)', "NOT (age <> 'x')", 'yes = TRUE', 'no <> TRUE', "name <> 'Bob'"],
    ["age = '30'", "age <> '30'", 'name = 5', 'name <> 5', 'name > 5', 'yes = 1', 'when = 1000'],
  ],
  [
    'what is not there is unknown',
    ['missing IS NULL', 'nothing IS NULL', 'age IS NOT NULL', 'NOT (age IS NULL)'],
    [
      'missing = 1',
      'missing <> 1',
      'NOT (missing = 1)',
      'missing',
      'NOT missing',
      'missing IS NOT NULL',
      'missing + 1 = 1',
      "missing IN ('a')",
      "missing NOT IN ('a')",
      "missing LIKE '%'",
      "missing NOT LIKE '%'",
      'missing BETWEEN 1 AND 2',
      'missing NOT BETWEEN 1 AND 2',
      'nothing = nothing',
    ],
  ],
  [
    'three values in AND',
    ['yes AND yes', 'NOT (yes AND no)', 'NOT (no AND missing)', 'NOT (missing AND no)'],
    ['yes AND no', 'yes AND missing', 'NOT (yes AND missing)', 'NOT (missing AND missing)'],
  ],
  [
    'three values in OR',
    ['yes OR no', 'no OR yes', 'yes OR missing', 'missing OR yes'],
    ['no OR no', 'no OR missing', 'NOT (no OR missing)', 'NOT (yes OR missing)'],
  ],
  [
    'AND binds tighter than OR, NOT tighter than both',
    ['yes OR no AND no', 'NOT no AND yes', 'NOT no OR missing', 'not no and not no or no'],
    ['(yes OR no) AND no', 'NOT (no OR yes)', 'NOT yes OR no'],
  ],
  [
    'names that hold no boolean are no condition',
    ['yes', 'NOT no', 'yes = NOT_A_KEYWORD OR yes'],
    ['name', 'age', 'NOT name', 'NOT age', 'bytes'],
  ],
  [
    'arithmetic',
    [
      'age + 1 = 31',
      'age - 1 = 29',
      'age * 2 = 60',
      'age / 2 = 15',
      '2 + 3 * 4 = 14',
      '(2 + 3) * 4 = 20',
      '10 - 2 - 3 = 5',
      '100 / 5 / 2 = 10',
      '-age = -30',
      '- - age = 30',
      '-(age + 1) = -31',
      '+age = 30',
      '7 / 2 = 3',
      '-7 / 2 = -3',
      '7 / 2.0 = 3.5',
      '7. / 2 = 3.5',
      'weight / 2 = 36.25',
      '7 / 2 * 1.0 = 3',
      'age/0.0 > 1000000',
    ],
    ['age / 0 = 1', 'NOT (age / 0 = 1)', 'name + 1 = 1', 'yes * 1 = 1'],
  ],
  [
    'BETWEEN has both ends',
    [
      'age BETWEEN 30 AND 40',
      'age BETWEEN 20 AND 30',
      'age between 20 and 40 and yes',
      'age NOT BETWEEN 31 AND 40',
      'weight BETWEEN age AND age * 3',
    ],
    ['age BETWEEN 31 AND 40', 'age BETWEEN 40 AND 20', 'age NOT BETWEEN 30 AND 30'],
  ],
  [
    'IN',
    [
      "name IN ('Bob', 'Ada')",
      "name IN ('Ada')",
      "name NOT IN ('Bob')",
      'age IN (1, 30, 50)',
      'negative in (-4)',
      'yes IN (TRUE, FALSE)',
      "age NOT IN ('30')",
    ],
    ["name IN ('Bob')", "name NOT IN ('Bob', 'Ada')", "age IN ('30')", 'age IN (+31)'],
  ],
  [
    'LIKE',
    [
      "name LIKE 'Ada'",
      "name LIKE 'A%'",
      "name LIKE '%a'",
      "name LIKE '%d%'",
      "name LIKE '%'",
      "name LIKE 'A_a'",
      "name LIKE '___'",
      "name LIKE '%_%_%_%'",
      "empty LIKE ''",
      "empty LIKE '%'",
      "percent LIKE '100!%' ESCAPE '!'",
      "percent LIKE '%\\%' escape '\\'",
      "under LIKE 'a\\_b' ESCAPE '\\'",
      "lines LIKE 'one%two'",
      "lines LIKE 'one_two'",
      "emoji LIKE 'a_b'",
      "emoji LIKE '%_b'",
      "emoji LIKE '_😀%'",
      "quote LIKE 'it''s'",
      "name NOT LIKE 'B%'",
      "NOT (name LIKE 'B%')",
      "age NOT LIKE '3%'",
    ],
    [
      "name LIKE 'ada'",
      "name LIKE 'd'",
      "name LIKE '____'",
      "name LIKE '__'",
      "name LIKE 'A%A'",
      "name LIKE 'Ad%da'",
      "name LIKE 'Ada_'",
      "name LIKE '_Ada'",
      "name LIKE '%x%'",
      "empty LIKE '_'",
      "empty LIKE '%_'",
      "name LIKE 'A!da' ESCAPE '?'",
      "under LIKE 'aab'",
      "percent LIKE '100!%x' ESCAPE '!'",
      "emoji LIKE 'a__b'",
      "age LIKE '3%'",
      "name NOT LIKE 'A%'",
      "name LIKE '%a_a%'",
    ],
  ],
  [
    'names',
    [
      '$price = 5',
      '_x1 = 1',
      'größe = 3',
      'a.b.c = 7',
      '"with-dash" = 8',
      '"quo""te" = 9',
      '"age" = 30',
      '"AND" IS NULL',
    ],
    ['AGE = 30', '"Age" = 30'],
  ],
  ['spaces', ['\tage\n=\r30\f', 'age=30', '(((age=30)))', 'age=30AND yes'.replace('A', ' A')], []],
];

for (const [what, matching, others] of groups) {
  test(`selector: ${what}`, () => {
    for (const selector of matching) assert.equal(evaluate(selector), true, selector);
    for (const selector of others) assert.equal(evaluate(selector), false, selector);
  });
}

/** Selector and the character that is wrong, counted from 1. */
const mistakes: Array<[selector: string, at: number]> = [
  ['age =', 6],
  ['= 5', 1],
  ['age = 5 5', 9],
  ['age 5', 5],
  ['(age = 5', 9],
  ['age = 5)', 8],
  ['age & 5', 5],
  ["name = 'open", 8],
  ['"open = 5', 1],
  ['"" = 5', 1],
  ['age = 08', 7],
  ['age = 5x', 8],
  ['age = 0xZ', 8],
  ['age = 99999999999999999999', 7],
  ['age = 0x1FFFFFFFFFFFFFFFF', 7],
  ['AND yes', 1],
  ['yes AND', 8],
  ['yes OR OR no', 8],
  ['NOT', 4],
  ['age NOT', 8],
  ['age NOT = 5', 9],
  ['age BETWEEN 1', 14],
  ['age BETWEEN 1 OR 2', 15],
  ["age BETWEEN 'a' AND 'b'", 13],
  ['name IN ()', 10],
  ["name IN ('a',)", 14],
  ["name IN ('a' 'b')", 14],
  ["name IN 'a'", 9],
  ['name IN (other)', 10],
  ['name IN (-TRUE)', 11],
  ["'a' IN ('a')", 1],
  ["(name) LIKE 'a'", 2],
  ['name LIKE other', 11],
  ['name LIKE 5', 11],
  ["name LIKE 'a' ESCAPE", 21],
  ["name LIKE 'a' ESCAPE 'xx'", 22],
  ["name LIKE 'a' ESCAPE ''", 22],
  ["name LIKE 'a!' ESCAPE '!'", 11],
  ['5 IS NULL', 1],
  ['age IS', 7],
  ['age IS 5', 8],
  ['NULL = 5', 1],
  ['age = NULL', 7],
  ["'a' < 'b'", 1],
  ["age > 'b'", 7],
  ['yes > TRUE', 7],
  ["age + 'a' = 1", 7],
  ["-'a' = 1", 2],
  ['age + TRUE = 1', 7],
  ['5', 1],
  ["'text'", 1],
  ['5 AND yes', 1],
  ["yes AND 'a'", 9],
  ['NOT 5', 5],
  ['age + 1', 1],
  ['(age = 1) + 1 = 2', 2],
  ['age = 1 = TRUE', 9],
];

test('a selector that is wrong says where', () => {
  for (const [selector, at] of mistakes) {
    assert.throws(
      () => compileSelector(selector),
      (error) =>
        error instanceof BrokerError &&
        error.code === 'filter-invalid' &&
        error.message.includes(`at character ${at}:`),
      `${selector} at ${at}: ${problemOf(selector)}`,
    );
  }
});

function problemOf(selector: string): string {
  try {
    compileSelector(selector);
    return 'is taken';
  } catch (error) {
    return String(error);
  }
}

function chain(operand: string, operator: string, count: number): string {
  return Array.from({ length: count }, () => operand).join(operator);
}

test('long chains are no deep ones, deep ones are refused', () => {
  assert.equal(evaluate(chain('yes', ' AND ', 7000)), true);
  assert.equal(evaluate(chain('no', ' OR ', 7000)), false);
  assert.equal(evaluate(`${chain('1', '+', 20_000)} = 20000`), true);
  assert.equal(evaluate(`${'('.repeat(60)}yes${')'.repeat(60)}`), true);
  for (const deep of [
    `${'('.repeat(70)}yes${')'.repeat(70)}`,
    `${'NOT '.repeat(70)}yes`,
    `${'-'.repeat(70)}age = 1`,
    'x'.repeat(70_000),
    `name LIKE '${'%a'.repeat(101)}'`,
  ]) {
    assert.throws(() => compileSelector(deep), { code: 'filter-invalid' }, deep.slice(0, 20));
  }
});

test('patterns with many wildcards take no time that grows with their combinations', () => {
  const pattern = compileSelector(`text LIKE '${'%a_'.repeat(40)}%b'`);
  const text = 'a'.repeat(20_000);
  assert.equal(
    pattern(() => text),
    false,
  );
  assert.equal(
    pattern(() => `${text}b`),
    true,
  );
});
