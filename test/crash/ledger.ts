import assert from 'node:assert/strict';

/** What one producer sent to one partition, and what it was told. */
export interface ProducerLedger {
  readonly name: string;
  readonly topic: string;
  readonly partition: number;
  /** Every record is there once and in order, also those that were sent again. */
  readonly isIdempotent: boolean;
  /** Records sent so far; they are numbered from 0. */
  sentCount: number;
  /** The acknowledged offset of each record; -1: its fate is unknown. */
  readonly ackedOffsets: number[];
}

/** A record as it was read. */
export interface StoredRecord {
  offset: number;
  /** `producer:number`, then padding. */
  value: string;
}

/** Remembers everything that the broker promised, and compares it with what the broker has. */
export class Ledger {
  readonly #producers = new Map<string, ProducerLedger>();

  open(name: string, topic: string, partition: number, isIdempotent: boolean): ProducerLedger {
    const producer: ProducerLedger = {
      name,
      topic,
      partition,
      isIdempotent,
      sentCount: 0,
      ackedOffsets: [],
    };
    this.#producers.set(name, producer);
    return producer;
  }

  get ackedCount(): number {
    let count = 0;
    for (const { ackedOffsets } of this.#producers.values()) {
      for (const offset of ackedOffsets) if (offset >= 0) count++;
    }
    return count;
  }

  /** The offset behind the last acknowledged record. */
  ackedEnd(topic: string, partition: number): number {
    let end = 0;
    for (const producer of this.#producers.values()) {
      if (producer.topic !== topic || producer.partition !== partition) continue;
      for (const offset of producer.ackedOffsets) end = Math.max(end, offset + 1);
    }
    return end;
  }

  /**
   * Compares a partition's records, from its start on, with all that was acknowledged below `ackedEnd`: what it was
   * before the records were read.
   */
  check(
    topic: string,
    partition: number,
    startOffset: number,
    ackedEnd: number,
    records: readonly StoredRecord[],
  ): void {
    const where = `${topic}-${partition}`;
    const seen = new Map<string, number>();
    const found = new Map<string, Set<number>>();
    let expectedOffset = startOffset;
    for (const { offset, value } of records) {
      assert.equal(offset, expectedOffset, `${where}: offsets have no gaps`);
      expectedOffset++;
      const [name = '', text = ''] = value.split(':', 2);
      const number = Number.parseInt(text, 10);
      const producer = this.#producers.get(name);
      const what = `${where} at ${offset}: record ${number} of ${name}`;
      assert.ok(producer !== undefined && producer.topic === topic, `${what} was never sent`);
      assert.equal(producer.partition, partition, `${what} belongs to another partition`);
      assert.ok(number < producer.sentCount, `${what} was never sent`);
      const before = seen.get(name);
      if (before === undefined) found.set(name, new Set());
      else assert.ok(number > before, `${what} stands behind record ${before}`);
      if (producer.isIdempotent && (before !== undefined || startOffset === 0)) {
        assert.equal(number, (before ?? -1) + 1, `${what} follows record ${before}`);
      }
      seen.set(name, number);
      found.get(name)?.add(number);
      const acked = producer.ackedOffsets[number] ?? -1;
      if (acked >= 0) assert.equal(offset, acked, `${what} was acknowledged elsewhere`);
    }
    for (const producer of this.#producers.values()) {
      if (producer.topic !== topic || producer.partition !== partition) continue;
      const there = found.get(producer.name);
      for (const [number, offset] of producer.ackedOffsets.entries()) {
        if (offset < startOffset || offset >= ackedEnd) continue;
        if (there?.has(number) === true) continue;
        assert.fail(
          `${where}: record ${number} of ${producer.name} was acknowledged at ${offset} and is not there` +
            ` (${startOffset}..${expectedOffset})`,
        );
      }
    }
  }
}

/** A value that the ledger recognises. */
export function recordValue(name: string, number: number, bytes: number): Buffer {
  return Buffer.from(`${name}:${number}:`.padEnd(bytes, '.'));
}
