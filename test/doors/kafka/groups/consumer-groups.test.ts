import assert from 'node:assert/strict';
import test, { describe, type TestContext } from 'node:test';
import { errorCodes } from '../../../../src/doors/kafka/error-codes.ts';
import {
  encodeConsumerSubscription,
  type RequestInput,
} from '../../../../src/doors/kafka/wire/index.ts';
import type { WireClient } from '../wire-client.ts';
import { openGroupDoor } from './group-door.ts';

type Beat = RequestInput<'ConsumerGroupHeartbeat'>;

const first = {
  groupId: 'g',
  memberId: 'm1',
  memberEpoch: 0,
  rebalanceTimeoutMs: 60_000,
  subscribedTopicNames: ['orders'],
  topicPartitions: [],
} satisfies Beat;

async function open(t: TestContext) {
  const { broker, connect } = await openGroupDoor(t);
  const client = await connect();
  const topicId = broker.topics.find('orders')?.id ?? '';
  return { broker, client, topicId, connect };
}

function beat(client: WireClient, request: Partial<Beat> = {}, version = 1) {
  return client.ask('ConsumerGroupHeartbeat', version, { ...first, ...request });
}

for (const [name, subscription] of [
  ['no topics', { subscribedTopicNames: [] }],
  ['an empty pattern', { subscribedTopicNames: null, subscribedTopicRegex: '' }],
] as const) {
  test(`a member with ${name} joins, and has nothing until it names some`, async (t) => {
    const { client, topicId } = await open(t);
    const joined = await beat(client, subscription);
    assert.equal(joined.errorCode, errorCodes.NONE, joined.errorMessage ?? '');
    assert.deepEqual(joined.assignment, { topicPartitions: [] });
    const { memberEpoch } = joined;
    const named = { groupId: 'g', memberId: 'm1', memberEpoch, subscribedTopicNames: ['orders'] };
    const { assignment } = await client.ask('ConsumerGroupHeartbeat', 1, named);
    assert.deepEqual(assignment, { topicPartitions: [{ topicId, partitions: [0, 1] }] });
  });
}

for (const version of [0, 1]) {
  test(`ConsumerGroupHeartbeat ${version} joins, stays and leaves`, async (t) => {
    const { client, topicId } = await open(t);
    const joined = await beat(client, {}, version);
    assert.equal(joined.errorCode, errorCodes.NONE, joined.errorMessage ?? '');
    assert.equal(joined.memberId, 'm1');
    assert.equal(joined.memberEpoch, 1);
    assert.equal(joined.heartbeatIntervalMs, 5000);
    assert.deepEqual(joined.assignment, { topicPartitions: [{ topicId, partitions: [0, 1] }] });
    const same = { groupId: 'g', memberId: 'm1', memberEpoch: 1 };
    const stayed = await client.ask('ConsumerGroupHeartbeat', version, same);
    assert.equal(stayed.assignment, null);
    const left = await client.ask('ConsumerGroupHeartbeat', version, { ...same, memberEpoch: -1 });
    assert.deepEqual([left.errorCode, left.memberEpoch], [errorCodes.NONE, -1]);
    const gone = await client.ask('ConsumerGroupHeartbeat', version, same);
    assert.equal(gone.errorCode, errorCodes.UNKNOWN_MEMBER_ID);
  });

  test(`ConsumerGroupDescribe ${version} tells all of a group`, async (t) => {
    const { client, connect } = await open(t);
    await beat(client, { instanceId: 'i1', rackId: 'r1', serverAssignor: 'range' });
    const other = await connect();
    await other.ask('OffsetCommit', 2, {
      groupId: 'other',
      memberId: '',
      topics: [
        {
          name: 'orders',
          partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: '' }],
        },
      ],
    });
    const request = { groupIds: ['g', 'other', 'none'], includeAuthorizedOperations: false };
    const { groups } = await client.ask('ConsumerGroupDescribe', version, request);
    const [group, classic, missing] = groups;
    assert.equal(group?.groupState, 'Stable');
    assert.equal(group?.assignorName, 'range');
    assert.deepEqual([group?.groupEpoch, group?.assignmentEpoch], [1, 1]);
    const [member] = group?.members ?? [];
    assert.deepEqual([member?.instanceId, member?.rackId], ['i1', 'r1']);
    assert.deepEqual(member?.subscribedTopicNames, ['orders']);
    assert.equal(member?.assignment.topicPartitions[0]?.topicName, 'orders');
    assert.deepEqual(member?.targetAssignment.topicPartitions[0]?.partitions, [0, 1]);
    assert.equal(member?.memberType, version >= 1 ? 1 : -1);
    assert.equal(classic?.errorCode, errorCodes.GROUP_ID_NOT_FOUND);
    assert.match(classic?.errorMessage ?? '', /is not a consumer group/);
    assert.equal(missing?.errorCode, errorCodes.GROUP_ID_NOT_FOUND);
  });
}

