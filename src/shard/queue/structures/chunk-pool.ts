/** Chunks of one slab; the first slab begins smaller and grows to it. */
const slabChunks = 4096;
const slabChunksMin = 4;
const none = -1;

/**
 * Small pieces of memory of one size, which are linked to chains: byte strings that grow at their end without being
 * moved, a great many of them, without an object for each piece.
 */
export class ChunkPool {
  readonly chunkBytes: number;
  #slabs: Array<Uint8Array<ArrayBuffer>> = [];
  #capacity = 0;
  #used = 0;
  /** Chunks that were never used begin here. */
  #fresh = 0;
  #free = none;
  #next = new Int32Array(0);
  #fills = new Uint16Array(0);

  constructor(chunkBytes: number) {
    this.chunkBytes = chunkBytes;
  }

  /** Chunks in use. */
  get used(): number {
    return this.#used;
  }

  /** Whether so little is in use that copying it to a new pool is worth while. */
  get isSparse(): boolean {
    return this.#capacity > 64 && this.#used * 4 < this.#capacity;
  }

  get memoryBytes(): number {
    return this.#capacity * (this.chunkBytes + 6) + this.#slabs.length * 200;
  }

  /** A chunk that is empty and the last of its chain. */
  allocate(): number {
    let chunk = this.#free;
    if (chunk === none) {
      if (this.#fresh === this.#capacity) this.#grow();
      chunk = this.#fresh++;
    } else {
      this.#free = this.#next[chunk]!;
    }
    this.#next[chunk] = none;
    this.#fills[chunk] = 0;
    this.#used++;
    return chunk;
  }

  /** Gives one chunk back and returns the one that followed it, or -1. */
  release(chunk: number): number {
    const following = this.#next[chunk]!;
    this.#next[chunk] = this.#free;
    this.#free = chunk;
    this.#used--;
    if (this.#used === 0) this.#clear();
    return following;
  }

  releaseChain(first: number): void {
    for (let chunk = first; chunk !== none; ) chunk = this.release(chunk);
  }

  // `!` below: the caller has the chunk from this pool.

  next(chunk: number): number {
    return this.#next[chunk]!;
  }

  link(chunk: number, following: number): void {
    this.#next[chunk] = following;
  }

  /** Bytes of the chunk that are written. */
  fill(chunk: number): number {
    return this.#fills[chunk]!;
  }

  setFill(chunk: number, bytes: number): void {
    this.#fills[chunk] = bytes;
  }

  /** The memory that the chunk lies in, good until the next `allocate`. */
  memory(chunk: number): Uint8Array {
    return this.#slabs[Math.floor(chunk / slabChunks)]!;
  }

  /** Where the chunk begins in its memory. */
  start(chunk: number): number {
    return (chunk % slabChunks) * this.chunkBytes;
  }

  #clear(): void {
    // A few chunks stay: one message after the other would else allocate each time.
    this.#free = none;
    this.#fresh = 0;
    if (this.#capacity <= slabChunksMin) return;
    this.#slabs = [];
    this.#capacity = 0;
    this.#next = new Int32Array(0);
    this.#fills = new Uint16Array(0);
  }

  #grow(): void {
    const before = this.#slabs.at(-1);
    if (this.#capacity < slabChunks) {
      this.#capacity = Math.max(slabChunksMin, this.#capacity * 2);
      const slab = new Uint8Array(this.#capacity * this.chunkBytes);
      if (before !== undefined) slab.set(before);
      this.#slabs = [slab];
    } else {
      this.#slabs.push(new Uint8Array(slabChunks * this.chunkBytes));
      this.#capacity += slabChunks;
    }
    if (this.#capacity <= this.#next.length) return;
    const length = Math.max(this.#capacity, Math.floor(this.#next.length * 1.5));
    const next = new Int32Array(length);
    next.set(this.#next);
    this.#next = next;
    const fills = new Uint16Array(length);
    fills.set(this.#fills);
    this.#fills = fills;
  }
}
