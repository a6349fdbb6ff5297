import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type AssignableMember,
  type AssignableSubtopology,
  assignTasks,
} from '../../../../src/doors/kafka/streams-groups/task-assignor.ts';
import {
  keyOf,
  noTasks,
  type TaskRoles,
  toWire,
} from '../../../../src/doors/kafka/streams-groups/tasks.ts';
import * as fc from '../../../support/fast-check.ts';

function member(memberId: string, processId: string, previous: TaskRoles = noTasks) {
  return { memberId, processId, previous, stateOffsets: new Map<string, number>() };
}

function stateful(subtopologyId: string, taskCount: number): AssignableSubtopology {
  return { subtopologyId, taskCount, isStateful: true };
}

function spread(sizes: readonly number[]): number {
  return Math.max(...sizes) - Math.min(...sizes);
}

const subtopologies = fc
  .array(fc.record({ taskCount: fc.integer({ min: 1, max: 12 }), isStateful: fc.boolean() }), {
    minLength: 1,
    maxLength: 4,
  })
  .map((list) => list.map((each, index) => ({ ...each, subtopologyId: String(index) })));

/** Which process each member is of; a second list for after some have come and gone. */
const processes = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 8 });

function membersOf(list: readonly number[], before: ReadonlyMap<string, TaskRoles>) {
  return list.map((process, index): AssignableMember => {
    const memberId = `m${index}`;
    return member(memberId, `p${process}`, before.get(memberId) ?? noTasks);
  });
}

function check(
  members: readonly AssignableMember[],
  work: readonly AssignableSubtopology[],
  result: ReadonlyMap<string, TaskRoles>,
  standbyCount: number,
): void {
  const copies = new Map<string, string[]>();
  const actives = new Map<string, number>();
  for (const { memberId, processId } of members) {
    const { active, standby } = result.get(memberId)!;
    for (const key of active) actives.set(key, (actives.get(key) ?? 0) + 1);
    for (const key of [...active, ...standby]) {
      copies.set(key, [...(copies.get(key) ?? []), processId]);
    }
  }
  const processCount = new Set(members.map(({ processId }) => processId)).size;
  for (const { subtopologyId, taskCount, isStateful } of work) {
    for (let partition = 0; partition < taskCount; partition += 1) {
      const key = keyOf(subtopologyId, partition);
      assert.equal(actives.get(key), 1, `${key} has one active member`);
      const holders = copies.get(key) ?? [];
      assert.equal(new Set(holders).size, holders.length, `${key} is in no process twice`);
      const expected = isStateful ? Math.min(1 + standbyCount, processCount) : 1;
      assert.equal(holders.length, expected, `${key} has its standbys`);
    }
  }
  const isStateful = new Map(work.map((each) => [each.subtopologyId, each.isStateful]));
  const roles = members.map(({ memberId }) => result.get(memberId)!);
  const withState = ({ active }: TaskRoles): number =>
    toWire(active)
      .filter(({ subtopologyId }) => isStateful.get(subtopologyId))
      .reduce((sum, { partitions }) => sum + partitions.length, 0);
  assert.ok(spread(roles.map(({ active }) => active.size)) <= 1, 'active tasks are even');
  assert.ok(spread(roles.map(withState)) <= 1, 'tasks with state are even');
}

describe('dealing out tasks', () => {
  it('gives every task one member, evenly, and keeps standbys in other processes', () => {
    fc.assert(
      fc.property(
        subtopologies,
        processes,
        processes,
        fc.integer({ min: 0, max: 2 }),
        (work, first, second, standbyCount) => {
          const members = membersOf(first, new Map());
          const result = assignTasks(members, work, standbyCount);
          check(members, work, result, standbyCount);
          const changed = membersOf(second, result);
          check(changed, work, assignTasks(changed, work, standbyCount), standbyCount);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('leaves active tasks where they are while nobody comes or goes', () => {
    fc.assert(
      fc.property(subtopologies, processes, (work, list) => {
        const before = assignTasks(membersOf(list, new Map()), work, 1);
        const after = assignTasks(membersOf(list, before), work, 1);
        for (const [memberId, { active }] of before) {
          assert.deepEqual(toWire(after.get(memberId)!.active), toWire(active));
        }
      }),
    );
  });

  it('moves no more than a new member’s share', () => {
    const work = [stateful('0', 8)];
    const before = assignTasks([member('a', 'p1'), member('b', 'p2')], work, 0);
    const members = [
      member('a', 'p1', before.get('a')),
      member('b', 'p2', before.get('b')),
      member('c', 'p3'),
    ];
    const after = assignTasks(members, work, 0);
    let moved = 0;
    for (const memberId of ['a', 'b']) {
      for (const key of after.get(memberId)!.active) {
        if (!before.get(memberId)!.active.has(key)) moved += 1;
      }
    }
    assert.equal(moved, 0);
    assert.equal(after.get('c')!.active.size, 2);
  });

  it('hands the tasks of who has left to those who have a copy of their state', () => {
    const work = [stateful('0', 6)];
    const names = ['a', 'b', 'c'];
    const before = assignTasks(
      names.map((name) => member(name, `p-${name}`)),
      work,
      1,
    );
    const orphans = before.get('a')!.active;
    const stay = ['b', 'c'].map((name) => member(name, `p-${name}`, before.get(name)));
    const after = assignTasks(stay, work, 1);
    for (const key of orphans) {
      const heir = ['b', 'c'].find((name) => after.get(name)!.active.has(key))!;
      const hadCopy = before.get(heir)!.standby.has(key);
      const couldOther = ['b', 'c'].some((name) => before.get(name)!.standby.has(key));
      assert.ok(hadCopy || !couldOther || after.get(heir)!.active.size === 3, key);
    }
  });

  it('prefers the disk that has come furthest', () => {
    const far = { ...member('far', 'p1'), stateOffsets: new Map([[keyOf('0', 0), 90]]) };
    const near = { ...member('near', 'p2'), stateOffsets: new Map([[keyOf('0', 0), 10]]) };
    for (const members of [
      [far, near],
      [near, far],
    ]) {
      const result = assignTasks(members, [stateful('0', 1)], 0);
      assert.deepEqual(toWire(result.get('far')!.active), [
        { subtopologyId: '0', partitions: [0] },
      ]);
    }
  });

  it('has nothing to give without members', () => {
    assert.equal(assignTasks([], [stateful('0', 2)], 1).size, 0);
  });
});
