import { type Clock, limits, type Timer } from '../../base/index.ts';
import type { BrokerPort } from '../../broker/index.ts';

/** A connection that wants to publish and has to wait. */
export interface ThrottleWaiter {
  /** Once, when it may go on. */
  resume(): void;
  /** It has been waiting for a while, or will be: `reason` is what RabbitMQ says of it. */
  noteBlocked(reason: string): void;
}

/**
 * Holds publishers back while the broker has too much to write, or too little room. Connections that do not publish are
 * not concerned: what they do makes nothing worse.
 */
export class Throttle {
  readonly #broker: BrokerPort;
  readonly #clock: Clock;
  readonly #waiters = new Set<ThrottleWaiter>();
  #isWatching = false;
  #notice: Timer | undefined;
  #poll: Timer | undefined;

  constructor(broker: BrokerPort, clock: Clock) {
    this.#broker = broker;
    this.#clock = clock;
  }

  isOpen(): boolean {
    return !this.#broker.isOverloaded() && !this.#broker.isStorageLow();
  }

  wait(waiter: ThrottleWaiter): void {
    this.#waiters.add(waiter);
    if (this.#broker.isStorageLow()) waiter.noteBlocked('low on disk');
    this.#watch();
  }

  leave(waiter: ThrottleWaiter): void {
    this.#waiters.delete(waiter);
    if (this.#waiters.size === 0) this.close();
  }

  close(): void {
    this.#notice?.cancel();
    this.#notice = undefined;
    this.#poll?.cancel();
    this.#poll = undefined;
  }

  #watch(): void {
    if (this.#waiters.size === 0) return;
    if (this.#broker.isOverloaded()) {
      if (!this.#isWatching) {
        this.#isWatching = true;
        this.#broker.whenWritable(() => {
          this.#isWatching = false;
          this.#wake();
        });
      }
      this.#notice ??= this.#clock.setTimer(limits.blockedNoticeMs, () => {
        this.#notice = undefined;
        for (const waiter of this.#waiters) waiter.noteBlocked('low on journal throughput');
      });
    }
    // Nobody tells when there is room again.
    if (this.#broker.isStorageLow()) {
      this.#poll ??= this.#clock.setTimer(pollMs, () => {
        this.#poll = undefined;
        this.#wake();
      });
    }
  }

  #wake(): void {
    // Whoever resumes may close the gate again, and then comes to wait again behind the others.
    for (const waiter of this.#waiters) {
      if (!this.isOpen()) break;
      if (this.#waiters.delete(waiter)) waiter.resume();
    }
    if (this.#waiters.size === 0) this.close();
    else this.#watch();
  }
}

const pollMs = 500;
