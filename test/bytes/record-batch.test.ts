import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import test from 'node:test';
import * as fc from '../support/fast-check.ts';
import { ProtocolError } from '../../src/base/index.ts';
import {
  batchAttributes,
  batchBaseOffset,
  batchBaseSequence,
  batchBaseTimestamp,
  batchCompression,
  batchCrc,
  batchHeaderBytes,
  batchLastOffset,
  batchLeaderEpoch,
  batchMagic,
  batchMaxTimestamp,
  batchProducerEpoch,
  batchProducerId,
  batchRecordCount,
  batchTotalBytes,
  checkBatch,
  codecs,
  decodeBatch,
  findCodec,
  forEachRecord,
  isAppendTimeBatch,
  isControlBatch,
  isTransactionalBatch,
  type LogRecord,
  type NewRecord,
  patchBatchAppendTime,
  patchBatchCrc,
  patchBatchOffset,
  RecordBatchBuilder,
  splitBatches,
} from '../../src/bytes/index.ts';
import { javaBatches } from './captured.ts';

const mebibyte = 1024 * 1024;

const field = fc.option(
  fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
  { nil: null },
);
const newRecord: fc.Arbitrary<NewRecord> = fc.record({
  key: field,
  value: field,
  headers: fc.array(fc.tuple(fc.string({ unit: 'binary', maxLength: 5 }), field), { maxLength: 3 }),
  timestampMs: fc.oneof(
    fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }),
    fc.integer({ min: -1, max: 2 ** 50 }),
  ),
});
const newRecords = fc.array(newRecord, { minLength: 1, maxLength: 30 });

function buildBatch(records: readonly NewRecord[], options = {}): Buffer {
  const builder = new RecordBatchBuilder();
  for (const record of records) builder.add(record);
  assert.equal(builder.count, records.length);
  return builder.build(options);
}

function expectRecords(records: readonly NewRecord[], baseOffset: number): LogRecord[] {
  return records.map((record, index) => ({ offset: baseOffset + index, ...record }));
}

function text(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString('hex');
}

/** Records in a form that compares by content. */
function plain(records: readonly LogRecord[]): unknown[] {
  return records.map(({ offset, timestampMs, key, value, headers }) => ({
    offset,
    timestampMs,
    key: text(key),
    value: text(value),
    headers: headers.map(([name, content]) => [name, text(content)]),
  }));
}

const sampleRecords: NewRecord[] = [
  {
    key: Buffer.from('key-1'),
    value: Buffer.from('value one value one value one'),
    headers: [
      ['trace', Buffer.from('abc')],
      ['none', null],
    ],
    timestampMs: 1_700_000_000_123,
  },
  { key: null, value: Buffer.alloc(0), headers: [], timestampMs: 1_700_000_000_100 },
  {
    key: Buffer.from('k'),
    value: null,
    headers: [['ü', Buffer.alloc(0)]],
    timestampMs: 1_700_086_400_000,
  },
];

const sampleOptions = {
  baseOffset: 40,
  leaderEpoch: 5,
  producerId: 4611,
  producerEpoch: 3,
  baseSequence: 7,
  isTransactional: true,
};

for (const codec of codecs) {
  test(`a batch with ${codec} that the Java client wrote is read`, () => {
    const bytes = Buffer.from(javaBatches[codec], 'base64');
    assert.equal(checkBatch(bytes, 0, bytes.length), 'ok');
    assert.deepEqual(
      plain(decodeBatch(bytes, 0, mebibyte)),
      plain(expectRecords(sampleRecords, 40)),
    );
    assert.equal(findCodec(batchCompression(batchAttributes(bytes, 0))), codec);
  });

  test(`records come back from a batch with ${codec}`, () => {
    const producerId = fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER - 1 });
    const baseOffset = fc.integer({ min: 0, max: 2 ** 52 });
    fc.assert(
      fc.property(newRecords, producerId, baseOffset, (records, id, offset) => {
        const bytes = buildBatch(records, {
          compression: codec,
          producerId: id,
          baseOffset: offset,
        });
        assert.equal(checkBatch(bytes, 0, bytes.length), 'ok');
        assert.equal(batchProducerId(bytes, 0), id);
        assert.deepEqual(
          plain(decodeBatch(bytes, 0, mebibyte)),
          plain(expectRecords(records, offset)),
        );
      }),
      { seed: 7, numRuns: 40 },
    );
  });

  test(`no damage to a batch with ${codec} does worse than a ProtocolError`, () => {
    const whole = buildBatch(sampleRecords, { ...sampleOptions, compression: codec });
    for (let length = 0; length < whole.length; length++) {
      assert.throws(() => decodeBatch(whole.subarray(0, length), 0, mebibyte), ProtocolError);
      assert.notEqual(checkBatch(whole, 0, length), 'ok');
    }
    for (let at = 0; at < whole.length; at++) {
      for (const value of [0x00, 0x01, 0x7f, 0x80, 0xff]) {
        const damaged = Buffer.from(whole);
        if (damaged[at] === value) continue;
        damaged[at] = value;
        // The fields before the CRC, but for length and magic, may have any value.
        const isFree = at < 8 || (at >= 12 && at < 16);
        if (!isFree) assert.notEqual(checkBatch(damaged, 0, damaged.length), 'ok');
        try {
          decodeBatch(damaged, 0, 10_000);
        } catch (error) {
          assert.ok(error instanceof ProtocolError, String(error));
        }
      }
    }
  });
}

