import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BrokerError } from '../../../src/base/index.ts';
import { MemberIdRequired } from '../../../src/shard/group/index.ts';
import {
  assertFails,
  assertThrows,
  GroupFixture,
  groupId,
  subscribeTo,
  text,
  valueOf,
} from './fixture.ts';
import { letPromisesSettle } from './simulated-clock.ts';

describe('first members', () => {
  test('meet in one generation, with one leader who learns of all', async () => {
    const group = new GroupFixture();
    const first = group.join();
    await group.clock.advance(50);
    const second = group.join();
    await group.clock.advance(60);
    assert.equal(first.isSettled, false);
    await group.clock.advance(100);
    const [a, b] = [valueOf(first), valueOf(second)];
    assert.equal(a.generation, 1);
    assert.equal(b.generation, 1);
    assert.equal(a.leaderId, a.memberId);
    assert.equal(b.leaderId, a.memberId);
    assert.deepEqual(
      a.members.map(({ memberId }) => memberId),
      [a.memberId, b.memberId],
    );
    assert.deepEqual(b.members, []);
    assert.equal(group.state(), 'completing-rebalance');
  });

  test('wait for each other no longer than the rebalance timeout', async () => {
    const group = new GroupFixture();
    const first = group.join({ rebalanceTimeoutMs: 250 });
    for (let index = 0; index < 2; index++) {
      await group.clock.advance(90);
      group.join({ rebalanceTimeoutMs: 250 });
    }
    await group.clock.advance(69);
    assert.equal(first.isSettled, false);
    await group.clock.advance(1);
    assert.equal(valueOf(first).members.length, 3);
  });

  test('do not wait without a delay', async () => {
    const group = new GroupFixture({ initialRebalanceDelayMs: 0 });
    const first = group.join();
    await letPromisesSettle();
    assert.equal(valueOf(first).generation, 1);
  });

  test('get what the leader assigned, once it is durable', async () => {
    const group = new GroupFixture();
    const joins = [group.join(), group.join()];
    await group.clock.advance(200);
    const [leader, other] = joins.map(valueOf);
    assert(leader !== undefined && other !== undefined);
    const otherSync = group.sync(other);
    await group.clock.advance(5);
    assert.equal(otherSync.isSettled, false);
    const leaderSync = group.sync(leader, [
      { memberId: other.memberId, assignment: Buffer.from('part') },
    ]);
    await letPromisesSettle();
    assert.equal(leaderSync.isSettled, false);
    assert.equal(otherSync.isSettled, false);
    await group.clock.advance(1);
    assert.equal(text(valueOf(otherSync).assignment), 'part');
    assert.equal(text(valueOf(leaderSync).assignment), '');
    assert.equal(group.state(), 'stable');
  });
});

describe('member ids', () => {
  test('must be brought back by new members where the client knows how', async () => {
    const group = new GroupFixture();
    const first = group.join({ requireMemberId: true, clientId: 'shop' });
    await letPromisesSettle();
    assert(first.error instanceof MemberIdRequired);
    assert.match(first.error.memberId, /^shop-/);
    assert.equal(group.state(), 'empty');
    const second = group.join({ requireMemberId: true, memberId: first.error.memberId });
    await group.clock.advance(200);
    assert.equal(valueOf(second).memberId, first.error.memberId);
  });

  test('that do not come back hold up the others only for a session', async () => {
    const group = new GroupFixture();
    const [a] = await group.form({});
    assert(a !== undefined);
    group.join({ requireMemberId: true, sessionTimeoutMs: 6000 });
    const again = group.join({ memberId: a.memberId });
    await group.clock.advance(5999);
    assert.equal(again.isSettled, false);
    await group.clock.advance(1);
    assert.equal(valueOf(again).generation, 2);
  });

  test('that nobody brings back leave no group behind', async () => {
    const group = new GroupFixture();
    group.join({ requireMemberId: true });
    await letPromisesSettle();
    assert.equal(group.coordinator.list().length, 1);
    await group.clock.advance(10_000);
    assert.deepEqual(group.coordinator.list(), []);
  });

  test('may be given back by a leave', async () => {
    const group = new GroupFixture();
    const first = group.join({ requireMemberId: true });
    await letPromisesSettle();
    assert(first.error instanceof MemberIdRequired);
    const left = group.leave(first.error.memberId);
    await letPromisesSettle();
    assert.deepEqual(valueOf(left), [undefined]);
    const again = group.join({ memberId: first.error.memberId });
    await letPromisesSettle();
    assertFails(again, 'member-unknown');
  });

  test('that the group does not know are refused', async () => {
    const group = new GroupFixture();
    await group.form({});
    const join = group.join({ memberId: 'nobody' });
    const sync = group.sync({ memberId: 'nobody', generation: 1 });
    const left = group.leave('nobody');
    await letPromisesSettle();
    assertFails(join, 'member-unknown');
    assertFails(sync, 'member-unknown');
    assert.match(String(valueOf(left)[0]), /no such member/);
    assertThrows(() => group.heartbeat({ memberId: 'nobody', generation: 1 }), 'member-unknown');
  });
});

