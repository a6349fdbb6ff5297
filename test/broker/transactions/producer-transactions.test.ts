import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '../../../src/base/index.ts';
import { Broker, type Topic, type TransactionalIdentity } from '../../../src/broker/index.ts';
import { SeededRandom, SimulatedClock } from '../../../src/testing/index.ts';
import { Bed, codeOf, transactionalBatch } from './bed.ts';

const transactionalId = 'payments';

async function begin(bed: Bed, broker: Broker, timeoutMs = 60_000): Promise<TransactionalIdentity> {
  const request = { transactionalId, timeoutMs, expected: undefined };
  return {
    transactionalId,
    ...(await bed.settle(broker.transactions.initProducer(request))),
  };
}

async function write(
  bed: Bed,
  topic: Topic,
  identity: TransactionalIdentity,
  index: number,
  sequence: number,
  values: string[],
): Promise<string> {
  const partition = topic.partitions[index];
  assert.ok(partition !== undefined);
  const batch = transactionalBatch({ ...identity, sequence }, values);
  return bed.settle(codeOf(partition.append(batch)));
}

function keysOf(topic: Topic, ...indexes: number[]): Array<{ topicId: string; partition: number }> {
  return indexes.map((partition) => ({ topicId: topic.id, partition }));
}

for (const shards of [1, 3]) {
  test(`records of a transaction are seen when it is committed (${shards} shards)`, async () => {
    const bed = new Bed(1, shards);
    const broker = await bed.open();
    const topic = await bed.settle(broker.createTopic('t'));
    const identity = await begin(bed, broker);
    const { transactions } = broker;
    assert.equal(await write(bed, topic, identity, 0, 0, ['early']), 'transaction-invalid');
    await bed.settle(transactions.addPartitions(identity, keysOf(topic, 0, 1, 2, 3)));
    for (const index of [0, 1, 2, 3])
      assert.equal(await write(bed, topic, identity, index, 0, [`a${index}`]), 'ok');
    assert.deepEqual(await bed.readStable(topic), []);
    assert.equal(topic.partitions[0]?.highWatermark, 1);
    assert.equal(topic.partitions[0]?.lastStableOffset, 0);
    assert.equal(topic.partitions[0]?.listProducers()[0]?.transactionOffset, 0);
    await bed.settle(transactions.end(identity, 'commit', false));
    assert.deepEqual(await bed.readStable(topic), ['a0', 'a1', 'a2', 'a3']);
    assert.equal(transactions.describe(transactionalId)?.state, 'complete-commit');
    assert.equal(await write(bed, topic, identity, 0, 1, ['late']), 'transaction-invalid');
    await bed.settle(transactions.end(identity, 'commit', false));

    await bed.settle(transactions.addPartitions(identity, keysOf(topic, 0, 1)));
    await write(bed, topic, identity, 0, 1, ['b0']);
    await write(bed, topic, identity, 1, 1, ['b1']);
    assert.equal(topic.partitions[0]?.lastStableOffset, 2);
    await bed.settle(transactions.end(identity, 'abort', false));
    assert.deepEqual(await bed.readStable(topic), ['a0', 'a1', 'a2', 'a3']);
    assert.deepEqual(topic.partitions[0]?.findAborted(0, 100), [
      { producerId: identity.producerId, firstOffset: 2, lastOffset: 3 },
    ]);
    assert.equal(
      await bed.settle(codeOf(transactions.end(identity, 'commit', false))),
      'transaction-invalid',
    );
  });

  test(`a transaction that is open when the broker dies goes on (${shards} shards)`, async () => {
    const bed = new Bed(2, shards);
    let broker = await bed.open();
    let topic = await bed.settle(broker.createTopic('t'));
    const identity = await begin(bed, broker);
    await bed.settle(broker.transactions.addPartitions(identity, keysOf(topic, 0, 1, 2, 3)));
    for (const index of [0, 1, 2, 3]) await write(bed, topic, identity, index, 0, [`a${index}`]);
    broker = await bed.crash(true);
    topic = broker.findTopic('t') as Topic;
    assert.deepEqual(await bed.readStable(topic), []);
    assert.equal(await write(bed, topic, identity, 2, 1, ['more']), 'ok');
    await bed.settle(broker.transactions.end(identity, 'commit', false));
    assert.deepEqual(await bed.readStable(topic), ['a0', 'a1', 'a2', 'more', 'a3']);
    broker = await bed.crash(true);
    assert.equal((await bed.readStable(broker.findTopic('t') as Topic)).length, 5);
  });

  test(`offsets count when the transaction is committed (${shards} shards)`, async () => {
    const bed = new Bed(3, shards);
    let broker = await bed.open();
    const topic = await bed.settle(broker.createTopic('t'));
    const [key] = keysOf(topic, 0);
    assert.ok(key !== undefined);
    const commits = [{ ...key, offset: 5, leaderEpoch: -1, metadata: '' }];
    for (const outcome of ['abort', 'commit'] as const) {
      const identity = await begin(bed, broker);
      await bed.settle(broker.transactions.commitOffsets(identity, 'g', undefined, commits));
      broker = await bed.crash(true);
      const groups = broker.groupsFor('g');
      assert.equal(groups.hasPendingOffset('g', key), true);
      assert.deepEqual(await bed.settle(groups.fetchOffsets('g')), []);
      await bed.settle(broker.transactions.end(identity, outcome, false));
      assert.equal(groups.hasPendingOffset('g', key), false);
      const found = (await bed.settle(groups.fetchOffsets('g'))).map(({ offset }) => offset);
      assert.deepEqual(found, outcome === 'commit' ? [5] : []);
    }
    broker = await bed.crash(true);
    assert.equal((await bed.settle(broker.groupsFor('g').fetchOffsets('g')))[0]?.offset, 5);
  });

  test(`a transaction that takes too long is aborted, its producer fenced (${shards} shards)`, async () => {
    const bed = new Bed(4, shards);
    let broker = await bed.open();
    let topic = await bed.settle(broker.createTopic('t'));
    const identity = await begin(bed, broker, 5000);
    await bed.settle(broker.transactions.addPartitions(identity, keysOf(topic, 0, 1)));
    await write(bed, topic, identity, 0, 0, ['a']);
    await write(bed, topic, identity, 1, 0, ['b']);
    await bed.clock.runFor(3000);
    broker = await bed.crash(false);
    topic = broker.findTopic('t') as Topic;
    assert.equal(topic.partitions[0]?.lastStableOffset, 0);
    await bed.clock.runFor(2500);
    assert.equal(topic.partitions[0]?.lastStableOffset, 2, 'a restart does not begin it anew');
    assert.deepEqual(await bed.readStable(topic), []);
    const { transactions } = broker;
    assert.equal(
      await bed.settle(codeOf(transactions.end(identity, 'commit', false))),
      'producer-fenced',
    );
    assert.equal(await write(bed, topic, identity, 0, 1, ['c']), 'producer-fenced');
    const next = await begin(bed, broker);
    assert.equal(next.producerId, identity.producerId);
    assert.ok(next.epoch > identity.epoch);
  });
}

