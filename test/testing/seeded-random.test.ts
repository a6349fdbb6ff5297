import assert from 'node:assert/strict';
import test from 'node:test';
import { SeededRandom } from '../../src/testing/index.ts';

function draw(seed: number): number[] {
  const random = new SeededRandom(seed);
  return Array.from({ length: 20 }, () => random.nextInt(0x100000000));
}

test('one seed gives one sequence, another seed another', () => {
  assert.deepEqual(draw(7), draw(7));
  assert.notDeepEqual(draw(7), draw(8));
  assert.notDeepEqual(draw(0), draw(1));
  assert.equal(new Set(draw(0)).size, 20);
});

test('integers are spread evenly over their range and never leave it', () => {
  const random = new SeededRandom(1);
  const counts = Array.from({ length: 10 }, () => 0);
  for (let index = 0; index < 10_000; index++) counts[random.nextInt(10)]! += 1;
  for (const count of counts) assert.ok(count > 850 && count < 1150, counts.join(' '));
  for (const below of [1, 2, 3, 0xffffffff, 0x100000000]) {
    for (let index = 0; index < 1000; index++) {
      const value = random.nextInt(below);
      assert.ok(Number.isInteger(value) && value >= 0 && value < below);
    }
  }
});

test('a chance comes true about as often as its rate', () => {
  const random = new SeededRandom(2);
  const count = (rate: number): number => {
    let hits = 0;
    for (let index = 0; index < 2000; index++) if (random.chance(rate)) hits++;
    return hits;
  };
  assert.equal(count(0), 0);
  assert.equal(count(1), 2000);
  const quarter = count(0.25);
  assert.ok(quarter > 420 && quarter < 580, String(quarter));
});

test('what a fork draws does not move its parent', () => {
  const lonely = new SeededRandom(3);
  const parent = new SeededRandom(3);
  lonely.fork();
  const fork = parent.fork();
  for (let index = 0; index < 10; index++) fork.nextInt(5);
  assert.equal(parent.nextInt(0x100000000), lonely.nextInt(0x100000000));
});

test('bytes and UUIDs have their forms', () => {
  const random = new SeededRandom(4);
  assert.equal(random.nextBytes(33).length, 33);
  const ids = new Set(Array.from({ length: 100 }, () => random.nextUuid()));
  assert.equal(ids.size, 100);
  for (const id of ids) {
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  }
});
