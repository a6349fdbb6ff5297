/**
 * Puts together what comes in pieces. A peer chooses how small they are: a million pieces of one byte must not take the memory
 * of a million objects, nor one byte keep the whole chunk in memory that it came in. Small pieces are therefore copied behind
 * each other; what is held is about twice what was added, at most.
 */
export class GatheredBytes {
  #pieces: Buffer[] = [];
  #bytes = 0;
  #memoryBytes = 0;
  /** Memory for small pieces: `[0, #filled)` is the part that is not among the pieces yet. */
  #tail: Buffer = nothing;
  #filled = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** What it takes, about. */
  get memoryBytes(): number {
    return this.#memoryBytes + this.#pieces.length * pieceObjectBytes;
  }

  /** The piece may be kept as it is: it must not be written to afterwards. */
  add(piece: Buffer): void {
    if (piece.length === 0) return;
    const isFirst = this.#bytes === 0;
    this.#bytes += piece.length;
    const isLarge = piece.length >= largeBytesMin && piece.length * 2 >= piece.buffer.byteLength;
    if (!isFirst && !isLarge) return this.#copy(piece);
    this.#endTail();
    this.#pieces.push(piece);
    this.#memoryBytes += piece.buffer.byteLength;
  }

  /** Everything that was added, in one piece; nothing is held any more. */
  take(): Buffer {
    this.#endTail();
    const pieces = this.#pieces;
    this.clear();
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
  }

  clear(): void {
    this.#pieces = [];
    this.#bytes = 0;
    this.#memoryBytes = 0;
    this.#tail = nothing;
    this.#filled = 0;
  }

  #copy(piece: Buffer): void {
    for (let at = 0; at < piece.length; ) {
      if (this.#filled === this.#tail.length) {
        this.#endTail();
        // It grows with what has come.
        const bytes = Math.min(Math.max(tailBytesMin, this.#bytes), tailBytesMax);
        this.#tail = Buffer.allocUnsafeSlow(bytes);
        this.#memoryBytes += bytes;
      }
      const copied = piece.copy(this.#tail, this.#filled, at);
      this.#filled += copied;
      at += copied;
    }
  }

  /** What follows begins behind it in the same memory. */
  #endTail(): void {
    if (this.#filled === 0) return;
    this.#pieces.push(this.#tail.subarray(0, this.#filled));
    this.#tail = this.#tail.subarray(this.#filled);
    this.#filled = 0;
  }
}

const nothing = Buffer.alloc(0);
const pieceObjectBytes = 128;
const largeBytesMin = 4096;
const tailBytesMin = 512;
const tailBytesMax = 64 * 1024;
