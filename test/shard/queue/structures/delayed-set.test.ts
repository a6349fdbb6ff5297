import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ByteReader, ByteWriter } from '../../../../src/bytes/index.ts';
import { DelayedSet } from '../../../../src/shard/queue/structures/index.ts';
import { SeededRandom } from '../../../../src/testing/index.ts';

const weekMs = 7 * 24 * 3_600_000;
const baseMs = 1_750_000_000_000;

type Delayed = readonly [
  offset: number,
  dueMs: number,
  bodyBytes: number,
  rank: number,
  deliveries: number,
  failures: number,
];

function copy(set: DelayedSet): DelayedSet {
  const writer = new ByteWriter();
  set.encodeTo(writer);
  const reader = new ByteReader(writer.finish());
  const decoded = DelayedSet.decode(reader);
  assert.equal(reader.remaining, 0);
  return decoded;
}

/** By due time; those of one time in the order in which they were added, which a Map keeps. */
function inOrder(model: ReadonlyMap<number, Delayed>): Delayed[] {
  return [...model.values()].toSorted((a, b) => a[1] - b[1]);
}

function check(set: DelayedSet, model: ReadonlyMap<number, Delayed>): void {
  assert.equal(set.count, model.size);
  let bytes = 0;
  let next = Number.POSITIVE_INFINITY;
  for (const [, dueMs, bodyBytes] of model.values()) {
    bytes += bodyBytes;
    next = Math.min(next, dueMs);
  }
  assert.equal(set.bytes, bytes);
  assert.equal(set.nextDueMs(), next);
  const all = new Map<number, Delayed>();
  set.forEach((...facts) => all.set(facts[0], facts));
  assert.equal(all.size, model.size);
  for (const [offset, facts] of model) assert.deepEqual(all.get(offset), facts);
}

function take(set: DelayedSet, nowMs: number, max: number): Delayed[] {
  const taken: Delayed[] = [];
  const count = set.takeDue(nowMs, max, (...facts) => taken.push(facts));
  assert.equal(count, taken.length);
  return taken;
}

function drawDelayMs(random: SeededRandom, kind: string): number {
  if (kind === 'equal') return 5000;
  if (kind === 'few') return random.pick([0, 1000, 60_000]);
  if (kind === 'near') return random.nextInt(50);
  if (kind === 'wide') return Math.floor(2 ** (random.nextFraction() * 45));
  return random.nextInt(weekMs);
}

