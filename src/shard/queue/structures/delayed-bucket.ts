import { ProtocolError } from '../../../base/index.ts';
import type { ByteReader, ByteWriter } from '../../../bytes/index.ts';
import type { ChunkPool } from './chunk-pool.ts';
import { DelayedEntries } from './delayed-entries.ts';

/** What all buckets of a set share. */
export interface DelayedMemory {
  current: ChunkPool;
  /** One entry is put together here. */
  scratch: Uint8Array;
}

const none = -1;
const entryBytesMax = 48;
const nothing = new Uint8Array(0);

/**
 * A stretch of time and the messages that come due in it, in the order in which they were added, each in a few bytes of
 * a chain of chunks. An entry, all unsigned varints:
 *
 * - twice the difference to the offset before (zigzag), plus 1 when there are further facts
 * - the difference of the due time to the bucket's base (zigzag)
 * - body bytes
 * - only with further facts: rank, deliveries, failures
 *
 * No entry goes over the end of a chunk. The one that was read last is left in `offset`, `dueMs` and so on.
 */
export class DelayedBucket {
  /** Messages that are due before it are in another bucket. */
  startMs: number;
  count = 0;
  minMs = Number.POSITIVE_INFINITY;
  maxMs = Number.NEGATIVE_INFINITY;
  /** Whether its messages stand in order of their due time. */
  isSorted = true;

  offset = 0;
  dueMs = 0;
  bodyBytes = 0;
  rank = 0;
  deliveries = 0;
  failures = 0;

  readonly #pool: DelayedMemory;
  #baseMs = 0;
  #first = none;
  #last = none;
  /** Where the first entry begins in its chunk, and the offset that it counts from. */
  #head = 0;
  #headOffset = 0;
  #lastOffset = 0;
  /** Where the walk is. */
  #chunk = none;
  #at = 0;
  #before = 0;
  #memory: Uint8Array = nothing;
  #position = 0;

  constructor(startMs: number, pool: DelayedMemory) {
    this.startMs = startMs;
    this.#pool = pool;
  }

