import type { LiveQueue } from './live-queue.ts';
import type { Admission } from './types.ts';

/** A message that was admitted is sequenced within this time, or never. */
const admittedMs = 1000;

/** Says whether a queue takes a message. What it takes is counted at once, though it is in the log a little later. */
export class Admissions {
  readonly #queue: LiveQueue;
  /** Taken, and not sequenced yet. */
  #count = 0;
  #bytes = 0;
  #rotatedMs = 0;
  /** Ids that were taken a while ago: in a chunk soon, or never. The newer ones are the state's. */
  #idsBefore: Set<string> | undefined;

  constructor(queue: LiveQueue) {
    this.#queue = queue;
  }

  admit(admission: Admission): 'take' | 'reject' | 'reject-dead-letter' | 'duplicate' {
    const { state, settings } = this.#queue;
    const { nowMs, dedupId, bodyBytes } = admission;
    const isDeduplicated = settings.dedupWindowMs > 0 && dedupId !== undefined;
    this.#rotate(nowMs);
    if (isDeduplicated) {
      state.dedup?.expire(nowMs - settings.dedupWindowMs, nowMs);
      const isKnown =
        state.dedup?.has(dedupId) ||
        state.admittedIds?.has(dedupId) ||
        this.#idsBefore?.has(dedupId);
      if (isKnown) return 'duplicate';
    }
    if (settings.overflow !== 'drop-head') {
      if (this.#isFull(bodyBytes)) return settings.overflow;
      this.#count++;
      this.#bytes += bodyBytes;
    }
    if (isDeduplicated) {
      state.admittedIds ??= new Set();
      state.admittedIds.add(dedupId);
    }
    return 'take';
  }

  /** Was taken, and will not come. */
  withdraw(dedupId: string): void {
    const { state } = this.#queue;
    state.admittedIds?.delete(dedupId);
    if (state.admittedIds?.size === 0) state.admittedIds = undefined;
    this.#idsBefore?.delete(dedupId);
  }

  /** Records are in the log. Those that did not ask, from another door, cannot be told from those that did. */
  noteSequenced(recordCount: number, bodyBytes: number): void {
    this.#count = Math.max(0, this.#count - recordCount);
    this.#bytes = this.#count === 0 ? 0 : Math.max(0, this.#bytes - bodyBytes);
  }

  #isFull(bodyBytes: number): boolean {
    const { state, settings, partition } = this.#queue;
    const { readyMax, readyBytesMax } = settings;
    if (readyMax >= 0 && state.readyCount(partition.nextOffset) + this.#count >= readyMax)
      return true;
    return readyBytesMax >= 0 && state.readyBytes + this.#bytes + bodyBytes > readyBytesMax;
  }

  /** Forgets what was taken and never came: the publisher gave up, or the storage did. */
  #rotate(nowMs: number): void {
    const { state, partition } = this.#queue;
    if (nowMs < this.#rotatedMs + admittedMs && nowMs >= this.#rotatedMs) return;
    this.#rotatedMs = nowMs;
    if (partition.waiting.length > 0) return;
    this.#count = 0;
    this.#bytes = 0;
    this.#idsBefore = state.admittedIds;
    state.admittedIds = undefined;
  }
}
