import { KeyDigest } from './key-digest.ts';

/** Four words of a digest, and the distance of the newest offset from the first, plus one; 0 in that: empty. */
const words = 5;
const keyMapSlotBytes = words * 4;
/** Above this share of used slots, looking one up takes too many steps. */
const loadMax = 0.8;
/** Keys that are noted together. */
const waitingMax = 64;

export interface KeyMapOptions {
  /** 16 random bytes. */
  secret: Uint8Array;
  /** First offset that it is about. */
  baseOffset: number;
  /** Offsets from there on that it can be about. */
  offsetsMax: number;
  /** Memory of the table of keys; there is an eighth of a byte for each offset besides. */
  bytesMax: number;
}

/**
 * The newest offset of each key in a stretch of a log: an open hash table of fixed size, and one bit for each offset of
 * the stretch that says whether it is the newest of its key.
 */
export class KeyMap {
  readonly baseOffset: number;
  readonly #digest: KeyDigest;
  readonly #slots: number;
  readonly #cells: Int32Array;
  readonly #newest: Uint8Array;
  readonly #offsetsMax: number;
  readonly #countMax: number;
  #count = 0;
  /** Digests and distances of keys that are not in the table yet. */
  readonly #waiting = new Int32Array(waitingMax * words);
  #waitingCount = 0;
  #fullDistance = -1;
  /** What was read of the table ahead of its time: nobody needs it, but that it was read. */
  readonly #ahead = new Int32Array(waitingMax);
  /** Tombstones among what was put. */
  tombstones = 0;

  constructor({ secret, baseOffset, offsetsMax, bytesMax }: KeyMapOptions) {
    this.baseOffset = baseOffset;
    this.#digest = new KeyDigest(secret);
    this.#offsetsMax = Math.min(offsetsMax, 0x7ffffffe);
    // Each offset has a key of its own, at most.
    const wanted = Math.ceil(this.#offsetsMax / loadMax) + 1;
    this.#slots = Math.max(2, Math.min(Math.floor(bytesMax / keyMapSlotBytes), wanted));
    this.#countMax = Math.max(1, Math.floor(this.#slots * loadMax));
    this.#cells = new Int32Array(this.#slots * words);
    this.#newest = new Uint8Array(Math.ceil(this.#offsetsMax / 8));
  }

  /** Keys. */
  get count(): number {
    return this.#count;
  }

  /**
   * Notes the key `bytes[from, to)` at `offset`, which is above all that were noted, at the latest with the next `flush`.
   * Does nothing when there is no more room.
   */
  put(bytes: Uint8Array, from: number, to: number, offset: number): void {
    const distance = offset - this.baseOffset;
    if (distance >= this.#offsetsMax) {
      this.flush();
      this.#noteFull(distance);
      return;
    }
    const digest = this.#digest;
    digest.update(bytes, from, to);
    const at = this.#waitingCount++ * words;
    const waiting = this.#waiting;
    waiting[at] = digest.a;
    waiting[at + 1] = digest.b;
    waiting[at + 2] = digest.c;
    waiting[at + 3] = digest.d;
    waiting[at + 4] = distance;
    if (this.#waitingCount === waitingMax) this.flush();
  }

  /** Notes what `put` has left for now. */
  flush(): void {
    const count = this.#waitingCount;
    const waiting = this.#waiting;
    const cells = this.#cells;
    this.#waitingCount = 0;
    // Each is somewhere else in memory that no cache holds: asked for together they come in the time of a few.
    for (let index = 0; index < count; index++)
      this.#ahead[index] = cells[this.#slotOf(waiting[index * words]!) * words + 4]!;
    for (let index = 0; index < count && !this.isFull; index++) this.#note(index * words);
  }

  /** Whether there was no room for a key: nothing from `fullOffset` on is noted. */
  get isFull(): boolean {
    return this.#fullDistance >= 0;
  }

  get fullOffset(): number {
    return this.baseOffset + this.#fullDistance;
  }

  #noteFull(distance: number): void {
    if (!this.isFull) this.#fullDistance = distance;
  }

  #note(from: number): void {
    const waiting = this.#waiting;
    const a = waiting[from]!;
    const b = waiting[from + 1]!;
    const c = waiting[from + 2]!;
    const d = waiting[from + 3]!;
    const distance = waiting[from + 4]!;
    const at = this.#find(a, b, c, d);
    const cells = this.#cells;
    const before = cells[at + 4]!;
    if (before === 0) {
      if (this.#count >= this.#countMax) return this.#noteFull(distance);
      this.#count++;
      cells[at] = a;
      cells[at + 1] = b;
      cells[at + 2] = c;
      cells[at + 3] = d;
    } else {
      const old = before - 1;
      this.#newest[old >>> 3] = this.#newest[old >>> 3]! & ~(1 << (old & 7));
    }
    cells[at + 4] = distance + 1;
    this.#newest[distance >>> 3] = this.#newest[distance >>> 3]! | (1 << (distance & 7));
  }

  /** Whether the key was noted. */
  has(bytes: Uint8Array, from: number, to: number): boolean {
    const digest = this.#digest;
    digest.update(bytes, from, to);
    return this.#cells[this.#find(digest.a, digest.b, digest.c, digest.d) + 4] !== 0;
  }

  /** Whether the record at `offset` is the newest of its key. */
  isNewest(offset: number): boolean {
    const distance = offset - this.baseOffset;
    return (this.#newest[distance >>> 3]! & (1 << (distance & 7))) !== 0;
  }

  /** How many records of the offsets from `first` to `last` are the newest of their keys. */
  countNewest(first: number, last: number): number {
    let at = first - this.baseOffset;
    const end = Math.min(last - this.baseOffset + 1, this.#newest.length * 8);
    let count = 0;
    while (at < end) {
      const byte = this.#newest[at >>> 3]!;
      if ((at & 7) === 0 && at + 8 <= end) {
        for (let rest = byte; rest !== 0; rest &= rest - 1) count++;
        at += 8;
      } else {
        count += (byte >>> (at & 7)) & 1;
        at++;
      }
    }
    return count;
  }

  #slotOf(a: number): number {
    return Math.floor((a >>> 0) * (this.#slots / 0x100000000));
  }

  /** The cell of the key with this digest, or the empty one where it would be. */
  #find(a: number, b: number, c: number, d: number): number {
    const cells = this.#cells;
    let slot = this.#slotOf(a);
    for (;;) {
      const at = slot * words;
      if (
        cells[at + 4] === 0 ||
        (cells[at] === a && cells[at + 1] === b && cells[at + 2] === c && cells[at + 3] === d)
      )
        return at;
      slot = slot + 1 === this.#slots ? 0 : slot + 1;
    }
  }
}
