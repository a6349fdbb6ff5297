import assert from 'node:assert/strict';
import test from 'node:test';
import { BrokerError } from '../../../../src/base/index.ts';
import { errorCodes } from '../../../../src/doors/kafka/error-codes.ts';
import { encodeConsumerSubscription } from '../../../../src/doors/kafka/wire/index.ts';
import type { WireClient } from '../wire-client.ts';
import { type GroupDoor, openGroupDoor } from './group-door.ts';

const unknownId = '11111111-2222-4333-8444-555555555555';

/** How a version names a topic. */
function naming({ broker }: GroupDoor, version: number, name = 'orders') {
  if (version < 10) return { name };
  return { topicId: broker.topics.find(name)?.id ?? unknownId };
}

function partition(partitionIndex: number, committedOffset: number, metadata: string | null = '') {
  return { partitionIndex, committedOffset, committedMetadata: metadata };
}

async function commit(
  client: WireClient,
  version: number,
  topic: { name?: string; topicId?: string },
  partitions: ReturnType<typeof partition>[],
): Promise<number[]> {
  const { topics } = await client.ask('OffsetCommit', version, {
    groupId: 'g',
    memberId: '',
    topics: [{ ...topic, partitions }],
  });
  return topics[0]!.partitions.map(({ errorCode }) => errorCode);
}

async function joinGroup(client: WireClient): Promise<string> {
  const metadata = encodeConsumerSubscription(0, { topics: ['orders'] });
  const { memberId } = await client.ask('JoinGroup', 3, {
    groupId: 'g',
    sessionTimeoutMs: 300_000,
    rebalanceTimeoutMs: 300_000,
    memberId: '',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata }],
  });
  return memberId;
}

for (let version = 2; version <= 10; version++) {
  test(`OffsetCommit ${version} stores what OffsetFetch finds`, async (t) => {
    const door = await openGroupDoor(t);
    const client = await door.connect();
    const topic = naming(door, version);
    const errors = await commit(client, version, topic, [
      { ...partition(0, 5, 'note'), ...(version >= 6 && { committedLeaderEpoch: 3 }) },
      partition(1, 6, null),
    ]);
    assert.deepEqual(errors, [0, 0]);
    const found = await door.broker.coordinator.fetchOffsets('g');
    assert.deepEqual(
      found.map((stored) => [stored.partition, stored.offset, stored.leaderEpoch, stored.metadata]),
      [
        [0, 5, version >= 6 ? 3 : -1, 'note'],
        [1, 6, -1, ''],
      ],
    );
  });

  test(`OffsetCommit ${version} refuses partitions one by one`, async (t) => {
    const door = await openGroupDoor(t);
    const client = await door.connect();
    const { topics } = await client.ask('OffsetCommit', version, {
      groupId: 'g',
      memberId: '',
      topics: [
        {
          ...naming(door, version),
          partitions: [partition(0, 1), partition(2, 1), partition(1, 1, 'x'.repeat(4097))],
        },
        { ...naming(door, version, 'unknown'), partitions: [partition(0, 1)] },
      ],
    });
    assert.deepEqual(
      topics.map(({ partitions }) => partitions.map(({ errorCode }) => errorCode)),
      [
        [0, errorCodes.UNKNOWN_TOPIC_OR_PARTITION, errorCodes.OFFSET_METADATA_TOO_LARGE],
        [version >= 10 ? errorCodes.UNKNOWN_TOPIC_ID : errorCodes.UNKNOWN_TOPIC_OR_PARTITION],
      ],
    );
    assert.equal((await door.broker.coordinator.fetchOffsets('g')).length, 1);
  });
}

