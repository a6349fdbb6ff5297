import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { Broker } from '../../../../src/broker/index.ts';
import { errorCodes } from '../../../../src/doors/kafka/error-codes.ts';
import { SeededRandom, SimulatedDisk } from '../../../../src/testing/index.ts';
import { until } from '../../../support/until.ts';
import { ack, ShareBed, valuesOf } from './share-bed.ts';
import { patienceMs } from '../../../support/patience.ts';
import { SkippingClock } from '../../../support/skipping-clock.ts';

const accept = 1;
const release = 2;

async function temporaryDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'pabal-share-'));
  t.after(() => rm(directory, { recursive: true }));
  return directory;
}

describe('a share group over a restart of the broker', () => {
  it('goes on where it was: what is accepted stays so, failures are counted on', async (t) => {
    const directory = await temporaryDirectory(t);
    const first = await ShareBed.openOver(t, await Broker.open({ data: directory }));
    await first.broker.topics.create({ name: 'orders', partitions: 1 });
    await first.configure('g', {
      'share.auto.offset.reset': 'earliest',
      'share.record.lock.duration.ms': '20000',
    });
    await first.publish('orders', ['a', 'b', 'c', 'd']);
    const member = await first.member('g', 'orders', 'm');
    assert.equal((await member.fetch()).length, 4);
    await member.acknowledge(ack(0, 2, accept, release, accept));
    await first.close();
    const second = await ShareBed.openOver(t, await Broker.open({ data: directory }));
    const client = await second.connect();
    const { groups } = await client.ask('ListGroups', 5, { statesFilter: [], typesFilter: [] });
    assert.deepEqual(
      groups.map(({ groupId, groupState }) => [groupId, groupState]),
      [['g', 'Empty']],
    );
    const again = await second.member('g', 'orders', 'm');
    const answer = await again.ask({ maxWaitMs: patienceMs });
    assert.equal(answer.acquisitionLockTimeoutMs, 20_000);
    assert.deepEqual(answer.responses[0]?.partitions[0]?.acquiredRecords, [
      { firstOffset: 1, lastOffset: 1, deliveryCount: 2 },
      { firstOffset: 3, lastOffset: 3, deliveryCount: 1 },
    ]);
  });
});

describe('a share group while the storage fails', () => {
  it('is not told that records are accepted, and gets them again', async (t) => {
    const clock = new SkippingClock();
    // The disk is simulated: nothing else holds the process while it works.
    const keeper = clock.keepProcess();
    t.after(() => keeper.cancel());
    const random = new SeededRandom(3);
    const disk = new SimulatedDisk({ clock, random: random.fork() });
    const broker = await Broker.open({
      data: '/data',
      disk,
      clock,
      random: random.fork(),
      tuning: { freeBytesMin: 0, journalFileBytes: 1024 * 1024 },
    });
    const bed = await ShareBed.openOver(t, broker, clock);
    await broker.topics.create({ name: 'orders', partitions: 1 });
    await bed.fromEarliest('g');
    await bed.publish('orders', ['a', 'b']);
    const member = await bed.member('g', 'orders', 'm');
    assert.equal((await member.fetch()).length, 2);
    disk.capacityBytes = disk.usedBytes;
    const refused = await member.acknowledge(ack(0, 0, accept));
    assert.equal(refused.partitionError, errorCodes.KAFKA_STORAGE_ERROR);
    disk.capacityBytes = Number.POSITIVE_INFINITY;
    for (let tries = 0; broker.findProblems().length > 0; tries += 1) {
      assert.ok(tries < 1000, 'the storage does not recover');
      clock.skip(200);
      await new Promise((resolve) => {
        setTimeout(resolve, 5);
      });
    }
    const late = await member.acknowledge(ack(1, 1, accept));
    assert.equal(late.partitionError, errorCodes.INVALID_RECORD_STATE);
    clock.skip(40_000);
    assert.deepEqual(valuesOf(await member.fetch()), ['a', 'b']);
    assert.equal((await member.acknowledge(ack(0, 1, accept))).partitionError, errorCodes.NONE);
    const queue = broker.queues.find('', 'orders', 'g')!;
    assert.equal(queue.counts().consumers, 1);
    member.client.close();
    await until(() => queue.counts().consumers === 0);
  });
});

describe('a fetch that cannot be answered', () => {
  it('leaves nothing acquired when its client is gone', async (t) => {
    const bed = await ShareBed.open(t);
    await bed.broker.topics.create({ name: 'orders', partitions: 1 });
    const member = await bed.member('g', 'orders', 'm');
    await member.fetch({ maxWaitMs: 0 });
    const lost = assert.rejects(member.fetch({ maxWaitMs: 60_000 }));
    member.client.close();
    await lost;
    await bed.publish('orders', ['a']);
    const other = await bed.member('g', 'orders', 'n');
    assert.deepEqual(valuesOf(await other.fetch()), ['a']);
    const queue = bed.broker.queues.find('', 'orders', 'g')!;
    assert.equal(queue.counts().leased, 1);
    other.client.close();
    await until(() => queue.counts().leased === 0 && queue.counts().consumers === 0);
    assert.equal(queue.counts().ready, 1);
  });

  it('has no more than its bytes, but at least one batch', async (t) => {
    const bed = await ShareBed.open(t);
    await bed.broker.topics.create({ name: 'orders', partitions: 1 });
    await bed.fromEarliest('g');
    for (let n = 0; n < 5; n += 1) await bed.publish('orders', [`${n}`.repeat(1000)]);
    const member = await bed.member('g', 'orders', 'm');
    const seen: string[] = [];
    for (const expected of [1, 2, 2]) {
      const deliveries = await member.fetch({ maxBytes: expected === 1 ? 10 : 2500 });
      assert.equal(deliveries.length, expected);
      seen.push(...valuesOf(deliveries).map((value) => value[0]!));
    }
    assert.deepEqual(seen, ['0', '1', '2', '3', '4']);
    const queue = bed.broker.queues.find('', 'orders', 'g')!;
    assert.equal(queue.counts().leased, 5);
  });
});
