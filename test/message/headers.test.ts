import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from '../support/fast-check.ts';
import { limits, ProtocolError } from '../../src/base/index.ts';
import { decodeBatch, RecordBatchBuilder } from '../../src/bytes/index.ts';
import {
  fieldType,
  type FieldValue,
  HeaderReader,
  HeaderWriter,
  property,
  readFields,
  readMessage,
  readProperty,
  type TypedValue,
  writeMessage,
} from '../../src/message/index.ts';
import { headerName, typedValue } from './arbitrary.ts';

function encode(write: (writer: HeaderWriter) => void): Buffer {
  const writer = new HeaderWriter();
  write(writer);
  return Buffer.from(writer.finish());
}

/** As a log producer writes them: no types, nothing escaped. */
function encodeRaw(headers: ReadonlyArray<readonly [string, Uint8Array | string | null]>): Buffer {
  const parts: number[] = [];
  const varint = (value: number): void => {
    let rest = ((value << 1) ^ (value >> 31)) >>> 0;
    for (; rest > 0x7f; rest >>>= 7) parts.push((rest & 0x7f) | 0x80);
    parts.push(rest);
  };
  for (const [name, value] of headers) {
    const nameBytes = Buffer.from(name);
    varint(nameBytes.length);
    parts.push(...nameBytes);
    const valueBytes = typeof value === 'string' ? Buffer.from(value) : value;
    varint(valueBytes === null ? -1 : valueBytes.length);
    for (const byte of valueBytes ?? []) parts.push(byte);
  }
  return Buffer.from(parts);
}

const read = (bytes: Uint8Array): ReturnType<typeof readMessage> =>
  readMessage(bytes, 0, bytes.length);

test('any headers with any types come back as they were, in order', () => {
  const writer = new HeaderWriter();
  fc.assert(
    fc.property(fc.array(fc.tuple(headerName, typedValue), { maxLength: 14 }), (headers) => {
      // A name that is there twice with different types has one entry for each: only the names are not told apart.
      const unique = [...new Map(headers).entries()];
      writer.reset();
      for (const [name, value] of unique) {
        writer.name(name);
        writer.valueTyped(value);
      }
      const bytes = Buffer.from(writer.finish());
      const types = unique.length > 0 && readProperty(bytes, 0, bytes.length, property.types);
      assert.equal(writer.count, unique.length + (types ? 1 : 0));
      const found = read(bytes).headers;
      assert.deepEqual(
        found.map(({ name, value }) => [name, value]),
        unique.map(([name, value]) => [name, value]),
      );
    }),
  );
});

test('headers that something has put into another order keep their types', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(headerName, typedValue), {
        selector: ([name]) => name,
        maxLength: 20,
      }),
      fc.infiniteStream(fc.nat()),
      (headers, order) => {
        const bytes = encode((writer) => {
          for (const [name, value] of headers) {
            writer.name(name);
            writer.valueTyped(value);
          }
        });
        const reader = new HeaderReader().begin(bytes, 0, bytes.length);
        const parts: Buffer[] = [];
        while (reader.next()) parts.push(bytes.subarray(reader.headerAt, reader.headerEnd));
        const shuffled = parts
          .map((part) => ({ part, rank: order.next().value }))
          .toSorted((a, b) => a.rank - b.rank)
          .map(({ part }) => part);
        const found = new Map(
          read(Buffer.concat(shuffled)).headers.map(({ name, value }) => [name, value]),
        );
        assert.deepEqual(found, new Map(headers));
      },
    ),
  );
});

test('a record that carries the headers is an ordinary one, and reads as text', () => {
  const bytes = encode((writer) => {
    writer.text(property.contentType, 'text/plain');
    writer.integer(property.timestamp, 1_767_225_600_000);
    writer.header('count', 7);
    writer.header('ratio', 0.5);
    writer.header('nested', { list: [1, 'two', null], blob: Buffer.from([0, 255]) });
  });
  const headers = new HeaderReader().begin(bytes, 0, bytes.length);
  const record: Array<[string, Uint8Array | null]> = [];
  while (headers.next()) record.push([headers.name, headers.value]);
  const builder = new RecordBatchBuilder();
  builder.add({ key: null, value: null, headers: record, timestampMs: 1 });
  const [logRecord] = decodeBatch(builder.build(), 0, 1000);
  assert.deepEqual(
    logRecord!.headers.map(([name, value]) => [name, Buffer.from(value!).toString()]),
    [
      ['pabal.content-type', 'text/plain'],
      ['pabal.timestamp', '1767225600000'],
      ['count', '7'],
      ['ratio', '0.5'],
      ['nested', '{"list":[1,"two",null],"blob":{"$bytes":"AP8="}}'],
      ['pabal.types', 'count=int32 ratio=double nested=table'],
    ],
  );
});

