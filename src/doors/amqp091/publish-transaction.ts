import { limits } from '../../base/index.ts';
import type { OutgoingMessage, Topic, TransactionPort } from '../../broker/index.ts';
import type { PartitionQueue, ReleaseOptions } from '../../shard/index.ts';
import { AmqpError } from './amqp-error.ts';
import { type EncodedProperties, restamp, type Stamp } from './message/index.ts';

/** What a transaction does with a delivery. */
export type SettleKind = 'accept' | 'release' | 'release-failed' | 'reject';

/** A message of a transaction that no queue takes. */
export interface UnroutedPublish {
  /** Of its own memory. */
  readonly bytes: number;
  /** Sends it back, or to the channel that waits for it as a reply. */
  readonly send: () => void;
}

/** Puts a delivery back among the unsettled ones. */
export type Restore = (tag: number, source: number, lease: number) => void;

const requeued: ReleaseOptions = { isFailure: false };
const failed: ReleaseOptions = { isFailure: true };

/**
 * The transaction of one channel (https://www.rabbitmq.com/docs/semantics#tx): what is published and settled in it
 * happens at its commit. Deliveries that it settles are no longer among the unsettled ones, and come back there with its
 * rollback.
 */
export class ChannelTransaction {
  readonly #port: TransactionPort;
  /** Of the deliveries: tag, source, lease, one after the other. */
  readonly #settled: number[] = [];
  /** What was published: its time is that of the commit, and what it says of its life counts from there. */
  readonly #published: Array<{ readonly message: OutgoingMessage; readonly stamp: Stamp }> = [];
  /** What no queue takes. */
  readonly #unrouted: UnroutedPublish[] = [];
  #bytes = 0;

  constructor(port: TransactionPort) {
    this.#port = port;
  }

  /** Messages and settlements that wait for the commit. */
  messageCount = 0;

  get settledCount(): number {
    return this.#settled.length / 3;
  }

  publish(
    targets: readonly Topic[],
    message: OutgoingMessage,
    properties: EncodedProperties,
  ): void {
    this.#add(message.bodyBytes + message.headers.length + messageOverheadBytes);
    this.messageCount += 1;
    const { ttlMs, expiresAtAt, expiresAtMs, delayMs, deliverAtAt, deliverAtMs } = properties;
    for (const target of targets) {
      const copy = this.#port.publish(target, message);
      const { buffer, byteOffset, length } = copy.headers;
      const headers = Buffer.from(buffer, byteOffset, length);
      const stamp = { ttlMs, expiresAtAt, expiresAtMs, delayMs, deliverAtAt, deliverAtMs, headers };
      this.#published.push({ message: copy, stamp });
    }
  }

  /** What is returned, or is a direct reply, waits for the commit like everything else. */
  publishNowhere(unrouted: UnroutedPublish): void {
    this.#add(unrouted.bytes + messageOverheadBytes);
    this.messageCount += 1;
    this.#unrouted.push(unrouted);
  }

  settle(
    kind: SettleKind,
    tag: number,
    source: number,
    queue: PartitionQueue,
    lease: number,
  ): void {
    this.#add(settleBytes);
    this.#settled.push(tag, source, lease);
    if (kind === 'accept') this.#port.accept(queue, lease);
    else if (kind === 'reject') this.#port.reject(queue, lease, 'rejected');
    else this.#port.release(queue, lease, kind === 'release' ? requeued : failed);
  }

  /**
   * The sources of what was settled are told with `visit`: their credit is free again. When it fails the deliveries come
   * back with `restore`, and what was published is gone.
   */
  async commit(nowMs: number, visit: (source: number) => void, restore: Restore): Promise<void> {
    const settled = this.#settled.splice(0);
    const unrouted = this.#unrouted.splice(0);
    for (const { message, stamp } of this.#published.splice(0)) {
      restamp(stamp, nowMs);
      message.timestampMs = nowMs;
      message.expiresAtMs = stamp.expiresAtMs;
      message.deliverAtMs = stamp.deliverAtMs;
    }
    this.#bytes = 0;
    this.messageCount = 0;
    try {
      await this.#port.commit();
    } catch (error) {
      restoreAll(settled, restore);
      throw error;
    }
    for (let index = 1; index < settled.length; index += 3) visit(settled[index]!);
    for (const { send } of unrouted) send();
  }

  rollback(restore?: Restore): void {
    this.#port.rollback();
    this.#published.length = 0;
    this.#unrouted.length = 0;
    this.#bytes = 0;
    this.messageCount = 0;
    const settled = this.#settled.splice(0);
    if (restore !== undefined) restoreAll(settled, restore);
  }

  #add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes <= limits.transactionBytesMax) return;
    throw new AmqpError(
      'PRECONDITION_FAILED',
      `a transaction may gather at most ${limits.transactionBytesMax} bytes`,
    );
  }
}

function restoreAll(settled: readonly number[], restore: Restore): void {
  for (let index = 0; index < settled.length; index += 3) {
    restore(settled[index]!, settled[index + 1]!, settled[index + 2]!);
  }
}

const messageOverheadBytes = 64;
const settleBytes = 64;
