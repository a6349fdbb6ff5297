import { type Clock, limits } from '../../base/index.ts';

/**
 * Remembers values for a while, at most `limits.webMemoriesMax` of them, and of `limits.webMemoryBytesMax` together: beyond
 * that the oldest are forgotten.
 */
export class Memory<T> {
  readonly #clock: Clock;
  readonly #forMs: number;
  readonly #entries = new Map<string, Entry<T>>();
  #bytes = 0;

  constructor(clock: Clock, forMs: number) {
    this.#clock = clock;
    this.#forMs = forMs;
  }

  /** `bytes`: about how much memory the value takes, where that is more than a little. */
  set(key: string, value: T, bytes = 0): void {
    const nowMs = this.#clock.monotonicMs();
    this.delete(key);
    this.#entries.set(key, { value, bytes, untilMs: nowMs + this.#forMs });
    this.#bytes += bytes;
    const { webMemoriesMax, webMemoryBytesMax } = limits;
    for (const [oldest, { untilMs }] of this.#entries) {
      const isFull = this.#entries.size > webMemoriesMax || this.#bytes > webMemoryBytesMax;
      if (untilMs > nowMs && !isFull) break;
      this.delete(oldest);
    }
  }

  get(key: string): T | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.untilMs > this.#clock.monotonicMs()) return entry.value;
    this.delete(key);
    return undefined;
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#bytes -= entry.bytes;
    this.#entries.delete(key);
  }
}

interface Entry<T> {
  readonly value: T;
  readonly bytes: number;
  readonly untilMs: number;
}
