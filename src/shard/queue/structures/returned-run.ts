const entriesMin = 8;
const entriesMax = 512;

type Numbers = Float64Array<ArrayBuffer>;
type Counts = Uint32Array<ArrayBuffer>;

/** A sorted stretch of the messages of one rank: entries `[start, end)` of its arrays. */
export class ReturnedRun {
  offsets: Numbers = new Float64Array(0);
  bodies: Counts = new Uint32Array(0);
  /** Deliveries and failures in turn; empty while all of them are 0. */
  attempts: Counts = new Uint32Array(0);
  start = 0;
  end = 0;

  get count(): number {
    return this.end - this.start;
  }

  get isFull(): boolean {
    return this.count >= entriesMax;
  }

  get memoryBytes(): number {
    return 400 + this.offsets.byteLength + this.bodies.byteLength + this.attempts.byteLength;
  }

  // `!`: positions lie in `[start, end)`.

  get first(): number {
    return this.offsets[this.start]!;
  }

  get last(): number {
    return this.offsets[this.end - 1]!;
  }

  deliveries(at: number): number {
    return this.attempts.length === 0 ? 0 : this.attempts[at * 2]!;
  }

  failures(at: number): number {
    return this.attempts.length === 0 ? 0 : this.attempts[at * 2 + 1]!;
  }

  /** Where `offset` is or would be. */
  search(offset: number): number {
    let low = this.start;
    let high = this.end;
    if (low < high && this.offsets[high - 1]! < offset) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.offsets[middle]! < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Adds an entry at a position that `search` gave; the run is not full. */
  insert(
    position: number,
    offset: number,
    bodyBytes: number,
    deliveries: number,
    failures: number,
  ): void {
    let at = position;
    if (at === this.start && at > 0) {
      at = --this.start;
    } else {
      if (this.end === this.offsets.length) at -= this.#makeRoom();
      this.#move(at, this.end, at + 1);
      this.end++;
    }
    if (deliveries + failures > 0 && this.attempts.length === 0)
      this.attempts = new Uint32Array(this.offsets.length * 2);
    this.offsets[at] = offset;
    this.bodies[at] = bodyBytes;
    if (this.attempts.length === 0) return;
    this.attempts[at * 2] = deliveries;
    this.attempts[at * 2 + 1] = failures;
  }

  remove(at: number): void {
    if (at === this.start) {
      this.start++;
    } else {
      this.#move(at + 1, this.end, at);
      this.end--;
    }
  }

  /** Takes the upper half off. */
  split(): ReturnedRun {
    const upper = new ReturnedRun();
    const middle = (this.start + this.end) >>> 1;
    upper.offsets = this.offsets.slice(middle, middle + entriesMax);
    upper.bodies = this.bodies.slice(middle, middle + entriesMax);
    upper.attempts = this.attempts.slice(middle * 2, (middle + entriesMax) * 2);
    upper.end = this.end - middle;
    this.end = middle;
    return upper;
  }

  /** Makes room behind the last entry, and returns by how much the entries moved to the front. */
  #makeRoom(): number {
    const { start, end } = this;
    const { length } = this.offsets;
    this.#move(start, end, 0);
    this.start = 0;
    this.end = end - start;
    if (this.end * 2 <= length && length > 0) return start;
    const grown = Math.min(Math.max(entriesMin, length * 2), Math.max(entriesMax, length));
    if (grown === length) return start;
    this.offsets = copied(this.offsets, new Float64Array(grown));
    this.bodies = copied(this.bodies, new Uint32Array(grown));
    if (this.attempts.length > 0) this.attempts = copied(this.attempts, new Uint32Array(grown * 2));
    return start;
  }

  #move(from: number, to: number, target: number): void {
    if (from === to || from === target) return;
    this.offsets.copyWithin(target, from, to);
    this.bodies.copyWithin(target, from, to);
    if (this.attempts.length > 0) this.attempts.copyWithin(target * 2, from * 2, to * 2);
  }
}

function copied<T extends Float64Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
