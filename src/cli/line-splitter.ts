/** Cuts a stream of bytes into lines; a line is borrowed until the next call. */
export class LineSplitter {
  readonly #lineBytesMax: number;
  #rest: Buffer[] = [];
  #restBytes = 0;

  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax;
  }

  /** The lines that `chunk` completes, without their line feed. Throws a RangeError for one that is too long. */
  *split(chunk: Buffer): Generator<Buffer> {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(10, start);
      if (end < 0) break;
      yield this.#complete(chunk.subarray(start, end));
      start = end + 1;
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
  }

  /** What follows the last line feed; undefined when nothing does. */
  end(): Buffer | undefined {
    return this.#restBytes === 0 ? undefined : this.#complete(Buffer.alloc(0));
  }

  #complete(tail: Buffer): Buffer {
    if (this.#restBytes === 0) return tail;
    this.#keep(tail);
    const line = Buffer.concat(this.#rest, this.#restBytes);
    this.#rest = [];
    this.#restBytes = 0;
    return line;
  }

  #keep(part: Buffer): void {
    this.#rest.push(part);
    this.#restBytes += part.length;
    if (this.#restBytes > this.#lineBytesMax) {
      throw new RangeError(`a line is longer than ${this.#lineBytesMax} bytes`);
    }
  }
}
