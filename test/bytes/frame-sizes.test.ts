import assert from 'node:assert/strict';
import test from 'node:test';
import { compressFrameSync } from 'lz4-napi';
import { ProtocolError } from '../../src/base/index.ts';
import { measureLz4Frame } from '../../src/bytes/lz4-frame.ts';
import { measureZstdFrame } from '../../src/bytes/zstd-frame.ts';
import { lz4LinkedBlocks, lz4WithChecksums, zstdWithoutSize, zstdWithSize } from './captured.ts';

const letterBytes = 27;

test('the size of an lz4 frame is exact above the limit and an upper bound below it', () => {
  const noise = Buffer.from(Array.from({ length: 200_000 }, (_, index) => (index * index) >> 3));
  const frames: [Uint8Array, number][] = [
    [Buffer.from(lz4WithChecksums, 'base64'), 40 * letterBytes],
    [Buffer.from(lz4LinkedBlocks, 'base64'), 150_000],
    [compressFrameSync(Buffer.alloc(3_000_000)), 3_000_000],
    [compressFrameSync(noise), noise.length],
    [compressFrameSync(Buffer.alloc(0)), 0],
  ];
  for (const [frame, bytes] of frames) {
    const bound = measureLz4Frame(frame, Number.MAX_SAFE_INTEGER);
    assert.ok(bound >= bytes, `${bound} is below ${bytes}`);
    if (bytes > 0) assert.equal(measureLz4Frame(frame, bytes - 1), bytes);
  }
});

test('lz4 frames of unknown versions and block sizes are refused', () => {
  const frame = Buffer.from(lz4WithChecksums, 'base64');
  const changes: [at: number, value: number][] = [
    [0, 5],
    [4, 0x80],
    [5, 0x30],
  ];
  for (const [at, value] of changes) {
    const damaged = Buffer.from(frame);
    damaged[at] = value;
    assert.throws(() => measureLz4Frame(damaged, 1000), ProtocolError);
  }
});

test('the size of a zstd frame is exact where it is stated, else a bound by its blocks', () => {
  const stated = Buffer.from(zstdWithSize, 'base64');
  assert.deepEqual(measureZstdFrame(stated, 0), {
    end: stated.length,
    isSkippable: false,
    bytesMin: 40 * letterBytes,
    bytesMax: 40 * letterBytes,
  });
  const open = Buffer.from(zstdWithoutSize, 'base64');
  const size = measureZstdFrame(open, 0);
  assert.equal(size.end, open.length);
  assert.ok(size.bytesMin <= 150_000 && size.bytesMax >= 150_000);
  // Two blocks of at most 128 KiB.
  assert.equal(size.bytesMax, 2 * 128 * 1024);
});

test('content sizes of every width are read', () => {
  // Frames of one last block that repeats one byte: descriptor, window unless it is a single segment, size, block.
  const frames: [hex: string, bytes: number][] = [
    ['28b52ffd20 05 2b0000 61', 5],
    ['28b52ffd40 58 0000 030800 61', 256],
    ['28b52ffd60 0100 0b0800 61', 257],
    ['28b52ffd80 58 10270000 833801 61', 10_000],
    ['28b52ffdc0 58 1027000000000000 833801 61', 10_000],
    ['28b52ffd00 58 833801 61', 10_000],
  ];
  for (const [hex, bytes] of frames) {
    const frame = Buffer.from(hex.replaceAll(' ', ''), 'hex');
    const size = measureZstdFrame(frame, 0);
    assert.deepEqual([size.bytesMin, size.bytesMax, size.end], [bytes, bytes, frame.length], hex);
  }
});

test('a zstd frame that states what its blocks cannot hold is refused', () => {
  for (const hex of ['28b52ffd20062b000061', '28b52ffd20042b000061', '28b52ffd20052f000061']) {
    assert.throws(() => measureZstdFrame(Buffer.from(hex, 'hex'), 0), ProtocolError, hex);
  }
});
