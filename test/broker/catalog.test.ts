import assert from 'node:assert/strict';
import test from 'node:test';
import {
  Catalog,
  catalogEntryKind,
  encodeEntry,
  type StoredTopic,
} from '../../src/broker/catalog.ts';

function topic(index: number): StoredTopic {
  return {
    id: `id-${index}`,
    name: `näme\n"${index}"`,
    partitions: 1 + (index % 3),
    options: index % 2 === 0 ? {} : { retentionMs: index },
    attributes: { place: `p${index % 5}` },
    createdMs: 1000 + index,
    namespace: index % 4 === 0 ? 'other' : '',
    retention: 'until-settled',
    subscriptions: [{ name: '', settings: { failuresMax: index % 3 }, createdMs: 5 }],
  };
}

function catalogOf(count: number): Catalog {
  const catalog = new Catalog();
  catalog.restore(undefined);
  for (let index = 0; index < count; index++)
    catalog.apply(catalogEntryKind.topicCreated, encodeEntry(topic(index)));
  return catalog;
}

const storedOf = (catalog: Catalog): StoredTopic[] => [...catalog.all()].map((one) => one.store());

for (const count of [0, 1, 5000]) {
  test(`a snapshot of ${count} topics brings them back`, () => {
    const before = catalogOf(count);
    const restored = new Catalog();
    restored.restore(before.encode());
    assert.deepEqual(storedOf(restored), storedOf(before));
    assert.equal(restored.partitionCount, before.partitionCount);
    assert.deepEqual(restored.encode(), before.encode());
  });
}

test('a snapshot of an earlier version, one array, is read', () => {
  const before = catalogOf(10);
  const restored = new Catalog();
  restored.restore(encodeEntry(storedOf(before)));
  assert.deepEqual(storedOf(restored), storedOf(before));
});
