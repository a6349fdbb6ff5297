import { type ChannelModel, type ConfirmChannel, connect, type Message } from 'amqplib';
import type { SeededRandom } from '../../src/testing/index.ts';
import { pause } from './broker-process.ts';
import { type Note, noteBytes, type QueueLedger, readNote } from './queue-ledger.ts';
import type { Worker } from './worker.ts';

/** Works with a channel in confirm mode until the connection is lost, as it is when the server is killed. */
export async function withChannel(
  port: number,
  use: (channel: ConfirmChannel, isLost: () => boolean) => Promise<void>,
): Promise<void> {
  let isLost = false;
  let model: ChannelModel;
  try {
    model = await connect(`amqp://guest:guest@127.0.0.1:${port}?heartbeat=0`, {
      noDelay: true,
    });
  } catch {
    return;
  }
  model.on('error', () => undefined);
  const lost = new Promise<void>((resolve) => {
    model.on('close', () => {
      isLost = true;
      resolve();
    });
  });
  try {
    const channel = await model.createConfirmChannel();
    // Whatever the reason is, it is found at the end of the connection, or by what is missing.
    channel.on('error', () => undefined);
    await use(channel, () => isLost);
  } catch (error) {
    if (!isLost && !isEndOfConnection(error)) throw error;
  } finally {
    // The server may have gone unnoticed: then nobody answers, and amqplib says so by its event only.
    await Promise.race([model.close().catch(() => undefined), lost]);
  }
}

function isEndOfConnection(error: unknown): boolean {
  return (
    error instanceof Error &&
    /closed|ended|closing|ECONNRESET|EPIPE|ECONNREFUSED/i.test(error.message)
  );
}

export interface PublisherOptions {
  ledger: QueueLedger;
  random: SeededRandom;
  exchange: string;
  routingKey: string;
  /** Of the message of this number. */
  describe?: (number: number) => { lane: number; delayMs: number };
}

const unconfirmedMax = 50;

/** Publishes without end, with some messages not confirmed yet; none is sent twice. */
export class QueuePublisher implements Worker {
  readonly #options: PublisherOptions;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  work(port: number, isStopping: () => boolean): Promise<void> {
    return withChannel(port, async (channel, isLost) => {
      const under = { way: 0 };
      while (!isStopping() && !isLost()) {
        const burst = 1 + this.#options.random.nextInt(10);
        for (let each = 0; each < burst; each += 1) {
          under.way += 1;
          this.#publish(channel, () => {
            under.way -= 1;
          });
        }
        await pause(under.way < unconfirmedMax ? 1 : 5);
        while (under.way >= unconfirmedMax && !isLost()) await pause(1);
      }
      await channel.waitForConfirms().catch(() => undefined);
    });
  }

  #publish(channel: ConfirmChannel, done: () => void): void {
    const { ledger, random, exchange, routingKey, describe } = this.#options;
    const number = ledger.sentCount;
    ledger.sentCount += 1;
    const { lane, delayMs } = describe?.(number) ?? { lane: 0, delayMs: 0 };
    const note: Note = { number, lane, dueMs: delayMs === 0 ? 0 : Date.now() + delayMs };
    const padding = Buffer.alloc(random.nextInt(500), ' ');
    channel.publish(
      exchange,
      routingKey,
      Buffer.concat([noteBytes(note), padding]),
      {
        persistent: true,
        ...(lane > 0 ? { priority: lane } : {}),
        ...(delayMs > 0 ? { headers: { 'x-delay': delayMs } } : {}),
      },
      (error: unknown) => {
        if (error === null || error === undefined) ledger.confirm(number);
        done();
      },
    );
  }
}

export interface ConsumerOptions {
  ledger: QueueLedger;
  prefetch: number;
  /** Nobody else consumes from the queue, and it keeps its order. */
  isOrdered: boolean;
  /** Takes one message after the other with basic.get. */
  usesGet?: boolean;
}

/**
 * Takes and acknowledges. An acknowledgement has no answer; it counts as durable once something that was published behind
 * it on the same channel, to the same queue, is confirmed: another queue may lie in another shard, whose disk is not waited for.
 */
export class QueueWorker implements Worker {
  readonly #options: ConsumerOptions;

  constructor(options: ConsumerOptions) {
    this.#options = options;
  }

  work(port: number, isStopping: () => boolean): Promise<void> {
    return withChannel(port, async (channel, isLost) => {
      const session = new ConsumerSession(channel, this.#options);
      await session.begin();
      while (!isStopping() && !isLost()) await session.turn();
      await session.mark();
    });
  }
}

/** One connection's worth of consuming. */
export class ConsumerSession {
  readonly #channel: ConfirmChannel;
  readonly #options: ConsumerOptions;
  readonly #checkOrder: (note: Note) => void;
  #acked: number[] = [];
  receivedCount = 0;

  constructor(channel: ConfirmChannel, options: ConsumerOptions) {
    this.#channel = channel;
    this.#options = options;
    this.#checkOrder = options.ledger.orderCheck();
  }

  async begin(): Promise<void> {
    const { ledger, prefetch, usesGet } = this.#options;
    if (usesGet === true) return;
    await this.#channel.prefetch(prefetch);
    await this.#channel.consume(ledger.queue, (message) => {
      if (message !== null) this.#take(message);
    });
  }

  /** Some work, then a mark behind it. */
  async turn(): Promise<void> {
    if (this.#options.usesGet === true) {
      const message = await this.#channel.get(this.#options.ledger.queue);
      if (message !== false) this.#take(message);
      else await pause(2);
    } else {
      await pause(5);
    }
    await this.mark();
  }

  /** Makes durable what was acknowledged, and notes it. */
  async mark(): Promise<void> {
    const acked = this.#acked;
    if (acked.length === 0) return;
    this.#acked = [];
    await new Promise<void>((resolve) => {
      this.#channel.publish(
        '',
        this.#options.ledger.queue,
        Buffer.alloc(0),
        // It is dead at once, but where a consumer waits for it.
        { persistent: true, expiration: '0' },
        (error: unknown) => {
          if (error === null || error === undefined) {
            for (const number of acked) this.#options.ledger.settle(number);
          }
          resolve();
        },
      );
    });
  }

  #take(message: Message): void {
    const { ledger, isOrdered } = this.#options;
    if (message.content.length === 0) return this.#channel.ack(message);
    const note = readNote(message.content);
    ledger.deliver(note, message.fields.redelivered);
    if (isOrdered) this.#checkOrder(note);
    this.receivedCount += 1;
    this.#channel.ack(message);
    this.#acked.push(note.number);
  }
}
