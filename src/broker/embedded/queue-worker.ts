import type { QueueReader, ReaderOptions } from './queue-reader.ts';
import type { ReceivedMessage } from './received-message.ts';

export interface WorkerOptions extends ReaderOptions {
  /** Messages that are handled at the same time. Default 1: in order, one after the other. */
  concurrency?: number;
  /** Told of what the handler threw; the message was released as a failure. Default: it is not reported. */
  onError?: (error: unknown, message: ReceivedMessage) => void;
}

export type MessageHandler = (message: ReceivedMessage) => unknown;

/**
 * Gives each message of a queue to a function. When it returns, or what it returned resolves, the message is accepted
 * unless the function has settled it; when it throws, the message is released as a failure.
 */
export class QueueWorker {
  /** Settles when the worker has closed; rejects with what ended it: the queue was deleted, the storage failed. */
  readonly ended: Promise<void>;
  readonly #reader: QueueReader;
  readonly #handler: MessageHandler;
  readonly #onError: WorkerOptions['onError'];

  constructor(reader: QueueReader, handler: MessageHandler, options: WorkerOptions) {
    this.#reader = reader;
    this.#handler = handler;
    this.#onError = options.onError;
    const lanes = Array.from({ length: Math.max(1, options.concurrency ?? 1) }, () => this.#run());
    this.ended = Promise.all(lanes).then(() => undefined);
    // Whoever does not ask is not told.
    this.ended.catch(() => undefined);
  }

  /** Takes no more messages, waits for those that are being handled, and resolves when everything is durable. Idempotent. */
  async close(): Promise<void> {
    this.#reader.stop();
    await this.ended.catch(() => undefined);
    await this.#reader.close();
  }

  async #run(): Promise<void> {
    for (;;) {
      const message = await this.#reader.receive();
      if (message === undefined) return;
      try {
        await this.#handler(message);
        message.accept();
      } catch (error) {
        message.release({ isFailure: true });
        this.#onError?.(error, message);
      }
    }
  }
}
