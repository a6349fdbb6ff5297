import assert from 'node:assert/strict';
import test from 'node:test';
import { compress, decodeBatch } from '../../../src/bytes/index.ts';
import { errorCodes } from '../../../src/doors/kafka/error-codes.ts';
import { until } from '../../support/until.ts';
import { batchOf, openDoor, produceTo } from './door-fixture.ts';

for (const version of [3, 5, 7, 8, 9, 10, 12]) {
  test(`Produce ${version} stores the batch and answers with its offset`, async (t) => {
    const { connect, createTopic, door } = await openDoor(t);
    const [partition] = await createTopic('orders');
    const client = await connect();
    for (const baseOffset of [0, 2]) {
      const batch = batchOf({ values: ['a', 'b'] });
      const response = await client.ask('Produce', version, produceTo('orders', batch));
      const answer = response.responses[0]?.partitionResponses[0];
      assert.equal(answer?.errorCode, errorCodes.NONE);
      assert.equal(answer.baseOffset, baseOffset);
    }
    assert.equal(partition?.highWatermark, 4);
    const { recordsIn } = door.metrics.forTopic('orders');
    assert.equal(recordsIn, 4);
  });
}

test('Produce 13 names topics by id', async (t) => {
  const { connect, createTopic, broker } = await openDoor(t);
  await createTopic('orders');
  const client = await connect();
  const records = batchOf({ values: ['a'] });
  const topicId = broker.topics.find('orders')!.id;
  const ask = async (id: string) => {
    const response = await client.ask('Produce', 13, {
      acks: -1,
      timeoutMs: 1000,
      topicData: [{ topicId: id, partitionData: [{ index: 0, records }] }],
    });
    return response.responses[0]!;
  };
  const stored = await ask(topicId);
  assert.equal(stored.topicId, topicId);
  assert.equal(stored.partitionResponses[0]?.errorCode, errorCodes.NONE);
  const unknown = await ask('11111111-1111-4111-8111-111111111111');
  assert.equal(unknown.partitionResponses[0]?.errorCode, errorCodes.UNKNOWN_TOPIC_ID);
});

test('no answer leaves before the records are durable, for acks 1 as for -1', async (t) => {
  const { broker, connect, createTopic } = await openDoor(t);
  await createTopic('orders');
  const client = await connect();
  broker.commits.areHeld = true;
  for (const acks of [1, -1]) {
    const received = client.socket.bytesRead;
    const answer = client.ask('Produce', 9, produceTo('orders', batchOf({ values: ['a'] }), acks));
    await until(() => broker.commits.waitingCount === 1);
    // Another client's request and answer: by then an answer to the first would have come.
    await (await connect()).ask('ApiVersions', 0, {});
    assert.equal(client.socket.bytesRead, received);
    broker.commits.run();
    await answer;
  }
});

test('pipelined produces are appended together, in order, and answered in order', async (t) => {
  const { broker, connect, createTopic } = await openDoor(t);
  const [partition] = await createTopic('orders');
  const client = await connect();
  broker.commits.areHeld = true;
  const answers = ['a', 'b', 'c', 'd'].map((value) =>
    client.ask('Produce', 9, produceTo('orders', batchOf({ values: [value] }))),
  );
  await until(() => broker.commits.waitingCount === 4);
  broker.commits.run();
  const responses = await Promise.all(answers);
  assert.deepEqual(
    responses.map((response) => response.responses[0]?.partitionResponses[0]?.baseOffset),
    [0, 1, 2, 3],
  );
  const result = await partition!.read(0, { maxBytes: 1e6, minOneBatch: true });
  const values = result.slices.flatMap((slice) =>
    decodeBatch(slice, 0, 1e6).map((record) => Buffer.from(record.value!).toString()),
  );
  assert.deepEqual(values, ['a', 'b', 'c', 'd']);
});

test('answers keep the order of requests when a later one is durable first', async (t) => {
  const { broker, connect, createTopic } = await openDoor(t);
  await createTopic('orders', 2);
  const client = await connect();
  broker.commits.areHeld = true;
  const batch = batchOf({ values: ['a'] });
  const first = client.ask('Produce', 9, produceTo('orders', batch, -1, 0));
  const second = client.ask('Produce', 9, produceTo('orders', batch, -1, 1));
  await until(() => broker.commits.waitingCount === 2);
  broker.commits.runLast();
  await (await connect()).ask('ApiVersions', 0, {});
  assert.equal(client.socket.bytesRead, 0);
  broker.commits.run();
  // The client fails when the responses come in another order.
  await Promise.all([first, second]);
});

test('a request behind produces waits until they are durable', async (t) => {
  const { broker, connect, createTopic } = await openDoor(t);
  await createTopic('orders');
  const client = await connect();
  broker.commits.areHeld = true;
  const produced = client.ask('Produce', 9, produceTo('orders', batchOf({ values: ['a'] })));
  const listed = client.ask('ListOffsets', 7, {
    replicaId: -1,
    isolationLevel: 0,
    topics: [{ name: 'orders', partitions: [{ partitionIndex: 0, timestamp: -1 }] }],
  });
  await until(() => broker.commits.waitingCount === 1);
  broker.commits.run();
  await produced;
  assert.equal((await listed).topics[0]?.partitions[0]?.offset, 1);
});

