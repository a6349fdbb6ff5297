import assert from 'node:assert/strict';
import test from 'node:test';
import { errorCodes } from '../../../../src/doors/kafka/error-codes.ts';
import { WireClient } from '../wire-client.ts';
import { RunningBroker } from './running-broker.ts';

test('members carry on with their generation, work and offsets when the broker restarts', async (t) => {
  const broker = await RunningBroker.start(t);
  let client = await WireClient.connect(broker.port);
  const groupInstanceId = 'one';
  const joined = await client.ask('JoinGroup', 9, {
    groupId: 'g',
    sessionTimeoutMs: 300_000,
    rebalanceTimeoutMs: 300_000,
    memberId: '',
    groupInstanceId,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: Buffer.from('about me') }],
  });
  const { memberId, generationId } = joined;
  const member = { groupId: 'g', generationId, memberId, groupInstanceId };
  const assignments = [{ memberId, assignment: Buffer.from('mine') }];
  await client.ask('SyncGroup', 3, { ...member, assignments });
  const partitions = [{ partitionIndex: 2, committedOffset: 42, committedMetadata: 'note' }];
  const { topics } = await client.ask('OffsetCommit', 9, {
    groupId: 'g',
    generationIdOrMemberEpoch: generationId,
    memberId,
    groupInstanceId,
    topics: [{ name: 'orders', partitions }],
  });
  assert.equal(topics[0]!.partitions[0]!.errorCode, errorCodes.NONE);

  client.close();
  await broker.restart();
  client = await WireClient.connect(broker.port);
  t.after(() => client.close());
  assert.equal((await client.ask('Heartbeat', 4, member)).errorCode, errorCodes.NONE);
  const synced = await client.ask('SyncGroup', 3, { ...member, assignments: [] });
  assert.equal(Buffer.from(synced.assignment).toString(), 'mine');
  const { groups } = await client.ask('OffsetFetch', 9, {
    groups: [{ groupId: 'g', topics: null }],
  });
  const [found] = groups[0]!.topics[0]!.partitions;
  assert.deepEqual(
    [found?.partitionIndex, found?.committedOffset, found?.metadata],
    [2, 42, 'note'],
  );
});

test('members whose work the broker divides go on with their epoch when the broker restarts', async (t) => {
  const broker = await RunningBroker.start(t);
  let client = await WireClient.connect(broker.port);
  const join = (memberId: string) =>
    client.ask('ConsumerGroupHeartbeat', 1, {
      groupId: 'g',
      memberId,
      memberEpoch: 0,
      rebalanceTimeoutMs: 60_000,
      subscribedTopicNames: null,
      subscribedTopicRegex: 'ord.*',
      topicPartitions: [],
    });
  const { memberEpoch, assignment } = await join('m1');
  assert.equal(assignment?.topicPartitions[0]?.partitions.length, 6);
  const topicId = assignment?.topicPartitions[0]?.topicId ?? '';
  await join('m2');
  const describe = async () => {
    const request = { groupIds: ['g'], includeAuthorizedOperations: false };
    return (await client.ask('ConsumerGroupDescribe', 1, request)).groups;
  };
  const before = await describe();

  client.close();
  await broker.restart();
  client = await WireClient.connect(broker.port);
  t.after(() => client.close());
  assert.deepEqual(await describe(), before);
  const beat = { groupId: 'g', memberId: 'm1', memberEpoch };
  const told = await client.ask('ConsumerGroupHeartbeat', 1, beat);
  assert.deepEqual(told.assignment?.topicPartitions, [{ topicId, partitions: [0, 1, 2] }]);
  const owned = [{ topicId, partitions: [0, 1, 2] }];
  const next = await client.ask('ConsumerGroupHeartbeat', 1, { ...beat, topicPartitions: owned });
  assert.equal(next.memberEpoch, memberEpoch + 1);
  const other = { groupId: 'g', memberId: 'm2', memberEpoch: memberEpoch + 1 };
  const got = await client.ask('ConsumerGroupHeartbeat', 1, other);
  assert.deepEqual(got.assignment?.topicPartitions, [{ topicId, partitions: [3, 4, 5] }]);
});

test('a group that was deleted stays deleted', async (t) => {
  const broker = await RunningBroker.start(t);
  let client = await WireClient.connect(broker.port);
  const partitions = [{ partitionIndex: 0, committedOffset: 1, committedMetadata: '' }];
  const topics = [{ name: 'orders', partitions }];
  await client.ask('OffsetCommit', 9, { groupId: 'gone', memberId: '', topics });
  await client.ask('OffsetCommit', 9, { groupId: 'kept', memberId: '', topics });
  await client.ask('DeleteGroups', 2, { groupsNames: ['gone'] });
  client.close();
  await broker.restart();
  client = await WireClient.connect(broker.port);
  t.after(() => client.close());
  const { groups } = await client.ask('ListGroups', 5, {});
  assert.deepEqual(
    groups.map(({ groupId }) => groupId),
    ['kept'],
  );
});
