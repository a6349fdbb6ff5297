import assert from 'node:assert/strict';
import test from 'node:test';
import { errorCodes } from '../../../src/doors/kafka/error-codes.ts';
import type { RequestInput, ResponseOf } from '../../../src/doors/kafka/wire/index.ts';
import { until } from '../../support/until.ts';
import { batchOf, openDoor, produceTo } from './door-fixture.ts';
import type { MemoryPartition } from './memory-broker.ts';
import type { WireClient } from './wire-client.ts';

type FetchRequest = RequestInput<'Fetch'>;
type Asked = Partial<FetchRequest['topics'][number]['partitions'][number]> & { partition?: number };

/** A Fetch of partitions of `orders` that does not wait, unless told. */
function fetchOf(partitions: Asked[], options: Partial<FetchRequest> = {}): FetchRequest {
  return {
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 1_000_000,
    topics: [
      {
        topic: 'orders',
        partitions: partitions.map((asked) => ({
          partition: 0,
          fetchOffset: 0,
          partitionMaxBytes: 1_000_000,
          ...asked,
        })),
      },
    ],
    forgottenTopicsData: [],
    ...options,
  };
}

async function fill(partition: MemoryPartition | undefined, ...values: string[]): Promise<void> {
  for (const value of values) await partition!.append(batchOf({ values: [value] }));
}

function bytesOf(response: ResponseOf<'Fetch'>): number[] {
  return response.responses.flatMap(({ partitions }) =>
    partitions.map((partition) => partition.records?.length ?? -1),
  );
}

const batchBytes = batchOf({ values: ['a'] }).length;

/** For so many batches, and a little less than another. */
function roomFor(batches: number): number {
  return batches * batchBytes + 1;
}

for (const version of [4, 5, 7, 9, 11, 12]) {
  test(`Fetch ${version} serves the batches as they were stored`, async (t) => {
    const { connect, createTopic, door } = await openDoor(t);
    const [partition] = await createTopic('orders');
    await fill(partition, 'a', 'b');
    const client = await connect();
    const response = await client.ask('Fetch', version, fetchOf([{ fetchOffset: 1 }]));
    const answer = response.responses[0]?.partitions[0];
    assert.equal(answer?.errorCode, errorCodes.NONE);
    assert.equal(answer.highWatermark, 2);
    const stored = await partition!.read(1, { maxBytes: 1e6, minOneBatch: true });
    assert.deepEqual(Buffer.from(answer.records!), Buffer.concat(stored.slices));
    assert.equal(door.metrics.forTopic('orders').recordsOut, 1);
  });
}

test('Fetch 13 and later name topics by id', async (t) => {
  const { broker, connect, createTopic } = await openDoor(t);
  const [partition] = await createTopic('orders');
  await fill(partition, 'a');
  const client = await connect();
  const topicId = broker.topics.find('orders')!.id;
  for (const version of [13, 15, 16, 17, 18]) {
    const request = fetchOf([{}]);
    const response = await client.ask('Fetch', version, {
      ...request,
      topics: [
        { topicId, partitions: request.topics[0]!.partitions },
        {
          topicId: '11111111-1111-4111-8111-111111111111',
          partitions: request.topics[0]!.partitions,
        },
      ],
    });
    const [known, unknown] = response.responses;
    assert.equal(known?.topicId, topicId);
    assert.equal(known.partitions[0]?.records?.length, batchBytes);
    assert.equal(unknown?.partitions[0]?.errorCode, errorCodes.UNKNOWN_TOPIC_ID);
  }
});

test('a fetch of nothing waits until something is durable', async (t) => {
  const { connect, createTopic } = await openDoor(t);
  const [partition] = await createTopic('orders');
  const consumer = await connect();
  const producer = await connect();
  const fetched = consumer.ask('Fetch', 12, fetchOf([{}], { maxWaitMs: 60_000 }));
  await until(() => partition!.waiterCount === 1);
  await producer.ask('Produce', 9, produceTo('orders', batchOf({ values: ['a'] })));
  assert.deepEqual(bytesOf(await fetched), [batchBytes]);
  assert.equal(partition!.waiterCount, 0);
});

