import { ProtocolError } from '../../../base/index.ts';
import type { ByteReader, ByteWriter } from '../../../bytes/index.ts';

/** 32 bits for each of the words, then one word that counts the bits that are set. */
type Block = Uint32Array<ArrayBuffer>;

const blockWords = 64;
const blockBits = blockWords * 32;
/** Stands for every block whose bits are all set: they take no memory. */
const full: Block = new Uint32Array(0);

const storedAs = { missing: 0, full: 1, bits: 2, runs: 3 } as const;
/** A block is stored as runs while that takes fewer bytes than its bits in most cases. */
const storedRunsMax = 80;

/**
 * A set of offsets that holds everything below its floor, and of what lies above as little as a bit each: what a queue
 * has settled. The floor moves up by itself. Adding in order takes no memory at all.
 */
export class OffsetSet {
  #floor: number;
  #countAbove = 0;
  /** Blocks from that of the floor on; undefined where nothing is set. Bits below the floor are set. */
  #blocks: Array<Block | undefined> = [];
  /** Blocks at the beginning of `#blocks` that lie below the floor. */
  #passed = 0;
  /** Number (offset / blockBits) of `#blocks[0]`. */
  #base = 0;

  constructor(floor = 0) {
    this.#floor = floor;
  }

  /** Everything below is in the set; the floor itself is not. */
  get floor(): number {
    return this.#floor;
  }

  /** How many offsets above the floor are in the set. */
  get countAbove(): number {
    return this.#countAbove;
  }

