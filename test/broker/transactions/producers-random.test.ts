import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BrokerError, type Topic, type TransactionalIdentity } from '../../../src/broker/index.ts';
import type { SeededRandom } from '../../../src/testing/index.ts';
import { Bed, transactionalBatch } from './bed.ts';

const seeds = Number(process.env.PABAL_SEEDS ?? 4);
const partitions = 4;

/** What a producer knows of one of its transactions. */
interface Attempt {
  /** Where its value was acknowledged, and where it may be. */
  written: Set<number>;
  outcome: 'commit' | 'abort' | 'unknown';
}

/** Producers that write one value into some partitions, and commit or abort; readers that must never see a part. */
class Market {
  readonly bed: Bed;
  readonly random: SeededRandom;
  readonly attempts = new Map<string, Attempt>();
  readonly seen = new Set<string>();
  committed = 0;
  isStopped = false;
  violation: unknown;

  constructor(bed: Bed) {
    this.bed = bed;
    this.random = bed.random.fork();
  }

  start(): Array<Promise<void>> {
    this.isStopped = false;
    const work = Array.from({ length: 3 }, (_, id) => this.#produceOn(id, this.random.fork()));
    work.push(this.#readOn(this.random.fork()));
    return work.map((one) => one.catch((error: unknown) => void (this.violation ??= error)));
  }

  async #produceOn(id: number, random: SeededRandom): Promise<void> {
    const { broker, clock } = this.bed;
    const transactionalId = `p${id}`;
    let identity: TransactionalIdentity | undefined;
    let sequences: number[] = [];
    while (!this.isStopped) {
      let attempt: Attempt | undefined;
      try {
        const { transactions } = broker;
        if (identity === undefined) {
          const request = { transactionalId, timeoutMs: 5000, expected: undefined };
          identity = { transactionalId, ...(await transactions.initProducer(request)) };
          sequences = [];
        }
        const value = `${id}.${this.attempts.size}`;
        attempt = { written: new Set(), outcome: 'abort' };
        this.attempts.set(value, attempt);
        const writes: Array<Promise<void>> = [];
        const joins = random.chance(0.6);
        for (let index = 0; index < partitions; index++) {
          if (random.chance(0.4)) continue;
          const sequence = sequences[index] ?? 0;
          sequences[index] = sequence + 1;
          const batch = transactionalBatch({ ...identity, sequence }, [value]);
          const write = this.#write(identity, index, batch, joins).then(
            () => void attempt?.written.add(index),
          );
          // Who joins may have several batches on the way.
          writes.push(write);
          if (!joins || random.chance(0.3)) await Promise.allSettled(writes);
        }
        await Promise.allSettled(writes);
        await Promise.all(writes);
        if (attempt.written.size === 0) continue;
        const outcome = random.pick<'commit' | 'abort'>(['commit', 'commit', 'abort']);
        const bumps = random.chance(0.5);
        if (outcome === 'commit') attempt.outcome = 'unknown';
        identity = { transactionalId, ...(await transactions.end(identity, outcome, bumps)) };
        if (bumps) sequences = [];
        attempt.outcome = outcome;
        if (outcome === 'commit') this.committed += 1;
      } catch (error) {
        if (!(error instanceof BrokerError) || error.code === 'storage-damaged') throw error;
        identity = undefined;
        await new Promise<void>((resolve) => void clock.setTimer(random.nextInt(40), resolve));
      }
    }
  }

  /** `joins`: the partition is taken in with the batch, else before it. */
  async #write(
    identity: TransactionalIdentity,
    partition: number,
    batch: Uint8Array,
    joins: boolean,
  ): Promise<void> {
    const { transactions } = this.bed.broker;
    const topic = this.bed.broker.findTopic('t') as Topic;
    const keys = [{ topicId: topic.id, partition }];
    const before = joins
      ? transactions.joinPartitions(identity, keys)
      : transactions.addPartitions(identity, keys);
    if (before !== undefined) await before;
    await topic.partitions[partition]?.append(batch);
  }

  async #readOn(random: SeededRandom): Promise<void> {
    const { broker, clock } = this.bed;
    while (!this.isStopped) {
      const topic = broker.findTopic('t') as Topic;
      for (const partition of topic.partitions) {
        try {
          for (const value of await this.bed.collect(partition)) this.seen.add(value);
        } catch (error) {
          if (!(error instanceof BrokerError)) throw error;
        }
      }
      await new Promise<void>((resolve) => void clock.setTimer(random.nextInt(30), resolve));
    }
  }

  async audit(context: string): Promise<void> {
    if (this.violation !== undefined) throw this.violation;
    const { bed } = this;
    const topic = bed.broker.findTopic('t') as Topic;
    // What is open is given up.
    for (let id = 0; id < 3; id++) {
      const request = { transactionalId: `p${id}`, timeoutMs: 5000, expected: undefined };
      await bed.settle(bed.broker.transactions.initProducer(request));
    }
    await bed.clock.runFor(100);
    const visible = new Map<string, Set<number>>();
    for (const [index, partition] of topic.partitions.entries()) {
      assert.equal(
        partition.lastStableOffset,
        partition.highWatermark,
        `${context}: open for ever`,
      );
      assert.deepEqual(partition.listOpenTransactions(), [], context);
      for (const value of await bed.readPart(partition)) {
        const places = visible.get(value) ?? new Set();
        assert.ok(!places.has(index), `${context}: ${value} is twice in ${index}`);
        visible.set(value, places.add(index));
      }
    }
    for (const [value, { written, outcome }] of this.attempts) {
      const places = visible.get(value);
      if (outcome === 'commit')
        assert.ok(places !== undefined || written.size === 0, `${context}: ${value} is gone`);
      if (outcome === 'abort') assert.equal(places, undefined, `${context}: ${value} was aborted`);
      if (places !== undefined) assert.deepEqual(places, written, `${context}: a part of ${value}`);
    }
    for (const value of this.seen)
      assert.ok(visible.has(value), `${context}: ${value} was seen, and is taken back`);
  }
}

async function runMarket(seed: number, shards: number): Promise<number> {
  const bed = new Bed(seed, shards);
  const market = new Market(bed);
  await bed.open();
  await bed.settle(bed.broker.createTopic('t', { options: { retentionMs: -1 } }));
  for (let life = 0; life < 5; life++) {
    const context = `seed ${seed}, ${shards} shards, life ${life}`;
    const work = market.start();
    const events = 40 + market.random.nextInt(500);
    for (let event = 0; event < events; event++) {
      if (market.random.chance(0.005)) bed.ail();
      if (market.random.chance(0.02)) bed.heal();
      await bed.clock.runNext();
    }
    bed.heal();
    if (market.random.chance(0.4)) {
      market.isStopped = true;
      await bed.settle(Promise.all(work));
      while (bed.broker.findProblems().length > 0) await bed.clock.runFor(100);
      await bed.clock.runFor(500);
      await market.audit(`${context}, alive`);
    }
    market.isStopped = true;
    await bed.crash(market.random.chance(0.5));
    await market.audit(context);
  }
  await bed.settle(bed.broker.close());
  return market.committed;
}

for (const shards of [1, 3]) {
  test(`a stable reader never sees a part of a producer's transaction (${shards} shards)`, async (context) => {
    let committed = 0;
    for (let seed = 1; seed <= seeds; seed++) committed += await runMarket(seed, shards);
    context.diagnostic(`${seeds} seeds: ${committed} transactions committed`);
    assert.ok(committed > seeds, 'something was committed');
  });
}
