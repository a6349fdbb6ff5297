import type { Clock, Timer } from '../base/index.ts';

/** The part of a second for which requests are let through at once. */
const burstSeconds = 1;
/** A wait is at least this long, so that many requests share a timer. */
const waitMsMin = 10;

/**
 * Bounds how many requests of one peer begin in a second: as a token bucket that holds one second's worth. Beyond it
 * the peer waits; nothing is refused.
 */
export class RequestPace {
  readonly #clock: Clock;
  readonly #perSecondMax: number;
  readonly #resume: () => void;
  #tokens: number;
  #refilledMs: number;
  #timer: Timer | undefined;

  /** `resume` is called once whenever requests may begin again after `mayBegin` was false. */
  constructor(clock: Clock, perSecondMax: number, resume: () => void) {
    this.#clock = clock;
    this.#perSecondMax = perSecondMax;
    this.#resume = resume;
    this.#tokens = perSecondMax * burstSeconds;
    this.#refilledMs = clock.monotonicMs();
  }

  /** False when the peer has to wait. */
  mayBegin(): boolean {
    if (this.#tokens >= 1) return true;
    if (this.#timer !== undefined) return false;
    this.#refill();
    if (this.#tokens >= 1) return true;
    const missingMs = ((1 - this.#tokens) * 1000) / this.#perSecondMax;
    this.#timer = this.#clock.setTimer(Math.max(missingMs, waitMsMin), () => {
      this.#timer = undefined;
      this.#refill();
      this.#resume();
    });
    return false;
  }

  /** A request has begun. */
  note(): void {
    this.#tokens -= 1;
  }

  /** The peer is gone. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #refill(): void {
    const nowMs = this.#clock.monotonicMs();
    const gained = ((nowMs - this.#refilledMs) * this.#perSecondMax) / 1000;
    this.#tokens = Math.min(this.#tokens + gained, this.#perSecondMax * burstSeconds);
    this.#refilledMs = nowMs;
  }
}
