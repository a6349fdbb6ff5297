import assert from 'node:assert/strict';
import test from 'node:test';
import { ByteWriter } from '../../src/bytes/index.ts';
import { RunList } from '../../src/shard/run-list.ts';

function createList(): RunList {
  const list = new RunList();
  list.add(0, 1000, 500, 10);
  list.add(7, 100_000, 500, 5);
  list.add(9, 200_000, 500, 30);
  return list;
}

test('finds the run that holds an offset or a time', () => {
  const list = createList();
  assert.deepEqual(
    [0, 6, 7, 8, 9, 100].map((offset) => list.find(offset)),
    [0, 0, 1, 1, 2, 2],
  );
  assert.deepEqual(
    [0, 10, 11, 30, 31].map((time) => list.findByTime(time)),
    [0, 0, 2, 2, -1],
  );
  assert.equal(list.findByTime(0, 1), 1);
});

test('near stretches become one run, until it is long', () => {
  const list = new RunList();
  list.add(0, 0, 1000, 1);
  list.add(1, 1500, 1000, 9);
  assert.equal(list.count, 1);
  assert.equal(list.bytes(0), 2500);
  assert.equal(list.maxTimestampMs(0), 9);
  list.add(2, 2500, 40_000, 3);
  assert.equal(list.count, 2);
  assert.equal(list.firstOffset(1), 2);
});

test('a stored list is read again, and a flipped bit anywhere is noticed', () => {
  const list = createList();
  const writer = new ByteWriter(256);
  list.encodeTo(writer);
  const bytes = writer.take();
  assert.equal(bytes.length, RunList.encodedBytes(3));
  const again = RunList.decode(bytes, 3);
  assert.equal(again?.position(2), 200_000);
  assert.equal(again?.maxTimestampMs(2), 30);
  for (let at = 0; at < bytes.length; at++) {
    const flipped = Uint8Array.from(bytes);
    flipped[at] = (flipped[at] ?? 0) ^ 1;
    assert.equal(RunList.decode(flipped, 3), undefined, `byte ${at}`);
  }
  assert.equal(RunList.decode(bytes.subarray(1), 3), undefined);
});