test('without compression the bytes are those of the Java client', () => {
  const expected = Buffer.from(javaBatches.none, 'base64');
  const bytes = buildBatch(sampleRecords, sampleOptions);
  assert.equal(bytes.toString('hex'), expected.toString('hex'));
});

test('without compression the bytes are those of kafkajs', async () => {
  const require = createRequire(import.meta.url);
  const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0');
  const encodeRecord = require('kafkajs/src/protocol/recordBatch/record/v0');
  const records = Array.from({ length: 200 }, (_, index) => ({
    key: index % 5 ? Buffer.from(`key ${index}`) : null,
    value: Buffer.from('v'.repeat(index)),
    headers: index % 3 ? { trace: Buffer.from(`t${index}`) } : {},
    timestampMs: 1_700_000_000_000 + index * 37,
  }));
  const encoder = await RecordBatch({
    firstTimestamp: records[0]!.timestampMs,
    maxTimestamp: records[199]!.timestampMs,
    partitionLeaderEpoch: 3,
    lastOffsetDelta: 199,
    producerId: 9,
    producerEpoch: 1,
    firstSequence: 12,
    records: records.map((record, offsetDelta) =>
      encodeRecord({
        offsetDelta,
        timestampDelta: record.timestampMs - records[0]!.timestampMs,
        key: record.key,
        value: record.value,
        headers: record.headers,
      }),
    ),
  });
  const theirs: Buffer = encoder.buffer;
  const ours = buildBatch(
    records.map(({ key, value, headers, timestampMs }) => ({
      key,
      value,
      headers: Object.entries(headers),
      timestampMs,
    })),
    { leaderEpoch: 3, producerId: 9, producerEpoch: 1, baseSequence: 12 },
  );
  assert.equal(checkBatch(theirs, 0, theirs.length), 'ok');
  assert.equal(ours.toString('hex'), theirs.toString('hex'));
});

test('the header says what was asked for', () => {
  const bytes = Buffer.concat([
    Buffer.alloc(3),
    buildBatch(sampleRecords, { ...sampleOptions, isControl: true, compression: 'lz4' }),
  ]);
  const at = 3;
  assert.equal(checkBatch(bytes, at, bytes.length), 'ok');
  const attributes = batchAttributes(bytes, at);
  assert.deepEqual(
    {
      baseOffset: batchBaseOffset(bytes, at),
      lastOffset: batchLastOffset(bytes, at),
      totalBytes: batchTotalBytes(bytes, at),
      leaderEpoch: batchLeaderEpoch(bytes, at),
      magic: batchMagic(bytes, at),
      compression: batchCompression(attributes),
      isTransactional: isTransactionalBatch(attributes),
      isControl: isControlBatch(attributes),
      isAppendTime: isAppendTimeBatch(attributes),
      baseTimestamp: batchBaseTimestamp(bytes, at),
      maxTimestamp: batchMaxTimestamp(bytes, at),
      producerId: batchProducerId(bytes, at),
      producerEpoch: batchProducerEpoch(bytes, at),
      baseSequence: batchBaseSequence(bytes, at),
      recordCount: batchRecordCount(bytes, at),
    },
    {
      baseOffset: 40,
      lastOffset: 42,
      totalBytes: bytes.length - 3,
      leaderEpoch: 5,
      magic: 2,
      compression: 3,
      isTransactional: true,
      isControl: true,
      isAppendTime: false,
      baseTimestamp: 1_700_000_000_123,
      maxTimestamp: 1_700_086_400_000,
      producerId: 4611,
      producerEpoch: 3,
      baseSequence: 7,
      recordCount: 3,
    },
  );
});

test('a batch without a producer says so', () => {
  const bytes = buildBatch(sampleRecords);
  assert.equal(batchProducerId(bytes, 0), -1);
  assert.equal(batchProducerEpoch(bytes, 0), -1);
  assert.equal(batchBaseSequence(bytes, 0), -1);
  assert.equal(isTransactionalBatch(batchAttributes(bytes, 0)), false);
});

