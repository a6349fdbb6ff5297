import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { GroupMember, LogClient, ServerError, serverErrors } from '../../src/client/index.ts';
import { ShareBed } from '../doors/kafka/share-groups/share-bed.ts';
import type { WireClient } from '../doors/kafka/wire-client.ts';
import { until } from '../support/until.ts';

async function open(t: TestContext) {
  const bed = await ShareBed.open(t);
  await bed.broker.topics.create({ name: 'orders', partitions: 3 });
  const server = { host: '127.0.0.1', port: bed.door.port };
  const client = await LogClient.connect({ server });
  t.after(() => client.close());
  return { bed, client };
}

const member = { memberId: 'm', memberEpoch: 0 };
const noTasks = { activeTasks: [], standbyTasks: [], warmupTasks: [] };

const joins: ReadonlyArray<{
  readonly type: string;
  readonly join: (wire: WireClient, groupId: string) => Promise<{ errorCode: number }>;
  readonly reads: string;
}> = [
  {
    type: 'consumer',
    join: (wire, groupId) =>
      wire.ask('ConsumerGroupHeartbeat', 1, {
        ...{ groupId, ...member, rebalanceTimeoutMs: 60_000 },
        subscribedTopicNames: ['orders'],
        topicPartitions: [],
      }),
    reads: 'orders',
  },
  {
    type: 'share',
    join: (wire, groupId) =>
      wire.ask('ShareGroupHeartbeat', 1, { groupId, ...member, subscribedTopicNames: ['orders'] }),
    reads: 'orders',
  },
  {
    type: 'streams',
    join: (wire, groupId) =>
      wire.ask('StreamsGroupHeartbeat', 0, {
        ...{ groupId, ...member, ...noTasks, rebalanceTimeoutMs: 60_000 },
        ...{ endpointInformationEpoch: 0, processId: 'p' },
        topology: {
          epoch: 0,
          subtopologies: [
            {
              subtopologyId: 'part-0',
              sourceTopics: ['orders'],
              sourceTopicRegex: [],
              stateChangelogTopics: [],
              repartitionSinkTopics: [],
              repartitionSourceTopics: [],
              copartitionGroups: [],
            },
          ],
        },
      }),
    reads: 'part-0',
  },
];

describe('a group is described with its members and what they read', () => {
  for (const { type, join, reads } of joins) {
    test(`of type ${type}`, async (t) => {
      const { bed, client } = await open(t);
      const groupId = `${type} group`;
      const wire = await bed.connect();
      if (type === 'streams') {
        await bed.configure(groupId, { 'streams.initial.rebalance.delay.ms': '0' });
      }
      await wire.ask('FindCoordinator', 4, { keyType: 0, coordinatorKeys: [groupId] });
      const joined = await join(wire, groupId);
      assert.equal(joined.errorCode, 0);
      let described = await client.describeGroup(groupId);
      await until(async () => {
        described = await client.describeGroup(groupId);
        return described.members[0]?.assigned.length === 1;
      });
      assert.equal(described.type, type);
      assert.equal(described.members.length, 1);
      const [only] = described.members;
      assert.equal(only?.memberId, 'm');
      assert.match(only.clientHost, /127\.0\.0\.1/);
      assert.equal(only.assigned[0]?.name, reads);
      assert.deepEqual(
        only.assigned[0]?.partitions.toSorted((a, b) => a - b),
        [0, 1, 2],
      );
      assert.deepEqual(
        (await client.listGroups()).map((group) => [group.groupId, group.type]),
        [[groupId, type]],
      );
    });
  }

  test('of type classic', async (t) => {
    const { client } = await open(t);
    const consumer = new GroupMember(client, { groupId: 'readers', topics: ['orders'] });
    await consumer.join('earliest');
    const { members, state, type } = await client.describeGroup('readers');
    assert.deepEqual([type, state, members.length], ['classic', 'Stable', 1]);
    assert.deepEqual(members[0]?.assigned, [{ name: 'orders', partitions: [0, 1, 2] }]);
    await consumer.leave();
    assert.deepEqual((await client.describeGroup('readers')).members, []);
  });

  test('and one that is not there is an error', async (t) => {
    const { client } = await open(t);
    await assert.rejects(client.describeGroup('nobody'), (error) => {
      return error instanceof ServerError && error.code === serverErrors.groupNotFound;
    });
  });
});

test('what is left for a share group is what was not accepted, wherever its window starts', async (t) => {
  const { bed, client } = await open(t);
  await bed.fromEarliest('workers');
  await bed.publish('orders', ['a', 'b', 'c', 'd'], { partition: 0 });
  const worker = await bed.member('workers', 'orders', 'w');
  assert.equal((await worker.fetch()).length, 4);
  const accept = 1;
  await worker.acknowledge([
    { firstOffset: 0, lastOffset: 0, acknowledgeTypes: [accept] },
    { firstOffset: 2, lastOffset: 2, acknowledgeTypes: [accept] },
  ]);
  assert.deepEqual(
    (await client.listShareStarts('workers')).map(({ offset, lag }) => [offset, lag]),
    [
      [1, 2],
      [0, 0],
      [0, 0],
    ],
  );
});
