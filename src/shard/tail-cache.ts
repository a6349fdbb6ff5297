import { present } from '../base/index.ts';

const slabBytes = 2 * 1024 * 1024;

interface Slab {
  /** LSN of the first byte. */
  baseLsn: number;
  bytes: Uint8Array;
  usedBytes: number;
  /** There are records in it, which may be read. */
  hasRecords: boolean;
}

/**
 * The end of the journal in memory: chunks are built in its slabs, written from there, and read from there until they
 * are pushed out. LSNs are contiguous within a slab, so a run of entries is one stretch of memory. Slabs are never
 * reused: a slice that was handed out stays good for as long as somebody holds it. A full slab without records is let go at
 * once, for nobody reads other entries here: there may be gaps.
 */
export class TailCache {
  readonly #bytesMax: number;
  readonly #slabs: Slab[] = [];
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** LSN from which on all records are here; Infinity when none is. */
  get startLsn(): number {
    return this.#slabs[0]?.baseLsn ?? Number.POSITIVE_INFINITY;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Memory for a chunk that will stand at `lsn`, right behind the one before, and may have records in it. */
  allocate(lsn: number, length: number, hasRecords: boolean): Uint8Array {
    let slab = this.#slabs.at(-1);
    if (
      slab === undefined ||
      slab.usedBytes + length > slab.bytes.length ||
      slab.baseLsn + slab.usedBytes !== lsn
    ) {
      if (slab !== undefined && slab.baseLsn + slab.usedBytes !== lsn) this.clear();
      else if (slab?.hasRecords === false) this.#dropLast();
      slab = {
        baseLsn: lsn,
        bytes: Buffer.allocUnsafeSlow(Math.max(length, Math.min(slabBytes, this.#bytesMax))),
        usedBytes: 0,
        hasRecords,
      };
      this.#slabs.push(slab);
      this.#bytes += slab.bytes.length;
      while (this.#bytes > this.#bytesMax && this.#slabs.length > 1) this.#evictFirst();
    }
    const start = slab.usedBytes;
    slab.usedBytes += length;
    slab.hasRecords ||= hasRecords;
    return slab.bytes.subarray(start, start + length);
  }

  /** The slab that holds `lsn` and the position in it; undefined when it is no longer here. */
  find(lsn: number): { bytes: Uint8Array; at: number; endLsn: number } | undefined {
    let low = 0;
    let high = this.#slabs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (present(this.#slabs[middle], 'in range').baseLsn <= lsn) low = middle + 1;
      else high = middle;
    }
    const slab = this.#slabs[low - 1];
    if (slab === undefined || lsn >= slab.baseLsn + slab.usedBytes) return undefined;
    return { bytes: slab.bytes, at: lsn - slab.baseLsn, endLsn: slab.baseLsn + slab.usedBytes };
  }

  clear(): void {
    this.#slabs.length = 0;
    this.#bytes = 0;
  }

  #dropLast(): void {
    this.#bytes -= present(this.#slabs.pop(), 'there is one').bytes.length;
  }

  #evictFirst(): void {
    const first = present(this.#slabs.shift(), 'more than one slab');
    this.#bytes -= first.bytes.length;
  }
}
