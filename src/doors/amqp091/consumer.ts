import type { Queue } from '../../broker/index.ts';
import type { Lease, PartitionQueue, QueueConsumer, QueueMessage } from '../../shard/index.ts';
import type { DeliveryEncoder } from './consumer-frames.ts';
import type { DeliverySink } from './consumer-sink.ts';
import type { ConsumerInfo } from './handler.ts';
import type { DeliverySources } from './consumer-sources.ts';

/** A consumer of any kind, as its channel knows it. */
export interface ChannelConsumer extends ConsumerInfo {
  /** It was asked for more, and had no room. */
  isRefused: boolean;
  /** Deliveries that the client has not settled. */
  unsettled: number;
  /** How long a delivery may stay unsettled, milliseconds; 0: for ever. */
  readonly timeoutMs: number;
  /** It may have room again. */
  resume(): void;
  /** Gets no more; what it has not settled stays with the channel. */
  cancel(): void;
}

/** What consumers ask of their channel. */
export interface ConsumerHost {
  readonly sink: DeliverySink;
  readonly sources: DeliverySources;
  /** The channel as a whole takes another delivery that has to be settled. */
  readonly hasRoom: boolean;
  readonly isSendBlocked: boolean;
  /** Some consumer was refused: `resume` is due when there is room. */
  noteRefused(): void;
  /** Takes a tag for a delivery of a source. */
  tagFor(source: number, lease: Lease): number;
  /** Takes a tag for a delivery that is settled already. */
  tagForSettled(): number;
  /** The server ended the consumer. */
  ended(consumer: ChannelConsumer): void;
}

export interface QueueConsumerOptions {
  readonly tag: string;
  readonly queue: Queue;
  readonly host: ConsumerHost;
  readonly encoder: DeliveryEncoder;
  readonly priority: number;
  /** Unsettled deliveries at most; 0: no limit. */
  readonly prefetch: number;
  readonly isAutoSettled: boolean;
  readonly isExclusive: boolean;
  readonly timeoutMs: number;
  /** Called when it is over. */
  readonly onEnd: () => void;
}

/** A client's consumer of a queue. */
export class QueueChannelConsumer implements QueueConsumer, ChannelConsumer {
  readonly tag: string;
  readonly priority: number;
  readonly isAutoSettled: boolean;
  /** Until it is settled or the channel goes: a lease with a deadline would outlive a crash of the broker. */
  readonly leaseMs = -1;
  readonly timeoutMs: number;
  isRefused = false;
  unsettled = 0;
  readonly #options: QueueConsumerOptions;
  readonly #host: ConsumerHost;
  readonly #encoder: DeliveryEncoder;
  readonly #prefetch: number;
  #isActive = true;
  #isEnded = false;
  /** The part that delivered last, and its source. */
  #part: PartitionQueue | undefined;
  #source = -1;

  constructor(options: QueueConsumerOptions) {
    this.#options = options;
    this.#host = options.host;
    this.#encoder = options.encoder;
    this.tag = options.tag;
    this.priority = options.priority;
    this.isAutoSettled = options.isAutoSettled;
    this.timeoutMs = options.timeoutMs;
    // Without acks there is nothing that would free the credit (https://www.rabbitmq.com/docs/consumer-prefetch).
    this.#prefetch = options.isAutoSettled ? 0 : options.prefetch;
  }

  get queue(): { readonly namespace: string; readonly name: string } {
    return this.#options.queue;
  }

  start(): void {
    this.#options.queue.attach(this);
  }

  details(): Record<string, unknown> {
    const { isExclusive, isAutoSettled, prefetch, priority } = this.#options;
    return {
      consumer_tag: this.tag,
      exclusive: isExclusive,
      ack_required: !isAutoSettled,
      prefetch_count: prefetch,
      priority,
      active: this.#isActive,
      activity_status: this.#isActive ? 'up' : 'waiting',
      messages_unacknowledged: this.unsettled,
    };
  }

  wants(): boolean {
    const host = this.#host;
    if (this.#isEnded) return false;
    if (!host.isSendBlocked) {
      if (this.isAutoSettled) return true;
      if ((this.#prefetch === 0 || this.unsettled < this.#prefetch) && host.hasRoom) return true;
    }
    this.isRefused = true;
    host.noteRefused();
    return false;
  }

  take(message: QueueMessage, lease: Lease, queue: PartitionQueue): void {
    const host = this.#host;
    let tag: number;
    if (this.isAutoSettled) {
      tag = host.tagForSettled();
    } else {
      if (queue !== this.#part) {
        this.#part = queue;
        this.#source = host.sources.of(queue, this);
      }
      this.unsettled += 1;
      tag = host.tagFor(this.#source, lease);
    }
    const bodyBytes = message.valueBytes < 0 ? 0 : message.valueBytes;
    const frames = this.#encoder.encode(message);
    host.sink.deliver(frames, tag, message.bytes, message.valueAt, bodyBytes);
  }

  taken(): void {
    this.#host.sink.flush();
  }

  activeChanged(isActive: boolean): void {
    this.#isActive = isActive;
  }

  detached(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#options.onEnd();
    this.#host.ended(this);
  }

  resume(): void {
    this.isRefused = false;
    if (!this.#isEnded) this.#options.queue.resume();
  }

  cancel(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#options.queue.detach(this, 'keep');
    this.#options.onEnd();
  }
}
