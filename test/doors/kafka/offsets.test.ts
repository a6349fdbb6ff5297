import assert from 'node:assert/strict';
import test from 'node:test';
import { errorCodes } from '../../../src/doors/kafka/error-codes.ts';
import { batchOf, openDoor } from './door-fixture.ts';
import type { WireClient } from './wire-client.ts';

async function listOffset(
  client: WireClient,
  version: number,
  timestamp: number,
  { partitionIndex = 0, currentLeaderEpoch = -1 } = {},
) {
  const response = await client.ask('ListOffsets', version, {
    replicaId: -1,
    topics: [{ name: 'orders', partitions: [{ partitionIndex, currentLeaderEpoch, timestamp }] }],
  });
  const { errorCode, offset, timestamp: found } = response.topics[0]!.partitions[0]!;
  return { errorCode, offset, timestamp: found };
}

for (const { what, version = 11, timestamp, offset, found = -1 } of [
  { what: 'the latest offset', timestamp: -1, offset: 3 },
  { what: 'the earliest offset', timestamp: -2, offset: 1 },
  { what: 'the latest offset, of old', version: 1, timestamp: -1, offset: 3 },
  { what: 'the greatest timestamp', timestamp: -3, offset: 2, found: 2000 },
  { what: 'the earliest local offset', timestamp: -4, offset: 1 },
  { what: 'no latest tiered offset', timestamp: -5, offset: -1 },
  { what: 'no pending upload', timestamp: -6, offset: -1 },
  { what: 'the first at a time', timestamp: 1500, offset: 2, found: 2000 },
  { what: 'nothing after the last', timestamp: 2001, offset: -1 },
]) {
  test(`ListOffsets finds ${what}`, async (t) => {
    const { connect, createTopic } = await openDoor(t);
    const [partition] = await createTopic('orders');
    await partition!.append(batchOf({ values: ['a', 'b'], timestampMs: 1000 }));
    await partition!.append(batchOf({ values: ['c'], timestampMs: 2000 }));
    partition!.logStartOffset = 1;
    const answer = await listOffset(await connect(), version, timestamp);
    assert.deepEqual(answer, { errorCode: errorCodes.NONE, offset, timestamp: found });
  });
}

for (const { what, version = 11, timestamp = -1, asked = {}, error } of [
  {
    what: 'an unknown partition',
    asked: { partitionIndex: 4 },
    error: errorCodes.UNKNOWN_TOPIC_OR_PARTITION,
  },
  {
    what: 'an old leader epoch',
    asked: { currentLeaderEpoch: 1 },
    error: errorCodes.FENCED_LEADER_EPOCH,
  },
  {
    what: 'a future leader epoch',
    asked: { currentLeaderEpoch: 9 },
    error: errorCodes.UNKNOWN_LEADER_EPOCH,
  },
  {
    what: 'the greatest timestamp before version 7',
    version: 6,
    timestamp: -3,
    error: errorCodes.UNSUPPORTED_VERSION,
  },
  { what: 'a point in time that is none', timestamp: -9, error: errorCodes.UNSUPPORTED_VERSION },
]) {
  test(`ListOffsets refuses ${what}`, async (t) => {
    const { connect, createTopic } = await openDoor(t);
    await createTopic('orders');
    const answer = await listOffset(await connect(), version, timestamp, asked);
    assert.deepEqual(answer, { errorCode: error, offset: -1, timestamp: -1 });
  });
}

test('ListOffsets refuses a partition that is named twice', async (t) => {
  const { connect, createTopic } = await openDoor(t);
  await createTopic('orders', 2);
  const client = await connect();
  const response = await client.ask('ListOffsets', 5, {
    replicaId: -1,
    topics: [
      {
        name: 'orders',
        partitions: [0, 1, 0].map((partitionIndex) => ({ partitionIndex, timestamp: -1 })),
      },
    ],
  });
  assert.deepEqual(
    response.topics[0]?.partitions.map((partition) => partition.errorCode),
    [errorCodes.INVALID_REQUEST, errorCodes.NONE, errorCodes.INVALID_REQUEST],
  );
});

test('OffsetForLeaderEpoch tells where an epoch ended', async (t) => {
  const { connect, createTopic } = await openDoor(t);
  const [partition] = await createTopic('orders');
  await partition!.append(batchOf({ values: ['a', 'b'] }));
  const client = await connect();
  for (const version of [2, 3, 4]) {
    const response = await client.ask('OffsetForLeaderEpoch', version, {
      topics: [
        {
          topic: 'orders',
          partitions: [
            { partition: 0, leaderEpoch: 3 },
            { partition: 0, leaderEpoch: 1 },
            { partition: 0, leaderEpoch: 0 },
            { partition: 0, leaderEpoch: -1 },
            { partition: 0, leaderEpoch: 3, currentLeaderEpoch: 2 },
            { partition: 8, leaderEpoch: 3 },
          ],
        },
      ],
    });
    assert.deepEqual(
      response.topics[0]?.partitions.map((p) => [p.errorCode, p.leaderEpoch, p.endOffset]),
      [
        [errorCodes.NONE, 3, 2],
        [errorCodes.NONE, 1, 0],
        [errorCodes.NONE, 0, 2],
        [errorCodes.NONE, -1, -1],
        [errorCodes.FENCED_LEADER_EPOCH, -1, -1],
        [errorCodes.UNKNOWN_TOPIC_OR_PARTITION, -1, -1],
      ],
    );
  }
});

