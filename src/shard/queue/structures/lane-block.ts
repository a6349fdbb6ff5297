const bytesMin = 16;
const bytesMax = 480;
/** A run takes at most this: two varints of 56 bits. */
const runBytesMax = 16;

/**
 * Runs of offsets of one rank, in order. The first and the last run are held as numbers; each of those between takes
 * some bytes, all unsigned varints: twice the gap to the run before, plus 1 when it is longer than one; then its
 * length, if so.
 */
export class LaneBlock {
  /** The least offset. */
  first = 0;
  count = 0;
  /** Length of the first run. */
  firstCount = 0;
  #lastFirst = 0;
  /** 0: there is only one run, or none. */
  #lastCount = 0;
  #bytes = new Uint8Array(0);
  #head = 0;
  #fill = 0;
  /** End of the run that was written last: the next one's gap counts from it. */
  #writtenEnd = 0;

  get isFull(): boolean {
    return this.#fill + runBytesMax > bytesMax;
  }

  /** Whether half of what a block may hold is written. */
  get isHalfFull(): boolean {
    return this.#fill * 2 > bytesMax;
  }

  /** One more than the greatest offset. */
  get end(): number {
    return this.#lastCount > 0 ? this.#lastFirst + this.#lastCount : this.first + this.firstCount;
  }

  get memoryBytes(): number {
    return 300 + this.#bytes.length;
  }

  /** Adds offsets that are greater than all others; the block is not full. */
  add(offset: number, count: number): void {
    this.count += count;
    if (this.firstCount === 0) {
      this.first = offset;
      this.firstCount = count;
    } else if (this.#lastCount === 0) {
      if (this.first + this.firstCount === offset) {
        this.firstCount += count;
      } else {
        this.#writtenEnd = this.first + this.firstCount;
        this.#lastFirst = offset;
        this.#lastCount = count;
      }
    } else if (this.#lastFirst + this.#lastCount === offset) {
      this.#lastCount += count;
    } else {
      this.#write(this.#lastFirst - this.#writtenEnd, this.#lastCount);
      this.#writtenEnd = this.#lastFirst + this.#lastCount;
      this.#lastFirst = offset;
      this.#lastCount = count;
    }
  }

  /** Removes the first `count` offsets, which are of one run. */
  removeFirst(count: number): void {
    this.count -= count;
    this.first += count;
    this.firstCount -= count;
    if (this.firstCount > 0) return;
    if (this.#head < this.#fill) {
      const gap = this.#read();
      this.first += Math.floor(gap / 2);
      this.firstCount = gap % 2 === 1 ? this.#read() : 1;
      if (this.#head < this.#fill) return;
      // The memory is used from its beginning again.
      this.#head = 0;
      this.#fill = 0;
    } else if (this.#lastCount > 0) {
      this.first = this.#lastFirst;
      this.firstCount = this.#lastCount;
      this.#lastCount = 0;
    }
  }

  /** Visits the runs in order, until `visit` returns false; returns whether it came to the end. */
  forEach(visit: (offset: number, count: number) => boolean | void): boolean {
    if (this.firstCount === 0) return true;
    if (visit(this.first, this.firstCount) === false) return false;
    const head = this.#head;
    let end = this.first + this.firstCount;
    while (this.#head < this.#fill) {
      const gap = this.#read();
      const offset = end + Math.floor(gap / 2);
      const count = gap % 2 === 1 ? this.#read() : 1;
      end = offset + count;
      const position = this.#head;
      if (visit(offset, count) === false) {
        this.#head = head;
        return false;
      }
      this.#head = position;
    }
    this.#head = head;
    return this.#lastCount === 0 || visit(this.#lastFirst, this.#lastCount) !== false;
  }

  #write(gap: number, count: number): void {
    if (this.#fill + runBytesMax > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(bytesMin, Math.min(bytesMax, this.#bytes.length * 2)));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#writeVarint(gap * 2 + (count > 1 ? 1 : 0));
    if (count > 1) this.#writeVarint(count);
  }

  #writeVarint(value: number): void {
    let rest = value;
    while (rest > 0x7f) {
      this.#bytes[this.#fill++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#fill++] = rest;
  }

  #read(): number {
    // `!`: a run that was begun is whole.
    let byte = this.#bytes[this.#head++]!;
    let value = byte & 0x7f;
    for (let scale = 128; byte > 0x7f; scale *= 128) {
      byte = this.#bytes[this.#head++]!;
      value += (byte & 0x7f) * scale;
    }
    return value;
  }
}
