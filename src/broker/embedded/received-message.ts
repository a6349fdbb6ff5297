import {
  type Fields,
  HeaderReader,
  headerNameOf,
  newFields,
  property,
  readFields,
} from '../../message/index.ts';
import type { Lease, PartitionQueue, QueueMessage } from '../../shard/index.ts';

/**
 * A message that this program holds: nobody else gets it until it is settled or its lease ends. Body, key and headers
 * are memory of its own.
 */
export class ReceivedMessage {
  /** -1 where it was only looked at. */
  readonly partition: number;
  readonly offset: number;
  /** Milliseconds since the epoch. */
  readonly timestampMs: number;
  /** This one included: 1 at first. */
  readonly deliveries: number;
  /** Deliveries that failed before. */
  readonly failures: number;
  readonly body: Buffer;
  readonly key: Buffer | null;
  readonly #headers: Buffer;
  /** Undefined where it was only looked at. */
  readonly #queue: PartitionQueue | undefined;
  readonly #lease: Lease;
  readonly #onSettled: ((message: ReceivedMessage) => void) | undefined;
  #isSettled = false;

  constructor(
    message: QueueMessage,
    lease: Lease,
    queue: PartitionQueue | undefined,
    onSettled?: (message: ReceivedMessage) => void,
  ) {
    const { bytes } = message;
    this.partition = queue?.partition.index ?? -1;
    this.offset = message.offset;
    this.timestampMs = message.timestampMs;
    this.deliveries = message.deliveries;
    this.failures = message.failures;
    this.body = copy(bytes, message.valueAt, message.valueBytes);
    this.key = message.keyBytes < 0 ? null : copy(bytes, message.keyAt, message.keyBytes);
    this.#headers = copy(bytes, message.headersAt, message.headersBytes);
    this.#queue = queue;
    this.#lease = lease;
    this.#onSettled = onSettled;
  }

  /** One that was looked at, and is nobody's: it cannot be settled. */
  static seen(message: QueueMessage): ReceivedMessage {
    const seen = new ReceivedMessage(message, 0, undefined);
    seen.#isSettled = true;
    return seen;
  }

  /** The body as UTF-8. */
  get text(): string {
    return this.body.toString('utf8');
  }

  /** The sender's own headers; made anew at each call. */
  get headers(): Fields {
    return readFields(this.#headers, 0, this.#headers.length);
  }

  /** What else was said of the message, as text: `content-type`, `correlation-id`, `priority`, ... */
  get properties(): Readonly<Record<string, string>> {
    const properties = newFields() as Record<string, string>;
    const reader = new HeaderReader().begin(this.#headers, 0, this.#headers.length);
    while (reader.next()) {
      if (reader.property >= 0 && reader.property !== property.types)
        properties[headerNameOf(reader.property).slice(6)] = reader.text;
    }
    return properties;
  }

  /** Accepted, released, rejected, or lost because its time ran out. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** It is done. False when it is not ours any more: somebody else may have got it. Durable after `settled()`. */
  accept(): boolean {
    return this.#settle((queue) => queue.accept(this.#lease));
  }

  /** Somebody else may have it, at its place in the order or after a delay; by default it counts as a failure. */
  release(options: { delayMs?: number; isFailure?: boolean } = {}): boolean {
    const { isFailure = true, ...rest } = options;
    return this.#settle((queue) => queue.release(this.#lease, { ...rest, isFailure }));
  }

  /** It can never be handled: it goes where the queue sends its dead letters, or away. */
  reject(): boolean {
    return this.#settle((queue) => queue.reject(this.#lease, 'rejected'));
  }

  /** More time: the lease ends `leaseMs` from now. */
  extend(leaseMs: number): boolean {
    return !this.#isSettled && this.#queue?.extend(this.#lease, leaseMs) === true;
  }

  /** Resolves when what was said of it is durable. */
  settled(): Promise<void> {
    return this.#queue?.settled() ?? Promise.resolve();
  }

  /** For the reader: the lease has ended by itself. */
  noteLost(): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#onSettled?.(this);
  }

  /** For a transaction, which settles it; undefined when it is not ours any more. */
  get delivery(): { queue: PartitionQueue; lease: Lease } | undefined {
    const queue = this.#queue;
    return this.#isSettled || queue === undefined ? undefined : { queue, lease: this.#lease };
  }

  /** For the reader. */
  holds(lease: Lease, queue: PartitionQueue): boolean {
    return lease === this.#lease && queue === this.#queue;
  }

  #settle(settle: (queue: PartitionQueue) => boolean): boolean {
    if (this.#isSettled || this.#queue === undefined) return false;
    const isOurs = settle(this.#queue);
    this.noteLost();
    return isOurs;
  }
}

function copy(bytes: Uint8Array, at: number, length: number): Buffer {
  return length <= 0 ? Buffer.alloc(0) : Buffer.from(bytes.subarray(at, at + length));
}
