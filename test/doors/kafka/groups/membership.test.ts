import assert from 'node:assert/strict';
import test from 'node:test';
import { errorCodes } from '../../../../src/doors/kafka/error-codes.ts';
import { encodeConsumerSubscription } from '../../../../src/doors/kafka/wire/index.ts';
import { until } from '../../../support/until.ts';
import type { WireClient } from '../wire-client.ts';
import { openGroupDoor } from './group-door.ts';

const subscription = encodeConsumerSubscription(1, { topics: ['orders'], ownedPartitions: [] });

const joinRequest = {
  groupId: 'g',
  sessionTimeoutMs: 300_000,
  rebalanceTimeoutMs: 300_000,
  memberId: '',
  protocolType: 'consumer',
  protocols: [{ name: 'range', metadata: subscription }],
};

for (let version = 0; version <= 9; version++) {
  test(`a member joins, syncs and leaves, with JoinGroup ${version}`, async (t) => {
    const { connect, broker } = await openGroupDoor(t);
    const client = await connect();
    const { rebalanceTimeoutMs, ...timeless } = joinRequest;
    const request = version === 0 ? timeless : { ...timeless, rebalanceTimeoutMs };
    let joined = await client.ask('JoinGroup', version, request);
    if (version >= 4) {
      assert.equal(joined.errorCode, errorCodes.MEMBER_ID_REQUIRED);
      assert.match(joined.memberId, /^wire-client-/);
      assert.equal(joined.generationId, -1);
      joined = await client.ask('JoinGroup', version, { ...request, memberId: joined.memberId });
    }
    const { memberId } = joined;
    assert.equal(joined.errorCode, errorCodes.NONE);
    assert.equal(joined.generationId, 1);
    assert.equal(joined.protocolName, 'range');
    assert.equal(joined.protocolType, version >= 7 ? 'consumer' : null);
    assert.equal(joined.leader, memberId);
    assert.deepEqual(
      joined.members.map((member) => [member.memberId, Buffer.from(member.metadata)]),
      [[memberId, Buffer.from(subscription)]],
    );
    const member = { groupId: 'g', generationId: 1, memberId };
    const syncVersion = Math.min(version, 5);
    const synced = await client.ask('SyncGroup', syncVersion, {
      ...member,
      ...(syncVersion >= 5 && { protocolType: 'consumer', protocolName: 'range' }),
      assignments: [{ memberId, assignment: Buffer.from('mine') }],
    });
    assert.equal(synced.errorCode, errorCodes.NONE);
    assert.equal(Buffer.from(synced.assignment).toString(), 'mine');
    assert.equal(synced.protocolName, syncVersion >= 5 ? 'range' : null);
    const beat = await client.ask('Heartbeat', Math.min(version, 4), member);
    assert.equal(beat.errorCode, errorCodes.NONE);
    const leaveVersion = Math.min(version, 5);
    const left = await client.ask(
      'LeaveGroup',
      leaveVersion,
      leaveVersion < 3
        ? { groupId: 'g', memberId }
        : { groupId: 'g', members: [{ memberId, groupInstanceId: null }] },
    );
    assert.equal(left.errorCode, errorCodes.NONE);
    if (leaveVersion >= 3) {
      assert.deepEqual(left.members, [{ memberId, groupInstanceId: null, errorCode: 0 }]);
    }
    assert.equal(broker.coordinator.describe('g').state, 'empty');
  });
}

test('a member that nobody knows is told so by every request', async (t) => {
  const { connect } = await openGroupDoor(t);
  const client = await connect();
  const member = { groupId: 'g', generationId: 1, memberId: 'nobody' };
  const unknown = errorCodes.UNKNOWN_MEMBER_ID;
  const newJoin = await client.ask('JoinGroup', 9, { ...joinRequest, memberId: 'nobody' });
  assert.equal(newJoin.errorCode, unknown);
  assert.equal(newJoin.memberId, 'nobody');
  assert.equal(newJoin.protocolName, null);
  const oldJoin = await client.ask('JoinGroup', 5, { ...joinRequest, memberId: 'nobody' });
  assert.equal(oldJoin.protocolName, '');
  const sync = await client.ask('SyncGroup', 3, { ...member, assignments: [] });
  assert.equal(sync.errorCode, unknown);
  assert.equal((await client.ask('Heartbeat', 4, member)).errorCode, unknown);
  const oldLeave = await client.ask('LeaveGroup', 2, { groupId: 'g', memberId: 'nobody' });
  assert.equal(oldLeave.errorCode, unknown);
  const leave = await client.ask('LeaveGroup', 5, {
    groupId: 'g',
    members: [{ memberId: 'nobody', groupInstanceId: 'one' }],
  });
  assert.equal(leave.errorCode, errorCodes.NONE);
  assert.deepEqual(leave.members, [
    { memberId: 'nobody', groupInstanceId: 'one', errorCode: unknown },
  ]);
});