describe('a set of delayed messages', () => {
  for (let seed = 1; seed <= 15; seed++) {
    const kind = ['equal', 'few', 'near', 'wide', 'random'][seed % 5]!;
    test(`does what a sorted list does: ${kind} delays, seed ${seed}`, () => {
      const random = new SeededRandom(seed);
      let set = new DelayedSet();
      const model = new Map<number, Delayed>();
      const most = random.pick([20, 6000]);
      let nowMs = baseMs;
      let offset = random.pick([0, 2 ** 41]);
      let isFilling = true;
      for (let step = 0; step < 250; step++) {
        if (model.size >= most) isFilling = false;
        if (model.size === 0) isFilling = true;
        const dice = random.nextInt(100);
        if (dice < (isFilling ? 60 : 15)) {
          for (let count = random.nextInt(most / 4) + 1; count > 0; count--) {
            offset += random.pick([1, 1, 3]);
            const at = random.chance(0.1) ? offset + 1_000_000_000 + step * 10_000 : offset;
            const isAgain = random.chance(0.2);
            const facts: Delayed = [
              at,
              nowMs + drawDelayMs(random, kind),
              random.nextInt(random.pick([100, 2 ** 31])),
              isAgain ? random.nextInt(256) : 0,
              isAgain ? random.nextInt(10) : 0,
              isAgain ? random.nextInt(10) : 0,
            ];
            model.set(at, facts);
            set.add(...facts);
          }
        } else if (dice < 70) {
          const expected = inOrder(model);
          // Up to some message that waits, or a little on.
          const some = expected[random.nextInt(Math.max(1, Math.floor(expected.length / 2)))];
          nowMs = Math.max(nowMs, random.chance(0.5) ? (some?.[1] ?? nowMs) : nowMs + 20);
          const max = random.pick([1, 100, 100_000]);
          const due = expected.filter(([, dueMs]) => dueMs <= nowMs).slice(0, max);
          assert.deepEqual(take(set, nowMs, max), due);
          for (const [gone] of due) model.delete(gone);
        } else if (dice < 85) {
          const known = [...model.values()];
          for (let count = random.nextInt(30); count > 0 && known.length > 0; count--) {
            const [gone, dueMs] = known[random.nextInt(known.length)]!;
            assert.equal(set.remove(gone, dueMs + 1), false);
            assert.equal(set.remove(gone, dueMs), model.delete(gone));
          }
        } else if (dice < 92) {
          const part = random.pick([2, 3, 50]);
          const isIn = random.chance(0.5);
          const keep = (each: number) => (each % part === 0) === isIn;
          let removed = 0;
          for (const each of model.keys()) if (!keep(each) && model.delete(each)) removed++;
          assert.equal(set.retain(keep), removed);
        } else if (dice < 96) {
          set = copy(set);
        } else {
          set.trim();
        }
        if (step % 4 === 0) check(set, model);
      }
      check(set, model);
      const expected = inOrder(model);
      assert.deepEqual(take(copy(set), Number.MAX_SAFE_INTEGER, 1e9), expected);
      assert.deepEqual(take(set, Number.MAX_SAFE_INTEGER, 1e9), expected);
      assert.equal(set.count, 0);
    });
  }

  const large = [
    ['random over a week', (random: SeededRandom) => random.nextInt(weekMs)],
    ['all at once', () => 1000],
    ['rising', (_random: SeededRandom, index: number) => Math.floor(index / 10)],
    ['falling', (_random: SeededRandom, index: number) => 10_000_000 - index * 7],
  ] as const;
  for (const [name, delayMs] of large) {
    test(`takes less than 9 bytes for each of a quarter of a million messages, due times ${name}`, () => {
      const random = new SeededRandom(11);
      const set = new DelayedSet();
      for (let offset = 0; offset < 250_000; offset++)
        set.add(offset, baseMs + delayMs(random, offset), 500, 0, 0, 0);
      assert.ok(set.memoryBytes < 250_000 * 9, `${set.memoryBytes / 250_000} bytes each`);
      let last = 0;
      while (set.count > 0) {
        last = set.nextDueMs();
        set.takeDue(last + 600_000, 10_000, (_offset, dueMs) => {
          assert.ok(dueMs >= last);
          last = dueMs;
        });
        assert.ok(set.memoryBytes < 100_000 + set.count * 48 + 4 * 256 * 100);
      }
      assert.ok(set.memoryBytes < 20_000, `${set.memoryBytes} bytes`);
    });
  }

  test('takes next to nothing when it is empty', () => {
    const set = new DelayedSet();
    assert.ok(set.memoryBytes <= 64);
    set.add(1, 5, 1, 0, 0, 0);
    assert.ok(set.memoryBytes < 2000, `${set.memoryBytes} bytes`);
    take(set, 5, 1);
    set.trim();
    assert.ok(set.memoryBytes <= 64);
    const writer = new ByteWriter();
    set.encodeTo(writer);
    assert.equal(writer.position, 1);
  });

  test('takes times that are no time', () => {
    const set = new DelayedSet();
    set.add(1, Number.MAX_SAFE_INTEGER, 1, 0, 0, 0);
    set.add(2, 0, 1, 0, 0, 0);
    assert.equal(set.remove(1, Number.MAX_SAFE_INTEGER), true);
    assert.throws(() => set.add(3, 0.5, 1, 0, 0, 0), { name: 'AssertionError' });
    assert.throws(() => set.add(3, Number.POSITIVE_INFINITY, 1, 0, 0, 0), {
      name: 'AssertionError',
    });
    assert.equal(set.count, 1);
  });
});
