import { ProtocolError } from '../../../base/index.ts';
import type { ByteReader, ByteWriter } from '../../../bytes/index.ts';

/**
 * Offsets of messages that cannot be read: few runs of neighbours, for it is whole batches that are damaged. Two numbers a
 * run, in order.
 */
export class DamagedSet {
  /** First offset and the offset behind the last, of each run. */
  readonly #from: number[] = [];
  readonly #end: number[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get runCount(): number {
    return this.#from.length;
  }

  get memoryBytes(): number {
    return 128 + this.#from.length * 16;
  }

  has(offset: number): boolean {
    const at = this.#search(offset);
    return at >= 0 && offset < this.#end[at]!;
  }

  /** False when it was in the set already. */
  add(offset: number): boolean {
    const at = this.#search(offset);
    if (at >= 0 && offset < this.#end[at]!) return false;
    this.#count++;
    const isBehind = at >= 0 && this.#end[at] === offset;
    const isBefore = this.#from[at + 1] === offset + 1;
    if (isBehind && isBefore) {
      this.#end[at] = this.#end[at + 1]!;
      this.#remove(at + 1, 1);
    } else if (isBehind) this.#end[at] = offset + 1;
    else if (isBefore) this.#from[at + 1] = offset;
    else {
      this.#from.splice(at + 1, 0, offset);
      this.#end.splice(at + 1, 0, offset + 1);
    }
    return true;
  }

  /** The least offset from `from` on that is not in the set. */
  nextMissing(from: number): number {
    const at = this.#search(from);
    return at >= 0 && from < this.#end[at]! ? this.#end[at]! : from;
  }

  /** How many are at or behind `offset`. */
  countFrom(offset: number): number {
    let count = 0;
    for (let at = this.#from.length - 1; at >= 0 && this.#end[at]! > offset; at--)
      count += this.#end[at]! - Math.max(this.#from[at]!, offset);
    return count;
  }

  /** Forgets what lies before `offset`; returns how many. */
  removeBefore(offset: number): number {
    const before = this.#count;
    let gone = 0;
    while (gone < this.#from.length && this.#end[gone]! <= offset) gone++;
    this.#remove(0, gone);
    if (this.#from.length > 0 && this.#from[0]! < offset) this.#from[0] = offset;
    this.#recount();
    return before - this.#count;
  }

  /** Forgets what is at or behind `offset`. */
  removeFrom(offset: number): void {
    let kept = this.#from.length;
    while (kept > 0 && this.#from[kept - 1]! >= offset) kept--;
    this.#remove(kept, this.#from.length - kept);
    if (kept > 0 && this.#end[kept - 1]! > offset) this.#end[kept - 1] = offset;
    this.#recount();
  }

  /** Forgets what lies between the two. */
  removeRange(from: number, end: number): void {
    for (let at = Math.max(this.#search(from), 0); at < this.#from.length; ) {
      const first = this.#from[at]!;
      const behind = this.#end[at]!;
      if (first >= end) break;
      const kept: Array<[number, number]> = [];
      if (first < from) kept.push([first, Math.min(behind, from)]);
      if (behind > end) kept.push([Math.max(first, end), behind]);
      this.#from.splice(at, 1, ...kept.map(([start]) => start));
      this.#end.splice(at, 1, ...kept.map(([, stop]) => stop));
      at += kept.length;
    }
    this.#recount();
  }

  /** Visits all runs in order. The set must not change meanwhile. */
  forEach(visit: (from: number, end: number) => void): void {
    for (let at = 0; at < this.#from.length; at++) visit(this.#from[at]!, this.#end[at]!);
  }

  /** unsigned varint count of runs; then of each the varlong distance from the end of the one before, and its length. */
  encodeTo(writer: ByteWriter): void {
    writer.unsignedVarint(this.#from.length);
    let before = 0;
    this.forEach((from, end) => {
      writer.varlong(from - before);
      writer.varlong(end - from);
      before = end;
    });
  }

  static decode(reader: ByteReader): DamagedSet {
    const set = new DamagedSet();
    let before = 0;
    for (let runs = reader.unsignedVarint(); runs > 0; runs--) {
      const from = before + reader.varlong();
      const end = from + reader.varlong();
      if (from < before || end <= from)
        throw new ProtocolError('Runs of damaged messages are out of order');
      set.#from.push(from);
      set.#end.push(end);
      set.#count += end - from;
      before = end;
    }
    return set;
  }

  /** The last run that begins at or before `offset`; −1 when there is none. */
  #search(offset: number): number {
    let low = 0;
    let high = this.#from.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#from[middle]! <= offset) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #remove(at: number, count: number): void {
    if (count === 0) return;
    this.#from.splice(at, count);
    this.#end.splice(at, count);
  }

  #recount(): void {
    this.#count = this.countFrom(0);
  }
}
