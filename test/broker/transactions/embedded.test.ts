import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Broker, type Topic } from '../../../src/broker/index.ts';
import { patienceMs } from '../../support/patience.ts';
import { codeOf, transactionalBatch } from './bed.ts';

const transactionalId = 'x';

/** Writes the values in one transaction; stays open without an outcome. */
async function write(
  broker: Broker,
  topic: Topic,
  values: string[],
  outcome: 'commit' | 'abort' | undefined,
): Promise<void> {
  const { transactions } = broker;
  const request = { transactionalId, timeoutMs: 60_000, expected: undefined };
  const identity = { transactionalId, ...(await transactions.initProducer(request)) };
  await transactions.addPartitions(identity, [{ topicId: topic.id, partition: 0 }]);
  await topic.partitions[0]?.append(transactionalBatch({ ...identity, sequence: 0 }, values));
  if (outcome !== undefined) await transactions.end(identity, outcome, false);
}

test('embedded readers, groups and queues pass over what was aborted, and wait for what is open', async () => {
  const broker = await Broker.open({ store: 'memory' });
  try {
    const topic = await broker.createTopic('t', { options: { retentionMs: -1 } });
    const { queue } = await broker.queues.declare({ namespace: '', name: 't', subscription: 's' });
    await write(broker, topic, ['no', 'no'], 'abort');
    await write(broker, topic, ['a', 'b'], 'commit');
    await write(broker, topic, ['no'], 'abort');
    await write(broker, topic, ['later'], undefined);
    await broker.send('t', { value: 'behind' });
    const read = async (from: number): Promise<string[]> =>
      (await broker.read('t', 0, from)).map(({ value }) => String(value));
    assert.deepEqual(await read(0), ['a', 'b']);
    assert.deepEqual(await broker.read('t', 0, 0, 1).then((some) => some.length), 2);
    assert.deepEqual(await read(6), []);
    const take = async (): Promise<string[]> => {
      const request = { count: 10, bytesMax: 1e6, leaseMs: -1, isAutoSettled: true, waitMs: 0 };
      return (await queue.acquire(request)).map(({ bytes, valueAt, valueBytes }) =>
        Buffer.from(bytes.subarray(valueAt, valueAt + valueBytes)).toString(),
      );
    };
    assert.deepEqual(await take(), ['a', 'b']);
    // The next producer of the id undoes what is open.
    await write(broker, topic, ['c'], 'commit');
    assert.deepEqual(await read(6), ['behind', 'c']);
    assert.deepEqual(await take(), ['behind', 'c']);
    assert.equal(queue.counts().ready, 0);
    const consumer = broker.consume({ group: 'g', topics: ['t'], from: 'earliest' });
    const seen: string[] = [];
    for await (const record of consumer) {
      seen.push(String(record.value));
      if (seen.length === 4) break;
    }
    assert.deepEqual(seen, ['a', 'b', 'behind', 'c']);
    await consumer.close();
  } finally {
    await broker.close();
  }
});

test('a transaction of a program moves a message, or leaves everything as it was', async () => {
  const broker = await Broker.open({ store: 'memory', shards: 3 });
  try {
    const inbox = await broker.createQueue('inbox');
    const outbox = await broker.createQueue('outbox');
    await inbox.send('work');
    const [first] = await inbox.receive({ waitMs: patienceMs });
    assert.ok(first !== undefined);
    await assert.rejects(
      broker.transaction((tx) => {
        tx.accept(first);
        tx.send('outbox', { value: 'done' });
        throw new Error('no');
      }),
      /no/,
    );
    assert.equal(first.isSettled, false);
    assert.equal((await outbox.receive({ waitMs: 0 })).length, 0);
    const answer = await broker.transaction((tx) => {
      tx.accept(first);
      tx.send('outbox', { key: 'k', value: 'done', headers: { from: 'inbox' } });
      return 42;
    });
    assert.equal(answer, 42);
    assert.equal(first.isSettled, true);
    const [moved] = await outbox.receive({ waitMs: patienceMs });
    assert.deepEqual(
      [moved?.text, moved?.key?.toString(), moved?.headers.from],
      ['done', 'k', 'inbox'],
    );
    assert.equal(await codeOf(broker.transaction((tx) => tx.accept(first))), 'lease-stale');
    moved?.release();
    assert.equal(
      await codeOf(broker.transaction((tx) => tx.send('nowhere', { value: null, partition: 7 }))),
      'partition-not-found',
    );
  } finally {
    await broker.close();
  }
});
