import { limits } from '../base/index.ts';
import type { ByteReader, ByteWriter } from '../bytes/index.ts';
import type { ProducerDescription } from './partition.ts';

/** Batches remembered for each producer: a producer may have this many in flight and repeat any of them. */
const batchesKept = 5;
/** Sequence numbers are signed 32-bit and wrap to 0. */
const sequenceCount = 0x80000000;

interface Producer {
  epoch: number;
  lastTimestampMs: number;
  /** Oldest first. */
  batches: Array<{ firstSequence: number; lastSequence: number; baseOffset: number }>;
}

export type SequenceCheck =
  | { outcome: 'next' }
  | { outcome: 'duplicate'; baseOffset: number }
  | { outcome: 'out-of-order'; expected: number }
  | { outcome: 'fenced'; epoch: number };

const isNext: SequenceCheck = { outcome: 'next' };

/** Of the many partitions that no such producer writes to: a map of their own would be most of their memory. */
const none: Map<number, Producer> = new Map();

/** What one partition knows of its idempotent producers: a repeated batch is found, a missing one is noticed. */
export class ProducerTable {
  #producers: Map<number, Producer> = none;

  get size(): number {
    return this.#producers.size;
  }

  /** Judges a batch before it is stored. A producer that is not known may begin with any sequence number. */
  check(
    producerId: number,
    epoch: number,
    firstSequence: number,
    recordCount: number,
  ): SequenceCheck {
    const producer = this.#producers.get(producerId);
    if (producer === undefined) return isNext;
    if (epoch < producer.epoch) return { outcome: 'fenced', epoch: producer.epoch };
    if (epoch > producer.epoch) {
      return firstSequence === 0 ? isNext : { outcome: 'out-of-order', expected: 0 };
    }
    const lastSequence = (firstSequence + recordCount - 1) % sequenceCount;
    for (const batch of producer.batches) {
      if (batch.firstSequence === firstSequence && batch.lastSequence === lastSequence) {
        return { outcome: 'duplicate', baseOffset: batch.baseOffset };
      }
    }
    const last = producer.batches.at(-1);
    if (last === undefined) return isNext;
    const expected = (last.lastSequence + 1) % sequenceCount;
    return firstSequence === expected ? isNext : { outcome: 'out-of-order', expected };
  }

  findEpoch(producerId: number): number | undefined {
    return this.#producers.get(producerId)?.epoch;
  }

  /** A marker may raise the epoch: what an older one still sends is refused. */
  noteEpoch(producerId: number, epoch: number, timestampMs: number): void {
    const producer = this.#getOrAdd(producerId, epoch, timestampMs);
    producer.lastTimestampMs = timestampMs;
    if (epoch <= producer.epoch) return;
    producer.epoch = epoch;
    producer.batches.length = 0;
  }

  /** Remembers a batch that was checked. */
  note(
    producerId: number,
    epoch: number,
    firstSequence: number,
    recordCount: number,
    baseOffset: number,
    timestampMs: number,
  ): void {
    const producer = this.#getOrAdd(producerId, epoch, timestampMs);
    if (epoch !== producer.epoch) {
      producer.epoch = epoch;
      producer.batches.length = 0;
    }
    producer.lastTimestampMs = timestampMs;
    if (producer.batches.length === batchesKept) producer.batches.shift();
    const lastSequence = (firstSequence + recordCount - 1) % sequenceCount;
    producer.batches.push({ firstSequence, lastSequence, baseOffset });
  }

  /** Forgets producers that wrote nothing since `timestampMs`. */
  expire(timestampMs: number): void {
    for (const [id, producer] of this.#producers) {
      if (producer.lastTimestampMs < timestampMs) this.#producers.delete(id);
    }
  }

  /** `findTransaction` tells where a producer's open transaction begins, -1 without one. */
  describe(findTransaction: (producerId: number) => number = () => -1): ProducerDescription[] {
    return [...this.#producers].map(([producerId, producer]) => ({
      producerId,
      producerEpoch: producer.epoch,
      lastSequence: producer.batches.at(-1)?.lastSequence ?? -1,
      lastTimestampMs: producer.lastTimestampMs,
      transactionOffset: findTransaction(producerId),
    }));
  }

  encodeTo(writer: ByteWriter): void {
    writer.uint32(this.#producers.size);
    for (const [id, producer] of this.#producers) {
      writer.safeInt64(id);
      writer.int16(producer.epoch);
      writer.safeInt64(producer.lastTimestampMs);
      writer.uint8(producer.batches.length);
      for (const batch of producer.batches) {
        writer.int32(batch.firstSequence);
        writer.int32(batch.lastSequence);
        writer.safeInt64(batch.baseOffset);
      }
    }
  }

  static decode(reader: ByteReader): ProducerTable {
    const table = new ProducerTable();
    const count = reader.uint32();
    for (let i = 0; i < count; i++) {
      const id = reader.safeInt64();
      const producer: Producer = {
        epoch: reader.int16(),
        lastTimestampMs: reader.safeInt64(),
        batches: [],
      };
      const batchCount = reader.uint8();
      for (let b = 0; b < batchCount; b++) {
        producer.batches.push({
          firstSequence: reader.int32(),
          lastSequence: reader.int32(),
          baseOffset: reader.safeInt64(),
        });
      }
      table.#open().set(id, producer);
    }
    return table;
  }

  #getOrAdd(producerId: number, epoch: number, timestampMs: number): Producer {
    let producer = this.#producers.get(producerId);
    if (producer === undefined) {
      if (this.#producers.size >= limits.producersPerPartitionMax) this.#forgetOldest();
      producer = { epoch, lastTimestampMs: timestampMs, batches: [] };
      this.#open().set(producerId, producer);
    }
    return producer;
  }

  #open(): Map<number, Producer> {
    if (this.#producers === none) this.#producers = new Map();
    return this.#producers;
  }

  #forgetOldest(): void {
    let oldestId = -1;
    let oldestMs = Number.POSITIVE_INFINITY;
    for (const [id, producer] of this.#producers) {
      if (producer.lastTimestampMs < oldestMs) {
        oldestMs = producer.lastTimestampMs;
        oldestId = id;
      }
    }
    this.#producers.delete(oldestId);
  }
}
