import assert from 'node:assert/strict';
import test from 'node:test';
import { compileFilter, type FilterOptions } from '../../src/broker/message-filter.ts';
import { type FieldValue, HeaderWriter, property } from '../../src/message/index.ts';
import type { QueueMessage } from '../../src/shard/index.ts';

interface Parts {
  headers?: ReadonlyArray<readonly [string, FieldValue]>;
  properties?: (writer: HeaderWriter) => void;
  key?: string | Uint8Array;
  body?: string;
  deliveries?: number;
}

/** A message as a queue shows it: in the middle of memory that holds other things. */
function createMessage(parts: Parts): QueueMessage {
  const writer = new HeaderWriter();
  writer.reset();
  parts.properties?.(writer);
  for (const [name, value] of parts.headers ?? []) writer.header(name, value);
  const headers = Buffer.from(writer.finish());
  const key = parts.key === undefined ? undefined : Buffer.from(parts.key);
  const body = Buffer.from(parts.body ?? '');
  const bytes = Buffer.concat([
    Buffer.from('##'),
    key ?? Buffer.alloc(0),
    body,
    headers,
    key ?? body,
  ]);
  const valueAt = 2 + (key?.length ?? 0);
  return {
    offset: 0,
    timestampMs: 1000,
    deliveries: parts.deliveries ?? 1,
    failures: 0,
    bytes,
    keyAt: 2,
    keyBytes: key?.length ?? -1,
    valueAt,
    valueBytes: body.length,
    headersAt: valueAt + body.length,
    headersBytes: headers.length,
    headerCount: writer.count,
  };
}

function matches(language: string, text: string, parts: Parts, options?: FilterOptions): boolean {
  return compileFilter({ language, text }, options)(createMessage(parts));
}

const order: Parts = {
  headers: [
    ['size', 12],
    ['kind', 'abc'],
    ['urgent', true],
    ['big', 9007199254740993n],
    ['half', 0.5],
    ['twice', 'first'],
    ['twice', 'last'],
    ['größe', 'L'],
    ['when', new Date(5000)],
    ['none', null],
    ['tags', ['red', 'blue']],
  ],
  properties: (writer) => {
    writer.text(property.contentType, 'text/plain');
    writer.integer(property.priority, 7);
  },
  key: 'customer-5',
  deliveries: 3,
};

test('selectors see headers with their types, properties, the key and the number of deliveries', () => {
  for (const text of [
    'size = 12',
    'size > 11.5 AND urgent',
    "kind LIKE 'a_c'",
    'big = 9007199254740993',
    'half * 2 = 1',
    "twice = 'last'",
    "größe = 'L'",
    'when = 5000',
    'none IS NULL',
    'missing IS NULL',
    'pabal.priority = 7',
    '"pabal.content-type" = \'text/plain\'',
    '"pabal.message-id" IS NULL',
    'pabal.timestamp = 1000',
    "pabal.key LIKE 'customer-%'",
    'pabal.deliveries > 2',
    'tags IS NOT NULL',
  ]) {
    assert.equal(matches('selector', text, order), true, text);
  }
  for (const text of ["size = '12'", 'kind > 5', 'priority = 7', 'siz = 12', "pabal.key = ''"]) {
    assert.equal(matches('selector', text, order), false, text);
  }
  assert.equal(matches('selector', 'pabal.key IS NULL', {}), true);
  assert.equal(matches('selector', 'pabal.key IS NULL', { key: Uint8Array.of(0xff) }), false);
});

test('a door gives names of its own', () => {
  const options: FilterOptions = { rename: (name) => (name === 'Prio' ? 'pabal.priority' : name) };
  assert.equal(matches('selector', 'Prio = 7 AND size = 12', order, options), true);
});

test('one filter judges one message after the other', () => {
  const filter = compileFilter({ language: 'selector', text: 'size = 12' });
  const [yes, no] = [createMessage(order), createMessage({ headers: [['size', 13]] })];
  assert.deepEqual([filter(yes), filter(no), filter(yes)], [true, false, true]);
});

test('headers are matched as those of a binding', () => {
  const cases: Array<[text: string, isMatch: boolean]> = [
    ['{"size":12,"kind":"abc"}', true],
    ['{"size":12,"kind":"x"}', false],
    ['{"x-match":"any","size":12,"kind":"x"}', true],
    ['{"urgent":true,"missing":null}', false],
    ['{"urgent":null}', true],
    ['{}', true],
    ['{"tags":["red","blue"]}', true],
  ];
  for (const [text, isMatch] of cases) assert.equal(matches('headers', text, order), isMatch, text);
});

test('policies look at headers or at the body', () => {
  const headers: Array<[text: string, isMatch: boolean]> = [
    ['{"size":[{"numeric":[">",10]}],"kind":[{"prefix":"a"}]}', true],
    ['{"tags":["blue"]}', true],
    ['{"missing":[{"exists":false}]}', true],
    ['{"pabal.priority":[{"exists":true}]}', false],
    ['{"twice":["first"]}', false],
  ];
  for (const [text, isMatch] of headers) {
    assert.equal(matches('json-headers', text, order), isMatch, text);
  }
  const body = '{"store":{"city":"Köln","items":[{"n":1},{"n":2}]},"price":10.5}';
  const bodies: Array<[text: string, isMatch: boolean]> = [
    ['{"store":{"city":["Köln"]},"price":[{"numeric":["<",11]}]}', true],
    ['{"store":{"items":{"n":[2]}}}', true],
    ['{"store":{"items":{"n":[3]}}}', false],
    ['{"size":[12]}', false],
  ];
  for (const [text, isMatch] of bodies) {
    assert.equal(matches('json-body', text, { ...order, body }), isMatch, text);
  }
  for (const other of ['', 'x', '[]', '5', 'null', '{"price":', '"text"']) {
    const absent = '{"price":[{"exists":false}]}';
    assert.equal(matches('json-body', absent, { body: other }), false, other);
  }
  assert.equal(matches('json-body', '{"price":[{"exists":false}]}', { body: '{}' }), true);
});

test('what cannot be read is refused', () => {
  for (const [language, text] of [
    ['selector', 'size ='],
    ['headers', '{'],
    ['headers', '[]'],
    ['headers', '{"x-match":"some"}'],
    ['json-headers', '{}'],
    ['json-body', '{"a":1}'],
    ['xpath', '//a'],
    ['', ''],
  ] as const) {
    assert.throws(() => compileFilter({ language, text }), { code: 'filter-invalid' }, language);
  }
});
