/** Time as the broker sees it. The simulation hands in its own; nothing else may read the machine's clock. */
export interface Clock {
  /** Wall-clock time in milliseconds since the Unix epoch; may jump. */
  nowMs(): number;
  /** Monotonic time in milliseconds from an arbitrary origin, with a fraction. */
  monotonicMs(): number;
  /** Calls `callback` once after at least `delayMs`. Returned timers never keep a process alive. */
  setTimer(delayMs: number, callback: () => void): Timer;
  /** Calls `callback` once after the I/O events that are already waiting have been handled. */
  setAfterIo(callback: () => void): void;
  /** Keeps the process alive until it is cancelled, for somebody awaits what only a timer brings. */
  keepProcess?(): Timer;
}

export interface Timer {
  /** Cancels the timer; a no-op once it has fired. */
  cancel(): void;
}

/** The machine's own clock. */
export class SystemClock implements Clock {
  #keepers = 0;
  #keeper: NodeJS.Timeout | undefined;
  readonly #release = (): void => {
    this.#keepers--;
    if (this.#keepers > 0) return;
    clearInterval(this.#keeper);
    this.#keeper = undefined;
  };

  nowMs(): number {
    return Date.now();
  }

  monotonicMs(): number {
    return performance.now();
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    // setTimeout fires at once for delays beyond a signed 32-bit count of milliseconds.
    const timeout = setTimeout(callback, Math.min(Math.max(delayMs, 0), 0x7fffffff));
    timeout.unref();
    return { cancel: () => clearTimeout(timeout) };
  }

  setAfterIo(callback: () => void): void {
    setImmediate(callback);
  }

  keepProcess(): Timer {
    // One for all who ask, of whom there may be thousands.
    this.#keepers++;
    this.#keeper ??= setInterval(() => undefined, 0x7fffffff);
    return new ProcessKeeper(this.#release);
  }
}

class ProcessKeeper implements Timer {
  #release: (() => void) | undefined;

  constructor(release: () => void) {
    this.#release = release;
  }

  cancel(): void {
    const release = this.#release;
    this.#release = undefined;
    release?.();
  }
}
