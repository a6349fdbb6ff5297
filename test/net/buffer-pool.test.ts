import assert from 'node:assert/strict';
import test from 'node:test';
import { BufferPool } from '../../src/net/index.ts';

const kib = 1024;

test('a buffer that was given back is given out again', () => {
  const pool = new BufferPool();
  const buffer = pool.take(100 * kib);
  assert.ok(buffer.length >= 100 * kib);
  pool.give(buffer);
  assert.equal(pool.bytes, buffer.length);
  assert.notEqual(pool.take(200 * kib), buffer);
  assert.equal(pool.take(70 * kib), buffer);
  assert.equal(pool.bytes, 0);
});

test('small, huge and foreign buffers are not kept', () => {
  const pool = new BufferPool();
  for (const buffer of [
    pool.take(10 * kib),
    pool.take(20 * 1024 * kib),
    Buffer.alloc(100 * kib),
    pool.take(128 * kib).subarray(1),
    Buffer.from('a slice of a shared buffer'),
  ]) {
    pool.give(buffer);
  }
  assert.equal(pool.bytes, 0);
});

test('no more is kept than the limit', () => {
  const pool = new BufferPool(256 * kib);
  const buffers = [1, 2, 3, 4].map(() => pool.take(128 * kib));
  for (const buffer of buffers) pool.give(buffer);
  assert.equal(pool.bytes, 256 * kib);
});
