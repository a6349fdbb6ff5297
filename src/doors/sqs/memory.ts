import { type Clock, limits } from '../../base/index.ts';

/** Remembers values for a while, at most `limits.webMemoriesMax` of them: beyond that the oldest are forgotten. */
export class Memory<T> {
  readonly #clock: Clock;
  readonly #forMs: number;
  readonly #entries = new Map<string, { value: T; untilMs: number }>();

  constructor(clock: Clock, forMs: number) {
    this.#clock = clock;
    this.#forMs = forMs;
  }

  set(key: string, value: T): void {
    const nowMs = this.#clock.monotonicMs();
    this.#entries.delete(key);
    this.#entries.set(key, { value, untilMs: nowMs + this.#forMs });
    for (const [oldest, { untilMs }] of this.#entries) {
      if (untilMs > nowMs && this.#entries.size <= limits.webMemoriesMax) break;
      this.#entries.delete(oldest);
    }
  }

  get(key: string): T | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.untilMs > this.#clock.monotonicMs()) return entry.value;
    this.#entries.delete(key);
    return undefined;
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}
