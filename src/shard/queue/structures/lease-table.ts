import { assert } from '../../../base/index.ts';
import type { ByteReader, ByteWriter } from '../../../bytes/index.ts';
import type { Lease } from '../types.ts';
import { SlotIndex } from './slot-index.ts';

const slotsMin = 16;
/** A lease is its serial number times this, plus its slot. */
const slotsMax = 2 ** 22;
const serialMax = 2 ** 31;
/** Fewer slots than this are kept although they are free. */
const keptSlots = 1024;
const none = -1;

/**
 * The messages that are in consumers' hands: an array for each fact, a slot for each message. Slots never move while
 * their lease lasts. A lease is stale once its slot was removed, however often the slot is used again.
 *
 * It may be changed in the visits of its own walks.
 */
export class LeaseTable {
  #count = 0;
  #bytes = 0;
  #capacity = 0;
  #serial: number;
  /** Slots that were never used begin here. */
  #fresh = 0;
  /** First of the slots that were used and are free, linked by `#next`. */
  #free = none;
  /** Removals lead to an attempt at shrinking when the count has come down to this. */
  #shrinkAt = 0;

  #offsets = new Float64Array(0);
  #deadlines = new Float64Array(0);
  #bodies = new Uint32Array(0);
  #deliveries = new Uint32Array(0);
  #failures = new Uint32Array(0);
  #owners = new Int32Array(0);
  #ranks = new Uint16Array(0);
  /** Serial number of the slot's lease, 0 when it is free. */
  #serials = new Uint32Array(0);
  /** Neighbours among the leases of one owner, the newest first. */
  #next = new Int32Array(0);
  #previous = new Int32Array(0);
  readonly #newest = new Map<number, number>();
  readonly #index = new SlotIndex();

  /** Slots with a deadline as a binary heap, the earliest first, and each slot's place in it. Made for the first one. */
  #heap = new Int32Array(0);
  #heapCount = 0;
  #places = new Int32Array(0);

  /** `serial`: where serial numbers begin, so that leases of a table that was here before are stale. */
  constructor(serial = 0) {
    this.#serial = serial % serialMax;
  }

  get count(): number {
    return this.#count;
  }

  /** Body bytes of all that is leased. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether no further lease can be added. */
  get isFull(): boolean {
    return this.#count >= slotsMax;
  }

  get memoryBytes(): number {
    const perSlot = 8 + 8 + 4 + 4 + 4 + 4 + 2 + 4 + 4 + 4;
    const heap = this.#heap.byteLength + this.#places.byteLength;
    return 256 + this.#capacity * perSlot + heap + this.#index.memoryBytes + this.#newest.size * 40;
  }

  /**
   * Adds a lease on an offset that has none. `deliveries` counts this one; `deadlineMs` -1: none; `owner` is any int32,
   * `rank` less than 65,536.
   */
  add(
    offset: number,
    bodyBytes: number,
    deliveries: number,
    failures: number,
    deadlineMs: number,
    owner: number,
    rank: number,
  ): Lease {
    const slot = this.#take();
    this.#serial = this.#serial + 1 >= serialMax ? 1 : this.#serial + 1;
    this.#offsets[slot] = offset;
    this.#bodies[slot] = bodyBytes;
    this.#deliveries[slot] = deliveries;
    this.#failures[slot] = failures;
    this.#deadlines[slot] = none;
    this.#ranks[slot] = rank;
    this.#serials[slot] = this.#serial;
    this.#link(slot, owner);
    this.#index.add(slot, this.#offsets);
    this.#count++;
    this.#bytes += bodyBytes;
    this.#shrinkAt = this.#count >> 2;
    if (deadlineMs >= 0) this.setDeadline(slot, deadlineMs);
    return this.#serial * slotsMax + slot;
  }

