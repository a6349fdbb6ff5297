import { assert, limits } from '../../../base/index.ts';
import type { ByteReader, ByteWriter } from '../../../bytes/index.ts';
import { ReturnedSet } from './returned-set.ts';
import { SlotIndex } from './slot-index.ts';

const none = -1;
const heldMin = 16;
/** A group with fewer in flight is never noisy. */
const noisyMin = 30;
/** Part of all that is in flight, one of so many, above which a group is noisy. */
const noisyPart = 10;

/** There only while something of the group is held or waits. */
interface Group {
  readonly name: string;
  /** Messages in flight. */
  held: number;
  /** With order: their offsets, in no order; few, for they all came in one run. */
  out: number[];
  /** The run of each of them. */
  outRuns: number[];
  /** With order: the run that has all that is out and may get what follows; 0: none. */
  run: number;
  waiting: ReturnedSet | undefined;
  /** Its place in the heap, or -1. */
  place: number;
  /** The message that waits first. */
  headRank: number;
  headOffset: number;
  /** It was out before. */
  isHeadAgain: boolean;
  /** With order: one that was given back queues behind all that had been sent by then; 0: none was. */
  turn: number;
}

/**
 * Decides which messages of groups may go, and keeps those that may not yet, so that nobody has to look at them again.
 *
 * - **Ordered:** a message holds its group from `enter` until `leave`, also while it waits for its next delivery; those
 *   behind it in the group wait. One that was given back may go again although later ones are out. Among groups, a message
 *   that nobody had yet has its place in the log, one that was given back (`giveBack`) a place behind what was there then.
 * - **Runs** (ordered): whoever takes several messages at once names a run, a number of its own. As long as all that is out
 *   of a group belongs to the run, the next messages of the group may go to it, and otherwise those that were given back and
 *   have nothing before them but what the run has; it gets those before others, and looks past some messages of other groups
 *   for them, which wait here.
 * - **Fair:** any number of messages of a group may be in flight. Those of a noisy group wait while there are others to
 *   give out; of the waiting ones, the group with the fewest in flight goes first. What is returned leaves.
 *
 * `first()` leaves what it found in `group`, `rank`, `offset` and so on.
 */
export class GroupTable {
  readonly isFair: boolean;
  group = '';
  rank = 0;
  offset = 0;
  bodyBytes = 0;
  deliveries = 0;
  failures = 0;
  /** Where the message stands among those of the log: its offset, or later when it was given back. */
  turn = 0;
  readonly #groups = new Map<string, Group>();
  /** Of what was found last. */
  #found: Group | undefined;
  /** The run that took last, and from where. */
  #run = 0;
  #runGroup: Group | undefined;
  #waiting = 0;
  #waitingBytes = 0;
  /** Groups whose first message may go: the next one first. */
  #heap: Group[] = [];
  // Messages in flight: a slot each.
  #held = 0;
  #offsets = new Float64Array(0);
  #owners: Array<Group | undefined> = [];
  #free: number[] = [];
  readonly #index = new SlotIndex();

  constructor(isFair: boolean) {
    this.isFair = isFair;
  }

  /** Messages that wait, those that are ready included. */
  get count(): number {
    return this.#waiting;
  }

  /** Their body bytes. */
  get bytes(): number {
    return this.#waitingBytes;
  }

  /** Messages that hold their group or are in flight. */
  get heldCount(): number {
    return this.#held;
  }

  get groupCount(): number {
    return this.#groups.size;
  }

  /** So many wait that no more should be looked at. */
  get isFull(): boolean {
    return this.#waiting >= limits.groupedAsideMax;
  }

