import type { BrokerPort } from '../../broker/index.ts';

/** A connection with a request that adds data, waiting until the broker has room for it. */
export interface GateWaiter {
  resume(): void;
}

/**
 * Holds back requests that add data while too much is waiting to become durable. Consumers go on: what they do makes
 * nothing worse.
 */
export class OverloadGate {
  readonly #broker: BrokerPort;
  readonly #waiters = new Set<GateWaiter>();
  #isWatching = false;

  constructor(broker: BrokerPort) {
    this.#broker = broker;
  }

  isOpen(): boolean {
    return !this.#broker.isOverloaded();
  }

  /** `resume` is called once, in order of waiting, when the gate is open again. */
  wait(waiter: GateWaiter): void {
    this.#waiters.add(waiter);
    this.#watch();
  }

  leave(waiter: GateWaiter): void {
    this.#waiters.delete(waiter);
  }

  #watch(): void {
    if (this.#isWatching || this.#waiters.size === 0) return;
    this.#isWatching = true;
    this.#broker.whenWritable(() => {
      this.#isWatching = false;
      // Whoever resumes may close the gate again, and then comes to wait again behind the others.
      for (const waiter of this.#waiters) {
        if (!this.isOpen()) break;
        if (this.#waiters.delete(waiter)) waiter.resume();
      }
      this.#watch();
    });
  }
}
