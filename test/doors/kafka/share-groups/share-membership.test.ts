import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '../../../../src/base/index.ts';
import { errorCodes } from '../../../../src/doors/kafka/error-codes.ts';
import type { RequestInput } from '../../../../src/doors/kafka/wire/index.ts';
import { until } from '../../../support/until.ts';
import type { WireClient } from '../wire-client.ts';
import { ShareBed } from './share-bed.ts';
import { SkippingClock } from '../../../support/skipping-clock.ts';

type Heartbeat = RequestInput<'ShareGroupHeartbeat'>;

function beat(client: WireClient, fields: Partial<Heartbeat> = {}) {
  return client.ask('ShareGroupHeartbeat', 1, {
    groupId: 'g',
    memberId: 'm1',
    memberEpoch: 0,
    rackId: null,
    subscribedTopicNames: ['orders'],
    ...fields,
  });
}

/** A heartbeat that has nothing new to say. */
function goOn(client: WireClient, memberId: string, memberEpoch: number) {
  return beat(client, { memberId, memberEpoch, subscribedTopicNames: null });
}

async function openGroup(t: Parameters<typeof ShareBed.open>[0], clock?: SkippingClock) {
  const bed = await ShareBed.open(t, clock);
  await bed.broker.topics.create({ name: 'orders', partitions: 4 });
  return { bed, client: await bed.connect() };
}

async function describeGroup(client: WireClient, groupId = 'g') {
  const response = await client.ask('ShareGroupDescribe', 1, {
    groupIds: [groupId],
    includeAuthorizedOperations: false,
  });
  return response.groups[0]!;
}

