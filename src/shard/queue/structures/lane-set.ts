import { assert, ProtocolError } from '../../../base/index.ts';
import type { ByteReader, ByteWriter } from '../../../bytes/index.ts';
import { LaneBlock } from './lane-block.ts';

/** The blocks of one rank, in order; those before `start` are used up and gone. */
interface Lane {
  blocks: Array<LaneBlock | undefined>;
  start: number;
}

const ranksMax = 65_536;

/**
 * Messages that were never delivered, of a queue with priorities: for each rank the offsets in order, as runs. One or
 * two bytes for each run. Adding in order and taking the first are cheap; anything else writes a block of some hundred
 * runs anew.
 *
 * `first()` leaves what it found in `rank` and `offset`.
 */
export class LaneSet {
  rank = 0;
  offset = 0;
  #count = 0;
  /** By rank. */
  #lanes: Array<Lane | undefined> = [];
  /** No rank below it has messages. */
  #lowest = 0;

  get count(): number {
    return this.#count;
  }

  get memoryBytes(): number {
    let bytes = 96 + this.#lanes.length * 8;
    for (const lane of this.#lanes) {
      if (lane === undefined) continue;
      bytes += 100 + lane.blocks.length * 8;
      for (let index = lane.start; index < lane.blocks.length; index++)
        bytes += lane.blocks[index]!.memoryBytes;
    }
    return bytes;
  }