  append(
    offset: number,
    dueMs: number,
    bodyBytes: number,
    rank: number,
    deliveries: number,
    failures: number,
  ): void {
    const { current: pool, scratch } = this.#pool;
    if (this.#first === none) this.#begin(dueMs, offset);
    const hasMore = rank + deliveries + failures > 0;
    let end = writeVarint(scratch, 0, zigzag(offset - this.#lastOffset) * 2 + (hasMore ? 1 : 0));
    end = writeVarint(scratch, end, zigzag(dueMs - this.#baseMs));
    end = writeVarint(scratch, end, bodyBytes);
    if (hasMore) {
      end = writeVarint(scratch, end, rank);
      end = writeVarint(scratch, end, deliveries);
      end = writeVarint(scratch, end, failures);
    }
    let fill = pool.fill(this.#last);
    if (fill + end > pool.chunkBytes) {
      const chunk = pool.allocate();
      pool.link(this.#last, chunk);
      this.#last = chunk;
      fill = 0;
    }
    const memory = pool.memory(this.#last);
    const start = pool.start(this.#last) + fill;
    for (let at = 0; at < end; at++) memory[start + at] = scratch[at]!;
    pool.setFill(this.#last, fill + end);
    if (dueMs < this.maxMs) this.isSorted = false;
    this.count++;
    this.#lastOffset = offset;
    this.minMs = Math.min(this.minMs, dueMs);
    this.maxMs = Math.max(this.maxMs, dueMs);
  }

  /** Begins a walk; `next()` reads the first entry then. */
  rewind(): void {
    this.#chunk = this.#first;
    this.#at = this.#head;
    this.#before = this.#headOffset;
  }

  /** Reads the entry that follows; there must be one. */
  next(): void {
    const { current: pool } = this.#pool;
    if (this.#at === pool.fill(this.#chunk)) {
      this.#chunk = pool.next(this.#chunk);
      this.#at = 0;
    }
    this.#memory = pool.memory(this.#chunk);
    const start = pool.start(this.#chunk);
    this.#position = start + this.#at;
    const delta = this.#readVarint();
    const hasMore = delta % 2 === 1;
    this.offset = this.#before + unzigzag((delta - (hasMore ? 1 : 0)) / 2);
    this.dueMs = this.#baseMs + unzigzag(this.#readVarint());
    this.bodyBytes = this.#readVarint();
    this.rank = hasMore ? this.#readVarint() : 0;
    this.deliveries = hasMore ? this.#readVarint() : 0;
    this.failures = hasMore ? this.#readVarint() : 0;
    this.#before = this.offset;
    this.#at = this.#position - start;
  }

  /** Drops everything before the place that the walk has reached, `passed` entries; the bucket is sorted. */
  dropPassed(passed: number): void {
    const { current: pool } = this.#pool;
    this.count -= passed;
    if (this.count === 0) {
      this.clear();
      return;
    }
    this.#head = this.#at;
    this.#headOffset = this.#before;
    while (this.#first !== this.#chunk) this.#first = pool.release(this.#first);
    this.rewind();
    this.next();
    this.minMs = this.dueMs;
  }

  decode(): DelayedEntries {
    const entries = new DelayedEntries(this.count);
    this.rewind();
    for (let at = 0; at < this.count; at++) {
      this.next();
      entries.offsets[at] = this.offset;
      entries.dues[at] = this.dueMs;
      entries.bodies[at] = this.bodyBytes;
      entries.ranks[at] = this.rank;
      entries.deliveries[at] = this.deliveries;
      entries.failures[at] = this.failures;
    }
    entries.count = this.count;
    return entries;
  }

  /** Appends one of decoded entries. */
  appendFrom(entries: DelayedEntries, at: number): void {
    this.append(
      entries.offsets[at]!,
      entries.dues[at]!,
      entries.bodies[at]!,
      entries.ranks[at]!,
      entries.deliveries[at]!,
      entries.failures[at]!,
    );
  }

  sort(): void {
    if (this.isSorted) return;
    const entries = this.decode();
    this.clear();
    for (const at of entries.order()) this.appendFrom(entries, at);
  }

  clear(): void {
    if (this.#first !== none) this.#pool.current.releaseChain(this.#first);
    this.#first = none;
    this.#last = none;
    this.#head = 0;
    this.count = 0;
    this.minMs = Number.POSITIVE_INFINITY;
    this.maxMs = Number.NEGATIVE_INFINITY;
    this.isSorted = true;
  }

  /** Moves its chain to another pool, which becomes the current one when all buckets have moved. */
  moveTo(target: ChunkPool): void {
    const { current: pool } = this.#pool;
    let last = none;
    for (let chunk = this.#first; chunk !== none; chunk = pool.next(chunk)) {
      const copy = target.allocate();
      const start = pool.start(chunk);
      const fill = pool.fill(chunk);
      target.memory(copy).set(pool.memory(chunk).subarray(start, start + fill), target.start(copy));
      target.setFill(copy, fill);
      if (last === none) this.#first = copy;
      else target.link(last, copy);
      last = copy;
    }
    this.#last = last;
  }

  /**
   * varlong start; unsigned varint count; varlongs base, least and greatest due time, offset that the first entry counts
   * from, offset of the last; u8 1 when sorted; then per chunk an unsigned varint of its bytes and the bytes; a 0.
   */
  encodeTo(writer: ByteWriter): void {
    const { current: pool } = this.#pool;
    writer.varlong(this.startMs);
    writer.unsignedVarint(this.count);
    writer.varlong(this.#baseMs);
    writer.varlong(this.minMs);
    writer.varlong(this.maxMs);
    writer.varlong(this.#headOffset);
    writer.varlong(this.#lastOffset);
    writer.uint8(this.isSorted ? 1 : 0);
    let from = this.#head;
    for (let chunk = this.#first; chunk !== none; chunk = pool.next(chunk)) {
      const fill = pool.fill(chunk);
      const start = pool.start(chunk);
      if (fill > from) {
        writer.unsignedVarint(fill - from);
        writer.bytes(pool.memory(chunk).subarray(start + from, start + fill));
      }
      from = 0;
    }
    writer.unsignedVarint(0);
  }

  static decodeFrom(reader: ByteReader, owner: DelayedMemory): DelayedBucket {
    const { current: pool } = owner;
    const bucket = new DelayedBucket(reader.varlong(), owner);
    bucket.count = reader.unsignedVarint();
    bucket.#baseMs = reader.varlong();
    bucket.minMs = reader.varlong();
    bucket.maxMs = reader.varlong();
    bucket.#headOffset = reader.varlong();
    bucket.#lastOffset = reader.varlong();
    bucket.isSorted = reader.uint8() === 1;
    for (let length = reader.unsignedVarint(); length > 0; length = reader.unsignedVarint()) {
      if (length > pool.chunkBytes) throw new ProtocolError('Too many bytes of delayed messages');
      const chunk = pool.allocate();
      pool.memory(chunk).set(reader.bytes(length), pool.start(chunk));
      pool.setFill(chunk, length);
      if (bucket.#first === none) bucket.#first = chunk;
      else pool.link(bucket.#last, chunk);
      bucket.#last = chunk;
    }
    return bucket;
  }

  #readVarint(): number {
    const memory = this.#memory;
    // `!`: entries were written by `append`, or came with a checksum.
    let byte = memory[this.#position++]!;
    let value = byte & 0x7f;
    for (let scale = 128; byte > 0x7f; scale *= 128) {
      byte = memory[this.#position++]!;
      value += (byte & 0x7f) * scale;
    }
    return value;
  }

  #begin(dueMs: number, offset: number): void {
    this.#first = this.#pool.current.allocate();
    this.#last = this.#first;
    this.#head = 0;
    this.#baseMs = dueMs;
    this.#headOffset = offset;
    this.#lastOffset = offset;
  }
}

export function newDelayedScratch(): Uint8Array {
  return new Uint8Array(entryBytesMax);
}

function zigzag(value: number): number {
  return value < 0 ? -value * 2 - 1 : value * 2;
}

function unzigzag(value: number): number {
  return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
}

function writeVarint(bytes: Uint8Array, from: number, value: number): number {
  let at = from;
  let rest = value;
  while (rest > 0x7fffffff) {
    bytes[at++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  while (rest > 0x7f) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[at++] = rest;
  return at;
}