  get memoryBytes(): number {
    let bytes = 200 + this.#heap.length * 8 + this.#index.memoryBytes;
    bytes += this.#offsets.byteLength + this.#owners.length * 8 + this.#free.length * 8;
    for (const group of this.#groups.values())
      bytes += 150 + group.name.length * 2 + (group.waiting?.memoryBytes ?? 0);
    return bytes;
  }

  /**
   * A message wants to go. True: it may, and is held from now on. False: it waits here; `first()` finds it when its turn
   * comes. A message that holds its group already may always go. `deliveries` and `failures` are those before.
   */
  enter(
    name: string,
    rank: number,
    offset: number,
    bodyBytes: number,
    deliveries: number,
    failures: number,
    run = 0,
  ): boolean {
    if (this.isHeld(offset)) return true;
    const group = this.#groups.get(name) ?? this.#addGroup(name);
    const mustWait = this.isFair
      ? group.waiting !== undefined || this.#isNoisy(group)
      : !this.#isNext(group, rank, offset, deliveries, run) || this.#isPassed(group, run);
    if (!mustWait) {
      this.#hold(group, offset, run);
      return true;
    }
    this.#wait(group, rank, offset, bodyBytes, deliveries, failures);
    this.#arrange(group);
    return false;
  }

  /**
   * With order: a message in flight was given back and waits for its next delivery, its group behind what was sent before
   * `turn`. False when it is not in flight.
   */
  giveBack(
    rank: number,
    offset: number,
    bodyBytes: number,
    deliveries: number,
    failures: number,
    turn: number,
  ): boolean {
    const group = this.#release(offset);
    if (group === undefined) return false;
    group.run = 0;
    group.turn = turn;
    this.#wait(group, rank, offset, bodyBytes, deliveries, failures);
    this.#arrange(group);
    return true;
  }

  /** Notes that a message is in flight, whatever its group is doing: it was leased before a restart. */
  hold(name: string, offset: number): void {
    if (!this.isHeld(offset)) this.#hold(this.#groups.get(name) ?? this.#addGroup(name), offset, 0);
  }

  isHeld(offset: number): boolean {
    return this.#index.find(offset, this.#offsets) !== none;
  }

  /** A message in flight was settled (or, fair, returned); nothing happens when it is not in flight. */
  leave(offset: number): void {
    const group = this.#release(offset);
    if (group === undefined) return;
    this.#arrange(group);
    this.#dropEmpty(group);
  }

  /**
   * Finds the waiting message that may go first; false when there is none. Fair: one of a noisy group is found only with
   * `evenNoisy`, when there is nobody else's to give out or too many wait.
   */
  first(evenNoisy = true): boolean {
    const group = this.#heap[0];
    if (group === undefined) return false;
    if (this.isFair && !evenNoisy && this.#isNoisy(group)) return false;
    this.#show(group);
    return true;
  }

  /** Finds the next message of the group from which that run took last; false when none waits, or it may not go. */
  firstOfRun(run: number): boolean {
    const group = this.#runGroup;
    if (group === undefined || this.#run !== run || group.waiting === undefined) return false;
    if (group.run !== run && !mayGo(group, group.headOffset, group.isHeadAgain, run)) return false;
    this.#show(group);
    return true;
  }

  /** Whether the run looks past messages of other groups for more of the group from which it took last. */
  looksAhead(run: number): boolean {
    return (
      run !== 0 &&
      this.#run === run &&
      this.#runGroup !== undefined &&
      this.#heap.length < limits.groupsPassedMax
    );
  }

  /** The message that was found last goes: it does not wait any more and is held. */
  takeFirst(run = 0): void {
    const group = this.#found;
    const { offset } = this;
    assert(
      group?.waiting?.first() === true && group.waiting.offset === offset,
      'no message of a group was found',
    );
    group.waiting.removeFirst();
    this.#noteRemoved(group, this.bodyBytes);
    this.#hold(group, offset, run);
  }

  /** Finds a message that waits by its offset, looking into each group: `group` and `bodyBytes` are then its own. */
  find(offset: number): boolean {
    for (const { name, waiting } of this.#groups.values()) {
      if (waiting?.find(offset) !== true) continue;
      this.group = name;
      this.bodyBytes = waiting.bodyBytes;
      return true;
    }
    return false;
  }

  /** Removes a message that waits, which was settled without being given out; false when it does not wait. */
  remove(name: string, offset: number): boolean {
    const group = this.#groups.get(name);
    if (group?.waiting === undefined || !group.waiting.remove(offset)) return false;
    this.#noteRemoved(group, group.waiting.bodyBytes);
    this.#arrange(group);
    this.#dropEmpty(group);
    return true;
  }

  /** Forgets all messages, waiting or in flight, that `keep` is false for. */
  retain(keep: (offset: number) => boolean): void {
    const gone: number[] = [];
    for (const [slot, owner] of this.#owners.entries()) {
      const offset = this.#offsets[slot]!;
      if (owner !== undefined && !keep(offset)) gone.push(offset);
    }
    for (const offset of gone) this.leave(offset);
    for (const group of this.#groups.values()) {
      const waiting: number[] = [];
      group.waiting?.forEach((_rank, offset) => {
        if (!keep(offset)) waiting.push(offset);
      });
      for (const offset of waiting) this.remove(group.name, offset);
    }
  }

  /** Visits all messages that wait, group by group, until `visit` returns false. */
  forEach(
    visit: (
      rank: number,
      offset: number,
      bodyBytes: number,
      deliveries: number,
      failures: number,
    ) => boolean | void,
  ): void {
    let goesOn = true;
    for (const group of this.#groups.values()) {
      group.waiting?.forEach((rank, offset, bodyBytes, deliveries, failures) => {
        goesOn = visit(rank, offset, bodyBytes, deliveries, failures) !== false;
        return goesOn;
      });
      if (!goesOn) return;
    }
  }

  clear(): void {
    this.#groups.clear();
    this.#found = undefined;
    this.#runGroup = undefined;
    this.#heap = [];
    this.#waiting = 0;
    this.#waitingBytes = 0;
    this.#held = 0;
    this.#index.clear();
    this.#releaseSlots();
  }

  /**
   * unsigned varint count of groups; per group: unsigned varint length and text of its name, count and offsets (varlong) of what is held,
   * varlong turn, and what waits.
   */
  encodeTo(writer: ByteWriter): void {
    writer.unsignedVarint(this.#groups.size);
    const heldBy = new Map<Group, number[]>();
    for (const [slot, group] of this.#owners.entries()) {
      if (group === undefined) continue;
      const offsets = heldBy.get(group);
      if (offsets === undefined) heldBy.set(group, [this.#offsets[slot]!]);
      else offsets.push(this.#offsets[slot]!);
    }
    for (const group of this.#groups.values()) {
      const name = Buffer.from(group.name, 'utf8');
      writer.unsignedVarint(name.length);
      writer.bytes(name);
      writer.unsignedVarint(group.held);
      for (const offset of heldBy.get(group) ?? []) writer.varlong(offset);
      writer.varlong(group.turn);
      (group.waiting ?? new ReturnedSet()).encodeTo(writer);
    }
  }

  static decode(reader: ByteReader, isFair: boolean): GroupTable {
    const table = new GroupTable(isFair);
    for (let count = reader.unsignedVarint(); count > 0; count--) {
      const group = table.#addGroup(reader.utf8(reader.unsignedVarint()));
      for (let held = reader.unsignedVarint(); held > 0; held--)
        table.#hold(group, reader.varlong(), 0);
      group.turn = reader.varlong();
      const waiting = ReturnedSet.decode(reader);
      if (waiting.count > 0) group.waiting = waiting;
      table.#waiting += waiting.count;
      table.#waitingBytes += waiting.bytes;
      table.#arrange(group);
    }
    return table;
  }

  #addGroup(name: string): Group {
    const group = {
      name,
      held: 0,
      out: [],
      outRuns: [],
      run: 0,
      waiting: undefined,
      place: none,
      headRank: 0,
      headOffset: 0,
      isHeadAgain: false,
      turn: 0,
    };
    this.#groups.set(name, group);
    return group;
  }

  #dropEmpty(group: Group): void {
    if (group.held > 0 || group.waiting !== undefined) return;
    this.#groups.delete(group.name);
    if (this.#runGroup === group) this.#runGroup = undefined;
    if (this.#found === group) this.#found = undefined;
  }

  #show(group: Group): void {
    const waiting = group.waiting!;
    waiting.first();
    this.#found = group;
    this.group = group.name;
    this.rank = waiting.rank;
    this.offset = waiting.offset;
    this.bodyBytes = waiting.bodyBytes;
    this.deliveries = waiting.deliveries;
    this.failures = waiting.failures;
    this.turn = Math.max(waiting.offset, group.turn);
  }

  #wait(
    group: Group,
    rank: number,
    offset: number,
    bodyBytes: number,
    deliveries: number,
    failures: number,
  ): void {
    group.waiting ??= new ReturnedSet();
    group.waiting.add(rank, offset, bodyBytes, deliveries, failures);
    this.#waiting++;
    this.#waitingBytes += bodyBytes;
  }

  /** With order: whether no message of the group goes before it. */
  #isNext(group: Group, rank: number, offset: number, deliveries: number, run: number): boolean {
    const { waiting } = group;
    if (waiting?.first() === true) {
      if (waiting.rank < rank || (waiting.rank === rank && waiting.offset < offset)) return false;
    }
    return (run !== 0 && group.run === run) || mayGo(group, offset, deliveries > 0, run);
  }

  #isPassed(group: Group, run: number): boolean {
    return this.looksAhead(run) && this.#runGroup !== group;
  }

  #isNoisy(group: Group): boolean {
    return group.held >= noisyMin && group.held * noisyPart > this.#held;
  }

  /** Nothing is in flight any more of that offset; its group, undefined when nothing was. */
  #release(offset: number): Group | undefined {
    const slot = this.#index.find(offset, this.#offsets);
    if (slot === none) return undefined;
    const group = this.#owners[slot]!;
    this.#index.remove(slot, this.#offsets);
    this.#owners[slot] = undefined;
    this.#free.push(slot);
    this.#held--;
    group.held--;
    if (!this.isFair) {
      const at = group.out.indexOf(offset);
      group.out[at] = group.out.at(-1)!;
      group.out.pop();
      group.outRuns[at] = group.outRuns.at(-1)!;
      group.outRuns.pop();
    }
    if (this.#held === 0) this.#releaseSlots();
    return group;
  }

  #hold(group: Group, offset: number, run: number): void {
    if (!this.isFair) {
      // Whoever has all of it may have the next one.
      if (group.held === 0 || group.run !== run) group.run = group.held === 0 ? run : 0;
      group.out.push(offset);
      group.outRuns.push(run);
      this.#run = run;
      this.#runGroup = group;
    }
    let slot = this.#free.pop();
    if (slot === undefined) {
      slot = this.#held;
      if (slot === this.#offsets.length) {
        const offsets = new Float64Array(Math.max(heldMin, slot * 2));
        offsets.set(this.#offsets);
        this.#offsets = offsets;
      }
    }
    this.#offsets[slot] = offset;
    this.#owners[slot] = group;
    this.#index.add(slot, this.#offsets);
    this.#held++;
    group.held++;
    this.#arrange(group);
  }

  #releaseSlots(): void {
    this.#free = [];
    this.#owners = [];
    if (this.#offsets.length <= heldMin) return;
    this.#offsets = new Float64Array(0);
    this.#index.clear();
  }

  #noteRemoved(group: Group, bodyBytes: number): void {
    this.#waiting--;
    this.#waitingBytes -= bodyBytes;
    if (group.waiting!.count === 0) group.waiting = undefined;
  }

  // The heap. `!`: places lie in it.

  /** Puts a group where it belongs after a change of it. */
  #arrange(group: Group): void {
    const { waiting } = group;
    if (waiting !== undefined) {
      waiting.first();
      group.headRank = waiting.rank;
      group.headOffset = waiting.offset;
      group.isHeadAgain = waiting.deliveries > 0;
    }
    const isReady =
      waiting !== undefined && (this.isFair || mayGo(group, group.headOffset, group.isHeadAgain));
    if (!isReady) {
      if (group.place !== none) this.#unheap(group);
      return;
    }
    if (group.place === none) {
      group.place = this.#heap.length;
      this.#heap.push(group);
    }
    this.#rise(group);
    this.#sink(group);
  }

