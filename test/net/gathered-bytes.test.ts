import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatheredBytes } from '../../src/net/index.ts';
import { SeededRandom } from '../../src/testing/index.ts';

function randomBytes(random: SeededRandom, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at++) bytes[at] = random.nextInt(256);
  return bytes;
}

test('pieces of any size come out as they went in', () => {
  const random = new SeededRandom(7);
  for (let round = 0; round < 50; round++) {
    const gathered = new GatheredBytes();
    const expected: Buffer[] = [];
    for (let count = random.nextInt(60); count > 0; count--) {
      const chunk = randomBytes(random, random.nextInt(random.nextInt(4) === 0 ? 20_000 : 300));
      const piece = chunk.subarray(random.nextInt(chunk.length + 1));
      expected.push(Buffer.from(piece));
      gathered.add(piece);
    }
    const whole = Buffer.concat(expected);
    assert.equal(gathered.bytes, whole.length);
    assert.deepEqual(gathered.take(), whole);
    assert.equal(gathered.bytes, 0);
    assert.equal(gathered.memoryBytes, 0);
    assert.equal(gathered.take().length, 0);
  }
});

test('one piece is not copied', () => {
  const gathered = new GatheredBytes();
  const piece = Buffer.from('{}');
  gathered.add(piece);
  assert.equal(gathered.take(), piece);
});

const cases: ReadonlyArray<{ name: string; pieceOf: (index: number) => Buffer }> = [
  { name: 'single bytes', pieceOf: () => Buffer.alloc(1) },
  { name: 'single bytes of large chunks', pieceOf: () => Buffer.alloc(65_536).subarray(9, 10) },
  { name: 'parts of large chunks', pieceOf: () => Buffer.alloc(65_536).subarray(0, 5000) },
  {
    name: 'single bytes between large pieces',
    pieceOf: (index) => Buffer.allocUnsafeSlow(index % 2 === 0 ? 1 : 4096),
  },
];

for (const { name, pieceOf } of cases) {
  test(`${name} take about the memory of their bytes`, () => {
    const gathered = new GatheredBytes();
    for (let index = 0; index < 3000; index++) {
      gathered.add(pieceOf(index));
      if (gathered.bytes > 4_000_000) break;
    }
    const overhead = 200_000;
    assert.ok(
      gathered.memoryBytes <= gathered.bytes * 2.2 + overhead,
      `${gathered.memoryBytes} bytes are held for ${gathered.bytes}`,
    );
  });
}
