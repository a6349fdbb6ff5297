import {
  batchAttributes,
  batchHeaderBytes,
  type ByteWriter,
  isControlBatch,
} from '../../bytes/index.ts';
import type { LogFollower } from '../log-follower.ts';
import type { PartitionLog } from '../partition-log.ts';
import type { PendingBatch } from '../pending-batch.ts';
import type { OpenRuns } from '../transaction/index.ts';
import { Admissions } from './admissions.ts';
import { dropEnded, purgeQueue, rankHistory, retryDamaged, rewindQueue } from './bulk-change.ts';
import { Dispatcher } from './dispatcher.ts';
import { defaultQueueSettings, timeAfter } from './queue-defaults.ts';
import { OldestMessage, peekMessages } from './message-lookup.ts';
import { Settler } from './settler.ts';
import { OwnerIds } from './owner-ids.ts';
import { averageReadyBytes, trimState } from './queue-bytes.ts';
import type { QueueChanges } from './queue-changes.ts';
import type { QueueHome } from './queue-home.ts';
import { listMessages } from './queue-listing.ts';
import { emptyState, owners, type QueueState } from './queue-state.ts';
import { encodeEmptyState, encodeState } from './queue-state-codec.ts';
import { describeCounts, leaveOutSurplus, QueueTotals } from './queue-totals.ts';
import type {
  AcquiredMessage,
  AcquireRequest,
  Admission,
  DeathReason,
  Lease,
  PartitionQueue,
  QueueConsumer,
  QueueCounts,
  QueueForm,
  QueueMessage,
  QueueSettings,
  ReleaseOptions,
} from './types.ts';

/** Many timeouts of one moment are handled in several turns. */
const wakeMax = 10_000;
/** A queue that turned empty has its records deleted at once when they are more than this. */
const emptiedBytesMin = 8 * 1024 * 1024;

/** A queue that is used: its state, who is served, and what the journal is told of it. */
export class LiveQueue implements PartitionQueue, LogFollower {
  readonly id: number;
  readonly partition: PartitionLog;
  readonly subscription: string;
  readonly form: QueueForm;
  readonly home: QueueHome;
  /** Undefined while the queue has nothing but a floor. */
  #state: QueueState | undefined;
  #floor = 0;
  isDropped = false;
  owner: unknown;

  // The table's own.
  /** Gathered changes; undefined when there are none. */
  changes: QueueChanges | undefined;
  /** Number of the chunk that has its last changes. */
  changedChunk = 0;
  isScheduled = false;
  /** When it is woken next; Infinity when it is not. */
  armedMs = Number.POSITIVE_INFINITY;

  #settings: QueueSettings;
  #filter: ((message: QueueMessage) => boolean) | undefined;
  #isPaused = false;
  /** False after a recovery until it is known again which groups have a message out. */
  areGroupsKnown = true;
  /** Made when somebody wants messages, or something must be looked at. */
  dispatcher: Dispatcher | undefined;
  #owners: OwnerIds | undefined;
  /** Of groups' messages; it goes on when the dispatcher is made anew, for groups remember it. */
  #lastRun = 0;
  /** Recovered, and nobody has given it its settings: what dies now would go the wrong way. */
  #isAwaited: boolean;
  /** So often it is going back, and does not know yet in what order: nothing is given out. */
  rewinds = 0;
  /** Something may be dead at the head that nobody has looked at. */
  #isDoubtful = false;
  /** Behind the newest marker of a transaction: up to there may be records that are no messages. */
  #gapsEnd = 0;
  #admissions: Admissions | undefined;
  #settler: Settler | undefined;
  #totals: QueueTotals | undefined;
  #oldest: OldestMessage | undefined;

  constructor(
    id: number,
    partition: PartitionLog,
    subscription: string,
    state: QueueState,
    settings: QueueSettings | undefined,
    home: QueueHome,
  ) {
    this.id = id;
    this.partition = partition;
    this.subscription = subscription;
    this.form = state.form;
    this.#state = state;
    this.#pack();
    this.#settings = settings ?? defaultQueueSettings;
    this.#isAwaited = settings === undefined;
    this.home = home;
    this.#filter = this.#compile(this.#settings);
  }

