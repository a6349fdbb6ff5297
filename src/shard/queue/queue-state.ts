import { limits, ProtocolError } from '../../base/index.ts';
import { batchBaseOffset, batchLastOffset, RecordCursor } from '../../bytes/index.ts';
import { Schedule } from '../../message/index.ts';
import {
  DamagedSet,
  DedupWindow,
  DelayedSet,
  GroupTable,
  LaneSet,
  LeaseTable,
  OffsetSet,
  ReturnedSet,
} from './structures/index.ts';
import type { Lease, QueueForm } from './types.ts';

/** Owners of leases below this one are not consumers. */
export const owners = {
  /** Nobody who could be asked: recovered, kept by a consumer that went, acquired without an owner. */
  none: 0,
  /** Dead messages on their way to another queue. */
  dying: 1,
  /** Messages that a transaction holds. */
  held: 2,
  /** First of those that are given to consumers. */
  first: 3,
} as const;

/** Where the message that comes next would be taken from. */
export type Source = 'none' | 'returned' | 'lane' | 'cursor' | 'group';

/** More leases than a queue makes before its table is made anew. */
const serialStep = 0x1000000;

/**
 * What a queue is as of the journal: it changes by operations that are journaled, and by batches that are built into
 * chunks, and replay of both leads to the same state (`StateReplay`). It knows neither time nor consumers nor settings.
 *
 * Every offset between the floor and `ingested` is exactly one of: settled, leased, returned, delayed, in a lane, damaged,
 * or (from the cursor on, and not in `skipped`) untouched. What is untouched takes no memory.
 */
export class QueueState {
  settled: OffsetSet;
  /** First offset that was never looked at. With priorities it goes with `ingested`, for the lanes have the rest. */
  cursor: number;
  /** What is below was told to the queue: due times and priorities are known. */
  ingested: number;
  /** What lies before was in the log when the queue was made: nobody has told it of its scheduling headers. */
  historyEnd = 0;
  /** Body bytes of all that is not settled, sequenced ones included. */
  unsettledBytes = 0;
  /** A message with an expiry of its own may be here. */
  mayExpire = false;
  // Made when they are needed: most queues are idle, and there may be very many.
  leases: LeaseTable | undefined;
  returned: ReturnedSet | undefined;
  /** Could be given out, but to nobody who is there now: see `Dispatcher`. For the journal it is as if returned. */
  aside: ReturnedSet | undefined;
  delayed: DelayedSet | undefined;
  lanes: LaneSet | undefined;
  dedup: DedupWindow | undefined;
  /** Which groups have a message out, and what waits behind it. For the journal, what waits is as if returned. */
  groups: GroupTable | undefined;
  /** Deduplication ids of messages that were admitted and are in no chunk yet: they are forgotten with them. */
  admittedIds: Set<string> | undefined;
  /** From the cursor on: not the cursor's business. */
  skipped: OffsetSet | undefined;
  /** Cannot be read, and waits for a purge, or for another try after a rewind. Their body bytes count as settled. */
  damaged: DamagedSet | undefined;

  // What `choose` found.
  source: Source = 'none';
  offset = -1;
  rank = 0;
  bodyBytes = 0;
  /** Before this delivery. */
  deliveries = 0;
  failures = 0;

  readonly form: QueueForm;
  #serial: number;
  /** For which run the message that was chosen is. */
  #run = 0;

  /** `serial`: where the serial numbers of leases begin. */
  constructor(form: QueueForm, startOffset: number, ingested: number, serial: number) {
    this.form = form;
    this.#serial = serial;
    this.settled = new OffsetSet(startOffset);
    this.cursor = startOffset;
    this.ingested = startOffset;
    if (ingested > startOffset) this.historyEnd = ingested;
    this.ingestPlain(ingested);
  }

  get leasedCount(): number {
    return this.leases?.count ?? 0;
  }

  get leasedBytes(): number {
    return this.leases?.bytes ?? 0;
  }

  get delayedCount(): number {
    return this.delayed?.count ?? 0;
  }

