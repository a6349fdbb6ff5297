import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { errorCodes } from '../../../../src/doors/kafka/error-codes.ts';
import { PartitionLog } from '../../../../src/shard/index.ts';
import { transactionalBatch } from '../../../broker/transactions/bed.ts';
import { ack, nothingMs, ShareBed, valuesOf } from './share-bed.ts';
import { patienceMs } from '../../../support/patience.ts';
import { SkippingClock } from '../../../support/skipping-clock.ts';

const accept = 1;
const release = 2;
const reject = 3;
const renew = 4;

describe('fetching for a share group', () => {
  it('begins at the end of the log unless the group is configured otherwise', async (t) => {
    const bed = await ShareBed.open(t);
    await bed.broker.topics.create({ name: 'orders', partitions: 1 });
    await bed.publish('orders', ['old']);
    await bed.fromEarliest('early');
    const late = await bed.member('late', 'orders', 'm');
    assert.deepEqual(await late.fetch({ maxWaitMs: nothingMs }), []);
    await bed.publish('orders', ['new']);
    assert.deepEqual(valuesOf(await late.fetch()), ['new']);
    const early = await bed.member('early', 'orders', 'm');
    assert.deepEqual(valuesOf(await early.fetch()), ['old', 'new']);
  });

  it('begins so long ago as a duration says', async (t) => {
    const bed = await ShareBed.open(t);
    await bed.broker.topics.create({ name: 'orders', partitions: 1 });
    await bed.publish('orders', ['long ago'], { timestampMs: Date.now() - 2 * 3600 * 1000 });
    await bed.broker.send('orders', { value: 'now' });
    await bed.configure('g', { 'share.auto.offset.reset': 'by_duration:PT1H' });
    const member = await bed.member('g', 'orders', 'm');
    assert.deepEqual(valuesOf(await member.fetch()), ['now']);
  });

  it('waits until there is a record', async (t) => {
    const bed = await ShareBed.open(t);
    await bed.broker.topics.create({ name: 'orders', partitions: 1 });
    const member = await bed.member('g', 'orders', 'm');
    await member.fetch({ maxWaitMs: 0 });
    const fetched = member.fetch({ maxWaitMs: 60_000 });
    await bed.publish('orders', ['a', 'b']);
    assert.deepEqual(await fetched, [
      { partition: 0, offset: 0, deliveries: 1, value: 'a' },
      { partition: 0, offset: 1, deliveries: 1, value: 'b' },
    ]);
  });

  it('gives each record to one member, in stretches, and none twice', async (t) => {
    const bed = await ShareBed.open(t);
    await bed.broker.topics.create({ name: 'orders', partitions: 1 });
    await bed.fromEarliest('g');
    for (let batch = 0; batch < 10; batch += 1)
      await bed.publish(
        'orders',
        Array.from({ length: 10 }, (_, n) => `${batch * 10 + n}`),
      );
    const members = await Promise.all(['a', 'b', 'c'].map((id) => bed.member('g', 'orders', id)));
    const answers = await Promise.all(
      members.map((member) =>
        member.ask({ maxRecords: 25, batchSize: 10, shareAcquireMode: 1, maxWaitMs: patienceMs }),
      ),
    );
    const seen: number[] = [];
    for (const answer of answers) {
      const ranges = answer.responses[0]?.partitions[0]?.acquiredRecords ?? [];
      assert.equal(
        ranges.reduce((sum, range) => sum + range.lastOffset - range.firstOffset + 1, 0),
        25,
      );
      assert.equal(ranges.length, 3);
      for (const { firstOffset, lastOffset } of ranges)
        for (let offset = firstOffset; offset <= lastOffset; offset += 1) seen.push(offset);
    }
    assert.deepEqual(
      seen.toSorted((a, b) => a - b),
      Array.from({ length: 75 }, (_, index) => index),
    );
  });

  it('sends only the batches that acquired records are in', async (t) => {
    const bed = await ShareBed.open(t);
    await bed.broker.topics.create({ name: 'orders', partitions: 1 });
    await bed.fromEarliest('g');
    for (const value of ['a', 'b', 'c', 'd', 'e']) await bed.publish('orders', [value]);
    const member = await bed.member('g', 'orders', 'm');
    await member.fetch();
    const deliveries = await member.fetch({
      acknowledge: { 0: ack(0, 4, release, accept, accept, release, accept) },
    });
    assert.deepEqual(deliveries, [
      { partition: 0, offset: 0, deliveries: 2, value: 'a' },
      { partition: 0, offset: 3, deliveries: 2, value: 'd' },
    ]);
    const again = await member.ask({
      acknowledge: { 0: ack(0, 0, release) },
      maxWaitMs: patienceMs,
    });
    const [answer] = again.responses[0]?.partitions ?? [];
    assert.deepEqual(answer?.acquiredRecords, [
      { firstOffset: 0, lastOffset: 0, deliveryCount: 3 },
    ]);
    const stored = await bed.broker.topics.find('orders')!.partitions[0]!.read(0, {
      maxBytes: 1,
      minOneBatch: true,
    });
    assert.deepEqual(Buffer.from(answer.records), Buffer.concat(stored.slices));
  });

  it('goes over all partitions of the session in turn', async (t) => {
    const bed = await ShareBed.open(t);
    await bed.broker.topics.create({ name: 'orders', partitions: 3 });
    await bed.fromEarliest('g');
    for (const partition of [0, 1, 2])
      for (let n = 0; n < 20; n += 1)
        await bed.publish('orders', [`${partition}.${n}`], { partition });
    const member = await bed.member('g', 'orders', 'm');
    const seen = new Set<number>();
    let count = 0;
    for (let round = 0; count < 60; round += 1) {
      assert.ok(round < 40, 'records are missing');
      const deliveries = await member.fetch({
        partitions: round === 0 ? [0, 1, 2] : [],
        maxRecords: 5,
      });
      count += deliveries.length;
      if (round < 3) for (const { partition } of deliveries) seen.add(partition);
    }
    assert.equal(count, 60);
    assert.equal(seen.size, 3);
  });

  it('brings what it begins of a batch whole, unless the limit is to be kept', async (t) => {
    const bed = await ShareBed.open(t);
    await bed.broker.topics.create({ name: 'orders', partitions: 1 });
    await bed.fromEarliest('g');
    await bed.publish('orders', ['a', 'b', 'c', 'd']);
    await bed.publish('orders', ['e', 'f', 'g']);
    const member = await bed.member('g', 'orders', 'm');
    const whole = { maxRecords: 1, maxWaitMs: 60_000 };
    const exact = { ...whole, maxRecords: 2, shareAcquireMode: 1 };
    assert.deepEqual(valuesOf(await member.fetch(whole)), ['a', 'b', 'c', 'd']);
    assert.deepEqual(valuesOf(await member.fetch(exact)), ['e', 'f']);
    // What comes behind what is left of a batch is of another one, and waits.
    const again = await member.fetch({ ...whole, acknowledge: { 0: ack(0, 1, release) } });
    assert.deepEqual(valuesOf(again), ['a', 'b']);
    const last = await member.fetch(whole);
    assert.deepEqual(
      last.map(({ value, deliveries }) => [value, deliveries]),
      [['g', 1]],
    );
  });

  it('waits for transactions only where the group says so', async (t) => {
    const bed = await ShareBed.open(t);
    const options = { retentionMs: -1 };
    await bed.broker.topics.create({ name: 'orders', partitions: 1, options });
    for (const group of ['all', 'stable']) await bed.fromEarliest(group);
    await bed.configure('stable', { 'share.isolation.level': 'read_committed' });
    const partition = bed.broker.topics.find('orders')?.partitions[0];
    assert.ok(partition instanceof PartitionLog);
    const producer = { producerId: 7, epoch: 0 };
    const write = async (value: string, sequence: number): Promise<void> => {
      partition.beginTransaction(producer.producerId, producer.epoch);
      await partition.append(transactionalBatch({ ...producer, sequence }, [value]));
    };
    const end = (outcome: 'commit' | 'abort') => partition.endTransaction(7, 0, outcome, 0);
    const all = await bed.member('all', 'orders', 'm');
    const stable = await bed.member('stable', 'orders', 'm');
    const long = { maxWaitMs: 60_000 };
    await write('a', 0);
    assert.deepEqual(valuesOf(await all.fetch(long)), ['a']);
    assert.deepEqual(valuesOf(await stable.fetch({ maxWaitMs: nothingMs })), []);
    await end('abort');
    await write('b', 1);
    await end('commit');
    assert.deepEqual(valuesOf(await stable.fetch(long)), ['b']);
    assert.deepEqual(valuesOf(await all.fetch(long)), ['b']);
    await bed.configure('all', { 'share.isolation.level': 'read_committed' });
    await write('c', 2);
    assert.deepEqual(valuesOf(await all.fetch({ maxWaitMs: nothingMs })), []);
    await end('commit');
    assert.deepEqual(valuesOf(await all.fetch(long)), ['c']);
  });

  it('tells what is wrong with a partition', async (t) => {
    const bed = await ShareBed.open(t);
    await bed.broker.topics.create({ name: 'orders', partitions: 1 });
    const member = await bed.member('g', 'orders', 'm');
    const response = await member.ask({ partitions: [0, 7] });
    assert.deepEqual(
      response.responses[0]?.partitions.map(({ errorCode }) => errorCode),
      [errorCodes.NONE, errorCodes.UNKNOWN_TOPIC_OR_PARTITION],
    );
    const stranger = await bed.member('g', 'nowhere', 'm2');
    const unknown = await stranger.ask();
    assert.equal(unknown.responses[0]?.partitions[0]?.errorCode, errorCodes.UNKNOWN_TOPIC_ID);
  });

  it('ends when the topic is deleted', async (t) => {
    const bed = await ShareBed.open(t);
    await bed.broker.topics.create({ name: 'orders', partitions: 1 });
    const member = await bed.member('g', 'orders', 'm');
    await member.fetch({ maxWaitMs: 0 });
    const fetched = member.fetch({ maxWaitMs: 60_000 });
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
    await bed.broker.topics.delete('orders');
    assert.deepEqual(await fetched, []);
    const next = await member.ask();
    assert.equal(next.responses[0]?.partitions[0]?.errorCode, errorCodes.UNKNOWN_TOPIC_ID);
  });
});