describe('members of a share group', () => {
  it('are assigned all partitions, and share them anew when others come and go', async (t) => {
    const { client } = await openGroup(t);
    const first = await beat(client);
    assert.equal(first.errorCode, errorCodes.NONE);
    assert.equal(first.memberEpoch, 1);
    assert.deepEqual(first.assignment?.topicPartitions[0]?.partitions, [0, 1, 2, 3]);
    const same = await goOn(client, 'm1', 1);
    assert.equal(same.assignment, null);
    const second = await beat(client, { memberId: 'm2' });
    assert.deepEqual(second.assignment?.topicPartitions[0]?.partitions, [1, 3]);
    const told = await goOn(client, 'm1', 1);
    assert.equal(told.memberEpoch, second.memberEpoch);
    assert.deepEqual(told.assignment?.topicPartitions[0]?.partitions, [0, 2]);
    const left = await goOn(client, 'm2', -1);
    assert.deepEqual([left.errorCode, left.memberEpoch], [errorCodes.NONE, -1]);
    const alone = await goOn(client, 'm1', told.memberEpoch);
    assert.deepEqual(alone.assignment?.topicPartitions[0]?.partitions, [0, 1, 2, 3]);
  });

  it('hear of topics and partitions that come later', async (t) => {
    const { bed, client } = await openGroup(t);
    const first = await beat(client, { subscribedTopicNames: ['later'] });
    assert.deepEqual(first.assignment?.topicPartitions, []);
    const { id } = await bed.broker.topics.create({ name: 'later', partitions: 1 });
    const second = await goOn(client, 'm1', first.memberEpoch);
    assert.deepEqual(second.assignment?.topicPartitions, [{ topicId: id, partitions: [0] }]);
    await bed.broker.topics.setPartitionCount('later', 2);
    const third = await goOn(client, 'm1', second.memberEpoch);
    assert.deepEqual(third.assignment?.topicPartitions, [{ topicId: id, partitions: [0, 1] }]);
  });

  it('are told what is wrong with a heartbeat', async (t) => {
    const { client } = await openGroup(t);
    await beat(client);
    await beat(client, { memberId: 'm2' });
    await goOn(client, 'm1', 1);
    const cases: Array<[string, Partial<Heartbeat>, number]> = [
      ['no group', { groupId: ' ' }, errorCodes.INVALID_REQUEST],
      ['no member id', { memberId: '' }, errorCodes.INVALID_REQUEST],
      ['strange epoch', { memberEpoch: -2 }, errorCodes.INVALID_REQUEST],
      ['no topics', { memberId: 'm3', subscribedTopicNames: [] }, errorCodes.INVALID_REQUEST],
      ['empty rack', { rackId: '' }, errorCodes.INVALID_REQUEST],
      ['unknown member', { memberId: 'm3', memberEpoch: 3 }, errorCodes.UNKNOWN_MEMBER_ID],
      ['unknown leaver', { memberId: 'm3', memberEpoch: -1 }, errorCodes.UNKNOWN_MEMBER_ID],
      ['a greater epoch', { memberEpoch: 9 }, errorCodes.FENCED_MEMBER_EPOCH],
      ['the epoch before', { memberEpoch: 1 }, errorCodes.NONE],
      ['joining again', {}, errorCodes.NONE],
    ];
    for (const [name, fields, errorCode] of cases) {
      const response = await beat(client, fields);
      assert.equal(response.errorCode, errorCode, `${name}: ${response.errorMessage}`);
    }
  });

  it('that send no heartbeats are removed, and what they acquired is given back', async (t) => {
    const clock = new SkippingClock(true);
    const { bed, client } = await openGroup(t, clock);
    await bed.configure('g', { 'share.record.lock.duration.ms': '60000' });
    await beat(client);
    await bed.publish('orders', ['a']);
    const dead = await bed.member('g', 'orders', 'm1');
    assert.equal((await dead.fetch()).length, 1);
    clock.skip(40_000);
    await beat(client, { memberId: 'm2' });
    clock.skip(10_000);
    const heir = await bed.member('g', 'orders', 'm2');
    assert.equal((await heir.fetch())[0]?.value, 'a');
    const { members } = await describeGroup(client);
    assert.deepEqual(
      members.map(({ memberId }) => memberId),
      ['m2'],
    );
    assert.equal((await goOn(client, 'm1', 1)).errorCode, errorCodes.UNKNOWN_MEMBER_ID);
  });

  it('are bounded in number', async (t) => {
    const { client } = await openGroup(t);
    const joined = Array.from({ length: 200 }, (_, index) =>
      beat(client, { memberId: `member-${index}` }),
    );
    assert.ok((await Promise.all(joined)).every(({ errorCode }) => errorCode === errorCodes.NONE));
    const { errorCode } = await beat(client, { memberId: 'one-too-many' });
    assert.equal(errorCode, errorCodes.GROUP_MAX_SIZE_REACHED);
  });

  it('are refused when all that they subscribe to is too long', async (t) => {
    const { client } = await openGroup(t);
    const name = 'n'.repeat(limits.wireTextBytesMax);
    const subscribe = async (memberId: string, share: number, groupId = 'g') => {
      const count = Math.floor((limits.groupMembersBytesMax * share) / name.length);
      const subscribedTopicNames = Array.from({ length: count }, () => name);
      const { errorCode } = await beat(client, { groupId, memberId, subscribedTopicNames });
      return errorCode;
    };
    // A name that is there twice counts once when it is kept.
    assert.equal(await subscribe('m1', 0.9), errorCodes.NONE);
    const many = Array.from({ length: 600 }, (_, index) => `${index}`.padEnd(name.length, 'n'));
    const first = await beat(client, { memberId: 'm1', subscribedTopicNames: many });
    assert.equal(first.errorCode, errorCodes.NONE);
    assert.equal(await subscribe('m2', 0.6), errorCodes.GROUP_MAX_SIZE_REACHED);
    assert.equal((await describeGroup(client)).members.length, 1);
    assert.equal(await subscribe('m2', 0.2), errorCodes.NONE);
    assert.equal(await subscribe('m', 1.1, 'other'), errorCodes.GROUP_MAX_SIZE_REACHED);
  });

  it('get what is published after their first heartbeat', async (t) => {
    const { bed, client } = await openGroup(t);
    await bed.publish('orders', ['before']);
    await beat(client);
    await bed.publish('orders', ['after']);
    const member = await bed.member('g', 'orders', 'm1');
    assert.deepEqual(
      (await member.fetch()).map(({ value }) => value),
      ['after'],
    );
  });
});

