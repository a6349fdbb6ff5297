import type { PartitionQueue } from '../../shard/index.ts';
import type { ChannelConsumer } from './consumer.ts';

/** Where a delivery came from: what `UnsettledTable` has as a number. */
export interface DeliverySource {
  /** Undefined: a log that is read without leases. */
  readonly queue: PartitionQueue | undefined;
  /** Undefined: it was fetched with basic.get. */
  readonly consumer: ChannelConsumer | undefined;
  unsettled: number;
}

/** The sources of one channel by number. A number is free again when its consumer is gone and nothing is unsettled. */
export class DeliverySources {
  readonly #sources: Array<DeliverySource | undefined> = [];
  readonly #free: number[] = [];

  at(index: number): DeliverySource {
    // Callers have the number from `of`, and count what they hold of it.
    return this.#sources[index]!;
  }

  /** There are few: one for each consumer and part, and for each queue that was asked with basic.get. */
  of(queue: PartitionQueue | undefined, consumer: ChannelConsumer | undefined): number {
    for (let index = 0; index < this.#sources.length; index += 1) {
      const source = this.#sources[index];
      if (source !== undefined && source.queue === queue && source.consumer === consumer)
        return index;
    }
    const source: DeliverySource = { queue, consumer, unsettled: 0 };
    const free = this.#free.pop();
    if (free === undefined) return this.#sources.push(source) - 1;
    this.#sources[free] = source;
    return free;
  }

  /** Drops those that have nothing unsettled and whose consumer is gone. */
  trim(isThere: (consumer: ChannelConsumer | undefined) => boolean): void {
    for (let index = 0; index < this.#sources.length; index += 1) {
      const source = this.#sources[index];
      if (source === undefined || source.unsettled > 0 || isThere(source.consumer)) continue;
      this.#sources[index] = undefined;
      this.#free.push(index);
    }
  }
}
