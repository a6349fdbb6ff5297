import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { limits } from '../../../../src/base/index.ts';
import { errorCodes } from '../../../../src/doors/kafka/error-codes.ts';
import { statusCodes } from '../../../../src/doors/kafka/streams-groups/topology.ts';
import type { RequestInput, ResponseOf } from '../../../../src/doors/kafka/wire/index.ts';
import { ShareBed } from '../share-groups/share-bed.ts';
import { SkippingClock } from '../../../support/skipping-clock.ts';
import type { WireClient } from '../wire-client.ts';
import { until } from '../../../support/until.ts';

type Heartbeat = RequestInput<'StreamsGroupHeartbeat'>;
type Answer = ResponseOf<'StreamsGroupHeartbeat'>;

const noTopics = { sourceTopicRegex: [], repartitionSinkTopics: [], copartitionGroups: [] };

function internal(name: string) {
  const topicConfigs = [{ key: 'cleanup.policy', value: 'compact' }];
  return { name, partitions: 0, replicationFactor: 0, topicConfigs };
}

/** Words are sent on by key, and counted. */
const counting: Heartbeat['topology'] = {
  epoch: 0,
  subtopologies: [
    {
      ...noTopics,
      subtopologyId: '0',
      sourceTopics: ['lines'],
      repartitionSinkTopics: ['app-words'],
      repartitionSourceTopics: [],
      stateChangelogTopics: [],
    },
    {
      ...noTopics,
      subtopologyId: '1',
      sourceTopics: [],
      repartitionSourceTopics: [{ ...internal('app-words'), topicConfigs: [] }],
      stateChangelogTopics: [internal('app-counts')],
    },
  ],
};

/** One task for each partition, without state. */
const plain: Heartbeat['topology'] = {
  epoch: 0,
  subtopologies: [{ ...counting.subtopologies[0]!, repartitionSinkTopics: [] }],
};

const joining = {
  rebalanceTimeoutMs: 60_000,
  topology: plain,
  activeTasks: [],
  standbyTasks: [],
  warmupTasks: [],
};

function beat(client: WireClient, memberId: string, fields: Partial<Heartbeat> = {}) {
  return client.ask('StreamsGroupHeartbeat', 0, {
    groupId: 'app',
    memberId,
    memberEpoch: 0,
    endpointInformationEpoch: 0,
    processId: `process-${memberId}`,
    ...joining,
    ...fields,
  });
}

/** A heartbeat after the first, which tells of tasks only. */
function goOn(client: WireClient, memberId: string, memberEpoch: number, owned?: number[]) {
  const tasks = [{ subtopologyId: '0', partitions: owned ?? [] }];
  const told = { activeTasks: tasks, standbyTasks: [], warmupTasks: [] };
  return client.ask('StreamsGroupHeartbeat', 0, {
    groupId: 'app',
    memberId,
    memberEpoch,
    endpointInformationEpoch: 0,
    ...(owned === undefined ? {} : told),
  });
}

async function open(t: TestContext, clock?: SkippingClock) {
  const bed = await ShareBed.open(t, clock);
  await bed.broker.topics.create({ name: 'lines', partitions: 4 });
  const client = await bed.connect();
  await client.ask('FindCoordinator', 4, { keyType: 0, coordinatorKeys: ['app'] });
  await bed.configure('app', { 'streams.initial.rebalance.delay.ms': '0' });
  return { bed, client };
}

function activeOf({ activeTasks }: Answer, subtopologyId = '0'): number[] | undefined {
  if (activeTasks === null) return undefined;
  return activeTasks.find((each) => each.subtopologyId === subtopologyId)?.partitions ?? [];
}

function inOrder(partitions: readonly number[]): number[] {
  return partitions.toSorted((left, right) => left - right);
}

async function describeGroup(client: WireClient, groupId = 'app') {
  const response = await client.ask('StreamsGroupDescribe', 0, {
    groupIds: [groupId],
    includeAuthorizedOperations: false,
  });
  return response.groups[0]!;
}

async function commit(client: WireClient, memberId: string, epoch: number, partition = 0) {
  const partitions = [{ partitionIndex: partition, committedOffset: 5, committedMetadata: '' }];
  const response = await client.ask('OffsetCommit', 9, {
    groupId: 'app',
    generationIdOrMemberEpoch: epoch,
    memberId,
    topics: [{ name: 'lines', partitions }],
  });
  return response.topics[0]?.partitions[0]?.errorCode;
}