const untyped: ReadonlyArray<[string, Uint8Array | string | null, FieldValue]> = [
  ['text', 'ü', 'ü'],
  ['empty', '', ''],
  ['bytes', Buffer.from([0xc3, 0x28]), Buffer.from([0xc3, 0x28])],
  ['null', null, null],
  ['digits', '12', '12'],
  ['__proto__', 'harmless', 'harmless'],
  ['pabal.never-heard-of', 'as it is', 'as it is'],
];

for (const [name, value, expected] of untyped) {
  test(`a header without a type: ${name}`, () => {
    const bytes = encodeRaw([[name, value]]);
    const fields = readFields(bytes, 0, bytes.length);
    assert.deepEqual(Object.keys(fields), [name]);
    assert.deepEqual(fields[name], expected);
  });
}

test('text that is no UTF-8 stays text', () => {
  const latin1 = Buffer.from([0xe9]);
  const bytes = encode((writer) => {
    writer.name('word');
    writer.valueSlice(latin1, 0, 1, fieldType.text);
  });
  const reader = new HeaderReader().begin(bytes, 0, bytes.length);
  assert.ok(reader.next());
  assert.equal(reader.type, fieldType.text);
  assert.deepEqual(reader.value, latin1);
});

test('bytes that are valid UTF-8 stay bytes', () => {
  const [header] = read(encode((writer) => writer.header('b', Buffer.from('abc')))).headers;
  assert.deepEqual(header, { name: 'b', value: { type: 'bytes', value: Buffer.from('abc') } });
});

const wrongTypes: ReadonlyArray<[types: string, value: string]> = [
  ['h=int8', '128'],
  ['h=int32', '1.5'],
  ['h=int64', '9223372036854775808'],
  ['h=uint16', '-1'],
  ['h=boolean', 'yes'],
  ['h=double', '0x10'],
  ['h=timestamp', 'today'],
  ['h=table', '[1]'],
  ['h=array', '[1'],
  ['h=array', '['.repeat(1000) + ']'.repeat(1000)],
  ['h=nonsense', '1'],
  ['h', '1'],
  ['h=', '1'],
  ['=int32 %zz=int8 %', '1'],
];

for (const [types, value] of wrongTypes) {
  test(`a value that is not of its type is text: ${types} ${value.slice(0, 20)}`, () => {
    const bytes = encodeRaw([
      ['h', value],
      ['pabal.types', types],
    ]);
    assert.deepEqual(read(bytes).headers, [{ name: 'h', value: { type: 'text', value } }]);
  });
}

test('names with spaces, signs and control characters have types', () => {
  const names = ['a b', 'a=b', 'a%20b', '\u0000', '', 'ü', 'a\u007f'];
  const bytes = encode((writer) => {
    for (const [index, name] of names.entries()) writer.header(name, index);
  });
  assert.equal(
    readProperty(bytes, 0, bytes.length, property.types),
    'a%20b=int32 a%3db=int32 a%2520b=int32 %00=int32 =int32 ü=int32 a%7f=int32',
  );
  assert.deepEqual(Object.entries(readFields(bytes, 0, bytes.length)), [
    ...names.map((name, index) => [name, index]),
  ]);
});

