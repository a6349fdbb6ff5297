import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BrokerError } from '../../../src/base/index.ts';
import {
  assertFails,
  assertThrows,
  GroupFixture,
  groupId,
  offsetAt,
  subscribeTo,
  track,
  valueOf,
} from './fixture.ts';
import { letPromisesSettle } from './simulated-clock.ts';

const dayMs = 24 * 3_600_000;
const key = { topicId: 'topic', partition: 0 };

async function fetchAll(group: GroupFixture): Promise<number[]> {
  const fetched = track(group.coordinator.fetchOffsets(groupId));
  await group.clock.advance(1);
  return valueOf(fetched).map(({ offset }) => offset);
}

describe('a commit', () => {
  test('is answered when it is durable, and not shown before', async () => {
    const group = new GroupFixture();
    const [a] = await group.form({});
    assert(a !== undefined);
    group.store.isStuck = true;
    const commit = group.commit(a, offsetAt(5));
    const fetch = track(group.coordinator.fetchOffsets(groupId, [key]));
    await group.clock.advance(10);
    assert.equal(commit.isSettled, false);
    assert.equal(fetch.isSettled, false);
    group.store.flush();
    await letPromisesSettle();
    assert.equal(commit.isSettled, true);
    assert.equal(valueOf(fetch)[0]?.offset, 5);
  });

  test('that comes during a fetch is not in its answer', async () => {
    const group = new GroupFixture();
    const first = group.commit(undefined, offsetAt(1));
    const fetch = track(group.coordinator.fetchOffsets(groupId, [key]));
    group.commit(undefined, offsetAt(2));
    await group.clock.advance(1);
    assert.equal(first.isSettled, true);
    assert.equal(valueOf(fetch)[0]?.offset, 1);
  });

  test('from outside makes a group, and is allowed while it is empty', async () => {
    const group = new GroupFixture();
    const first = group.commit(undefined, offsetAt(1));
    const second = group.commit({ memberId: '', generation: -1 }, offsetAt(2));
    await group.clock.advance(1);
    assert.equal(first.error ?? second.error, undefined);
    assert.deepEqual(group.coordinator.list(), [
      { groupId, isManaged: false, state: 'empty', protocolType: '' },
    ]);
    await group.form({});
    assertFails(await settled(group.commit(undefined, offsetAt(3))), 'member-unknown');
    const anonymous = group.commit({ memberId: '', generation: -1 }, offsetAt(3));
    assertFails(await settled(anonymous), 'member-unknown');
    assert.deepEqual(await fetchAll(group), [2]);
  });

  test('under an empty group id is kept', async () => {
    const group = new GroupFixture();
    await committed(group, group.coordinator.commit('', undefined, [offsetAt(4)]));
    const fetch = track(group.coordinator.fetchOffsets('', [key]));
    await group.clock.advance(1);
    assert.equal(valueOf(fetch)[0]?.offset, 4);
  });

  test('of a generation is refused in an unknown group', async () => {
    const group = new GroupFixture();
    const commit = group.commit({ memberId: 'x', generation: 3 }, offsetAt(1));
    assertFails(await settled(commit), 'generation-stale');
    assert.deepEqual(group.coordinator.list(), []);
  });

  test('needs a member of the present generation', async () => {
    const group = new GroupFixture();
    const [a] = await group.form({});
    assert(a !== undefined);
    const stranger = group.commit({ memberId: 'x', generation: 1 }, offsetAt(1));
    const stale = group.commit({ memberId: a.memberId, generation: 0 }, offsetAt(1));
    await letPromisesSettle();
    assertFails(stranger, 'member-unknown');
    assertFails(stale, 'generation-stale');
  });

  test('is allowed while the group waits for joins, not while it waits for syncs', async () => {
    const group = new GroupFixture();
    const [a, b] = await group.form({}, {});
    assert(a !== undefined && b !== undefined);
    const a2 = group.join({ memberId: a.memberId });
    await letPromisesSettle();
    assert.equal(group.state(), 'preparing-rebalance');
    await committed(group, group.coordinator.commit(groupId, { ...b, groupId }, [offsetAt(7)]));
    group.join({ memberId: b.memberId });
    await letPromisesSettle();
    assertFails(await settled(group.commit(valueOf(a2), offsetAt(8))), 'group-rebalancing');
    assert.deepEqual(await fetchAll(group), [7]);
  });

  test('is a sign of life', async () => {
    const group = new GroupFixture();
    const [a] = await group.form({});
    assert(a !== undefined);
    for (let round = 0; round < 4; round++) {
      await group.clock.advance(9000);
      group.commit(a, offsetAt(round));
    }
    group.heartbeat(a);
  });

  test('with too much metadata is refused', async () => {
    const group = new GroupFixture();
    const fits = group.commit(undefined, { ...offsetAt(1), metadata: 'x'.repeat(4096) });
    const commit = group.commit(undefined, { ...offsetAt(2), metadata: 'ü'.repeat(2049) });
    await group.clock.advance(1);
    assert.equal(fits.error, undefined);
    assertFails(commit, 'metadata-too-large');
  });

  test('that cannot be stored fails', async () => {
    const group = new GroupFixture();
    group.store.failure = new BrokerError('storage-full');
    assertFails(await settled(group.commit(undefined, offsetAt(1))), 'storage-full');
  });
});

