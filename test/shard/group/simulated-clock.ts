import type { Clock, Timer } from '../../../src/base/index.ts';

interface Scheduled {
  atMs: number;
  callback: () => void;
}

/** A clock that stands still until a test moves it. */
export class SimulatedClock implements Clock {
  #nowMs = 1_000_000;
  #timers: Scheduled[] = [];

  nowMs(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  get timerCount(): number {
    return this.#timers.length;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const scheduled = { atMs: this.#nowMs + Math.max(delayMs, 0), callback };
    this.#timers.push(scheduled);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((timer) => timer !== scheduled);
      },
    };
  }

  setAfterIo(callback: () => void): void {
    this.setTimer(0, callback);
  }

  /** Fires what falls due meanwhile, each at its own time, and lets promises settle in between. */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.#nowMs + byMs;
    await letPromisesSettle();
    for (;;) {
      let next: Scheduled | undefined;
      for (const timer of this.#timers) {
        if (timer.atMs <= untilMs && (next === undefined || timer.atMs < next.atMs)) next = timer;
      }
      if (next === undefined) break;
      const due = next;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      due.callback();
      await letPromisesSettle();
    }
    this.#nowMs = untilMs;
  }
}

export function letPromisesSettle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
