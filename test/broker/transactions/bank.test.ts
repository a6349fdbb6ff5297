import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BrokerError, type Queue, type Topic } from '../../../src/broker/index.ts';
import type { SeededRandom } from '../../../src/testing/index.ts';
import { Bed } from './bed.ts';

const accounts = 5;
const coins = 12;

const seeds = Number(process.env.PABAL_SEEDS ?? 3);

/** Every coin is a message; a transfer takes it from one queue, puts it into another one, and writes it down. */
class Bank {
  readonly bed: Bed;
  readonly random: SeededRandom;
  transfers = 0;
  /** Transfers that were acknowledged, by coin and number. */
  readonly acknowledged = new Set<string>();
  isStopped = false;
  violation: unknown;
  #move = 0;

  constructor(bed: Bed) {
    this.bed = bed;
    this.random = bed.random.fork();
  }

  async found(): Promise<void> {
    const { bed } = this;
    const broker = await bed.open();
    await bed.settle(broker.createTopic('ledger', { options: { retentionMs: -1 } }));
    for (let account = 0; account < accounts; account++) {
      const name = `account-${account}`;
      await bed.settle(
        broker.queues.declare({ namespace: '', name, partitions: 1 + (account % 2) }),
      );
    }
    for (let coin = 0; coin < coins; coin++)
      await bed.settle(broker.send(`account-${coin % accounts}`, { value: `coin-${coin}` }));
  }

  /** Transfers until the life is over or it is stopped. */
  startTellers(count: number): Array<Promise<void>> {
    this.isStopped = false;
    return Array.from({ length: count }, () => {
      const random = this.random.fork();
      return this.#transferOn(random).catch((error: unknown) => void (this.violation ??= error));
    });
  }

  async #transferOn(random: SeededRandom): Promise<void> {
    const { broker } = this.bed;
    const owner = {};
    while (!this.isStopped) {
      const from = this.#queue(random.nextInt(accounts));
      const to = random.nextInt(accounts);
      // Some leases end by time in the middle of their transaction.
      const leaseMs = random.chance(0.2) ? 1 + random.nextInt(6) : undefined;
      const request = { bytesMax: 1e6, leaseMs, isAutoSettled: false, owner };
      try {
        const count = 1 + random.nextInt(3);
        const taken = await from.acquire({ ...request, count, waitMs: 20 });
        const move = ++this.#move;
        const names = taken.map((message) => {
          const { bytes, valueAt, valueBytes } = message;
          return Buffer.from(bytes.subarray(valueAt, valueAt + valueBytes))
            .toString()
            .trim();
        });
        // Together they are too long for a chunk now and then.
        const padding = ' '.repeat(random.pick([0, 0, 1500]));
        const wants = random.nextFraction();
        await broker.transaction((tx) => {
          for (const [index, message] of taken.entries()) {
            tx.accept(message);
            tx.send(`account-${(to + index) % accounts}`, { value: `${names[index]}${padding}` });
            const line = `${names[index]} ${(to + index) % accounts} ${move}`;
            tx.send('ledger', { key: names[index] ?? '', value: line });
          }
          if (wants < 0.15) throw new Error('changed my mind');
        });
        this.transfers += taken.length;
        for (const name of names) this.acknowledged.add(`${name} ${move}`);
      } catch (error) {
        const isExpected = error instanceof BrokerError && error.code !== 'storage-damaged';
        if (!isExpected && !(error instanceof Error && error.message === 'changed my mind'))
          throw error;
        // What was not settled is somebody's again.
        for (const queue of broker.queues.list()) queue.releaseOwner(owner);
        await new Promise<void>((resolve) => void this.bed.clock.setTimer(10, resolve));
      }
    }
    for (const queue of broker.queues.list()) queue.releaseOwner(owner);
  }

  /** Each coin is in one queue, where the ledger says; what was acknowledged stands in the ledger. */
  async audit(context: string): Promise<void> {
    const { bed } = this;
    if (this.violation !== undefined) throw this.violation;
    const places = new Map<string, number>();
    for (let account = 0; account < accounts; account++) {
      const queue = this.#queue(account);
      for (const message of await bed.settle(queue.peek(0, 1000, 1e6))) {
        const { bytes, valueAt, valueBytes } = message;
        const coin = Buffer.from(bytes.subarray(valueAt, valueAt + valueBytes))
          .toString()
          .trim();
        assert.equal(places.get(coin), undefined, `${context}: ${coin} is there twice`);
        places.set(coin, account);
      }
    }
    assert.equal(places.size, coins, `${context}: ${[...places.keys()].join()}`);
    const ledger = bed.broker.findTopic('ledger') as Topic;
    const last = new Map<string, number>();
    const written = new Set<string>();
    for (const line of await bed.readStable(ledger)) {
      const [coin = '', account, move] = line.split(' ');
      assert.ok(!written.has(`${coin} ${move}`), `${context}: ${line} happened twice`);
      written.add(`${coin} ${move}`);
      last.set(coin, Number(account));
    }
    for (const [coin, account] of last)
      assert.equal(places.get(coin), account, `${context}: ${coin}`);
    for (const transfer of this.acknowledged)
      assert.ok(written.has(transfer), `${context}: ${transfer} was acknowledged and is gone`);
  }

  #queue(account: number): Queue {
    const queue = this.bed.broker.queues.find('', `account-${account}`);
    assert.ok(queue !== undefined);
    return queue;
  }
}

async function runBank(seed: number, shards: number): Promise<number> {
  const bed = new Bed(seed, shards);
  const bank = new Bank(bed);
  await bank.found();
  for (let life = 0; life < 5; life++) {
    const context = `seed ${seed}, ${shards} shards, life ${life}`;
    const tellers = bank.startTellers(1 + bank.random.nextInt(4));
    const events = 40 + bank.random.nextInt(400);
    for (let event = 0; event < events; event++) {
      // The disk fails for a while and works again, in the same life.
      if (bank.random.chance(0.005)) bed.ail();
      if (bank.random.chance(0.02)) bed.heal();
      await bed.clock.runNext();
    }
    bed.heal();
    if (bank.random.chance(0.3)) {
      bank.isStopped = true;
      await bed.settle(Promise.all(tellers));
      while (bed.broker.findProblems().length > 0) await bed.clock.runFor(100);
      await bed.clock.runFor(100);
      await bank.audit(`${context}, alive`);
    }
    bank.isStopped = true;
    await bed.crash(bank.random.chance(0.5));
    await bank.audit(context);
  }
  await bed.settle(bed.broker.close());
  return bank.transfers;
}

for (const shards of [1, 3]) {
  test(`coins are neither lost nor made by transfers, crashes and a failing disk (${shards} shards)`, async (context) => {
    let transfers = 0;
    for (let seed = 1; seed <= seeds; seed++) transfers += await runBank(seed, shards);
    context.diagnostic(`${seeds} seeds: ${transfers} transfers acknowledged`);
    assert.ok(transfers > seeds, 'something was transferred');
  });
}