describe('joins are refused', () => {
  const refused = [
    ['with an empty group id', { groupId: '' }, 'group-id-invalid'],
    ['with a huge group id', { groupId: 'x'.repeat(40_000) }, 'group-id-invalid'],
    ['with a short session', { sessionTimeoutMs: 5999 }, 'session-timeout-invalid'],
    ['with a long session', { sessionTimeoutMs: 1_800_001 }, 'session-timeout-invalid'],
    ['without a protocol type', { protocolType: '' }, 'group-protocol-mismatch'],
    ['without protocols', { protocols: [] }, 'group-protocol-mismatch'],
    ['with an unknown member id', { memberId: 'x' }, 'member-unknown'],
  ] as const;
  for (const [name, request, code] of refused) {
    test(name, async () => {
      const group = new GroupFixture();
      const join = group.join(request);
      await letPromisesSettle();
      assertFails(join, code);
      assert.deepEqual(group.coordinator.list(), []);
    });
  }

  test('with protocols that the others do not have', async () => {
    const group = new GroupFixture();
    await group.form({});
    const other = group.join({ protocols: [{ name: 'other', metadata: subscribeTo('orders') }] });
    const type = group.join({ protocolType: 'connect' });
    await letPromisesSettle();
    assertFails(other, 'group-protocol-mismatch');
    assertFails(type, 'group-protocol-mismatch');
    assert.equal(group.state(), 'stable');
  });

  test('when the group is full, pending members included', async () => {
    const group = new GroupFixture({ membersMax: 2 });
    await group.form({});
    group.join({ requireMemberId: true });
    const third = group.join();
    await letPromisesSettle();
    assertFails(third, 'group-full');
  });

  test('when there are too many groups', async () => {
    const group = new GroupFixture({ groupsMax: 1 });
    await group.form({});
    const other = group.join({ groupId: 'other' });
    await letPromisesSettle();
    assertFails(other, 'overloaded');
  });

  test('when the members say too much of themselves', async () => {
    const group = new GroupFixture();
    await group.form({});
    const huge = [{ name: 'range', metadata: new Uint8Array(33 * 1024 * 1024) }];
    const join = group.join({ protocols: huge });
    await letPromisesSettle();
    assertFails(join, 'group-full');
  });
});

const offers = (...names: string[]) => ({
  protocols: names.map((name) => ({ name, metadata: Buffer.from(`${name} data`) })),
});

