import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Broker, BrokerError } from '../../src/broker/index.ts';
import { SeededRandom, SimulatedClock, SimulatedDisk } from '../../src/testing/index.ts';

test('a disk that stays full is tried by one recovery at a time, and publishing resumes when there is room', async () => {
  const random = new SeededRandom(7);
  const clock = new SimulatedClock();
  const disk = new SimulatedDisk({ clock, random: random.fork() });
  const lines: string[] = [];
  const note = (line: string): number => lines.push(line);
  const broker = await clock.runUntil(
    Broker.open({
      data: '/data',
      disk,
      clock,
      random: random.fork(),
      log: { info: note, warn: note, error: note },
      // The reserve of free space would refuse the publish before the disk does.
      tuning: { freeBytesMin: 0, journalFileBytes: 1024 * 1024 },
    }),
  );
  await clock.runUntil(broker.createTopic('orders'));
  await clock.runUntil(broker.send('orders', { value: 'before' }));
  disk.capacityBytes = disk.usedBytes;

  const refused = broker.send('orders', { value: 'x'.repeat(5000) });
  await assert.rejects(
    clock.runUntil(refused),
    (error) => error instanceof BrokerError && error.code === 'storage-full',
  );
  const openings = countOpenings(disk, '/data/shard-0/journal');
  await clock.runFor(10_500);
  assert.ok(openings.count >= 5, `${openings.count} recoveries in ten seconds`);
  assert.ok(openings.count <= 11, `${openings.count} recoveries in ten seconds`);
  assert.equal(broker.findProblems().length, 1);

  disk.capacityBytes = Number.POSITIVE_INFINITY;
  await clock.runFor(5000);
  assert.deepEqual(broker.findProblems(), []);
  assert.equal(lines.filter((line) => line === 'storage works again').length, 1);
  await clock.runUntil(broker.send('orders', { value: 'after' }));
  const records = await clock.runUntil(broker.read('orders', 0, 0));
  assert.deepEqual(
    records.map(({ value }) => value?.toString()),
    ['before', 'after'],
  );
  await clock.runUntil(broker.close());
});

/** Opening a journal lists its directory, once. */
function countOpenings(disk: SimulatedDisk, directory: string): { count: number } {
  const openings = { count: 0 };
  const list = disk.list.bind(disk);
  disk.list = (path) => {
    if (path === directory) openings.count += 1;
    return list(path);
  };
  return openings;
}
