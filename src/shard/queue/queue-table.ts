import { BrokerError, type Clock, limits, type Random, type Timer } from '../../base/index.ts';
import { batchBaseOffset, ByteReader, ByteWriter } from '../../bytes/index.ts';
import type { EntrySource, StateExtension } from '../extension.ts';
import { DeadlineQueue, type Deadline } from '../group/index.ts';
import type { PartitionLog } from '../partition-log.ts';
import { LiveQueue } from './live-queue.ts';
import {
  decodeIdentity,
  encodeIdentity,
  type QueueIdentity,
  queueEntryKind,
} from './queue-entries.ts';
import type { QueueHome } from './queue-home.ts';
import { ChangeTally, QueueChanges, replayChanges } from './queue-changes.ts';
import { QueueState } from './queue-state.ts';
import { decodeState } from './queue-state-codec.ts';
import { ReadAheadBudget } from './read-ahead.ts';
import { StateReplay } from './state-replay.ts';
import type {
  PartitionQueue,
  QueueEvents,
  QueueForm,
  QueueMessage,
  QueueSettings,
} from './types.ts';

/** What the queues ask of their shard. */
export interface QueueHost {
  submit(kind: number, payload: Uint8Array): Promise<void>;
  /** What has changed must be in the next chunk, which begins soon. */
  requestCommit(): void;
  /** Messages were settled behind which much room can be freed. */
  requestMaintenance(): void;
}

/** Makes the predicate of a filter; throws where its text is wrong (it was checked when the filter was set). */
export type FilterCompiler = (
  filter: NonNullable<QueueSettings['filter']>,
) => (message: QueueMessage) => boolean;

export interface QueueTableParts {
  clock: Clock;
  random: Random;
  events: QueueEvents;
  /** Without it settings with a filter are refused. */
  compileFilter?: FilterCompiler;
}

interface Waiter {
  /** Number of the chunk that it waits for. */
  chunk: number;
  resolve: () => void;
  reject: (error: Error) => void;
}

/** Messages that one queue gives out before others have their turn. */
const roundMax = 1000;
/** Deliveries alone wait this long for a chunk that others bring about. */
const lazyMs = 10;
/** What was settled, and nobody waits for it, waits this long for a chunk that others bring about. */
const rideMs = 2;
/** Rooms of queues that turned empty are not freed more often than this. */
const emptiedEveryMs = 1000;
/** A timer that waits longer is set anew meanwhile, for the wall clock may jump. */
const armedMax = 60_000;

/** The queues of one shard, as state beside the partitions. */
export class QueueTable implements StateExtension, QueueHome, EntrySource {
  readonly name = 'queues';
  readonly clock: Clock;
  readonly random: Random;
  readonly events: QueueEvents;
  readonly readAhead = new ReadAheadBudget(limits.queueReadAheadBytesMax);
  readonly #compileFilter: FilterCompiler | undefined;
  readonly #queues = new Map<number, LiveQueue>();
  #host: QueueHost | undefined;
  #nextQueue = 1;
  isLost = false;
  /** Why, while it is lost. */
  #loss: Error = new BrokerError('closed');
  isUrgent = false;

  // Rounds
  #active: LiveQueue[] = [];
  #isTurnSet = false;
  readonly #deadlines: DeadlineQueue;
  readonly #armed = new Map<LiveQueue, Deadline>();
  /** Those that keep a stretch of their log in memory, the one used longest ago first, with what they have decompressed of it. */
  readonly #windows = new Map<LiveQueue, number>();
  #unpackedBytes = 0;
  /** Those with messages that cannot be read. */
  readonly #damaged = new Set<LiveQueue>();
  /** They stopped because too much waits for the journal. */
  #clogged: LiveQueue[] = [];

  // The journal
  #dirty: LiveQueue[] = [];
  readonly #spare: QueueChanges[] = [];
  readonly #tally = new ChangeTally();
  /** Number of the chunk that is gathered for, and of the newest that is durable. */
  #chunk = 1;
  #durableChunk = 0;
  /** Chunks that were taken and are not durable. */
  readonly #taken: number[] = [];
  #waiters: Waiter[] = [];
  /** Asks for a chunk when nobody else did. It is not set anew for each chunk: it looks when it rings. */
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  /** When what has gathered should be in a chunk at the latest; Infinity when nothing has. */
  #wantedAtMs = Number.POSITIVE_INFINITY;
  /** It is no later than `rideMs` after the oldest settlement. */
  #isRiding = false;
  #emptiedAtMs = Number.NEGATIVE_INFINITY;

