import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { Broker, type IncomingRecord } from '../../src/broker/index.ts';
import { RecordBatchBuilder } from '../../src/bytes/index.ts';
import { findProgram, loaderFlags } from '../program.ts';
import { patienceMs } from '../support/patience.ts';
import { until } from '../support/until.ts';

async function createDirectory(context: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'pabal-broker-'));
  context.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function openMemory(context: TestContext): Promise<Broker> {
  const broker = await Broker.open({ store: 'memory' });
  context.after(() => broker.close());
  return broker;
}

async function take(
  consumer: { next(): Promise<IncomingRecord | undefined> },
  count: number,
): Promise<IncomingRecord[]> {
  const records: IncomingRecord[] = [];
  while (records.length < count) {
    const record = await consumer.next();
    if (record === undefined) break;
    records.push(record);
  }
  return records;
}

test('what is sent is read with key, value, headers and time, also by the next broker', async (context) => {
  const data = await createDirectory(context);
  const first = await Broker.open({ data });
  // The record's time is long ago.
  await first.createTopic('orders', { options: { retentionMs: -1 } });
  const sent = await first.send('orders', {
    key: 'k',
    value: 'v',
    headers: { trace: 'abc', none: null },
    timestampMs: 1_700_000_000_000,
  });
  assert.deepEqual(sent, { partition: 0, offset: 0 });
  await first.close();
  const second = await Broker.open({ data });
  assert.equal(second.storeId, first.storeId);
  const [record] = await second.read('orders', 0, 0);
  assert.equal(record?.key?.toString(), 'k');
  assert.equal(record?.value?.toString(), 'v');
  assert.equal(record?.timestampMs, 1_700_000_000_000);
  assert.deepEqual(
    record?.headers.map(([name, value]) => [name, value?.toString()]),
    [
      ['trace', 'abc'],
      ['none', undefined],
    ],
  );
  await second.close();
});

test('who makes a topic that is being made hears of it when it can be found', async (t) => {
  const broker = await openMemory(t);
  const first = broker.topics.create({ name: 'twin' });
  await assert.rejects(broker.topics.create({ name: 'twin' }), { code: 'topic-exists' });
  assert.notEqual(broker.topics.find('twin'), undefined);
  await first;
});

test('topics are created once, listed, grown and deleted', async (context) => {
  const broker = await openMemory(context);
  await broker.createTopic('b', { partitions: 2 });
  await broker.createTopic('a');
  await assert.rejects(broker.createTopic('a'), { code: 'topic-exists' });
  await assert.rejects(broker.createTopic('no/slash'), { code: 'topic-name-invalid' });
  assert.deepEqual(
    broker.listTopics().map((topic) => topic.name),
    ['a', 'b'],
  );
  await broker.topics.setPartitionCount('b', 3);
  assert.equal(broker.findTopic('b')?.partitions.length, 3);
  await assert.rejects(broker.topics.setPartitionCount('b', 3), {
    code: 'partition-count-invalid',
  });
  await broker.deleteTopic('b');
  assert.equal(broker.findTopic('b'), undefined);
  await assert.rejects(broker.read('b', 0, 0), { code: 'topic-not-found' });
  await assert.rejects(broker.deleteTopic('b'), { code: 'topic-not-found' });
});

test('records sent together keep their order, and the same key stays in one partition', async (context) => {
  const broker = await openMemory(context);
  await broker.createTopic('t', { partitions: 3 });
  const sent = await broker.send(
    't',
    Array.from({ length: 60 }, (_, index) => ({ key: `key-${index % 6}`, value: `${index}` })),
  );
  const partitions = new Map<string, Set<number>>();
  for (const [index, { partition }] of sent.entries()) {
    const key = `key-${index % 6}`;
    partitions.set(key, (partitions.get(key) ?? new Set()).add(partition));
  }
  assert.ok([...partitions.values()].every((set) => set.size === 1));
  for (let partition = 0; partition < 3; partition++) {
    const values = (await broker.read('t', partition, 0)).map((record) => Number(record.value));
    assert.deepEqual(
      values,
      values.toSorted((a, b) => a - b),
    );
  }
});

test('two consumers of a group share the partitions and get every record once', async (context) => {
  const broker = await openMemory(context);
  await broker.createTopic('t', { partitions: 4 });
  const options = { group: 'g', topics: ['t'], from: 'earliest' as const };
  const first = broker.consume(options);
  const second = broker.consume(options);
  const waiting = [first.next(), second.next()];
  // Both have joined when each has its half.
  await until(() => first.assignment.length === 2 && second.assignment.length === 2);
  for (let number = 0; number < 40; number++)
    await broker.send('t', { value: `${number}`, partition: number % 4 });
  const heads = await Promise.all(waiting);
  const rest = await Promise.all([take(first, 19), take(second, 19)]);
  const values = [...heads, ...rest.flat()].map((record) => Number(record?.value));
  assert.deepEqual(
    values.toSorted((a, b) => a - b),
    Array.from({ length: 40 }, (_, index) => index),
  );
  await first.close();
  await second.close();
});