test('a label stays with its type', () => {
  const bytes = encode((writer) => {
    writer.name('a');
    writer.valueText('1', fieldType.number, 'float v1=%');
    writer.name('b');
    writer.valueText('x', fieldType.text, 'custom');
    writer.header('c', 1);
  });
  assert.equal(
    readProperty(bytes, 0, bytes.length, property.types),
    'a=number.float%20v1%3d%25 b=text.custom c=int32',
  );
  assert.deepEqual(read(bytes).headers, [
    { name: 'a', value: { type: 'number', value: '1' }, label: 'float v1=%' },
    { name: 'b', value: { type: 'text', value: 'x' }, label: 'custom' },
    { name: 'c', value: { type: 'int32', value: 1 } },
  ]);
  const again = encode((writer) => writeMessage(writer, read(bytes)));
  assert.deepEqual(again, bytes);
});

test('many headers in the wrong order are read in proportion to their number', () => {
  const count = 20_000;
  const names = Array.from({ length: count }, (_, index) => `h${index}`);
  const bytes = encodeRaw([
    ...names.map((name): [string, string] => [name, '1']),
    [
      'pabal.types',
      names
        .toReversed()
        .map((name) => `${name}=int8`)
        .join(' '),
    ],
  ]);
  const fields = readFields(bytes, 0, bytes.length);
  assert.equal(Object.values(fields).filter((value) => value === 1).length, count);
});

/** Were the entries walked for each header, this would take a minute: the runner's time limit finds it. */
test('entries that are long, or cut, do not cost each header their length', () => {
  const long = 'x'.repeat(200_000);
  const entries = [`${long}=int8`, `h=int32.${long}`, `a=int8.${long}`, long].join(' ');
  const headers = Array.from({ length: 20_000 }, (_, index): [string, string] => [
    index % 2 === 0 ? 'h' : 'a',
    '1',
  ]);
  const bytes = encodeRaw([...headers, ['pabal.types', entries]]);
  const reader = new HeaderReader().begin(bytes, 0, bytes.length);
  const types = new Set<number>();
  while (reader.next()) if (reader.property < 0) types.add(reader.type);
  assert.deepEqual([...types], [fieldType.int32, fieldType.int8]);
});

const escaped: ReadonlyArray<[given: string, stored: string]> = [
  ['pabal.types', 'pabal.header.pabal.types'],
  ['pabal.exchange', 'pabal.header.pabal.exchange'],
  ['pabal.user-id', 'pabal.header.pabal.user-id'],
  ['pabal.mine', 'pabal.header.pabal.mine'],
  ['pabal.', 'pabal.header.pabal.'],
  ['pabal.header.x', 'pabal.header.pabal.header.x'],
  ['pabal.annotation.x-opt', 'pabal.annotation.x-opt'],
  ['pabal.footer.sum', 'pabal.footer.sum'],
  ['Pabal.types', 'Pabal.types'],
  ['pabal', 'pabal'],
];

for (const [given, stored] of escaped) {
  test(`the application's header ${given} is stored as ${stored} and comes back`, () => {
    const bytes = encode((writer) => writer.header(given, 5));
    const headers = new HeaderReader().begin(bytes, 0, bytes.length);
    assert.ok(headers.next());
    const nameEnd = headers.nameAt + headers.nameBytes;
    assert.equal(bytes.toString('utf8', headers.headerAt + 1, nameEnd), stored);
    assert.deepEqual(read(bytes).headers, [{ name: given, value: { type: 'int32', value: 5 } }]);
  });
}

test('a header named as a passable property becomes it, once, where the value fits', () => {
  const writer = new HeaderWriter();
  writer.text(property.messageId, 'own');
  writer.header('pabal.message-id', 'other');
  writer.header('pabal.group', 'g1');
  writer.header('pabal.priority', 7);
  writer.header('pabal.deliver-at', '1767225600000');
  writer.header('pabal.expires-at', 'tomorrow');
  writer.header('pabal.dedup-id', { not: 'text' });
  writer.header('pabal.qos', '1');
  writer.header('pabal.body-type', 'map');
  writer.header('pabal.timestamp', null);
  const { properties, headers } = read(writer.finish());
  assert.deepEqual(
    { ...properties, types: undefined },
    {
      messageId: 'own',
      group: 'g1',
      priority: '7',
      deliverAt: '1767225600000',
      bodyType: 'map',
      types: undefined,
    },
  );
  assert.deepEqual(
    headers.map(({ name }) => name),
    ['pabal.expires-at', 'pabal.dedup-id', 'pabal.qos', 'pabal.timestamp'],
  );
  const { priority, groupId, deliverAtMs, expiresAtMs, dedupId } = writer;
  assert.deepEqual(
    [priority, groupId, deliverAtMs, expiresAtMs, dedupId],
    [7, 'g1', 1_767_225_600_000, undefined, undefined],
  );
  writer.reset();
  assert.deepEqual([writer.count, writer.priority, writer.groupId], [0, undefined, undefined]);
});