  // Recovery
  /** States without their queues yet, by queue number. */
  #replayed: Map<number, Replayed> | undefined;
  readonly #replayedOf = new Map<number, Replayed[]>();
  #logs: ReadonlyMap<number, PartitionLog> = new Map();

  constructor(parts: QueueTableParts) {
    this.clock = parts.clock;
    this.random = parts.random;
    this.events = parts.events;
    this.#compileFilter = parts.compileFilter;
    this.#deadlines = new DeadlineQueue(parts.clock);
  }

  /** Gives the table the shard that journals its entries. */
  attach(host: QueueHost): void {
    this.#host = host;
    // What recovery has found to do may have asked for a chunk before anybody could be asked.
    if (this.isUrgent) host.requestCommit();
  }

  /**
   * The queue of that subscription, made where there is none; it can be used at once, and exists for good when
   * `durable` resolves. One that exists gets the settings and keeps its form and place.
   */
  open(
    log: PartitionLog,
    subscription: string,
    form: QueueForm,
    settings: QueueSettings,
    startOffset: number,
  ): { queue: PartitionQueue; durable: Promise<void> } {
    const known = findOver(log, subscription);
    if (known !== undefined) {
      known.settings = settings;
      return { queue: known, durable: Promise.resolve() };
    }
    const start = Math.min(Math.max(startOffset, log.logStartOffset), log.nextOffset);
    const ingested = Math.max(start, log.builtOffset);
    const state = new QueueState(form, start, ingested, this.serial());
    state.unsettledBytes = estimateBytes(log, start);
    const id = this.#nextQueue;
    const queue = new LiveQueue(id, log, subscription, state, settings, this);
    this.#nextQueue++;
    this.#add(queue);
    const writer = new ByteWriter(64);
    encodeIdentity(writer, queue);
    writer.varlong(start);
    writer.varlong(ingested);
    writer.varlong(state.unsettledBytes);
    const durable = this.#submit(queueEntryKind.opened, writer.take());
    queue.begin(durable);
    return { queue, durable };
  }

  /** Forgets a queue; its consumers are detached. The partition's records stay. Resolves when that is durable. */
  drop(queue: PartitionQueue): Promise<void> {
    const known = this.#liveOf(queue);
    if (known === undefined) return Promise.resolve();
    const writer = new ByteWriter(16);
    writer.uint32(known.id);
    const durable = this.#submit(queueEntryKind.dropped, writer.take());
    this.#remove(known);
    known.end('deleted');
    return durable;
  }

  find(log: PartitionLog, subscription: string): PartitionQueue | undefined {
    return findOver(log, subscription);
  }

  list(): Iterable<PartitionQueue> {
    return this.#queues.values();
  }

  /** Queues with messages that cannot be read. */
  listDamaged(): Iterable<PartitionQueue> {
    return this.#damaged;
  }

  // StateExtension

  owns(kind: number): boolean {
    return kind >= queueEntryKind.opened && kind <= queueEntryKind.last;
  }

