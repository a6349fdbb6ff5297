import type { Clock } from '../base/index.ts';

/** Lets a few lines through per interval and counts the rest, so that a misbehaving peer cannot fill the log. */
export class LogLimiter {
  readonly #clock: Clock;
  readonly #linesMax: number;
  readonly #intervalMs: number;
  #intervalStartMs = Number.NEGATIVE_INFINITY;
  #lines = 0;
  #suppressed = 0;

  constructor(clock: Clock, linesMax = 10, intervalMs = 10_000) {
    this.#clock = clock;
    this.#linesMax = linesMax;
    this.#intervalMs = intervalMs;
  }

  /** Calls `write` with the number of lines dropped since the last one written, or drops this one too. */
  run(write: (suppressed: number) => void): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#intervalStartMs >= this.#intervalMs) {
      this.#intervalStartMs = nowMs;
      this.#lines = 0;
    }
    if (this.#lines >= this.#linesMax) {
      this.#suppressed += 1;
      return;
    }
    this.#lines += 1;
    const suppressed = this.#suppressed;
    this.#suppressed = 0;
    write(suppressed);
  }
}
