import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from '../support/fast-check.ts';
import { ProtocolError } from '../../src/base/index.ts';
import { ByteReader, ByteWriter, varintBytes, varlongBytes } from '../../src/bytes/index.ts';

interface Primitive {
  value: fc.Arbitrary<unknown>;
  write(writer: ByteWriter, value: unknown): void;
  read(reader: ByteReader): unknown;
}

function primitive<T>(
  value: fc.Arbitrary<T>,
  write: (writer: ByteWriter, value: T) => void,
  read: (reader: ByteReader) => T,
): Primitive {
  return { value, write, read };
}

const safeInteger = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer({ min: -70_000, max: 70_000 }),
  fc.constantFrom(
    Number.MAX_SAFE_INTEGER,
    Number.MIN_SAFE_INTEGER,
    2 ** 30,
    2 ** 30 - 1,
    -(2 ** 30),
    -(2 ** 30) - 1,
    2 ** 32,
    -(2 ** 32),
    2 ** 31,
    0,
    -1,
  ),
);

const primitives: Record<string, Primitive> = {
  int8: primitive(
    fc.integer({ min: -128, max: 127 }),
    (writer, value) => writer.int8(value),
    (reader) => reader.int8(),
  ),
  uint8: primitive(
    fc.integer({ min: 0, max: 255 }),
    (writer, value) => writer.uint8(value),
    (reader) => reader.uint8(),
  ),
  int16: primitive(
    fc.integer({ min: -32_768, max: 32_767 }),
    (writer, value) => writer.int16(value),
    (reader) => reader.int16(),
  ),
  uint16: primitive(
    fc.integer({ min: 0, max: 65_535 }),
    (writer, value) => writer.uint16(value),
    (reader) => reader.uint16(),
  ),
  int32: primitive(
    fc.integer(),
    (writer, value) => writer.int32(value),
    (reader) => reader.int32(),
  ),
  uint32: primitive(
    fc.integer({ min: 0, max: 0xffffffff }),
    (writer, value) => writer.uint32(value),
    (reader) => reader.uint32(),
  ),
  int64: primitive(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    (writer, value) => writer.int64(value),
    (reader) => reader.int64(),
  ),
  safeInt64: primitive(
    safeInteger,
    (writer, value) => writer.safeInt64(value),
    (reader) => reader.safeInt64(),
  ),
  float64: primitive(
    fc.double({ noNaN: true }),
    (writer, value) => writer.float64(value),
    (reader) => reader.float64(),
  ),
  unsignedVarint: primitive(
    fc.oneof(fc.integer({ min: 0, max: 0xffffffff }), fc.constantFrom(0, 127, 128, 0xffffffff)),
    (writer, value) => writer.unsignedVarint(value),
    (reader) => reader.unsignedVarint(),
  ),
  varint: primitive(
    fc.oneof(fc.integer(), fc.integer({ min: -200, max: 200 })),
    (writer, value) => writer.varint(value),
    (reader) => reader.varint(),
  ),
  varlong: primitive(
    safeInteger,
    (writer, value) => writer.varlong(value),
    (reader) => reader.varlong(),
  ),
  text: primitive(
    fc.string({ unit: 'binary' }),
    (writer, value) => {
      writer.unsignedVarint(Buffer.byteLength(value));
      assert.equal(writer.utf8(value), Buffer.byteLength(value));
    },
    (reader) => reader.utf8(reader.unsignedVarint()),
  ),
  bytes: primitive(
    fc.uint8Array().map((value): Buffer => Buffer.from(value)),
    (writer, value) => {
      writer.int32(value.length);
      writer.bytes(value);
    },
    (reader) => reader.bytes(reader.int32()),
  ),
};

const written = fc.array(
  fc
    .constantFrom(...Object.keys(primitives))
    .chain((name) => primitives[name]!.value.map((value) => ({ name, value }))),
);

test('what is written is read again, and no shorter input is accepted', () => {
  const writer = new ByteWriter(16);
  fc.assert(
    fc.property(written, (values) => {
      writer.reset();
      for (const { name, value } of values) primitives[name]!.write(writer, value);
      const bytes = writer.finish();
      assert.equal(bytes.length, writer.position);
      const reader = new ByteReader(
        Buffer.concat([Buffer.alloc(2), bytes, Buffer.alloc(1)]),
        2,
        2 + bytes.length,
      );
      for (const { name, value } of values) assert.deepEqual(primitives[name]!.read(reader), value);
      assert.equal(reader.remaining, 0);
      assert.throws(() => reader.uint8(), ProtocolError);
      for (let limit = 0; limit < bytes.length; limit++) {
        const cut = new ByteReader(bytes, 0, limit);
        assert.throws(() => {
          for (const { name } of values) primitives[name]!.read(cut);
        }, ProtocolError);
      }
    }),
    { seed: 2, numRuns: 60 },
  );
});

