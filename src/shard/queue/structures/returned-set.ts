import { assert, present, ProtocolError } from '../../../base/index.ts';
import type { ByteReader, ByteWriter } from '../../../bytes/index.ts';
import { ReturnedRun } from './returned-run.ts';

/** The runs of one rank, in order; those before `start` are used up and gone. */
interface Lane {
  runs: Array<ReturnedRun | undefined>;
  start: number;
}

const ranksMax = 65_536;

/**
 * Messages that can be delivered and lie before the cursor: given back, or come due. Ordered by rank, then offset;
 * about 12 to 20 bytes a message. What was never delivered has 0 deliveries.
 *
 * `first()` and `find()` leave what they found in `rank`, `offset`, `bodyBytes`, `deliveries` and `failures`.
 */
export class ReturnedSet {
  rank = 0;
  offset = 0;
  bodyBytes = 0;
  deliveries = 0;
  failures = 0;
  #count = 0;
  #bytes = 0;
  /** By rank. */
  #lanes: Array<Lane | undefined> = [];
  /** No rank below it has messages. */
  #lowest = 0;

  get count(): number {
    return this.#count;
  }

  /** Body bytes of all messages. */
  get bytes(): number {
    return this.#bytes;
  }

  get memoryBytes(): number {
    let bytes = 128 + this.#lanes.length * 8;
    for (const lane of this.#lanes) {
      if (lane === undefined) continue;
      bytes += 100 + lane.runs.length * 8;
      for (let index = lane.start; index < lane.runs.length; index++)
        bytes += lane.runs[index]!.memoryBytes;
    }
    return bytes;
  }

  /** Adds an offset that is not in the set under any rank. */
  add(rank: number, offset: number, bodyBytes: number, deliveries: number, failures: number): void {
    const lane = this.#lane(rank);
    if (lane.runs.length === 0) lane.runs.push(new ReturnedRun());
    const index = searchRuns(lane, offset);
    let run = lane.runs[index]!;
    if (run.isFull) run = splitFor(lane, index, offset);
    const at = run.search(offset);
    assert(at === run.end || run.offsets[at] !== offset, 'a message is returned twice');
    run.insert(at, offset, bodyBytes, deliveries, failures);
    this.#count++;
    this.#bytes += bodyBytes;
  }