test('a fetch waits for as many bytes as it asks for, over several appends', async (t) => {
  const { connect, createTopic } = await openDoor(t);
  const [first, second] = await createTopic('orders', 2);
  const consumer = await connect();
  const asked = [{ partition: 0 }, { partition: 1 }];
  const fetched = consumer.ask(
    'Fetch',
    12,
    fetchOf(asked, { maxWaitMs: 60_000, minBytes: 3 * batchBytes }),
  );
  await until(() => first!.waiterCount === 1 && second!.waiterCount === 1);
  const reads = first!.readCount;
  await fill(first, 'a', 'b');
  await until(() => first!.waiterCount === 1);
  assert.equal(first!.readCount, reads);
  await fill(second, 'c');
  assert.deepEqual(bytesOf(await fetched), [2 * batchBytes, batchBytes]);
});

test('a fetch answers with what there is when its time is over', async (t) => {
  const { connect, createTopic } = await openDoor(t);
  const [partition] = await createTopic('orders');
  await fill(partition, 'a');
  const client = await connect();
  const request = fetchOf([{}], { maxWaitMs: 20, minBytes: 10_000 });
  assert.deepEqual(bytesOf(await client.ask('Fetch', 12, request)), [batchBytes]);
  assert.equal(partition!.waiterCount, 0);
});

test('a waiting fetch holds up nobody else', async (t) => {
  const { connect, createTopic } = await openDoor(t);
  const [partition] = await createTopic('orders');
  const consumer = await connect();
  const other = await connect();
  const fetched = consumer.ask('Fetch', 12, fetchOf([{}], { maxWaitMs: 60_000 }));
  await until(() => partition!.waiterCount === 1);
  const behind = consumer.ask('ApiVersions', 0, {});
  await other.ask('ApiVersions', 0, {});
  await fill(partition, 'a');
  // The client checks that the fetch is answered before the request behind it.
  await Promise.all([fetched, behind]);
});

test('a produce behind a waiting fetch is not appended before the fetch is answered', async (t) => {
  const { broker, connect, createTopic } = await openDoor(t);
  const [partition, other] = await createTopic('orders', 2);
  const client = await connect();
  broker.commits.areHeld = true;
  const fetched = client.ask('Fetch', 12, fetchOf([{}], { maxWaitMs: 60_000 }));
  const produced = client.ask('Produce', 9, produceTo('orders', batchOf({ values: ['a'] }), -1, 1));
  await until(() => partition!.waiterCount === 1);
  await (await connect()).ask('ApiVersions', 0, {});
  assert.equal(broker.commits.waitingCount, 0);
  const filled = fill(partition, 'a');
  broker.commits.run();
  await Promise.all([filled, fetched]);
  await until(() => broker.commits.waitingCount === 1);
  broker.commits.run();
  await produced;
  assert.equal(other!.highWatermark, 1);
});

test('what becomes durable while another partition is read is not missed', async (t) => {
  const { broker, connect, createTopic } = await openDoor(t);
  const [first, second] = await createTopic('orders', 2);
  await fill(second, 'a');
  broker.commits.areHeld = true;
  const filled = fill(first, 'b');
  second!.areReadsSlow = true;
  second!.onRead = () => broker.commits.run();
  const client = await connect();
  const asked = [{ partition: 0 }, { partition: 1 }];
  const request = fetchOf(asked, { maxWaitMs: 60_000, minBytes: 2 * batchBytes });
  assert.deepEqual(bytesOf(await client.ask('Fetch', 12, request)), [batchBytes, batchBytes]);
  await filled;
});

test('a client that goes away while it waits leaves nothing behind', async (t) => {
  const { connect, createTopic } = await openDoor(t);
  const [partition] = await createTopic('orders');
  const client = await connect();
  const fetched = client.ask('Fetch', 12, fetchOf([{}], { maxWaitMs: 60_000 }));
  await until(() => partition!.waiterCount === 1);
  client.close();
  await assert.rejects(fetched);
  await until(() => partition!.waiterCount === 0);
});

