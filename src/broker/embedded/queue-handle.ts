import { BrokerError, type Clock, limits } from '../../base/index.ts';
import type { QueueCounts, QueueSettings } from '../../shard/index.ts';
import type { DeclareQueueRequest, Queue, QueuesPort } from '../ports/index.ts';
import { QueueReader, type ReaderOptions } from './queue-reader.ts';
import type { QueueSender, SendOptions } from './queue-sender.ts';
import { type MessageHandler, QueueWorker, type WorkerOptions } from './queue-worker.ts';
import { ReceivedMessage } from './received-message.ts';

/** What a handle needs of its broker. */
export interface QueueHost {
  readonly clock: Clock;
  readonly queues: QueuesPort;
  readonly options: { readonly createTopicsOnUse: boolean };
  readonly queueSender: QueueSender;
  /** Closed with the broker unless they are closed before. */
  readonly closing: Set<{ close(): Promise<void> }>;
}

export interface ReceiveOptions {
  /** Messages at most. Default 1. */
  max?: number;
  /** Wait this long for the first. Default 0. */
  waitMs?: number;
  /** Milliseconds until a message that was not settled goes to somebody else; -1: never. Default: the queue's own. */
  leaseMs?: number;
}

/** A queue by its name, for programs. It is looked up, and where the broker creates on use made, when it is first needed. */
export class QueueHandle {
  readonly name: string;
  readonly #host: QueueHost;
  readonly #request: DeclareQueueRequest;
  #queue: Queue | undefined;
  #declaring: Promise<Queue> | undefined;

  constructor(host: QueueHost, request: DeclareQueueRequest, queue?: Queue) {
    this.name = request.name;
    this.#host = host;
    this.#request = request;
    this.#queue = queue;
  }

  /** Stores a message; resolves when it is durable, `duplicate` when its deduplication id was seen. Rejects with queue-full. */
  async send(
    body: string | Uint8Array,
    options: SendOptions = {},
  ): Promise<'stored' | 'duplicate'> {
    const queue = this.#find() ?? (await this.#declare());
    return this.#host.queueSender.send(queue.topic, body, options);
  }

  /** Up to `max` messages, which the program then settles one by one. Empty when there are none in time. */
  async receive(options: ReceiveOptions = {}): Promise<ReceivedMessage[]> {
    const queue = this.#find() ?? (await this.#declare());
    const hold = this.#host.clock.keepProcess?.();
    try {
      const messages = await queue.acquire({
        count: options.max ?? 1,
        bytesMax: limits.fetchBytesMax,
        leaseMs: options.leaseMs,
        isAutoSettled: false,
        waitMs: options.waitMs ?? 0,
      });
      return messages.map((message) => new ReceivedMessage(message, message.lease, message.queue));
    } finally {
      hold?.cancel();
    }
  }

  /**
   * Consumes: with a function, which gets one message after the other; without, by `for await`. The queue has to exist.
   */
  consume(handler: MessageHandler, options?: WorkerOptions): QueueWorker;
  consume(options?: ReaderOptions): QueueReader;
  consume(
    first: MessageHandler | ReaderOptions = {},
    options: WorkerOptions = {},
  ): QueueWorker | QueueReader {
    const queue = this.#get();
    const { clock, closing } = this.#host;
    const isWorker = typeof first === 'function';
    const reader = new QueueReader(queue, clock, isWorker ? options : first, (closed) => {
      if (!isWorker) closing.delete(closed);
    });
    if (!isWorker) {
      closing.add(reader);
      return reader;
    }
    const worker = new QueueWorker(reader, first, options);
    closing.add(worker);
    const forget = (): void => {
      closing.delete(worker);
    };
    worker.ended.then(forget, forget);
    return worker;
  }

  /** Messages as they would be given out, without taking them. */
  async peek(max = 10): Promise<ReceivedMessage[]> {
    const messages = await this.#get().peek(0, max, limits.fetchBytesMax);
    return messages.map((message) => ReceivedMessage.seen(message));
  }

  counts(): QueueCounts {
    return this.#get().counts();
  }

  /**
   * Back to the first message at or after a time: what was settled since is given out again, as far as it is kept (see
   * `keepSettledMs`). Or to an offset of each partition. Durable when it resolves.
   */
  rewind(to: Date | number | { offsets: ReadonlyMap<number, number> }): Promise<void> {
    const queue = this.#get();
    return queue.rewind(typeof to === 'object' && 'offsets' in to ? to : { timeMs: to.valueOf() });
  }

  /** Makes what could not be read ready, for its file was restored; resolves with how many messages that were. */
  retryDamaged(): Promise<number> {
    return this.#get().retryDamaged();
  }

  /** Settles everything that is ready, delayed or damaged; resolves with how many messages that were. */
  purge(): Promise<number> {
    return this.#get().purge();
  }

  configure(settings: Partial<QueueSettings>): Promise<void> {
    return this.#host.queues.configure(this.#get(), { settings });
  }

  async delete(): Promise<void> {
    await this.#host.queues.delete(this.#get());
  }

  /** Resolves when everything that was settled so far is durable. */
  settled(): Promise<void> {
    return this.#get().settled();
  }

  #find(): Queue | undefined {
    if (this.#queue?.isDropped !== false) {
      const { namespace, name, subscription } = this.#request;
      this.#queue = this.#host.queues.find(namespace, name, subscription);
    }
    return this.#queue;
  }

  #get(): Queue {
    const queue = this.#find();
    if (queue === undefined) throw new BrokerError('queue-not-found', this.name);
    return queue;
  }

  /** Several calls to a queue that is new declare it once. */
  #declare(): Promise<Queue> {
    if (!this.#host.options.createTopicsOnUse) {
      return Promise.reject(new BrokerError('queue-not-found', this.name));
    }
    this.#declaring ??= this.#host.queues
      .declare(this.#request)
      .then(({ queue }) => {
        this.#queue = queue;
        return queue;
      })
      .finally(() => {
        this.#declaring = undefined;
      });
    return this.#declaring;
  }
}