test('offset and epoch are set without touching the CRC', () => {
  const bytes = buildBatch(sampleRecords);
  const crc = batchCrc(bytes, 0);
  patchBatchOffset(bytes, 0, 2 ** 40 + 5, 9);
  assert.equal(checkBatch(bytes, 0, bytes.length), 'ok');
  assert.equal(batchCrc(bytes, 0), crc);
  assert.equal(batchLeaderEpoch(bytes, 0), 9);
  assert.deepEqual(
    decodeBatch(bytes, 0, mebibyte).map((record) => record.offset),
    [2 ** 40 + 5, 2 ** 40 + 6, 2 ** 40 + 7],
  );
});

test('the time of append replaces the timestamps of all records', () => {
  for (const compression of codecs) {
    const bytes = buildBatch(sampleRecords, { compression });
    patchBatchAppendTime(bytes, 0, 1_800_000_000_000);
    assert.equal(checkBatch(bytes, 0, bytes.length), 'ok');
    assert.equal(isAppendTimeBatch(batchAttributes(bytes, 0)), true);
    const times = decodeBatch(bytes, 0, mebibyte).map((record) => record.timestampMs);
    assert.deepEqual(times, [1_800_000_000_000, 1_800_000_000_000, 1_800_000_000_000]);
  }
});

test('a check names what is wrong', () => {
  const whole = buildBatch(sampleRecords);
  const change = (patch: (bytes: Buffer) => void, hasCrc = true): Buffer => {
    const bytes = Buffer.from(whole);
    patch(bytes);
    if (hasCrc) patchBatchCrc(bytes, 0);
    return bytes;
  };
  const cases: [string, Buffer][] = [
    ['truncated', whole.subarray(0, 11)],
    ['truncated', whole.subarray(0, 60)],
    ['truncated', whole.subarray(0, whole.length - 1)],
    ['length', change((bytes) => bytes.writeInt32BE(-1, 8), false)],
    ['length', change((bytes) => bytes.writeInt32BE(48, 8), false)],
    ['truncated', change((bytes) => bytes.writeInt32BE(0x7fffffff, 8), false)],
    ['magic', change((bytes) => bytes.writeInt8(1, 16))],
    ['crc', change((bytes) => bytes.writeInt8(9, 80), false)],
    // Compaction may leave none.
    ['ok', change((bytes) => bytes.writeInt32BE(0, 57))],
    ['count', change((bytes) => bytes.writeInt32BE(-1, 57))],
    ['count', change((bytes) => bytes.writeInt32BE(-1, 23))],
    ['range', change((bytes) => bytes.writeBigInt64BE(-5n, 0))],
    ['range', change((bytes) => bytes.writeBigInt64BE(2n ** 62n, 27))],
    ['range', change((bytes) => bytes.writeBigInt64BE(2n ** 62n, 35))],
    ['range', change((bytes) => bytes.writeBigInt64BE(-2n, 43))],
  ];
  for (const [expected, bytes] of cases) {
    assert.equal(checkBatch(bytes, 0, bytes.length), expected);
  }
});

test('a header that lies about its records is refused', () => {
  const whole = buildBatch(sampleRecords, sampleOptions);
  const lies: [string, (bytes: Buffer) => void][] = [
    ['one record more', (bytes) => bytes.writeInt32BE(4, 57)],
    ['one record less', (bytes) => bytes.writeInt32BE(2, 57)],
    ['a huge number of records', (bytes) => bytes.writeInt32BE(0x7fffffff, 57)],
    ['a negative number of records', (bytes) => bytes.writeInt32BE(-1, 57)],
    ['offsets beyond the last', (bytes) => bytes.writeInt32BE(1, 23)],
    ['a compression that is not assigned', (bytes) => bytes.writeInt16BE(5, 21)],
    ['a timestamp that overflows', (bytes) => bytes.writeBigInt64BE(2n ** 53n - 1n, 27)],
    ['the bytes of gzip', (bytes) => bytes.writeInt16BE(1, 21)],
  ];
  for (const [name, lie] of lies) {
    const bytes = Buffer.from(whole);
    lie(bytes);
    assert.throws(() => decodeBatch(bytes, 0, mebibyte), ProtocolError, name);
  }
});