  /** Finds the message below `limit` that comes first; false when there is none. */
  first(limit = Number.POSITIVE_INFINITY): boolean {
    if (this.#count === 0) return false;
    while (this.#lanes[this.#lowest] === undefined) this.#lowest++;
    // One that came due before it was durable keeps none of another rank from going.
    for (let rank = this.#lowest; rank < this.#lanes.length; rank++) {
      const lane = this.#lanes[rank];
      const run = lane?.runs[lane.start];
      if (run === undefined || run.first >= limit) continue;
      this.#show(rank, run, run.start);
      return true;
    }
    return false;
  }

  /** Removes the first message of a rank that has one; without a rank, what `first()` finds. */
  removeFirst(rank?: number): void {
    assert(rank !== undefined || this.first(), 'nothing was returned');
    const from = rank ?? this.rank;
    const lane = present(this.#lanes[from], 'nothing of that rank was returned');
    this.#removeAt(from, lane.start, lane.runs[lane.start]!.start);
  }

  /** Finds a message by its offset, whatever its rank. */
  find(offset: number): boolean {
    return this.#search(offset, false);
  }

  /** False when it is not in the set; what was removed is left as by `find()`. */
  remove(offset: number): boolean {
    return this.#search(offset, true);
  }

  /** Visits all in order until `visit` returns false. The set must not change meanwhile. */
  forEach(
    visit: (
      rank: number,
      offset: number,
      bodyBytes: number,
      deliveries: number,
      failures: number,
    ) => boolean | void,
  ): void {
    for (const [rank, lane] of this.#lanes.entries()) {
      if (lane === undefined) continue;
      for (let index = lane.start; index < lane.runs.length; index++) {
        const run = lane.runs[index]!;
        for (let at = run.start; at < run.end; at++) {
          const goesOn = visit(
            rank,
            run.offsets[at]!,
            run.bodies[at]!,
            run.deliveries(at),
            run.failures(at),
          );
          if (goesOn === false) return;
        }
      }
    }
  }

  clear(): void {
    this.#lanes = [];
    this.#lowest = 0;
    this.#count = 0;
    this.#bytes = 0;
  }

  /** Gives back memory that is not used; for a queue that has nothing to do. */
  trim(): void {
    if (this.#count === 0) this.clear();
  }

  /**
   * unsigned varint count; then per message, in order: unsigned varint rank, varlong difference to the offset before
   * (first: to 0), unsigned varints body bytes, deliveries, failures.
   */
  encodeTo(writer: ByteWriter): void {
    writer.unsignedVarint(this.#count);
    let before = 0;
    this.forEach((rank, offset, bodyBytes, deliveries, failures) => {
      writer.unsignedVarint(rank);
      writer.varlong(offset - before);
      before = offset;
      writer.unsignedVarint(bodyBytes);
      writer.unsignedVarint(deliveries);
      writer.unsignedVarint(failures);
    });
  }

  static decode(reader: ByteReader): ReturnedSet {
    const set = new ReturnedSet();
    let offset = 0;
    for (let count = reader.unsignedVarint(); count > 0; count--) {
      const rank = reader.unsignedVarint();
      if (rank >= ranksMax) throw new ProtocolError(`A rank of ${rank} is too large`);
      offset += reader.varlong();
      const bodyBytes = reader.unsignedVarint();
      const deliveries = reader.unsignedVarint();
      set.add(rank, offset, bodyBytes, deliveries, reader.unsignedVarint());
    }
    return set;
  }

  #lane(rank: number): Lane {
    assert(rank < ranksMax, 'a rank is too large');
    while (this.#lanes.length <= rank) this.#lanes.push(undefined);
    this.#lowest = Math.min(this.#lowest, rank);
    return (this.#lanes[rank] ??= { runs: [], start: 0 });
  }

  #search(offset: number, isRemoved: boolean): boolean {
    if (this.#count === 0) return false;
    for (const [rank, lane] of this.#lanes.entries()) {
      if (lane === undefined) continue;
      const index = searchRuns(lane, offset);
      const run = lane.runs[index]!;
      const at = run.search(offset);
      if (at === run.end || run.offsets[at] !== offset) continue;
      this.#show(rank, run, at);
      if (isRemoved) this.#removeAt(rank, index, at);
      return true;
    }
    return false;
  }

  #show(rank: number, run: ReturnedRun, at: number): void {
    this.rank = rank;
    this.offset = run.offsets[at]!;
    this.bodyBytes = run.bodies[at]!;
    this.deliveries = run.deliveries(at);
    this.failures = run.failures(at);
  }

  #removeAt(rank: number, index: number, at: number): void {
    const lane = this.#lanes[rank]!;
    const run = lane.runs[index]!;
    this.#bytes -= run.bodies[at]!;
    this.#count--;
    run.remove(at);
    if (run.count > 0) return;
    if (index > lane.start) {
      lane.runs.splice(index, 1);
      return;
    }
    lane.runs[lane.start++] = undefined;
    if (lane.start === lane.runs.length) {
      this.#lanes[rank] = undefined;
    } else if (lane.start > 32 && lane.start * 2 > lane.runs.length) {
      // Taking them off one by one would move all the others each time.
      lane.runs.splice(0, lane.start);
      lane.start = 0;
    }
  }
}

/** The run that holds `offset` or would take it; the lane is not empty. */
function searchRuns(lane: Lane, offset: number): number {
  let low = lane.start;
  let high = lane.runs.length - 1;
  if (low === high || lane.runs[high]!.first <= offset) return high;
  // The last run that begins at or before the offset, or else the first.
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (lane.runs[middle]!.first <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Makes room for `offset` beside a full run and returns the run that takes it. */
function splitFor(lane: Lane, index: number, offset: number): ReturnedRun {
  const run = lane.runs[index]!;
  // What comes in order leaves full runs behind.
  if (index === lane.runs.length - 1 && offset > run.last) {
    const next = new ReturnedRun();
    lane.runs.push(next);
    return next;
  }
  const upper = run.split();
  lane.runs.splice(index + 1, 0, upper);
  return offset < upper.first ? run : upper;
}