const invalid: ReadonlyArray<[name: string, request: Partial<Beat>, version?: number]> = [
  ['an empty group id', { groupId: '' }],
  ['an empty member id', { memberId: '' }],
  ['an empty member id of a member', { memberId: '', memberEpoch: 1 }, 0],
  ['an empty instance id', { instanceId: '' }],
  ['an empty rack id', { rackId: ' ' }],
  ['an epoch that stands for nothing', { memberEpoch: -3 }],
  ['no rebalance timeout', { rebalanceTimeoutMs: -1 }],
  ['no partitions', { topicPartitions: null }],
  [
    'partitions at the start',
    { topicPartitions: [{ topicId: '00000000-0000-0000-0000-000000000001', partitions: [0] }] },
  ],
  ['no subscription', { subscribedTopicNames: null }],
  ['a leave for a while without an instance id', { memberEpoch: -2 }],
];

describe('a heartbeat is invalid with', () => {
  for (const [name, request, version = 1] of invalid) {
    test(name, async (t) => {
      const { client } = await open(t);
      const answer = await beat(client, request, version);
      assert.equal(answer.errorCode, errorCodes.INVALID_REQUEST);
      assert.notEqual(answer.errorMessage, null);
    });
  }
});

const refused: ReadonlyArray<[name: string, request: Partial<Beat>, code: number]> = [
  [
    'an assignor that is not known',
    { memberId: 'm2', serverAssignor: 'best' },
    errorCodes.UNSUPPORTED_ASSIGNOR,
  ],
  [
    'a pattern that is none',
    { memberId: 'm2', subscribedTopicRegex: '(' },
    errorCodes.INVALID_REGULAR_EXPRESSION,
  ],
  ['an epoch of the future', { memberEpoch: 5 }, errorCodes.FENCED_MEMBER_EPOCH],
  ['a member that never joined', { memberId: 'm2', memberEpoch: 1 }, errorCodes.UNKNOWN_MEMBER_ID],
  ['a group that is not there', { groupId: 'none', memberEpoch: 1 }, errorCodes.GROUP_ID_NOT_FOUND],
  [
    'the instance id of another',
    { memberId: 'm2', instanceId: 'i1' },
    errorCodes.UNRELEASED_INSTANCE_ID,
  ],
  [
    'the instance id of another, later',
    { memberId: 'm2', memberEpoch: 1, instanceId: 'i1' },
    errorCodes.FENCED_INSTANCE_ID,
  ],
  [
    'an instance id that nobody has',
    { memberEpoch: 1, instanceId: 'i9' },
    errorCodes.UNKNOWN_MEMBER_ID,
  ],
];

describe('a heartbeat is refused with', () => {
  for (const [name, request, code] of refused) {
    test(name, async (t) => {
      const { client } = await open(t);
      await beat(client);
      await beat(client, { memberId: 'static', instanceId: 'i1' });
      assert.equal((await beat(client, request)).errorCode, code);
    });
  }
});

test('a member subscribes by a pattern', async (t) => {
  const { broker, client } = await open(t);
  await broker.topics.create({ name: 'orders-eu', partitions: 1 });
  const joined = await beat(client, {
    subscribedTopicNames: null,
    subscribedTopicRegex: 'orders-.+',
  });
  const names = joined.assignment?.topicPartitions.map(
    ({ topicId }) => broker.topics.findById(topicId)?.name,
  );
  assert.deepEqual(names, ['orders-eu']);
});

test('a member that waits for partitions of others is asked to come back sooner', async (t) => {
  const { client } = await open(t);
  await beat(client);
  const waiting = await beat(client, { memberId: 'm2' });
  assert.deepEqual(waiting.assignment, { topicPartitions: [] });
  assert.equal(waiting.heartbeatIntervalMs, 500);
});

test('lists and descriptions tell the kinds of groups apart', async (t) => {
  const { client } = await open(t);
  await beat(client);
  const list = async (types: string[], states: string[] = []) => {
    const request = { typesFilter: types, statesFilter: states };
    const { groups } = await client.ask('ListGroups', 5, request);
    return groups.map(({ groupId, groupType, groupState }) => [groupId, groupType, groupState]);
  };
  const expected = [['g', 'consumer', 'Stable']];
  assert.deepEqual(await list([]), expected);
  assert.deepEqual(await list(['Consumer'], ['stable']), expected);
  assert.deepEqual(await list(['classic']), []);
  assert.deepEqual(await list([], ['empty']), []);
  for (const version of [5, 6]) {
    const { groups } = await client.ask('DescribeGroups', version, { groups: ['g'] });
    assert.equal(groups[0]?.groupState, 'Dead');
    const code = version >= 6 ? errorCodes.GROUP_ID_NOT_FOUND : errorCodes.NONE;
    assert.equal(groups[0]?.errorCode, code);
  }
});