test('records that lie about their lengths are refused', () => {
  const header = buildBatch([{ key: null, value: null, headers: [], timestampMs: 0 }]);
  // A record of: length, attributes, timestamp delta, offset delta, key, value, number of headers.
  const good = '0c 00 00 00 01 01 00';
  const bad: [string, string][] = [
    ['a length of -1', '01 00 00 00 01 01 00'],
    ['a length beyond the batch', '0e 00 00 00 01 01 00'],
    ['a length that is too short', '0a 00 00 00 01 01 00'],
    ['a key of -2 bytes', '0c 00 00 00 03 01 00'],
    ['a key beyond the batch', '0c 00 00 00 7e 01 00'],
    ['a negative number of headers', '0c 00 00 00 01 01 01'],
    ['a huge number of headers', '14 00 00 00 01 01 fe ff ff ff 0f'],
    ['a header without a name', '10 00 00 00 01 01 02 01 01'],
    ['a negative offset delta', '0c 00 00 01 01 01 00'],
  ];
  const withRecord = (hex: string): Buffer => {
    const record = Buffer.from(hex.replaceAll(' ', ''), 'hex');
    const bytes = Buffer.concat([header.subarray(0, batchHeaderBytes), record]);
    bytes.writeInt32BE(bytes.length - 12, 8);
    return bytes;
  };
  assert.equal(decodeBatch(withRecord(good), 0, mebibyte).length, 1);
  for (const [name, hex] of bad) {
    assert.throws(() => decodeBatch(withRecord(hex), 0, mebibyte), ProtocolError, name);
  }
});

test('two records with one offset are refused', () => {
  const bytes = buildBatch(sampleRecords.slice(1));
  // Offset delta of the second record: after the first (8 bytes), the length, attributes and a timestamp of 5 bytes.
  const at = bytes.indexOf(Buffer.from('02026b', 'hex'), batchHeaderBytes);
  assert.equal(bytes[at], 2);
  bytes[at] = 0;
  assert.throws(() => decodeBatch(bytes, 0, mebibyte), ProtocolError);
});

test('compressed records are bounded', () => {
  const records = [{ key: null, value: Buffer.alloc(100_000), headers: [], timestampMs: 1 }];
  for (const compression of codecs.slice(1)) {
    const bytes = buildBatch(records, { compression });
    assert.ok(bytes.length < 20_000);
    assert.throws(() => decodeBatch(bytes, 0, 50_000), ProtocolError);
    assert.equal(decodeBatch(bytes, 0, 200_000)[0]?.value?.length, 100_000);
  }
});

test('a batch that lost records to compaction keeps the offsets of the others', () => {
  const bytes = buildBatch(sampleRecords, { baseOffset: 10 });
  bytes.writeInt32BE(20, 23);
  patchBatchCrc(bytes, 0);
  assert.equal(checkBatch(bytes, 0, bytes.length), 'ok');
  assert.equal(batchLastOffset(bytes, 0), 30);
  assert.equal(decodeBatch(bytes, 0, mebibyte)[2]?.offset, 12);
});

test('a visitor stops where it wants', () => {
  const bytes = buildBatch(sampleRecords);
  const seen: number[] = [];
  forEachRecord(bytes, 0, mebibyte, (record) => {
    seen.push(record.offset);
    return record.offset < 1;
  });
  assert.deepEqual(seen, [0, 1]);
});

test('slices of an uncompressed batch are borrowed from it', () => {
  const bytes = buildBatch(sampleRecords);
  const [first] = decodeBatch(bytes, 0, mebibyte);
  bytes.fill(0x21, batchHeaderBytes);
  assert.equal(first?.key?.toString(), '!!!!!');
});

test('contiguous batches are told apart, and a cut one is refused', () => {
  const batches = codecs.map((compression) => buildBatch(sampleRecords, { compression }));
  const bytes = Buffer.concat(batches);
  const positions = splitBatches(bytes);
  assert.equal(positions.length, batches.length);
  positions.forEach((at, index) => {
    assert.ok(bytes.subarray(at, at + batchTotalBytes(bytes, at)).equals(batches[index]!));
  });
  assert.deepEqual(splitBatches(bytes, positions[3]), positions.slice(3));
  assert.deepEqual(splitBatches(bytes, 0, positions[2]), positions.slice(0, 2));
  assert.deepEqual(splitBatches(new Uint8Array(0)), []);
  for (const limit of [1, 11, 12, 60, bytes.length - 1]) {
    assert.throws(() => splitBatches(bytes, 0, limit), ProtocolError);
  }
});

test('a builder starts again after each batch, and its batches keep their bytes', () => {
  const builder = new RecordBatchBuilder(16);
  const batches: Buffer[] = [];
  for (const record of sampleRecords) {
    builder.add(record);
    assert.ok(builder.bytes > batchHeaderBytes);
    batches.push(builder.build());
    assert.equal(builder.count, 0);
    assert.equal(builder.bytes, batchHeaderBytes);
  }
  batches.forEach((bytes, index) => {
    assert.equal(checkBatch(bytes, 0, bytes.length), 'ok');
    assert.deepEqual(
      plain(decodeBatch(bytes, 0, mebibyte)),
      plain(expectRecords([sampleRecords[index]!], 0)),
    );
  });
});
