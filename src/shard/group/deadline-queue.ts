import type { Clock, Timer } from '../../base/index.ts';

/** A point of monotonic time at which something must be done, unless it is cancelled before. */
export interface Deadline {
  readonly atMs: number;
}

interface Entry extends Deadline {
  readonly callback: () => void;
  /** Entries of one instant fire in the order in which they were scheduled. */
  readonly sequence: number;
  /** Place in the heap; -1 when fired or cancelled. */
  index: number;
}

/**
 * Any number of deadlines over one timer of the clock: a binary heap, O(log n) to schedule and to cancel.
 * Something that is pushed back often (a session) keeps its entry and schedules again when it fires too early.
 */
export class DeadlineQueue {
  readonly #clock: Clock;
  readonly #heap: Entry[] = [];
  #sequence = 0;
  #timer: Timer | undefined;
  #isFiring = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#heap.length;
  }

  schedule(atMs: number, callback: () => void): Deadline {
    const index = this.#heap.length;
    const entry: Entry = { atMs, callback, sequence: this.#sequence++, index };
    this.#heap.push(entry);
    this.#rise(entry);
    if (entry.index === 0) this.#arm();
    return entry;
  }

  /** A no-op for a deadline that has fired or was cancelled. */
  cancel(deadline: Deadline | undefined): void {
    // Only `schedule` makes deadlines, so that every deadline is an entry.
    const entry = deadline as Entry | undefined;
    if (entry === undefined || entry.index < 0) return;
    const wasFirst = entry.index === 0;
    this.#remove(entry);
    if (wasFirst) this.#arm();
  }

  close(): void {
    for (const entry of this.#heap) entry.index = -1;
    this.#heap.length = 0;
    this.#arm();
  }

  #arm(): void {
    if (this.#isFiring) return;
    this.#timer?.cancel();
    const first = this.#heap[0];
    this.#timer =
      first === undefined
        ? undefined
        : this.#clock.setTimer(first.atMs - this.#clock.monotonicMs(), () => this.#fire());
  }

  #fire(): void {
    const nowMs = this.#clock.monotonicMs();
    this.#isFiring = true;
    try {
      for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
        if (first.atMs > nowMs) break;
        this.#remove(first);
        first.callback();
      }
    } finally {
      this.#isFiring = false;
      this.#arm();
    }
  }

  #remove(entry: Entry): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last !== undefined && last !== entry) {
      heap[entry.index] = last;
      last.index = entry.index;
      this.#rise(last);
      this.#sink(last);
    }
    entry.index = -1;
  }

  #rise(entry: Entry): void {
    const heap = this.#heap;
    while (entry.index > 0) {
      const parent = heap[(entry.index - 1) >> 1];
      if (parent === undefined || !isBefore(entry, parent)) return;
      this.#swap(entry, parent);
    }
  }

  #sink(entry: Entry): void {
    const heap = this.#heap;
    for (;;) {
      const left = heap[entry.index * 2 + 1];
      const right = heap[entry.index * 2 + 2];
      const child =
        left !== undefined && right !== undefined && isBefore(right, left) ? right : left;
      if (child === undefined || !isBefore(child, entry)) return;
      this.#swap(child, entry);
    }
  }

  #swap(a: Entry, b: Entry): void {
    const { index } = a;
    a.index = b.index;
    b.index = index;
    this.#heap[a.index] = a;
    this.#heap[b.index] = b;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence);
}