test('a new producer of the id fences the one before and undoes its transaction', async () => {
  const bed = new Bed(5, 3);
  const broker = await bed.open();
  const topic = await bed.settle(broker.createTopic('t'));
  const first = await begin(bed, broker);
  await bed.settle(broker.transactions.addPartitions(first, keysOf(topic, 0, 1, 2, 3)));
  for (const index of [0, 1, 2, 3]) await write(bed, topic, first, index, 0, ['zombie']);
  const second = await begin(bed, broker);
  assert.deepEqual(await bed.readStable(topic), []);
  assert.equal(topic.partitions[0]?.lastStableOffset, topic.partitions[0]?.highWatermark);
  const { transactions } = broker;
  for (const attempt of [
    () => transactions.addPartitions(first, keysOf(topic, 0)),
    () => transactions.end(first, 'commit', false),
    () => transactions.commitOffsets(first, 'g', undefined, []),
    () => transactions.initProducer({ transactionalId, timeoutMs: 1000, expected: first }),
  ]) {
    assert.equal(await bed.settle(codeOf(attempt())), 'producer-fenced');
  }
  await bed.settle(transactions.addPartitions(second, keysOf(topic, 0)));
  assert.equal(await write(bed, topic, first, 0, 1, ['zombie']), 'producer-fenced');
  assert.equal(await write(bed, topic, second, 0, 0, ['new']), 'ok');
  await bed.settle(transactions.end(second, 'commit', false));
  assert.deepEqual(await bed.readStable(topic), ['new']);
});

