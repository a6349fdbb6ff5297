import { assert, ProtocolError } from '../../../base/index.ts';
import type { ByteReader, ByteWriter } from '../../../bytes/index.ts';
import { ChunkPool } from './chunk-pool.ts';
import { DelayedBucket, type DelayedMemory, newDelayedScratch } from './delayed-bucket.ts';

/** A bucket with more messages than this, not all due at the same time, is split. */
const bucketMax = 1024;
/** Neighbours that messages were removed from become one bucket again when they are smaller than this. */
const bucketMin = 128;
const chunkBytes = 256;
/** The first bucket takes whatever is due before the others. */
const beginning = -Number.MAX_SAFE_INTEGER;
const valueMax = 2 ** 48;

type Visit = (
  offset: number,
  dueMs: number,
  bodyBytes: number,
  rank: number,
  deliveries: number,
  failures: number,
) => void;

/**
 * Messages that wait for their time, about 7 bytes each: buckets by due time, as the leaves of a B-tree would be, so
 * that they are as wide as what is in them is sparse. A bucket takes messages in any order; it is sorted once when its
 * time comes.
 */
export class DelayedSet {
  #count = 0;
  #bytes = 0;
  /** By time. */
  #buckets: DelayedBucket[] = [];
  /** Buckets at the beginning of `#buckets` that are empty and no longer used. */
  #passed = 0;
  #pool: DelayedMemory | undefined;

  get count(): number {
    return this.#count;
  }

  /** Body bytes of all messages. */
  get bytes(): number {
    return this.#bytes;
  }

