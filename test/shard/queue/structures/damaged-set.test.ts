import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteReader, ByteWriter } from '../../../../src/bytes/index.ts';
import { DamagedSet } from '../../../../src/shard/queue/structures/index.ts';
import { SeededRandom } from '../../../../src/testing/index.ts';

function listOf(set: DamagedSet): number[] {
  const all: number[] = [];
  set.forEach((from, end) => {
    for (let offset = from; offset < end; offset++) all.push(offset);
  });
  return all;
}

function runsOf(offsets: readonly number[]): number {
  return offsets.filter((offset, at) => offset !== (offsets[at - 1] ?? -2) + 1).length;
}

for (let seed = 1; seed <= 10; seed++) {
  test(`damaged offsets are what a sorted list of them is: seed ${seed}`, () => {
    const random = new SeededRandom(seed);
    const span = random.pick([20, 300]);
    let set = new DamagedSet();
    let model = new Set<number>();
    for (let step = 0; step < 400; step++) {
      const offset = random.nextInt(span);
      const kind = random.nextInt(20);
      if (kind === 0) {
        const before = [...model].filter((one) => one < offset).length;
        assert.equal(set.removeBefore(offset), before);
        model = new Set([...model].filter((one) => one >= offset));
      } else if (kind === 1) {
        set.removeFrom(offset);
        model = new Set([...model].filter((one) => one < offset));
      } else if (kind === 2) {
        const writer = new ByteWriter();
        set.encodeTo(writer);
        const reader = new ByteReader(writer.finish());
        set = DamagedSet.decode(reader);
        assert.equal(reader.remaining, 0);
      } else {
        assert.equal(set.add(offset), !model.has(offset));
        model.add(offset);
      }
      const expected = [...model].toSorted((a, b) => a - b);
      assert.deepEqual(listOf(set), expected);
      assert.equal(set.count, expected.length);
      assert.equal(set.runCount, runsOf(expected));
      assert.equal(set.has(offset), model.has(offset));
      assert.equal(set.countFrom(offset), expected.filter((one) => one >= offset).length);
      let missing = offset;
      while (model.has(missing)) missing++;
      assert.equal(set.nextMissing(offset), missing);
    }
  });
}

test('stored runs that are out of order are refused', () => {
  for (const [distance, length] of [
    [-1, 1],
    [1, 0],
    [1, -5],
  ] as const) {
    const writer = new ByteWriter();
    writer.unsignedVarint(1);
    writer.varlong(distance);
    writer.varlong(length);
    assert.throws(() => DamagedSet.decode(new ByteReader(writer.finish())), /out of order/);
  }
});
