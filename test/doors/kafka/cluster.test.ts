import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorCodes } from '../../../src/doors/kafka/error-codes.ts';
import { openDoor } from './door-fixture.ts';

const update = (feature: string, maxVersionLevel: number) => ({
  feature,
  maxVersionLevel,
  allowDowngrade: false,
  upgradeType: 1,
});

test('partitions may be moved to where they are, and nowhere else', async (t) => {
  const { connect, createTopic } = await openDoor(t);
  await createTopic('orders', 2);
  const client = await connect();
  for (const version of [0, 1]) {
    const { errorCode, responses } = await client.ask('AlterPartitionReassignments', version, {
      topics: [
        {
          name: 'orders',
          partitions: [
            { partitionIndex: 0, replicas: [0] },
            { partitionIndex: 1, replicas: [1] },
            { partitionIndex: 1, replicas: [0, 1] },
            { partitionIndex: 1, replicas: null },
            { partitionIndex: 2, replicas: [0] },
          ],
        },
      ],
    });
    assert.equal(errorCode, errorCodes.NONE);
    assert.deepEqual(
      responses[0]?.partitions.map((partition) => partition.errorCode),
      [
        errorCodes.NONE,
        errorCodes.INVALID_REPLICA_ASSIGNMENT,
        errorCodes.INVALID_REPLICA_ASSIGNMENT,
        errorCodes.NO_REASSIGNMENT_IN_PROGRESS,
        errorCodes.UNKNOWN_TOPIC_OR_PARTITION,
      ],
    );
  }
  const { topics } = await client.ask('ListPartitionReassignments', 0, { topics: null });
  assert.deepEqual(topics, []);
});

test('there is one directory for replicas', async (t) => {
  const { broker, connect, createTopic } = await openDoor(t);
  await createTopic('orders', 1);
  const client = await connect();
  const topics = [{ name: 'orders', partitions: [0, 1] }];
  for (const version of [1, 2]) {
    const { results } = await client.ask('AlterReplicaLogDirs', version, {
      dirs: [
        { path: broker.storage().path, topics },
        { path: '/elsewhere', topics },
      ],
    });
    assert.deepEqual(
      results.map(({ partitions }) => partitions.map(({ errorCode }) => errorCode)),
      [
        [errorCodes.NONE, errorCodes.UNKNOWN_TOPIC_OR_PARTITION],
        [errorCodes.LOG_DIR_NOT_FOUND, errorCodes.LOG_DIR_NOT_FOUND],
      ],
    );
  }
});

test('the quorum is this broker', async (t) => {
  const { connect, door } = await openDoor(t);
  const client = await connect();
  const metadata = { topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] };
  for (const version of [0, 1, 2]) {
    const { errorCode, topics, nodes } = await client.ask('DescribeQuorum', version, {
      topics: [metadata],
    });
    assert.equal(errorCode, errorCodes.NONE);
    const partition = topics[0]?.partitions[0];
    assert.equal(partition?.leaderId, 0);
    assert.deepEqual(
      partition.currentVoters.map(({ replicaId }) => replicaId),
      [0],
    );
    if (version >= 2) assert.equal(nodes[0]?.listeners[0]?.port, door.port);
    const other = await client.ask('DescribeQuorum', version, {
      topics: [{ ...metadata, topicName: 'orders' }],
    });
    assert.equal(other.errorCode, errorCodes.INVALID_REQUEST);
  }
});

test('levels of features stay what they are', async (t) => {
  const { connect } = await openDoor(t);
  const client = await connect();
  for (const version of [0, 1, 2]) {
    const ask = (...featureUpdates: Array<ReturnType<typeof update>>) =>
      client.ask('UpdateFeatures', version, { featureUpdates, validateOnly: false });
    const same = await ask(update('group.version', 1));
    assert.equal(same.errorCode, errorCodes.NONE);
    const other = await ask(update('group.version', 1), update('group.version', 0), update('x', 1));
    assert.equal(other.errorCode, errorCodes.INVALID_UPDATE_VERSION);
    assert.match(other.errorMessage ?? '', /group\.version/);
    if (version < 2) assert.equal(other.results.length, 0);
  }
});

test("the broker's own configurations can be reset, which changes nothing", async (t) => {
  const { connect } = await openDoor(t);
  const client = await connect();
  const alter = async (resourceType: number, resourceName: string, configOperation: number) => {
    const { responses } = await client.ask('IncrementalAlterConfigs', 1, {
      validateOnly: false,
      resources: [
        {
          resourceType,
          resourceName,
          configs: [{ name: 'leader.replication.throttled.rate', configOperation, value: '1' }],
        },
      ],
    });
    return responses[0]?.errorCode;
  };
  assert.equal(await alter(4, '0', 1), errorCodes.NONE);
  assert.equal(await alter(4, '0', 0), errorCodes.INVALID_REQUEST);
  assert.equal(await alter(16, 'subscription', 0), errorCodes.INVALID_REQUEST);
});
