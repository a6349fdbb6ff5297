/** A connection that waits until it may read again. */
export interface BudgetWaiter {
  resume(): void;
}

/**
 * Bytes of request memory shared by all connections: of frames that are being assembled, and of frames that are
 * being handled. While it is exhausted, sockets are not read.
 *
 * Frames are charged as their bytes arrive, not when they announce their length, so that a peer can only use up what
 * it really sends. The price: half-read frames alone could use up everything, and none would ever finish. When
 * nothing is being handled, the waiter that waits longest therefore gets a pass to read on beyond the limit, so the
 * true bound is `bytesMax` and one frame.
 */
export class MemoryBudget {
  readonly bytesMax: number;
  #assemblingBytes = 0;
  #handlingBytes = 0;
  readonly #waiters = new Set<BudgetWaiter>();
  #passHolder: BudgetWaiter | undefined;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  get usedBytes(): number {
    return this.#assemblingBytes + this.#handlingBytes;
  }

  get isExhausted(): boolean {
    return this.#assemblingBytes + this.#handlingBytes >= this.bytesMax;
  }

  mayRead(waiter: BudgetWaiter): boolean {
    return !this.isExhausted || this.#passHolder === waiter;
  }

  /** `delta` may be negative. */
  changeAssembling(delta: number): void {
    this.#assemblingBytes += delta;
    if (delta < 0) this.#wake();
  }

  beginHandling(bytes: number): void {
    this.#handlingBytes += bytes;
  }

  endHandling(bytes: number): void {
    this.#handlingBytes -= bytes;
    this.#wake();
  }

  /** `resume` is called once when reading is allowed again; it may be called before this returns. */
  wait(waiter: BudgetWaiter): void {
    this.#waiters.add(waiter);
    this.#wake();
  }

  /** The waiter has completed its frame or is gone. */
  leave(waiter: BudgetWaiter): void {
    this.#waiters.delete(waiter);
    if (this.#passHolder === waiter) {
      this.#passHolder = undefined;
      this.#wake();
    }
  }

  #wake(): void {
    if (this.#waiters.size === 0) return;
    if (this.isExhausted) {
      if (this.#handlingBytes > 0 || this.#passHolder !== undefined) return;
      for (const waiter of this.#waiters) {
        this.#passHolder = waiter;
        this.#waiters.delete(waiter);
        waiter.resume();
        return;
      }
    }
    for (const waiter of this.#waiters) {
      if (this.isExhausted) return;
      this.#waiters.delete(waiter);
      waiter.resume();
    }
  }
}
