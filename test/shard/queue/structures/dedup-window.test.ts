import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ByteReader, ByteWriter } from '../../../../src/bytes/index.ts';
import { DedupWindow } from '../../../../src/shard/queue/structures/index.ts';
import { SeededRandom } from '../../../../src/testing/index.ts';

/** Ids of several lengths, in bytes and in characters; the first is empty. */
function text(number: number): string {
  return number === 0 ? '' : `${number}${'é€😀x'.repeat(number % 7)}`;
}

function copy(window: DedupWindow, seed: number): DedupWindow {
  const writer = new ByteWriter();
  window.encodeTo(writer);
  const reader = new ByteReader(writer.finish());
  const decoded = DedupWindow.decode(reader, seed);
  assert.equal(reader.remaining, 0);
  return decoded;
}

describe('a window of deduplication ids', () => {
  for (let seed = 1; seed <= 10; seed++) {
    test(`does what a map does: seed ${seed}`, () => {
      const random = new SeededRandom(seed);
      const ids = random.pick([10, 500, 20_000]);
      const windowMs = random.pick([20, 2000]);
      let window = new DedupWindow(seed);
      const model = new Map<string, number>();
      const offsets = new Map<string, number>();
      let nowMs = 1_750_000_000_000;
      for (let step = 0; step < 400; step++) {
        for (let count = random.nextInt(200); count > 0; count--) {
          const id = text(random.nextInt(ids));
          const dice = random.nextInt(10);
          if (dice === 0) {
            assert.equal(window.forget(id), model.delete(id));
          } else if (dice < 3) {
            assert.equal(window.has(id), model.has(id));
          } else {
            const offset = step * 1000 + count;
            assert.equal(window.seen(id, nowMs, offset), model.has(id));
            if (model.has(id)) continue;
            model.set(id, nowMs);
            offsets.set(id, offset);
          }
        }
        nowMs += random.nextInt(30);
        if (random.chance(0.3)) {
          window.expire(nowMs - windowMs);
          for (const [id, atMs] of model) if (atMs < nowMs - windowMs) model.delete(id);
        }
        if (random.chance(0.02)) window = copy(window, seed + 1);
        assert.equal(window.count, model.size);
      }
      for (const id of model.keys()) assert.equal(window.offsetOf(id), offsets.get(id));
      window.expire(nowMs + 1);
      assert.equal(window.count, 0);
      assert.ok(window.memoryBytes <= 160, `${window.memoryBytes} bytes`);
    });
  }

  test('forgets the oldest when there are too many', () => {
    const window = new DedupWindow(0, { idsMax: 100, bytesMax: 1_000_000 });
    for (let id = 0; id < 250; id++) assert.equal(window.seen(String(id), id), false);
    assert.equal(window.count, 100);
    for (let id = 0; id < 250; id++) assert.equal(window.has(String(id)), id >= 150);
  });

  test('forgets the oldest when they are too long', () => {
    const window = new DedupWindow(0, { idsMax: 1000, bytesMax: 1000 });
    for (let id = 0; id < 50; id++) window.note(String(id).padStart(100, '.'), id, id);
    assert.equal(window.count, 10);
    assert.equal(window.seen('x'.repeat(1001), 50), false);
    assert.equal(window.has('x'.repeat(1001)), false);
    assert.equal(window.count, 10);
  });

  test('takes less than 104 bytes for an id of 36 characters', () => {
    const window = new DedupWindow();
    for (let id = 0; id < 131_072; id++) window.note(String(id).padStart(36, 'x'), id, id);
    assert.ok(window.memoryBytes < 131_072 * 104, `${window.memoryBytes / 131_072} bytes each`);
    window.expire(131_000);
    assert.ok(window.memoryBytes < 4_000_000, `${window.memoryBytes} bytes`);
    for (let count = 0; count < 5; count++) window.expire(131_001 + count);
    assert.ok(window.memoryBytes < 200_000, `${window.memoryBytes} bytes`);
  });

  test('keeps an id as long as it was seen first', () => {
    const window = new DedupWindow();
    assert.equal(window.seen('a', 10), false);
    assert.equal(window.seen('a', 20), true);
    window.expire(15);
    assert.equal(window.seen('a', 25), false);
  });

  test('counts from the last message that was stored with an id', () => {
    const window = new DedupWindow();
    window.note('a', 10, 7);
    window.note('a', 30, 8);
    window.note('a', 20, 9);
    assert.equal(window.offsetOf('a'), 8);
    assert.equal(window.offsetOf('b'), undefined);
    assert.equal(window.count, 1);
    window.expire(25);
    assert.equal(window.has('a'), true);
    window.expire(31);
    assert.equal(window.has('a'), false);
    assert.equal(window.count, 0);
  });

  test('takes next to nothing when it is empty', () => {
    const window = new DedupWindow();
    assert.equal(window.has('a'), false);
    assert.equal(window.forget('a'), false);
    assert.ok(window.memoryBytes <= 160);
    const writer = new ByteWriter();
    window.encodeTo(writer);
    assert.equal(writer.position, 1);
  });
});