test('with an epoch for each transaction, an end may be repeated and a late batch finds nothing open', async () => {
  const bed = new Bed(6, 3);
  const broker = await bed.open();
  const topic = await bed.settle(broker.createTopic('t'));
  const first = await begin(bed, broker);
  const { transactions } = broker;
  await bed.settle(transactions.addPartitions(first, keysOf(topic, 0)));
  await write(bed, topic, first, 0, 0, ['a']);
  const ended = await bed.settle(transactions.end(first, 'commit', true));
  assert.deepEqual(ended, { producerId: first.producerId, epoch: first.epoch + 1 });
  assert.deepEqual(await bed.settle(transactions.end(first, 'commit', true)), ended);
  const second = { transactionalId, ...ended };
  await bed.settle(transactions.addPartitions(second, keysOf(topic, 0)));
  assert.equal(await write(bed, topic, first, 0, 1, ['late']), 'producer-fenced');
  assert.equal(await write(bed, topic, second, 0, 0, ['b']), 'ok');
  await bed.settle(transactions.end(second, 'abort', true));
  assert.deepEqual(await bed.readStable(topic), ['a']);
});

test('what joins while the transaction before is being ended waits for its end', async () => {
  const bed = new Bed(8, 3);
  const broker = await bed.open();
  const topic = await bed.settle(broker.createTopic('t'));
  const identity = await begin(bed, broker);
  const { transactions } = broker;
  const keys = keysOf(topic, 0, 1, 2, 3);
  await bed.settle(transactions.joinPartitions(identity, keys) ?? Promise.resolve());
  for (const index of [0, 1, 2, 3])
    assert.equal(await write(bed, topic, identity, index, 0, ['a']), 'ok');
  const ending = transactions.end(identity, 'commit', false);
  await bed.runUntil(ending, 1);
  assert.equal(transactions.describe(transactionalId)?.state, 'prepare-commit');
  const joining = transactions.joinPartitions(identity, keys);
  assert.ok(joining !== undefined);
  await bed.settle(Promise.all([ending, joining]));
  assert.equal(transactions.describe(transactionalId)?.state, 'ongoing');
  assert.equal(transactions.joinPartitions(identity, keys), undefined);
  assert.equal(await write(bed, topic, identity, 0, 1, ['b']), 'ok');
  assert.deepEqual(transactions.verifyPartitions(identity, keysOf(topic, 0, 9)), [true, false]);
  await bed.settle(transactions.end(identity, 'abort', false));
  assert.deepEqual(await bed.readStable(topic), ['a', 'a', 'a', 'a']);
});

test('a partition that joined is not written to after the failure that lost its entry', async () => {
  const bed = new Bed(9, 1);
  const broker = await bed.open();
  const topic = await bed.settle(broker.createTopic('t'));
  const identity = await begin(bed, broker);
  const { transactions } = broker;
  const keys = keysOf(topic, 0);
  const batch = transactionalBatch({ ...identity, sequence: 0 }, ['lost']);
  bed.disk.faults.syncErrorRate = 1;
  assert.equal(transactions.joinPartitions(identity, keys), undefined);
  assert.notEqual(
    await bed.settle(codeOf(topic.partitions[0]?.append(batch) ?? Promise.resolve())),
    'ok',
  );
  bed.heal();
  while (broker.findProblems().length > 0) await bed.clock.runFor(100);
  const state = transactions.describe(transactionalId)?.state;
  // The chunk in doubt is there with both, or with neither.
  const isOpen = topic.partitions[0]?.listOpenTransactions().length === 1;
  assert.equal(isOpen, state === 'ongoing');
  if (!isOpen) assert.equal(await write(bed, topic, identity, 0, 0, ['x']), 'transaction-invalid');
  assert.equal(transactions.joinPartitions(identity, keys), undefined);
  assert.equal(
    await bed.settle(codeOf(topic.partitions[0]?.append(batch) ?? Promise.resolve())),
    'ok',
  );
  await bed.settle(transactions.end(identity, 'commit', true));
  assert.deepEqual(await bed.readStable(topic), ['lost']);
});