  /** Adds `count` offsets from `firstOffset` on, none of which is in the set. */
  add(rank: number, firstOffset: number, count: number): void {
    assert(rank < ranksMax && count > 0, 'a run of no rank, or of nothing');
    while (this.#lanes.length <= rank) this.#lanes.push(undefined);
    this.#lowest = Math.min(this.#lowest, rank);
    this.#count += count;
    const lane = (this.#lanes[rank] ??= { blocks: [], start: 0 });
    let last = lane.blocks.at(-1);
    if (last !== undefined && last.end > firstOffset) {
      insertRun(lane, firstOffset, count);
      return;
    }
    if (last === undefined || last.isFull) {
      last = new LaneBlock();
      lane.blocks.push(last);
    }
    last.add(firstOffset, count);
  }

  /** Finds the message below `limit` that comes first; false when there is none. */
  first(limit = Number.POSITIVE_INFINITY): boolean {
    if (this.#count === 0) return false;
    while (this.#lanes[this.#lowest] === undefined) this.#lowest++;
    // The newest of one rank may be out of reach while older ones of another are not.
    for (let rank = this.#lowest; rank < this.#lanes.length; rank++) {
      const lane = this.#lanes[rank];
      const block = lane?.blocks[lane.start];
      if (block === undefined || block.first >= limit) continue;
      this.rank = rank;
      this.offset = block.first;
      return true;
    }
    return false;
  }

  /** Removes the first message of a rank that has one: the one that `first()` has found. */
  removeFirst(rank = this.rank): void {
    assert(this.#lanes[rank] !== undefined, 'the lane is empty');
    this.#removeFirst(rank, 1);
  }

  /** The rank under which an offset is in the set, or -1. */
  find(offset: number): number {
    if (this.#count === 0) return -1;
    for (const [rank, lane] of this.#lanes.entries()) {
      if (lane === undefined) continue;
      const block = lane.blocks[searchBlocks(lane, offset)]!;
      if (block.first > offset || block.end <= offset) continue;
      let isHere = false;
      block.forEach((first, count) => {
        isHere ||= first <= offset && offset < first + count;
        return first <= offset && !isHere;
      });
      if (isHere) return rank;
    }
    return -1;
  }

  /** False when it is not in the set. */
  remove(offset: number): boolean {
    return this.removeRange(offset, offset + 1) > 0;
  }

  /** Removes the offsets from `from` to `to` − 1 and returns how many there were. */
  removeRange(from: number, to: number): number {
    if (this.#count === 0) return 0;
    const before = this.#count;
    for (const [rank, lane] of this.#lanes.entries()) {
      if (lane === undefined) continue;
      for (;;) {
        const block = lane.blocks[lane.start];
        if (block === undefined || block.first < from || block.first >= to) break;
        this.#removeFirst(rank, Math.min(block.firstCount, to - block.first));
      }
      if (this.#lanes[rank] === lane) this.#count -= cutRange(lane, from, to);
      if (lane.start === lane.blocks.length) this.#lanes[rank] = undefined;
    }
    return before - this.#count;
  }

  /** Visits the runs, by rank and in order, until `visit` returns false. The set must not change meanwhile. */
  forEach(visit: (rank: number, firstOffset: number, count: number) => boolean | void): void {
    for (const [rank, lane] of this.#lanes.entries()) {
      if (lane === undefined) continue;
      for (let index = lane.start; index < lane.blocks.length; index++) {
        const block = lane.blocks[index]!;
        if (!block.forEach((offset, count) => visit(rank, offset, count))) return;
      }
    }
  }

  clear(): void {
    this.#lanes = [];
    this.#lowest = 0;
    this.#count = 0;
  }

  /** Gives back memory that is not used; for a queue that has nothing to do. */
  trim(): void {
    if (this.#count === 0) this.clear();
  }

  /**
   * Per rank with messages: unsigned varint rank + 1; then per run, in order, varlong gap to the run before (first: to 0)
   * plus 1, and varlong length; a 0. A 0 at the end.
   */
  encodeTo(writer: ByteWriter): void {
    for (const [rank, lane] of this.#lanes.entries()) {
      if (lane === undefined) continue;
      writer.unsignedVarint(rank + 1);
      let end = 0;
      for (let index = lane.start; index < lane.blocks.length; index++) {
        lane.blocks[index]!.forEach((offset, count) => {
          writer.varlong(offset - end + 1);
          writer.varlong(count);
          end = offset + count;
        });
      }
      writer.varlong(0);
    }
    writer.unsignedVarint(0);
  }

  static decode(reader: ByteReader): LaneSet {
    const set = new LaneSet();
    for (let rank = reader.unsignedVarint(); rank > 0; rank = reader.unsignedVarint()) {
      if (rank > ranksMax) throw new ProtocolError(`A rank of ${rank - 1} is too large`);
      let end = 0;
      for (let gap = reader.varlong(); gap !== 0; gap = reader.varlong()) {
        const count = reader.varlong();
        if (gap < 0 || count <= 0) throw new ProtocolError('Runs of offsets are not in order');
        set.add(rank - 1, end + gap - 1, count);
        end += gap - 1 + count;
      }
    }
    return set;
  }

  /** Removes the first `count` offsets of a rank, which are of one run. */
  #removeFirst(rank: number, count: number): void {
    const lane = this.#lanes[rank]!;
    const block = lane.blocks[lane.start]!;
    block.removeFirst(count);
    this.#count -= count;
    if (block.count > 0) return;
    lane.blocks[lane.start++] = undefined;
    if (lane.start === lane.blocks.length) {
      this.#lanes[rank] = undefined;
    } else if (lane.start > 32 && lane.start * 2 > lane.blocks.length) {
      // Taking them off one by one would move all the others each time.
      lane.blocks.splice(0, lane.start);
      lane.start = 0;
    }
  }
}

/** The last block that begins at or before the offset, or else the first; the lane is not empty. */
function searchBlocks(lane: Lane, offset: number): number {
  let low = lane.start;
  let high = lane.blocks.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (lane.blocks[middle]!.first <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Adds a run that is not the last one. */
function insertRun(lane: Lane, offset: number, count: number): void {
  const index = searchBlocks(lane, offset);
  // Halves have room for what comes later; one full block and the rest would have none.
  const rebuilt = new BlockWriter(lane.blocks[index]!.isFull);
  let isAdded = false;
  lane.blocks[index]!.forEach((first, length) => {
    if (!isAdded && first > offset) {
      rebuilt.add(offset, count);
      isAdded = true;
    }
    rebuilt.add(first, length);
  });
  if (!isAdded) rebuilt.add(offset, count);
  lane.blocks.splice(index, 1, ...rebuilt.blocks);
}

/** Removes a range from all blocks but the beginning of the first, and returns how many offsets were in it. */
function cutRange(lane: Lane, from: number, to: number): number {
  let removed = 0;
  if (lane.start === lane.blocks.length) return 0;
  for (let index = searchBlocks(lane, from); index < lane.blocks.length; ) {
    const block = lane.blocks[index]!;
    if (block.first >= to) break;
    if (block.end <= from) {
      index++;
      continue;
    }
    const rebuilt = new BlockWriter(false);
    block.forEach((first, length) => {
      const end = first + length;
      if (first < from) rebuilt.add(first, Math.min(end, from) - first);
      if (end > to) rebuilt.add(Math.max(first, to), end - Math.max(first, to));
    });
    removed += block.count - rebuilt.count;
    lane.blocks.splice(index, 1, ...rebuilt.blocks);
    index += rebuilt.blocks.length;
  }
  return removed;
}

/** Puts runs, in order, into as many blocks as they need. */
class BlockWriter {
  readonly blocks: LaneBlock[] = [];
  count = 0;
  readonly #fillsHalf: boolean;

  constructor(fillsHalf: boolean) {
    this.#fillsHalf = fillsHalf;
  }

  add(offset: number, count: number): void {
    let last = this.blocks.at(-1);
    if (last === undefined || (this.#fillsHalf ? last.isHalfFull : last.isFull)) {
      last = new LaneBlock();
      this.blocks.push(last);
    }
    last.add(offset, count);
    this.count += count;
  }
}