  get delayedBytes(): number {
    return this.delayed?.bytes ?? 0;
  }

  /** Not all that was there before the queue is settled. */
  get hasHistory(): boolean {
    return this.settled.floor < this.historyEnd;
  }

  get damagedCount(): number {
    return this.damaged?.count ?? 0;
  }

  /** Messages that can be delivered when they are durable; `nextOffset` is the log's. */
  readyCount(nextOffset: number): number {
    const { floor, countAbove } = this.settled;
    const others = this.leasedCount + this.delayedCount + this.damagedCount;
    return Math.max(0, nextOffset - floor - countAbove - others);
  }

  /** The first message that is neither settled nor damaged, or the end. */
  get firstOffset(): number {
    const { damaged, settled } = this;
    let offset = settled.floor;
    if (damaged === undefined) return offset;
    for (let next = damaged.nextMissing(offset); next > offset; next = damaged.nextMissing(offset))
      offset = settled.nextMissing(next);
    return offset;
  }

  get readyBytes(): number {
    return Math.max(0, this.unsettledBytes - this.leasedBytes - this.delayedBytes);
  }

  /** When a lease ends or a message comes due next; Infinity when none does. */
  nextWakeMs(): number {
    const leaseMs = this.leases?.nextDeadlineMs() ?? Number.POSITIVE_INFINITY;
    return Math.min(leaseMs, this.delayed?.nextDueMs() ?? Number.POSITIVE_INFINITY);
  }

  rankOf(priority: number): number {
    const { priorityMax, priorityDefault } = this.form;
    if (priorityMax === 0) return 0;
    return priorityMax - Math.min(priority < 0 ? priorityDefault : priority, priorityMax);
  }

  // Ingestion: what is in the log comes to be known.

  /** Everything below `offset` that was not told otherwise has no scheduling headers. */
  ingestPlain(offset: number): void {
    if (offset <= this.ingested) return;
    if (this.form.priorityMax > 0) {
      this.lanes ??= new LaneSet();
      this.lanes.add(this.rankOf(-1), this.ingested, offset - this.ingested);
      this.cursor = offset;
    }
    this.ingested = offset;
  }

