import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { SystemClock, SystemRandom } from '../../../src/base/index.ts';
import { Broker } from '../../../src/broker/index.ts';
import { errorCodes } from '../../../src/doors/kafka/error-codes.ts';
import { KafkaDoor } from '../../../src/doors/kafka/index.ts';
import { silentLog } from '../../../src/net/index.ts';
import { PartitionLog, type ProducerIdentity } from '../../../src/shard/index.ts';
import { transactionalBatch } from '../../broker/transactions/bed.ts';
import { WireClient } from './wire-client.ts';

const transactionalId = 'w';

interface Sent {
  readonly version?: number;
  readonly of?: ProducerIdentity;
  /** Where batches are of different producers. */
  readonly ofEach?: readonly ProducerIdentity[];
  readonly id?: string | null;
}

/** A client with one transactional producer, as the newest clients speak. */
class Bed {
  readonly broker: Broker;
  readonly client: WireClient;
  producer: ProducerIdentity = { producerId: -1, epoch: -1 };

  constructor(broker: Broker, client: WireClient) {
    this.broker = broker;
    this.client = client;
  }

  static async open(t: TestContext, shards: number): Promise<Bed> {
    const broker = await Broker.open({ store: 'memory', shards });
    const door = await KafkaDoor.open({
      broker,
      clock: new SystemClock(),
      random: new SystemRandom(),
      log: silentLog,
      host: '127.0.0.1',
      port: 0,
    });
    const client = await WireClient.connect(door.port);
    t.after(async () => {
      client.close();
      await door.close(0);
      await broker.close();
    });
    // The time of what is produced is long ago.
    await broker.createTopic('orders', { partitions: 8, options: { retentionMs: -1 } });
    const bed = new Bed(broker, client);
    const init = await client.ask('InitProducerId', 6, {
      transactionalId,
      transactionTimeoutMs: 600_000,
    });
    assert.equal(init.errorCode, errorCodes.NONE);
    bed.producer = { producerId: init.producerId, epoch: init.producerEpoch };
    return bed;
  }

  /** One batch with one record for each of the partitions. */
  async produce(
    partitions: readonly number[],
    sequence: number,
    { version = 12, of = this.producer, ofEach = [of], id = transactionalId }: Sent = {},
  ): Promise<number[]> {
    const partitionData = partitions.map((index, at) => ({
      index,
      records: transactionalBatch({ ...(ofEach[at] ?? of), sequence }, [`${sequence}`]),
    }));
    const topicData = [{ name: 'orders', partitionData }];
    const request = { transactionalId: id, acks: -1, timeoutMs: 1000, topicData };
    const { responses } = await this.client.ask('Produce', version, request);
    return (responses[0]?.partitionResponses ?? []).map(({ errorCode }) => errorCode);
  }

  async end(committed: boolean, of = this.producer): Promise<number> {
    const request = { transactionalId, producerId: of.producerId, producerEpoch: of.epoch };
    const ended = await this.client.ask('EndTxn', 5, { ...request, committed });
    if (ended.errorCode === errorCodes.NONE)
      this.producer = { producerId: ended.producerId ?? -1, epoch: ended.producerEpoch ?? -1 };
    return ended.errorCode;
  }

  async mark(index: number, of: ProducerIdentity, transactionResult = false): Promise<number> {
    const marker = {
      producerId: of.producerId,
      producerEpoch: of.epoch,
      transactionResult,
      topics: [{ name: 'orders', partitionIndexes: [index] }],
      coordinatorEpoch: 0,
    };
    const { markers } = await this.client.ask('WriteTxnMarkers', 1, { markers: [marker] });
    return markers[0]?.topics[0]?.partitions[0]?.errorCode ?? -1;
  }

  log(index: number): PartitionLog {
    const log = this.broker.findTopic('orders')?.partitions[index];
    assert.ok(log instanceof PartitionLog);
    return log;
  }

  get openCount(): number {
    let count = 0;
    for (let index = 0; index < 8; index++) count += this.log(index).listOpenTransactions().length;
    return count;
  }
}

const { NONE } = errorCodes;

test('the level of transactions is told, to old clients without the range they cannot read', async (t) => {
  const { client } = await Bed.open(t, 1);
  const software = { clientSoftwareName: 'x', clientSoftwareVersion: '1' };
  for (const version of [3, 4]) {
    const told = await client.ask('ApiVersions', version, software);
    const level = told.finalizedFeatures?.find(({ name }) => name === 'transaction.version');
    assert.equal(level?.maxVersionLevel, 2);
    const supported = told.supportedFeatures?.some(({ minVersion }) => minVersion === 0) ?? false;
    assert.equal(supported, version === 4);
  }
});

