/**
 * Reuses the large buffers in which frames are assembled: a busy producer would otherwise make the garbage collector
 * free its whole throughput a second time.
 */
export class BufferPool {
  readonly #bytesMax: number;
  readonly #classes: Uint8Array[][] = [];
  #bytes = 0;

  /** `bytesMax`: what may lie here unused. */
  constructor(bytesMax = 32 * 1024 * 1024) {
    this.#bytesMax = bytesMax;
    for (let size = sizeMin; size <= sizeMax; size *= 2) this.#classes.push([]);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** A buffer of at least `length` bytes with undefined content. */
  take(length: number): Uint8Array {
    if (length < sizeMin || length > sizeMax) return Buffer.allocUnsafeSlow(length);
    const index = classOf(length);
    const buffer = this.#classes[index]?.pop();
    if (buffer === undefined) return Buffer.allocUnsafeSlow(sizeMin << index);
    this.#bytes -= buffer.length;
    return buffer;
  }

  /** Nobody may use `buffer`, or any slice of it, after this. Buffers that did not come from `take` are ignored. */
  give(buffer: Uint8Array): void {
    const length = buffer.buffer.byteLength;
    if (buffer.length !== length || length < sizeMin || length > sizeMax) return;
    if (this.#bytes + length > this.#bytesMax) return;
    const index = classOf(length);
    if (length !== sizeMin << index) return;
    this.#classes[index]?.push(buffer);
    this.#bytes += length;
  }
}

const sizeMin = 64 * 1024;
const sizeMax = 8 * 1024 * 1024;

function classOf(length: number): number {
  return Math.max(0, 32 - Math.clz32(length - 1) - 16);
}