describe('protocols', () => {
  const votes: [string, string[][], string][] = [
    [
      'the most votes win',
      [
        ['a', 'b'],
        ['b', 'a'],
        ['b', 'a'],
      ],
      'b',
    ],
    ['only what all support counts', [['a', 'b'], ['a', 'b'], ['b']], 'b'],
    [
      'the leader decides between equals',
      [
        ['b', 'a'],
        ['a', 'b'],
      ],
      'b',
    ],
    ['a name that is offered twice counts once', [['a', 'a', 'b'], ['b']], 'b'],
  ];
  for (const [name, members, winner] of votes) {
    test(name, async () => {
      const group = new GroupFixture();
      const joins = members.map((names) => group.join(offers(...names)));
      await group.clock.advance(1000);
      const [leader] = joins.map(valueOf);
      assert(leader !== undefined);
      assert.equal(leader.protocolName, winner);
      assert.deepEqual(
        leader.members.map(({ metadata }) => text(metadata)),
        members.map(() => `${winner} data`),
      );
    });
  }

  test('of a lone member may change altogether', async () => {
    const group = new GroupFixture();
    const [member] = await group.form(offers('a'));
    assert(member !== undefined);
    const again = group.join({ ...offers('b'), memberId: member.memberId });
    await letPromisesSettle();
    assert.equal(valueOf(again).protocolName, 'b');
  });

  test('named in a sync must be those of the group', async () => {
    const group = new GroupFixture();
    const [member] = await group.form({});
    assert(member !== undefined);
    const { memberId, generation } = member;
    const identity = { groupId, memberId, generation, assignments: [] };
    const failing = [{ protocolType: 'x' }, { protocolName: 'x' }];
    for (const protocol of failing) {
      await assert.rejects(
        group.coordinator.sync({ ...identity, ...protocol }),
        (error) => error instanceof BrokerError && error.code === 'group-protocol-mismatch',
      );
    }
    const { assignment } = await group.coordinator.sync({
      ...identity,
      protocolType: 'consumer',
      protocolName: 'range',
    });
    assert.equal(text(assignment), memberId);
  });
});

