import assert from 'node:assert/strict';
import test from 'node:test';
import { gzipSync } from 'node:zlib';
import * as fc from '../support/fast-check.ts';
import { compressFrameSync } from 'lz4-napi';
import { compressSync } from 'snappy';
import { ProtocolError } from '../../src/base/index.ts';
import { codecId, codecs, compress, decompress, findCodec } from '../../src/bytes/index.ts';
import {
  letters,
  lz4LinkedBlocks,
  lz4WithChecksums,
  zstdWithoutSize,
  zstdWithSize,
} from './captured.ts';

const sample = Buffer.from(letters.repeat(3000));
const mebibyte = 1024 * 1024;

test('the numbers of the codecs are those of the batch attributes', () => {
  assert.deepEqual(codecs.map(codecId), [0, 1, 2, 3, 4]);
  assert.equal(findCodec(4), 'zstd');
  assert.equal(findCodec(5), undefined);
});

for (const codec of codecs) {
  test(`${codec}: what is compressed is decompressed again`, () => {
    const input = fc.oneof(
      fc.uint8Array({ maxLength: 2000 }),
      fc.tuple(fc.uint8Array({ maxLength: 50 }), fc.integer({ min: 1, max: 3000 })).map(
        // Repetition, across the blocks of every format.
        ([piece, times]) =>
          Uint8Array.from(Buffer.concat(Array.from({ length: times }, () => piece))),
      ),
    );
    fc.assert(
      fc.property(input, (bytes) => {
        const compressed = compress(codec, bytes);
        assert.ok(decompress(codec, compressed, bytes.length).equals(bytes));
      }),
      { seed: 5, numRuns: 40 },
    );
  });

  test(`${codec}: the bound is kept to the byte`, () => {
    const compressed = compress(codec, sample);
    assert.equal(decompress(codec, compressed, sample.length).length, sample.length);
    for (const bytesMax of [sample.length - 1, 100, 0]) {
      assert.throws(() => decompress(codec, compressed, bytesMax), ProtocolError);
    }
  });

  if (codec !== 'none') {
    test(`${codec}: input that is cut at any byte is refused`, () => {
      // snappy's stream has no end mark: cut between two chunks it is whole, so there is one chunk only.
      const compressed = compress(codec, sample.subarray(0, 30_000));
      const whole = codec === 'snappy' ? [16] : [];
      for (let length = 0; length < compressed.length; length++) {
        if (whole.includes(length)) continue;
        const cut = compressed.subarray(0, length);
        assert.throws(() => decompress(codec, cut, mebibyte), ProtocolError, `at ${length}`);
      }
    });

    test(`${codec}: garbage is refused or stays within the bound`, () => {
      const compressed = compress(codec, sample.subarray(0, 5000));
      fc.assert(
        fc.property(
          fc.nat(compressed.length - 1),
          fc.uint8Array({ minLength: 1, maxLength: 12 }),
          (at, noise) => {
            const damaged = Buffer.from(compressed);
            damaged.set(noise.subarray(0, damaged.length - at), at);
            for (const bytes of [damaged, noise]) {
              try {
                assert.ok(decompress(codec, bytes, 10_000).length <= 10_000);
              } catch (error) {
                assert.ok(error instanceof ProtocolError, String(error));
              }
            }
          },
        ),
        { seed: 6, numRuns: 300 },
      );
    });
  }
}

test('a few bytes that announce gigabytes are refused before memory is taken', () => {
  const zeros = Buffer.alloc(32 * mebibyte);
  // A zstd frame of 2000 blocks, each of one byte repeated 128 Ki times, with no content size.
  const zstdBlocks = Buffer.concat([
    Buffer.from('28b52ffd0058', 'hex'),
    ...Array.from({ length: 1999 }, () => Buffer.from('02001000', 'hex')),
    Buffer.from('03001000', 'hex'),
  ]);
  const bombs: Record<string, [(typeof codecs)[number], Uint8Array]> = {
    'gzip of zeros': ['gzip', gzipSync(zeros)],
    'a snappy block of 4 GiB': ['snappy', Buffer.from('ffffffff0f00', 'hex')],
    'lz4 of zeros': ['lz4', compressFrameSync(zeros)],
    'a zstd frame that states 4 GiB': ['zstd', Buffer.from('28b52ffda0ffffffff010000', 'hex')],
    'a zstd frame of repeated bytes': ['zstd', zstdBlocks],
  };
  for (const [name, [codec, bytes]] of Object.entries(bombs)) {
    const before = process.memoryUsage();
    assert.throws(() => decompress(codec, bytes, mebibyte), ProtocolError, name);
    const after = process.memoryUsage();
    assert.ok(after.arrayBuffers - before.arrayBuffers < 8 * mebibyte, name);
  }
});

test('snappy is read as a raw block, as a stream and as streams in a row', () => {
  const chunks = compress('snappy', sample);
  assert.equal(chunks.subarray(0, 16).toString('hex'), '82534e41505059000000000100000001');
  const raw = compressSync(sample, { copyOutputData: true });
  assert.ok(decompress('snappy', raw, mebibyte).equals(sample));
  const twice = decompress('snappy', Buffer.concat([chunks, chunks]), mebibyte);
  assert.ok(twice.equals(Buffer.concat([sample, sample])));
  assert.equal(decompress('snappy', chunks.subarray(0, 16), 10).length, 0);
});

test('snappy chunks with negative or huge lengths are refused', () => {
  const header = compress('snappy', sample).subarray(0, 16);
  for (const length of ['ffffffff', '7fffffff', '80000000', '00000001']) {
    const bytes = Buffer.concat([header, Buffer.from(length, 'hex')]);
    assert.throws(() => decompress('snappy', bytes, mebibyte), ProtocolError);
  }
});

test('frames of the lz4 and zstd commands are read', () => {
  const short = letters.repeat(40);
  const long = letters.repeat(6000).slice(0, 150_000);
  const frames: [(typeof codecs)[number], string, string][] = [
    ['lz4', lz4WithChecksums, short],
    ['lz4', lz4LinkedBlocks, long],
    ['zstd', zstdWithSize, short],
    ['zstd', zstdWithoutSize, long],
  ];
  for (const [codec, base64, text] of frames) {
    const frame = Buffer.from(base64, 'base64');
    assert.equal(decompress(codec, frame, text.length).toString(), text);
    assert.throws(() => decompress(codec, frame, text.length - 1), ProtocolError);
  }
});

test('zstd frames in a row and skippable frames are read', () => {
  const frame = Buffer.from(zstdWithSize, 'base64');
  const skippable = Buffer.from('502a4d1803000000616263', 'hex');
  const all = decompress('zstd', Buffer.concat([frame, skippable, frame]), mebibyte);
  assert.equal(all.toString(), letters.repeat(80));
});

test('what follows an lz4 frame is refused', () => {
  const frame = compress('lz4', sample);
  assert.throws(() => decompress('lz4', Buffer.concat([frame, frame]), mebibyte), ProtocolError);
});
