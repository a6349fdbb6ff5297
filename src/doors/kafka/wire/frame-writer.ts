import { asBuffer } from '../../../bytes/index.ts';

/** Record bytes from this size on are referred to by the frame, smaller ones are copied into it. */
const referencedBytesMin = 2048;

/**
 * The memory in which the generated writers put a frame together: what they write themselves goes into one growing
 * buffer, and large record batches are spliced in between by reference.
 */
export class FrameWriter {
  buffer: Buffer;
  position: number;
  /** Positions in `buffer` where the slices of the same index come in. */
  readonly #cuts: number[] = [];
  readonly #spliced: Uint8Array[] = [];
  #splicedBytes = 0;

  /** Begins behind `reservedBytes`, which are the caller's to fill. */
  constructor(reservedBytes: number) {
    this.buffer = Buffer.allocUnsafe(512);
    this.position = reservedBytes;
  }

  /** Returns a buffer with the first `used` bytes of the present one and room for `more`. */
  grow(used: number, more: number): Buffer {
    const larger = Buffer.allocUnsafe(Math.max(used + more, this.buffer.length * 2));
    this.buffer.copy(larger, 0, 0, used);
    this.buffer = larger;
    return larger;
  }

  /**
   * Puts `value` at `position` and returns the position to go on from; the generated code takes `buffer` anew after
   * it. Slices that are referred to must not change until the frame has left.
   */
  put(position: number, value: Uint8Array | readonly Uint8Array[]): number {
    if (value instanceof Uint8Array) return this.#putSlice(position, value);
    let at = position;
    for (let index = 0; index < value.length; index++) at = this.#putSlice(at, value[index]!);
    return at;
  }

  /** The total of bytes so far. */
  get length(): number {
    return this.position + this.#splicedBytes;
  }

  /** The frame's slices in order. */
  slices(): Uint8Array[] {
    const { buffer, position } = this;
    const slices: Uint8Array[] = [];
    let start = 0;
    for (let index = 0; index < this.#cuts.length; index++) {
      const cut = this.#cuts[index]!;
      if (cut > start) slices.push(buffer.subarray(start, cut));
      slices.push(this.#spliced[index]!);
      start = cut;
    }
    if (position > start) slices.push(buffer.subarray(start, position));
    return slices;
  }

  #putSlice(position: number, slice: Uint8Array): number {
    if (slice.length >= referencedBytesMin) {
      this.#cuts.push(position);
      this.#spliced.push(slice);
      this.#splicedBytes += slice.length;
      return position;
    }
    if (position + slice.length > this.buffer.length) this.grow(position, slice.length);
    asBuffer(slice).copy(this.buffer, position);
    return position + slice.length;
  }
}