test('a group goes on where it committed, and begins again where it is set back', async (context) => {
  const broker = await openMemory(context);
  for (let number = 0; number < 10; number++) await broker.send('t', { value: `${number}` });
  const options = { group: 'g', topics: ['t'], from: 'earliest' as const, autoCommit: false };
  const first = broker.consume(options);
  const records = await take(first, 6);
  await first.commit(records[3]);
  await first.close();
  const second = broker.consume(options);
  assert.equal((await second.next())?.value?.toString(), '4');
  await second.close();
  const topicId = broker.findTopic('t')?.id ?? '';
  await broker
    .groupsFor('g')
    .commit('g', undefined, [{ topicId, partition: 0, offset: 1, leaderEpoch: -1, metadata: '' }]);
  const third = broker.consume(options);
  assert.equal((await third.next())?.value?.toString(), '1');
  await third.close();
});

test('leaving a loop commits what was handled and leaves the group', async (context) => {
  const broker = await openMemory(context);
  for (let number = 0; number < 5; number++) await broker.send('t', { value: `${number}` });
  const seen: string[] = [];
  for await (const record of broker.consume({ group: 'g', topics: ['t'], from: 'earliest' })) {
    seen.push(record.value?.toString() ?? '');
    if (seen.length === 3) break;
  }
  assert.deepEqual(seen, ['0', '1', '2']);
  const next = broker.consume({ group: 'g', topics: ['t'], from: 'earliest' });
  assert.equal((await next.next())?.value?.toString(), '3');
});

test('timestamps too far from the clock, damaged and empty batches are refused', async (context) => {
  const broker = await openMemory(context);
  const topic = await broker.createTopic('t', {
    // The last batch may be looked at long after the time that it says.
    options: { timestampAheadMaxMs: 1000, timestampBehindMaxMs: patienceMs },
  });
  const log = topic.partitions[0];
  const now = Date.now();
  await assert.rejects(async () => log?.append(build(now + 2 * patienceMs)), {
    code: 'timestamp-invalid',
  });
  await assert.rejects(async () => log?.append(build(now - 2 * patienceMs)), {
    code: 'timestamp-invalid',
  });
  const damaged = build(now);
  damaged[damaged.length - 1] = (damaged[damaged.length - 1] ?? 0) ^ 1;
  await assert.rejects(async () => log?.append(damaged), { code: 'batch-corrupt' });
  await assert.rejects(async () => log?.append(Buffer.alloc(0)), { code: 'batch-invalid' });
  assert.equal(log?.highWatermark, 0);
  assert.equal((await log?.append(build(now)))?.baseOffset, 0);
});

test('after closing nothing is taken, and closing again is nothing', async () => {
  const broker = await Broker.open({ store: 'memory' });
  await broker.createTopic('t');
  await Promise.all([broker.close(), broker.close()]);
  await assert.rejects(broker.send('t', { value: 'v' }), { code: 'closed' });
});

test('a directory belongs to one process, until it is killed', async (context) => {
  const data = await createDirectory(context);
  const owner = fork(findProgram('test/broker/owner-process.ts'), [data], {
    execArgv: [...loaderFlags],
  });
  await new Promise((resolve) => owner.once('message', resolve));
  const refused = () => Broker.open({ data }).then(String, String);
  // An owner that is too busy for a second is an unknown one: it is asked again.
  let told = '';
  await until(async () => !/by process unknown/.test((told = await refused())));
  assert.match(told, new RegExp(`in use by process ${owner.pid}$`));
  const gone = new Promise((resolve) => owner.once('exit', resolve));
  owner.kill('SIGKILL');
  await gone;
  const broker = await Broker.open({ data });
  assert.equal((await broker.read('t', 0, 0)).length, 1);
  await broker.close();
  await (await Broker.open({ data })).close();
});

function build(timestampMs: number): Buffer {
  const builder = new RecordBatchBuilder();
  builder.add({ key: null, value: Buffer.from('v'), headers: [], timestampMs });
  return builder.build();
}

test('the id of a topic leads to it in its own namespace only', async (t) => {
  const broker = await openMemory(t);
  const { id } = await broker.topics.create({ name: 'orders', namespace: 'other' });
  assert.equal(broker.topics.findById(id), undefined);
  assert.equal(broker.topics.findById(id, 'other')?.name, 'orders');
});
