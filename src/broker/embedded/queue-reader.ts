import { BrokerError, type Clock } from '../../base/index.ts';
import type { Lease, PartitionQueue, QueueConsumer, QueueMessage } from '../../shard/index.ts';
import type { Queue } from '../ports/index.ts';
import { ReceivedMessage } from './received-message.ts';

export interface ReaderOptions {
  /** Messages that it holds ahead of the program. Default 100. */
  prefetch?: number;
  /** Greater gets messages first. Default 0. */
  priority?: number;
  /** Milliseconds until a message that was not settled goes to somebody else; -1: never. Default: the queue's own. */
  leaseMs?: number;
}

/**
 * One of a queue's consumers, inside the broker's process: `for await (const message of reader)`. A message that was not
 * settled when the next one is asked for counts as accepted.
 */
export class QueueReader implements AsyncIterable<ReceivedMessage>, QueueConsumer {
  readonly priority: number;
  readonly isAutoSettled = false;
  readonly leaseMs: number | undefined;
  readonly #queue: Queue;
  readonly #clock: Clock;
  readonly #prefetch: number;
  readonly #onClose: (reader: QueueReader) => void;
  /** Not asked for yet. */
  #messages: ReceivedMessage[] = [];
  /** Those and what the program holds and has not settled. */
  readonly #unsettled = new Set<ReceivedMessage>();
  #last: ReceivedMessage | undefined;
  #wakeUp: Array<() => void> = [];
  #isStopped = false;
  #isClosed = false;
  #failure: BrokerError | undefined;
  readonly #onSettled = (message: ReceivedMessage): void => {
    const wasFull = !this.wants();
    this.#unsettled.delete(message);
    if (wasFull && !this.#isClosed) this.#queue.resume();
  };

  constructor(
    queue: Queue,
    clock: Clock,
    options: ReaderOptions,
    onClose: (reader: QueueReader) => void,
  ) {
    this.#queue = queue;
    this.#clock = clock;
    this.#prefetch = Math.max(1, options.prefetch ?? 100);
    this.priority = options.priority ?? 0;
    this.leaseMs = options.leaseMs;
    this.#onClose = onClose;
    queue.attach(this);
  }

  /**
   * The next message; undefined when the reader is closed. Rejects with queue-not-found when the queue was deleted, with
   * storage-failed when its storage failed: open another reader then.
   */
  async next(): Promise<ReceivedMessage | undefined> {
    this.#last?.accept();
    this.#last = await this.receive();
    return this.#last;
  }

  /** As `next`, but the one before is not touched; calls may overlap. */
  async receive(): Promise<ReceivedMessage | undefined> {
    let message = this.#shift();
    if (message !== undefined) return message;
    // Nothing but the queue's timers may be left in the process, and they do not keep it.
    const hold = this.#clock.keepProcess?.();
    try {
      while (message === undefined && !this.#isStopped) {
        if (this.#failure !== undefined) throw this.#failure;
        await new Promise<void>((resolve) => this.#wakeUp.push(resolve));
        message = this.#shift();
      }
      return message;
    } finally {
      hold?.cancel();
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ReceivedMessage> {
    try {
      for (let message = await this.next(); message !== undefined; message = await this.next())
        yield message;
    } finally {
      await this.close();
    }
  }

  /** Gives out nothing more: `next` and `receive` answer undefined. What was given out can still be settled. */
  stop(): void {
    this.#isStopped = true;
    const left = this.#messages;
    this.#messages = [];
    for (const message of left) message.release({ delayMs: 0, isFailure: false });
    this.#wake();
  }

  /** What was not settled goes back to the queue; resolves when that is durable. Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#isStopped = true;
    this.#messages = [];
    this.#queue.detach(this, 'return');
    this.#onClose(this);
    this.#wake();
    for (const message of this.#unsettled) message.noteLost();
    if (!this.#queue.isDropped) await this.#queue.settled();
  }

  // QueueConsumer

  wants(): boolean {
    return !this.#isStopped && this.#unsettled.size < this.#prefetch;
  }

  take(message: QueueMessage, lease: Lease, queue: PartitionQueue): void {
    const received = new ReceivedMessage(message, lease, queue, this.#onSettled);
    this.#unsettled.add(received);
    this.#messages.push(received);
  }

  taken(): void {
    this.#wake();
  }

  leaseExpired(lease: Lease, queue: PartitionQueue): void {
    for (const message of this.#unsettled) {
      if (!message.holds(lease, queue)) continue;
      message.noteLost();
      return;
    }
  }

  detached(reason: 'deleted' | 'failed'): void {
    this.#failure = new BrokerError(
      reason === 'deleted' ? 'queue-not-found' : 'storage-failed',
      this.#queue.name,
    );
    this.#wake();
  }

  /** The first that is still ours: the time of one that was held too long may have run out. */
  #shift(): ReceivedMessage | undefined {
    for (;;) {
      const message = this.#messages.shift();
      if (message === undefined || !message.isSettled) return message;
    }
  }

  #wake(): void {
    if (this.#wakeUp.length === 0) return;
    const waiting = this.#wakeUp;
    this.#wakeUp = [];
    for (const wake of waiting) wake();
  }
}
