import { limits, ProtocolError } from '../../../base/index.ts';
import type { ByteReader, ByteWriter } from '../../../bytes/index.ts';

const slotsMin = 16;
const bytesMin = 512;
const none = -1;
/** Times that lie ahead by less are nothing to go through all ids for. */
const clockStepMs = 1000;

export interface DedupBounds {
  idsMax: number;
  bytesMax: number;
}

const defaultBounds: DedupBounds = {
  idsMax: limits.dedupIdsPerQueueMax,
  bytesMax: limits.dedupBytesPerQueueMax,
};

/**
 * Deduplication ids that were seen lately, whole: two different ids are never taken for one. They are kept in the order
 * in which they came, in rings of memory: about 36 bytes and its text for each, with the offset of its message. When there are too many, the oldest
 * is forgotten first.
 */
export class DedupWindow {
  readonly #bounds: DedupBounds;
  /** Differs from process to process, so that nobody can choose ids that collide. */
  readonly #seed: number;
  /** Places in the rings, counted up for ever: `[head, tail)` are in use. */
  #head = 0;
  #tail = 0;
  #forgotten = 0;
  #newestMs = 0;
  #times = new Float64Array(0);
  #hashes = new Uint32Array(0);
  /** Of the messages; −1: not known. */
  #offsets = new Float64Array(0);
  /** Where the id's text begins, counted up for ever; it ends where the next one begins. */
  #starts = new Float64Array(0);
  #end = 0;
  #bytes = Buffer.alloc(0);
  /** Slots by hash, with linear probing, at most half full. */
  #index = new Int32Array(0);
  #scratch: Buffer = Buffer.alloc(0);

  constructor(seed = 0, bounds = defaultBounds) {
    this.#seed = seed;
    this.#bounds = bounds;
  }

  get count(): number {
    return this.#tail - this.#head - this.#forgotten;
  }

  get memoryBytes(): number {
    return 160 + this.#times.length * 28 + this.#index.byteLength + this.#bytes.length;
  }