describe('acknowledging', () => {
  it('accepts, releases and rejects records inside a batch', async (t) => {
    const bed = await ShareBed.open(t);
    await bed.broker.topics.create({ name: 'orders', partitions: 1 });
    await bed.fromEarliest('g');
    await bed.publish('orders', ['a', 'b', 'c', 'd']);
    const member = await bed.member('g', 'orders', 'm');
    await member.fetch();
    const response = await member.acknowledge([
      { firstOffset: 0, lastOffset: 2, acknowledgeTypes: [accept, release, reject] },
      { firstOffset: 3, lastOffset: 3, acknowledgeTypes: [release] },
    ]);
    assert.equal(response.partitionError, errorCodes.NONE);
    assert.deepEqual(await member.fetch(), [
      { partition: 0, offset: 1, deliveries: 2, value: 'b' },
      { partition: 0, offset: 3, deliveries: 2, value: 'd' },
    ]);
  });

  it('refuses as a whole what is not acquired by the member', async (t) => {
    const bed = await ShareBed.open(t);
    await bed.broker.topics.create({ name: 'orders', partitions: 1 });
    await bed.fromEarliest('g');
    await bed.publish('orders', ['a', 'b', 'c', 'd']);
    const first = await bed.member('g', 'orders', 'm1');
    const second = await bed.member('g', 'orders', 'm2');
    await first.fetch({ maxRecords: 2, shareAcquireMode: 1 });
    await second.fetch({ maxRecords: 2, shareAcquireMode: 1 });
    const cases: Array<[string, ReturnType<typeof ack>]> = [
      ['of another member', ack(2, 3, accept)],
      ['partly of another member', ack(1, 2, accept)],
      ['not published', ack(4, 4, accept)],
      ['without end', ack(0, Number.MAX_SAFE_INTEGER, accept)],
    ];
    for (const [name, batches] of cases) {
      const { partitionError } = await first.acknowledge(batches);
      assert.equal(partitionError, errorCodes.INVALID_RECORD_STATE, name);
    }
    assert.equal((await first.acknowledge(ack(0, 1, accept))).partitionError, errorCodes.NONE);
    // What is settled already is no error.
    assert.equal((await first.acknowledge(ack(0, 1, accept))).partitionError, errorCodes.NONE);
  });

  it('refuses what makes no sense', async (t) => {
    const bed = await ShareBed.open(t);
    await bed.broker.topics.create({ name: 'orders', partitions: 1 });
    await bed.fromEarliest('g');
    await bed.publish('orders', ['a', 'b', 'c', 'd']);
    const member = await bed.member('g', 'orders', 'm');
    await member.fetch();
    for (const batches of [
      ack(1, 0, accept),
      ack(0, 1),
      ack(0, 2, accept, accept),
      ack(0, 0, 5),
      ack(0, 0, -1),
      ack(0, 0, renew),
      [...ack(2, 3, accept), ...ack(0, 1, accept)],
      [...ack(0, 1, accept), ...ack(1, 2, accept)],
    ]) {
      const { partitionError } = await member.acknowledge(batches);
      assert.equal(partitionError, errorCodes.INVALID_REQUEST, JSON.stringify(batches));
    }
  });

  it('gives a record out as often as the limit says, then drops it', async (t) => {
    const bed = await ShareBed.open(t);
    await bed.broker.topics.create({ name: 'orders', partitions: 1 });
    await bed.fromEarliest('g');
    await bed.publish('orders', ['poison']);
    const member = await bed.member('g', 'orders', 'm');
    assert.equal((await member.fetch())[0]?.deliveries, 1);
    for (const deliveries of [2, 3, 4, 5]) {
      const [delivery] = await member.fetch({ acknowledge: { 0: ack(0, 0, release) } });
      assert.equal(delivery?.deliveries, deliveries);
    }
    assert.deepEqual(
      await member.fetch({ maxWaitMs: nothingMs, acknowledge: { 0: ack(0, 0, release) } }),
      [],
    );
    await bed.configure('g', { 'share.delivery.count.limit': '2' });
    await bed.publish('orders', ['next']);
    assert.equal((await member.fetch())[0]?.deliveries, 1);
    const [again] = await member.fetch({ acknowledge: { 0: ack(1, 1, release) } });
    assert.equal(again?.deliveries, 2);
    assert.deepEqual(
      await member.fetch({ maxWaitMs: nothingMs, acknowledge: { 0: ack(1, 1, release) } }),
      [],
    );
  });

  it('takes records back when the lock is over, unless it is renewed', async (t) => {
    const clock = new SkippingClock(true);
    const bed = await ShareBed.open(t, clock);
    await bed.broker.topics.create({ name: 'orders', partitions: 1 });
    await bed.fromEarliest('g');
    await bed.publish('orders', ['a', 'b']);
    const first = await bed.member('g', 'orders', 'm1');
    const second = await bed.member('g', 'orders', 'm2');
    const answer = await first.ask();
    assert.equal(answer.acquisitionLockTimeoutMs, 30_000);
    clock.skip(20_000);
    const renewed = await first.acknowledge(ack(1, 1, renew), { isRenewAck: true });
    assert.equal(renewed.partitionError, errorCodes.NONE);
    assert.equal(renewed.acquisitionLockTimeoutMs, 30_000);
    clock.skip(15_000);
    assert.deepEqual(await second.fetch(), [
      { partition: 0, offset: 0, deliveries: 2, value: 'a' },
    ]);
    assert.equal(
      (await first.acknowledge(ack(0, 0, accept))).partitionError,
      errorCodes.INVALID_RECORD_STATE,
    );
    assert.equal((await first.acknowledge(ack(1, 1, accept))).partitionError, errorCodes.NONE);
  });

  it('does not renew where the group forbids it', async (t) => {
    const bed = await ShareBed.open(t);
    await bed.broker.topics.create({ name: 'orders', partitions: 1 });
    await bed.configure('g', {
      'share.auto.offset.reset': 'earliest',
      'share.renew.acknowledge.enable': 'false',
    });
    await bed.publish('orders', ['a']);
    const member = await bed.member('g', 'orders', 'm');
    await member.fetch();
    const { partitionError } = await member.acknowledge(ack(0, 0, renew), { isRenewAck: true });
    assert.equal(partitionError, errorCodes.INVALID_REQUEST);
  });

  it('holds back what is more than the group may have acquired', async (t) => {
    const bed = await ShareBed.open(t);
    await bed.broker.topics.create({ name: 'orders', partitions: 1 });
    await bed.configure('g', {
      'share.auto.offset.reset': 'earliest',
      'share.partition.max.record.locks': '100',
    });
    const values = Array.from({ length: 150 }, (_, index) => `${index}`);
    await bed.publish('orders', values);
    const member = await bed.member('g', 'orders', 'm');
    assert.equal((await member.fetch()).length, 100);
    assert.equal((await member.fetch({ maxWaitMs: 20 })).length, 0);
    const rest = await member.fetch({ acknowledge: { 0: ack(0, 99, accept) } });
    assert.deepEqual(valuesOf(rest), values.slice(100));
  });
});

