import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  batchAttributes,
  batchCompression,
  batchMaxTimestamp,
  batchProducerId,
  batchTotalBytes,
  checkBatch,
  codecs,
  compress,
  decodeBatch,
  patchBatchCrc,
  RecordBatchBuilder,
} from '../../src/bytes/index.ts';
import { limits } from '../../src/base/index.ts';
import { RecordsInvalid } from '../../src/shard/index.ts';
import { checkKeys, compressBatches } from '../../src/shard/append-form.ts';

function build(compression: (typeof codecs)[number], count = 50): Buffer {
  const builder = new RecordBatchBuilder();
  for (let index = 0; index < count; index++) {
    builder.add({
      key: index % 3 === 0 ? null : Buffer.from(`key ${index}`),
      value: index % 7 === 0 ? null : Buffer.from('value '.repeat(index % 20)),
      headers: [['a', Buffer.from([index])]],
      timestampMs: 1_000_000 + ((index * 7919) % 1000),
    });
  }
  return builder.build({ compression, producerId: 9, producerEpoch: 3, baseSequence: 17 });
}

/** A batch of `codec` whose records are zeros, many of them. */
function bomb(codec: 'gzip' | 'zstd' | 'lz4' | 'snappy'): Buffer {
  const small = build(codec, 2);
  const records = compress(codec, Buffer.alloc(130 * 1024 * 1024));
  const batch = Buffer.concat([small.subarray(0, 61), records]);
  batch.writeInt32BE(batch.length - 12, 8);
  patchBatchCrc(batch, 0);
  return batch;
}

test('batches of any compression become such of any other, with the same records', () => {
  for (const from of codecs) {
    for (const to of codecs) {
      const bytes = Buffer.concat([build(from), build(from, 3)]);
      const converted = compressBatches(bytes, to);
      if (from === to) assert.equal(converted, bytes);
      for (let at = 0, before = 0; at < converted.length; ) {
        assert.equal(checkBatch(converted, at, converted.length), 'ok');
        assert.equal(codecs[batchCompression(batchAttributes(converted, at))], to);
        assert.equal(batchProducerId(converted, at), 9);
        assert.equal(batchMaxTimestamp(converted, at), batchMaxTimestamp(bytes, before));
        assert.deepEqual(decodeBatch(converted, at, 1e6), decodeBatch(bytes, before, 1e6));
        at += batchTotalBytes(converted, at);
        before += batchTotalBytes(bytes, before);
      }
    }
  }
});

test('records without a key are told by their position', () => {
  for (const codec of codecs) {
    assert.throws(() => checkKeys(Buffer.concat([build('none', 5), build(codec, 8)]), 0), {
      code: 'batch-invalid',
      indexes: [0, 3],
    });
  }
  assert.throws(
    () => checkKeys(build('none', 5000), 0),
    (error) => {
      assert.ok(error instanceof RecordsInvalid);
      assert.equal(error.indexes.length, limits.invalidRecordsTold);
      return true;
    },
  );
});

test('what cannot be read is refused', () => {
  const damaged = build('gzip');
  damaged.fill(0xff, 70);
  patchBatchCrc(damaged, 0);
  assert.throws(() => compressBatches(damaged, 'none'), { code: 'batch-invalid' });
  assert.throws(() => checkKeys(damaged, 0), { code: 'batch-invalid' });
});

test('a few bytes that would become more than the bound are refused', () => {
  for (const codec of ['gzip', 'zstd', 'lz4', 'snappy'] as const) {
    const batch = bomb(codec);
    assert.ok(batch.length < 8 * 1024 * 1024);
    assert.throws(() => compressBatches(batch, 'none'), { code: 'batch-invalid' }, codec);
    assert.throws(() => checkKeys(batch, 0), { code: 'batch-invalid' }, codec);
  }
});

test('every record needs a key where that is asked for', () => {
  assert.throws(() => checkKeys(build('none'), 0), { code: 'batch-invalid' });
  const builder = new RecordBatchBuilder();
  builder.add({ key: Buffer.alloc(0), value: null, headers: [], timestampMs: 0 });
  checkKeys(builder.build(), 0);
});
