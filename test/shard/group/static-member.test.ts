import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BrokerError } from '../../../src/base/index.ts';
import type { JoinResult } from '../../../src/shard/group/index.ts';
import {
  assertFails,
  assertThrows,
  GroupFixture,
  groupId,
  subscribeTo,
  text,
  track,
  valueOf,
} from './fixture.ts';
import { letPromisesSettle } from './simulated-clock.ts';

const [one, two] = [{ instanceId: 'one' }, { instanceId: 'two' }];

async function formTwo(group: GroupFixture): Promise<[leader: JoinResult, other: JoinResult]> {
  const [a, b] = await group.form(one, two);
  assert(a !== undefined && b !== undefined);
  return [a, b];
}

describe('a static member', () => {
  test('is not asked to bring back its member id', async () => {
    const group = new GroupFixture();
    const join = group.join({ ...one, requireMemberId: true });
    await group.clock.advance(200);
    assert.match(valueOf(join).memberId, /^one-/);
    assert.equal(valueOf(join).members[0]?.instanceId, 'one');
  });

  test('comes back under a new id, with what it had, and nobody notices', async () => {
    const group = new GroupFixture();
    const [a, b] = await formTwo(group);
    const again = group.join({ ...two, requireMemberId: true });
    await letPromisesSettle();
    assert.equal(again.isSettled, false, 'the new id is not durable yet');
    await group.clock.advance(1);
    const b2 = valueOf(again);
    assert.notEqual(b2.memberId, b.memberId);
    assert.equal(b2.generation, 1);
    assert.equal(b2.leaderId, a.memberId);
    assert.equal(group.state(), 'stable');
    group.heartbeat(a);
    const sync = group.sync({ ...b2, ...two });
    await letPromisesSettle();
    assert.equal(text(valueOf(sync).assignment), b.memberId);
  });

  test('fences whoever still uses its old id', async () => {
    const group = new GroupFixture();
    const [, b] = await formTwo(group);
    group.join(two);
    await group.clock.advance(1);
    const old = { ...b, ...two };
    assertThrows(() => group.heartbeat(old), 'member-fenced');
    const outcomes = [
      group.join({ ...two, memberId: b.memberId }),
      group.sync(old),
      group.commit(old),
    ];
    await letPromisesSettle();
    for (const outcome of outcomes) assertFails(outcome, 'member-fenced');
    const left = track(group.coordinator.leave(groupId, [{ memberId: b.memberId, ...two }]));
    await letPromisesSettle();
    const [error] = valueOf(left);
    assert(error instanceof BrokerError && error.code === 'member-fenced');
  });

  test('fences its old self that waits', async () => {
    const group = new GroupFixture();
    const [a, b] = await formTwo(group);
    group.join();
    const old = group.join({ ...two, memberId: b.memberId });
    const now = group.join(two);
    await letPromisesSettle();
    assertFails(old, 'member-fenced');
    group.join({ ...one, memberId: a.memberId });
    await letPromisesSettle();
    assert.equal(valueOf(now).generation, 2);
  });

  test('is known by its instance id, which the group must know', async () => {
    const group = new GroupFixture();
    const [a] = await formTwo(group);
    assertThrows(() => group.heartbeat({ ...a, instanceId: 'other' }), 'member-unknown');
    group.heartbeat({ memberId: a.memberId, generation: 1 });
  });

  test('may be away for its session, however often the others rebalance', async () => {
    const group = new GroupFixture();
    const session = { sessionTimeoutMs: 100_000 };
    const [a, b] = await group.form({ ...one, ...session }, { ...two, ...session });
    assert(a !== undefined && b !== undefined);
    group.join({ ...one, memberId: a.memberId, ...session });
    await group.clock.advance(60_000);
    assert.equal(group.state(), 'completing-rebalance');
    assert.equal(group.coordinator.describe(groupId).members.length, 2);
    const away = group.sync({ memberId: a.memberId, generation: 2, ...one }, [
      { memberId: b.memberId, assignment: Buffer.from('kept') },
    ]);
    await group.clock.advance(1);
    valueOf(away);
    const back = group.join({ ...two, ...session });
    await group.clock.advance(1);
    const sync = group.sync({ ...valueOf(back), ...two });
    await letPromisesSettle();
    assert.equal(text(valueOf(sync).assignment), 'kept');
  });

  test('is dropped when its session ends while it is away', async () => {
    const group = new GroupFixture();
    const [a] = await formTwo(group);
    await group.clock.advance(9000);
    group.heartbeat(a);
    await group.clock.advance(1000);
    assert.equal(group.state(), 'preparing-rebalance');
    assert.equal(group.coordinator.describe(groupId).members.length, 1);
  });

  test('is waited for when all others are away too', async () => {
    const group = new GroupFixture();
    const session = { sessionTimeoutMs: 500_000 };
    const [a, b] = await group.form({ ...one, ...session }, { ...session });
    assert(a !== undefined && b !== undefined);
    group.leave(b.memberId);
    await group.clock.advance(130_000);
    assert.equal(group.state(), 'preparing-rebalance');
    const back = group.join({ ...one, ...session });
    await letPromisesSettle();
    assert.equal(valueOf(back).generation, 2);
  });

  test('is removed by an administrator who does not know its member id', async () => {
    const group = new GroupFixture();
    const [a] = await formTwo(group);
    const left = track(group.coordinator.leave(groupId, [{ memberId: '', ...two }]));
    await letPromisesSettle();
    assert.deepEqual(valueOf(left), [undefined]);
    assert.equal(group.state(), 'preparing-rebalance');
    const again = group.join({ ...one, memberId: a.memberId });
    await letPromisesSettle();
    assert.equal(valueOf(again).members.length, 1);
  });

  test('that comes back with other topics starts a rebalance', async () => {
    const group = new GroupFixture();
    const [a] = await formTwo(group);
    const protocols = [{ name: 'range', metadata: subscribeTo('orders', 'more') }];
    const back = group.join({ ...two, protocols });
    group.join({ ...one, memberId: a.memberId });
    await letPromisesSettle();
    assert.equal(valueOf(back).generation, 2);
  });

  test('that comes back before the assignment starts a rebalance', async () => {
    const group = new GroupFixture();
    const joins = [group.join(one), group.join(two)];
    await group.clock.advance(300);
    assert.equal(joins.length, 2);
    group.join(two);
    await letPromisesSettle();
    assert.equal(group.state(), 'preparing-rebalance');
  });

  test('is not answered when its new id cannot be stored', async () => {
    const group = new GroupFixture();
    await formTwo(group);
    group.store.failure = new BrokerError('storage-failed');
    const back = group.join(two);
    await letPromisesSettle();
    assertFails(back, 'storage-failed');
  });
});

describe('a static leader that comes back', () => {
  test('skips the assignment where the client knows how, and learns of the members', async () => {
    const group = new GroupFixture();
    await formTwo(group);
    const back = group.join({ ...one, canSkipAssignment: true });
    await group.clock.advance(1);
    const leader = valueOf(back);
    assert.equal(leader.skipAssignment, true);
    assert.equal(leader.leaderId, leader.memberId);
    assert.equal(leader.members.length, 2);
  });

  test('does not take itself for the leader in older clients', async () => {
    const group = new GroupFixture();
    const [a] = await formTwo(group);
    const back = group.join(one);
    await group.clock.advance(1);
    assert.equal(valueOf(back).skipAssignment, false);
    assert.equal(valueOf(back).leaderId, a.memberId);
    assert.deepEqual(valueOf(back).members, []);
    // Yet it is: its next join is a leader's.
    group.join({ ...one, memberId: valueOf(back).memberId });
    await letPromisesSettle();
    assert.equal(group.state(), 'preparing-rebalance');
  });
});
