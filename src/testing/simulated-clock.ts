import type { Clock, Timer } from '../base/index.ts';

/** 2026-01-01T00:00:00Z. */
const startMs = 1_767_225_600_000;

interface Event {
  atMs: number;
  sequence: number;
  callback: (() => void) | undefined;
}

/**
 * Virtual time: it stands still until somebody runs it, then moves from event to event. Events of one instant fire in
 * the order in which they were set; all promise reactions of one event run before the next event.
 */
export class SimulatedClock implements Clock {
  /** A binary heap by time, then by sequence. */
  readonly #heap: Event[] = [];
  #monotonicMs = 0;
  #wallOffsetMs: number;
  #sequence = 0;
  #firedCount = 0;

  constructor(wallStartMs = startMs) {
    this.#wallOffsetMs = wallStartMs;
  }

  nowMs(): number {
    return Math.floor(this.#wallOffsetMs + this.#monotonicMs);
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const event: Event = {
      atMs: this.#monotonicMs + Math.max(delayMs, 0),
      sequence: this.#sequence++,
      callback,
    };
    this.#push(event);
    return {
      cancel: () => {
        event.callback = undefined;
      },
    };
  }

  /** Fires in its turn among the events of this instant: behind those that are waiting already. */
  setAfterIo(callback: () => void): void {
    this.setTimer(0, callback);
  }

  /** Events that have fired so far. */
  get firedCount(): number {
    return this.#firedCount;
  }

  /** Moves the wall clock, as an administrator or a time service may; timers and the monotonic time do not notice. */
  jumpWallClock(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** Fires the next event, moving the time to it; false when there is none. */
  async runNext(): Promise<boolean> {
    await drainReactions();
    const event = this.#popDue(Number.POSITIVE_INFINITY);
    if (!event) return false;
    await this.#fire(event);
    return true;
  }

  /** Fires everything that is due within `durationMs`, and moves the time by it. */
  async runFor(durationMs: number): Promise<void> {
    const endMs = this.#monotonicMs + durationMs;
    await drainReactions();
    for (let event = this.#popDue(endMs); event; event = this.#popDue(endMs)) {
      await this.#fire(event);
    }
    this.#monotonicMs = endMs;
  }

  /** Fires events until `promise` settles, as it does. Rejects when nothing is left to happen, or after `eventsMax`. */
  async runUntil<T>(promise: Promise<T>, eventsMax = 1_000_000): Promise<T> {
    const outcome = { isSettled: false };
    const settle = (): void => {
      outcome.isSettled = true;
    };
    promise.then(settle, settle);
    await drainReactions();
    for (let count = 0; !outcome.isSettled; count++) {
      if (count === eventsMax) throw new Error(`Not settled after ${eventsMax} events`);
      const event = this.#popDue(Number.POSITIVE_INFINITY);
      if (!event) throw new Error('Not settled, and nothing is left to happen');
      await this.#fire(event);
    }
    return promise;
  }

  /** Fires events until none is left. Rejects after `eventsMax`: something sets timers for ever. */
  async runUntilIdle(eventsMax = 1_000_000): Promise<void> {
    for (let count = 0; await this.runNext(); count++) {
      if (count === eventsMax) throw new Error(`Not idle after ${eventsMax} events`);
    }
  }

  async #fire(event: Event): Promise<void> {
    this.#monotonicMs = event.atMs;
    this.#firedCount++;
    event.callback?.();
    await drainReactions();
  }

  /** Takes the next event that was not cancelled and is due until `endMs`. */
  #popDue(endMs: number): Event | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (!first || (first.callback && first.atMs > endMs)) return undefined;
      this.#popFirst();
      if (first.callback) return first;
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = heap[parentAt]!;
      if (isBefore(parent, event)) break;
      heap[at] = parent;
      heap[parentAt] = event;
      at = parentAt;
    }
  }

  #popFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let childAt = 2 * at + 1;
      if (childAt >= heap.length) break;
      if (childAt + 1 < heap.length && isBefore(heap[childAt + 1]!, heap[childAt]!)) childAt++;
      const child = heap[childAt]!;
      if (isBefore(last, child)) break;
      heap[at] = child;
      at = childAt;
    }
    heap[at] = last;
  }
}

function isBefore(first: Event, second: Event): boolean {
  if (first.atMs !== second.atMs) return first.atMs < second.atMs;
  return first.sequence < second.sequence;
}

/** All promise reactions that are possible without a further event run before this resolves. */
function drainReactions(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
