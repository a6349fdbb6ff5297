import { limits, type Random } from '../../base/index.ts';

/** The queue that stands for "answer me on this channel" (https://www.rabbitmq.com/docs/direct-reply-to). */
export const replyQueueName = 'amq.rabbitmq.reply-to';
export const replyKeyPrefix = 'amq.rabbitmq.reply-to.';

/** A channel that waits for replies. */
export interface ReplyReceiver {
  /** The body's parts are borrowed for the call. False: it cannot be taken now. */
  receiveReply(reply: Reply): boolean;
}

export interface Reply {
  readonly exchange: string;
  readonly routingKey: string;
  /** As `QueueMessage`: encoded headers. */
  readonly headers: Buffer;
  readonly headerCount: number;
  readonly key: Uint8Array | null;
  readonly body: readonly Uint8Array[];
  readonly bodyBytes: number;
}

/** The reply queues of all channels of the door: names that exist while somebody waits, and nowhere else. */
export class ReplyQueues {
  readonly #random: Random;
  readonly #receivers = new Map<string, ReplyReceiver>();

  constructor(random: Random) {
    this.#random = random;
  }

  /** The routing key that leads to the receiver; undefined when there are too many. */
  open(receiver: ReplyReceiver): string | undefined {
    if (this.#receivers.size >= limits.replyQueuesMax) return undefined;
    const key = `${replyKeyPrefix}${randomToken(this.#random)}`;
    this.#receivers.set(key, receiver);
    return key;
  }

  close(key: string): void {
    this.#receivers.delete(key);
  }

  find(key: string): ReplyReceiver | undefined {
    return this.#receivers.get(key);
  }
}

/** 22 characters that cannot be guessed: 128 bits. */
export function randomToken(random: Random): string {
  return Buffer.from(random.nextBytes(16)).toString('base64url');
}