test('garbage either reads as a value or is a ProtocolError, never beyond the limit', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 40 }),
      fc.array(fc.constantFrom(...Object.keys(primitives)), { maxLength: 6 }),
      (bytes, names) => {
        const reader = new ByteReader(bytes);
        try {
          for (const name of names) primitives[name]!.read(reader);
        } catch (error) {
          assert.ok(error instanceof ProtocolError, String(error));
        }
        assert.ok(reader.position <= bytes.length);
      },
    ),
    { seed: 3, numRuns: 1000 },
  );
});

test('integers have the layouts of their specifications', () => {
  const layouts: [(writer: ByteWriter) => void, string][] = [
    [(writer) => writer.int16(-2), 'fffe'],
    [(writer) => writer.int32(0x01020304), '01020304'],
    [(writer) => writer.safeInt64(-2), 'fffffffffffffffe'],
    [(writer) => writer.safeInt64(2 ** 53 - 1), '001fffffffffffff'],
    [(writer) => writer.int64(-(2n ** 63n)), '8000000000000000'],
    [(writer) => writer.float64(1), '3ff0000000000000'],
    [(writer) => writer.unsignedVarint(300), 'ac02'],
    [(writer) => writer.unsignedVarint(0xffffffff), 'ffffffff0f'],
    [(writer) => writer.varint(-1), '01'],
    [(writer) => writer.varint(1), '02'],
    [(writer) => writer.varint(-(2 ** 31)), 'ffffffff0f'],
    [(writer) => writer.varlong(2 ** 31), '8080808010'],
    [(writer) => writer.varlong(-(2 ** 31) - 1), '8180808010'],
    [(writer) => writer.varlong(2 ** 53 - 1), 'feffffffffffff1f'],
    [(writer) => writer.zeros(3), '000000'],
    [(writer) => writer.utf8('파'), 'ed8c8c'],
  ];
  for (const [write, hex] of layouts) {
    const writer = new ByteWriter();
    write(writer);
    assert.equal(writer.finish().toString('hex'), hex);
  }
});

test('varints that are too long or too large are refused', () => {
  const read: [string, (reader: ByteReader) => unknown][] = [
    ['ffffffff10', (reader) => reader.unsignedVarint()],
    ['808080808000', (reader) => reader.unsignedVarint()],
    ['ffffffffffffffffff02', (reader) => reader.varlong()],
    ['80808080808080808080', (reader) => reader.varlong()],
    // 2^53, and the smallest 64-bit integer.
    ['8080808080808020', (reader) => reader.varlong()],
    ['ffffffffffffffffff01', (reader) => reader.varlong()],
    ['0020000000000000', (reader) => reader.safeInt64()],
    ['ffe0000000000000', (reader) => reader.safeInt64()],
    ['7fffffffffffffff', (reader) => reader.safeInt64()],
  ];
  for (const [hex, take] of read) {
    assert.throws(() => take(new ByteReader(Buffer.from(hex, 'hex'))), ProtocolError, hex);
  }
});

test('lengths that are negative, huge or no numbers are refused', () => {
  for (const length of [-1, 5, 2 ** 31, Number.NaN, Number.POSITIVE_INFINITY]) {
    const reader = new ByteReader(new Uint8Array(4));
    assert.throws(() => reader.bytes(length), ProtocolError);
    assert.throws(() => reader.utf8(length), ProtocolError);
    assert.throws(() => reader.skip(length), ProtocolError);
    assert.equal(reader.position, 0);
  }
  assert.throws(() => new ByteReader(new Uint8Array(4), 0, 5), ProtocolError);
  assert.throws(() => new ByteReader(new Uint8Array(4), 3, 2), ProtocolError);
});

test('a slice of a reader is the same memory', () => {
  const bytes = Uint8Array.from([1, 2, 3, 4]);
  const slice = new ByteReader(bytes, 1).bytes(2);
  bytes[1] = 9;
  assert.deepEqual([...slice], [9, 3]);
});

test('the size of a varint is known before it is written', () => {
  fc.assert(
    fc.property(fc.integer(), safeInteger, (small, large) => {
      const writer = new ByteWriter();
      writer.varint(small);
      assert.equal(writer.position, varintBytes(small));
      writer.reset();
      writer.varlong(large);
      assert.equal(writer.position, varlongBytes(large));
    }),
    { seed: 4, numRuns: 1000 },
  );
});

test('a writer patches, starts again, gives memory away and gives it back', () => {
  const writer = new ByteWriter(16);
  writer.zeros(4);
  writer.bytes(Buffer.alloc(100, 7));
  writer.patchInt32(0, 100);
  const taken = writer.take();
  assert.equal(taken.readInt32BE(0), 100);
  writer.bytes(Buffer.alloc(100, 8));
  assert.equal(taken[50], 7);
  writer.reset();
  assert.ok(writer.capacity >= 100);
  writer.reset(50);
  assert.equal(writer.capacity, 16);
  assert.equal(writer.finish().length, 0);
});