describe('members of a streams group', () => {
  it('are not remembered with more offsets and tags than there may be', async (t) => {
    const { client } = await open(t);
    const offset = { subtopologyId: '0', partition: 0, offset: 1 };
    const taskOffsets = Array.from({ length: limits.streamsMemberTasksMax + 1 }, () => offset);
    const clientTags = Array.from({ length: limits.streamsMemberTagsMax + 1 }, (_, index) => ({
      key: `${index}`,
      value: 'x',
    }));
    const told = { taskOffsets, taskEndOffsets: taskOffsets, clientTags };
    assert.equal((await beat(client, 'm1', told)).errorCode, errorCodes.NONE);
    const { groups } = await client.ask('StreamsGroupDescribe', 0, {
      groupIds: ['app'],
      includeAuthorizedOperations: false,
    });
    const [member] = groups[0]!.members;
    assert.equal(member?.taskOffsets.length, limits.streamsMemberTasksMax);
    assert.equal(member?.taskEndOffsets.length, limits.streamsMemberTasksMax);
    assert.equal(member?.clientTags.length, limits.streamsMemberTagsMax);
  });

  it('get all tasks, and the internal topics that they need', async (t) => {
    const { bed, client } = await open(t);
    const answer = await beat(client, 'm1', { topology: counting });
    assert.equal(answer.errorCode, errorCodes.NONE, answer.errorMessage ?? '');
    assert.equal(answer.status, null);
    assert.deepEqual(activeOf(answer), [0, 1, 2, 3]);
    assert.deepEqual(activeOf(answer, '1'), [0, 1, 2, 3]);
    assert.deepEqual([answer.standbyTasks, answer.warmupTasks], [[], []]);
    assert.equal(bed.broker.topics.find('app-words')?.partitions.length, 4);
    const changelog = bed.broker.topics.find('app-counts');
    assert.deepEqual([changelog?.partitions.length, changelog?.options.cleanup], [4, 'compact']);
  });

  it('hand tasks over: who gets them waits until who had them has let go', async (t) => {
    const { client } = await open(t);
    const first = await beat(client, 'm1');
    assert.deepEqual(activeOf(first), [0, 1, 2, 3]);
    const second = await beat(client, 'm2');
    assert.deepEqual(activeOf(second), []);
    const told = await goOn(client, 'm1', first.memberEpoch);
    const kept = activeOf(told)!;
    assert.equal(kept.length, 2);
    assert.equal(told.memberEpoch, first.memberEpoch);
    const stillWaiting = await goOn(client, 'm2', second.memberEpoch);
    assert.equal(activeOf(stillWaiting), undefined);
    const done = await goOn(client, 'm1', first.memberEpoch, kept);
    assert.equal(done.memberEpoch, second.memberEpoch);
    const got = await goOn(client, 'm2', second.memberEpoch);
    assert.deepEqual(inOrder([...kept, ...activeOf(got)!]), [0, 1, 2, 3]);
    assert.equal((await describeGroup(client)).groupState, 'Stable');
  });

  it('get back what others leave', async (t) => {
    const { client } = await open(t);
    await beat(client, 'm1');
    const second = await beat(client, 'm2');
    const left = await goOn(client, 'm1', -1);
    assert.deepEqual([left.errorCode, left.memberEpoch], [errorCodes.NONE, -1]);
    assert.deepEqual(activeOf(await goOn(client, 'm2', second.memberEpoch)), [0, 1, 2, 3]);
  });

  it('are removed when they are not heard of, or do not let go in time', async (t) => {
    const clock = new SkippingClock(true);
    const { client } = await open(t, clock);
    await beat(client, 'm1', { rebalanceTimeoutMs: 10_000 });
    const second = await beat(client, 'm2');
    await goOn(client, 'm1', 1);
    clock.skip(11_000);
    await until(async () => (await describeGroup(client)).members.length === 1);
    assert.deepEqual(activeOf(await goOn(client, 'm2', second.memberEpoch)), [0, 1, 2, 3]);
    clock.skip(46_000);
    await until(async () => (await describeGroup(client)).groupState === 'Empty');
    const gone = await goOn(client, 'm2', second.memberEpoch);
    assert.equal(gone.errorCode, errorCodes.UNKNOWN_MEMBER_ID);
  });

  it('wait for each other when the group is new', async (t) => {
    const clock = new SkippingClock(true);
    const { bed, client } = await open(t, clock);
    await bed.configure('app', { 'streams.initial.rebalance.delay.ms': '3000' });
    const first = await beat(client, 'm1');
    const second = await beat(client, 'm2');
    assert.deepEqual([activeOf(first), activeOf(second)], [[], []]);
    assert.ok(first.heartbeatIntervalMs <= 500);
    clock.skip(3001);
    let told: number[] | undefined;
    await until(async () => {
      told = activeOf(await goOn(client, 'm1', first.memberEpoch, []));
      return told !== undefined;
    });
    assert.equal(told?.length, 2);
    const other = await goOn(client, 'm2', second.memberEpoch);
    assert.deepEqual(inOrder([...told, ...activeOf(other)!]), [0, 1, 2, 3]);
  });

  it('have standbys in other processes only', async (t) => {
    const { bed, client } = await open(t);
    await bed.configure('app', { 'streams.num.standby.replicas': '1' });
    const first = await beat(client, 'm1', { topology: counting, processId: 'p' });
    assert.deepEqual(first.standbyTasks, []);
    const second = await beat(client, 'm2', { topology: counting, processId: 'p' });
    assert.deepEqual(second.standbyTasks, []);
    const third = await beat(client, 'm3', { topology: counting, processId: 'q' });
    const target = (await describeGroup(client)).members.find(
      ({ memberId }) => memberId === third.memberId,
    )!.targetAssignment;
    const mine = target.activeTasks.find(({ subtopologyId }) => subtopologyId === '1')!;
    const copies = target.standbyTasks.find(({ subtopologyId }) => subtopologyId === '1')!;
    assert.deepEqual(inOrder([...mine.partitions, ...copies.partitions]), [0, 1, 2, 3]);
  });

  it('hear why they have nothing to do', async (t) => {
    const { bed, client } = await open(t);
    const topology = {
      epoch: 0,
      subtopologies: [{ ...counting.subtopologies[0]!, sourceTopics: ['later'] }],
    };
    const answer = await beat(client, 'm1', { topology });
    assert.deepEqual(activeOf(answer), []);
    assert.equal(answer.status?.[0]?.statusCode, statusCodes.missingSourceTopics);
    assert.equal((await describeGroup(client)).groupState, 'NotReady');
    await bed.broker.topics.create({ name: 'later', partitions: 2 });
    const ready = await goOn(client, 'm1', answer.memberEpoch);
    assert.deepEqual([activeOf(ready), ready.status], [[0, 1], null]);
  });

  it('tell each other to end', async (t) => {
    const { client } = await open(t);
    await beat(client, 'm1');
    const second = await beat(client, 'm2', { shutdownApplication: true });
    assert.equal(second.status?.[0]?.statusCode, statusCodes.shutdownApplication);
    const first = await goOn(client, 'm1', 1);
    assert.match(first.status?.[0]?.statusDetail ?? '', /member m2 .* shutdown/);
  });

  it('tell where to ask for what', async (t) => {
    const { client } = await open(t);
    const userEndpoint = { host: 'here', port: 8080 };
    const answer = await beat(client, 'm1', { userEndpoint });
    assert.deepEqual(answer.partitionsByUserEndpoint, [
      {
        userEndpoint,
        activePartitions: [{ topic: 'lines', partitions: [0, 1, 2, 3] }],
        standbyPartitions: [],
      },
    ]);
    const { memberEpoch, endpointInformationEpoch } = answer;
    const same = await client.ask('StreamsGroupHeartbeat', 0, {
      groupId: 'app',
      memberId: 'm1',
      memberEpoch,
      endpointInformationEpoch,
    });
    assert.equal(same.partitionsByUserEndpoint, null);
  });

  it('are told what is wrong with a heartbeat', async (t) => {
    const { client } = await open(t);
    await beat(client, 'm1');
    const invalid = errorCodes.INVALID_REQUEST;
    const task = [{ subtopologyId: '0', partitions: [0] }];
    const cases: Array<[string, string, Partial<Heartbeat>, number]> = [
      ['no group', 'm2', { groupId: ' ' }, invalid],
      ['no member', ' ', {}, invalid],
      ['a strange epoch', 'm2', { memberEpoch: -3 }, invalid],
      ['a static member', 'm2', { instanceId: 'i' }, invalid],
      ['no time to let go', 'm2', { rebalanceTimeoutMs: -1 }, invalid],
      ['no topology', 'm2', { topology: null }, invalid],
      ['an empty topology', 'm2', { topology: { epoch: 0, subtopologies: [] } }, 130],
      ['tasks before it joins', 'm2', { activeTasks: task }, invalid],
      ['no process', 'm2', { processId: null }, invalid],
      ['a topology later', 'm1', { memberEpoch: 1 }, invalid],
      [
        'a task in two roles',
        'm1',
        { memberEpoch: 1, topology: null, activeTasks: task, standbyTasks: task },
        invalid,
      ],
      [
        'a task that is not there',
        'm1',
        {
          memberEpoch: 1,
          topology: null,
          activeTasks: [{ subtopologyId: '0', partitions: [4] }],
        },
        invalid,
      ],
      ['another topology', 'm2', { topology: counting }, invalid],
      ['an epoch to come', 'm1', { memberEpoch: 9, topology: null }, 110],
      ['a stranger', 'm3', { memberEpoch: 1, topology: null }, errorCodes.UNKNOWN_MEMBER_ID],
    ];
    for (const [what, memberId, fields, code] of cases) {
      const { errorCode, errorMessage } = await beat(client, memberId, fields);
      assert.equal(errorCode, code, what);
      assert.notEqual(errorMessage, null, what);
    }
  });
});

