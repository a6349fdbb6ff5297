/** How many dead messages of a queue are on their way elsewhere, and who waits until those of now have arrived. */
export class Deaths {
  count = 0;
  readonly #waiting: Array<{ left: number; readonly resolve: () => void }> = [];

  /** Resolves when as many have ended as are on their way now. */
  ended(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ left: this.count, resolve });
    });
  }

  /** So many have ended. */
  end(count: number): void {
    this.count = Math.max(0, this.count - count);
    for (const waiter of this.#waiting) waiter.left -= count;
    while (this.#waiting[0] !== undefined && this.#waiting[0].left <= 0)
      this.#waiting.shift()?.resolve();
  }
}