  /** One more than the greatest offset in the set. */
  get end(): number {
    if (this.#countAbove === 0) return this.#floor;
    for (let index = this.#blocks.length - 1; index >= this.#passed; index--) {
      const block = this.#blocks[index];
      const first = (this.#base + index) * blockBits;
      if (block === full) return first + blockBits;
      if (block === undefined) continue;
      for (let word = blockWords - 1; word >= 0; word--) {
        const bits = block[word]!;
        if (bits !== 0) return first + word * 32 + 32 - Math.clz32(bits);
      }
    }
    return this.#floor;
  }

  get memoryBytes(): number {
    let bytes = 64 + this.#blocks.length * 8;
    for (let index = this.#passed; index < this.#blocks.length; index++) {
      const block = this.#blocks[index];
      if (block !== undefined && block !== full) bytes += (blockWords + 1) * 4 + 200;
    }
    return bytes;
  }

  has(offset: number): boolean {
    if (offset < this.#floor) return true;
    const number = Math.floor(offset / blockBits);
    const block = this.#blocks[number - this.#base];
    if (block === undefined) return false;
    if (block === full) return true;
    const bit = offset - number * blockBits;
    return (block[bit >>> 5]! & (1 << (bit & 31))) !== 0;
  }

  /** False when it was in the set already. */
  add(offset: number): boolean {
    if (offset < this.#floor) return false;
    if (offset === this.#floor && this.#countAbove === 0 && this.#blocks.length === 0) {
      this.#floor++;
      return true;
    }
    const number = Math.floor(offset / blockBits);
    const block = this.#open(number);
    if (block === full) return false;
    const bit = offset - number * blockBits;
    const mask = 1 << (bit & 31);
    if ((block[bit >>> 5]! & mask) !== 0) return false;
    block[bit >>> 5]! |= mask;
    if (++block[blockWords]! === blockBits) this.#blocks[number - this.#base] = full;
    this.#countAbove++;
    if (offset === this.#floor) this.#advance(offset);
    return true;
  }

  /** Adds the offsets from `from` to `to` − 1 and returns how many of them are new. */
  addRange(from: number, to: number): number {
    if (to <= this.#floor || from >= to) return 0;
    if (from <= this.#floor) return this.raiseFloor(to);
    const before = this.#countAbove;
    for (let at = from; at < to; ) {
      const number = Math.floor(at / blockBits);
      const first = number * blockBits;
      const end = Math.min(to, first + blockBits);
      if (end - at === blockBits) this.#fillBlock(number);
      else this.#setBits(number, at - first, end - first);
      at = end;
    }
    return this.#countAbove - before;
  }

  /** Adds everything below `to` and returns how many of it are new. */
  raiseFloor(to: number): number {
    if (to <= this.#floor) return 0;
    const known = this.countIn(this.#floor, to);
    const added = to - this.#floor - known;
    this.#countAbove -= known;
    this.#floor = to;
    if (this.#countAbove === 0) {
      this.#clear();
      return added;
    }
    this.#dropPassed();
    // Bits below the floor count as set, or the floor's block would never become full.
    const number = Math.floor(to / blockBits);
    const block = this.#blocks[number - this.#base];
    if (block !== undefined && block !== full) {
      const counted = this.#countAbove;
      this.#setBits(number, 0, to - number * blockBits);
      this.#countAbove = counted;
    }
    if (this.has(to)) this.#advance(to);
    return added;
  }

  /** The least offset from `from` on that is not in the set. */
  nextMissing(from: number): number {
    if (from < this.#floor) return this.#floor;
    let number = Math.floor(from / blockBits);
    let bit = from - number * blockBits;
    for (; ; number++, bit = 0) {
      const block = this.#blocks[number - this.#base];
      if (block === undefined) return number * blockBits + bit;
      if (block === full) continue;
      let word = bit >>> 5;
      let missing = ~block[word]! & (-1 << (bit & 31));
      while (missing === 0 && ++word < blockWords) missing = ~block[word]!;
      if (missing !== 0) return number * blockBits + word * 32 + lowestBit(missing);
    }
  }

  /** The least offset from `from` on, above the floor, that is in the set; Infinity when there is none. */
  nextPresent(from: number): number {
    if (from < this.#floor) return from;
    let number = Math.floor(from / blockBits);
    let bit = from - number * blockBits;
    for (; number - this.#base < this.#blocks.length; number++, bit = 0) {
      const block = this.#blocks[number - this.#base];
      if (block === undefined) continue;
      if (block === full) return number * blockBits + bit;
      let word = bit >>> 5;
      let present = block[word]! & (-1 << (bit & 31));
      while (present === 0 && ++word < blockWords) present = block[word]!;
      if (present !== 0) return number * blockBits + word * 32 + lowestBit(present);
    }
    return Number.POSITIVE_INFINITY;
  }

  /** How many of the offsets from `from` to `to` − 1 are in the set. */
  countIn(from: number, to: number): number {
    if (from >= to) return 0;
    let count = Math.max(0, Math.min(to, this.#floor) - from);
    const last = (this.#base + this.#blocks.length) * blockBits;
    const end = Math.min(to, last);
    for (let at = Math.max(from, this.#floor); at < end; ) {
      const number = Math.floor(at / blockBits);
      const first = number * blockBits;
      const stop = Math.min(end, first + blockBits);
      const block = this.#blocks[number - this.#base];
      if (block === full) count += stop - at;
      else if (block !== undefined) count += countBits(block, at - first, stop - first);
      at = stop;
    }
    return count;
  }

  /** Forgets everything from `offset` on; a floor above it comes down to it. */
  rewind(offset: number): void {
    if (offset <= this.#floor) {
      this.#floor = offset;
      this.#clear();
      return;
    }
    this.#countAbove = this.countIn(this.#floor, offset);
    const number = Math.floor(offset / blockBits);
    const index = number - this.#base;
    if (this.#countAbove === 0) {
      this.#clear();
      return;
    }
    if (index >= this.#blocks.length) return;
    const bit = offset - number * blockBits;
    const block = this.#blocks[index];
    this.#blocks.length = bit === 0 ? index : index + 1;
    if (bit === 0 || block === undefined) return;
    const kept = newBlock(0);
    setRange(kept, 0, bit);
    if (block !== full) {
      for (let word = 0; word < blockWords; word++) kept[word]! &= block[word]!;
    }
    kept[blockWords] = countBits(kept, 0, blockBits);
    this.#blocks[index] = kept;
  }

  /**
   * varlong floor; unsigned varint count of blocks; then runs of blocks: u8 kind, and for `missing` and `full` an unsigned
   * varint of how many, for `bits` the words, for `runs` a count and the lengths of stretches that are in turn not set and
   * set, the last one left out. The first block is that of the floor.
   */
  encodeTo(writer: ByteWriter): void {
    writer.varlong(this.#floor);
    if (this.#countAbove === 0) {
      writer.unsignedVarint(0);
      return;
    }
    const first = Math.floor(this.#floor / blockBits) - this.#base;
    let { length } = this.#blocks;
    while (length > first && this.#blocks[length - 1] === undefined) length--;
    writer.unsignedVarint(length - first);
    for (let index = first; index < length; ) {
      const block = this.#blocks[index];
      let next = index + 1;
      if (block === undefined || block === full) {
        while (next < length && this.#blocks[next] === block) next++;
        writer.uint8(block === full ? storedAs.full : storedAs.missing);
        writer.unsignedVarint(next - index);
      } else {
        encodeBlock(writer, block);
      }
      index = next;
    }
  }

  static decode(reader: ByteReader): OffsetSet {
    const set = new OffsetSet(reader.varlong());
    const count = reader.unsignedVarint();
    set.#base = Math.floor(set.#floor / blockBits);
    while (set.#blocks.length < count) {
      const kind = reader.uint8();
      if (kind === storedAs.missing || kind === storedAs.full) {
        const run = reader.unsignedVarint();
        if (run > count - set.#blocks.length) throw new ProtocolError('Too many blocks of offsets');
        for (let index = 0; index < run; index++)
          set.#blocks.push(kind === storedAs.full ? full : undefined);
      } else {
        set.#blocks.push(decodeBlock(reader, kind));
      }
    }
    set.#countAbove = set.countIn(set.#floor, (set.#base + count) * blockBits);
    return set;
  }

  #clear(): void {
    this.#blocks = [];
    this.#passed = 0;
    this.#countAbove = 0;
  }

  /** The block of that number, made when it is not there yet. */
  #open(number: number): Block {
    const index = this.#indexOf(number);
    const known = this.#blocks[index];
    if (known !== undefined) return known;
    const block = newBlock(0);
    const first = number * blockBits;
    if (first < this.#floor) {
      setRange(block, 0, this.#floor - first);
      block[blockWords] = this.#floor - first;
    }
    this.#blocks[index] = block;
    return block;
  }

  /** Where the block of that number is, with room made for it. */
  #indexOf(number: number): number {
    if (this.#blocks.length === 0) this.#base = Math.floor(this.#floor / blockBits);
    const index = number - this.#base;
    while (this.#blocks.length <= index) this.#blocks.push(undefined);
    return index;
  }

  #fillBlock(number: number): void {
    const index = this.#indexOf(number);
    const block = this.#blocks[index];
    if (block === full) return;
    this.#countAbove += blockBits - (block?.[blockWords] ?? 0);
    this.#blocks[index] = full;
  }

  #setBits(number: number, from: number, to: number): void {
    const block = this.#open(number);
    if (block === full) return;
    const added = to - from - countBits(block, from, to);
    setRange(block, from, to);
    block[blockWords]! += added;
    this.#countAbove += added;
    if (blockBits === block[blockWords]) this.#blocks[number - this.#base] = full;
  }

  /** The floor is in the set, and counted: it goes to what is missing next. */
  #advance(floor: number): void {
    const next = this.nextMissing(floor);
    this.#countAbove -= next - floor;
    this.#floor = next;
    this.#dropPassed();
  }

  #dropPassed(): void {
    const index = Math.floor(this.#floor / blockBits) - this.#base;
    if (index >= this.#blocks.length) {
      this.#blocks = [];
      this.#passed = 0;
      return;
    }
    while (this.#passed < index) this.#blocks[this.#passed++] = undefined;
    // Taking them off at once would move all the others each time.
    if (this.#passed > 16 && this.#passed > this.#blocks.length / 2) {
      this.#blocks.splice(0, this.#passed);
      this.#base += this.#passed;
      this.#passed = 0;
    }
  }
}

function newBlock(count: number): Block {
  const block = new Uint32Array(blockWords + 1);
  block[blockWords] = count;
  return block;
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

/** The bits of one word that lie in `[from, to)`, which count from the word's own beginning. */
function wordMask(from: number, to: number): number {
  const low = from <= 0 ? -1 : -1 << from;
  return to >= 32 ? low : low & ~(-1 << to);
}

/** Sets the bits without counting them. */
function setRange(block: Block, from: number, to: number): void {
  for (let word = from >>> 5; word * 32 < to; word++)
    block[word]! |= wordMask(from - word * 32, to - word * 32);
}

function countBits(block: Block, from: number, to: number): number {
  let count = 0;
  for (let word = from >>> 5; word * 32 < to; word++)
    count += bitCount(block[word]! & wordMask(from - word * 32, to - word * 32));
  return count;
}

function bitCount(bits: number): number {
  let rest = bits - ((bits >>> 1) & 0x55555555);
  rest = (rest & 0x33333333) + ((rest >>> 2) & 0x33333333);
  return Math.imul((rest + (rest >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

function isSet(block: Block, bit: number): boolean {
  return (block[bit >>> 5]! & (1 << (bit & 31))) !== 0;
}

function encodeBlock(writer: ByteWriter, block: Block): void {
  let runs = isSet(block, 0) ? 1 : 0;
  for (let bit = 1; bit < blockBits; bit++) if (isSet(block, bit) !== isSet(block, bit - 1)) runs++;
  if (runs > storedRunsMax) {
    writer.uint8(storedAs.bits);
    for (let word = 0; word < blockWords; word++) writer.uint32(block[word]!);
    return;
  }
  writer.uint8(storedAs.runs);
  writer.unsignedVarint(runs);
  let from = 0;
  let isInSet = false;
  for (let bit = 0; bit < blockBits; bit++) {
    if (isSet(block, bit) === isInSet) continue;
    writer.unsignedVarint(bit - from);
    from = bit;
    isInSet = !isInSet;
  }
}

function decodeBlock(reader: ByteReader, kind: number): Block {
  const block = newBlock(0);
  if (kind === storedAs.bits) {
    for (let word = 0; word < blockWords; word++) block[word] = reader.uint32();
  } else if (kind === storedAs.runs) {
    let at = 0;
    let isInSet = false;
    for (let runs = reader.unsignedVarint(); runs >= 0; runs--) {
      const end = runs === 0 ? blockBits : at + reader.unsignedVarint();
      if (end > blockBits) throw new ProtocolError('A run of offsets leaves its block');
      if (isInSet) setRange(block, at, end);
      at = end;
      isInSet = !isInSet;
    }
  } else {
    throw new ProtocolError(`A block of offsets is stored in an unknown way: ${kind}`);
  }
  block[blockWords] = countBits(block, 0, blockBits);
  return block;
}
