import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { ConfirmChannel } from 'amqplib';
import { SeededRandom } from '../../src/testing/index.ts';
import { patienceMs } from '../support/patience.ts';
import { BrokerProcess, pause } from './broker-process.ts';
import { PoisonConsumer, poisonedQueue, poisonLimit, poisonQueue } from './poison.ts';
import { QueueLedger, readNote } from './queue-ledger.ts';
import { QueueMover } from './queue-mover.ts';
import {
  type ConsumerOptions,
  ConsumerSession,
  QueuePublisher,
  QueueWorker,
  withChannel,
} from './queue-workers.ts';
import { makeShardedStore } from './sharded-store.ts';
import type { Worker } from './worker.ts';
import { until } from '../support/until.ts';

/** Small, so that files are sealed, indexed, compacted and deleted all the time. */
const flags = ['--journal-file-bytes', '1MiB', '--cache', '1MiB'];
const moved = 'moved';
const expiring = 'expiring';
const delays = 'delays';
/** What is confirmed of each queue, at least: lives last longer where that takes longer. */
const confirmsPerKill = 6;

/** Publishers and consumers of AMQP work with a server that is killed again and again. */
export class QueueCrashRun {
  readonly #random: SeededRandom;
  readonly #kills: number;
  readonly #shards: number;
  readonly #directory = mkdtempSync(path.join(os.tmpdir(), 'pabal-queues-'));
  readonly #consumed: ConsumerOptions[] = [
    { ledger: new QueueLedger('plain'), prefetch: 30, isOrdered: true },
    { ledger: new QueueLedger('quorum'), prefetch: 100, isOrdered: true },
    { ledger: new QueueLedger('asked'), prefetch: 0, isOrdered: true, usesGet: true },
    { ledger: new QueueLedger('ranked'), prefetch: 10, isOrdered: true },
    { ledger: new QueueLedger('late'), prefetch: 10, isOrdered: false },
    { ledger: new QueueLedger('expired', true), prefetch: 10, isOrdered: false },
  ];
  readonly #moving = new QueueLedger('moving');
  readonly #poison = new PoisonConsumer();
  readonly #workers: Worker[] = [];
  #server: BrokerProcess | undefined;

  /** `shards`: of the store. */
  constructor(seed: number, kills: number, shards = 1) {
    this.#random = new SeededRandom(seed);
    this.#kills = kills;
    this.#shards = shards;
    for (const consumer of this.#consumed) {
      const { ledger } = consumer;
      const random = this.#random.fork();
      const isLate = ledger.queue === 'late';
      this.#workers.push(
        new QueuePublisher({
          ledger,
          random,
          exchange: isLate ? delays : '',
          routingKey: ledger.queue === 'expired' ? expiring : ledger.queue,
          describe: (number) => ({
            lane: ledger.queue === 'ranked' ? number % 4 : 0,
            delayMs: isLate ? 1 + random.nextInt(1500) : 0,
          }),
        }),
        new QueueWorker(consumer),
      );
    }
    const ledger = this.#moving;
    const random = this.#random.fork();
    this.#workers.push(
      new QueuePublisher({ ledger, random, exchange: '', routingKey: ledger.queue }),
      new QueueMover(ledger, moved),
      this.#poison,
    );
  }

  get dataPath(): string {
    return path.join(this.#directory, 'data');
  }

  get ledgers(): QueueLedger[] {
    return [...this.#consumed.map(({ ledger }) => ledger), this.#moving];
  }

  async run(report: (text: string) => void): Promise<void> {
    await makeShardedStore(this.dataPath, this.#shards);
    await this.#start();
    await this.#declare();
    for (let kill = 1; kill <= this.#kills; kill += 1) {
      const lifeMs = 200 + this.#random.nextInt(700);
      await this.#workUntilKilled(lifeMs, kill);
      while (this.#random.chance(0.2)) await this.#killWhileStarting();
      await this.#start();
      this.#checkFaults();
      const told = this.ledgers.map(
        (each) => `${each.queue} ${each.confirmedCount}/${each.settledCount}`,
      );
      report(`kill ${kill} after ${lifeMs} ms; confirmed/settled: ${told.join(', ')}`);
    }
    await this.#drainAll();
    await this.#checkMoved();
    await this.#checkPoison();
    this.#checkFaults();
  }

  async terminate(): Promise<number | null> {
    assert.ok(this.#server !== undefined);
    return (await this.#server.terminate()).code;
  }

  async close(): Promise<void> {
    await this.#server?.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #start(): Promise<void> {
    this.#server = await BrokerProcess.start({ dataPath: this.dataPath, flags });
    for (const ledger of this.ledgers) ledger.beginLife();
  }

  async #declare(): Promise<void> {
    await this.#withChannel(async (channel) => {
      for (const queue of ['plain', 'asked', 'late', 'expired', 'moving', moved, poisonedQueue]) {
        await channel.assertQueue(queue);
      }
      await channel.assertQueue('quorum', { arguments: { 'x-queue-type': 'quorum' } });
      await channel.assertQueue('ranked', { maxPriority: 5 });
      await channel.assertExchange(delays, 'x-delayed-message', {
        arguments: { 'x-delayed-type': 'direct' },
      });
      await channel.bindQueue('late', delays, 'late');
      await channel.assertQueue(expiring, {
        messageTtl: 100,
        deadLetterExchange: '',
        deadLetterRoutingKey: 'expired',
      });
      await channel.assertQueue(poisonQueue, {
        deadLetterExchange: '',
        deadLetterRoutingKey: poisonedQueue,
        arguments: { 'x-queue-type': 'quorum', 'x-delivery-limit': poisonLimit },
      });
    });
  }

  async #workUntilKilled(lifeMs: number, kill: number): Promise<void> {
    const server = this.#server;
    assert.ok(server !== undefined);
    const isStopping = (): boolean => !server.isRunning;
    const work = this.#workers.map((worker) => worker.work(server.amqpPort, isStopping));
    // A worker that was wronged ends the run, whether or not the others go on.
    await Promise.race([
      Promise.all(work),
      Promise.all([pause(lifeMs), this.#poison.held(isStopping), this.#used(kill, isStopping)]),
    ]);
    assert.ok(server.isRunning, `the server ended by itself:\n${server.output.slice(-4000)}`);
    await server.kill();
    await Promise.all(work);
    assert.doesNotMatch(server.output, /stopped by a bug|internal error|fault of a method/);
  }

  /** Every queue has been published to and, but for those that give out late, consumed from. */
  async #used(kill: number, isStopping: () => boolean): Promise<void> {
    const endMs = Date.now() + patienceMs;
    const isUsed = ({ queue, confirmedCount, settledCount }: QueueLedger): boolean =>
      confirmedCount >= kill * confirmsPerKill && (settledCount > 0 || queue === 'late');
    while (!isStopping() && !this.ledgers.every(isUsed) && Date.now() < endMs) await pause(10);
  }

  async #killWhileStarting(): Promise<void> {
    const server = BrokerProcess.spawn({ dataPath: this.dataPath, flags });
    await pause(400 + this.#random.nextInt(1000));
    await server.kill();
  }

  #checkFaults(): void {
    for (const { faults } of this.ledgers) assert.deepEqual(faults.slice(0, 10), []);
  }

  /** Whatever was confirmed comes, if it has not come yet. */
  async #drainAll(): Promise<void> {
    await this.#withChannel(async (channel) => {
      for (const options of this.#consumed) {
        const { ledger } = options;
        const session = new ConsumerSession(channel, { ...options, prefetch: 100, usesGet: false });
        await session.begin();
        await until(
          async () => {
            await session.turn();
            return ledger.missing.length === 0 && (await this.#isEmpty(channel, ledger.queue));
          },
          () => `all of ${ledger.queue}, missing: ${ledger.missing.slice(0, 20).join()}`,
        );
      }
    });
  }

  async #isEmpty(channel: ConfirmChannel, queue: string): Promise<boolean> {
    return (await channel.checkQueue(queue)).messageCount === 0;
  }

  /** Each message is in one of both queues, once. */
  async #checkMoved(): Promise<void> {
    const ledger = this.#moving;
    const [left, arrived] = [await this.#readAll(ledger.queue), await this.#readAll(moved)];
    const numbers = [...left, ...arrived].map(({ content }) => readNote(content).number);
    const counts = new Map<number, number>();
    for (const number of numbers) counts.set(number, (counts.get(number) ?? 0) + 1);
    const twice = [...counts].filter(([, count]) => count > 1).map(([number]) => number);
    assert.deepEqual(twice.slice(0, 10), [], 'moved and still there, or moved twice');
    for (let number = 0; number < ledger.sentCount; number += 1) {
      if (ledger.isConfirmed(number)) assert.ok(counts.has(number), `${number} was lost in a move`);
    }
    const there = new Set(arrived.map(({ content }) => readNote(content).number));
    const undone = [...ledger.settled].filter((number) => !there.has(number));
    assert.deepEqual(undone.slice(0, 10), [], 'committed and undone');
  }

  async #checkPoison(): Promise<void> {
    const dead = new Map<string, readonly unknown[]>();
    for (const message of await this.#readAll(poisonedQueue)) {
      dead.set(message.content.toString(), message.properties.headers?.['x-death'] ?? []);
    }
    this.#poison.check(dead);
    if (this.#kills > poisonLimit) assert.ok(dead.size > 0, 'no poison is dead');
  }

  async #readAll(queue: string) {
    const messages: Array<{
      content: Buffer;
      properties: { headers?: Record<string, unknown> | undefined };
    }> = [];
    await this.#withChannel(async (channel) => {
      for (;;) {
        const message = await channel.get(queue);
        if (message === false) break;
        messages.push(message);
      }
    });
    // A cast: x-death is an array wherever it is.
    return messages as Array<{
      content: Buffer;
      properties: { headers?: { 'x-death'?: unknown[] } };
    }>;
  }

  async #withChannel(use: (channel: ConfirmChannel) => Promise<void>): Promise<void> {
    assert.ok(this.#server !== undefined);
    let isDone = false;
    await withChannel(this.#server.amqpPort, async (channel) => {
      await use(channel);
      isDone = true;
    });
    assert.ok(isDone, 'the connection was lost');
  }
}
