/** What happens to a queue while it waits for a read, or for its changes to be durable. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { Broker, BrokerError } from '../../../src/broker/index.ts';
import { SeededRandom, SimulatedClock } from '../../../src/testing/index.ts';
import { HeldDisk } from '../../support/held-disk.ts';

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

async function open(clock: SimulatedClock, disk: HeldDisk): Promise<Broker> {
  const opening = Broker.open({
    data: '/data',
    disk,
    clock,
    random: new SeededRandom(1),
    log,
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

function isClosed(error: unknown): boolean {
  return error instanceof BrokerError && error.code === 'closed';
}
