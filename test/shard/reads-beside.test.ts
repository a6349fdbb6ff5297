/** Reads that are under way while something changes what they looked up. */
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { type Broker, BrokerError } from '../../src/broker/index.ts';
import { batchBaseOffset } from '../../src/bytes/index.ts';
import type { Partition } from '../../src/shard/index.ts';
import { appendAborted } from '../support/aborted-record.ts';
import { HeldDisk } from '../support/held-disk.ts';
import { openBroker } from './store-fixture.ts';
import { until } from '../support/until.ts';

interface Store {
  broker: Broker;
  disk: HeldDisk;
  warnings: string[];
}

/** Small files, and hardly anything of them in memory. */
async function open(context: TestContext): Promise<Store> {
  const disk = new HeldDisk();
  const warnings: string[] = [];
  const broker = await openBroker('/data', warnings, { disk });
  context.after(async () => {
    disk.release();
    await broker.close();
  });
  return { broker, disk, warnings };
}

async function createLog({ broker }: Store): Promise<Partition> {
  const topic = await broker.createTopic('log', { options: { retentionMs: -1 } });
  return topic.partitions[0] as Partition;
}

/** Batches of one record each, about 300 bytes long: some sixty fill a file. */
async function fill(broker: Broker, count: number, topic = 'log'): Promise<void> {
  for (let number = 0; number < count; number++)
    await broker.send(topic, { key: 'filling', value: 'v'.repeat(220) });
}

/** Begins to look something up, and holds on where it loads an index from the disk. */
async function beginHeld<T>(
  { broker, disk }: Store,
  find: () => Promise<T>,
  topic = 'log',
): Promise<{ finding: Promise<T> }> {
  for (;;) {
    disk.holdNext('read', /index$/);
    let isOver = false;
    const finding = find().finally(() => {
      isOver = true;
    });
    finding.catch(() => undefined);
    await until(() => disk.isHolding || isOver, 'it is held, or ends');
    if (disk.isHolding) return { finding };
    // The index is in memory until some more files are sealed.
    disk.release();
    await fill(broker, 50, topic);
  }
}

/** Compacts the log, as often as it takes. */
async function compactUntil(broker: Broker, isDone: () => Promise<boolean>): Promise<void> {
  await broker.topics.configure('log', {
    options: { cleanup: 'compact', dirtyShareMin: 0, activeBytesMax: 1 },
  });
  await until(async () => {
    await broker.maintain();
    return isDone();
  }, 'it is compacted');
}

function isOutOfRange(error: unknown): boolean {
  return error instanceof BrokerError && error.code === 'offset-out-of-range';
}

test('a stable read that the log start passes has nothing: what was aborted there is forgotten', async (context) => {
  const store = await open(context);
  const { broker, disk } = store;
  const log = await createLog(store);
  await appendAborted(broker, log);
  await fill(broker, 100);
  assert.equal(log.findAborted(0, 100).length, 1);

  disk.holdNext('read', /\.journal$/);
  const reading = broker.read('log', 0, 0, 4000);
  reading.catch(() => undefined);
  await until(() => disk.isHolding, 'it reads from the disk');
  await log.deleteBefore(50);
  disk.release();
  await assert.rejects(reading, isOutOfRange);
  assert.equal((await broker.read('log', 0, 50, 1))[0]?.offset, 50);
});

for (const what of ['findByTime', 'findMaxTimestamp'] as const) {
  test(`what ${what} is after, superseded meanwhile, is found where it is new`, async (context) => {
    const store = await open(context);
    const { broker, disk, warnings } = store;
    const log = await createLog(store);
    // Later than whatever comes behind it, for as long as that takes.
    const timestampMs = Date.now() + 1_800_000;
    await broker.send('log', { key: 'late', value: 'first', timestampMs });
    await fill(broker, 150);
    const { finding } = await beginHeld(store, async () => log[what](timestampMs));
    // More than is read at once.
    for (let key = 0; key < 15; key++)
      await broker.send('log', { key: `k${key}`, value: Buffer.alloc(100_000) });
    const { offset } = await broker.send('log', { key: 'late', value: 'again', timestampMs });
    await fill(broker, 150);
    await compactUntil(broker, async () => {
      const [first] = await broker.read('log', 0, 0, 1);
      return first?.key?.toString() === 'k0';
    });
    disk.release();
    assert.equal((await finding)?.offset, offset);
    assert.deepEqual(warnings, []);
  });
}

test('what compaction joins with newer records while it is read is not taken for the end of the log', async (context) => {
  const store = await open(context);
  const { broker, disk, warnings } = store;
  const log = await createLog(store);
  await broker.send('log', { key: 'before', value: 'v' });
  await broker.createTopic('other');
  await fill(broker, 150, 'other');
  const read = async (): Promise<number[]> => {
    const records = await broker.read('log', 0, 0, 4000);
    return records.map(({ offset }) => offset);
  };
  const { finding } = await beginHeld(store, read, 'other');
  await broker.send('log', { key: 'after', value: 'v' });
  await fill(broker, 150, 'other');
  await compactUntil(broker, async () => {
    const { slices } = await log.read(1, { maxBytes: 1, minOneBatch: true });
    return slices[0] !== undefined && batchBaseOffset(slices[0], 0) === 0;
  });
  disk.release();
  assert.deepEqual(await finding, [0, 1]);
  assert.deepEqual(warnings, []);
});

test('a file whose index is not stored yet when the next is sealed is read by what memory has', async (context) => {
  const store = await open(context);
  const { broker, disk, warnings } = store;
  await createLog(store);
  disk.holdNext('rename', /\.journal-index$/);
  await fill(broker, 200);
  assert.ok(disk.isHolding);
  assert.equal((await broker.read('log', 0, 0, 1))[0]?.offset, 0);
  disk.release();
  await fill(broker, 200);
  assert.equal((await broker.read('log', 0, 100, 1))[0]?.offset, 100);
  assert.deepEqual(warnings, []);
});
