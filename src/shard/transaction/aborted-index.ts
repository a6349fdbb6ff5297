import type { ByteReader, ByteWriter } from '../../bytes/index.ts';

/** Records of a producer from `firstOffset` up to the marker at `lastOffset` that nobody may take for messages. */
export interface AbortedTransaction {
  producerId: number;
  firstOffset: number;
  lastOffset: number;
}

/** Producer id, first offset, last offset, and the offset below which no later transaction of this list can begin. */
const columns = 4;

/** The aborted transactions of one partition, in order of their markers: four numbers each. */
export class AbortedIndex {
  #cells = new Float64Array(0);
  #start = 0;
  #end = 0;

  get count(): number {
    return this.#end - this.#start;
  }

  /** `stableOffset`: the first offset of the oldest transaction that is open still, or that behind the marker. */
  add(aborted: AbortedTransaction, stableOffset: number): void {
    if ((this.#end + 1) * columns > this.#cells.length) this.#makeRoom();
    const at = this.#end++ * columns;
    this.#cells[at] = aborted.producerId;
    this.#cells[at + 1] = aborted.firstOffset;
    this.#cells[at + 2] = aborted.lastOffset;
    this.#cells[at + 3] = stableOffset;
  }

  /** Those with records in `[from, to)`, in order of their first offsets. */
  find(from: number, to: number): AbortedTransaction[] {
    const found: AbortedTransaction[] = [];
    for (let row = this.#firstEndingAt(from); row < this.#end; row++) {
      const at = row * columns;
      const firstOffset = this.#cells[at + 1] as number;
      if (firstOffset < to) {
        const producerId = this.#cells[at] as number;
        found.push({ producerId, firstOffset, lastOffset: this.#cells[at + 2] as number });
      }
      // Whatever ended later began at or behind what was stable then.
      if ((this.#cells[at + 3] as number) >= to) break;
    }
    return found.toSorted((a, b) => a.firstOffset - b.firstOffset);
  }

  /** Whether the record of a producer at `offset` was aborted. */
  has(producerId: number, offset: number): boolean {
    for (let row = this.#firstEndingAt(offset); row < this.#end; row++) {
      const at = row * columns;
      if (this.#cells[at] === producerId) return (this.#cells[at + 1] as number) <= offset;
      if ((this.#cells[at + 3] as number) > offset) return false;
    }
    return false;
  }

  /** Forgets those whose markers lie before `offset`. */
  trim(offset: number): void {
    this.#start = this.#firstEndingAt(offset);
    if (this.#start === this.#end) this.#start = this.#end = 0;
    if (this.#end === 0 && this.#cells.length > columns * 64) this.#cells = new Float64Array(0);
  }

  /** Forgets those that ended with these markers, whose offsets grow. */
  remove(markers: ReadonlyArray<{ producerId: number; offset: number }>): void {
    let next = 0;
    let kept = this.#start;
    for (let row = this.#start; row < this.#end; row++) {
      const at = row * columns;
      const lastOffset = this.#cells[at + 2] as number;
      while ((markers[next]?.offset ?? Number.POSITIVE_INFINITY) < lastOffset) next++;
      const marker = markers[next];
      if (marker?.offset === lastOffset && marker.producerId === this.#cells[at]) continue;
      if (kept !== row) this.#cells.copyWithin(kept * columns, at, at + columns);
      kept++;
    }
    this.#end = kept;
  }

  encodeTo(writer: ByteWriter): void {
    writer.uint32(this.count);
    let last = 0;
    for (let row = this.#start; row < this.#end; row++) {
      const at = row * columns;
      const lastOffset = this.#cells[at + 2] as number;
      writer.varlong(this.#cells[at] as number);
      writer.varlong(lastOffset - last);
      writer.varlong(lastOffset - (this.#cells[at + 1] as number));
      writer.varlong(lastOffset - (this.#cells[at + 3] as number));
      last = lastOffset;
    }
  }

  static decode(reader: ByteReader): AbortedIndex {
    const index = new AbortedIndex();
    let lastOffset = 0;
    for (let count = reader.uint32(); count > 0; count--) {
      const producerId = reader.varlong();
      lastOffset += reader.varlong();
      const firstOffset = lastOffset - reader.varlong();
      index.add({ producerId, firstOffset, lastOffset }, lastOffset - reader.varlong());
    }
    return index;
  }

  /** The first row whose marker is at or behind `offset`. */
  #firstEndingAt(offset: number): number {
    let low = this.#start;
    let high = this.#end;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#cells[middle * columns + 2] as number) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #makeRoom(): void {
    const kept = this.#cells.subarray(this.#start * columns, this.#end * columns);
    const isMostlyTrimmed = kept.length * 2 <= this.#cells.length && this.#start > 0;
    const cells = isMostlyTrimmed
      ? this.#cells
      : new Float64Array(Math.max(columns * 8, kept.length * 2));
    if (isMostlyTrimmed) cells.copyWithin(0, this.#start * columns, this.#end * columns);
    else cells.set(kept);
    this.#cells = cells;
    this.#end -= this.#start;
    this.#start = 0;
  }
}
