import assert from 'node:assert/strict';
import test from 'node:test';
import { assignPartitions } from '../../../../src/doors/kafka/share-groups/share-assignor.ts';

const counts: Readonly<Record<string, number>> = { one: 1, three: 3, ten: 10 };

function assign(subscriptions: Readonly<Record<string, readonly string[]>>) {
  const assigned = assignPartitions(new Map(Object.entries(subscriptions)), (name) =>
    counts[name] === undefined ? undefined : { id: name, name, partitionCount: counts[name] },
  );
  return Object.fromEntries(
    [...assigned].map(([member, topics]) => [
      member,
      topics.flatMap(({ topicName, partitions }) => partitions.map((p) => `${topicName}${p}`)),
    ]),
  );
}

test('partitions are dealt out in turn', () => {
  assert.deepEqual(assign({ a: ['ten'], b: ['ten'], c: ['ten'] }), {
    a: ['ten0', 'ten3', 'ten6', 'ten9'],
    b: ['ten1', 'ten4', 'ten7'],
    c: ['ten2', 'ten5', 'ten8'],
  });
});

test('members share partitions when there are too few', () => {
  assert.deepEqual(assign({ a: ['three'], b: ['three'], c: ['three'], d: ['three'] }), {
    a: ['three0'],
    b: ['three1'],
    c: ['three2'],
    d: ['three0'],
  });
});

test('a topic that is not there has no partitions', () => {
  assert.deepEqual(assign({ a: ['none'], b: ['none', 'one'] }), { a: [], b: ['one0'] });
});

test('everybody who subscribes gets something, and every partition has somebody', () => {
  const assigned = assign({ a: ['one', 'three'], b: ['three'], c: ['ten', 'three'], d: ['three'] });
  for (const [member, partitions] of Object.entries(assigned))
    assert.ok(partitions.length > 0, member);
  const all = new Set(Object.values(assigned).flat());
  assert.equal(all.size, 14);
});