  apply(kind: number, payload: Uint8Array): void {
    // Outside of recovery whoever submits an entry has done what it says.
    const replayed = this.#replayed;
    if (replayed === undefined) return;
    const reader = new ByteReader(payload);
    if (kind === queueEntryKind.opened) {
      const identity = decodeIdentity(reader);
      const startOffset = reader.varlong();
      const ingested = reader.varlong();
      const state = new QueueState(identity.form, startOffset, ingested, this.serial());
      state.unsettledBytes = reader.varlong();
      this.#addReplayed({ ...identity, state, openedAt: ingested });
      this.#nextQueue = Math.max(this.#nextQueue, identity.id + 1);
    } else if (kind === queueEntryKind.dropped) {
      const id = reader.uint32();
      const partition = replayed.get(id)?.partition ?? -1;
      replayed.delete(id);
      const others = this.#replayedOf.get(partition)?.filter((other) => other.id !== id);
      if (others !== undefined) this.#replayedOf.set(partition, others);
    } else if (kind === queueEntryKind.changed) {
      while (reader.remaining > 0) {
        const id = reader.uint32();
        const length = reader.uint32();
        const end = reader.position + length;
        const target = replayed.get(id);
        // Its partition is gone: dropped in this chunk or later.
        if (target === undefined || !this.#logs.has(target.partition)) reader.skip(length);
        else replayChanges(reader, end, new StateReplay(target.state));
      }
    }
  }

  encode(): Uint8Array {
    const writer = new ByteWriter(1024);
    writer.uint32(this.#nextQueue);
    writer.uint32(this.#queues.size);
    for (const queue of this.#queues.values()) {
      encodeIdentity(writer, queue);
      queue.encodeState(writer);
    }
    return writer.take();
  }

  restore(state: Uint8Array | undefined, logs: ReadonlyMap<number, PartitionLog>): void {
    this.#logs = logs;
    this.#replayed = new Map();
    this.#replayedOf.clear();
    this.#nextQueue = 1;
    if (state === undefined) return;
    const reader = new ByteReader(state);
    this.#nextQueue = reader.uint32();
    for (let count = reader.uint32(); count > 0; count--) {
      const identity = decodeIdentity(reader);
      const queueState = decodeState(reader, identity.form, this.serial());
      this.#addReplayed({ ...identity, state: queueState, openedAt: 0 });
    }
  }

  replayBatch(log: PartitionLog, batch: Uint8Array, storedMs: number): void {
    const baseOffset = batchBaseOffset(batch, 0);
    for (const { state } of this.#replayedOf.get(log.number) ?? [])
      state.ingestScheduled(batch, 0, baseOffset, storedMs);
  }

  reopened(): void {
    for (const replayed of this.#replayed?.values() ?? []) replayed.state.endOwnedLeases();
  }

  adopted(): void {
    const replayed = this.#replayed ?? new Map<number, Replayed>();
    this.#replayed = undefined;
    this.#replayedOf.clear();
    const before = [...this.#queues.values()];
    this.#queues.clear();
    this.#forgetGathered();
    this.isLost = false;
    for (const { id, partition, subscription, state, openedAt } of replayed.values()) {
      const log = this.#logs.get(partition);
      if (log === undefined) continue;
      state.unsettledBytes +=
        openedAt === 0 ? log.bodyBytes : Math.min(log.bodyBytes, estimateBytes(log, openedAt));
      // Logs that were there before are the same, and so are the queues that follow them.
      const known = findOver(log, subscription);
      const queue =
        known?.id === id ? known : new LiveQueue(id, log, subscription, state, undefined, this);
      this.#add(queue);
      queue.adopt(state);
    }
    for (const gone of before) {
      if (this.#queues.get(gone.id) === gone) continue;
      gone.partition.unfollow(gone);
      this.#disarm(gone);
      gone.end('deleted');
    }
    this.#logs = new Map();
  }

  get entries(): EntrySource {
    return this;
  }

  // EntrySource

  get hasEntries(): boolean {
    return this.#dirty.length > 0;
  }

  takeEntries(add: (kind: number, payload: Uint8Array) => void): void {
    if (this.#dirty.length === 0) return;
    const writer = new ByteWriter(256);
    for (const queue of this.#dirty) {
      const { changes } = queue;
      queue.changes = undefined;
      if (changes === undefined) continue;
      if (!queue.isDropped) {
        writer.uint32(queue.id);
        const lengthAt = writer.position;
        writer.uint32(0);
        changes.takeInto(writer);
        writer.patchInt32(lengthAt, writer.position - lengthAt - 4);
      }
      changes.clear();
      if (this.#spare.length < limits.queueSpareChangesMax) this.#spare.push(changes);
    }
    this.#dirty = [];
    this.#tally.bytes = 0;
    this.isUrgent = false;
    this.#isRiding = false;
    this.#wantedAtMs = Number.POSITIVE_INFINITY;
    if (writer.position === 0) {
      // Only queues that were dropped had changed: whoever waits for them waits for the drop.
      this.#settleWaiters(this.#chunk++);
    } else {
      this.#taken.push(this.#chunk++);
      add(queueEntryKind.changed, writer.take());
    }
    for (const queue of this.#clogged.splice(0)) this.schedule(queue);
  }

  entriesDurable(): void {
    const chunk = this.#taken.shift();
    if (chunk !== undefined) this.#settleWaiters(chunk);
  }

  entriesLost(error: Error): void {
    this.isLost = true;
    this.#loss = error;
    this.#forgetGathered();
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.reject(error);
  }

  // QueueHome

  compileFilter(filter: NonNullable<QueueSettings['filter']>): (message: QueueMessage) => boolean {
    if (this.#compileFilter === undefined)
      throw new BrokerError('config-invalid', 'there is nothing that understands filters');
    return this.#compileFilter(filter);
  }

  openChanges(queue: LiveQueue): QueueChanges {
    const changes = this.#spare.pop() ?? new QueueChanges(this.#tally);
    queue.changes = changes;
    // They are forgotten with the state that recovery replaces.
    if (this.isLost) return changes;
    queue.changedChunk = this.#chunk;
    this.#dirty.push(queue);
    if (this.#wantedAtMs === Number.POSITIVE_INFINITY && !this.isUrgent) this.#wantWithin(lazyMs);
    return changes;
  }

  ride(): void {
    if (this.#isRiding || this.isUrgent || this.isLost) return;
    this.#isRiding = true;
    this.#wantWithin(rideMs);
  }

  urge(): void {
    if (this.isUrgent || this.isLost || this.#dirty.length === 0) return;
    this.isUrgent = true;
    this.#host?.requestCommit();
  }

  get isClogged(): boolean {
    return this.#tally.bytes > limits.queueChangesBytesMax;
  }

  awaitRoom(queue: LiveQueue): void {
    this.#clogged.push(queue);
    this.urge();
  }

  schedule(queue: LiveQueue): void {
    if (queue.isScheduled || queue.isDropped || this.isLost) return;
    queue.isScheduled = true;
    this.#active.push(queue);
    this.#setTurn();
  }

  arm(queue: LiveQueue, atMs: number): void {
    if (this.#replayed !== undefined && atMs === Number.POSITIVE_INFINITY) return;
    this.#disarm(queue);
    if (atMs === Number.POSITIVE_INFINITY || queue.isDropped) return;
    queue.armedMs = atMs;
    const waitMs = Math.min(Math.max(atMs - this.clock.nowMs(), 0), armedMax);
    const deadline = this.#deadlines.schedule(this.clock.monotonicMs() + waitMs, () => {
      this.#armed.delete(queue);
      queue.armedMs = Number.POSITIVE_INFINITY;
      queue.wake(this.clock.nowMs());
    });
    this.#armed.set(queue, deadline);
  }

  /** Memory of batches that queues have decompressed, and keep. */
  get unpackedBytes(): number {
    return this.#unpackedBytes;
  }

  noteWindow(queue: LiveQueue, isKept: boolean, unpackedBytes: number): void {
    this.#forgetWindow(queue);
    if (!isKept) return;
    this.#windows.set(queue, unpackedBytes);
    this.#unpackedBytes += unpackedBytes;
    for (const oldest of this.#windows.keys()) {
      const isRoom =
        this.#windows.size <= limits.queueWindowsMax &&
        this.#unpackedBytes <= limits.queueUnpackedBytesMax;
      // Whoever came last goes on with what it has, however much that is.
      if (isRoom || oldest === queue) return;
      this.#forgetWindow(oldest);
      oldest.clearWindows();
    }
  }

  #forgetWindow(queue: LiveQueue): void {
    this.#unpackedBytes -= this.#windows.get(queue) ?? 0;
    this.#windows.delete(queue);
  }

  noteDamage(queue: LiveQueue, isDamaged: boolean): void {
    if (isDamaged) this.#damaged.add(queue);
    else if (this.#damaged.size > 0) this.#damaged.delete(queue);
  }

  whenSettled(queue: LiveQueue): Promise<void> {
    if (this.isLost) return Promise.reject(this.#loss);
    const chunk = queue.changedChunk;
    if (chunk <= this.#durableChunk) return Promise.resolve();
    if (queue.changes !== undefined) this.urge();
    return new Promise((resolve, reject) => this.#waiters.push({ chunk, resolve, reject }));
  }

  forget(queue: LiveQueue): void {
    this.#remove(queue);
  }

  noteEmptied(): void {
    const nowMs = this.clock.monotonicMs();
    if (nowMs < this.#emptiedAtMs + emptiedEveryMs) return;
    this.#emptiedAtMs = nowMs;
    this.#host?.requestMaintenance();
  }

  // Parts

  #liveOf(queue: PartitionQueue): LiveQueue | undefined {
    return queue instanceof LiveQueue && this.#queues.get(queue.id) === queue ? queue : undefined;
  }

  #add(queue: LiveQueue): void {
    this.#queues.set(queue.id, queue);
    queue.partition.unfollow(queue);
    queue.partition.follow(queue);
  }

  /** Called also when its partition is dropped. */
  #remove(queue: LiveQueue): void {
    this.#queues.delete(queue.id);
    queue.partition.unfollow(queue);
    this.#forgetWindow(queue);
    this.#damaged.delete(queue);
    this.#disarm(queue);
  }

  #addReplayed(replayed: Replayed): void {
    this.#replayed?.set(replayed.id, replayed);
    const others = this.#replayedOf.get(replayed.partition);
    if (others === undefined) this.#replayedOf.set(replayed.partition, [replayed]);
    else others.push(replayed);
  }

  #disarm(queue: LiveQueue): void {
    this.#deadlines.cancel(this.#armed.get(queue));
    this.#armed.delete(queue);
    queue.armedMs = Number.POSITIVE_INFINITY;
  }

  #setTurn(): void {
    if (this.#isTurnSet) return;
    this.#isTurnSet = true;
    this.clock.setAfterIo(() => {
      this.#isTurnSet = false;
      this.#turn();
    });
  }

  #turn(): void {
    const active = this.#active;
    this.#active = [];
    for (const queue of active) {
      queue.isScheduled = false;
      if (queue.round(roundMax)) this.schedule(queue);
    }
  }

  #settleWaiters(chunk: number): void {
    this.#durableChunk = Math.max(this.#durableChunk, chunk);
    if (this.#waiters.length === 0) return;
    const waiters = this.#waiters;
    this.#waiters = waiters.filter((waiter) => waiter.chunk > chunk);
    for (const waiter of waiters) if (waiter.chunk <= chunk) waiter.resolve();
  }

  #forgetGathered(): void {
    for (const queue of this.#dirty) queue.changes = undefined;
    this.#dirty = [];
    this.#tally.bytes = 0;
    this.#taken.length = 0;
    this.#durableChunk = this.#chunk++;
    this.isUrgent = false;
    this.#isRiding = false;
    this.#wantedAtMs = Number.POSITIVE_INFINITY;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    this.#clogged = [];
  }

  /** What has gathered should be in a chunk that begins within `ms`. */
  #wantWithin(ms: number): void {
    const nowMs = this.clock.monotonicMs();
    if (nowMs + ms >= this.#wantedAtMs) return;
    this.#wantedAtMs = nowMs + ms;
    if (this.#timerAtMs > this.#wantedAtMs) this.#setTimer(nowMs);
  }

  #setTimer(nowMs: number): void {
    this.#timer?.cancel();
    this.#timerAtMs = this.#wantedAtMs;
    const waitMs = Math.max(Math.ceil(this.#wantedAtMs - nowMs), 1);
    this.#timer = this.clock.setTimer(waitMs, () => {
      this.#timer = undefined;
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      if (this.#wantedAtMs === Number.POSITIVE_INFINITY || this.isUrgent) return;
      const ringsMs = this.clock.monotonicMs();
      // Less than a millisecond is no reason to wait again.
      if (this.#wantedAtMs - ringsMs < 1) this.urge();
      else this.#setTimer(ringsMs);
    });
  }

  #submit(kind: number, payload: Uint8Array): Promise<void> {
    if (this.#host === undefined) throw new Error('the queue table was not attached to its shard');
    return this.#host.submit(kind, payload);
  }

  serial(): number {
    return this.random.nextInt(0x7fffffff);
  }
}

interface Replayed extends QueueIdentity {
  state: QueueState;
  /** Batches before this offset were in the log when it was opened. */
  openedAt: number;
}

/** Body bytes from an offset on, as far as the log's size tells. */
function estimateBytes(log: PartitionLog, from: number): number {
  const count = log.highWatermark - log.logStartOffset;
  const average = count <= 0 ? 0 : log.sizeBytes / count;
  return Math.floor(Math.max(0, log.nextOffset - from) * average);
}

/** A log knows its queues: a map for those of all logs would be much of their memory. */
function findOver(log: PartitionLog, subscription: string): LiveQueue | undefined {
  for (const follower of log.followers)
    if (follower instanceof LiveQueue && follower.subscription === subscription) return follower;
  return undefined;
}
