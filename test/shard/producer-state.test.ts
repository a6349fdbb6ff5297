import assert from 'node:assert/strict';
import test from 'node:test';
import { ByteReader, ByteWriter } from '../../src/bytes/index.ts';
import { ProducerTable } from '../../src/shard/producer-state.ts';

test('the next batch is taken, a repeated one is recognised, a gap is refused', () => {
  const table = new ProducerTable();
  table.note(1, 0, 0, 3, 100, 5);
  assert.deepEqual(table.check(1, 0, 3, 2), { outcome: 'next' });
  assert.deepEqual(table.check(1, 0, 0, 3), { outcome: 'duplicate', baseOffset: 100 });
  assert.deepEqual(table.check(1, 0, 4, 1), { outcome: 'out-of-order', expected: 3 });
  assert.deepEqual(table.check(1, 0, 0, 2), { outcome: 'out-of-order', expected: 3 });
  assert.deepEqual(table.check(2, 0, 77, 1), { outcome: 'next' });
});

test('the last five batches are remembered', () => {
  const table = new ProducerTable();
  for (let batch = 0; batch < 7; batch++) table.note(1, 0, batch, 1, 10 + batch, 5);
  assert.equal(table.check(1, 0, 1, 1).outcome, 'out-of-order');
  for (let batch = 2; batch < 7; batch++) {
    assert.deepEqual(table.check(1, 0, batch, 1), { outcome: 'duplicate', baseOffset: 10 + batch });
  }
});

test('a newer epoch begins at 0 and fences the older one', () => {
  const table = new ProducerTable();
  table.note(1, 3, 0, 1, 0, 5);
  assert.deepEqual(table.check(1, 2, 1, 1), { outcome: 'fenced', epoch: 3 });
  assert.deepEqual(table.check(1, 4, 1, 1), { outcome: 'out-of-order', expected: 0 });
  assert.deepEqual(table.check(1, 4, 0, 1), { outcome: 'next' });
  table.note(1, 4, 0, 1, 1, 5);
  assert.deepEqual(table.check(1, 3, 1, 1), { outcome: 'fenced', epoch: 4 });
});

test('sequence numbers wrap to 0 behind the greatest', () => {
  const table = new ProducerTable();
  const greatest = 0x7fffffff;
  table.note(1, 0, greatest - 1, 1, 0, 5);
  assert.deepEqual(table.check(1, 0, greatest, 3), { outcome: 'next' });
  table.note(1, 0, greatest, 3, 1, 5);
  assert.deepEqual(table.check(1, 0, 2, 1), { outcome: 'next' });
  assert.deepEqual(table.check(1, 0, greatest, 3), { outcome: 'duplicate', baseOffset: 1 });
});

test('a stored table is the same table; silent producers are forgotten', () => {
  const table = new ProducerTable();
  table.note(1, 2, 5, 1, 100, 1000);
  table.note(9, 0, 0, 4, 101, 2000);
  const writer = new ByteWriter(64);
  table.encodeTo(writer);
  const again = ProducerTable.decode(new ByteReader(writer.take()));
  assert.deepEqual(again.describe(), table.describe());
  assert.deepEqual(again.check(1, 2, 5, 1), { outcome: 'duplicate', baseOffset: 100 });
  again.expire(1500);
  assert.deepEqual(
    again.describe().map((producer) => producer.producerId),
    [9],
  );
});
