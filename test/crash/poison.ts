import assert from 'node:assert/strict';
import type { ConfirmChannel, ConsumeMessage } from 'amqplib';
import { patienceMs } from '../support/patience.ts';
import { pause } from './broker-process.ts';
import { withChannel } from './queue-workers.ts';
import type { Worker } from './worker.ts';

export const poisonQueue = 'poison';
export const poisonedQueue = 'poisoned';
export const poisonLimit = 2;

/** Takes a message that nobody survives: each attempt ends with the server killed. It publishes the next when one is dead. */
export class PoisonConsumer implements Worker {
  /** Counts of earlier attempts, as the server told them, for each message. */
  readonly attempts = new Map<string, number[]>();
  #sentCount = 0;
  #isTaken = false;
  #isCounted = false;

  /** An attempt has lasted so long that it must be counted. */
  async held(isStopping: () => boolean): Promise<void> {
    const endMs = Date.now() + patienceMs;
    while (!isStopping() && !this.#isCounted) {
      assert.ok(Date.now() < endMs, 'the poison is not given out');
      await pause(5);
    }
  }

  async work(port: number, isStopping: () => boolean): Promise<void> {
    this.#isTaken = false;
    this.#isCounted = false;
    await withChannel(port, async (channel, isLost) => {
      await channel.prefetch(1);
      await channel.consume(poisonQueue, (message) => {
        if (message !== null) this.#take(message);
      });
      while (!isStopping() && !isLost()) {
        if (this.#isTaken && !this.#isCounted) await this.#count(channel);
        if (!this.#isTaken && (await channel.checkQueue(poisonQueue)).messageCount === 0) {
          await this.#awaitOne();
          if (!this.#isTaken) {
            const name = Buffer.from(`poison ${this.#sentCount}`);
            this.#sentCount += 1;
            channel.sendToQueue(poisonQueue, name, { persistent: true });
            await channel.waitForConfirms();
          }
        }
        await pause(10);
      }
    });
  }

  /**
   * A delivery is written some milliseconds after it, to the log of its queue: it is durable when something that is
   * published to that queue a good while later is. That has nobody who takes it, and is dead at once.
   */
  async #count(channel: ConfirmChannel): Promise<void> {
    await pause(heldMs);
    channel.sendToQueue(poisonQueue, Buffer.from(mark), { persistent: true, expiration: '0' });
    await channel.waitForConfirms();
    this.#isCounted = true;
  }

  /** One that is to be given out again may be on its way. */
  async #awaitOne(): Promise<void> {
    for (let round = 0; round < 10 && !this.#isTaken; round += 1) await pause(10);
  }

  #take(message: ConsumeMessage): void {
    const name = message.content.toString();
    const attempts = this.attempts.get(name) ?? [];
    attempts.push(Number(message.properties.headers?.['x-delivery-count'] ?? 0));
    this.attempts.set(name, attempts);
    this.#isTaken = true;
  }

  /** What each message went through before it was dead. */
  check(dead: ReadonlyMap<string, readonly unknown[]>): void {
    for (const [name, counts] of this.attempts) {
      // Every attempt was held long enough to be counted.
      assert.deepEqual(
        counts,
        counts.map((_, index) => index),
        `${name} was counted ${counts.join()}`,
      );
      assert.ok(counts.length <= poisonLimit + 1, `${name} was given out ${counts.length} times`);
      if (counts.length <= poisonLimit) continue;
      const deaths = dead.get(name);
      assert.ok(deaths !== undefined, `${name} is not among the dead letters`);
      const [death] = deaths;
      // A cast: x-death is what RabbitMQ says it is.
      const { reason, queue } = death as { reason: string; queue: string };
      assert.deepEqual([reason, queue], ['delivery_limit', poisonQueue]);
    }
  }
}

const heldMs = 300;
const mark = 'mark';