for (let version = 1; version <= 7; version++) {
  test(`OffsetFetch ${version} answers what was asked, -1 for what is not there`, async (t) => {
    const door = await openGroupDoor(t);
    const client = await door.connect();
    await commit(client, 6, { name: 'orders' }, [
      { ...partition(1, 7, 'note'), ...{ committedLeaderEpoch: 2 } },
    ]);
    const { topics, errorCode } = await client.ask('OffsetFetch', version, {
      groupId: 'g',
      topics: [
        { name: 'orders', partitionIndexes: [0, 1, 9] },
        { name: 'unknown', partitionIndexes: [0] },
      ],
    });
    assert.equal(errorCode, errorCodes.NONE);
    assert.deepEqual(
      topics?.map(({ name, partitions }) => ({
        name,
        found: partitions.map((found) => [
          found.partitionIndex,
          found.committedOffset,
          found.committedLeaderEpoch,
          found.metadata,
          found.errorCode,
        ]),
      })),
      [
        {
          name: 'orders',
          found: [
            [0, -1, -1, '', 0],
            [1, 7, version >= 5 ? 2 : -1, 'note', 0],
            [9, -1, -1, '', 0],
          ],
        },
        { name: 'unknown', found: [[0, -1, -1, '', 0]] },
      ],
    );
  });
}

test('OffsetFetch answers all that a group has, without topics that are gone', async (t) => {
  const door = await openGroupDoor(t);
  const client = await door.connect();
  await door.broker.topics.create({ name: 'gone', partitions: 1 });
  await commit(client, 6, { name: 'orders' }, [partition(0, 1), partition(1, 2)]);
  await commit(client, 6, { name: 'gone' }, [partition(0, 3)]);
  await door.broker.topics.delete('gone');
  for (let version = 2; version <= 7; version++) {
    const { topics } = await client.ask('OffsetFetch', version, { groupId: 'g', topics: null });
    assert.deepEqual(
      topics?.map(({ name, partitions }) => [name, partitions.length]),
      [['orders', 2]],
    );
  }
});

for (const version of [8, 9, 10]) {
  test(`OffsetFetch ${version} asks for several groups`, async (t) => {
    const door = await openGroupDoor(t);
    const client = await door.connect();
    await commit(client, 6, { name: 'orders' }, [partition(1, 7)]);
    const { groups } = await client.ask('OffsetFetch', version, {
      groups: [
        { groupId: 'g', topics: null },
        {
          groupId: 'g',
          topics: [
            { ...naming(door, version), partitionIndexes: [1, 0] },
            { ...naming(door, version, 'unknown'), partitionIndexes: [0] },
          ],
        },
        { groupId: 'other', topics: null },
        { groupId: 'x'.repeat(32_767), topics: [] },
      ],
    });
    const unknownCode = version >= 10 ? errorCodes.UNKNOWN_TOPIC_ID : errorCodes.NONE;
    const [known, unknown] = [naming(door, version), naming(door, version, 'unknown')];
    const summary = groups.map(({ errorCode, topics }) => ({
      errorCode,
      topics: topics.map(({ name, topicId, partitions }) => ({
        topic: version >= 10 ? { topicId } : { name },
        found: partitions.map((found) => [found.committedOffset, found.errorCode]),
      })),
    }));
    assert.deepEqual(
      summary.map(({ errorCode }) => errorCode),
      [0, 0, 0, 0],
    );
    assert.deepEqual(
      summary.map(({ topics }) => topics),
      [
        [{ topic: known, found: [[7, 0]] }],
        [
          {
            topic: known,
            found: [
              [7, 0],
              [-1, 0],
            ],
          },
          { topic: unknown, found: [[-1, unknownCode]] },
        ],
        [],
        [],
      ],
    );
  });
}

test('errors of the group are those of every partition that exists', async (t) => {
  const door = await openGroupDoor(t);
  const client = await door.connect();
  const memberId = await joinGroup(client);
  const ask = async (member: {
    memberId: string;
    generationIdOrMemberEpoch: number;
    groupInstanceId?: string;
  }) => {
    const { topics } = await client.ask('OffsetCommit', 9, {
      groupId: 'g',
      ...member,
      topics: [
        {
          name: 'orders',
          partitions: [partition(0, 1), partition(9, 1), partition(1, 1, 'x'.repeat(5000))],
        },
      ],
    });
    return topics[0]!.partitions.map(({ errorCode }) => errorCode);
  };
  const missing = errorCodes.UNKNOWN_TOPIC_OR_PARTITION;
  const everywhere = (code: number) => [code, missing, code];
  const present = { memberId, generationIdOrMemberEpoch: 1 };
  assert.deepEqual(await ask(present), everywhere(errorCodes.REBALANCE_IN_PROGRESS));
  const assignments = [{ memberId, assignment: Buffer.alloc(0) }];
  await client.ask('SyncGroup', 0, { groupId: 'g', generationId: 1, memberId, assignments });
  const tooLarge = [errorCodes.NONE, missing, errorCodes.OFFSET_METADATA_TOO_LARGE];
  assert.deepEqual(await ask(present), tooLarge);
  const stale = { memberId, generationIdOrMemberEpoch: 0 };
  assert.deepEqual(await ask(stale), everywhere(errorCodes.ILLEGAL_GENERATION));
  const outside = { memberId: '', generationIdOrMemberEpoch: -1 };
  assert.deepEqual(await ask(outside), everywhere(errorCodes.UNKNOWN_MEMBER_ID));
  const stranger = { ...present, groupInstanceId: 'one' };
  assert.deepEqual(await ask(stranger), everywhere(errorCodes.UNKNOWN_MEMBER_ID));
  door.broker.store.failure = new BrokerError('storage-full');
  assert.deepEqual(await ask(present), [
    errorCodes.COORDINATOR_NOT_AVAILABLE,
    missing,
    errorCodes.COORDINATOR_NOT_AVAILABLE,
  ]);
});