test('a transactional id that is not used is forgotten, one with an open transaction is not', async () => {
  const bed = new Bed(10, 1);
  const broker = await bed.open();
  await bed.settle(broker.createTopic('t'));
  const { transactions } = broker;
  await begin(bed, broker);
  const id = { transactionalId: 'later', timeoutMs: 60_000, expected: undefined };
  await bed.clock.runFor(limits.transactionalIdIdleMs - 3_600_000);
  await bed.settle(transactions.initProducer(id));
  assert.notEqual(transactions.describe(transactionalId), undefined);
  await bed.clock.runFor(2 * 3_600_000);
  assert.equal(transactions.describe(transactionalId), undefined);
  assert.equal(transactions.describe('later')?.state, 'empty');
  const again = await begin(bed, broker);
  assert.equal(again.epoch, 0);
});

test('long transactional ids are refused when all of them together are too long, until others are forgotten', async () => {
  const clock = new SimulatedClock();
  const parts = { store: 'memory', clock, random: new SeededRandom(1), shards: 1 } as const;
  const broker = await clock.runUntil(Broker.open(parts));
  const idChars = limits.transactionalIdCharsMax;
  const init = (number: number): Promise<string> => {
    const id = String(number).padEnd(idChars, '.');
    const request = { transactionalId: id, timeoutMs: 1000, expected: undefined };
    return clock.runUntil(codeOf(broker.transactions.initProducer(request)));
  };
  const most = Math.floor(limits.transactionalIdsCharsMax / idChars);
  for (let number = 0; number < most; number++) assert.equal(await init(number), 'ok');
  assert.equal(await init(most), 'overloaded');
  assert.equal(await init(0), 'ok');
  await clock.runFor(limits.transactionalIdIdleMs + 2 * 3_600_000);
  assert.equal(await init(most), 'ok');
  await clock.runUntil(broker.close());
});

test('what is asked wrongly is refused', async () => {
  const bed = new Bed(7, 1);
  const broker = await bed.open();
  const topic = await bed.settle(broker.createTopic('t'));
  const { transactions } = broker;
  const init = (id: string, timeoutMs: number): Promise<string> =>
    bed.settle(
      codeOf(transactions.initProducer({ transactionalId: id, timeoutMs, expected: undefined })),
    );
  assert.equal(await init('', 1000), 'config-invalid');
  assert.equal(await init('x', 0), 'transaction-timeout-invalid');
  assert.equal(await init('x', 900_001), 'transaction-timeout-invalid');
  const unknown = { transactionalId: 'nobody', producerId: 1, epoch: 0 };
  assert.equal(await bed.settle(codeOf(transactions.addGroup(unknown, 'g'))), 'producer-unknown');
  const identity = await begin(bed, broker);
  const missing = [...keysOf(topic, 0), ...keysOf(topic, 9)];
  assert.equal(
    await bed.settle(codeOf(transactions.addPartitions(identity, missing))),
    'partition-not-found',
  );
  assert.equal(transactions.describe(transactionalId)?.state, 'empty');
  assert.equal(transactions.describe('nobody'), undefined);
  assert.equal(transactions.list({ states: new Set(['empty']) }).length, 1);
  assert.equal(transactions.list({ producerIds: new Set([-5]) }).length, 0);
});

test('a deleted topic does not keep a transaction from ending', async () => {
  const bed = new Bed(8, 3);
  const broker = await bed.open();
  const kept = await bed.settle(broker.createTopic('kept'));
  const gone = await bed.settle(broker.createTopic('gone'));
  const identity = await begin(bed, broker);
  const keys = [...keysOf(kept, 0), ...keysOf(gone, 0, 1, 2, 3)];
  await bed.settle(broker.transactions.addPartitions(identity, keys));
  await write(bed, kept, identity, 0, 0, ['a']);
  await write(bed, gone, identity, 1, 0, ['b']);
  await bed.settle(broker.deleteTopic('gone'));
  await bed.settle(broker.transactions.end(identity, 'commit', false));
  assert.equal(broker.transactions.describe(transactionalId)?.state, 'complete-commit');
  assert.deepEqual(await bed.readStable(kept), ['a']);
});
