import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Topic } from '../../../src/broker/index.ts';
import { Bed, codeOf, transactionalBatch } from './bed.ts';

const parts = [0, 1, 2, 3];

/** Crashes once after each number of events while a producer's transaction ends; it must be there whole or not at all. */
async function crashWhileEnding(
  shards: number,
  events: number,
  outcome: 'commit' | 'abort',
  isPowerLoss: boolean,
): Promise<boolean> {
  const bed = new Bed(events + 1, shards);
  let broker = await bed.open();
  let topic = await bed.settle(broker.createTopic('t'));
  const { transactions } = broker;
  const request = { transactionalId: 'p', timeoutMs: 900_000, expected: undefined };
  const identity = {
    transactionalId: 'p',
    ...(await bed.settle(transactions.initProducer(request))),
  };
  const keys = parts.map((partition) => ({ topicId: topic.id, partition }));
  await bed.settle(transactions.addPartitions(identity, keys));
  const commits = keys.map(({ topicId, partition }) => ({
    topicId,
    partition,
    offset: 7,
    leaderEpoch: -1,
    metadata: '',
  }));
  await bed.settle(transactions.commitOffsets(identity, 'g', undefined, commits));
  for (const index of parts) {
    const batch = transactionalBatch({ ...identity, sequence: 0 }, [`${index}`]);
    await bed.settle(topic.partitions[index]?.append(batch) ?? Promise.reject(new Error('none')));
  }
  const ending = transactions.end(identity, outcome, events % 2 === 1);
  ending.catch(() => undefined);
  const wasAnswered = await bed.runUntil(ending, events);

  broker = await bed.crash(isPowerLoss);
  // A second crash in the middle of bringing it to its end.
  if (events % 3 === 0) broker = await bed.crash(!isPowerLoss);
  topic = broker.findTopic('t') as Topic;
  const context = `${shards} shards, ${outcome}, crash after ${events} events`;
  const state = broker.transactions.describe('p')?.state;
  const values = await bed.readStable(topic);
  const stored = await bed.settle(broker.groupsFor('g').fetchOffsets('g'));
  const isOpen = topic.partitions.some(
    (partition) => partition.lastStableOffset < partition.highWatermark,
  );
  if (wasAnswered) assert.equal(state, `complete-${outcome}`, context);
  assert.ok(state === 'ongoing' || state === `complete-${outcome}`, `${context}: ${state}`);
  assert.equal(isOpen, state === 'ongoing', context);
  const isCommitted = state === 'complete-commit';
  assert.deepEqual(values, isCommitted ? ['0', '1', '2', '3'] : [], context);
  assert.equal(stored.length, isCommitted ? 4 : 0, context);
  if (state === 'ongoing') {
    assert.equal(await bed.settle(codeOf(broker.transactions.end(identity, 'abort', false))), 'ok');
    assert.deepEqual(await bed.readStable(topic), [], context);
  }
  return wasAnswered;
}

for (const shards of [1, 3]) {
  for (const outcome of ['commit', 'abort'] as const) {
    test(`a crash at every step of a producer's ${outcome} leaves all or nothing of it (${shards} shards)`, async () => {
      let answered = 0;
      for (let events = 0; answered < 6; events++) {
        assert.ok(events < 200, 'it comes to its end');
        if (await crashWhileEnding(shards, events, outcome, events % 4 < 2)) answered += 1;
      }
    });
  }
}