test('offsets are committed and fetched with the epoch of the member', async (t) => {
  const { client, topicId } = await open(t);
  await beat(client);
  const commit = async (memberId: string, epoch: number) => {
    const partition = { partitionIndex: 0, committedOffset: 7, committedMetadata: '' };
    const { topics } = await client.ask('OffsetCommit', 10, {
      groupId: 'g',
      memberId,
      generationIdOrMemberEpoch: epoch,
      topics: [{ topicId, partitions: [partition] }],
    });
    return topics[0]?.partitions[0]?.errorCode;
  };
  assert.equal(await commit('m1', 1), errorCodes.NONE);
  assert.equal(await commit('m1', 2), errorCodes.STALE_MEMBER_EPOCH);
  assert.equal(await commit('m2', 1), errorCodes.UNKNOWN_MEMBER_ID);
  for (const [version, expected] of [
    [8, errorCodes.UNSUPPORTED_VERSION],
    [9, errorCodes.NONE],
  ] as const) {
    const named = await client.ask('OffsetCommit', version, {
      groupId: 'g',
      memberId: 'm1',
      generationIdOrMemberEpoch: 1,
      topics: [
        {
          name: 'orders',
          partitions: [{ partitionIndex: 0, committedOffset: 7, committedMetadata: '' }],
        },
      ],
    });
    assert.equal(named.topics[0]?.partitions[0]?.errorCode, expected);
  }
  const fetch = async (memberId: string | null, memberEpoch: number) => {
    const topics = [{ topicId, partitionIndexes: [0] }];
    const request = { groups: [{ groupId: 'g', memberId, memberEpoch, topics }] };
    const { groups } = await client.ask('OffsetFetch', 10, request);
    return [groups[0]?.errorCode, groups[0]?.topics[0]?.partitions[0]?.committedOffset];
  };
  assert.deepEqual(await fetch('m1', 1), [errorCodes.NONE, 7]);
  assert.deepEqual(await fetch(null, -1), [errorCodes.NONE, 7]);
  assert.deepEqual(await fetch('m1', 3), [errorCodes.STALE_MEMBER_EPOCH, undefined]);
  assert.deepEqual(await fetch('m2', 1), [errorCodes.UNKNOWN_MEMBER_ID, undefined]);
});

test('offsets of a topic that the group subscribes to are not deleted, nor is the group', async (t) => {
  const { client } = await open(t);
  await beat(client);
  const { topics } = await client.ask('OffsetDelete', 0, {
    groupId: 'g',
    topics: [{ name: 'orders', partitions: [{ partitionIndex: 0 }] }],
  });
  assert.equal(topics[0]?.partitions[0]?.errorCode, errorCodes.GROUP_SUBSCRIBED_TO_TOPIC);
  const remove = async () => {
    const { results } = await client.ask('DeleteGroups', 2, { groupsNames: ['g'] });
    return results[0]?.errorCode;
  };
  assert.equal(await remove(), errorCodes.NON_EMPTY_GROUP);
  await beat(client, { memberEpoch: -1 });
  assert.equal(await remove(), errorCodes.NONE);
  assert.equal(await remove(), errorCodes.GROUP_ID_NOT_FOUND);
});

test('a member that joins with JoinGroup takes part', async (t) => {
  const { client, connect } = await open(t);
  await beat(client);
  const classic = await connect();
  const metadata = encodeConsumerSubscription(1, {
    topics: ['orders'],
    userData: null,
    ownedPartitions: [],
  });
  const joined = await classic.ask('JoinGroup', 5, {
    groupId: 'g',
    sessionTimeoutMs: 300_000,
    rebalanceTimeoutMs: 300_000,
    memberId: '',
    groupInstanceId: 'one',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata }],
  });
  assert.equal(joined.errorCode, errorCodes.NONE);
  assert.equal(joined.generationId, 2);
  const { memberId } = joined;
  const identity = { groupId: 'g', generationId: 2, memberId, groupInstanceId: 'one' };
  const synced = await classic.ask('SyncGroup', 3, { ...identity, assignments: [] });
  assert.equal(synced.errorCode, errorCodes.NONE);
  assert.equal((await classic.ask('Heartbeat', 3, identity)).errorCode, errorCodes.NONE);
  const described = await client.ask('ConsumerGroupDescribe', 1, {
    groupIds: ['g'],
    includeAuthorizedOperations: false,
  });
  const kinds = described.groups[0]?.members.map(({ memberType }) => memberType);
  assert.deepEqual(kinds, [1, 0]);
  const left = await classic.ask('LeaveGroup', 3, {
    groupId: 'g',
    members: [{ memberId: '', groupInstanceId: 'one' }],
  });
  assert.equal(left.members[0]?.errorCode, errorCodes.NONE);
});