describe('offsets of a streams group', () => {
  it('are committed by members, with their epoch', async (t) => {
    const { client } = await open(t);
    assert.equal(await commit(client, '', -1), errorCodes.NONE);
    const { memberEpoch } = await beat(client, 'm1');
    assert.equal(await commit(client, 'm1', memberEpoch), errorCodes.NONE);
    assert.equal(await commit(client, 'm1', memberEpoch + 1), errorCodes.STALE_MEMBER_EPOCH);
    assert.equal(await commit(client, 'm2', memberEpoch), errorCodes.UNKNOWN_MEMBER_ID);
    assert.equal(await commit(client, '', -1), errorCodes.UNKNOWN_MEMBER_ID);
  });

  it('may come with an older epoch for tasks that stayed', async (t) => {
    const { client } = await open(t);
    const first = await beat(client, 'm1');
    await beat(client, 'm2');
    const told = await goOn(client, 'm1', first.memberEpoch);
    const kept = activeOf(told)!;
    const done = await goOn(client, 'm1', first.memberEpoch, kept);
    assert.ok(done.memberEpoch > first.memberEpoch);
    assert.equal(await commit(client, 'm1', first.memberEpoch, kept[0]), errorCodes.NONE);
    const given = [0, 1, 2, 3].find((partition) => !kept.includes(partition));
    const code = await commit(client, 'm1', first.memberEpoch, given);
    assert.equal(code, errorCodes.STALE_MEMBER_EPOCH);
  });
});