  get state(): QueueState {
    return (this.#state ??= emptyState(this.form, this.#floor, this.home.serial()));
  }

  /** A queue that has nothing keeps its floor alone: there may be very many of them. */
  #pack(): void {
    const state = this.#state;
    if (state?.admittedIds?.size === 0) state.admittedIds = undefined;
    // What is sequenced may have no bytes, and is ingested later.
    if (state?.isEmpty !== true || state.settled.floor < this.partition.nextOffset) return;
    this.#floor = state.settled.floor;
    this.#state = undefined;
  }

  encodeState(writer: ByteWriter): void {
    if (this.#state === undefined) encodeEmptyState(this.#floor, writer);
    else encodeState(this.#state, writer);
  }

  get settings(): QueueSettings {
    return this.#settings;
  }

  set settings(settings: QueueSettings) {
    // A filter that cannot be compiled throws, and changes nothing.
    this.#filter = this.#compile(settings);
    this.#settings = settings;
    this.dispatcher?.settingsChanged();
    this.#begin();
    this.#isDoubtful ||= (this.#state?.returned?.count ?? 0) > 0;
    this.dispatcher?.consumers.chooseActive();
    this.schedule();
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  set isPaused(isPaused: boolean) {
    this.#isPaused = isPaused;
    if (!isPaused) this.schedule();
  }

  // Consumers

  attach(consumer: QueueConsumer): void {
    if (this.isDropped) return consumer.detached('deleted');
    this.#begin();
    this.openDispatcher().consumers.attach(consumer, this.#ownerIds().next());
    this.schedule();
  }

  detach(consumer: QueueConsumer, leases: 'return' | 'return-failed' | 'keep'): void {
    const ownerId = this.dispatcher?.consumers.detach(consumer);
    if (ownerId === undefined) return;
    if (leases !== 'keep') this.settling.returnOwned(ownerId, leases === 'return-failed');
    this.schedule();
    this.#shed();
  }

  resume(): void {
    if (this.dispatcher === undefined) return;
    this.dispatcher.consumers.resume();
    this.schedule();
  }

  acquire(request: AcquireRequest): Promise<AcquiredMessage[]> {
    if (this.isDropped || this.home.isLost) return Promise.resolve([]);
    this.#begin();
    // Leases of no length end before anybody asks again, however late the timer is.
    const nowMs = this.home.clock.nowMs();
    if ((this.state.leases?.nextDeadlineMs() ?? Number.POSITIVE_INFINITY) <= nowMs)
      this.wake(nowMs);
    const ownerId = request.owner === undefined ? owners.none : this.#ownerIds().of(request.owner);
    const result = this.openDispatcher().acquire(request, ownerId);
    this.schedule();
    return result;
  }

  releaseOwner(owner: object): void {
    const ownerId = this.#owners?.forget(owner);
    if (ownerId === undefined) return;
    this.dispatcher?.endAcquirersOf(ownerId);
    this.settling.returnOwned(ownerId, false);
    this.#shed();
  }

  // Settling

  accept(lease: Lease): boolean {
    return this.settling.accept(lease);
  }

  release(lease: Lease, options: ReleaseOptions): boolean {
    return this.settling.release(lease, options);
  }

  reject(lease: Lease, reason: DeathReason): boolean {
    return this.settling.reject(lease, reason);
  }

  extend(lease: Lease, leaseMs: number): boolean {
    return this.settling.extend(lease, leaseMs);
  }

  isLeased(lease: Lease): boolean {
    return (this.state.leases?.find(lease) ?? -1) >= 0;
  }

  hold(lease: Lease): number {
    return this.settling.hold(lease);
  }

  holdOffset(offset: number): Lease | undefined {
    return this.settling.holdOffset(offset);
  }

  findLease(offset: number, deliveries = -1): Lease | undefined {
    return this.#state?.findLease(offset, deliveries);
  }

  has(offset: number): boolean {
    if (offset >= this.partition.nextOffset || offset < this.settledOffset) return false;
    return this.#state?.settled.has(offset) !== true;
  }

  acceptLate(offset: number): boolean {
    return this.settling.acceptLate(offset);
  }

  settled(): Promise<void> {
    return this.home.whenSettled(this);
  }

  deathsMoved(): Promise<void> | undefined {
    return this.#settler?.deathsMoved();
  }

  /** Leases of dead messages. */
  get dyingCount(): number {
    return this.#settler?.dyingCount ?? 0;
  }

  purge(isWhole = false): Promise<number> {
    return purgeQueue(this, isWhole);
  }

  retryDamaged(): Promise<number> {
    return retryDamaged(this);
  }

  rewind(offset: number): Promise<void> {
    return rewindQueue(this, offset);
  }

  counts(): QueueCounts {
    const state = this.#state;
    const consumers = this.dispatcher?.consumers.count ?? 0;
    const counts = describeCounts(state, this.#totals, this.partition.nextOffset, consumers);
    if (state === undefined) return counts;
    if (this.isOverLength()) leaveOutSurplus(counts, this.#settings);
    this.#oldest ??= new OldestMessage(this.partition);
    counts.oldestTimestampMs = this.#oldest.find(state.firstOffset);
    return counts;
  }

  admit(admission: Admission): 'take' | 'reject' | 'reject-dead-letter' | 'duplicate' {
    this.#admissions ??= new Admissions(this);
    return this.#admissions.admit(admission);
  }

  withdraw(dedupId: string): void {
    this.#admissions?.withdraw(dedupId);
  }

  findDuplicate(dedupId: string): number | undefined {
    return this.state.dedup?.offsetOf(dedupId);
  }

  peek(skip: number, count: number, bytesMax: number): Promise<QueueMessage[]> {
    const list = listMessages(this.state, skip, count);
    return peekMessages(this.partition, list, bytesMax, this.#settings.givesUncommitted);
  }

  // LogFollower

  get settledOffset(): number {
    return this.#state?.settled.floor ?? this.#floor;
  }

  get keepSettledMs(): number {
    return this.#settings.keepSettledMs;
  }

  sequenced(batch: PendingBatch): void {
    const bodyBytes = batch.bodyBytes < 0 ? batch.length - batchHeaderBytes : batch.bodyBytes;
    if (!isControlBatch(batchAttributes(batch.bytes, batch.at)))
      this.count().published += batch.recordCount;
    this.state.unsettledBytes += bodyBytes;
    this.#admissions?.noteSequenced(batch.recordCount, bodyBytes);
  }

  built(batch: PendingBatch): void {
    const { state } = this;
    if (isControlBatch(batchAttributes(batch.bytes, batch.at)))
      this.#gapsEnd = batch.baseOffset + batch.recordCount;
    if (!batch.isScheduled) {
      state.ingestPlain(batch.baseOffset + batch.recordCount);
      return;
    }
    state.ingestScheduled(batch.bytes, batch.at, batch.baseOffset, this.home.clock.nowMs());
    if (state.delayed !== undefined) this.arm(state.delayed.nextDueMs());
    if (state.dedup !== undefined) this.#armDedup();
  }

  stored(): void {
    if (this.dispatcher?.hasTakers || this.mustLook()) this.schedule();
  }

  ended(markerOffset: number, aborted: OpenRuns | undefined): void {
    dropEnded(this, markerOffset, this.#settings.givesUncommitted ? undefined : aborted);
  }

  trimmed(): void {
    this.#trim();
  }

  rewritten(): void {
    this.dispatcher?.clearWindows();
  }

  dropped(): void {
    this.home.forget(this);
    this.end('deleted');
  }

  // The table's

  /** The queue is gone, or what it was is in doubt. */
  end(reason: 'deleted' | 'failed'): void {
    if (reason === 'deleted') this.isDropped = true;
    this.home.noteDamage(this, false);
    this.dispatcher?.end(reason);
    this.dispatcher = undefined;
    this.#settler?.endDying(Number.POSITIVE_INFINITY);
    this.home.noteWindow(this, false, 0);
  }

  /** Takes the state that recovery found. */
  adopt(state: QueueState): void {
    this.end('failed');
    this.isDropped = false;
    this.#state = state;
    this.changes = undefined;
    this.#settler = undefined;
    this.#admissions = undefined;
    this.areGroupsKnown = !this.form.isGrouped || state.leasedCount + state.delayedCount === 0;
    this.#trim();
    this.noteDamage();
    state.ingestPlain(this.partition.nextOffset);
    // What was guessed of bytes ends with the last message: replay does not know when that was.
    if (state.settled.floor >= this.partition.nextOffset) state.unsettledBytes = 0;
    this.#isDoubtful = (state.returned?.count ?? 0) > 0;
    this.#gapsEnd = this.partition.transactions === undefined ? 0 : this.partition.nextOffset;
    this.arm(this.#nextWakeMs());
    if (this.mustLook()) this.schedule();
    if (this.#mustRank) void rankHistory(this, Promise.resolve());
    this.#pack();
  }

  /** It was just made, over what is there already: that is looked at once it is durable. */
  begin(durable: Promise<void>): void {
    if (this.#state?.hasHistory !== true) return;
    this.#isDoubtful = true;
    this.schedule();
    if (this.#mustRank) void rankHistory(this, durable);
  }

  /** What was there before the queue has priorities that nobody knows. */
  get #mustRank(): boolean {
    return this.form.priorityMax > 0 && this.#state?.hasHistory === true;
  }

  /** Its time has come: leases that ended, messages that are due, waits that are over. */
  wake(nowMs: number): void {
    if (this.isDropped || this.home.isLost || this.#isAwaited) return;
    const leases = this.#state?.leases;
    const delayed = this.#state?.delayed;
    leases?.takeExpired(nowMs, (slot) => this.settling.expire(slot), wakeMax);
    if (delayed !== undefined && delayed.nextDueMs() <= nowMs) {
      const count = this.state.takeDue(nowMs, wakeMax);
      this.note().noteDue(nowMs, count);
    }
    this.#expireDedup(nowMs);
    const waitsMs = this.dispatcher?.endWaits(nowMs) ?? Number.POSITIVE_INFINITY;
    this.schedule();
    const nextMs = Math.min(this.#nextWakeMs(), waitsMs);
    // What is left of this moment has its turn later.
    if (nextMs < Number.POSITIVE_INFINITY) this.arm(Math.max(nextMs, nowMs + 1));
  }

  /** Others need the memory more. */
  clearWindows(): void {
    this.dispatcher?.clearWindows();
  }

  /** One round; true when it should have another soon. */
  round(max: number): boolean {
    if (this.isDropped || this.home.isLost || this.#isAwaited || this.rewinds > 0) return false;
    // Nothing is here, and nobody wants it.
    if (this.#state === undefined && this.dispatcher === undefined) return false;
    const dispatcher = this.openDispatcher();
    const goesOn = dispatcher.run(max);
    const isStopped = dispatcher.isAwaitingRead || dispatcher.isBlocked || this.home.isClogged;
    if (!goesOn && !isStopped) this.#isDoubtful = false;
    this.home.noteWindow(this, dispatcher.hasWindow, dispatcher.unpackedBytes);
    this.#shed();
    return goesOn;
  }

  // The dispatcher's

  schedule(): void {
    if (!this.isScheduled) this.home.schedule(this);
  }

  arm(atMs: number): void {
    if (atMs < this.armedMs) this.home.arm(this, atMs);
  }

  /** Whether the head must be looked at though nobody wants it. */
  mustLook(): boolean {
    if (this.#state === undefined || this.#state.readyCount(this.partition.nextOffset) === 0)
      return false;
    return (
      this.#settings.messageTtlMs >= 0 ||
      this.state.mayExpire ||
      this.#isDoubtful ||
      this.hasGaps ||
      this.isOverLength()
    );
  }

  /** Up to there messages may be given out. */
  get endOffset(): number {
    const { partition } = this;
    return this.#settings.givesUncommitted ? partition.highWatermark : partition.lastStableOffset;
  }

  isOverLength(): boolean {
    const { readyMax, readyBytesMax, overflow } = this.#settings;
    if (overflow !== 'drop-head' || (readyMax < 0 && readyBytesMax < 0)) return false;
    const { nextOffset, highWatermark } = this.partition;
    const { endOffset } = this;
    // What an open transaction holds back may never become a message: nothing dies for it.
    const held = highWatermark - endOffset;
    const unstable = held > 0 ? this.state.unsettledIn(endOffset, highWatermark) : 0;
    return this.state.isAbove(readyMax, readyBytesMax, nextOffset, unstable);
  }

  /** Whether another message may be leased to a consumer. */
  canLease(): boolean {
    const { leasedMax } = this.#settings;
    return this.canHold() && (leasedMax < 0 || this.state.leasedCount < leasedMax);
  }

  canHold(): boolean {
    return this.state.leases === undefined || !this.state.leases.isFull;
  }

  /** Takes the message that was chosen out for somebody; what is settled at once has lease 0. */
  takeOut(
    view: QueueMessage,
    ownerId: number,
    leaseMs: number | undefined,
    isAutoSettled: boolean,
  ): Lease {
    const { state } = this;
    const { offset, rank, deliveries, failures } = state;
    const bodyBytes = Math.max(view.valueBytes, 0);
    state.takeChosen();
    if (ownerId !== owners.dying) {
      this.count().delivered++;
      if (deliveries > 0) this.count().redelivered++;
    } else this.settling.noteDying();
    const changes = this.note();
    if (isAutoSettled) {
      this.count().accepted++;
      if (this.form.priorityMax > 0) changes.noteAcquired(offset, -1, bodyBytes, rank);
      this.settle(offset, bodyBytes, changes);
      return 0;
    }
    const ms = leaseMs ?? this.#settings.leaseMs;
    const isDying = ownerId === owners.dying;
    const deadlineMs = ms >= 0 && !isDying ? timeAfter(this.home.clock.nowMs(), ms) : -1;
    const leases = state.openLeases();
    // Nobody gets what dies.
    const count = isDying ? deliveries : deliveries + 1;
    const lease = leases.add(offset, bodyBytes, count, failures, deadlineMs, ownerId, rank);
    if (isDying) changes.noteDying(offset, bodyBytes, rank);
    else changes.noteAcquired(offset, deadlineMs, bodyBytes, rank);
    if (deadlineMs >= 0) this.arm(deadlineMs);
    return lease;
  }

  /** Settles the message that was chosen: nobody gets it. */
  dropChosen(bodyBytes: number): void {
    const { state } = this;
    const { offset, rank } = state;
    state.takeChosen();
    const changes = this.note();
    if (this.form.priorityMax > 0) changes.noteAcquired(offset, -1, bodyBytes, rank);
    this.settle(offset, bodyBytes, changes);
    this.home.ride();
  }

  /** The message that was chosen waits until that time. */
  delayChosen(bodyBytes: number, dueMs: number): void {
    const { state } = this;
    const { offset, rank } = state;
    state.takeChosen();
    state.delay(offset, dueMs, bodyBytes, rank);
    this.note().noteDelayed(offset, dueMs, bodyBytes, rank);
    this.home.ride();
    this.arm(dueMs);
  }

  nextRun(): number {
    return ++this.#lastRun;
  }

  noteDeath(): void {
    this.count().dead++;
  }

  /** The message that was chosen cannot be read: it is kept, and nobody gets it. False when no more may be kept. */
  damageChosen(): boolean {
    const { state } = this;
    const { offset, rank } = state;
    if (!state.canDamage(offset)) return false;
    const bytes = state.bodyBytes || averageReadyBytes(state, this.partition);
    state.takeChosen();
    const changes = this.note();
    if (this.form.priorityMax > 0) changes.noteAcquired(offset, -1, bytes, rank);
    this.damage(offset, bytes);
    return true;
  }

  /** The queue's own filter: what it does not match is not for anybody here. */
  isMatched(message: QueueMessage): boolean {
    return this.#filter === undefined || this.#filter(message);
  }

  /** The log begins later than the queue thought; true when that explains what is missing. */
  skipDeleted(): boolean {
    return this.#trim();
  }

  // The parts'

  openDispatcher(): Dispatcher {
    this.dispatcher ??= new Dispatcher(this);
    return this.dispatcher;
  }

  note(): QueueChanges {
    return this.changes ?? this.home.openChanges(this);
  }

  count(): QueueTotals {
    return (this.#totals ??= new QueueTotals());
  }

  /** Who ends deliveries. */
  get settling(): Settler {
    return (this.#settler ??= new Settler(this));
  }

  /** Settles what is nowhere any more. */
  settle(offset: number, bodyBytes: number, changes: QueueChanges): void {
    this.state.settle(offset, bodyBytes);
    changes.noteSettled(offset, bodyBytes);
    if (this.state.settled.countAbove === 0) this.noteIfEmptied();
  }

  /** Keeps what is nowhere any more, and cannot be read. */
  damage(offset: number, bodyBytes: number): void {
    this.state.damage(offset, bodyBytes);
    this.note().noteDamaged(offset, bodyBytes);
    this.home.ride();
    this.noteDamage();
  }

  noteDamage(): void {
    this.home.noteDamage(this, (this.#state?.damagedCount ?? 0) > 0);
  }

  noteIfEmptied(): void {
    const { partition, state } = this;
    if (state.settled.floor < partition.nextOffset) return;
    state.unsettledBytes = 0;
    if (partition.settings.isKeptUntilSettled && partition.sizeBytes > emptiedBytesMin)
      this.home.noteEmptied();
  }

  /** What is no message may be at the head, and would be counted as ready. */
  get hasGaps(): boolean {
    return this.state.settled.floor < this.#gapsEnd;
  }

  // Parts

  #armDedup(): void {
    const { dedupWindowMs } = this.#settings;
    if (dedupWindowMs <= 0) this.state.dedup = undefined;
    else this.arm(this.home.clock.nowMs() + dedupWindowMs + 1);
  }

  #expireDedup(nowMs: number): void {
    const dedup = this.#state?.dedup;
    if (dedup === undefined) return;
    dedup.expire(nowMs - this.#settings.dedupWindowMs, nowMs);
    if (dedup.count === 0) this.state.dedup = undefined;
    else this.#armDedup();
  }

  #ownerIds(): OwnerIds {
    return (this.#owners ??= new OwnerIds(owners.first));
  }

  #compile({ filter }: QueueSettings): ((message: QueueMessage) => boolean) | undefined {
    return filter === undefined ? undefined : this.home.compileFilter(filter);
  }

  /** Whoever recovered it has given it its settings, or uses it without. */
  #begin(): void {
    if (!this.#isAwaited) return;
    this.#isAwaited = false;
    this.arm(this.#nextWakeMs());
    // What nobody asks for any more is forgotten though nothing comes.
    if (this.#state?.dedup !== undefined) this.#armDedup();
  }

  #trim(): boolean {
    const { logStartOffset } = this.partition;
    if (logStartOffset <= this.settledOffset) return false;
    // Replay counts the messages that came due: it must know which of them had gone by then.
    this.note().noteTrimmed(logStartOffset, trimState(this.state, this.partition));
    this.#settler?.endDying(this.dyingCount - (this.state.leases?.countOf(owners.dying) ?? 0));
    this.noteDamage();
    // Others may have waited for what was leased.
    if (this.dispatcher?.hasTakers) this.schedule();
    return true;
  }

  #nextWakeMs(): number {
    const stateMs = this.#state?.nextWakeMs() ?? Number.POSITIVE_INFINITY;
    return Math.min(stateMs, this.dispatcher?.nextWakeMs ?? Number.POSITIVE_INFINITY);
  }

  /** Lets go of what an idle queue does not need. */
  #shed(): void {
    if (!this.dispatcher?.isIdle) return;
    this.state.recallAll();
    this.home.noteWindow(this, false, 0);
    this.dispatcher.clearWindows();
    this.dispatcher = undefined;
    if (this.dyingCount === 0) this.#settler = undefined;
    if (this.state.leases?.count === 0) this.state.leases = undefined;
    if (this.state.returned?.count === 0) this.state.returned = undefined;
    this.#pack();
  }
}