test('reads that come from the disk are answered in the same way', async (t) => {
  const { connect, createTopic } = await openDoor(t);
  const partitions = await createTopic('orders', 3);
  for (const partition of partitions) {
    await fill(partition, 'a');
    partition.areReadsSlow = true;
  }
  const client = await connect();
  const asked = [{ partition: 0 }, { partition: 1 }, { partition: 2 }];
  const response = await client.ask('Fetch', 12, fetchOf(asked));
  assert.deepEqual(bytesOf(response), [batchBytes, batchBytes, batchBytes]);
});

for (const { what, maxBytes, partitionMaxBytes, expected } of [
  {
    what: 'the first batch even if it is too large',
    maxBytes: 1,
    partitionMaxBytes: 1,
    expected: [1, 0],
  },
  { what: 'no more than the request allows', maxBytes: 3, partitionMaxBytes: 9, expected: [2, 1] },
  {
    what: 'no more of a partition than allowed',
    maxBytes: 9,
    partitionMaxBytes: 1,
    expected: [1, 1],
  },
]) {
  test(`a response has ${what}`, async (t) => {
    const { connect, createTopic } = await openDoor(t);
    for (const partition of await createTopic('orders', 2)) await fill(partition, 'a', 'b');
    const client = await connect();
    const asked = [0, 1].map((partition) => ({
      partition,
      partitionMaxBytes: roomFor(partitionMaxBytes),
    }));
    const response = await client.ask('Fetch', 12, fetchOf(asked, { maxBytes: roomFor(maxBytes) }));
    assert.deepEqual(
      bytesOf(response),
      expected.map((batches) => batches * batchBytes),
    );
  });
}

for (const { what, asked, error, endOffset = -1 } of [
  {
    what: 'an unknown partition',
    asked: { partition: 9 },
    error: errorCodes.UNKNOWN_TOPIC_OR_PARTITION,
  },
  {
    what: 'an offset beyond the end',
    asked: { fetchOffset: 2 },
    error: errorCodes.OFFSET_OUT_OF_RANGE,
  },
  { what: 'a negative offset', asked: { fetchOffset: -1 }, error: errorCodes.OFFSET_OUT_OF_RANGE },
  {
    what: 'an old leader epoch',
    asked: { currentLeaderEpoch: 2 },
    error: errorCodes.FENCED_LEADER_EPOCH,
  },
  {
    what: 'a future leader epoch',
    asked: { currentLeaderEpoch: 4 },
    error: errorCodes.UNKNOWN_LEADER_EPOCH,
  },
  {
    what: 'a log that parted',
    asked: { lastFetchedEpoch: 5 },
    error: errorCodes.NONE,
    endOffset: 1,
  },
]) {
  test(`a fetch of ${what} is answered at once`, async (t) => {
    const { connect, createTopic } = await openDoor(t);
    const [partition] = await createTopic('orders');
    await fill(partition, 'a');
    const client = await connect();
    const response = await client.ask('Fetch', 12, fetchOf([asked], { maxWaitMs: 60_000 }));
    const answer = response.responses[0]?.partitions[0];
    assert.equal(answer?.errorCode, error);
    assert.equal(answer.divergingEpoch.endOffset, endOffset);
    assert.equal(answer.records?.length, 0);
  });
}

test('a client that takes every leader for the first one, whose epoch is 0 in Kafka, fetches as without an opinion', async (t) => {
  const { connect, createTopic } = await openDoor(t);
  const [partition] = await createTopic('orders');
  await fill(partition, 'a', 'b');
  const client = await connect();
  const asked = { fetchOffset: 1, currentLeaderEpoch: 0, lastFetchedEpoch: 0 };
  const response = await client.ask('Fetch', 12, fetchOf([asked], { maxWaitMs: 60_000 }));
  const answer = response.responses[0]?.partitions[0];
  assert.equal(answer?.errorCode, errorCodes.NONE);
  assert.equal(answer.divergingEpoch.endOffset, -1);
  assert.notEqual(answer.records?.length, 0);
});

for (const version of [9, 11, 12]) {
  test(`Fetch ${version} tells of the leader where it has a place for it`, async (t) => {
    const { connect, createTopic } = await openDoor(t);
    await createTopic('orders');
    const client = await connect();
    const response = await client.ask('Fetch', version, fetchOf([{ currentLeaderEpoch: 2 }]));
    const answer = response.responses[0]?.partitions[0];
    assert.equal(answer?.errorCode, errorCodes.FENCED_LEADER_EPOCH);
    assert.equal(answer.currentLeader.leaderEpoch, version < 12 ? -1 : 3);
  });
}

