import type { ByteReader, ByteWriter } from '../../bytes/index.ts';

/** Where the records of one transaction are: stretches of offsets, in order. */
export class OpenRuns {
  /** First offset, and the one behind the last, of each. */
  readonly #bounds: number[] = [];
  #bodyBytes = 0;
  #isExact = true;

  get count(): number {
    return this.#bounds.length / 2;
  }

  /** Bytes of all values, about. */
  get bodyBytes(): number {
    return this.#bodyBytes;
  }

  /** False: records of others may lie in the stretches, for so many could not be told apart. */
  get isExact(): boolean {
    return this.#isExact;
  }

  get bounds(): readonly number[] {
    return this.#bounds;
  }

  /** Adds what lies behind all that is here. `mayGrow` false: the last stretch is made longer. True when there is one more. */
  add(from: number, end: number, bodyBytes: number, mayGrow: boolean): boolean {
    this.#bodyBytes += bodyBytes;
    const bounds = this.#bounds;
    const last = bounds.length - 1;
    if (last > 0 && (bounds[last] === from || !mayGrow)) {
      if (bounds[last] !== from) this.#isExact = false;
      bounds[last] = end;
      return false;
    }
    bounds.push(from, end);
    return true;
  }

  /** Those of a transaction of which only the first offset is known, and that none of its records is at `end` or behind. */
  static unknown(from: number, end: number): OpenRuns {
    const runs = new OpenRuns();
    runs.add(from, Math.max(end, from + 1), 0, true);
    runs.#isExact = false;
    return runs;
  }

  /** u8 1 when they are exact; safe integer body bytes; u32 count; of each its first offset and the one behind its last. */
  encodeTo(writer: ByteWriter): void {
    writer.uint8(this.#isExact ? 1 : 0);
    writer.safeInt64(this.#bodyBytes);
    writer.uint32(this.count);
    for (const bound of this.#bounds) writer.safeInt64(bound);
  }

  static decode(reader: ByteReader): OpenRuns {
    const runs = new OpenRuns();
    runs.#isExact = reader.uint8() === 1;
    runs.#bodyBytes = reader.safeInt64();
    for (let count = reader.uint32() * 2; count > 0; count--) runs.#bounds.push(reader.safeInt64());
    return runs;
  }
}

/** All stretches together, in order, none touching the next; what is at `limit` or behind is left out. */
export function joinRuns(all: Iterable<OpenRuns>, limit: number): number[] {
  const pairs: Array<[from: number, end: number]> = [];
  for (const { bounds } of all) {
    for (let at = 0; at < bounds.length; at += 2) {
      // `!`: bounds come in pairs.
      const end = Math.min(bounds[at + 1]!, limit);
      if (end > bounds[at]!) pairs.push([bounds[at]!, end]);
    }
  }
  pairs.sort((a, b) => a[0] - b[0]);
  const joined: number[] = [];
  for (const [from, end] of pairs) {
    const last = joined.length - 1;
    if (last > 0 && joined[last]! >= from) joined[last] = Math.max(joined[last]!, end);
    else joined.push(from, end);
  }
  return joined;
}