test('InitProducerId gives every idempotent producer an id of its own', async (t) => {
  const { connect } = await openDoor(t);
  const client = await connect();
  const ask = (version: number, fields: object) =>
    client.ask('InitProducerId', version, {
      transactionalId: null,
      transactionTimeoutMs: 1000,
      ...fields,
    });
  const first = await ask(1, {});
  const second = await ask(5, { producerId: first.producerId, producerEpoch: 0 });
  assert.equal(first.errorCode, errorCodes.NONE);
  assert.notEqual(first.producerId, second.producerId);
  assert.deepEqual([first.producerEpoch, second.producerEpoch], [0, 0]);
  assert.equal((await ask(5, { producerId: 5 })).errorCode, errorCodes.INVALID_REQUEST);
  assert.equal((await ask(5, { transactionalId: '' })).errorCode, errorCodes.INVALID_REQUEST);
  assert.equal(
    (await ask(6, { transactionalId: 'payments', enable2Pc: true })).errorCode,
    errorCodes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    'two-phase commit from outside is not offered',
  );
});

test('DescribeProducers and DescribeLogDirs tell of partitions', async (t) => {
  const { connect, createTopic } = await openDoor(t);
  const [partition] = await createTopic('orders');
  await partition!.append(batchOf({ values: ['a'] }));
  const client = await connect();
  const producers = await client.ask('DescribeProducers', 0, {
    topics: [{ name: 'orders', partitionIndexes: [0, 1] }],
  });
  const [known, unknown] = producers.topics[0]!.partitions;
  assert.equal(known?.activeProducers[0]?.producerId, 7);
  assert.equal(unknown?.errorCode, errorCodes.UNKNOWN_TOPIC_OR_PARTITION);
  for (const version of [1, 2, 4, 5]) {
    const { results } = await client.ask('DescribeLogDirs', version, { topics: null });
    assert.equal(results[0]?.logDir, '/memory');
    const [directory] = results[0].topics;
    assert.equal(directory?.partitions[0]?.partitionSize, partition!.sizeBytes);
    assert.equal(results[0].usableBytes, version < 4 ? -1 : 50);
  }
});

test('who has not logged in may not ask for tokens to log in by', async (t) => {
  const { connect } = await openDoor(t);
  const client = await connect();
  const described = await client.ask('DescribeDelegationToken', 3, { owners: null });
  assert.equal(described.errorCode, errorCodes.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED);
});

test('the leaders of all partitions are elected, and none moves', async (t) => {
  const { connect, createTopic } = await openDoor(t);
  await createTopic('orders');
  const client = await connect();
  const elected = await client.ask('ElectLeaders', 2, {
    electionType: 0,
    topicPartitions: [
      { topic: 'orders', partitions: [0, 1] },
      { topic: 'none', partitions: [0] },
    ],
  });
  const results = elected.replicaElectionResults.flatMap(({ partitionResult }) => partitionResult);
  assert.deepEqual(
    results.map(({ errorCode }) => errorCode),
    [
      errorCodes.ELECTION_NOT_NEEDED,
      errorCodes.UNKNOWN_TOPIC_OR_PARTITION,
      errorCodes.UNKNOWN_TOPIC_OR_PARTITION,
    ],
  );
  assert.match(results[1]?.errorMessage ?? '', /^No such partition as orders-1$/);
  assert.match(results[2]?.errorMessage ?? '', /^No such topic as none$/);
  const moves = await client.ask('ListPartitionReassignments', 0, { topics: null });
  assert.equal(moves.errorCode, errorCodes.NONE);
  assert.deepEqual(moves.topics, []);
});

test('DescribeCluster has no controllers to tell of', async (t) => {
  const { connect } = await openDoor(t);
  const client = await connect();
  const ask = (endpointType: number) =>
    client.ask('DescribeCluster', 1, { includeClusterAuthorizedOperations: false, endpointType });
  assert.equal((await ask(1)).errorCode, errorCodes.NONE);
  assert.equal((await ask(2)).errorCode, errorCodes.MISMATCHED_ENDPOINT_TYPE);
  assert.equal((await ask(9)).errorCode, errorCodes.UNSUPPORTED_ENDPOINT_TYPE);
});
