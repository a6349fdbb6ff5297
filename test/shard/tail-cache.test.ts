import assert from 'node:assert/strict';
import test from 'node:test';
import { TailCache } from '../../src/shard/tail-cache.ts';

const chunk = 512;

/** A cache that is filled chunk by chunk from LSN 0 on. */
function fill(bytesMax: number, chunks: readonly boolean[]): TailCache {
  const cache = new TailCache(bytesMax);
  for (const [index, hasRecords] of chunks.entries())
    cache.allocate(index * chunk, chunk, hasRecords).fill(index);
  return cache;
}

test('slabs in which nothing is to be read are not kept', () => {
  const cache = new TailCache(64 * 1024 * 1024);
  const bytes = 2 * 1024 * 1024;
  // Each chunk fills a slab. Records are in the first two, then nothing but other entries, then records again.
  for (let index = 0; index < 100; index++)
    cache.allocate(index * bytes, bytes, index < 2 || index >= 98);
  assert.equal(cache.bytes, 4 * bytes);
  assert.equal(cache.startLsn, 0);
  assert.ok(cache.find(bytes) !== undefined, 'records before the gap are here');
  assert.equal(cache.find(50 * bytes), undefined);
  assert.ok(cache.find(98 * bytes) !== undefined, 'and those behind it');
  const small = fill(4 * chunk, Array.from<boolean>({ length: 100 }).fill(false));
  assert.equal(small.bytes, 4 * chunk);
});

test('a slab with records anywhere in it stays whole', () => {
  const cache = fill(64 * 1024 * 1024, [false, false, true, false]);
  for (let index = 0; index < 4; index++) {
    const place = cache.find(index * chunk);
    assert.equal(place?.bytes[place.at], index);
    assert.equal(place?.endLsn, 4 * chunk);
  }
  // Chunks that fill the next slabs push out none of it.
  cache.allocate(4 * chunk, 4 * 1024 * 1024, false);
  cache.allocate(4 * chunk + 4 * 1024 * 1024, 4 * 1024 * 1024, true);
  assert.ok(cache.find(2 * chunk) !== undefined);
  assert.equal(cache.find(4 * chunk), undefined);
});