describe('share groups and other groups', () => {
  it('do not share an id', async (t) => {
    const { bed, client } = await openGroup(t);
    const topicId = bed.broker.topics.find('orders')!.id;
    await bed.broker
      .groupsFor('classic')
      .commit('classic', undefined, [
        { topicId, partition: 0, offset: 0, leaderEpoch: -1, metadata: '' },
      ]);
    const refused = await beat(client, { groupId: 'classic' });
    assert.equal(refused.errorCode, errorCodes.GROUP_ID_NOT_FOUND);
    await beat(client);
    const join = await client.ask('JoinGroup', 9, {
      groupId: 'g',
      memberId: '',
      sessionTimeoutMs: 300_000,
      rebalanceTimeoutMs: 300_000,
      groupInstanceId: null,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: new Uint8Array(0) }],
      reason: null,
    });
    assert.equal(join.errorCode, errorCodes.INCONSISTENT_GROUP_PROTOCOL);
  });

  it('are listed by type and state', async (t) => {
    const { client } = await openGroup(t);
    await beat(client);
    await beat(client, { groupId: 'h' });
    await goOn(client, 'm1', -1);
    const list = async (statesFilter: string[], typesFilter: string[]) => {
      const { groups } = await client.ask('ListGroups', 5, { statesFilter, typesFilter });
      return groups.map(({ groupId, groupState, groupType, protocolType }) =>
        [groupId, groupState, groupType, protocolType].join(' '),
      );
    };
    assert.deepEqual(await list([], ['share']), ['g Empty share share', 'h Stable share share']);
    assert.deepEqual(await list(['stable'], []), ['h Stable share share']);
    assert.deepEqual(await list([], ['classic']), []);
  });

  it('are described', async (t) => {
    const { bed, client } = await openGroup(t);
    await beat(client, { rackId: 'r' });
    const group = await describeGroup(client);
    assert.equal(group.groupState, 'Stable');
    assert.equal(group.assignorName, 'simple');
    const [member] = group.members;
    assert.equal(member?.rackId, 'r');
    assert.equal(member.clientId, 'wire-client');
    assert.deepEqual(member.subscribedTopicNames, ['orders']);
    assert.deepEqual(member.assignment.topicPartitions, [
      {
        topicId: bed.broker.topics.find('orders')!.id,
        topicName: 'orders',
        partitions: [0, 1, 2, 3],
      },
    ]);
    const missing = await describeGroup(client, 'none');
    assert.deepEqual(
      [missing.errorCode, missing.groupState],
      [errorCodes.GROUP_ID_NOT_FOUND, 'Dead'],
    );
  });

  it('are found where every group is', async (t) => {
    const { bed, client } = await openGroup(t);
    for (const keyType of [0, 2]) {
      const { coordinators } = await client.ask('FindCoordinator', 6, {
        keyType,
        coordinatorKeys: ['g'],
      });
      assert.equal(coordinators[0]?.port, bed.door.port);
    }
  });

  it('are deleted when they have no members', async (t) => {
    const { bed, client } = await openGroup(t);
    await beat(client);
    const remove = async () =>
      (await client.ask('DeleteGroups', 2, { groupsNames: ['g'] })).results[0]?.errorCode;
    assert.equal(await remove(), errorCodes.NON_EMPTY_GROUP);
    await goOn(client, 'm1', -1);
    assert.equal(await remove(), errorCodes.NONE);
    assert.equal(bed.broker.queues.find('', 'orders', 'g'), undefined);
    assert.equal(await remove(), errorCodes.GROUP_ID_NOT_FOUND);
    await until(() => bed.broker.queues.list().length === 0);
  });
});
