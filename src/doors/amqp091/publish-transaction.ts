import { limits } from '../../base/index.ts';
import type { OutgoingMessage, Topic, TransactionPort } from '../../broker/index.ts';
import type { PartitionQueue, ReleaseOptions } from '../../shard/index.ts';
import { AmqpError } from './amqp-error.ts';

/** What a transaction does with a delivery. */
export type SettleKind = 'accept' | 'release' | 'release-failed' | 'reject';

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
  #bytes = 0;

  constructor(port: TransactionPort) {
    this.#port = port;
  }

  /** Messages and settlements that wait for the commit. */
  messageCount = 0;

  get settledCount(): number {
    return this.#settled.length / 3;
  }

  publish(targets: readonly Topic[], message: OutgoingMessage): void {
    this.#add(message.bodyBytes + message.headers.length + messageOverheadBytes);
    this.messageCount += 1;
    for (let index = 0; index < targets.length; index += 1) {
      this.#port.publish(targets[index]!, message);
    }
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

  /** The sources of what was settled are told with `visit`: their credit is free again. */
  async commit(visit: (source: number) => void): Promise<void> {
    const settled = this.#settled.splice(0);
    this.#bytes = 0;
    this.messageCount = 0;
    await this.#port.commit();
    for (let index = 1; index < settled.length; index += 3) visit(settled[index]!);
  }

  rollback(restore?: Restore): void {
    this.#port.rollback();
    this.#bytes = 0;
    this.messageCount = 0;
    const settled = this.#settled.splice(0);
    if (restore === undefined) return;
    for (let index = 0; index < settled.length; index += 3) {
      restore(settled[index]!, settled[index + 1]!, settled[index + 2]!);
    }
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

const messageOverheadBytes = 64;
const settleBytes = 64;
