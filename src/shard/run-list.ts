import { ByteReader, type ByteWriter, crc32c } from '../bytes/index.ts';

/** Numbers of one run: first offset, position (LSN or position in a segment), bytes, greatest timestamp. */
const stride = 4;

/** A run longer than this is not made longer. */
const runBytesMax = 32 * 1024;
/** Bytes of other partitions that a run may include, to be skipped by its readers. */
const gapBytesMax = 4096;

/**
 * The sparse index of one partition in one journal file or segment: where its runs of record batches are. A run is a
 * stretch that holds all batches of the partition between its first offset and the next run's.
 *
 * Stored layout: u32 CRC32C of what follows, then per run i64 first offset, i64 position, u32 bytes, i64 timestamp.
 */
export class RunList {
  #numbers: Float64Array;
  #count = 0;

  constructor(capacity = 2) {
    this.#numbers = new Float64Array(capacity * stride);
  }

  get count(): number {
    return this.#count;
  }

  firstOffset(run: number): number {
    return this.#numbers[run * stride] as number;
  }

  position(run: number): number {
    return this.#numbers[run * stride + 1] as number;
  }

  bytes(run: number): number {
    return this.#numbers[run * stride + 2] as number;
  }

  maxTimestampMs(run: number): number {
    return this.#numbers[run * stride + 3] as number;
  }

  /** Adds a stretch behind all others, as a run of its own or as a part of the last one. */
  add(firstOffset: number, position: number, bytes: number, maxTimestampMs: number): void {
    const last = (this.#count - 1) * stride;
    if (last >= 0) {
      const start = this.#numbers[last + 1] as number;
      const gap = position - (start + (this.#numbers[last + 2] as number));
      const merged = position + bytes - start;
      if (gap <= gapBytesMax && merged <= runBytesMax) {
        this.#numbers[last + 2] = merged;
        this.#numbers[last + 3] = Math.max(this.#numbers[last + 3] as number, maxTimestampMs);
        return;
      }
    }
    const at = this.#count * stride;
    if (at === this.#numbers.length) {
      const larger = new Float64Array(this.#numbers.length * 2);
      larger.set(this.#numbers);
      this.#numbers = larger;
    }
    this.#numbers[at] = firstOffset;
    this.#numbers[at + 1] = position;
    this.#numbers[at + 2] = bytes;
    this.#numbers[at + 3] = maxTimestampMs;
    this.#count += 1;
  }

  /** The last run whose first offset is at most `offset`; 0 when there is none. */
  find(offset: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#numbers[middle * stride] as number) <= offset) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }

  /** The first run, from `from` on, with a record at or after `timestampMs`; -1 when there is none. */
  findByTime(timestampMs: number, from = 0): number {
    for (let run = from; run < this.#count; run++) {
      if ((this.#numbers[run * stride + 3] as number) >= timestampMs) return run;
    }
    return -1;
  }

  encodeTo(writer: ByteWriter): void {
    const start = writer.position;
    writer.uint32(0);
    for (let run = 0; run < this.#count; run++) {
      const at = run * stride;
      writer.safeInt64(this.#numbers[at] as number);
      writer.safeInt64(this.#numbers[at + 1] as number);
      writer.uint32(this.#numbers[at + 2] as number);
      writer.safeInt64(this.#numbers[at + 3] as number);
    }
    writer.patchInt32(start, crc32c(writer.finish().subarray(start + 4)));
  }

  /** Bytes that `encodeTo` writes for `count` runs. */
  static encodedBytes(count: number): number {
    return 4 + count * 28;
  }

  /** Undefined when the bytes are damaged: the index must be built anew. */
  static decode(bytes: Uint8Array, count: number): RunList | undefined {
    if (bytes.length !== RunList.encodedBytes(count)) return undefined;
    const reader = new ByteReader(bytes);
    if (reader.uint32() !== crc32c(bytes.subarray(4))) return undefined;
    const list = new RunList(Math.max(count, 1));
    for (let run = 0; run < count; run++) {
      const at = run * stride;
      list.#numbers[at] = reader.safeInt64();
      list.#numbers[at + 1] = reader.safeInt64();
      list.#numbers[at + 2] = reader.uint32();
      list.#numbers[at + 3] = reader.safeInt64();
    }
    list.#count = count;
    return list;
  }
}
