import { BrokerError, type Clock } from '../../base/index.ts';
import { ByteWriter } from '../../bytes/index.ts';
import type { AcquiredMessage, Lease, PartitionQueue } from '../../shard/index.ts';
import { ReceivedMessage } from '../embedded/index.ts';
import type { OutgoingMessage } from '../ports/index.ts';
import type { OutgoingRecord } from '../sender.ts';
import type { Topic } from '../types.ts';
import type { MessageTransaction } from './message-transaction.ts';

/** A message that a program got from a queue. */
export type TakenMessage = ReceivedMessage | AcquiredMessage;

/**
 * What a program does in one transaction: see `Broker.transaction`. Nothing happens before the program's function has
 * ended; then all of it does, or nothing.
 */
export class EmbeddedTransaction {
  readonly #port: MessageTransaction;
  readonly #clock: Clock;
  readonly #records: Array<{ topic: string; record: OutgoingRecord }> = [];
  readonly #settled: ReceivedMessage[] = [];

  constructor(port: MessageTransaction, clock: Clock) {
    this.#port = port;
    this.#clock = clock;
  }

  /** Stores a record in a topic or queue. */
  send(topic: string, record: OutgoingRecord): void {
    this.#records.push({ topic, record });
  }

  /** The message is done. Throws lease-stale when it is not ours any more. */
  accept(message: TakenMessage): void {
    const { queue, lease } = this.#take(message);
    this.#port.accept(queue, lease);
  }

  /** Somebody else may have the message, at its place in the order or after a delay; by default that is a failure. */
  release(message: TakenMessage, options: { delayMs?: number; isFailure?: boolean } = {}): void {
    const { queue, lease } = this.#take(message);
    const { isFailure = true, ...rest } = options;
    this.#port.release(queue, lease, { ...rest, isFailure });
  }

  /** The message can never be handled: it goes where the queue sends its dead letters, or away. */
  reject(message: TakenMessage): void {
    const { queue, lease } = this.#take(message);
    this.#port.reject(queue, lease, 'rejected');
  }

  /** For the broker: everything at once. */
  async commit(getTopic: (name: string) => Promise<Topic>): Promise<void> {
    for (const { topic, record } of this.#records)
      this.#port.publish(await getTopic(topic), this.#message(record), record.partition);
    await this.#port.commit();
    for (const message of this.#settled) message.noteLost();
  }

  #take(message: TakenMessage): { queue: PartitionQueue; lease: Lease } {
    if (!(message instanceof ReceivedMessage)) return message;
    const { delivery } = message;
    if (delivery === undefined) throw new BrokerError('lease-stale');
    this.#settled.push(message);
    return delivery;
  }

  #message(record: OutgoingRecord): OutgoingMessage {
    const body = toBytes(record.value);
    const headers = encodeHeaders(record.headers);
    return {
      key: toBytes(record.key ?? null),
      body: body === null ? [] : [body],
      bodyBytes: body === null ? -1 : body.length,
      headers: headers.bytes,
      headerCount: headers.count,
      timestampMs: record.timestampMs ?? this.#clock.nowMs(),
      priority: undefined,
      expiresAtMs: undefined,
      deliverAtMs: undefined,
      groupId: undefined,
      dedupId: undefined,
    };
  }
}

function toBytes(value: string | Uint8Array | null): Uint8Array | null {
  return typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
}

/** As they stand in a record: see `bytes/record-batch.ts`. */
function encodeHeaders(headers: OutgoingRecord['headers']): { bytes: Uint8Array; count: number } {
  const writer = new ByteWriter(64);
  const entries = Array.isArray(headers) ? headers : Object.entries(headers ?? {});
  for (const [name, text] of entries) {
    const value = toBytes(text);
    writer.varint(Buffer.byteLength(name));
    writer.utf8(name);
    writer.varint(value === null ? -1 : value.length);
    if (value !== null) writer.bytes(value);
  }
  return { bytes: writer.take(), count: entries.length };
}
