import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BrokerError } from '../../../src/base/index.ts';
import {
  AtomicCommit,
  type ShardOperations,
} from '../../../src/broker/transactions/atomic-commit.ts';
import type { ShardParts } from '../../../src/broker/transactions/index.ts';
import {
  type PartitionLog,
  transactionEntryKind,
  TransactionTable,
} from '../../../src/shard/index.ts';

interface Answer {
  kind: number;
  resolve: () => void;
  reject: (error: Error) => void;
}

/** A shard whose entries become durable when it is told. */
class HandShard {
  readonly table = new TransactionTable();
  readonly waiting: Answer[] = [];
  readonly appended: string[] = [];
  readonly index: number;
  epoch = 1;
  isCertain = true;
  readonly log: PartitionLog;

  constructor(index: number) {
    this.index = index;
    const log = {
      number: 1,
      checkAppend: () => undefined,
      appendDecided: (bytes: Uint8Array) => {
        this.appended.push(Buffer.from(bytes).toString());
        return Promise.resolve();
      },
    };
    // What is asked of a log here, and no more.
    this.log = log as unknown as PartitionLog;
  }

  get parts(): ShardParts {
    const { table, index } = this;
    const queues = { find: () => undefined };
    // What is asked of a shard's parts here, and no more.
    return { index, table, shard: this, queues } as unknown as ShardParts;
  }

  logs(): PartitionLog[] {
    return [this.log];
  }

  checkWritable(): void {
    if (!this.isCertain) throw new BrokerError('storage-failed');
  }

  checkPublish(): void {}

  atomically<T>(work: () => T): T {
    return work();
  }

  submit(kind: number, payload: Uint8Array): Promise<void> {
    this.table.apply(kind, payload);
    return new Promise((resolve, reject) => this.waiting.push({ kind, resolve, reject }));
  }

  /** What was submitted so far is durable. */
  async settle(): Promise<number[]> {
    const settled = this.waiting.splice(0);
    for (const { resolve } of settled) resolve();
    await new Promise<void>((resolve) => void setImmediate(resolve));
    return settled.map(({ kind }) => kind);
  }

  append(text: string): ShardOperations {
    return {
      parts: this.parts,
      appends: [{ log: this.log, bytes: Buffer.from(text) }],
      settlements: [],
    };
  }
}

const { prepared, unprepared, decided, finished } = transactionEntryKind;

function setUp(): { shards: HandShard[]; parts: ShardParts[]; commit: AtomicCommit } {
  const shards = [0, 1, 2].map((index) => new HandShard(index));
  const parts = shards.map((shard) => shard.parts);
  const commit = new AtomicCommit(parts);
  commit.start();
  return { shards, parts, commit };
}

test('the steps of a commit over shards, each durable before the next', async () => {
  const { shards, commit } = setUp();
  const [home, first, second] = shards as [HandShard, HandShard, HandShard];
  const whole = commit.commit([first.append('b'), home.append('aaa'), second.append('c')]);
  let isOver = false;
  void whole.then(() => (isOver = true));
  assert.deepEqual(await home.settle(), [], 'the home waits for all');
  assert.deepEqual(await first.settle(), [prepared]);
  assert.deepEqual(await home.settle(), [], 'one is not all');
  assert.deepEqual(await second.settle(), [prepared]);
  assert.deepEqual(home.appended, ['aaa']);
  assert.deepEqual(
    [...first.appended, ...second.appended],
    [],
    'nothing shows before the decision',
  );
  assert.deepEqual(await home.settle(), [decided]);
  assert.deepEqual([first.appended, second.appended], [['b'], ['c']]);
  assert.deepEqual(await first.settle(), [unprepared]);
  assert.equal(isOver, false);
  assert.deepEqual(await home.settle(), [], 'the decision is kept while one may ask');
  assert.deepEqual(await second.settle(), [unprepared]);
  await whole;
  assert.deepEqual(await home.settle(), [finished]);
  assert.equal(home.table.decidedCount, 0);
});

test('a recovery elsewhere leaves what is being prepared alone', async () => {
  const { shards, parts, commit } = setUp();
  const [home, first, second] = shards as [HandShard, HandShard, HandShard];
  const whole = commit.commit([home.append('aaa'), first.append('b'), second.append('c')]);
  await first.settle();
  commit.adopt(parts[1]!);
  assert.equal([...first.table.prepared()].length, 1);
  assert.deepEqual(await first.settle(), [], 'it is not undone');
  await second.settle();
  await home.settle();
  assert.deepEqual([first.appended, second.appended], [['b'], ['c']]);
  await first.settle();
  await second.settle();
  await whole;
});

test('when one cannot prepare, all forget, and nothing was done', async () => {
  const { shards, commit } = setUp();
  const [home, first, second] = shards as [HandShard, HandShard, HandShard];
  const whole = commit.commit([home.append('aaa'), first.append('b'), second.append('c')]);
  await first.settle();
  second.isCertain = false;
  for (const { reject } of second.waiting.splice(0)) reject(new BrokerError('storage-failed'));
  await assert.rejects(whole, { code: 'storage-failed' });
  assert.deepEqual([home.appended, first.appended, second.appended], [[], [], []]);
  assert.deepEqual(await first.settle(), [unprepared]);
  second.isCertain = true;
  commit.adopt(second.parts);
  assert.deepEqual(await second.settle(), [unprepared], 'it asks, and hears of no decision');
  assert.deepEqual(second.appended, []);
});

test('a decision in doubt is looked up when its shard is back', async () => {
  for (const wasDurable of [true, false]) {
    const { shards, commit } = setUp();
    const [home, first] = shards as [HandShard, HandShard, HandShard];
    const whole = commit.commit([home.append('aaa'), first.append('b')]);
    await first.settle();
    const [answer] = home.waiting.splice(0);
    assert.equal(answer?.kind, decided);
    home.isCertain = false;
    answer?.reject(new BrokerError('storage-failed'));
    await assert.rejects(whole, { code: 'storage-failed' });
    // Another shard's recovery asks, and nobody can say.
    commit.adopt(first.parts);
    assert.deepEqual(await first.settle(), []);
    if (!wasDurable) home.table.restore(undefined);
    home.isCertain = true;
    commit.adopt(home.parts);
    assert.deepEqual(await first.settle(), [unprepared]);
    assert.deepEqual(first.appended, wasDurable ? ['b'] : []);
    assert.deepEqual(await home.settle(), wasDurable ? [finished] : []);
  }
});

test('a decision outlives a participant that is in doubt', async () => {
  const { shards, commit } = setUp();
  const [home, first, second] = shards as [HandShard, HandShard, HandShard];
  const whole = commit.commit([home.append('aaa'), first.append('b'), second.append('c')]);
  await first.settle();
  await second.settle();
  const before = first.table.encode();
  await home.settle();
  first.isCertain = false;
  for (const { reject } of first.waiting.splice(0)) reject(new BrokerError('storage-failed'));
  await second.settle();
  await whole;
  assert.equal(home.table.decidedCount, 1);
  assert.deepEqual(await home.settle(), []);
  first.table.restore(before);
  first.isCertain = true;
  commit.adopt(first.parts);
  assert.deepEqual(first.appended, ['b', 'b'], 'done again, because the first time was taken back');
  await first.settle();
  assert.deepEqual(await home.settle(), [finished]);
});
