import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ByteReader, ByteWriter } from '../../../../src/bytes/index.ts';
import { ReturnedSet } from '../../../../src/shard/queue/structures/index.ts';
import { SeededRandom } from '../../../../src/testing/index.ts';

interface Returned {
  rank: number;
  offset: number;
  bodyBytes: number;
  deliveries: number;
  failures: number;
}

function found(set: ReturnedSet): Returned {
  const { rank, offset, bodyBytes, deliveries, failures } = set;
  return { rank, offset, bodyBytes, deliveries, failures };
}

function all(set: ReturnedSet): Returned[] {
  const list: Returned[] = [];
  set.forEach((rank, offset, bodyBytes, deliveries, failures) => {
    list.push({ rank, offset, bodyBytes, deliveries, failures });
  });
  return list;
}

function inOrder(model: ReadonlyMap<number, Returned>): Returned[] {
  return [...model.values()].toSorted((a, b) => a.rank - b.rank || a.offset - b.offset);
}

function check(set: ReturnedSet, model: ReadonlyMap<number, Returned>): void {
  const expected = inOrder(model);
  assert.equal(set.count, model.size);
  assert.equal(
    set.bytes,
    expected.reduce((sum, each) => sum + each.bodyBytes, 0),
  );
  assert.equal(set.first(), model.size > 0);
  if (model.size > 0) assert.deepEqual(found(set), expected[0]);
  assert.deepEqual(all(set), expected);
}

function copy(set: ReturnedSet): ReturnedSet {
  const writer = new ByteWriter();
  set.encodeTo(writer);
  const reader = new ByteReader(writer.finish());
  const decoded = ReturnedSet.decode(reader);
  assert.equal(reader.remaining, 0);
  return decoded;
}

describe('a set of returned messages', () => {
  for (let seed = 1; seed <= 12; seed++) {
    test(`does what a sorted list does: seed ${seed}`, () => {
      const random = new SeededRandom(seed);
      const ranks = random.pick([1, 3, 256]);
      const span = random.pick([50, 5000, 2 ** 41]);
      const most = random.pick([10, 3000]);
      const isFresh = random.chance(0.3);
      let set = new ReturnedSet();
      const model = new Map<number, Returned>();
      let isFilling = true;
      let next = 0;
      for (let step = 0; step < 400; step++) {
        if (model.size >= most) isFilling = false;
        if (model.size === 0) isFilling = true;
        const dice = random.nextInt(100);
        const burst = random.nextInt(most / 4) + 1;
        if (dice < (isFilling ? 70 : 25)) {
          const isInOrder = random.chance(0.5);
          if (!isInOrder) next = random.nextInt(2 ** 31) % span;
          for (let count = 0; count < burst; count++) {
            next += isInOrder ? 1 : random.nextInt(2 ** 31) % 7;
            if (model.has(next)) continue;
            const each = {
              rank: random.nextInt(ranks),
              offset: next,
              bodyBytes: random.nextInt(2 ** 31),
              deliveries: isFresh ? 0 : random.nextInt(3),
              failures: isFresh ? 0 : random.nextInt(2),
            };
            model.set(next, each);
            set.add(each.rank, each.offset, each.bodyBytes, each.deliveries, each.failures);
          }
        } else if (dice < 80) {
          const expected = inOrder(model).slice(0, burst);
          for (const each of expected) {
            assert.equal(set.first(), true);
            assert.deepEqual(found(set), each);
            set.removeFirst();
            model.delete(each.offset);
          }
        } else if (dice < 95) {
          const known = [...model.keys()];
          for (let count = 0; count < burst; count++) {
            const offset = random.chance(0.9)
              ? (known[random.nextInt(known.length)] ?? 0)
              : random.nextInt(100);
            const each = model.get(offset);
            assert.equal(set.find(offset), each !== undefined);
            if (each !== undefined) assert.deepEqual(found(set), each);
            assert.equal(set.remove(offset), each !== undefined);
            model.delete(offset);
          }
        } else {
          set = copy(set);
        }
        if (step % 5 === 0) check(set, model);
      }
      check(set, model);
      check(copy(set), model);
    });
  }

  test('takes about 12 bytes for a message that was not delivered and came in order', () => {
    const set = new ReturnedSet();
    assert.ok(set.memoryBytes <= 128);
    for (let offset = 0; offset < 300_000; offset++) set.add(0, offset, 100, 0, 0);
    assert.ok(set.memoryBytes < 300_000 * 13.5, `${set.memoryBytes / 300_000} bytes each`);
    while (set.first()) set.removeFirst();
    assert.ok(set.memoryBytes < 200);
  });

  test('takes less than 36 bytes for a message in random order that was delivered', () => {
    const set = new ReturnedSet();
    const random = new SeededRandom(3);
    for (let count = 0; count < 300_000; count++) {
      const offset = random.nextInt(2 ** 31);
      if (!set.find(offset)) set.add(0, offset, 100, 2, 1);
    }
    assert.ok(set.memoryBytes < set.count * 36, `${set.memoryBytes / set.count} bytes each`);
  });

  test('looks no further than it is told to, and at other ranks instead', () => {
    const set = new ReturnedSet();
    set.add(0, 9, 1, 0, 0);
    set.add(1, 4, 2, 0, 0);
    set.add(1, 12, 3, 0, 0);
    assert.equal(set.first(4), false);
    assert.deepEqual([set.first(9), set.rank, set.offset], [true, 1, 4]);
    assert.deepEqual([set.first(10), set.rank, set.offset], [true, 0, 9]);
    set.removeFirst(1);
    assert.equal(set.first(9), false);
    assert.deepEqual([set.count, set.bytes], [2, 4]);
  });

  test('stops a walk when it is told to', () => {
    const set = new ReturnedSet();
    for (let offset = 0; offset < 10; offset++) set.add(offset % 2, offset, 1, 0, 0);
    const seen: number[] = [];
    set.forEach((_rank, offset) => seen.push(offset) < 3);
    assert.deepEqual(seen, [0, 2, 4]);
  });

  test('takes no message twice', () => {
    const set = new ReturnedSet();
    set.add(0, 5, 1, 0, 0);
    assert.throws(() => set.add(0, 5, 1, 0, 0), { name: 'AssertionError' });
  });
});
