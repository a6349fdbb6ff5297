import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from '../support/fast-check.ts';
import { ByteWriter, type RecordHeader, RecordBatchBuilder } from '../../src/bytes/index.ts';

const bytes = fc.uint8Array({ maxLength: 300 });
const record = fc.record({
  key: fc.option(bytes),
  body: fc.option(fc.array(bytes, { maxLength: 4 })),
  headers: fc.array(fc.tuple(fc.string({ maxLength: 80 }), fc.option(bytes)), { maxLength: 4 }),
  timestampMs: fc.oneof(
    fc.integer({ min: 0, max: 2 ** 40 }),
    fc.integer({ min: 1_767_225_600_000, max: 1_767_225_601_000 }),
  ),
});

function encodeHeaders(headers: readonly RecordHeader[]): Uint8Array {
  const writer = new ByteWriter();
  for (const [name, value] of headers) {
    writer.varint(Buffer.byteLength(name));
    writer.utf8(name);
    if (value === null) writer.varint(-1);
    else {
      writer.varint(value.length);
      writer.bytes(value);
    }
  }
  return writer.take();
}

test('records that are added in pieces make the batch that whole ones make', () => {
  const pieces = new RecordBatchBuilder();
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 20 }), (records) => {
      const whole = new RecordBatchBuilder();
      pieces.clear();
      for (const { key, body, headers, timestampMs } of records) {
        const value = body === null ? null : Buffer.concat(body);
        whole.add({ key, value, headers, timestampMs });
        const before = pieces.bytes;
        const added = pieces.addEncoded(
          key,
          body ?? [],
          value?.length ?? -1,
          encodeHeaders(headers),
          headers.length,
          timestampMs,
        );
        assert.equal(pieces.bytes, before + added);
      }
      const expected = whole.build();
      assert.ok(pieces.finish().equals(expected));
    }),
    { numRuns: 200 },
  );
});