  #goesBefore(a: Group, b: Group): boolean {
    if (this.isFair && a.held !== b.held) return a.held < b.held;
    if (a.headRank !== b.headRank) return a.headRank < b.headRank;
    const before = Math.max(a.headOffset, a.turn);
    const after = Math.max(b.headOffset, b.turn);
    if (before !== after) return before < after;
    return a.headOffset < b.headOffset;
  }

  #unheap(group: Group): void {
    const { place } = group;
    const last = this.#heap.pop()!;
    group.place = none;
    if (last === group) return;
    this.#heap[place] = last;
    last.place = place;
    this.#rise(last);
    this.#sink(last);
  }

  #rise(group: Group): void {
    const heap = this.#heap;
    let { place } = group;
    while (place > 0) {
      const above = heap[(place - 1) >> 1]!;
      if (!this.#goesBefore(group, above)) break;
      const free = above.place;
      heap[place] = above;
      above.place = place;
      place = free;
    }
    heap[place] = group;
    group.place = place;
  }

  #sink(group: Group): void {
    const heap = this.#heap;
    let { place } = group;
    for (;;) {
      let below = heap[place * 2 + 1];
      if (below === undefined) break;
      const right = heap[place * 2 + 2];
      if (right !== undefined && this.#goesBefore(right, below)) below = right;
      if (!this.#goesBefore(below, group)) break;
      const free = below.place;
      heap[place] = below;
      below.place = place;
      place = free;
    }
    heap[place] = group;
    group.place = place;
  }
}

/**
 * With order: whether what is out of the group lets a message go: one that comes again only waits for those before it, and
 * not for those that the run has.
 */
function mayGo(group: Group, offset: number, isAgain: boolean, run = 0): boolean {
  if (group.held === 0) return true;
  if (!isAgain) return false;
  const { out, outRuns } = group;
  for (let at = 0; at < out.length; at++) {
    if (out[at]! < offset && (run === 0 || outRuns[at] !== run)) return false;
  }
  return true;
}