test('an integer property is bounded', () => {
  const writer = new HeaderWriter();
  writer.integer(property.expiresAt, Number.MAX_SAFE_INTEGER);
  writer.integer(property.deliverAt, -5);
  assert.equal(writer.expiresAtMs, 999_999_999_999_999);
  assert.equal(writer.deliverAtMs, 0);
});

test('headers are copied with their types, except those that are replaced or left out', () => {
  const original = encode((writer) => {
    writer.text(property.expiration, '1000');
    writer.integer(property.expiresAt, 5);
    writer.integer(property.priority, 3);
    writer.text(property.exchange, 'old');
    writer.header('n', 1n << 40n);
    writer.header('pabal.x', true);
  });
  const writer = new HeaderWriter();
  writer.header('first', 1);
  writer.text(property.exchange, 'new');
  const leftOut = new Set<number>([property.expiration, property.expiresAt]);
  writer.copy(original, 0, original.length, (id) => leftOut.has(id));
  const { properties, headers } = read(writer.finish());
  assert.equal(writer.priority, 3);
  assert.equal(writer.expiresAtMs, undefined);
  assert.deepEqual(properties, {
    exchange: 'new',
    priority: '3',
    types: 'first=int32 n=int64 pabal.header.pabal.x=boolean',
  });
  assert.deepEqual(headers, [
    { name: 'first', value: { type: 'int32', value: 1 } },
    { name: 'n', value: { type: 'int64', value: 2 ** 40 } },
    { name: 'pabal.x', value: { type: 'boolean', value: true } },
  ]);
});

test('what nests too deep is refused', () => {
  let value: FieldValue = 1;
  for (let depth = 0; depth <= limits.fieldDepthMax; depth++) value = [value];
  assert.throws(() => encode((writer) => writer.header('deep', value)), ProtocolError);
});

test('headers that are cut, anywhere, throw a ProtocolError or end between two', () => {
  const bytes = encode((writer) => {
    writer.text(property.contentType, 'a/b');
    writer.header('x'.repeat(100), 'y'.repeat(200));
    writer.header('n', 5);
  });
  const ends = new Set<number>();
  const whole = new HeaderReader().begin(bytes, 0, bytes.length);
  while (whole.next()) ends.add(whole.headerEnd);
  for (let end = 1; end < bytes.length; end++) {
    const walk = (): void => void read(bytes.subarray(0, end));
    if (ends.has(end)) walk();
    else assert.throws(walk, ProtocolError, `cut at ${end}`);
  }
});

test('any bytes at all are headers, or a ProtocolError', () => {
  const lengths = fc.constantFrom(0, 1, 2, 3, 0x7f, 0x80, 0xff, 0x70);
  const bytes = fc.array(fc.oneof(lengths, fc.nat({ max: 255 })), { maxLength: 40 });
  fc.assert(
    fc.property(bytes, (content) => {
      try {
        read(Buffer.from(content));
      } catch (error) {
        assert.ok(error instanceof ProtocolError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

test('one reader serves many messages, at any place in their memory', () => {
  const reader = new HeaderReader();
  const first = encode((writer) => writer.header('n', 1));
  const second = encode((writer) => writer.header('n', 'text'));
  const memory = new Uint8Array(Buffer.concat([Buffer.alloc(7), first, second]));
  const types: TypedValue['type'][] = [];
  for (let round = 0; round < 2; round++) {
    reader.begin(memory, 7, 7 + first.length);
    while (reader.next()) if (reader.property < 0) types.push(reader.typed.type);
    reader.begin(memory, 7 + first.length, memory.length);
    while (reader.next()) if (reader.property < 0) types.push(reader.typed.type);
  }
  assert.deepEqual(types, ['int32', 'text', 'int32', 'text']);
});