describe('offsets are forgotten', () => {
  test('when the group has been empty and they have been old for the retention', async () => {
    const group = new GroupFixture({ offsetsRetentionMs: 20_000, expiryCheckMs: 100 });
    const [a] = await group.form({});
    assert(a !== undefined);
    await committed(group, group.coordinator.commit(groupId, { ...a, groupId }, [offsetAt(1)]));
    await group.clock.advance(9000);
    group.heartbeat(a);
    await group.clock.advance(9000);
    group.leave(a.memberId);
    await group.clock.advance(19_999);
    assert.deepEqual(await fetchAll(group), [1]);
    await group.clock.advance(101);
    assert.deepEqual(await fetchAll(group), []);
    assert.deepEqual(group.coordinator.list(), []);
    assert.deepEqual(group.store.listGroupIds(), []);
  });

  test('one by one', async () => {
    const group = new GroupFixture();
    group.commit(undefined, offsetAt(1));
    await group.clock.advance(dayMs);
    group.commit(undefined, offsetAt(2, 'topic', 1));
    await group.clock.advance(6 * dayMs + 601_000);
    assert.deepEqual(await fetchAll(group), [2]);
    assert.equal(group.coordinator.list().length, 1);
  });

  test('never while the group has members', async () => {
    const retention = { offsetsRetentionMs: 20_000, expiryCheckMs: 1000 };
    const group = new GroupFixture(retention);
    const [a] = await group.form({});
    assert(a !== undefined);
    group.commit(a, offsetAt(1));
    for (let round = 0; round < 10; round++) {
      await group.clock.advance(9000);
      group.heartbeat(a);
    }
    assert.deepEqual(await fetchAll(group), [1]);
  });

  test('not while somebody else has members of the group', async () => {
    const group = new GroupFixture({ offsetsRetentionMs: 20_000, expiryCheckMs: 1000 });
    group.commit(undefined, offsetAt(1));
    group.coordinator.hold(groupId, true);
    await group.clock.advance(90_000);
    assert.deepEqual(await fetchAll(group), [1]);
    group.coordinator.hold(groupId, false);
    await group.clock.advance(19_000);
    assert.deepEqual(await fetchAll(group), [1]);
    await group.clock.advance(2001);
    assert.deepEqual(await fetchAll(group), []);
  });

  test('never with a negative retention', async () => {
    const group = new GroupFixture({ offsetsRetentionMs: -1 });
    group.commit(undefined, offsetAt(1));
    await group.clock.advance(30 * dayMs);
    assert.deepEqual(await fetchAll(group), [1]);
  });

  test('with the group, which must be empty', async () => {
    const group = new GroupFixture();
    const [a] = await group.form({});
    assert(a !== undefined);
    group.commit(a, offsetAt(1));
    assertFails(await settled(track(group.coordinator.delete(groupId))), 'group-not-empty');
    group.leave(a.memberId);
    const deletion = track(group.coordinator.delete(groupId));
    await letPromisesSettle();
    assert.equal(deletion.isSettled, false);
    await group.clock.advance(1);
    assert.equal(deletion.error, undefined);
    assert.deepEqual(await fetchAll(group), []);
    assert.equal(group.coordinator.describe(groupId).state, 'dead');
    group.restart();
    assert.deepEqual(group.coordinator.list(), []);
    assertFails(await settled(track(group.coordinator.delete(groupId))), 'group-not-found');
  });

  test('with their topic, in all groups', async () => {
    const group = new GroupFixture();
    group.commit(undefined, offsetAt(1, 'doomed'), offsetAt(2, 'kept'));
    group.coordinator.commit('other', undefined, [offsetAt(3, 'doomed')]).catch(assert.fail);
    await committed(group, group.coordinator.forgetTopic('doomed'));
    assert.deepEqual(await fetchAll(group), [2]);
    assert.equal(group.store.findOffset('other', { topicId: 'doomed', partition: 0 }), undefined);
  });

  test('one by one, but for topics that a member subscribes to', async () => {
    const group = new GroupFixture();
    const [a] = await group.form({});
    assert(a !== undefined);
    group.commit(a, offsetAt(1, 'o'), offsetAt(2, 'p'));
    const keys = [
      { topicId: 'o', topicName: 'orders', partition: 0 },
      { topicId: 'p', topicName: 'payments', partition: 0 },
    ];
    const first = track(group.coordinator.deleteOffsets(groupId, keys));
    await group.clock.advance(1);
    const [subscribed, free] = valueOf(first);
    assert(subscribed instanceof BrokerError && subscribed.code === 'group-subscribed');
    assert.equal(free, undefined);
    assert.deepEqual(await fetchAll(group), [1]);
    group.leave(a.memberId);
    const second = track(group.coordinator.deleteOffsets(groupId, keys));
    await group.clock.advance(1);
    assert.deepEqual(valueOf(second), [undefined, undefined]);
    assert.deepEqual(await fetchAll(group), []);
  });

  test('not one by one in groups that do not say what they subscribe to', async () => {
    const group = new GroupFixture();
    const keys = [{ topicId: 'o', topicName: 'orders', partition: 0 }];
    assertFails(
      await settled(track(group.coordinator.deleteOffsets(groupId, keys))),
      'group-not-found',
    );
    await group.form({ protocolType: 'connect' });
    assertFails(
      await settled(track(group.coordinator.deleteOffsets(groupId, keys))),
      'group-not-empty',
    );
  });

  test('not one by one when a member cannot be understood', async () => {
    const group = new GroupFixture();
    await group.form({ protocols: [{ name: 'range', metadata: Buffer.from([1]) }] });
    const keys = [{ topicId: 'o', topicName: 'orders', partition: 0 }];
    const deletion = await settled(track(group.coordinator.deleteOffsets(groupId, keys)));
    const [error] = valueOf(deletion);
    assert(error instanceof BrokerError && error.code === 'group-subscribed');
  });
});

