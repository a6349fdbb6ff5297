import { type Clock, limits } from '../../base/index.ts';
import type { QuotaMeter } from '../ports/index.ts';

/** A token bucket that holds what the quota allows in `quotaBurstSeconds`, and may be overdrawn: whoever does so waits. */
export class Bucket implements QuotaMeter {
  readonly #clock: Clock;
  readonly #perSecond: number;
  #tokens: number;
  #filledMs: number;

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#tokens = perSecond * limits.quotaBurstSeconds;
    this.#filledMs = clock.monotonicMs();
  }

  spend(amount: number): number {
    this.#fill();
    this.#tokens -= amount;
    return this.#missingMs();
  }

  get waitMs(): number {
    this.#fill();
    return this.#missingMs();
  }

  #missingMs(): number {
    return this.#tokens >= 0 ? 0 : Math.ceil((-this.#tokens / this.#perSecond) * 1000);
  }

  #fill(): void {
    const nowMs = this.#clock.monotonicMs();
    const gained = ((nowMs - this.#filledMs) / 1000) * this.#perSecond;
    this.#tokens = Math.min(this.#tokens + gained, this.#perSecond * limits.quotaBurstSeconds);
    this.#filledMs = nowMs;
  }
}
