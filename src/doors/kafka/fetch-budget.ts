import type { SendLedger } from '../../net/index.ts';

/**
 * Memory that answers to fetches take, of all connections together: what is being read from the disk, what waits for
 * the rest of its answer, and what waits to be sent.
 */
export class FetchBudget {
  readonly #bytesMax: number;
  readonly #sendLedger: SendLedger;
  #heldBytes = 0;

  constructor(bytesMax: number, sendLedger: SendLedger) {
    this.#bytesMax = bytesMax;
    this.#sendLedger = sendLedger;
  }

  /** Bytes that may be read now; 0: each fetch still gets one batch, so that consumers slow down and none stands still. */
  get roomBytes(): number {
    return Math.max(0, this.#bytesMax - this.#heldBytes - this.#sendLedger.queuedBytes);
  }

  /** Even single batches add up: nothing is read any more. */
  get isExhausted(): boolean {
    return this.#heldBytes + this.#sendLedger.queuedBytes >= this.#bytesMax * 1.25;
  }

  hold(bytes: number): void {
    this.#heldBytes += bytes;
  }

  /** What is sent from here on is in the ledger. */
  release(bytes: number): void {
    this.#heldBytes -= bytes;
  }
}
