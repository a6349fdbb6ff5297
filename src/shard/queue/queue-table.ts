import type { Clock, Random } from '../../base/index.ts';
import type { StateExtension } from '../extension.ts';
import type { PartitionLog } from '../partition-log.ts';
import type {
  PartitionQueue,
  QueueEvents,
  QueueForm,
  QueueMessage,
  QueueSettings,
} from './types.ts';

/** What the queues ask of their shard. */
export interface QueueHost {
  submit(kind: number, payload: Uint8Array): Promise<void>;
  /** What has changed must be in the next chunk, which begins soon. */
  requestCommit(): void;
  /** Messages were settled behind which much room can be freed. */
  requestMaintenance(): void;
}

/** Makes the predicate of a filter; throws where its text is wrong (it was checked when the filter was set). */
export type FilterCompiler = (
  filter: NonNullable<QueueSettings['filter']>,
) => (message: QueueMessage) => boolean;

export interface QueueTableParts {
  clock: Clock;
  random: Random;
  events: QueueEvents;
  /** Without it settings with a filter are refused. */
  compileFilter?: FilterCompiler;
}

/** The queues of one shard, as state beside the partitions. */
export class QueueTable implements StateExtension {
  readonly name = 'queues';
  readonly #parts: QueueTableParts;
  #host: QueueHost | undefined;

  constructor(parts: QueueTableParts) {
    this.#parts = parts;
  }

  /** Gives the table the shard that journals its entries. */
  attach(host: QueueHost): void {
    this.#host = host;
  }

  /**
   * The queue of that subscription, made where there is none; it can be used at once, and exists for good when
   * `durable` resolves. One that exists gets the settings and keeps its form and place.
   */
  open(
    log: PartitionLog,
    subscription: string,
    form: QueueForm,
    settings: QueueSettings,
    startOffset: number,
  ): { queue: PartitionQueue; durable: Promise<void> } {
    void [log, subscription, form, settings, startOffset, this.#parts, this.#host];
    throw new Error('the queue core is being built');
  }

  /** Forgets a queue; its consumers are detached. The partition's records stay. */
  async drop(queue: PartitionQueue): Promise<void> {
    void queue;
  }

  find(partitionNumber: number, subscription: string): PartitionQueue | undefined {
    void [partitionNumber, subscription];
    return undefined;
  }

  *list(): Iterable<PartitionQueue> {}

  owns(): boolean {
    return false;
  }

  apply(): void {}

  encode(): Uint8Array {
    return new Uint8Array(0);
  }

  restore(): void {}
}