describe('a rebalance', () => {
  test('is noticed by heartbeats, and waits for those who are in the group', async () => {
    const group = new GroupFixture();
    const [a, b] = await group.form({}, {});
    assert(a !== undefined && b !== undefined);
    const c = group.join();
    await letPromisesSettle();
    assert.equal(group.state(), 'preparing-rebalance');
    assertThrows(() => group.heartbeat(a), 'group-rebalancing');
    assertFails(await settle(group.sync(a)), 'group-rebalancing');
    const a2 = group.join({ memberId: a.memberId });
    await letPromisesSettle();
    assert.equal(a2.isSettled, false);
    const b2 = group.join({ memberId: b.memberId });
    await letPromisesSettle();
    const joined = [a2, b2, c].map(valueOf);
    assert.deepEqual(
      joined.map(({ generation }) => generation),
      [2, 2, 2],
    );
    for (const sync of await group.syncAll(joined)) valueOf(sync);
    assertThrows(() => group.heartbeat(a), 'generation-stale');
    group.heartbeat({ memberId: a.memberId, generation: 2 });
  });

  test('leaves those behind who do not join in time', async () => {
    const group = new GroupFixture();
    const [a, b] = await group.form(
      { sessionTimeoutMs: 1_000_000 },
      { sessionTimeoutMs: 1_000_000 },
    );
    assert(a !== undefined && b !== undefined);
    const c = group.join();
    await group.clock.advance(1);
    const b2 = group.join({ memberId: b.memberId });
    await group.clock.advance(59_998);
    assert.equal(b2.isSettled, false);
    await group.clock.advance(1);
    const [b3, c3] = [valueOf(b2), valueOf(c)];
    assert.equal(b3.leaderId, b.memberId);
    assert.equal(b3.members.length, 2);
    assert.equal(c3.generation, 2);
    assertThrows(() => group.heartbeat(a), 'member-unknown');
  });

  test('is started by a member whose session ends', async () => {
    const group = new GroupFixture();
    const [a, b] = await group.form({}, { sessionTimeoutMs: 6000 });
    assert(a !== undefined && b !== undefined);
    await group.clock.advance(5000);
    group.heartbeat(a);
    group.heartbeat(b);
    await group.clock.advance(5999);
    group.heartbeat(a);
    assert.equal(group.state(), 'stable');
    await group.clock.advance(1);
    assert.equal(group.state(), 'preparing-rebalance');
    const again = group.join({ memberId: a.memberId });
    await letPromisesSettle();
    assert.equal(valueOf(again).members.length, 1);
  });

  test('is not started by a member that asks again for what it has', async () => {
    const group = new GroupFixture();
    const [a, b] = await group.form({}, {});
    assert(a !== undefined && b !== undefined);
    const again = group.join({ memberId: b.memberId });
    await letPromisesSettle();
    assert.deepEqual(valueOf(again), b);
    assert.equal(group.state(), 'stable');
    assert.equal(text(valueOf(await settle(group.sync(b))).assignment), b.memberId);
  });

  test('is started by a leader that joins again', async () => {
    const group = new GroupFixture();
    const [a] = await group.form({}, {});
    assert(a !== undefined);
    group.join({ memberId: a.memberId });
    await letPromisesSettle();
    assert.equal(group.state(), 'preparing-rebalance');
  });

  test('is started by a member that changes what it says', async () => {
    const group = new GroupFixture();
    const [a, b] = await group.form({}, {});
    assert(a !== undefined && b !== undefined);
    const protocols = [{ name: 'range', metadata: subscribeTo('other') }];
    const b2 = group.join({ memberId: b.memberId, protocols });
    const a2 = group.join({ memberId: a.memberId });
    await letPromisesSettle();
    assert.equal(valueOf(b2).generation, 2);
    assert.deepEqual(valueOf(a2).members[1]?.metadata, subscribeTo('other'));
  });

  test('begins anew when somebody joins before the assignment', async () => {
    const group = new GroupFixture();
    const joins = [group.join(), group.join()];
    await group.clock.advance(300);
    const [a, b] = joins.map(valueOf);
    assert(a !== undefined && b !== undefined);
    const waiting = group.sync(b);
    group.join();
    await letPromisesSettle();
    assertFails(waiting, 'group-rebalancing');
    assert.equal(group.state(), 'preparing-rebalance');
  });

  test('drops members that join and never ask for their part', async () => {
    const group = new GroupFixture();
    const joins = [group.join(), group.join({ sessionTimeoutMs: 1_000_000 })];
    await group.clock.advance(300);
    const [a, b] = joins.map(valueOf);
    assert(a !== undefined && b !== undefined);
    const sync = group.sync(a, []);
    await group.clock.advance(1);
    valueOf(sync);
    for (let seconds = 0; seconds < 60; seconds += 5) {
      group.heartbeat(a);
      group.heartbeat(b);
      await group.clock.advance(5000);
    }
    assertThrows(() => group.heartbeat(b), 'member-unknown');
    assertThrows(() => group.heartbeat(a), 'group-rebalancing');
  });

  test('goes on when its leader is lost before the assignment', async () => {
    const group = new GroupFixture();
    const joins = [group.join(), group.join()];
    await group.clock.advance(300);
    const [a, b] = joins.map(valueOf);
    assert(a !== undefined && b !== undefined);
    const waiting = group.sync(b);
    await group.clock.advance(10_000);
    assertFails(waiting, 'group-rebalancing');
    const again = group.join({ memberId: b.memberId });
    await letPromisesSettle();
    assert.equal(valueOf(again).leaderId, b.memberId);
  });

  test('keeps members that wait for longer than their session', async () => {
    const group = new GroupFixture();
    const [a, b] = await group.form({ sessionTimeoutMs: 1_000_000 }, { sessionTimeoutMs: 6000 });
    assert(a !== undefined && b !== undefined);
    group.join();
    const waiting = group.join({ memberId: b.memberId });
    await group.clock.advance(59_999);
    assert.equal(waiting.isSettled, false);
    await group.clock.advance(1);
    assert.equal(valueOf(waiting).generation, 2);
    await group.clock.advance(5999);
    group.heartbeat({ memberId: b.memberId, generation: 2 });
  });

  test('forgets new members that wait too long for anybody to be there still', async () => {
    const group = new GroupFixture({ newMemberJoinMs: 1000 });
    const [a] = await group.form({});
    assert(a !== undefined);
    const ghost = group.join();
    await group.clock.advance(1000);
    assertFails(ghost, 'member-unknown');
    const again = group.join({ memberId: a.memberId });
    await letPromisesSettle();
    assert.equal(valueOf(again).members.length, 1);
  });

  test('answers only the newest of several joins of one member', async () => {
    const group = new GroupFixture();
    const [a] = await group.form({}, {});
    assert(a !== undefined);
    const older = group.join({ memberId: a.memberId });
    const newer = group.join({ memberId: a.memberId });
    await letPromisesSettle();
    assertFails(older, 'group-rebalancing');
    assert.equal(newer.isSettled, false);
  });

  test('begins anew when the assignment cannot be stored', async () => {
    const group = new GroupFixture();
    const joins = [group.join(), group.join()];
    await group.clock.advance(300);
    const [a, b] = joins.map(valueOf);
    assert(a !== undefined && b !== undefined);
    const waiting = group.sync(b);
    group.store.failure = new BrokerError('storage-full');
    const leading = group.sync(a, [{ memberId: b.memberId, assignment: Buffer.from('x') }]);
    await letPromisesSettle();
    assertFails(waiting, 'storage-full');
    assertFails(leading, 'storage-full');
    assert.equal(group.state(), 'preparing-rebalance');
  });

  test('ignores an assignment that becomes durable too late', async () => {
    const group = new GroupFixture();
    const joins = [group.join(), group.join()];
    await group.clock.advance(300);
    const [a, b] = joins.map(valueOf);
    assert(a !== undefined && b !== undefined);
    const leading = group.sync(a, [{ memberId: b.memberId, assignment: Buffer.from('old') }]);
    const c = group.join();
    await group.clock.advance(1);
    assertFails(leading, 'group-rebalancing');
    assert.equal(group.state(), 'preparing-rebalance');
    const rejoined = [group.join({ memberId: a.memberId }), group.join({ memberId: b.memberId })];
    await letPromisesSettle();
    const syncs = await group.syncAll([...rejoined, c].map(valueOf));
    assert.equal(text(valueOf(syncs[1]!).assignment), b.memberId);
  });
});