  /**
   * Takes up a batch whose records carry scheduling headers, stored at `storedMs`. What was ingested before is passed over.
   */
  ingestScheduled(bytes: Uint8Array, at: number, baseOffset: number, storedMs: number): void {
    const endOffset = baseOffset + batchLastOffset(bytes, at) - batchBaseOffset(bytes, at) + 1;
    if (endOffset <= this.ingested) return;
    this.ingestPlain(baseOffset);
    const from = this.ingested;
    const shift = baseOffset - batchBaseOffset(bytes, at);
    const schedule = new Schedule();
    try {
      const cursor = new RecordCursor(bytes, at, limits.decompressedBytesMax);
      while (cursor.next()) {
        if (cursor.offset + shift < from) continue;
        schedule.read(cursor.bytes, cursor.headersAt, cursor.headerCount);
        this.#ingest(cursor.offset + shift, cursor, schedule, storedMs);
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
    }
    this.ingestPlain(endOffset);
  }

  #ingest(offset: number, cursor: RecordCursor, schedule: Schedule, storedMs: number): void {
    this.ingestPlain(offset);
    const rank = this.rankOf(schedule.priority);
    if (schedule.expiresAtMs >= 0) this.mayExpire = true;
    const id = schedule.dedupId;
    if (id !== undefined) {
      this.dedup ??= new DedupWindow(this.#serial);
      // A timestamp is the producer's: one that lies ahead would keep this id, and those behind it, for ever.
      this.dedup.note(id, Math.min(Math.max(cursor.timestampMs, 0), storedMs), offset);
      this.admittedIds?.delete(id);
    }
    this.ingested = offset + 1;
    if (this.form.priorityMax > 0) this.cursor = this.ingested;
    if (schedule.deliverAtMs >= 0) {
      this.delay(offset, schedule.deliverAtMs, Math.max(cursor.valueBytes, 0), rank);
    } else if (this.form.priorityMax > 0) {
      this.lanes ??= new LaneSet();
      this.lanes.add(rank, offset, 1);
    }
  }

  /** Keeps a message that nobody has had, and that is nowhere else, until its time. */
  delay(offset: number, dueMs: number, bodyBytes: number, rank: number): void {
    this.delayed ??= new DelayedSet();
    this.delayed.add(offset, dueMs, bodyBytes, rank, 0, 0);
    if (offset >= this.cursor) this.skip(offset);
  }

  /** The cursor will leave it out. */
  skip(offset: number): void {
    this.skipped ??= new OffsetSet(this.cursor);
    this.skipped.add(offset);
  }

  // Choosing and taking.

  /** Finds the message below `limit` that comes next, for a run of a group where one is named; false when there is none. */
  choose(limit: number, run = 0): boolean {
    this.source = 'none';
    const { returned, lanes, groups } = this;
    if (run !== 0 && groups?.firstOfRun(run) === true && groups.offset < limit) {
      this.#chooseFoundGroup(groups);
      return this.#describeChosen();
    }
    if (returned?.first(limit)) {
      this.source = 'returned';
      this.offset = returned.offset;
      this.rank = returned.rank;
    }
    if (lanes !== undefined) {
      if (lanes.first(limit) && this.#isBefore(lanes.rank, lanes.offset)) {
        this.source = 'lane';
        this.offset = lanes.offset;
        this.rank = lanes.rank;
      }
    } else {
      const cursor = this.nextUntouched();
      if (cursor < limit && cursor < this.ingested && this.#isBefore(0, cursor)) {
        this.source = 'cursor';
        this.offset = cursor;
        this.rank = 0;
      }
    }
    if (groups !== undefined) this.#chooseGroup(groups, limit, run);
    return this.#describeChosen();
  }

  #describeChosen(): boolean {
    const { source, returned, groups } = this;
    if (source === 'returned' && returned !== undefined) {
      this.bodyBytes = returned.bodyBytes;
      this.deliveries = returned.deliveries;
      this.failures = returned.failures;
    } else if (source === 'group' && groups !== undefined) {
      this.bodyBytes = groups.bodyBytes;
      this.deliveries = groups.deliveries;
      this.failures = groups.failures;
    } else {
      this.bodyBytes = 0;
      this.deliveries = 0;
      this.failures = 0;
    }
    return source !== 'none';
  }

  /** What waits in its group and may go now, where it comes before what was chosen so far. */
  #chooseGroup(groups: GroupTable, limit: number, run: number): void {
    const { source } = this;
    // So many wait that the queue must not look at more of those that nobody has looked at.
    const isFull = groups.isFull && (source === 'lane' || source === 'cursor');
    if (isFull) this.source = 'none';
    if (!isFull && source !== 'none' && groups.looksAhead(run)) return;
    if (!groups.first(isFull || source === 'none') || groups.offset >= limit) return;
    if (this.#isBefore(groups.rank, groups.turn)) this.#chooseFoundGroup(groups);
  }