test('LeaveGroup takes members of the consumer protocol as well', async (t) => {
  const { broker, connect } = await openGroupDoor(t);
  const client = await connect();
  for (const memberId of ['m1', 'm2', 'm3']) {
    const { errorCode } = await client.ask('ConsumerGroupHeartbeat', 1, {
      groupId: 'g',
      memberId,
      memberEpoch: 0,
      instanceId: `i-${memberId}`,
      rebalanceTimeoutMs: 60_000,
      subscribedTopicNames: ['orders'],
      topicPartitions: [],
    });
    assert.equal(errorCode, errorCodes.NONE);
  }
  const left = await client.ask('LeaveGroup', 5, {
    groupId: 'g',
    members: [
      { memberId: '', groupInstanceId: 'i-m1' },
      { memberId: 'm2', groupInstanceId: 'i-m2' },
      { memberId: 'm3', groupInstanceId: null },
      { memberId: 'm4', groupInstanceId: null },
      { memberId: 'm4', groupInstanceId: 'i-m3' },
    ],
  });
  const codes = left.members?.map(({ errorCode }) => errorCode);
  const { NONE, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID } = errorCodes;
  assert.deepEqual(codes, [NONE, NONE, NONE, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID]);
  assert.deepEqual(broker.coordinator.describeManaged('g')?.members, []);
});

test('an empty group id is refused where members need one', async (t) => {
  const { connect } = await openGroupDoor(t);
  const client = await connect();
  const member = { groupId: '', generationId: 1, memberId: 'x' };
  const invalid = errorCodes.INVALID_GROUP_ID;
  const nameless = await client.ask('JoinGroup', 9, { ...joinRequest, groupId: '' });
  assert.equal(nameless.errorCode, invalid);
  const sync = await client.ask('SyncGroup', 3, { ...member, assignments: [] });
  assert.equal(sync.errorCode, invalid);
  assert.equal((await client.ask('Heartbeat', 4, member)).errorCode, invalid);
  const leave = await client.ask('LeaveGroup', 5, { groupId: '', members: [] });
  assert.equal(leave.errorCode, invalid);
  const forget = await client.ask('OffsetDelete', 0, { groupId: '', topics: [] });
  assert.equal(forget.errorCode, invalid);
});

test('SyncGroup 5 must name the protocol', async (t) => {
  const { connect } = await openGroupDoor(t);
  const client = await connect();
  const { memberId } = await join(client);
  const sync = { groupId: 'g', generationId: 1, memberId, assignments: [] };
  const unnamed = await client.ask('SyncGroup', 5, sync);
  assert.equal(unnamed.errorCode, errorCodes.INCONSISTENT_GROUP_PROTOCOL);
  const wrong = { protocolType: 'consumer', protocolName: 'other' };
  const misnamed = await client.ask('SyncGroup', 5, { ...sync, ...wrong });
  assert.equal(misnamed.errorCode, errorCodes.INCONSISTENT_GROUP_PROTOCOL);
});

test('a static member is replaced, its old self fenced, its leadership kept from old clients', async (t) => {
  const { connect } = await openGroupDoor(t);
  const client = await connect();
  const groupInstanceId = 'one';
  const first = await client.ask('JoinGroup', 9, { ...joinRequest, groupInstanceId });
  const { memberId } = first;
  assert.equal(first.members[0]?.groupInstanceId, groupInstanceId);
  const old = { groupId: 'g', generationId: 1, memberId, groupInstanceId };
  const assignments = [{ memberId, assignment: Buffer.from('mine') }];
  await client.ask('SyncGroup', 3, { ...old, assignments });
  const again = await client.ask('JoinGroup', 9, { ...joinRequest, groupInstanceId });
  assert.equal(again.skipAssignment, true);
  assert.equal(again.leader, again.memberId);
  const older = await client.ask('JoinGroup', 5, { ...joinRequest, groupInstanceId });
  assert.equal(older.generationId, 1);
  assert.equal(older.leader, again.memberId);
  assert.notEqual(older.memberId, again.memberId);
  const fenced = await client.ask('Heartbeat', 3, old);
  assert.equal(fenced.errorCode, errorCodes.FENCED_INSTANCE_ID);
});

test('a member whose connection breaks while it waits does not hold up the others', async (t) => {
  const { connect, broker } = await openGroupDoor(t);
  const first = await connect();
  const { memberId } = await join(first);
  const second = await connect();
  const waiting = join(second);
  await until(() => broker.coordinator.describe('g').state === 'preparing-rebalance');
  second.close();
  await assert.rejects(waiting, /connection closed/);
  const third = join(await connect());
  await until(() => broker.coordinator.describe('g').members.length === 3);
  const member = { groupId: 'g', generationId: 1, memberId };
  const beat = await first.ask('Heartbeat', 3, member);
  assert.equal(beat.errorCode, errorCodes.REBALANCE_IN_PROGRESS);
  const again = await first.ask('JoinGroup', 3, { ...joinRequest, memberId });
  assert.equal(again.generationId, 2);
  assert.equal((await third).generationId, 2);
});

test('a member that waits for others is answered when the door closes', async (t) => {
  const { connect, broker, door } = await openGroupDoor(t);
  await join(await connect());
  const waiting = join(await connect());
  await until(() => broker.coordinator.describe('g').state === 'preparing-rebalance');
  const closing = door.close(10_000);
  assert.equal((await waiting).errorCode, errorCodes.NOT_COORDINATOR);
  await closing;
});

/** Joins as old clients do, at once. */
function join(client: WireClient) {
  return client.ask('JoinGroup', 3, joinRequest);
}
