import type { Lease, PartitionQueue, QueueConsumer, QueueMessage } from '../../shard/index.ts';

/**
 * Stands for a consumer at all parts of a queue but the first: what concerns the queue as a whole (that it is gone, who
 * is the active consumer) the first part alone tells.
 */
export class FollowingConsumer implements QueueConsumer {
  readonly #consumer: QueueConsumer;

  constructor(consumer: QueueConsumer) {
    this.#consumer = consumer;
  }

  get priority(): number {
    return this.#consumer.priority;
  }

  get isAutoSettled(): boolean {
    return this.#consumer.isAutoSettled;
  }

  get leaseMs(): number | undefined {
    return this.#consumer.leaseMs;
  }

  get filter(): ((message: QueueMessage) => boolean) | undefined {
    return this.#consumer.filter;
  }

  wants(): boolean {
    return this.#consumer.wants();
  }

  take(message: QueueMessage, lease: Lease, queue: PartitionQueue): void {
    this.#consumer.take(message, lease, queue);
  }

  taken(): void {
    this.#consumer.taken?.();
  }

  leaseExpired(lease: Lease, queue: PartitionQueue): void {
    this.#consumer.leaseExpired?.(lease, queue);
  }

  detached(): void {}
}
