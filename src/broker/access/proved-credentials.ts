import { createHmac } from 'node:crypto';
import { type Clock, limits, type Random } from '../../base/index.ts';

/**
 * Credentials that were proved a short while ago, so that a client with many connections pays for one check. What is kept
 * is a hash of name and password under a key of this process; a user's change makes its entries worthless.
 */
export class ProvedCredentials {
  readonly #clock: Clock;
  readonly #random: Random;
  #key: Uint8Array | undefined;
  readonly #entries = new Map<string, { revision: number; untilMs: number }>();

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  keyOf(name: string, password: string): string {
    this.#key ??= this.#random.nextBytes(32);
    const hash = createHmac('sha256', this.#key);
    // The length keeps name and password apart.
    return hash.update(`${name.length}:${name}`).update(password).digest('base64');
  }

  has(key: string, revision: number): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined) return false;
    if (entry.revision === revision && this.#clock.nowMs() < entry.untilMs) return true;
    this.#entries.delete(key);
    return false;
  }

  add(key: string, revision: number): void {
    if (this.#entries.size >= limits.provedCredentialsMax) {
      const [oldest] = this.#entries.keys();
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    this.#entries.delete(key);
    const untilMs = this.#clock.nowMs() + limits.provedCredentialsMs;
    this.#entries.set(key, { revision, untilMs });
  }
}