  /** Whether the id was seen; notes it when it was not. */
  seen(id: string, nowMs: number, offset = -1): boolean {
    const text = this.#encode(id);
    if (this.#find(text, this.#hash(text)) !== none) return true;
    this.#add(text, nowMs, offset);
    return false;
  }

  has(id: string): boolean {
    if (this.count === 0) return false;
    const text = this.#encode(id);
    return this.#find(text, this.#hash(text)) !== none;
  }

  /** Offset of the message with that id, −1 where it is not known; undefined when the id was not seen. */
  offsetOf(id: string): number | undefined {
    if (this.count === 0) return undefined;
    const text = this.#encode(id);
    const slot = this.#find(text, this.#hash(text));
    return slot === none ? undefined : this.#offsets[slot];
  }

  /** Notes an id of a message that was stored at that time: one that is still remembered had run out by then. */
  note(id: string, atMs: number, offset: number): void {
    const text = this.#encode(id);
    const slot = this.#find(text, this.#hash(text));
    if (slot !== none) {
      if (this.#times[slot]! >= atMs) return;
      this.#unindex(slot);
      this.#forgotten++;
    }
    this.#add(text, atMs, offset);
  }

  /** Forgets an id, whose message was not stored after all; false when it is not known. */
  forget(id: string): boolean {
    const text = this.#encode(id);
    const slot = this.#find(text, this.#hash(text));
    if (slot === none) return false;
    this.#unindex(slot);
    this.#forgotten++;
    return true;
  }

  /** Forgets the ids that were seen before `ms`. They are looked at in the order in which they came. */
  expire(ms: number, nowMs = Number.POSITIVE_INFINITY): void {
    if (this.#newestMs > nowMs + clockStepMs) this.#goBack(nowMs);
    while (this.#head < this.#tail && this.#times[this.#slot(this.#head)]! < ms) this.#dropOldest();
    this.#shrink();
  }

  /**
   * The clock was set back: what was seen by the time before counts as seen now. Else it, and all that comes behind it, would be
   * remembered until the clock is there again.
   */
  #goBack(nowMs: number): void {
    for (let place = this.#head; place < this.#tail; place++) {
      const slot = this.#slot(place);
      this.#times[slot] = Math.min(this.#times[slot]!, nowMs);
    }
    this.#newestMs = nowMs;
  }

  clear(): void {
    this.#newestMs = 0;
    this.#head = 0;
    this.#tail = 0;
    this.#end = 0;
    this.#forgotten = 0;
    this.#resize(0);
    this.#bytes = Buffer.alloc(0);
  }

  /**
   * unsigned varint count; per id in order: varlong difference of its time to the one before, varlong offset, unsigned varint
   * length, text.
   */
  encodeTo(writer: ByteWriter): void {
    writer.unsignedVarint(this.count);
    let before = 0;
    for (let place = this.#head; place < this.#tail; place++) {
      const slot = this.#slot(place);
      if (this.#isForgotten(slot)) continue;
      const atMs = Math.floor(this.#times[slot]!);
      writer.varlong(atMs - before);
      before = atMs;
      writer.varlong(this.#offsets[slot]!);
      const start = this.#starts[slot]!;
      const length = this.#lengthAt(place);
      writer.unsignedVarint(length);
      for (let at = 0; at < length; at++)
        writer.uint8(this.#bytes[(start + at) % this.#bytes.length]!);
    }
  }

  /** `hasOffsets`: false for what was written before offsets were kept. */
  static decode(
    reader: ByteReader,
    seed = 0,
    hasOffsets = true,
    bounds = defaultBounds,
  ): DedupWindow {
    const window = new DedupWindow(seed, bounds);
    let atMs = 0;
    for (let count = reader.unsignedVarint(); count > 0; count--) {
      atMs += reader.varlong();
      const offset = hasOffsets ? reader.varlong() : -1;
      const text = reader.bytes(reader.unsignedVarint());
      if (window.#find(text, window.#hash(text)) !== none)
        throw new ProtocolError('A deduplication id is stored twice');
      window.#add(text, atMs, offset);
    }
    return window;
  }

  #add(text: Uint8Array, atMs: number, offset: number): void {
    const { idsMax, bytesMax } = this.#bounds;
    if (text.length > bytesMax) return;
    while (this.#tail - this.#head >= idsMax) this.#dropOldest();
    while (this.#head < this.#tail && this.#usedBytes() + text.length > bytesMax)
      this.#dropOldest();
    if (this.#tail - this.#head === this.#times.length)
      this.#resize(Math.max(slotsMin, this.#times.length * 2));
    this.#reserve(this.#usedBytes() + text.length);
    const slot = this.#slot(this.#tail++);
    this.#times[slot] = atMs;
    this.#newestMs = Math.max(this.#newestMs, atMs);
    this.#offsets[slot] = offset;
    this.#hashes[slot] = this.#hash(text);
    this.#starts[slot] = this.#end;
    const from = this.#end % this.#bytes.length;
    const whole = Math.min(text.length, this.#bytes.length - from);
    this.#bytes.set(text.subarray(0, whole), from);
    this.#bytes.set(text.subarray(whole), 0);
    this.#end += text.length;
    insert(this.#index, slot, this.#hashes[slot]);
  }

  #usedBytes(): number {
    return this.#head === this.#tail ? 0 : this.#end - this.#starts[this.#slot(this.#head)]!;
  }

  #dropOldest(): void {
    const slot = this.#slot(this.#head);
    if (this.#isForgotten(slot)) this.#forgotten--;
    else this.#unindex(slot);
    this.#head++;
  }

  #slot(place: number): number {
    return place % this.#times.length;
  }

  #lengthAt(place: number): number {
    const end = place + 1 === this.#tail ? this.#end : this.#starts[this.#slot(place + 1)]!;
    return end - this.#starts[this.#slot(place)]!;
  }

  /** The id in memory that the next call uses again. */
  #encode(id: string): Buffer {
    if (id.length * 3 > this.#scratch.length) this.#scratch = Buffer.alloc(id.length * 3 + 64);
    return this.#scratch.subarray(0, this.#scratch.write(id, 'utf8'));
  }

  #hash(text: Uint8Array): number {
    let mixed = this.#seed ^ text.length;
    for (let at = 0; at < text.length; at++) {
      mixed = Math.imul(mixed ^ text[at]!, 0x5bd1e995);
      mixed ^= mixed >>> 15;
    }
    return mixed >>> 0;
  }

  #find(text: Uint8Array, hash: number): number {
    const index = this.#index;
    if (index.length === 0) return none;
    const mask = index.length - 1;
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      const slot = index[place]!;
      if (slot === none) return none;
      if (this.#hashes[slot] === hash && this.#isTextOf(slot, text)) return slot;
    }
  }

  #isTextOf(slot: number, text: Uint8Array): boolean {
    // The place of a slot: the rings are no longer than what is in use.
    const ahead = (slot - this.#slot(this.#head) + this.#times.length) % this.#times.length;
    if (this.#lengthAt(this.#head + ahead) !== text.length) return false;
    const start = this.#starts[slot]!;
    for (let at = 0; at < text.length; at++)
      if (this.#bytes[(start + at) % this.#bytes.length] !== text[at]) return false;
    return true;
  }

  #isForgotten(slot: number): boolean {
    const mask = this.#index.length - 1;
    for (let place = this.#hashes[slot]! & mask; ; place = (place + 1) & mask) {
      if (this.#index[place] === slot) return false;
      if (this.#index[place] === none) return true;
    }
  }

  #unindex(slot: number): void {
    const index = this.#index;
    const mask = index.length - 1;
    let hole = this.#hashes[slot]! & mask;
    while (index[hole] !== slot) hole = (hole + 1) & mask;
    // What follows moves up, unless it would get before its own place.
    for (let next = (hole + 1) & mask; index[next] !== none; next = (next + 1) & mask) {
      const home = this.#hashes[index[next]!]! & mask;
      if (((next - home) & mask) < ((next - hole) & mask)) continue;
      index[hole] = index[next]!;
      hole = next;
    }
    index[hole] = none;
  }

  #shrink(): void {
    if (this.#head === this.#tail && this.#times.length > 0) {
      this.clear();
      return;
    }
    const used = this.#tail - this.#head;
    if (this.#times.length > 1024 && used * 8 < this.#times.length)
      this.#resize(this.#times.length / 4);
    if (this.#bytes.length > 65_536 && this.#usedBytes() * 8 < this.#bytes.length)
      this.#moveBytes(this.#bytes.length / 4);
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#bytes.length) return;
    let length = Math.max(bytesMin, this.#bytes.length);
    while (length < bytes) length *= 2;
    this.#moveBytes(length);
  }

  /** Starts count on as they are: they are taken modulo the new length. */
  #moveBytes(length: number): void {
    const before = this.#bytes;
    const moved = Buffer.alloc(length);
    for (let at = this.#end - this.#usedBytes(); at < this.#end; at++)
      moved[at % length] = before[at % before.length]!;
    this.#bytes = moved;
  }

  #resize(capacity: number): void {
    const times = new Float64Array(capacity);
    const hashes = new Uint32Array(capacity);
    const offsets = new Float64Array(capacity);
    const starts = new Float64Array(capacity);
    const index = new Int32Array(capacity * 2).fill(none);
    for (let place = this.#head; place < this.#tail; place++) {
      const from = this.#slot(place);
      const to = place % capacity;
      times[to] = this.#times[from]!;
      hashes[to] = this.#hashes[from]!;
      offsets[to] = this.#offsets[from]!;
      starts[to] = this.#starts[from]!;
      if (!this.#isForgotten(from)) insert(index, to, hashes[to]);
    }
    this.#times = times;
    this.#hashes = hashes;
    this.#offsets = offsets;
    this.#starts = starts;
    this.#index = index;
  }
}

function insert(index: Int32Array, slot: number, hash: number): void {
  const mask = index.length - 1;
  let place = hash & mask;
  while (index[place] !== none) place = (place + 1) & mask;
  index[place] = slot;
}
