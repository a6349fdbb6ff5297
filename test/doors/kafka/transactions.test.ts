import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { Kafka, logLevel, type Producer } from 'kafkajs';
import { SystemClock, SystemRandom } from '../../../src/base/index.ts';
import { Broker } from '../../../src/broker/index.ts';
import { errorCodes } from '../../../src/doors/kafka/error-codes.ts';
import { KafkaDoor } from '../../../src/doors/kafka/index.ts';
import { silentLog } from '../../../src/net/index.ts';
import { transactionalBatch } from '../../broker/transactions/bed.ts';
import { patientKafka } from '../../support/patience.ts';
import { WireClient } from './wire-client.ts';

async function start(t: TestContext): Promise<{ broker: Broker; kafka: Kafka; port: number }> {
  const broker = await Broker.open({ store: 'memory', shards: 3, defaultPartitions: 3 });
  const door = await KafkaDoor.open({
    broker,
    clock: new SystemClock(),
    random: new SystemRandom(),
    log: silentLog,
    host: '127.0.0.1',
    port: 0,
  });
  t.after(async () => {
    await door.close(0);
    await broker.close();
  });
  // The time of some of what is produced is long ago.
  await broker.createTopic('orders', { partitions: 3, options: { retentionMs: -1 } });
  const kafka = new Kafka({
    clientId: 'c',
    brokers: [`127.0.0.1:${door.port}`],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 20, retries: 1000, maxRetryTime: 100 },
    ...patientKafka,
  });
  return { broker, kafka, port: door.port };
}

async function openProducer(t: TestContext, kafka: Kafka): Promise<Producer> {
  const producer = kafka.producer({
    transactionalId: 'payments',
    idempotent: true,
    maxInFlightRequests: 1,
  });
  await producer.connect();
  t.after(() => producer.disconnect());
  return producer;
}

/** Reads until `count` messages are there, as a reader of what is committed. */
async function read(
  t: TestContext,
  kafka: Kafka,
  count: number,
  readUncommitted = false,
): Promise<string[]> {
  const consumer = kafka.consumer({
    groupId: `g${Math.random()}`,
    readUncommitted,
    maxWaitTimeInMs: 50,
  });
  await consumer.connect();
  await consumer.subscribe({ topics: ['orders'], fromBeginning: true });
  const values: string[] = [];
  await new Promise<void>((resolve) => {
    void consumer.run({
      eachMessage: async ({ message }) => {
        values.push(String(message.value));
        if (values.length === count) resolve();
      },
    });
  });
  await consumer.disconnect();
  return values.toSorted();
}

function messages(name: string): Array<{ key: string; value: string }> {
  return Array.from({ length: 9 }, (_, index) => ({ key: `${index}`, value: `${name}${index}` }));
}

test('kafkajs commits and aborts; readers of what is committed see the one and not the other', async (t) => {
  const { broker, kafka } = await start(t);
  const producer = await openProducer(t, kafka);
  for (const [name, isCommitted] of [
    ['a', true],
    ['b', false],
    ['c', true],
  ] as const) {
    const transaction = await producer.transaction();
    await transaction.send({ topic: 'orders', messages: messages(name) });
    const offsets = [{ partition: 0, offset: name === 'b' ? '99' : '5' }];
    await transaction.sendOffsets({
      consumerGroupId: 'input',
      topics: [{ topic: 'orders', partitions: offsets }],
    });
    const topic = broker.findTopic('orders');
    assert.ok(topic?.partitions.some((one) => one.lastStableOffset < one.highWatermark));
    if (isCommitted) await transaction.commit();
    else await transaction.abort();
  }
  const committed = [...messages('a'), ...messages('c')].map(({ value }) => value);
  assert.deepEqual(await read(t, kafka, 18), committed.toSorted());
  assert.equal((await read(t, kafka, 27, true)).length, 27);
  const offsets = await broker.groupsFor('input').fetchOffsets('input');
  assert.deepEqual(
    offsets.map(({ offset }) => offset),
    [5],
  );
});

test('a second producer of a transactional id fences the first', async (t) => {
  const { kafka } = await start(t);
  const first = await openProducer(t, kafka);
  const open = await first.transaction();
  await open.send({ topic: 'orders', messages: [{ value: 'zombie' }] });
  const second = await openProducer(t, kafka);
  const transaction = await second.transaction();
  await transaction.send({ topic: 'orders', messages: [{ value: 'new' }] });
  await transaction.commit();
  await assert.rejects(open.commit());
  assert.deepEqual(await read(t, kafka, 1), ['new']);
});