async function openSession(client: WireClient, partitions: Asked[]): Promise<number> {
  const response = await client.ask('Fetch', 12, fetchOf(partitions, { sessionEpoch: 0 }));
  assert.notEqual(response.sessionId, 0);
  return response.sessionId;
}

test('a session answers only with what has changed', async (t) => {
  const { connect, createTopic } = await openDoor(t);
  const [first] = await createTopic('orders', 2);
  const client = await connect();
  const sessionId = await openSession(client, [{ partition: 0 }, { partition: 1 }]);
  const next = (sessionEpoch: number, changed: Asked[] = []) =>
    client.ask('Fetch', 12, {
      ...fetchOf(changed, { sessionId, sessionEpoch }),
      ...(changed.length === 0 ? { topics: [] } : {}),
    });
  assert.deepEqual((await next(1)).responses, []);
  await fill(first, 'a');
  const second = await next(2);
  assert.equal(second.sessionId, sessionId);
  assert.deepEqual(
    second.responses.map(({ topic, partitions }) => [
      topic,
      partitions.map((p) => p.partitionIndex),
    ]),
    [['orders', [0]]],
  );
  // The client moves on; nothing is new.
  assert.deepEqual((await next(3, [{ partition: 0, fetchOffset: 1 }])).responses, []);
});

test('a session forgets partitions, and takes new ones', async (t) => {
  const { connect, createTopic } = await openDoor(t);
  const partitions = await createTopic('orders', 2);
  const client = await connect();
  const sessionId = await openSession(client, [{ partition: 0 }]);
  for (const partition of partitions) await fill(partition, 'a');
  const response = await client.ask('Fetch', 12, {
    ...fetchOf([{ partition: 1 }], { sessionId, sessionEpoch: 1 }),
    forgottenTopicsData: [{ topic: 'orders', partitions: [0] }],
  });
  assert.deepEqual(
    response.responses[0]?.partitions.map((p) => p.partitionIndex),
    [1],
  );
});

test('in a session, who got something goes behind the others', async (t) => {
  const { connect, createTopic } = await openDoor(t);
  const partitions = await createTopic('orders', 2);
  for (const partition of partitions) await fill(partition, 'a');
  const client = await connect();
  const oneBatch = { maxBytes: 1, sessionEpoch: 0 };
  const asked = [{ partition: 0 }, { partition: 1 }];
  const first = await client.ask('Fetch', 12, fetchOf(asked, oneBatch));
  assert.deepEqual(bytesOf(first), [batchBytes, 0]);
  const second = await client.ask('Fetch', 12, {
    ...fetchOf([], { maxBytes: 1, sessionId: first.sessionId, sessionEpoch: 1 }),
    topics: [],
  });
  assert.deepEqual(
    second.responses[0]?.partitions.map((p) => p.partitionIndex),
    [1],
  );
});

test('sessions that are not there or out of step are refused', async (t) => {
  const { connect, createTopic } = await openDoor(t);
  await createTopic('orders');
  const client = await connect();
  const sessionId = await openSession(client, [{}]);
  const ask = async (id: number, sessionEpoch: number, version = 12) => {
    const request = { ...fetchOf([], { sessionId: id, sessionEpoch }), topics: [] };
    return (await client.ask('Fetch', version, request)).errorCode;
  };
  assert.equal(await ask(sessionId + 1, 1), errorCodes.FETCH_SESSION_ID_NOT_FOUND);
  assert.equal(await ask(0, 1), errorCodes.FETCH_SESSION_ID_NOT_FOUND);
  assert.equal(await ask(sessionId, 2), errorCodes.INVALID_FETCH_SESSION_EPOCH);
  assert.equal(await ask(sessionId, 1, 13), errorCodes.FETCH_SESSION_TOPIC_ID_ERROR);
  assert.equal(await ask(sessionId, 1), errorCodes.NONE);
  assert.equal(await ask(sessionId, -1), errorCodes.NONE);
  assert.equal(await ask(sessionId, 2), errorCodes.FETCH_SESSION_ID_NOT_FOUND);
});
