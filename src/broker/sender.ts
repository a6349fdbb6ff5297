import { BrokerError, type Clock, type Random } from '../base/index.ts';
import {
  type Codec,
  partitionOfKey,
  RecordBatchBuilder,
  type RecordHeader,
} from '../bytes/index.ts';
import type { Partition } from '../shard/index.ts';
import type { Topic } from './types.ts';

/** A message as applications give it. Text is stored as UTF-8. */
export interface OutgoingRecord {
  key?: string | Uint8Array | null;
  value: string | Uint8Array | null;
  headers?:
    | Record<string, string | Uint8Array | null>
    | ReadonlyArray<readonly [string, string | Uint8Array | null]>;
  /** Milliseconds since the epoch; default now. */
  timestampMs?: number;
  /** Default: by the hash of the key; without one, spread. */
  partition?: number;
}

/** Where a record was stored. */
export interface SentRecord {
  partition: number;
  offset: number;
}

/** A batch is closed at this size; a larger record makes one of its own. */
const batchBytesTarget = 256 * 1024;

interface OpenBatch {
  partition: Partition;
  builder: RecordBatchBuilder;
  waiting: Array<{ resolve: (sent: SentRecord) => void; reject: (error: Error) => void }>;
}

/** Turns records into batches: what is sent in one turn of the event loop to one partition goes into one batch. */
export class Sender {
  readonly #clock: Clock;
  readonly #compression: Codec;
  readonly #open = new Map<Partition, OpenBatch>();
  /** Of each topic: where keyless records go now, and how many bytes went there. */
  readonly #sticky = new Map<string, { partition: number; bytes: number }>();
  readonly #random: Random;
  #isScheduled = false;

  constructor(clock: Clock, random: Random, compression: Codec = 'none') {
    this.#clock = clock;
    this.#random = random;
    this.#compression = compression;
  }

  /** Resolves when the record is durable. */
  send(topic: Topic, record: OutgoingRecord): Promise<SentRecord> {
    const key = toBytes(record.key ?? null);
    const value = toBytes(record.value);
    const headers = toHeaders(record.headers);
    const partition = this.#choose(topic, key, (value?.length ?? 0) + 64, record.partition);
    let batch = this.#open.get(partition);
    if (batch === undefined) {
      batch = { partition, builder: new RecordBatchBuilder(), waiting: [] };
      this.#open.set(partition, batch);
    }
    batch.builder.add({
      key,
      value,
      headers,
      timestampMs: record.timestampMs ?? this.#clock.nowMs(),
    });
    const { waiting } = batch;
    const sent = new Promise<SentRecord>((resolve, reject) => waiting.push({ resolve, reject }));
    if (batch.builder.bytes >= batchBytesTarget) this.#close(batch);
    else this.#schedule();
    return sent;
  }

  #choose(
    topic: Topic,
    key: Uint8Array | null,
    bytes: number,
    wanted: number | undefined,
  ): Partition {
    const { partitions } = topic;
    let index = wanted;
    if (index === undefined) {
      index = key === null ? this.#spread(topic, bytes) : partitionOfKey(key, partitions.length);
    }
    const partition = partitions[index];
    if (partition === undefined)
      throw new BrokerError('partition-not-found', `${topic.name}-${index}`);
    return partition;
  }

  /** Keyless records stay with one partition for a batch's worth of bytes, then move on. */
  #spread(topic: Topic, bytes: number): number {
    let sticky = this.#sticky.get(topic.id);
    if (sticky === undefined) {
      sticky = { partition: this.#random.nextInt(topic.partitions.length), bytes: 0 };
      this.#sticky.set(topic.id, sticky);
    }
    if (sticky.bytes >= batchBytesTarget || sticky.partition >= topic.partitions.length) {
      sticky.partition = (sticky.partition + 1) % topic.partitions.length;
      sticky.bytes = 0;
    }
    sticky.bytes += bytes;
    return sticky.partition;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      for (const batch of this.#open.values()) this.#close(batch);
    });
  }

  #close(batch: OpenBatch): void {
    this.#open.delete(batch.partition);
    const bytes = batch.builder.build({ compression: this.#compression });
    batch.partition.append(bytes).then(
      (result) => {
        for (const [index, { resolve }] of batch.waiting.entries()) {
          resolve({ partition: batch.partition.index, offset: result.baseOffset + index });
        }
      },
      (error: Error) => {
        for (const { reject } of batch.waiting) reject(error);
      },
    );
  }
}

function toBytes(value: string | Uint8Array | null): Uint8Array | null {
  return typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
}

function toHeaders(headers: OutgoingRecord['headers']): RecordHeader[] {
  if (headers === undefined) return [];
  const entries = Array.isArray(headers) ? headers : Object.entries(headers);
  return entries.map(([name, value]) => [name, toBytes(value)] as const);
}