test('transactions are listed by a pattern of their ids', async (t) => {
  const { client } = await Bed.open(t, 3);
  for (const id of ['pay-1', 'pay-22', 'repay-3'])
    await client.ask('InitProducerId', 5, { transactionalId: id, transactionTimeoutMs: 1000 });
  const list = async (transactionalIdPattern: string | null): Promise<string[]> => {
    const answer = await client.ask('ListTransactions', 2, {
      stateFilters: [],
      producerIdFilters: [],
      durationFilter: -1,
      transactionalIdPattern,
    });
    if (answer.errorCode !== NONE) return [`error ${answer.errorCode}`];
    return answer.transactionStates.map((one) => one.transactionalId).toSorted();
  };
  assert.deepEqual(await list(null), ['pay-1', 'pay-22', 'repay-3', 'w']);
  assert.deepEqual(await list('pay-[0-9]+'), ['pay-1', 'pay-22']);
  assert.deepEqual(await list('nobody'), []);
  assert.deepEqual(await list('(a'), [`error ${errorCodes.INVALID_REGULAR_EXPRESSION}`]);
});

for (const shards of [1, 3]) {
  test(`a Produce takes its partitions in, and what follows it stays behind it (${shards} shards)`, async (t) => {
    const bed = await Bed.open(t, shards);
    const first = bed.producer;
    // All are on their way at once; each has partitions that are new and some that are not.
    const sent = [0, 1, 2, 3, 4, 5].map((sequence) => {
      const partitions = [0, 1, 2, 3, 4, 5, 6, 7].filter((index) => index <= sequence + 2);
      return Promise.all(
        partitions.map((index) =>
          bed.produce([index], Math.max(0, sequence - Math.max(0, index - 2))),
        ),
      );
    });
    for (const codes of await Promise.all(sent))
      assert.deepEqual(
        codes.flat(),
        codes.map(() => NONE),
      );
    assert.equal(bed.openCount, 8);
    assert.equal(bed.log(0).lastStableOffset, 0);
    assert.equal(await bed.end(true), NONE);
    assert.equal(bed.openCount, 0);
    assert.deepEqual(bed.producer, { ...first, epoch: first.epoch + 1 });
    assert.equal(bed.log(0).lastStableOffset, bed.log(0).highWatermark);

    // An answer that was lost is given again; what comes late from before is of an old epoch.
    assert.equal(await bed.end(true, first), NONE);
    assert.deepEqual(bed.producer, { ...first, epoch: first.epoch + 1 });
    assert.deepEqual(await bed.produce([0], 6, { of: first }), [errorCodes.INVALID_PRODUCER_EPOCH]);
    assert.deepEqual(await bed.produce([3, 4], 0), [NONE, NONE]);
    assert.equal(await bed.end(false), NONE);
    assert.equal(bed.log(3).findAborted(0, 100).length, 1);
    // Nothing was written: it may still be given up, so that the epoch changes, but not committed.
    assert.equal(await bed.end(true), errorCodes.INVALID_TXN_STATE);
    assert.equal(await bed.end(false), NONE);
    assert.equal(bed.producer.epoch, first.epoch + 3);
  });

  test(`one Produce may have partitions that exist and one that does not (${shards} shards)`, async (t) => {
    const bed = await Bed.open(t, shards);
    const codes = await bed.produce([0, 5, 9], 0);
    assert.deepEqual(codes, [NONE, NONE, errorCodes.UNKNOWN_TOPIC_OR_PARTITION]);
    const stranger = { producerId: bed.producer.producerId + 100, epoch: 0 };
    assert.deepEqual(await bed.produce([1], 0, { of: stranger }), [
      errorCodes.INVALID_PRODUCER_ID_MAPPING,
    ]);
    assert.equal(await bed.end(true), NONE);
  });

  test(`a transactional id must be its producer's, in every version of Produce (${shards} shards)`, async (t) => {
    const bed = await Bed.open(t, shards);
    const { INVALID_PRODUCER_ID_MAPPING: strange, INVALID_PRODUCER_EPOCH: fenced } = errorCodes;
    const init = { transactionalId: 'other', transactionTimeoutMs: 600_000 };
    const other = await bed.client.ask('InitProducerId', 6, init);
    const { producer } = bed;
    await bed.broker.transactions.addPartitions(
      { transactionalId, ...producer },
      [0, 1].map((partition) => ({ topicId: bed.broker.topics.find('orders')!.id, partition })),
    );
    const newer = { ...producer, epoch: producer.epoch + 1 };
    for (const version of [3, 9, 10, 11, 12]) {
      const produce = (id: string | null, of = producer): Promise<number[]> =>
        bed.produce([0], 0, { version, id, of });
      assert.deepEqual(await produce('other'), [strange]);
      assert.deepEqual(await produce('nobody'), [strange]);
      assert.deepEqual(await produce(''), [errorCodes.INVALID_REQUEST]);
      assert.deepEqual(await produce(null), [errorCodes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED]);
      assert.deepEqual(await produce(transactionalId, newer), [fenced]);
      const both = [producer, { producerId: other.producerId, epoch: other.producerEpoch }];
      assert.deepEqual(await bed.produce([0, 1], 0, { version, ofEach: both }), [strange, strange]);
    }
    assert.equal(bed.openCount, 0);
    assert.deepEqual(await bed.produce([0, 1], 0, { version: 9 }), [NONE, NONE]);
  });

  test(`older versions of Produce want partitions that were added before (${shards} shards)`, async (t) => {
    const bed = await Bed.open(t, shards);
    const refused = (version: number): Promise<number[]> => bed.produce([0], 0, { version });
    assert.deepEqual(await refused(10), [errorCodes.INVALID_TXN_STATE]);
    assert.deepEqual(await refused(11), [errorCodes.TRANSACTION_ABORTABLE]);
  });

  test(`offsets are taken in without being added before (${shards} shards)`, async (t) => {
    const bed = await Bed.open(t, shards);
    for (const committed of [false, true]) {
      const partition = { partitionIndex: 0, committedOffset: 7, committedMetadata: null };
      const { topics } = await bed.client.ask('TxnOffsetCommit', 5, {
        transactionalId,
        groupId: 'g',
        producerId: bed.producer.producerId,
        producerEpoch: bed.producer.epoch,
        topics: [{ name: 'orders', partitions: [partition] }],
      });
      assert.equal(topics[0]?.partitions[0]?.errorCode, NONE);
      assert.equal(await bed.end(committed), NONE);
      const offsets = await bed.broker.groupsFor('g').fetchOffsets('g');
      assert.deepEqual(
        offsets.map(({ offset }) => offset),
        committed ? [7] : [],
      );
    }
  });

  test(`several transactions are added to, or only looked at, in one request (${shards} shards)`, async (t) => {
    const bed = await Bed.open(t, shards);
    const ask = async (
      version: number,
      verifyOnly: boolean,
      partitions: number[],
      epoch = bed.producer.epoch,
    ): Promise<number[]> => {
      const { producerId } = bed.producer;
      const topics = [{ name: 'orders', partitions }];
      const identity = { transactionalId, producerId, producerEpoch: epoch };
      const stranger = { transactionalId: 'nobody', producerId, producerEpoch: 0 };
      const { resultsByTransaction } = await bed.client.ask('AddPartitionsToTxn', version, {
        transactions: [
          { ...identity, verifyOnly, topics },
          { ...stranger, verifyOnly, topics },
        ],
        v3AndBelowTransactionalId: '',
        v3AndBelowProducerId: 0,
        v3AndBelowProducerEpoch: 0,
        v3AndBelowTopics: [],
      });
      const [own, other] = (resultsByTransaction ?? []).map(({ topicResults }) =>
        (topicResults[0]?.resultsByPartition ?? []).map((one) => one.partitionErrorCode),
      );
      assert.ok(other?.every((code) => code !== NONE));
      return own ?? [];
    };
    assert.deepEqual(await ask(4, true, [0]), [errorCodes.INVALID_TXN_STATE]);
    assert.deepEqual(await ask(4, false, [0, 1]), [NONE, NONE]);
    assert.deepEqual(await ask(5, true, [0, 2, 9]), [
      NONE,
      errorCodes.TRANSACTION_ABORTABLE,
      errorCodes.UNKNOWN_TOPIC_OR_PARTITION,
    ]);
    assert.deepEqual(await ask(5, true, [0], bed.producer.epoch + 1), [errorCodes.PRODUCER_FENCED]);
    assert.deepEqual(await bed.produce([0], 0, { version: 11 }), [NONE]);
  });

  test(`an administrator ends what hangs, and a transaction that is known only as a whole (${shards} shards)`, async (t) => {
    const bed = await Bed.open(t, shards);
    assert.equal(await bed.mark(9, bed.producer), errorCodes.UNKNOWN_TOPIC_OR_PARTITION);
    assert.equal(await bed.mark(0, bed.producer), NONE, 'nothing is open');
    assert.equal(bed.log(0).highWatermark, 0);

    await bed.produce([0, 1, 2, 3], 0);
    const { producer } = bed;
    assert.equal(await bed.mark(0, producer, true), errorCodes.INVALID_TXN_STATE);
    assert.equal(bed.openCount, 4);
    assert.equal(await bed.mark(0, producer), NONE);
    assert.equal(bed.openCount, 0);
    assert.deepEqual(await bed.produce([0], 1), [errorCodes.INVALID_PRODUCER_EPOCH]);
    assert.equal(await bed.end(true), errorCodes.PRODUCER_FENCED);

    const lost = { producerId: producer.producerId + 50, epoch: 3 };
    const log = bed.log(5);
    log.beginTransaction(lost.producerId, lost.epoch);
    await log.append(transactionalBatch({ ...lost, sequence: 0 }, ['hangs']));
    assert.equal(log.lastStableOffset, 0);
    const older = { ...lost, epoch: 2 };
    assert.equal(await bed.mark(5, older), errorCodes.INVALID_PRODUCER_EPOCH);
    assert.equal(await bed.mark(5, lost), NONE);
    assert.equal(log.lastStableOffset, 2);
    assert.equal(log.findAborted(0, 2).length, 1);
  });
}