test('acks 0 gets no response, and the next request gets its own', async (t) => {
  const { connect, createTopic } = await openDoor(t);
  const [partition] = await createTopic('orders');
  const client = await connect();
  const silent = client.encode('Produce', 9, produceTo('orders', batchOf({ values: ['a'] }), 0));
  client.socket.write(silent.bytes);
  const response = await client.ask('ApiVersions', 0, {});
  assert.equal(response.errorCode, errorCodes.NONE);
  assert.equal(partition?.highWatermark, 1);
});

test('acks 0 that fails closes the connection', async (t) => {
  const { connect } = await openDoor(t);
  const client = await connect();
  const silent = client.encode('Produce', 9, produceTo('nowhere', batchOf({ values: ['a'] }), 0));
  client.socket.write(silent.bytes);
  await client.closed();
});

test('an overloaded broker holds producers back and lets consumers go on', async (t) => {
  const { broker, connect, createTopic } = await openDoor(t);
  const [partition] = await createTopic('orders');
  const producer = await connect();
  const consumer = await connect();
  broker.setOverloaded(true);
  const answers = ['a', 'b'].map((value) =>
    producer.ask('Produce', 9, produceTo('orders', batchOf({ values: [value] }))),
  );
  await until(() => broker.isWaitedFor);
  await consumer.ask('Metadata', 9, { topics: null });
  assert.equal(broker.commits.waitingCount, 0);
  assert.equal(partition?.highWatermark, 0);
  broker.setOverloaded(false);
  await Promise.all(answers);
  assert.equal(partition?.highWatermark, 2);
});

const whole = batchOf({ values: ['a'] });
const damaged = Buffer.from(whole);
damaged[damaged.length - 1]! ^= 1;
const oldMagic = Buffer.from(whole);
oldMagic[16] = 1;
const control = Buffer.from(whole);
control.writeInt16BE(0x20, 21);
const zstd = Buffer.concat([whole.subarray(0, 61), compress('zstd', whole.subarray(61))]);
zstd.writeInt32BE(zstd.length - 12, 8);
zstd.writeInt16BE(4, 21);

for (const { what, records, version = 9, error } of [
  { what: 'a damaged batch', records: damaged, error: errorCodes.CORRUPT_MESSAGE },
  { what: 'no batch', records: null, error: errorCodes.INVALID_RECORD },
  { what: 'an empty batch', records: Buffer.alloc(0), error: errorCodes.INVALID_RECORD },
  { what: 'half a header', records: whole.subarray(0, 30), error: errorCodes.INVALID_RECORD },
  { what: 'half a batch', records: whole.subarray(0, 65), error: errorCodes.INVALID_RECORD },
  { what: 'two batches', records: Buffer.concat([whole, whole]), error: errorCodes.INVALID_RECORD },
  { what: 'an old format', records: oldMagic, error: errorCodes.INVALID_RECORD },
  { what: 'a control batch', records: control, error: errorCodes.INVALID_RECORD },
  {
    what: 'zstd before version 7',
    records: zstd,
    version: 6,
    error: errorCodes.UNSUPPORTED_COMPRESSION_TYPE,
  },
]) {
  test(`${what} is refused and nothing is stored`, async (t) => {
    const { connect, createTopic } = await openDoor(t);
    const [partition] = await createTopic('orders');
    const client = await connect();
    const response = await client.ask('Produce', version, produceTo('orders', records));
    assert.equal(response.responses[0]?.partitionResponses[0]?.errorCode, error);
    assert.equal(partition?.highWatermark, 0);
  });
}

test('each partition of a request is answered by itself', async (t) => {
  const { connect, createTopic } = await openDoor(t);
  await createTopic('orders', 2);
  const client = await connect();
  const response = await client.ask('Produce', 9, {
    acks: -1,
    timeoutMs: 1000,
    topicData: [
      {
        name: 'orders',
        partitionData: [
          { index: 0, records: whole },
          { index: 5, records: whole },
          { index: 1, records: damaged },
        ],
      },
      { name: 'nowhere', partitionData: [{ index: 0, records: whole }] },
    ],
  });
  assert.deepEqual(
    response.responses.map(({ partitionResponses }) => partitionResponses.map((p) => p.errorCode)),
    [
      [errorCodes.NONE, errorCodes.UNKNOWN_TOPIC_OR_PARTITION, errorCodes.CORRUPT_MESSAGE],
      [errorCodes.UNKNOWN_TOPIC_OR_PARTITION],
    ],
  );
});

test('acks that Kafka does not know are refused', async (t) => {
  const { connect, createTopic } = await openDoor(t);
  await createTopic('orders');
  const client = await connect();
  const response = await client.ask('Produce', 9, produceTo('orders', whole, 2));
  const answer = response.responses[0]?.partitionResponses[0];
  assert.equal(answer?.errorCode, errorCodes.INVALID_REQUIRED_ACKS);
  assert.match(answer.errorMessage ?? '', /acks/);
});
