import { ProtocolError } from '../base/index.ts';
import type { BufferPool } from './buffer-pool.ts';

/**
 * Cuts a byte stream into frames with a 4-byte big-endian length in front. A frame that lies wholly in one chunk is
 * given out as a slice of it; others are assembled in a buffer that grows with what has arrived, because a length
 * alone is only a claim.
 */
export class LengthPrefixedFrames {
  #frameBytesMax: number;
  readonly #pool: BufferPool;
  /** Chunks that are not wholly consumed; more than one only when data come while the owner has stopped reading. */
  readonly #chunks: Uint8Array[] = [];
  #position = 0;
  #pendingBytes = 0;
  #header = 0;
  #headerBytes = 0;
  /** Of the frame whose header was read; -1: none. */
  #length = -1;
  #assembly: Uint8Array | undefined;
  #filled = 0;
  #count = 0;
  #assembled: Uint8Array | undefined;

  constructor(frameBytesMax: number, pool: BufferPool) {
    this.#frameBytesMax = frameBytesMax;
    this.#pool = pool;
  }

  /** Memory that waits here for the rest of a frame, or for the owner to go on. */
  get heldBytes(): number {
    return this.#pendingBytes + (this.#assembly === undefined ? 0 : this.#assembly.length);
  }

  /** A frame has begun and its end has not arrived. */
  get isMidFrame(): boolean {
    return this.#headerBytes > 0 || this.#length >= 0;
  }

  /** Frames given out so far. */
  get count(): number {
    return this.#count;
  }

  /** From the next frame on. */
  allow(frameBytesMax: number): void {
    this.#frameBytesMax = frameBytesMax;
  }

  /** `chunk` is kept until its frames have been taken. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#pendingBytes += chunk.length;
  }

  /**
   * The next whole frame, or undefined when more bytes are needed.
   * Throws a ProtocolError on a negative length or one beyond the limit; the stream is of no use after that.
   */
  next(): Uint8Array | undefined {
    this.#assembled = undefined;
    for (;;) {
      const chunk = this.#chunks[0];
      if (chunk === undefined) return this.#length === 0 ? this.#finish(emptyFrame) : undefined;
      if (this.#length < 0 && !this.#readHeader(chunk)) continue;
      const available = chunk.length - this.#position;
      if (this.#assembly === undefined && available >= this.#length) {
        const start = this.#position;
        this.#advance(chunk, this.#length);
        return this.#finish(chunk.subarray(start, start + this.#length));
      }
      if (available > 0) this.#assemble(chunk, available);
      const assembly = this.#assembly;
      if (assembly !== undefined && this.#filled === this.#length) {
        this.#assembled = assembly;
        this.#assembly = undefined;
        return this.#finish(assembly.subarray(0, this.#filled));
      }
    }
  }

  /** Takes the buffer of the last frame, if it was assembled: whoever does may give it back to the pool later. */
  takeAssembled(): Uint8Array | undefined {
    const assembled = this.#assembled;
    this.#assembled = undefined;
    return assembled;
  }

  /** Drops everything that is held. */
  discard(): void {
    this.#chunks.length = 0;
    this.#pendingBytes = 0;
    this.#position = 0;
    this.#assembly = undefined;
    this.#assembled = undefined;
  }

  /** True when the header is complete and `chunk` has bytes left. */
  #readHeader(chunk: Uint8Array): boolean {
    while (this.#headerBytes < 4) {
      // The position is inside the chunk: a chunk without bytes left is dropped at once.
      this.#header = (this.#header << 8) | chunk[this.#position]!;
      this.#headerBytes += 1;
      this.#advance(chunk, 1);
      if (this.#chunks[0] !== chunk && this.#headerBytes < 4) return false;
    }
    if (this.#header < 0) throw new ProtocolError(`negative frame length ${this.#header}`);
    if (this.#header > this.#frameBytesMax) {
      throw new ProtocolError(
        `frame of ${this.#header} bytes; at most ${this.#frameBytesMax} are allowed`,
      );
    }
    this.#length = this.#header;
    this.#header = 0;
    this.#headerBytes = 0;
    return this.#chunks[0] === chunk;
  }

  #assemble(chunk: Uint8Array, available: number): void {
    const bytes = Math.min(available, this.#length - this.#filled);
    const needed = this.#filled + bytes;
    let assembly = this.#assembly;
    if (assembly === undefined || assembly.length < needed) {
      const grown = this.#pool.take(
        Math.min(this.#length, Math.max(growthBytesMin, needed * growthFactor)),
      );
      if (assembly !== undefined) {
        grown.set(assembly.subarray(0, this.#filled));
        this.#pool.give(assembly);
      }
      assembly = grown;
      this.#assembly = grown;
    }
    assembly.set(chunk.subarray(this.#position, this.#position + bytes), this.#filled);
    this.#filled = needed;
    this.#advance(chunk, bytes);
  }

  #advance(chunk: Uint8Array, bytes: number): void {
    this.#position += bytes;
    this.#pendingBytes -= bytes;
    if (this.#position === chunk.length) {
      this.#chunks.shift();
      this.#position = 0;
    }
  }

  #finish(frame: Uint8Array): Uint8Array {
    this.#length = -1;
    this.#filled = 0;
    this.#count += 1;
    return frame;
  }
}

const emptyFrame = new Uint8Array(0);
const growthBytesMin = 4096;
/** Memory set aside for a frame, as a multiple of what has arrived: a peer must send 1/16 of what it makes us hold. */
const growthFactor = 16;
