/** What happens to a queue while it waits for a read, or for its changes to be durable. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { Broker, BrokerError } from '../../../src/broker/index.ts';
import { SeededRandom, SimulatedClock } from '../../../src/testing/index.ts';
import { HeldDisk } from '../../support/held-disk.ts';

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

async function open(clock: SimulatedClock, disk: HeldDisk): Promise<Broker> {
  const opening = Broker.open({
    data: '/data',
    disk,
    clock,
    random: new SeededRandom(1),
    log: silent,
    tuning: { journalFileBytes: 16 * 1024, tailCacheBytes: 4096, freeBytesMin: 0 },
  });
  return clock.runUntil(opening);
}

test('whoever waits for a message whose read the log start passes gets the next one at once', async () => {
  const clock = new SimulatedClock();
  const disk = new HeldDisk();
  const broker = await open(clock, disk);
  const queue = await clock.runUntil(broker.createQueue('jobs'));
  for (let number = 0; number < 100; number++)
    await clock.runUntil(queue.send(`${number} ${'v'.repeat(200)}`));
  disk.holdNext('read', /\.journal$/);
  const parts = broker.queues.find('', 'jobs')?.parts ?? [];
  const acquiring = parts[0]?.acquire({
    count: 1,
    bytesMax: 1_000_000,
    leaseMs: undefined,
    isAutoSettled: false,
    waitMs: 500,
  });
  assert.ok(acquiring !== undefined);
  while (!disk.isHolding) assert.ok(await clock.runNext(), 'it reads from the disk');
  const deleting = broker.findTopic('jobs')?.partitions[0]?.deleteBefore(50);
  assert.equal(await clock.runUntil(deleting ?? Promise.resolve(-1)), 50);
  disk.release();
  const [message] = await clock.runUntil(acquiring);
  assert.equal(message?.offset, 50);
  await clock.runUntil(broker.close());
});

test('whoever settles when the broker is closed is told that', async () => {
  const clock = new SimulatedClock();
  const broker = await open(clock, new HeldDisk());
  const handle = await clock.runUntil(broker.createQueue('jobs'));
  await clock.runUntil(handle.send('one'));
  const queue = broker.queues.find('', 'jobs');
  await clock.runUntil(broker.close());
  await assert.rejects(async () => queue?.settled(), isClosed);
});

test('what a queue has gone back to while retention looked at the log stays', async () => {
  const clock = new SimulatedClock();
  const disk = new HeldDisk();
  const broker = await open(clock, disk);
  const handle = await clock.runUntil(
    broker.createQueue('jobs', { settings: { keepSettledMs: 60_000 } }),
  );
  const send = async (count: number): Promise<void> => {
    for (let number = 0; number < count; number++)
      await clock.runUntil(handle.send(`${number} ${'v'.repeat(200)}`));
  };
  await send(150);
  await clock.runFor(50_000);
  await send(200);
  const queue = broker.queues.find('', 'jobs');
  const log = broker.findTopic('jobs')?.partitions[0];
  assert.ok(queue !== undefined && log !== undefined);
  const ask = { count: 350, bytesMax: 1e9, leaseMs: undefined, isAutoSettled: true, waitMs: 100 };
  for (let count = 0; count < 350; ) count += (await clock.runUntil(queue.acquire(ask))).length;
  await clock.runUntil(queue.settled());
  assert.equal(log.logStartOffset, 0);
  clock.jumpWallClock(20_000);
  disk.holdNext('read', /index$/);
  const maintaining = broker.maintain();
  while (!disk.isHolding) assert.ok(await clock.runNext(), 'it loads an index');
  await clock.runUntil(queue.rewind({ offsets: new Map([[0, 0]]) }));
  disk.release();
  await clock.runUntil(maintaining);
  assert.equal(log.logStartOffset, 0);
  assert.equal(queue.counts().ready, 350);
  await clock.runUntil(broker.close());
});

function isClosed(error: unknown): boolean {
  return error instanceof BrokerError && error.code === 'closed';
}
