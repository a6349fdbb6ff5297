import { type Clock, SystemClock, type Timer } from '../../../../src/base/index.ts';

interface Waiting {
  readonly atMs: number;
  readonly callback: () => void;
  timer: Timer;
}

/** The machine's clock, but time can be skipped: timers fire as if it had passed. */
export class SkippingClock implements Clock {
  readonly #system = new SystemClock();
  readonly #waiting = new Set<Waiting>();
  #skippedMs = 0;

  nowMs(): number {
    return this.#system.nowMs() + this.#skippedMs;
  }

  monotonicMs(): number {
    return this.#system.monotonicMs() + this.#skippedMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const waiting: Waiting = {
      atMs: this.monotonicMs() + delayMs,
      callback,
      timer: { cancel: () => undefined },
    };
    this.#waiting.add(waiting);
    this.#arm(waiting);
    return {
      cancel: () => {
        this.#waiting.delete(waiting);
        waiting.timer.cancel();
      },
    };
  }

  setAfterIo(callback: () => void): void {
    this.#system.setAfterIo(callback);
  }

  keepProcess(): Timer {
    return this.#system.keepProcess();
  }

  skip(ms: number): void {
    this.#skippedMs += ms;
    for (const waiting of this.#waiting) this.#arm(waiting);
  }

  #arm(waiting: Waiting): void {
    waiting.timer.cancel();
    waiting.timer = this.#system.setTimer(waiting.atMs - this.monotonicMs(), () => {
      this.#waiting.delete(waiting);
      waiting.callback();
    });
  }
}