describe('a leave', () => {
  test('of the last member empties the group', async () => {
    const group = new GroupFixture();
    const [a] = await group.form({});
    assert(a !== undefined);
    const left = group.leave(a.memberId);
    await group.clock.advance(1);
    assert.deepEqual(valueOf(left), [undefined]);
    assert.equal(group.state(), 'empty');
    const next = group.join();
    await group.clock.advance(200);
    assert.equal(valueOf(next).generation, 3);
  });

  test('of several members answers each and rebalances once', async () => {
    const group = new GroupFixture();
    const [a, b, c] = await group.form({}, {}, {});
    assert(a !== undefined && b !== undefined && c !== undefined);
    const left = group.leave(a.memberId, 'nobody', b.memberId);
    await letPromisesSettle();
    assert.deepEqual(
      valueOf(left).map((error) => error === undefined),
      [true, false, true],
    );
    const again = group.join({ memberId: c.memberId });
    await letPromisesSettle();
    assert.equal(valueOf(again).generation, 2);
    assert.equal(valueOf(again).leaderId, c.memberId);
  });

  test('tells a member that waits that it is gone', async () => {
    const group = new GroupFixture();
    const [a, b] = await group.form({}, {});
    assert(a !== undefined && b !== undefined);
    const waiting = group.join({ memberId: a.memberId });
    group.leave(a.memberId);
    await letPromisesSettle();
    assertFails(waiting, 'member-unknown');
  });

  test('from an unknown group is answered for each member', async () => {
    const group = new GroupFixture();
    const left = group.leave('x', 'y');
    await letPromisesSettle();
    assert.equal(valueOf(left).length, 2);
  });
});

test('a thousand members join, heartbeat and rebalance with one timer', async () => {
  const group = new GroupFixture();
  const count = 1000;
  const members = await group.form(...Array.from({ length: count }, () => ({})));
  for (let round = 0; round < 5; round++) {
    for (const member of members) group.heartbeat(member);
    await group.clock.advance(3000);
  }
  assert.equal(group.clock.timerCount, 1);
  const joins = members.map(({ memberId }) => group.join({ memberId }));
  await letPromisesSettle();
  assert.equal(valueOf(joins[0]!).generation, 2);
  assert.equal(valueOf(joins[0]!).members.length, count);
});

test('a closed coordinator tells those who wait and has no timer left', async () => {
  const group = new GroupFixture();
  const waiting = group.join();
  await letPromisesSettle();
  group.coordinator.close();
  await letPromisesSettle();
  assertFails(waiting, 'closed');
  assertFails(await settle(group.join()), 'closed');
  assert.equal(group.clock.timerCount, 0);
});

async function settle<Value>(outcome: Value): Promise<Value> {
  await letPromisesSettle();
  return outcome;
}
