import { type Clock, SystemClock, type Timer } from '../../src/base/index.ts';

interface Waiting {
  readonly atMs: number;
  readonly callback: () => void;
  timer: Timer;
}

/** The machine's clock, but time can be skipped: timers fire as if it had passed. */
export class SkippingClock implements Clock {
  readonly #system = new SystemClock();
  readonly #waiting = new Set<Waiting>();
  /** Where time passes by `skip` only: then, in the machine's time. */
  readonly #stoppedAt: { readonly nowMs: number; readonly monotonicMs: number } | undefined;
  #skippedMs = 0;

  /** `isStopped`: no time passes but what is skipped. */
  constructor(isStopped = false) {
    const system = this.#system;
    // Whole milliseconds: with a fraction, what is skipped would come out a rounding error longer or shorter, and what
    // falls short by that of an allowance is not made up by time that does not pass.
    this.#stoppedAt = isStopped
      ? { nowMs: system.nowMs(), monotonicMs: Math.floor(system.monotonicMs()) }
      : undefined;
  }

  nowMs(): number {
    return (this.#stoppedAt?.nowMs ?? this.#system.nowMs()) + this.#skippedMs;
  }

  monotonicMs(): number {
    return (this.#stoppedAt?.monotonicMs ?? this.#system.monotonicMs()) + this.#skippedMs;
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

  /** What is due by then has happened when this returns: nothing that is sent afterwards can overtake it. */
  skip(ms: number): void {
    this.#skippedMs += ms;
    const nowMs = this.monotonicMs();
    const due = [...this.#waiting].filter(({ atMs }) => atMs <= nowMs);
    for (const waiting of due.toSorted((a, b) => a.atMs - b.atMs)) {
      // One that came before may have cancelled it.
      if (!this.#waiting.delete(waiting)) continue;
      waiting.timer.cancel();
      waiting.callback();
    }
    for (const waiting of this.#waiting) this.#arm(waiting);
  }

  #arm(waiting: Waiting): void {
    waiting.timer.cancel();
    const leftMs = waiting.atMs - this.monotonicMs();
    if (this.#stoppedAt !== undefined && leftMs > 0) return;
    waiting.timer = this.#system.setTimer(leftMs, () => {
      this.#waiting.delete(waiting);
      waiting.callback();
    });
  }
}