  get memoryBytes(): number {
    return (
      64 + (this.#buckets.length - this.#passed) * 300 + (this.#pool?.current.memoryBytes ?? 0)
    );
  }

  /** Adds a message that is not in the set. Times are whole milliseconds from 0 on. */
  add(
    offset: number,
    dueMs: number,
    bodyBytes: number,
    rank: number,
    deliveries: number,
    failures: number,
  ): void {
    const isValid = Number.isSafeInteger(dueMs) && dueMs >= 0 && offset >= 0 && offset < valueMax;
    assert(isValid, 'a message cannot be delayed');
    const bucket = this.#bucketFor(Math.min(dueMs, valueMax));
    bucket.append(offset, Math.min(dueMs, valueMax), bodyBytes, rank, deliveries, failures);
    this.#count++;
    this.#bytes += bodyBytes;
  }

  /** Infinity when nothing waits. */
  nextDueMs(): number {
    return this.#count === 0 ? Number.POSITIVE_INFINITY : this.#buckets[this.#passed]!.minMs;
  }

  /**
   * Takes out what is due at `nowMs` or earlier, by due time (those of one time in the order in which they were added), at
   * most `max`; returns how many. The set must not change in a visit.
   */
  takeDue(nowMs: number, max: number, visit: Visit): number {
    let taken = 0;
    while (taken < max && this.nextDueMs() <= nowMs) {
      const bucket = this.#buckets[this.#passed]!;
      bucket.sort();
      bucket.rewind();
      let passed = 0;
      const most = Math.min(bucket.count, max - taken);
      // What follows a message of the last due time is known without being read.
      const isWhole = bucket.maxMs <= nowMs;
      const dueCount = isWhole ? most : countDue(bucket, nowMs, most);
      bucket.rewind();
      for (; passed < dueCount; passed++) {
        bucket.next();
        this.#bytes -= bucket.bodyBytes;
        visit(
          bucket.offset,
          bucket.dueMs,
          bucket.bodyBytes,
          bucket.rank,
          bucket.deliveries,
          bucket.failures,
        );
      }
      taken += passed;
      this.#count -= passed;
      bucket.dropPassed(passed);
      if (bucket.count === 0) this.#dropBucket(this.#passed);
    }
    if (taken > 0) this.#shrink();
    return taken;
  }

  /**
   * Removes a message that is due at `dueMs`; false when it is not in the set. Takes time for each message of its bucket,
   * unless it is the one that is due first: for a great many, `retain` is better.
   */
  remove(offset: number, dueMs: number): boolean {
    if (this.#count === 0) return false;
    const index = this.#search(Math.min(dueMs, valueMax));
    const bucket = this.#buckets[index]!;
    bucket.rewind();
    for (let at = 0; at < bucket.count; at++) {
      bucket.next();
      if (bucket.offset !== offset) continue;
      if (bucket.dueMs !== Math.min(dueMs, valueMax)) return false;
      this.#bytes -= bucket.bodyBytes;
      this.#count--;
      if (at === 0 && bucket.isSorted) bucket.dropPassed(1);
      else removeAt(bucket, at);
      if (bucket.count === 0) this.#dropBucket(index);
      else this.#merge(index);
      this.#shrink();
      return true;
    }
    return false;
  }

  /** Removes all messages that `keep` is false for, in one pass; returns how many. */
  retain(keep: (offset: number, dueMs: number) => boolean): number {
    const before = this.#count;
    for (let index = this.#buckets.length - 1; index >= this.#passed; index--) {
      const bucket = this.#buckets[index]!;
      const entries = bucket.decode();
      let kept = 0;
      for (let at = 0; at < entries.count; at++) {
        if (keep(entries.offsets[at]!, entries.dues[at]!)) kept++;
        // Marked, so that `keep` is asked once.
        else entries.offsets[at] = -1;
      }
      if (kept === entries.count) continue;
      bucket.clear();
      for (let at = 0; at < entries.count; at++) {
        if (entries.offsets[at] !== -1) bucket.appendFrom(entries, at);
        else this.#bytes -= entries.bodies[at]!;
      }
      this.#count -= entries.count - kept;
      if (bucket.count === 0) this.#dropBucket(index);
      else this.#merge(index);
    }
    this.#shrink();
    return before - this.#count;
  }

  /** Visits all messages, by due time only from bucket to bucket. The set must not change meanwhile. */
  forEach(visit: Visit): void {
    for (let index = this.#passed; index < this.#buckets.length; index++) {
      const bucket = this.#buckets[index]!;
      bucket.rewind();
      for (let at = 0; at < bucket.count; at++) {
        bucket.next();
        visit(
          bucket.offset,
          bucket.dueMs,
          bucket.bodyBytes,
          bucket.rank,
          bucket.deliveries,
          bucket.failures,
        );
      }
    }
  }

  clear(): void {
    this.#buckets = [];
    this.#passed = 0;
    this.#pool = undefined;
    this.#count = 0;
    this.#bytes = 0;
  }

  /** Gives back memory that is not used; for a queue that has nothing to do. */
  trim(): void {
    if (this.#count === 0) this.clear();
  }

  /** unsigned varint count of buckets; varlong body bytes of all; the buckets, see there. */
  encodeTo(writer: ByteWriter): void {
    writer.unsignedVarint(this.#buckets.length - this.#passed);
    if (this.#count === 0) return;
    writer.varlong(this.#bytes);
    // Growing by doubling would move many megabytes several times.
    if (this.#pool !== undefined) writer.ensure(this.#pool.current.used * (chunkBytes + 2));
    for (let index = this.#passed; index < this.#buckets.length; index++)
      this.#buckets[index]!.encodeTo(writer);
  }

  static decode(reader: ByteReader): DelayedSet {
    const set = new DelayedSet();
    let count = reader.unsignedVarint();
    if (count === 0) return set;
    set.#bytes = reader.varlong();
    const pool = set.#openPool();
    for (; count > 0; count--) {
      const bucket = DelayedBucket.decodeFrom(reader, pool);
      const last = set.#buckets.at(-1);
      if (bucket.count === 0 || (last !== undefined && last.startMs >= bucket.startMs))
        throw new ProtocolError('Delayed messages are not in order');
      set.#buckets.push(bucket);
      set.#count += bucket.count;
    }
    return set;
  }

  #openPool(): DelayedMemory {
    this.#pool ??= { current: new ChunkPool(chunkBytes), scratch: newDelayedScratch() };
    return this.#pool;
  }

  /** The last bucket that begins at or before the time. */
  #search(dueMs: number): number {
    const buckets = this.#buckets;
    let low = this.#passed;
    let high = buckets.length - 1;
    if (buckets[high]!.startMs <= dueMs) return high;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (buckets[middle]!.startMs <= dueMs) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #bucketFor(dueMs: number): DelayedBucket {
    const pool = this.#openPool();
    if (this.#count === 0) {
      this.#buckets = [new DelayedBucket(beginning, pool)];
      this.#passed = 0;
      return this.#buckets[0]!;
    }
    for (;;) {
      const index = this.#search(dueMs);
      const bucket = this.#buckets[index]!;
      if (bucket.count < bucketMax || (bucket.minMs === dueMs && bucket.maxMs === dueMs))
        return bucket;
      if (dueMs > bucket.maxMs) {
        // Times that only rise leave full buckets behind.
        const next = new DelayedBucket(dueMs, pool);
        this.#buckets.splice(index + 1, 0, next);
        return next;
      }
      if (dueMs < bucket.minMs) {
        const previous = new DelayedBucket(bucket.startMs, pool);
        bucket.startMs = bucket.minMs;
        this.#buckets.splice(index, 0, previous);
        return previous;
      }
      this.#split(index);
    }
  }

  #split(index: number): void {
    const bucket = this.#buckets[index]!;
    const entries = bucket.decode();
    const middleMs = entries.middleDueMs();
    const upper = new DelayedBucket(middleMs, this.#openPool());
    bucket.clear();
    for (let at = 0; at < entries.count; at++)
      (entries.dues[at]! < middleMs ? bucket : upper).appendFrom(entries, at);
    this.#buckets.splice(index + 1, 0, upper);
  }

  /** Puts the next bucket's messages into this one, when both are small. */
  #merge(index: number): void {
    const bucket = this.#buckets[index]!;
    const next = this.#buckets[index + 1];
    if (next === undefined || bucket.count >= bucketMin || next.count >= bucketMin) return;
    const entries = next.decode();
    next.clear();
    for (let at = 0; at < entries.count; at++) bucket.appendFrom(entries, at);
    this.#buckets.splice(index + 1, 1);
  }

  /** Takes an empty bucket out; its time falls to the one before or, at the beginning, to the one behind. */
  #dropBucket(index: number): void {
    if (index > this.#passed) {
      this.#buckets.splice(index, 1);
      return;
    }
    this.#passed++;
    const first = this.#buckets[this.#passed];
    if (first !== undefined) first.startMs = beginning;
    if (this.#passed > 32 && this.#passed * 2 > this.#buckets.length) {
      this.#buckets.splice(0, this.#passed);
      this.#passed = 0;
    }
  }

  /** Gives memory back when most of it is not used any more. */
  #shrink(): void {
    const pool = this.#pool;
    if (pool === undefined || !pool.current.isSparse) return;
    const target = new ChunkPool(chunkBytes);
    for (let index = this.#passed; index < this.#buckets.length; index++)
      this.#buckets[index]!.moveTo(target);
    pool.current = target;
  }
}

/** How many of the first `most` messages of a sorted bucket are due. */
function countDue(bucket: DelayedBucket, nowMs: number, most: number): number {
  for (let count = 0; count < most; count++) {
    bucket.next();
    if (bucket.dueMs > nowMs) return count;
  }
  return most;
}

function removeAt(bucket: DelayedBucket, removed: number): void {
  const entries = bucket.decode();
  bucket.clear();
  for (let at = 0; at < entries.count; at++) if (at !== removed) bucket.appendFrom(entries, at);
}