  /** The slot of a lease, or -1 when it is stale. */
  find(lease: Lease): number {
    const slot = lease % slotsMax;
    if (!(slot < this.#capacity)) return none;
    const serial = this.#serials[slot];
    return serial !== 0 && serial === Math.floor(lease / slotsMax) ? slot : none;
  }

  /** The slot of the lease on `offset`, or -1. */
  findByOffset(offset: number): number {
    return this.#index.find(offset, this.#offsets);
  }

  // `!` below: the caller has the slot from this table.

  leaseOf(slot: number): Lease {
    return this.#serials[slot]! * slotsMax + slot;
  }

  offset(slot: number): number {
    return this.#offsets[slot]!;
  }

  bodyBytes(slot: number): number {
    return this.#bodies[slot]!;
  }

  deliveries(slot: number): number {
    return this.#deliveries[slot]!;
  }

  failures(slot: number): number {
    return this.#failures[slot]!;
  }

  /** -1: none. */
  deadlineMs(slot: number): number {
    return this.#deadlines[slot]!;
  }

  owner(slot: number): number {
    return this.#owners[slot]!;
  }

  rank(slot: number): number {
    return this.#ranks[slot]!;
  }

  /** -1: none. */
  setDeadline(slot: number, deadlineMs: number): void {
    const before = this.#deadlines[slot]!;
    this.#deadlines[slot] = deadlineMs;
    if (deadlineMs < 0) {
      if (before >= 0) this.#unheap(slot);
      return;
    }
    if (before < 0) {
      this.#reserveHeap();
      this.#heap[this.#heapCount] = slot;
      this.#places[slot] = this.#heapCount++;
    }
    const place = this.#places[slot]!;
    if (before < 0 || deadlineMs < before) this.#rise(place);
    else this.#sink(place);
  }

  /** Hands a lease to another owner. */
  setOwner(slot: number, owner: number): void {
    if (this.#owners[slot] === owner) return;
    this.#unlink(slot);
    this.#link(slot, owner);
  }

  /** Ends the lease of a slot. */
  remove(slot: number): void {
    assert(this.#serials[slot] !== 0 && slot < this.#capacity, 'a lease is removed twice');
    if (this.#deadlines[slot]! >= 0) this.#unheap(slot);
    this.#index.remove(slot, this.#offsets);
    this.#unlink(slot);
    this.#serials[slot] = 0;
    this.#next[slot] = this.#free;
    this.#free = slot;
    this.#count--;
    this.#bytes -= this.#bodies[slot]!;
    if (this.#count <= this.#shrinkAt && this.#capacity > keptSlots) this.#shrink(keptSlots);
  }

  /** Infinity when no lease has a deadline. */
  nextDeadlineMs(): number {
    return this.#heapCount === 0 ? Number.POSITIVE_INFINITY : this.#deadlines[this.#heap[0]!]!;
  }

  /**
   * Visits the slots whose deadline is `nowMs` or earlier, the earliest first, at most `max`; returns how many. Each
   * has no deadline any more when it is visited: a visit removes it, gives it another, or leaves it without.
   */
  takeExpired(
    nowMs: number,
    visit: (slot: number) => void,
    max = Number.POSITIVE_INFINITY,
  ): number {
    let count = 0;
    while (count < max && this.nextDeadlineMs() <= nowMs) {
      const slot = this.#heap[0]!;
      this.setDeadline(slot, none);
      count++;
      visit(slot);
    }
    return count;
  }

  /** How many leases an owner has; takes time for each. */
  countOf(owner: number): number {
    let count = 0;
    for (let slot = this.#newest.get(owner) ?? none; slot !== none; slot = this.#next[slot]!)
      count++;
    return count;
  }

  /** Visits the slots of an owner by their offset. */
  forEachOf(owner: number, visit: (slot: number) => void): void {
    const slots = new Int32Array(this.countOf(owner));
    let at = slots.length;
    for (let slot = this.#newest.get(owner) ?? none; slot !== none; slot = this.#next[slot]!)
      slots[--at] = slot;
    this.#visitSorted(slots, (slot) => {
      if (this.#owners[slot] === owner) visit(slot);
    });
  }

  /** Visits all slots by their offset. */
  forEach(visit: (slot: number) => void): void {
    const slots = new Int32Array(this.#count);
    let at = 0;
    for (let slot = 0; slot < this.#fresh; slot++)
      if (this.#serials[slot] !== 0) slots[at++] = slot;
    this.#visitSorted(slots, visit);
  }

  clear(): void {
    this.#count = 0;
    this.#bytes = 0;
    this.#fresh = 0;
    this.#free = none;
    this.#heapCount = 0;
    this.#newest.clear();
    this.#index.clear();
    this.#resize(0);
  }

  /** Gives back memory that is not used; for a queue that has nothing to do. */
  trim(): void {
    this.#shrink(0);
  }

  /**
   * unsigned varint count; then per lease, by offset: varlong difference to the offset before (first: to 0), unsigned
   * varints body bytes, deliveries, failures, rank, and varlong deadline. Owners and leases themselves are not stored.
   */
  encodeTo(writer: ByteWriter): void {
    writer.unsignedVarint(this.#count);
    let before = 0;
    this.forEach((slot) => {
      writer.varlong(this.#offsets[slot]! - before);
      before = this.#offsets[slot]!;
      writer.unsignedVarint(this.#bodies[slot]!);
      writer.unsignedVarint(this.#deliveries[slot]!);
      writer.unsignedVarint(this.#failures[slot]!);
      writer.unsignedVarint(this.#ranks[slot]!);
      writer.varlong(this.#deadlines[slot]!);
    });
  }

  /** All leases belong to `owner`. */
  static decode(reader: ByteReader, owner: number, serial = 0): LeaseTable {
    const table = new LeaseTable(serial);
    let offset = 0;
    for (let count = reader.unsignedVarint(); count > 0; count--) {
      offset += reader.varlong();
      const bodyBytes = reader.unsignedVarint();
      const deliveries = reader.unsignedVarint();
      const failures = reader.unsignedVarint();
      const rank = reader.unsignedVarint();
      table.add(offset, bodyBytes, deliveries, failures, reader.varlong(), owner, rank);
    }
    return table;
  }

  /** Calls `visit` for those of the slots that are still leased as they are now. */
  #visitSorted(slots: Int32Array, visit: (slot: number) => void): void {
    const offsets = this.#offsets;
    let isSorted = true;
    for (let at = 1; at < slots.length && isSorted; at++)
      isSorted = offsets[slots[at - 1]!]! < offsets[slots[at]!]!;
    // The offsets alone do not tell the slots, hence the slower sort.
    if (!isSorted) slots.sort((a, b) => offsets[a]! - offsets[b]!);
    const serials = slots.map((slot) => this.#serials[slot]!);
    for (let at = 0; at < slots.length; at++) {
      const slot = slots[at]!;
      if (this.find((serials[at]! >>> 0) * slotsMax + slot) === slot) visit(slot);
    }
  }

  #take(): number {
    if (this.#free !== none) {
      const slot = this.#free;
      this.#free = this.#next[slot]!;
      return slot;
    }
    if (this.#fresh === this.#capacity) {
      assert(this.#capacity < slotsMax, 'more leases than a lease can tell apart');
      this.#resize(Math.max(slotsMin, this.#capacity * 2));
    }
    return this.#fresh++;
  }

  #link(slot: number, owner: number): void {
    const next = this.#newest.get(owner) ?? none;
    this.#owners[slot] = owner;
    this.#next[slot] = next;
    this.#previous[slot] = none;
    if (next !== none) this.#previous[next] = slot;
    this.#newest.set(owner, slot);
  }

  #unlink(slot: number): void {
    const next = this.#next[slot]!;
    const previous = this.#previous[slot]!;
    if (next !== none) this.#previous[next] = previous;
    if (previous !== none) this.#next[previous] = next;
    else if (next !== none) this.#newest.set(this.#owners[slot]!, next);
    else this.#newest.delete(this.#owners[slot]!);
  }

  /** Cuts off free slots at the end, as far as leases that last allow it. */
  #shrink(slotsKept: number): void {
    this.#shrinkAt = this.#count >> 2;
    let used = this.#fresh;
    while (used > 0 && this.#serials[used - 1] === 0) used--;
    let capacity = this.#count === 0 ? slotsKept : Math.max(slotsKept, slotsMin);
    while (capacity < used) capacity *= 2;
    if (capacity >= this.#capacity) return;
    this.#fresh = used;
    this.#free = none;
    for (let slot = used - 1; slot >= 0; slot--) {
      if (this.#serials[slot] !== 0) continue;
      this.#next[slot] = this.#free;
      this.#free = slot;
    }
    this.#resize(capacity);
    this.#index.shrink(this.#offsets);
  }

  #resize(capacity: number): void {
    this.#capacity = capacity;
    this.#offsets = resized(this.#offsets, new Float64Array(capacity));
    this.#deadlines = resized(this.#deadlines, new Float64Array(capacity));
    this.#bodies = resized(this.#bodies, new Uint32Array(capacity));
    this.#deliveries = resized(this.#deliveries, new Uint32Array(capacity));
    this.#failures = resized(this.#failures, new Uint32Array(capacity));
    this.#owners = resized(this.#owners, new Int32Array(capacity));
    this.#ranks = resized(this.#ranks, new Uint16Array(capacity));
    this.#serials = resized(this.#serials, new Uint32Array(capacity));
    this.#next = resized(this.#next, new Int32Array(capacity));
    this.#previous = resized(this.#previous, new Int32Array(capacity));
    const heapLength = this.#heapCount === 0 ? 0 : capacity;
    this.#heap = resized(this.#heap, new Int32Array(heapLength));
    this.#places = resized(this.#places, new Int32Array(heapLength));
  }

  // The heap

  #reserveHeap(): void {
    if (this.#heap.length === this.#capacity) return;
    this.#heap = resized(this.#heap, new Int32Array(this.#capacity));
    this.#places = resized(this.#places, new Int32Array(this.#capacity));
  }

  #unheap(slot: number): void {
    const place = this.#places[slot]!;
    const last = this.#heap[--this.#heapCount]!;
    if (last === slot) return;
    this.#heap[place] = last;
    this.#places[last] = place;
    this.#rise(place);
    this.#sink(this.#places[last]);
  }

  #rise(from: number): void {
    const heap = this.#heap;
    const slot = heap[from]!;
    const deadlineMs = this.#deadlines[slot]!;
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const other = heap[above]!;
      if (this.#deadlines[other]! <= deadlineMs) break;
      heap[place] = other;
      this.#places[other] = place;
      place = above;
    }
    heap[place] = slot;
    this.#places[slot] = place;
  }

  #sink(from: number): void {
    const heap = this.#heap;
    const slot = heap[from]!;
    const deadlineMs = this.#deadlines[slot]!;
    let place = from;
    for (let below = place * 2 + 1; below < this.#heapCount; below = place * 2 + 1) {
      const right = below + 1;
      if (
        right < this.#heapCount &&
        this.#deadlines[heap[right]!]! < this.#deadlines[heap[below]!]!
      )
        below = right;
      const other = heap[below]!;
      if (this.#deadlines[other]! >= deadlineMs) break;
      heap[place] = other;
      this.#places[other] = place;
      place = below;
    }
    heap[place] = slot;
    this.#places[slot] = place;
  }
}

/** `to`, with as much of `from` at its beginning as fits. */
function resized<T extends Float64Array | Uint32Array | Int32Array | Uint16Array>(
  from: T,
  to: T,
): T {
  to.set(from.length > to.length ? from.subarray(0, to.length) : from);
  return to;
}
