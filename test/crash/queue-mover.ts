import assert from 'node:assert/strict';
import { RawClient } from '../doors/amqp091/raw-client.ts';
import { emptyTable } from '../../src/doors/amqp091/wire/index.ts';
import { type QueueLedger, readNote } from './queue-ledger.ts';
import type { Worker } from './worker.ts';

const prefetch = 20;
const messagesPerCommit = 7;

/** Moves messages from one queue to another in transactions (amqplib has none): each is in one of both, and in one only. */
export class QueueMover implements Worker {
  readonly #from: QueueLedger;
  readonly #to: string;

  constructor(from: QueueLedger, to: string) {
    this.#from = from;
    this.#to = to;
  }

  async work(port: number, isStopping: () => boolean): Promise<void> {
    let client: RawClient;
    try {
      client = await RawClient.open(port);
    } catch {
      return;
    }
    try {
      await this.#move(client, isStopping);
    } catch (error) {
      if (!client.isClosed) throw error;
    } finally {
      client.destroy();
    }
  }

  async #move(client: RawClient, isStopping: () => boolean): Promise<void> {
    await client.openChannel(1);
    client.send(1, 'txSelect', {});
    await client.next('txSelectOk');
    client.send(1, 'basicQos', { prefetchSize: 0, prefetchCount: prefetch, global: false });
    await client.next('basicQosOk');
    client.send(1, 'basicConsume', {
      ticket: 0,
      queue: this.#from.queue,
      consumerTag: 'mover',
      noLocal: false,
      noAck: false,
      exclusive: false,
      nowait: false,
      arguments: emptyTable,
    });
    await client.next('basicConsumeOk');
    let moved: number[] = [];
    while (!isStopping() && !client.isClosed) {
      const deliver = await client.take(50);
      if (deliver !== undefined) moved.push(await this.#moveOne(client, deliver));
      if (moved.length === 0 || (deliver !== undefined && moved.length < messagesPerCommit))
        continue;
      client.send(1, 'txCommit', {});
      // Deliveries may come before the answer.
      const behind = await this.#awaitCommit(client);
      for (const number of moved) this.#from.settle(number);
      moved = [];
      for (const frame of behind) moved.push(await this.#moveOne(client, frame));
    }
  }

  /** Deliveries that came before the commit's answer: each as its first frame. */
  async #awaitCommit(client: RawClient): Promise<Frame[]> {
    const behind: Frame[] = [];
    for (;;) {
      const frame = await client.take();
      if (frame === undefined) throw new Error('no answer to the commit');
      if (frame.method === 'txCommitOk') return behind;
      if (frame.method !== 'basicDeliver') assert.fail(`${frame.method} while a commit is awaited`);
      const [header, body] = [await client.take(), await client.take()];
      if (header === undefined || body === undefined) throw new Error('half a delivery');
      behind.push({ ...frame, content: body.payload });
    }
  }

  async #moveOne(client: RawClient, deliver: Frame): Promise<number> {
    assert.equal(deliver.method, 'basicDeliver');
    let { content } = deliver;
    if (content === undefined) {
      await client.take();
      content = (await client.take())?.payload;
      if (content === undefined) throw new Error('half a delivery');
    }
    const note = readNote(content);
    this.#from.deliver(note, deliver.values?.['redelivered'] === true);
    client.send(1, 'basicPublish', {
      ticket: 0,
      exchange: '',
      routingKey: this.#to,
      mandatory: false,
      immediate: false,
    });
    client.header(1, content.length);
    client.frame(3, 1, content);
    client.send(1, 'basicAck', {
      deliveryTag: Number(deliver.values?.['deliveryTag']),
      multiple: false,
    });
    return note.number;
  }
}

type Frame = NonNullable<Awaited<ReturnType<RawClient['take']>>> & { content?: Buffer };
