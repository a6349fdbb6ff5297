import type { ReadResult } from '../partition.ts';
import type { PartitionLog } from '../partition-log.ts';

/** Memory that all queues of a shard share for what they read before it is wanted. */
export class ReadAheadBudget {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  /** A batch was larger than what was asked for. */
  exceed(bytes: number): void {
    this.#bytes += bytes;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** The stretch that follows the one that is being given out: one at a time, read or being read. */
export class ReadAhead {
  readonly #log: PartitionLog;
  readonly #budget: ReadAheadBudget;
  #next: Next | undefined;

  constructor(log: PartitionLog, budget: ReadAheadBudget) {
    this.#log = log;
    this.#budget = budget;
  }

  /** Begins to read what is behind `from`, where it is not in memory and there is room. */
  start(from: number, bytes: number, onlyStable: boolean): void {
    this.clear();
    const log = this.#log;
    const end = onlyStable ? log.lastStableOffset : log.highWatermark;
    if (from >= end || !this.#budget.take(bytes)) return;
    const next: Next = { from, bytes, result: undefined, reading: undefined, isOver: false };
    try {
      const read = log.read(from, { maxBytes: bytes, minOneBatch: true, onlyStable });
      if (!(read instanceof Promise)) return this.#budget.give(bytes);
      next.reading = read;
    } catch {
      // Whoever wants it is told what is wrong.
      return this.#budget.give(bytes);
    }
    this.#next = next;
    next.reading.then(
      (result) => {
        next.result = result;
        next.reading = undefined;
        if (next.isOver) return this.#budget.give(bytes);
        this.#budget.exceed(Math.max(result.bytes - bytes, 0));
        next.bytes = Math.max(result.bytes, bytes);
      },
      () => {
        next.reading = undefined;
        this.#budget.give(bytes);
        if (this.#next === next) this.#next = undefined;
      },
    );
  }

  /** What begins at `from`, or will soon be here; undefined when it must be read. */
  take(from: number): ReadResult | Promise<ReadResult> | undefined {
    const next = this.#next;
    if (next === undefined) return undefined;
    const found = next.from === from ? (next.result ?? next.reading) : undefined;
    this.clear();
    return found;
  }

  clear(): void {
    const next = this.#next;
    this.#next = undefined;
    if (next === undefined) return;
    // The memory of a read that is under way is not free before it ends.
    next.isOver = true;
    if (next.reading === undefined) this.#budget.give(next.bytes);
  }
}

interface Next {
  readonly from: number;
  /** As the budget counts it. */
  bytes: number;
  result: ReadResult | undefined;
  reading: Promise<ReadResult> | undefined;
  isOver: boolean;
}
