import type { Clock, Timer } from '../../src/base/index.ts';

/** The clock of one life of the broker: nothing that was set on it happens after its end. */
export class LifeClock implements Clock {
  readonly #clock: Clock;
  #isOver = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  end(): void {
    this.#isOver = true;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    return this.#clock.setTimer(delayMs, () => {
      if (!this.#isOver) callback();
    });
  }

  setAfterIo(callback: () => void): void {
    this.#clock.setAfterIo(() => {
      if (!this.#isOver) callback();
    });
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.setTimer(delayMs, resolve);
    });
  }
}