describe('a streams group', () => {
  it('has members of one kind only, when several kinds begin it at once', async (t) => {
    const { bed } = await open(t);
    const [streams, consumer] = [await bed.connect(), await bed.connect()];
    for (let round = 0; round < 12; round++) {
      const groupId = `group-${round}`;
      // It is there, without members; whoever comes first may make it its own.
      if (round % 2 === 0) {
        const begun = await beat(streams, 'before', { groupId });
        await beat(streams, 'before', { groupId, topology: null, memberEpoch: -1 });
        assert.equal(begun.errorCode, errorCodes.NONE);
      }
      const [ofStreams, ofConsumer] = await Promise.all([
        beat(streams, 'm1', { groupId }),
        consumer.ask('ConsumerGroupHeartbeat', 1, {
          groupId,
          memberId: 'm2',
          memberEpoch: 0,
          rebalanceTimeoutMs: 60_000,
          subscribedTopicNames: ['lines'],
          topicPartitions: [],
        }),
      ]);
      const codes = [ofStreams.errorCode, ofConsumer.errorCode];
      assert.equal(codes.filter((code) => code === errorCodes.NONE).length, 1, codes.join());
      const list = { statesFilter: [], typesFilter: ['streams'] };
      const { groups } = await streams.ask('ListGroups', 5, list);
      // Nothing is left of the one that was refused.
      const isStreams = groups.some((group) => group.groupId === groupId);
      assert.equal(isStreams, ofStreams.errorCode === errorCodes.NONE);
    }
  });

  it('is no group of another kind, as long as it has members', async (t) => {
    const { client } = await open(t);
    await beat(client, 'm1');
    const join = await client.ask('JoinGroup', 9, {
      groupId: 'app',
      sessionTimeoutMs: 30_000,
      rebalanceTimeoutMs: 30_000,
      memberId: '',
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: new Uint8Array(0) }],
    });
    assert.equal(join.errorCode, errorCodes.INCONSISTENT_GROUP_PROTOCOL);
    const consumer = await client.ask('ConsumerGroupHeartbeat', 1, {
      groupId: 'app',
      memberId: 'c',
      memberEpoch: 0,
      rebalanceTimeoutMs: 1000,
      subscribedTopicNames: ['lines'],
      topicPartitions: [],
    });
    assert.equal(consumer.errorCode, errorCodes.GROUP_ID_NOT_FOUND);
    const share = await client.ask('ShareGroupHeartbeat', 1, {
      groupId: 'app',
      memberId: 's',
      memberEpoch: 0,
      subscribedTopicNames: ['lines'],
    });
    assert.equal(share.errorCode, errorCodes.GROUP_ID_NOT_FOUND);
  });

  it('is listed, described and deleted as one, with members and without', async (t) => {
    const { bed, client } = await open(t);
    const { memberEpoch } = await beat(client, 'm1', { topology: counting });
    await commit(client, 'm1', memberEpoch);
    const list = () => client.ask('ListGroups', 5, { statesFilter: [], typesFilter: ['streams'] });
    assert.deepEqual((await list()).groups, [
      { groupId: 'app', protocolType: 'streams', groupState: 'Stable', groupType: 'streams' },
    ]);
    const all = await client.ask('ListGroups', 5, { statesFilter: [], typesFilter: [] });
    assert.equal(all.groups.length, 1);
    const remove = () => client.ask('DeleteGroups', 2, { groupsNames: ['app'] });
    assert.equal((await remove()).results[0]?.errorCode, errorCodes.NON_EMPTY_GROUP);
    const subscribed = await client.ask('OffsetDelete', 0, {
      groupId: 'app',
      topics: [{ name: 'lines', partitions: [{ partitionIndex: 0 }] }],
    });
    const code = subscribed.topics[0]?.partitions[0]?.errorCode;
    assert.equal(code, errorCodes.GROUP_SUBSCRIBED_TO_TOPIC);
    await goOn(client, 'm1', -1);
    const described = await describeGroup(client);
    assert.equal(described.groupState, 'Empty');
    const [, second] = described.topology?.subtopologies ?? [];
    assert.deepEqual(
      second?.repartitionSourceTopics.map(({ name, partitions }) => [name, partitions]),
      [['app-words', 4]],
    );
    assert.equal((await remove()).results[0]?.errorCode, errorCodes.NONE);
    assert.equal((await describeGroup(client)).errorCode, errorCodes.GROUP_ID_NOT_FOUND);
    assert.deepEqual(await bed.broker.groupsFor('app').fetchOffsets('app'), []);
  });

  it('may have another topology when its members have gone', async (t) => {
    const { client } = await open(t);
    await beat(client, 'm1');
    await goOn(client, 'm1', -1);
    const answer = await beat(client, 'm2', { topology: counting });
    assert.deepEqual(activeOf(answer, '1'), [0, 1, 2, 3]);
  });

  it('has one topology, also when members with different ones begin it together', async (t) => {
    const { bed, client } = await open(t);
    const other = await bed.connect();
    const answers = await Promise.all([
      beat(client, 'm1', { topology: plain }),
      beat(other, 'm2', { topology: counting }),
    ]);
    const codes = answers.map(({ errorCode }) => errorCode);
    assert.deepEqual(inOrder(codes), [errorCodes.NONE, errorCodes.INVALID_REQUEST]);
    const winner = codes[0] === errorCodes.NONE ? 'm1' : 'm2';
    await goOn(client, winner, -1);
    const { topology } = await describeGroup(client);
    assert.equal(topology?.subtopologies?.length, winner === 'm1' ? 1 : 2);
  });

  it('becomes a classic group when one comes first', async (t) => {
    const { client } = await open(t);
    await beat(client, 'm1');
    await goOn(client, 'm1', -1);
    const join = await client.ask('JoinGroup', 3, {
      groupId: 'app',
      sessionTimeoutMs: 30_000,
      rebalanceTimeoutMs: 30_000,
      memberId: '',
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: new Uint8Array(0) }],
    });
    assert.equal(join.errorCode, errorCodes.NONE);
    const again = await beat(client, 'm1');
    assert.equal(again.errorCode, errorCodes.GROUP_ID_NOT_FOUND);
  });
});