test('a generation of a group that does not exist is illegal, and since version 9 of a group not found', async (t) => {
  const { connect } = await openGroupDoor(t);
  const client = await connect();
  for (const groupId of ['nobody', '']) {
    for (const [version, code] of [
      [8, errorCodes.ILLEGAL_GENERATION],
      [9, errorCodes.GROUP_ID_NOT_FOUND],
    ] as const) {
      const { topics } = await client.ask('OffsetCommit', version, {
        groupId,
        memberId: 'x',
        generationIdOrMemberEpoch: 4,
        topics: [{ name: 'orders', partitions: [partition(0, 1)] }],
      });
      assert.equal(topics[0]!.partitions[0]!.errorCode, code);
    }
  }
});

test('OffsetFetch tells the error of a group where its version has a place', async (t) => {
  const { connect, broker } = await openGroupDoor(t);
  const client = await connect();
  broker.coordinator.close();
  const code = errorCodes.NOT_COORDINATOR;
  const topics = [{ name: 'orders', partitionIndexes: [0] }];
  const first = await client.ask('OffsetFetch', 1, { groupId: 'g', topics });
  assert.equal(first.topics?.[0]!.partitions[0]!.errorCode, code);
  const second = await client.ask('OffsetFetch', 2, { groupId: 'g', topics });
  assert.deepEqual([second.errorCode, second.topics], [code, []]);
  const eighth = await client.ask('OffsetFetch', 8, { groups: [{ groupId: 'g', topics }] });
  assert.deepEqual([eighth.groups[0]!.errorCode, eighth.groups[0]!.topics], [code, []]);
});

test('OffsetDelete forgets offsets of topics that nobody subscribes to', async (t) => {
  const door = await openGroupDoor(t);
  const client = await door.connect();
  await door.broker.topics.create({ name: 'other', partitions: 1 });
  const request = {
    groupId: 'g',
    topics: [
      { name: 'orders', partitions: [{ partitionIndex: 0 }, { partitionIndex: 9 }] },
      { name: 'other', partitions: [{ partitionIndex: 0 }] },
      { name: 'unknown', partitions: [{ partitionIndex: 0 }] },
    ],
  };
  const missing = await client.ask('OffsetDelete', 0, request);
  assert.equal(missing.errorCode, errorCodes.GROUP_ID_NOT_FOUND);
  await commit(client, 6, { name: 'orders' }, [partition(0, 1)]);
  await commit(client, 6, { name: 'other' }, [partition(0, 2)]);
  await joinGroup(client);
  const { errorCode, topics } = await client.ask('OffsetDelete', 0, request);
  assert.equal(errorCode, errorCodes.NONE);
  const unknown = errorCodes.UNKNOWN_TOPIC_OR_PARTITION;
  assert.deepEqual(
    topics.map(({ name, partitions }) => [name, partitions.map((one) => one.errorCode)]),
    [
      ['orders', [errorCodes.GROUP_SUBSCRIBED_TO_TOPIC, unknown]],
      ['other', [errorCodes.NONE]],
      ['unknown', [unknown]],
    ],
  );
  const left = await door.broker.coordinator.fetchOffsets('g');
  assert.deepEqual(
    left.map(({ offset }) => offset),
    [1],
  );
});
