import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ByteReader, ByteWriter } from '../../../../src/bytes/index.ts';
import { OffsetSet } from '../../../../src/shard/queue/structures/index.ts';
import { SeededRandom } from '../../../../src/testing/index.ts';

/** The same set, as simple as can be. */
class Model {
  readonly offsets = new Set<number>();
  floor: number;

  constructor(floor: number) {
    this.floor = floor;
  }

  add(from: number, to: number): number {
    let added = 0;
    for (let offset = Math.max(from, this.floor); offset < to; offset++) {
      if (!this.offsets.has(offset)) added++;
      this.offsets.add(offset);
    }
    this.settle();
    return added;
  }

  rewind(offset: number): void {
    this.floor = Math.min(this.floor, offset);
    for (const known of this.offsets) if (known >= offset) this.offsets.delete(known);
  }

  settle(): void {
    while (this.offsets.delete(this.floor)) this.floor++;
  }
}

function copy(set: OffsetSet): OffsetSet {
  const writer = new ByteWriter();
  set.encodeTo(writer);
  const reader = new ByteReader(writer.finish());
  const result = OffsetSet.decode(reader);
  assert.equal(reader.remaining, 0);
  return result;
}

function check(set: OffsetSet, model: Model, random: SeededRandom, span: number): void {
  assert.equal(set.floor, model.floor);
  assert.equal(set.countAbove, model.offsets.size);
  const has = (offset: number) => offset < model.floor || model.offsets.has(offset);
  for (let probe = 0; probe < 20; probe++) {
    const from = Math.max(0, model.floor - 40 + random.nextInt(span));
    assert.equal(set.has(from), has(from));
    let missing = from;
    while (has(missing)) missing++;
    assert.equal(set.nextMissing(from), missing);
    const to = from + random.nextInt(span);
    let count = 0;
    for (let offset = from; offset < to; offset++) if (has(offset)) count++;
    assert.equal(set.countIn(from, to), count);
    if (from < model.floor) continue;
    let present = Number.POSITIVE_INFINITY;
    for (const offset of model.offsets) if (offset >= from && offset < present) present = offset;
    assert.equal(set.nextPresent(from), present);
  }
  assert.equal(set.end, Math.max(model.floor, 1 + Math.max(-1, ...model.offsets)));
}

describe('a set of offsets', () => {
  for (let seed = 1; seed <= 12; seed++) {
    test(`does what a plain set does: seed ${seed}`, () => {
      const random = new SeededRandom(seed);
      const span = random.pick([100, 3000, 9000]);
      const floor = random.pick([0, 2047, 2048, 1_000_003, 2 ** 40 + 5]);
      let set = new OffsetSet(floor);
      const model = new Model(floor);
      for (let step = 0; step < 400; step++) {
        const dice = random.nextInt(100);
        const from = Math.max(0, model.floor - 20 + random.nextInt(span));
        if (dice < 60) {
          for (let count = random.nextInt(40); count >= 0; count--) {
            const offset = Math.max(0, model.floor - 3 + random.nextInt(span));
            assert.equal(set.add(offset), model.add(offset, offset + 1) === 1);
          }
        } else if (dice < 85) {
          const to = from + random.nextInt(random.pick([10, span, 3 * span]));
          assert.equal(set.addRange(from, to), model.add(from, to));
        } else if (dice < 90) {
          const added = set.raiseFloor(from);
          assert.equal(added, model.add(model.floor, from));
        } else if (dice < 95) {
          set.rewind(from);
          model.rewind(from);
        } else {
          set = copy(set);
        }
        if (step % 8 === 0) check(set, model, random, span);
      }
      check(copy(set), model, random, span);
    });
  }

  test('takes no memory for what is added in order', () => {
    const set = new OffsetSet();
    const before = set.memoryBytes;
    for (let offset = 0; offset < 100_000; offset++) assert.equal(set.add(offset), true);
    assert.equal(set.memoryBytes, before);
    assert.ok(before <= 64);
  });

  test('takes a bit for each of a million offsets in random order, and none in the end', () => {
    const random = new SeededRandom(7);
    const offsets = Float64Array.from({ length: 1_000_000 }, (_, index) => index);
    for (let index = offsets.length - 1; index > 0; index--) {
      const other = random.nextInt(index + 1);
      [offsets[index], offsets[other]] = [offsets[other]!, offsets[index]!];
    }
    const set = new OffsetSet();
    let most = 0;
    for (const [index, offset] of offsets.entries()) {
      assert.equal(set.add(offset), true);
      if (index % 50_000 === 0) most = Math.max(most, set.memoryBytes);
    }
    assert.ok(most < 300_000, `${most} bytes`);
    assert.equal(set.floor, 1_000_000);
    assert.ok(set.memoryBytes < 1024);
  });

  test('takes next to nothing for what follows one that is stuck', () => {
    const set = new OffsetSet();
    for (let offset = 1; offset < 3_000_000; offset++) set.add(offset);
    assert.ok(set.memoryBytes < 20_000, `${set.memoryBytes} bytes`);
    assert.equal(set.countAbove, 2_999_999);
    const writer = new ByteWriter();
    set.encodeTo(writer);
    assert.ok(writer.position < 40, `${writer.position} bytes`);
    assert.equal(set.add(0), true);
    assert.equal(set.floor, 3_000_000);
  });

  test('is stored in a few bytes when it is idle', () => {
    const writer = new ByteWriter();
    new OffsetSet(1000).encodeTo(writer);
    assert.ok(writer.position <= 3);
  });

  test('refuses bytes that are none of its own', () => {
    for (const bytes of [
      [0, 1, 9],
      [0, 2, 1, 3],
      [0, 1, 3, 1, 0x81, 0x10],
      [0, 5],
    ]) {
      assert.throws(() => OffsetSet.decode(new ByteReader(Uint8Array.from(bytes))), {
        name: 'ProtocolError',
      });
    }
  });
});
