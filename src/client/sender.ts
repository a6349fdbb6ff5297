import { type Codec, type NewRecord, partitionOfKey, RecordBatchBuilder } from '../bytes/index.ts';
import type { LogClient } from './log-client.ts';
import { checkError, ServerError, serverErrors } from './server-error.ts';

export interface SenderOptions {
  topic: string;
  /** A batch is sent when it has this size, uncompressed. Default 256 KiB. */
  batchBytes?: number;
  /** A smaller batch waits this long for more. Default 5. */
  lingerMs?: number;
  compression?: Codec;
  /** Called when records are durable. */
  onAcknowledged?: (records: number) => void;
}

/** A refusal that is safe to try again: the server said that it stored nothing. */
const retryable: ReadonlySet<number> = new Set([
  serverErrors.leaderNotAvailable,
  serverErrors.notLeader,
]);
const attemptsMax = 20;
const retryMs = 100;

/**
 * Sends records to one topic, in batches. Each partition has at most one batch under way while the next one fills, so
 * that the order of a partition's records is kept even when a batch must be sent again.
 */
export class Sender {
  /** Records that are durable. */
  acknowledged = 0;
  readonly #client: LogClient;
  readonly #options: Required<Omit<SenderOptions, 'onAcknowledged'>>;
  readonly #onAcknowledged: ((records: number) => void) | undefined;
  readonly #lanes: Lane[];
  #stickyLane = 0;
  #error: Error | undefined;

  /** Creates the topic where the server allows it. */
  static async open(client: LogClient, options: SenderOptions): Promise<Sender> {
    const { partitionCount } = await client.describeTopic(options.topic, true);
    return new Sender(client, options, partitionCount);
  }

  private constructor(client: LogClient, options: SenderOptions, partitionCount: number) {
    this.#client = client;
    this.#onAcknowledged = options.onAcknowledged;
    this.#options = {
      topic: options.topic,
      batchBytes: options.batchBytes ?? 256 * 1024,
      lingerMs: options.lingerMs ?? 5,
      compression: options.compression ?? 'none',
    };
    this.#lanes = Array.from({ length: partitionCount }, (_, partition) => ({
      partition,
      builder: new RecordBatchBuilder(),
      timer: undefined,
      sending: undefined,
    }));
  }

  get partitionCount(): number {
    return this.#lanes.length;
  }

  /**
   * Takes a record, copying it; the partition is that of its key unless one is given. A promise means that the sender
   * is full: wait for it before the next record. Throws or rejects what an earlier batch failed with.
   */
  add(record: NewRecord, partition?: number): Promise<void> | undefined {
    if (this.#error !== undefined) throw this.#error;
    const lane = this.#laneOf(record, partition);
    lane.builder.add(record);
    if (lane.builder.bytes >= this.#options.batchBytes) {
      // Records without a key go to one partition until its batch is full: many small batches cost more.
      if (lane.partition === this.#stickyLane) {
        this.#stickyLane = (this.#stickyLane + 1) % this.#lanes.length;
      }
      // When what is under way has been answered, this batch is taken at once.
      if (lane.sending !== undefined) return lane.sending;
      this.#begin(lane);
    } else if (lane.timer === undefined && lane.sending === undefined) {
      lane.timer = setTimeout(() => this.#begin(lane), this.#options.lingerMs);
    }
    return undefined;
  }

  /** Resolves when all records are durable; rejects with what went wrong. */
  async flush(): Promise<void> {
    for (;;) {
      if (this.#error !== undefined) throw this.#error;
      const underWay: Promise<void>[] = [];
      for (const lane of this.#lanes) {
        this.#begin(lane);
        if (lane.sending !== undefined) underWay.push(lane.sending);
      }
      if (underWay.length === 0) return;
      await Promise.all(underWay);
    }
  }

  #laneOf(record: NewRecord, partition: number | undefined): Lane {
    const { topic } = this.#options;
    const count = this.#lanes.length;
    const index =
      partition ?? (record.key === null ? this.#stickyLane : partitionOfKey(record.key, count));
    const lane = this.#lanes[index];
    if (lane === undefined) {
      throw new ServerError(
        serverErrors.unknownTopicOrPartition,
        `topic "${topic}"`,
        `it has partitions 0 to ${count - 1}, not ${index}`,
      );
    }
    return lane;
  }

  /** Starts to send what the lane has, unless a batch of it is under way: that one goes on with the rest. */
  #begin(lane: Lane): void {
    clearTimeout(lane.timer);
    lane.timer = undefined;
    if (lane.sending !== undefined || lane.builder.count === 0) return;
    lane.sending = this.#send(lane).finally(() => {
      lane.sending = undefined;
      if (this.#error === undefined) this.#begin(lane);
    });
  }

  /** Never rejects: what fails is kept, and thrown at the next call. */
  async #send(lane: Lane): Promise<void> {
    const { count } = lane.builder;
    if (count === 0 || this.#error !== undefined) return;
    const batch = lane.builder.build({ compression: this.#options.compression });
    try {
      await this.#deliver(lane.partition, batch);
    } catch (error) {
      this.#error ??= error instanceof Error ? error : new Error(String(error));
      return;
    }
    this.acknowledged += count;
    this.#onAcknowledged?.(count);
  }

  async #deliver(partition: number, batch: Uint8Array): Promise<void> {
    const { topic } = this.#options;
    for (let attempt = 1; ; attempt++) {
      const leader = await this.#client.leaderOf(topic, partition);
      const connection = await this.#client.connectionTo(leader, 'send');
      const { responses } = await connection.request('Produce', {
        // All in-sync replicas: durable before it is answered.
        acks: -1,
        timeoutMs: 30_000,
        topicData: [{ name: topic, partitionData: [{ index: partition, records: batch }] }],
      });
      const result = responses[0]?.partitionResponses[0];
      const code = result?.errorCode ?? -1;
      if (code === 0) return;
      if (!retryable.has(code) || attempt === attemptsMax) {
        checkError(code, `topic "${topic}", partition ${partition}`, result?.errorMessage);
      }
      this.#client.forgetLeaders(topic);
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }
}

/** The batch of one partition that is filling, and the one that is under way. */
interface Lane {
  partition: number;
  builder: RecordBatchBuilder;
  timer: NodeJS.Timeout | undefined;
  sending: Promise<void> | undefined;
}
