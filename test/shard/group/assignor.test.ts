import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from '../../support/fast-check.ts';
import {
  type Assignments,
  type AssignorMember,
  assignors,
  assignRange,
  assignRoundRobin,
  assignSticky,
  type TopicPartitions,
  withoutMoving,
} from '../../../src/shard/group/index.ts';

const members = (...ids: string[]): AssignorMember[] =>
  ids.map((memberId) => ({ memberId, topics: ['s', 't'] }));

function flatten(list: readonly TopicPartitions[] = []): string[] {
  return list.flatMap(({ topic, partitions }) => partitions.map((index) => `${topic}${index}`));
}

function show(assignments: Assignments): Record<string, string> {
  const entries = [...assignments].map(([id, list]) => [id, flatten(list).join(' ')] as const);
  return Object.fromEntries(entries);
}

const counts = new Map([
  ['s', 3],
  ['t', 3],
]);

function owned(topic: string, ...partitions: number[]): TopicPartitions[] {
  return [{ topic, partitions }];
}

describe('range', () => {
  test('gives the same numbers of all topics to the same member', () => {
    assert.deepEqual(show(assignRange(members('b', 'a'), counts)), {
      a: 's0 s1 t0 t1',
      b: 's2 t2',
    });
  });

  test('orders static members by their instance id, before the others', () => {
    const mixed: AssignorMember[] = [
      { memberId: 'a', topics: ['s'] },
      { memberId: 'z', instanceId: '1', topics: ['s'] },
      { memberId: 'y', instanceId: '2', topics: ['s'] },
    ];
    assert.deepEqual(show(assignRange(mixed, counts)), { z: 's0', y: 's1', a: 's2' });
  });
});

describe('round robin', () => {
  test('deals out all partitions in turn', () => {
    assert.deepEqual(show(assignRoundRobin(members('a', 'b'), counts)), {
      a: 's0 s2 t1',
      b: 's1 t0 t2',
    });
  });

  test('passes over those who do not subscribe', () => {
    const mixed: AssignorMember[] = [
      { memberId: 'a', topics: ['s'] },
      { memberId: 'b', topics: ['s', 't'] },
    ];
    assert.deepEqual(show(assignRoundRobin(mixed, counts)), { a: 's0 s2', b: 's1 t0 t1 t2' });
  });
});

describe('sticky', () => {
  test('moves only what evenness needs when a member comes', () => {
    const before: AssignorMember[] = [
      { memberId: 'a', topics: ['s', 't'], owned: owned('s', 0, 1, 2), generation: 1 },
      { memberId: 'b', topics: ['s', 't'], owned: owned('t', 0, 1, 2), generation: 1 },
      { memberId: 'c', topics: ['s', 't'] },
    ];
    assert.deepEqual(show(assignSticky(before, counts)), { a: 's0 s1', b: 't0 t1', c: 's2 t2' });
  });

  test('keeps everything when a member goes', () => {
    const left: AssignorMember[] = [
      { memberId: 'a', topics: ['s', 't'], owned: owned('s', 1, 2), generation: 1 },
      { memberId: 'b', topics: ['s', 't'], owned: owned('t', 1, 2), generation: 1 },
    ];
    assert.deepEqual(show(assignSticky(left, counts)), { a: 's0 s1 s2', b: 't0 t1 t2' });
  });

  test('believes the later generation', () => {
    const claims: AssignorMember[] = [
      { memberId: 'a', topics: ['s'], owned: owned('s', 0, 1), generation: 3 },
      { memberId: 'b', topics: ['s'], owned: owned('s', 0, 2, 9, -1), generation: 4 },
    ];
    assert.deepEqual(show(assignSticky(claims, counts)), { a: 's1', b: 's0 s2' });
  });

  test('is fast enough for a large group', () => {
    const many = Array.from({ length: 300 }, (_, index) => ({
      memberId: `m${index}`,
      topics: ['t'],
      ...(index < 200 && { owned: owned('t', index * 10, index * 10 + 1), generation: 1 }),
    }));
    const result = assignSticky(many, new Map([['t', 3000]]));
    assert.deepEqual(
      new Set([...result.values()].map((list) => flatten(list).length)),
      new Set([10]),
    );
  });
});