describe('after a restart', () => {
  test('members carry on with their generation', async () => {
    const group = new GroupFixture();
    const [a, b] = await group.form({}, { instanceId: 'two' });
    assert(a !== undefined && b !== undefined);
    const before = group.coordinator.describe(groupId);
    await group.clock.advance(9000);
    group.restart();
    assert.deepEqual(group.coordinator.describe(groupId), before);
    await group.clock.advance(9000);
    group.heartbeat(a);
    group.heartbeat({ ...b, instanceId: 'two' });
    const again = group.join({ memberId: b.memberId, instanceId: 'two' });
    await letPromisesSettle();
    assert.equal(valueOf(again).generation, 1);
  });

  test('members that are gone are found out', async () => {
    const group = new GroupFixture();
    const [a] = await group.form({});
    assert(a !== undefined);
    group.restart();
    await group.clock.advance(10_000);
    assertThrows(() => group.heartbeat(a), 'member-unknown');
    assert.equal(group.state(), 'empty');
  });

  test('a group that was empty keeps counting its generations', async () => {
    const group = new GroupFixture();
    const [a] = await group.form({});
    assert(a !== undefined);
    group.leave(a.memberId);
    await group.clock.advance(1);
    group.restart();
    assert.equal(group.state(), 'empty');
    const next = group.join();
    await group.clock.advance(200);
    assert.equal(valueOf(next).generation, 3);
  });

  test('a static member whose new id was not durable is not fenced for good', async () => {
    const group = new GroupFixture();
    const [a, b] = await group.form({}, { instanceId: 'two' });
    assert(a !== undefined && b !== undefined);
    group.join({ memberId: a.memberId });
    const back = group.join({ instanceId: 'two' });
    await letPromisesSettle();
    const lost = { ...valueOf(back), instanceId: 'two' };
    group.restart();
    assertThrows(() => group.heartbeat(lost), 'member-unknown');
    group.heartbeat({ ...b, instanceId: 'two' });
    assertThrows(() => group.heartbeat(lost), 'member-fenced');
  });

  test('what was not durable was not answered', async () => {
    const group = new GroupFixture();
    await committed(group, group.coordinator.commit(groupId, undefined, [offsetAt(1)]));
    const lost = group.commit(undefined, offsetAt(2));
    await letPromisesSettle();
    group.restart();
    assert.equal(lost.isSettled, false);
    assert.deepEqual(await fetchAll(group), [1]);
  });

  test('damage in what was stored is reported with the name of the group', async () => {
    const group = new GroupFixture();
    await group.form({});
    const state = group.store.findGroup(groupId);
    assert(state !== undefined);
    for (const bad of [state.subarray(0, 20), Buffer.from([9]), Buffer.concat([state, state])]) {
      const saved = group.store.saveGroup(groupId, bad);
      await committed(group, saved);
      assert.throws(() => group.restart(), /damaged: the state of group "g"/);
    }
  });
});

test('topics in a subscription are found whatever protocol the member offers', async () => {
  const group = new GroupFixture();
  const protocols = [
    { name: 'a', metadata: subscribeTo('orders') },
    { name: 'b', metadata: subscribeTo('payments') },
  ];
  await group.form({ protocols });
  const keys = [{ topicId: 'p', topicName: 'payments', partition: 0 }];
  const [error] = valueOf(await settled(track(group.coordinator.deleteOffsets(groupId, keys))));
  assert(error instanceof BrokerError && error.code === 'group-subscribed');
});

async function settled<Value>(outcome: Value): Promise<Value> {
  await letPromisesSettle();
  return outcome;
}

async function committed(group: GroupFixture, promise: Promise<void>): Promise<void> {
  const outcome = track(promise);
  await group.clock.advance(1);
  assert.equal(outcome.error, undefined);
  assert(outcome.isSettled);
}