test('requests of transactions, code by code', async (t) => {
  const { broker, port } = await start(t);
  const client = await WireClient.connect(port);
  t.after(() => client.socket.destroy());
  const init = await client.ask('InitProducerId', 5, {
    transactionalId: 'w',
    transactionTimeoutMs: 60_000,
  });
  const { producerId, producerEpoch } = init;
  assert.equal(init.errorCode, errorCodes.NONE);
  const batch = transactionalBatch({ producerId, epoch: producerEpoch, sequence: 0 }, ['x']);
  const produce = async (transactionalId: string | null = 'w'): Promise<number | undefined> => {
    const topicData = [{ name: 'orders', partitionData: [{ index: 0, records: batch }] }];
    const request = { transactionalId, acks: -1, timeoutMs: 1000, topicData };
    const { responses } = await client.ask('Produce', 9, request);
    return responses[0]?.partitionResponses[0]?.errorCode;
  };
  assert.equal(await produce(), errorCodes.INVALID_TXN_STATE);
  const add = async (epoch: number, version: number, partitions: number[]): Promise<number[]> => {
    const { resultsByTopicV3AndBelow } = await client.ask('AddPartitionsToTxn', version, {
      v3AndBelowTransactionalId: 'w',
      v3AndBelowProducerId: producerId,
      v3AndBelowProducerEpoch: epoch,
      v3AndBelowTopics: [{ name: 'orders', partitions }],
    });
    return (resultsByTopicV3AndBelow?.[0]?.resultsByPartition ?? []).map(
      ({ partitionErrorCode }) => partitionErrorCode,
    );
  };
  assert.deepEqual(await add(producerEpoch + 1, 3, [0]), [errorCodes.PRODUCER_FENCED]);
  assert.deepEqual(await add(producerEpoch + 1, 1, [0]), [errorCodes.INVALID_PRODUCER_EPOCH]);
  assert.deepEqual(await add(producerEpoch, 3, [0, 9]), [
    errorCodes.OPERATION_NOT_ATTEMPTED,
    errorCodes.UNKNOWN_TOPIC_OR_PARTITION,
  ]);
  assert.deepEqual(await add(producerEpoch, 3, [0]), [errorCodes.NONE]);
  // Whoever knows the producer's id gets nothing into its transaction without naming that.
  assert.equal(await produce(null), errorCodes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
  assert.equal(await produce(), errorCodes.NONE);
  const commit = await client.ask('TxnOffsetCommit', 3, {
    transactionalId: 'w',
    groupId: 'g',
    producerId,
    producerEpoch,
    topics: [
      {
        name: 'orders',
        partitions: [{ partitionIndex: 0, committedOffset: 3, committedMetadata: null }],
      },
    ],
  });
  assert.equal(commit.topics[0]?.partitions[0]?.errorCode, errorCodes.NONE);
  const fetchOffset = async (requireStable: boolean): Promise<object | undefined> => {
    const { groups } = await client.ask('OffsetFetch', 8, {
      groups: [{ groupId: 'g', topics: [{ name: 'orders', partitionIndexes: [0] }] }],
      requireStable,
    });
    const partition = groups?.[0]?.topics[0]?.partitions[0];
    return { errorCode: partition?.errorCode, offset: partition?.committedOffset };
  };
  assert.deepEqual(await fetchOffset(true), {
    errorCode: errorCodes.UNSTABLE_OFFSET_COMMIT,
    offset: -1,
  });
  assert.deepEqual(await fetchOffset(false), { errorCode: errorCodes.NONE, offset: -1 });
  const { transactionStates } = await client.ask('DescribeTransactions', 0, {
    transactionalIds: ['w', 'nobody'],
  });
  assert.deepEqual(
    transactionStates.map(({ errorCode, transactionState, topics }) => ({
      errorCode,
      transactionState,
      topics: topics.map(({ topic, partitions }) => [topic, ...partitions]),
    })),
    [
      { errorCode: errorCodes.NONE, transactionState: 'Ongoing', topics: [['orders', 0]] },
      { errorCode: errorCodes.TRANSACTIONAL_ID_NOT_FOUND, transactionState: '', topics: [] },
    ],
  );
  const end = (committed: boolean, id = producerId): Promise<{ errorCode: number }> =>
    client.ask('EndTxn', 3, { transactionalId: 'w', producerId: id, producerEpoch, committed });
  assert.equal((await end(true, 12345)).errorCode, errorCodes.INVALID_PRODUCER_ID_MAPPING);
  assert.equal((await end(false)).errorCode, errorCodes.NONE);
  assert.equal((await end(true)).errorCode, errorCodes.INVALID_TXN_STATE);
  assert.equal((await end(false)).errorCode, errorCodes.NONE, 'an end may be repeated');
  assert.deepEqual(await fetchOffset(true), { errorCode: errorCodes.NONE, offset: -1 });
  const listed = await client.ask('ListTransactions', 1, {
    stateFilters: ['CompleteAbort', 'Nonsense'],
    producerIdFilters: [],
    durationFilter: -1,
  });
  assert.deepEqual(listed.unknownStateFilters, ['Nonsense']);
  assert.deepEqual(
    listed.transactionStates.map(({ transactionalId }) => transactionalId),
    ['w'],
  );
  assert.equal(broker.findTopic('orders')?.partitions[0]?.findAborted(0, 10).length, 1);
});