describe('a cooperative rebalance', () => {
  test('gives a partition away only after its owner has let it go', () => {
    const first: AssignorMember[] = [
      { memberId: 'a', topics: ['s'], owned: [{ topic: 's', partitions: [0, 1, 2] }] },
      { memberId: 'b', topics: ['s'] },
    ];
    const cooperative = assignors.get('cooperative-sticky');
    assert(cooperative !== undefined);
    const step = cooperative(first, counts);
    assert.deepEqual(show(step), { a: 's0 s1', b: '' });
    const second = first.map(({ memberId, topics }) => {
      return { memberId, topics, owned: step.get(memberId) ?? [] };
    });
    assert.deepEqual(show(cooperative(second, counts)), { a: 's0 s1', b: 's2' });
  });
});

describe('whatever the members and topics', () => {
  const topicNames = ['p', 'q', 'r'];
  const group = fc.record({
    counts: fc.array(fc.nat(6), { minLength: 2, maxLength: 3 }),
    members: fc.array(
      fc.record({
        topics: fc.subarray(topicNames),
        owned: fc.array(fc.tuple(fc.constantFrom(...topicNames), fc.nat(7)), { maxLength: 6 }),
        generation: fc.nat(3),
        isStatic: fc.boolean(),
      }),
      { minLength: 1, maxLength: 6 },
    ),
  });

  for (const [name, assign] of [...assignors, ['sticky', assignSticky] as const]) {
    test(`${name} gives each partition at most once, to a subscriber`, () => {
      fc.assert(
        fc.property(group, (plan) => {
          const partitionCounts = new Map(plan.counts.map((count, at) => [topicNames[at]!, count]));
          const all: AssignorMember[] = plan.members.map((member, index) => ({
            memberId: `m${index}`,
            ...(member.isStatic && { instanceId: `i${index}` }),
            topics: member.topics,
            generation: member.generation,
            owned: member.owned.map(([topic, partition]) => ({ topic, partitions: [partition] })),
          }));
          const result = assign(all, partitionCounts);
          assert.deepEqual(
            [...result.keys()].toSorted(),
            all.map((one) => one.memberId).toSorted(),
          );
          const given = [...result.values()].flatMap(flatten);
          assert.equal(new Set(given).size, given.length);
          for (const { memberId, topics } of all) {
            for (const { topic } of result.get(memberId) ?? []) assert(topics.includes(topic));
          }
          if (name === 'cooperative-sticky') return;
          const wanted = [...partitionCounts].flatMap(([topic, count]) =>
            all.some(({ topics }) => topics.includes(topic))
              ? Array.from({ length: count }, (_, index) => `${topic}${index}`)
              : [],
          );
          assert.deepEqual(given.toSorted(), wanted.toSorted());
          if (name === 'sticky') assertEven(all, result);
        }),
        { numRuns: 150, seed: 1 },
      );
    });
  }

  test('what a member keeps in a cooperative rebalance is never given to another', () => {
    const holders: AssignorMember[] = [
      { memberId: 'a', topics: ['s'], owned: [{ topic: 's', partitions: [0] }] },
      { memberId: 'b', topics: ['s'] },
    ];
    const wish: Assignments = new Map([
      ['a', []],
      ['b', [{ topic: 's', partitions: [0, 1] }]],
    ]);
    assert.deepEqual(show(withoutMoving(wish, holders)), { a: '', b: 's1' });
  });
});

/** No partition could move to a subscriber that has two fewer. */
function assertEven(all: readonly AssignorMember[], result: Assignments): void {
  const load = (memberId: string) => flatten(result.get(memberId)).length;
  for (const { memberId } of all) {
    for (const { topic } of result.get(memberId) ?? []) {
      for (const other of all) {
        if (other.topics.includes(topic)) assert(load(memberId) - load(other.memberId) < 2);
      }
    }
  }
}
