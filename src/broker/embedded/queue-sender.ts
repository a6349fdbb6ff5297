import { BrokerError, type Clock } from '../../base/index.ts';
import { type FieldValue, HeaderWriter, property } from '../../message/index.ts';
import {
  emptyMessage,
  type OutgoingMessage,
  type PublishGroup,
  type PublisherPort,
} from '../ports/index.ts';
import type { Topic } from '../types.ts';

export interface SendOptions {
  /** Messages of one key stay in one partition, in order. */
  key?: string | Uint8Array;
  headers?: Readonly<Record<string, FieldValue>>;
  contentType?: string;
  correlationId?: string;
  replyTo?: string;
  messageId?: string;
  type?: string;
  /** Where the queue has priorities: greater goes first. */
  priority?: number;
  /** Given out this many milliseconds from now at the earliest; or at this time. */
  delayMs?: number;
  deliverAt?: Date | number;
  /** Not given out any more this many milliseconds from now. */
  ttlMs?: number;
  /** Where the queue is grouped: one message of a group is given out at a time. */
  group?: string;
  /** Where the queue has a deduplication window: stored once. */
  dedupId?: string;
}

interface Waiting {
  resolve: (outcome: 'stored' | 'duplicate') => void;
  reject: (error: Error) => void;
  outcome: 'stored' | 'duplicate';
}

/** Publishes what a program sends: all of one turn of the event loop becomes durable together. */
export class QueueSender {
  readonly #clock: Clock;
  readonly #publisher: PublisherPort;
  readonly #writer = new HeaderWriter();
  readonly #message = emptyMessage();
  #group: PublishGroup | undefined;
  #waiting: Waiting[] = [];

  constructor(clock: Clock, publisher: PublisherPort) {
    this.#clock = clock;
    this.#publisher = publisher;
  }

  /** Resolves when it is durable. Rejects with queue-full where the queue refuses, and as `Partition.append` does. */
  send(
    topic: Topic,
    body: string | Uint8Array,
    options: SendOptions,
  ): Promise<'stored' | 'duplicate'> {
    const group = this.#open();
    const outcome = this.#publisher.add(group, topic, this.#fill(body, options));
    if (outcome === 'rejected') return Promise.reject(new BrokerError('queue-full', topic.name));
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        resolve,
        reject,
        outcome: outcome === 'duplicate' ? 'duplicate' : 'stored',
      });
    });
  }

  #open(): PublishGroup {
    if (this.#group !== undefined) return this.#group;
    const waiting: Waiting[] = [];
    const group = this.#publisher.open((_group, error) => {
      for (const { resolve, reject, outcome } of waiting) {
        if (error === undefined) resolve(outcome);
        else reject(error);
      }
    });
    this.#group = group;
    this.#waiting = waiting;
    queueMicrotask(() => {
      this.#group = undefined;
      this.#publisher.close(group);
    });
    return group;
  }

  #fill(body: string | Uint8Array, options: SendOptions): OutgoingMessage {
    const nowMs = this.#clock.nowMs();
    const bytes = typeof body === 'string' ? Buffer.from(body, 'utf8') : body;
    const writer = this.#writer;
    writer.reset();
    const texts = [
      [property.contentType, options.contentType],
      [property.correlationId, options.correlationId],
      [property.replyTo, options.replyTo],
      [property.messageId, options.messageId],
      [property.type, options.type],
      [property.group, options.group],
      [property.dedupId, options.dedupId],
    ] as const;
    for (const [id, value] of texts) if (value !== undefined) writer.text(id, value);
    if (options.priority !== undefined) writer.integer(property.priority, options.priority);
    if (options.ttlMs !== undefined) {
      writer.text(property.expiration, String(options.ttlMs));
      writer.integer(property.expiresAt, nowMs + options.ttlMs);
    }
    const deliverAtMs =
      options.delayMs === undefined ? options.deliverAt?.valueOf() : nowMs + options.delayMs;
    if (deliverAtMs !== undefined) writer.integer(property.deliverAt, deliverAtMs);
    for (const [name, value] of Object.entries(options.headers ?? {})) writer.header(name, value);
    const message = this.#message;
    const { key } = options;
    message.key = (typeof key === 'string' ? Buffer.from(key, 'utf8') : key) ?? null;
    message.body = bytes.length === 0 ? [] : [bytes];
    message.bodyBytes = bytes.length;
    message.headers = writer.finish();
    message.headerCount = writer.count;
    message.timestampMs = nowMs;
    message.priority = writer.priority;
    message.expiresAtMs = writer.expiresAtMs;
    message.deliverAtMs = writer.deliverAtMs;
    message.groupId = writer.groupId;
    message.dedupId = writer.dedupId;
    return message;
  }
}