  #chooseFoundGroup(groups: GroupTable): void {
    this.source = 'group';
    this.offset = groups.offset;
    this.rank = groups.rank;
  }

  /** Whether that place is before what was chosen so far. */
  #isBefore(rank: number, offset: number): boolean {
    if (this.source === 'none') return true;
    return rank < this.rank || (rank === this.rank && offset < this.offset);
  }

  /** Takes what was chosen away from where it was; the caller says what becomes of it. */
  takeChosen(): void {
    if (this.source === 'returned') this.returned?.removeFirst(this.rank);
    else if (this.source === 'lane') this.lanes?.removeFirst(this.rank);
    else if (this.source === 'group') this.groups?.takeFirst(this.#run);
    else this.cursor = this.offset + 1;
    this.source = 'none';
    this.#run = 0;
  }

  /** The cursor, moved to what is its business. */
  nextUntouched(): number {
    const { skipped } = this;
    if (skipped === undefined) return this.cursor;
    this.cursor = skipped.nextMissing(this.cursor);
    if (skipped.floor < this.cursor) {
      skipped.raiseFloor(this.cursor);
      if (skipped.countAbove === 0) this.skipped = undefined;
    }
    return this.cursor;
  }

  /** Nothing is here but the floor: all of it can be made again from that. */
  get isEmpty(): boolean {
    const { floor, countAbove } = this.settled;
    return (
      countAbove === 0 &&
      this.cursor === floor &&
      this.ingested === floor &&
      this.unsettledBytes === 0 &&
      !this.mayExpire &&
      this.leasedCount + this.delayedCount + this.damagedCount === 0 &&
      (this.returned?.count ?? 0) + (this.aside?.count ?? 0) + (this.lanes?.count ?? 0) === 0 &&
      this.dedup === undefined &&
      (this.groups?.groupCount ?? 0) === 0 &&
      this.admittedIds === undefined &&
      this.skipped === undefined
    );
  }

  /** The table of leases, made when there is none. */
  openLeases(): LeaseTable {
    if (this.leases === undefined) {
      this.leases = new LeaseTable(this.#serial);
      // A table that comes after it must not make the leases of this one valid again.
      this.#serial = (this.#serial + serialStep) % 0x80000000;
    }
    return this.leases;
  }

  /** Makes a message ready that is nowhere else. */
  makeReady(
    rank: number,
    offset: number,
    bodyBytes: number,
    deliveries: number,
    failures: number,
  ): void {
    this.returned ??= new ReturnedSet();
    this.returned.add(rank, offset, bodyBytes, deliveries, failures);
  }

  /** As `makeReady`; a message that holds its group waits in it. */
  #makeReadyAgain(
    rank: number,
    offset: number,
    bodyBytes: number,
    deliveries: number,
    failures: number,
  ): void {
    const isInGroup =
      this.form.isGrouped &&
      this.groups?.giveBack(rank, offset, bodyBytes, deliveries, failures, this.ingested) === true;
    if (!isInGroup) this.makeReady(rank, offset, bodyBytes, deliveries, failures);
  }

  /** Nobody who is there may get the message that was chosen: others go before it. */
  setChosenAside(bodyBytes: number): void {
    const { offset, rank, deliveries, failures } = this;
    this.takeChosen();
    this.aside ??= new ReturnedSet();
    this.aside.add(rank, offset, bodyBytes, deliveries, failures);
  }

  /** What was set aside is ready as before; false when it is not there any more. */
  recall(offset: number): boolean {
    const { aside } = this;
    if (aside === undefined || !aside.remove(offset)) return false;
    this.makeReady(aside.rank, offset, aside.bodyBytes, aside.deliveries, aside.failures);
    return true;
  }

  recallAll(): void {
    const { aside } = this;
    this.aside = undefined;
    aside?.forEach((rank, offset, bodyBytes, deliveries, failures) => {
      this.makeReady(rank, offset, bodyBytes, deliveries, failures);
    });
  }

  /** Messages that hold their group, the last one first; of those that are delayed no more than `delayedMax`. */
  listHolders(delayedMax: number): number[] {
    const offsets: number[] = [];
    this.leases?.forEach((slot) => offsets.push(this.openLeases().offset(slot)));
    let left = delayedMax;
    this.delayed?.forEach((offset, _dueMs, _bodyBytes, _rank, deliveries) => {
      if (deliveries > 0 && left-- > 0) offsets.push(offset);
    });
    return offsets.toSorted((a, b) => b - a);
  }

  /** A message that is leased, or was, holds its group. */
  holdGroup(name: string, offset: number): void {
    this.groups ??= new GroupTable(this.form.isFair);
    if (!this.settled.has(offset)) this.groups.hold(name, offset);
  }

  /** The message that was chosen is of that group. False: another one is out, and it waits for that. */
  enterGroup(name: string, bodyBytes: number, run: number): boolean {
    this.groups ??= new GroupTable(this.form.isFair);
    this.#run = run;
    const { rank, offset, deliveries, failures } = this;
    if (this.source === 'group') return true;
    if (this.groups.enter(name, rank, offset, bodyBytes, deliveries, failures, run)) return true;
    this.takeChosen();
    return false;
  }

  /** Ends the lease in `slot`: the message is ready again, or waits until `dueMs` (−1: it does not). */
  giveBack(slot: number, isFailure: boolean, dueMs: number): void {
    const leases = this.openLeases();
    const offset = leases.offset(slot);
    const rank = leases.rank(slot);
    const bodyBytes = leases.bodyBytes(slot);
    const deliveries = leases.deliveries(slot);
    const failures = leases.failures(slot) + (isFailure ? 1 : 0);
    leases.remove(slot);
    // With order, a message that waits for its time still holds its group.
    if (this.form.isFair) this.groups?.leave(offset);
    if (dueMs < 0) {
      this.#makeReadyAgain(rank, offset, bodyBytes, deliveries, failures);
      return;
    }
    this.delayed ??= new DelayedSet();
    this.delayed.add(offset, dueMs, bodyBytes, rank, deliveries, failures);
    if (offset >= this.cursor) this.skip(offset);
  }

  /** Settles what is nowhere any more. */
  settle(offset: number, bodyBytes: number): void {
    if (!this.settled.add(offset)) return;
    this.spendBytes(bodyBytes);
    this.groups?.leave(offset);
  }

  /** Whether one more damaged message may be kept in mind. */
  canDamage(offset: number): boolean {
    const { damaged } = this;
    if (damaged === undefined || damaged.runCount < limits.queueDamagedRunsMax) return true;
    return offset > 0 && damaged.has(offset - 1);
  }

  /** Keeps what is nowhere any more as damaged. */
  damage(offset: number, bodyBytes: number): void {
    this.damaged ??= new DamagedSet();
    if (!this.damaged.add(offset)) return;
    this.spendBytes(bodyBytes);
    this.groups?.leave(offset);
  }

  /** Makes what is damaged ready: nobody knows any more what had become of it before. Returns how many messages. */
  retryDamaged(bodyBytes: number): number {
    const { damaged } = this;
    if (damaged === undefined) return 0;
    this.damaged = undefined;
    this.unsettledBytes += bodyBytes;
    const rank = this.rankOf(-1);
    damaged.forEach((from, end) => {
      for (let offset = from; offset < end; offset++) this.makeReady(rank, offset, 0, 0, 0);
    });
    return damaged.count;
  }

  /** Body bytes that are settled. In replay what is there is added last: the rest may be negative before. */
  spendBytes(bytes: number): void {
    this.unsettledBytes -= bytes;
  }

  /** Lets up to `max` messages that are due at `nowMs` be given out; returns how many. */
  takeDue(nowMs: number, max: number): number {
    const { delayed } = this;
    if (delayed === undefined) return 0;
    const count = delayed.takeDue(
      nowMs,
      max,
      (offset, _dueMs, body, rank, deliveries, failures) => {
        // What lies before the floor went with the start of the log.
        if (offset >= this.settled.floor)
          this.#makeReadyAgain(rank, offset, body, deliveries, failures);
      },
    );
    if (delayed.count === 0) this.delayed = undefined;
    return count;
  }

  /** Messages that wait in a lane go to that of `rank`, at their place in the order; the others stay where they are. */
  rankRun(from: number, count: number, rank: number): void {
    const { lanes } = this;
    if (lanes === undefined) return;
    for (let offset = from; offset < from + count; offset++)
      if (lanes.remove(offset)) lanes.add(rank, offset, 1);
  }

  /** The owner of all leases that have no deadline is gone: they end as failures. */
  endOwnedLeases(): void {
    const ended: number[] = [];
    const { leases } = this;
    leases?.forEach((slot) => {
      if (leases.deadlineMs(slot) < 0) ended.push(slot);
    });
    if (leases === undefined) return;
    // Each delivery fails once: a dead message may be leased that nobody was given since.
    for (const slot of ended)
      this.giveBack(slot, leases.failures(slot) < leases.deliveries(slot), -1);
  }

  /** Ends the leases of those who were given a message, one by one; returns how many. */
  takeLeased(visit: (offset: number, bodyBytes: number) => void): number {
    const { leases } = this;
    let count = 0;
    leases?.forEach((slot) => {
      const owner = leases.owner(slot);
      if (owner === owners.dying || owner === owners.held) return;
      const offset = leases.offset(slot);
      const bodyBytes = leases.bodyBytes(slot);
      leases.remove(slot);
      visit(offset, bodyBytes);
      count++;
    });
    return count;
  }

  /** How many offsets between the two are not settled. */
  unsettledIn(from: number, to: number): number {
    return to - from - this.settled.countIn(from, to);
  }

  /** Whether more is ready than that (−1: any number), not counting `others`, whose bytes are guessed. */
  isAbove(readyMax: number, readyBytesMax: number, nextOffset: number, others: number): boolean {
    const ready = this.readyCount(nextOffset);
    if (readyMax >= 0 && ready - others > readyMax) return true;
    if (readyBytesMax < 0 || ready === 0) return false;
    return this.readyBytes * (1 - Math.min(others / ready, 1)) > readyBytesMax;
  }

  /** See `PartitionQueue.findLease`; −1: whatever the count is. */
  findLease(offset: number, deliveries: number): Lease | undefined {
    const { leases } = this;
    const slot = leases?.findByOffset(offset) ?? -1;
    if (leases === undefined || slot < 0) return undefined;
    if (deliveries >= 0 && leases.deliveries(slot) !== deliveries) return undefined;
    const owner = leases.owner(slot);
    return owner < owners.first && owner !== owners.none ? undefined : leases.leaseOf(slot);
  }

  /** Leases a message again that was given back, as if it had not been; false when it is not ready. */
  leaseAgain(offset: number): boolean {
    const { returned } = this;
    if (returned === undefined || !returned.remove(offset)) return false;
    const { rank, bodyBytes, deliveries, failures } = returned;
    this.openLeases().add(offset, bodyBytes, deliveries, failures, -1, owners.held, rank);
    return true;
  }

  /**
   * Takes a message away from where it is ready, so that the caller settles it, and answers its body bytes: −1 where nobody
   * has looked at it. Undefined when it is not ready.
   */
  takeWaiting(offset: number): number | undefined {
    const { groups } = this;
    for (const some of [this.returned, this.aside])
      if (some?.remove(offset) === true) return some.bodyBytes;
    if (groups?.find(offset) === true) {
      const { bodyBytes } = groups;
      groups.remove(groups.group, offset);
      return bodyBytes;
    }
    if (this.leases !== undefined && this.leases.findByOffset(offset) >= 0) return undefined;
    if (this.damaged?.has(offset) === true || offset >= this.ingested) return undefined;
    if (this.lanes !== undefined) return this.lanes.remove(offset) ? -1 : undefined;
    // What waits for its time is in `skipped`, or before the cursor.
    if (offset < this.nextUntouched() || this.skipped?.has(offset) === true) return undefined;
    this.skip(offset);
    return -1;
  }

  /** Takes `offset` away from wherever it is ready; `deliveries` and `failures` are then its own. */
  takeAway(offset: number): void {
    this.deliveries = 0;
    this.failures = 0;
    if (this.returned?.remove(offset)) {
      this.deliveries = this.returned.deliveries;
      this.failures = this.returned.failures;
      return;
    }
    this.ingestPlain(offset + 1);
    if (this.lanes !== undefined) {
      this.lanes.remove(offset);
      return;
    }
    for (let at = this.nextUntouched(); at < offset; at = this.nextUntouched()) {
      this.makeReady(0, at, 0, 0, 0);
      this.cursor = at + 1;
    }
    if (this.cursor === offset) this.cursor = offset + 1;
  }
}

export function emptyState(form: QueueForm, floor: number, serial: number): QueueState {
  return new QueueState(form, floor, floor, serial);
}
