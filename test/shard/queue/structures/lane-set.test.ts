import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ByteReader, ByteWriter } from '../../../../src/bytes/index.ts';
import { LaneSet } from '../../../../src/shard/queue/structures/index.ts';
import { SeededRandom } from '../../../../src/testing/index.ts';

type Message = readonly [rank: number, offset: number];

function all(set: LaneSet): Message[] {
  const list: Message[] = [];
  set.forEach((rank, first, count) => {
    for (let offset = first; offset < first + count; offset++) list.push([rank, offset]);
  });
  return list;
}

/** `model`: ranks by offset. */
function inOrder(model: ReadonlyMap<number, number>): Message[] {
  return [...model]
    .map(([offset, rank]): Message => [rank, offset])
    .toSorted((a, b) => a[0] - b[0] || a[1] - b[1]);
}

function copy(set: LaneSet): LaneSet {
  const writer = new ByteWriter();
  set.encodeTo(writer);
  const reader = new ByteReader(writer.finish());
  const decoded = LaneSet.decode(reader);
  assert.equal(reader.remaining, 0);
  return decoded;
}

function check(set: LaneSet, model: ReadonlyMap<number, number>): void {
  const expected = inOrder(model);
  assert.equal(set.count, model.size);
  assert.equal(set.first(), model.size > 0);
  if (model.size > 0) assert.deepEqual([set.rank, set.offset], expected[0]);
  assert.deepEqual(all(set), expected);
}

describe('lanes of messages by rank', () => {
  for (let seed = 1; seed <= 12; seed++) {
    test(`do what a sorted list does: seed ${seed}`, () => {
      const random = new SeededRandom(seed);
      const ranks = random.pick([1, 2, 10, 256]);
      const most = random.pick([20, 4000]);
      const gaps = random.pick([1, 3, 1000]);
      let set = new LaneSet();
      const model = new Map<number, number>();
      let next = random.pick([0, 2 ** 41]);
      let isFilling = true;
      for (let step = 0; step < 300; step++) {
        if (model.size >= most) isFilling = false;
        if (model.size === 0) isFilling = true;
        const dice = random.nextInt(100);
        const burst = random.nextInt(most / 4) + 1;
        if (dice < (isFilling ? 60 : 15)) {
          for (let added = 0; added < burst; ) {
            next += random.nextInt(gaps);
            const count = random.nextInt(random.pick([1, 1, 50])) + 1;
            const rank = random.nextInt(ranks);
            for (let offset = next; offset < next + count; offset++) model.set(offset, rank);
            set.add(rank, next, count);
            next += count;
            added += count;
          }
        } else if (dice < 75) {
          for (const [rank, offset] of inOrder(model).slice(0, burst)) {
            assert.equal(set.first(), true);
            assert.deepEqual([set.rank, set.offset], [rank, offset]);
            set.removeFirst();
            model.delete(offset);
          }
        } else if (dice < 85) {
          const known = [...model.keys()];
          for (let count = random.nextInt(40); count > 0; count--) {
            const offset = known[random.nextInt(known.length)] ?? 7;
            assert.equal(set.find(offset), model.get(offset) ?? -1);
            assert.equal(set.remove(offset), model.delete(offset));
            // At another rank, as a message that comes back with another one would.
            if (random.chance(0.5) && set.find(offset) < 0) {
              const rank = random.nextInt(ranks);
              set.add(rank, offset, 1);
              model.set(offset, rank);
            }
          }
        } else if (dice < 93) {
          const known = [...model.keys()];
          const from = (known[random.nextInt(known.length)] ?? 0) - random.nextInt(5);
          const to = random.chance(0.2)
            ? Number.POSITIVE_INFINITY
            : from + random.nextInt(gaps * most);
          const gone = known.filter((offset) => offset >= from && offset < to);
          for (const offset of gone) model.delete(offset);
          assert.equal(set.removeRange(from, to), gone.length);
        } else {
          set = copy(set);
        }
        if (step % 4 === 0) check(set, model);
      }
      check(set, model);
      check(copy(set), model);
    });
  }

  for (const [name, rankOf] of [
    ['alternating', (index: number) => index % 2],
    ['ten in turn', (index: number) => index % 10],
    ['random', (index: number) => (Math.imul(index, 0x9e3779b1) >>> 7) % 10],
  ] as const) {
    test(`take less than 3 bytes a message when priorities are ${name}`, () => {
      const set = new LaneSet();
      for (let index = 0; index < 500_000; index++) set.add(rankOf(index), index, 1);
      assert.ok(set.memoryBytes < 500_000 * 3, `${set.memoryBytes / 500_000} bytes each`);
      let last = -1;
      for (let count = 0; set.first(); count++) {
        assert.equal(rankOf(set.offset), set.rank);
        const key = set.rank * 1e9 + set.offset;
        assert.ok(key > last && count < 500_000);
        last = key;
        set.removeFirst();
      }
      assert.ok(set.memoryBytes < 400);
    });
  }

  test('take next to nothing for a backlog of one rank', () => {
    const set = new LaneSet();
    assert.ok(set.memoryBytes <= 96);
    for (let index = 0; index < 100_000; index++) set.add(3, index, 1);
    assert.ok(set.memoryBytes < 700, `${set.memoryBytes} bytes`);
  });

  test('look no further than they are told to, and at other ranks instead', () => {
    const set = new LaneSet();
    set.add(2, 5, 2);
    set.add(0, 9, 1);
    set.add(1, 7, 2);
    const found: Array<readonly number[]> = [];
    for (const limit of [5, 6, 7, 8, 9, 10]) {
      if (set.first(limit)) found.push([limit, set.rank, set.offset]);
    }
    assert.deepEqual(found, [
      [6, 2, 5],
      [7, 2, 5],
      [8, 1, 7],
      [9, 1, 7],
      [10, 0, 9],
    ]);
    assert.equal(set.first(7), true);
    set.removeFirst();
    assert.equal(set.first(7) && set.offset, 6);
    assert.equal(set.count, 4);
  });

  test('take messages that come late, wherever they belong', () => {
    const set = new LaneSet();
    for (let offset = 39_999; offset >= 0; offset -= 2) set.add(0, offset, 1);
    assert.ok(set.memoryBytes < 20_000 * 4, `${set.memoryBytes} bytes`);
    for (let offset = 1; offset < 40_000; offset += 2) {
      assert.equal(set.first() && set.offset, offset);
      set.removeFirst();
    }
  });
});