describe('a share session', () => {
  it('goes on with the right epoch only', async (t) => {
    const bed = await ShareBed.open(t);
    await bed.broker.topics.create({ name: 'orders', partitions: 1 });
    const member = await bed.member('g', 'orders', 'm');
    const early = await member.ask({ shareSessionEpoch: 1 });
    assert.equal(early.errorCode, errorCodes.SHARE_SESSION_NOT_FOUND);
    await member.ask();
    const wrong = await member.ask({ shareSessionEpoch: 5 });
    assert.equal(wrong.errorCode, errorCodes.INVALID_SHARE_SESSION_EPOCH);
    assert.equal(
      (await member.acknowledge([], { epoch: 0 })).errorCode,
      errorCodes.INVALID_SHARE_SESSION_EPOCH,
    );
    const first = await member.ask({
      shareSessionEpoch: 0,
      partitions: [0],
      acknowledge: { 0: ack(0, 0, accept) },
    });
    assert.equal(first.errorCode, errorCodes.INVALID_REQUEST);
    assert.equal((await member.ask()).errorCode, errorCodes.NONE);
  });

  it('names only partitions with news after the first answer', async (t) => {
    const bed = await ShareBed.open(t);
    await bed.broker.topics.create({ name: 'orders', partitions: 2 });
    const member = await bed.member('g', 'orders', 'm');
    const first = await member.ask({ partitions: [0, 1] });
    assert.equal(first.responses[0]?.partitions.length, 2);
    assert.deepEqual((await member.ask({ maxWaitMs: 0 })).responses, []);
    await bed.publish('orders', ['a'], { partition: 1 });
    const second = await member.ask({ maxWaitMs: patienceMs });
    assert.deepEqual(
      second.responses[0]?.partitions.map(({ partitionIndex }) => partitionIndex),
      [1],
    );
    const forgotten = await member.ask({
      maxWaitMs: 0,
      forgottenTopicsData: [{ topicId: member.topicId, partitions: [0, 1] }],
      acknowledge: { 1: ack(0, 0, accept) },
    });
    assert.equal(forgotten.responses[0]?.partitions[0]?.acknowledgeErrorCode, errorCodes.NONE);
    await bed.publish('orders', ['b'], { partition: 1 });
    assert.deepEqual(await member.fetch({ maxWaitMs: 20 }), []);
  });

  for (const how of ['closed by a fetch', 'closed by an acknowledgement', 'cut off', 'replaced'])
    it(`gives back what it has acquired when it is ${how}`, async (t) => {
      const bed = await ShareBed.open(t);
      await bed.broker.topics.create({ name: 'orders', partitions: 1 });
      await bed.fromEarliest('g');
      await bed.publish('orders', ['a', 'b', 'c']);
      const member = await bed.member('g', 'orders', 'm');
      await member.fetch();
      if (how === 'closed by a fetch') {
        const last = await member.ask({
          shareSessionEpoch: -1,
          acknowledge: { 0: ack(0, 0, accept) },
        });
        assert.equal(last.responses[0]?.partitions[0]?.acknowledgeErrorCode, errorCodes.NONE);
      } else if (how === 'closed by an acknowledgement') {
        await member.acknowledge(ack(0, 0, accept), { epoch: -1 });
      } else {
        await member.acknowledge(ack(0, 0, accept));
        if (how === 'cut off') member.client.close();
      }
      const next = await bed.member('g', 'orders', how === 'replaced' ? 'm' : 'other');
      assert.deepEqual(await next.fetch(), [
        { partition: 0, offset: 1, deliveries: 1, value: 'b' },
        { partition: 0, offset: 2, deliveries: 1, value: 'c' },
      ]);
    });
});
