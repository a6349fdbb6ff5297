import { BrokerError, limits, present } from '../base/index.ts';
import {
  batchAttributes,
  batchBaseSequence,
  batchHeaderBytes,
  batchLastOffsetDelta,
  batchProducerEpoch,
  batchProducerId,
  batchRecordCount,
  batchTotalBytes,
  isControlBatch,
  isTransactionalBatch,
} from '../bytes/index.ts';
import { checkSize, checkStorable } from './append-check.ts';
import { compressBatches } from './append-form.ts';
import type { Extent } from './extent.ts';
import type { OffsetRange } from './log-reader.ts';
import type {
  AppendResult,
  AppendTraits,
  Partition,
  PartitionWaiter,
  ProducerDescription,
  ReadOptions,
  ReadResult,
  TimedOffset,
} from './partition.ts';
import { type PartitionSettings, unboundedSettings } from './partition-settings.ts';
import { findTraits } from './batch-traits.ts';
import type { LogFollower } from './log-follower.ts';
import { type PendingBatch, WaitingBatch } from './pending-batch.ts';
import { ProducerTable } from './producer-state.ts';
import { RunList } from './run-list.ts';
import {
  type AbortedTransaction,
  encodeMarker,
  findOutcome,
  type OpenRuns,
  type OpenTransaction,
  PartitionTransactions,
  type TransactionOutcome,
} from './transaction/index.ts';

/** What a partition log needs of its shard. */
export interface LogHost {
  readonly epoch: number;
  nowMs(): number;
  /** Throws the reason when nothing may be published now. */
  checkPublish(bytes: number): void;
  /** Throws the reason when nothing at all can be written now. */
  checkWritable(): void;
  /** What is sequenced now belongs to a unit. */
  readonly isInUnit: boolean;
  /** The log has got its first waiting batch: its next chunk must ask it. */
  enqueue(log: PartitionLog, bytes: number): void;
  advanceStart(log: PartitionLog, offset: number): Promise<void>;
  read(log: PartitionLog, offset: number, options: ReadOptions): ReadResult | Promise<ReadResult>;
  findByTime(log: PartitionLog, timestampMs: number): Promise<TimedOffset | undefined>;
  findMaxTimestamp(log: PartitionLog): Promise<TimedOffset | undefined>;
  findDamage(log: PartitionLog, offset: number): Promise<OffsetRange | undefined>;
}

/** Everything of a log that a snapshot keeps. */
export interface LogState {
  nextOffset: number;
  logStartOffset: number;
  cleanOffset: number;
  leaderEpochs: Array<{ epoch: number; startOffset: number }>;
  producers: ProducerTable;
  extents: Extent[];
  transactions: PartitionTransactions | undefined;
  /** Of the batches behind the snapshot; no snapshot keeps it. */
  bodyBytes?: number;
}

/**
 * The log of one partition. Its state is in two parts: what has been sequenced (next offset, producers, epochs), which
 * is ahead of the disk, and what is durable (high watermark, log start, extents), which is all that readers see.
 */
export class PartitionLog implements Partition {
  readonly number: number;
  readonly topicId: string;
  readonly index: number;
  settings: PartitionSettings = unboundedSettings;
  isDropped = false;
  /** Whether the commit queue knows of the waiting batches. */
  isQueued = false;

  nextOffset = 0;
  // What is empty is shared until something comes: there may be very many logs in which nothing ever happened.
  leaderEpochs: Array<{ epoch: number; startOffset: number }> = noEpochs;
  producers = noProducers;
  /** Made with the first transaction. */
  transactions: PartitionTransactions | undefined;

  highWatermark = 0;
  logStartOffset = 0;
  /** Below it compaction has left one record of each key, at most. */
  cleanOffset = 0;
  /** In order of offset; the last one may be in the active journal file. */
  extents: Extent[] = noExtents;

  /** Batches that wait for their chunk, oldest first. */
  waiting: PendingBatch[] = noBatches;
  /** Batches whose chunk is being written. */
  inFlight: PendingBatch[] = noBatches;

  /** Queues over the log. */
  followers: readonly LogFollower[] = [];
  /** Of all batches that were sequenced or replayed since the newest snapshot was loaded, about. */
  bodyBytes = 0;

  readonly #host: LogHost;
  #waiters: PartitionWaiter[] = noWaiters;
  /** Of transactions that have ended, while nobody knows whether they are durable. */
  #markers: Marker[] = noMarkers;

  constructor(host: LogHost, number: number, topicId: string, index: number) {
    this.#host = host;
    this.number = number;
    this.topicId = topicId;
    this.index = index;
  }

  get lastStableOffset(): number {
    if (this.transactions === undefined) return this.highWatermark;
    const stable = this.transactions.lastStableOffset(this.highWatermark);
    return Math.max(stable, this.logStartOffset);
  }

  get leaderEpoch(): number {
    return this.#host.epoch;
  }

  get sizeBytes(): number {
    let total = 0;
    for (const extent of this.extents) total += extent.batchBytes;
    return total;
  }

  append(bytes: Uint8Array, traits?: AppendTraits): Promise<AppendResult> {
    try {
      return this.#append(bytes, traits);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  read(offset: number, options: ReadOptions): ReadResult | Promise<ReadResult> {
    this.#checkAlive();
    if (offset < this.logStartOffset || offset > this.highWatermark) {
      throw new BrokerError(
        'offset-out-of-range',
        `${offset} is outside ${this.logStartOffset}..${this.highWatermark}`,
      );
    }
    return this.#host.read(this, offset, options);
  }

  /** See `LogReader.findDamage`. */
  async findDamage(offset: number): Promise<OffsetRange | undefined> {
    return this.isDropped ? undefined : this.#host.findDamage(this, offset);
  }

  async findByTime(timestampMs: number): Promise<TimedOffset | undefined> {
    this.#checkAlive();
    return this.#host.findByTime(this, timestampMs);
  }

  async findMaxTimestamp(): Promise<TimedOffset | undefined> {
    this.#checkAlive();
    return this.#host.findMaxTimestamp(this);
  }

  findEpochEnd(epoch: number): { epoch: number; endOffset: number } {
    if (epoch === this.leaderEpoch) return { epoch, endOffset: this.highWatermark };
    for (let i = this.leaderEpochs.length - 1; i >= 0; i--) {
      const entry = present(this.leaderEpochs[i], 'in range');
      if (entry.epoch > epoch) continue;
      const next = this.leaderEpochs[i + 1];
      return {
        epoch: entry.epoch,
        endOffset: Math.min(next?.startOffset ?? this.highWatermark, this.highWatermark),
      };
    }
    const first = this.leaderEpochs[0]?.startOffset ?? this.highWatermark;
    const endOffset = Math.min(Math.max(first, this.logStartOffset), this.highWatermark);
    return { epoch: Math.min(epoch, this.leaderEpoch), endOffset };
  }

  /** The epoch that the batch at `baseOffset` was stored in; undefined when it is below what is kept of epochs. */
  findStoredEpoch(baseOffset: number): number | undefined {
    for (let i = this.leaderEpochs.length - 1; i >= 0; i--) {
      const entry = present(this.leaderEpochs[i], 'in range');
      if (entry.startOffset <= baseOffset) return entry.epoch;
    }
    return undefined;
  }

  async deleteBefore(offset: number): Promise<number> {
    this.#checkAlive();
    const target = offset === -1 ? this.highWatermark : offset;
    if (target < 0 || target > this.highWatermark) {
      throw new BrokerError('offset-out-of-range', `${offset} is beyond ${this.highWatermark}`);
    }
    if (target > this.logStartOffset) await this.#host.advanceStart(this, target);
    return this.logStartOffset;
  }

  watch(waiter: PartitionWaiter): void {
    if (this.isDropped) waiter.wake(this, 0);
    else if (this.#waiters === noWaiters) this.#waiters = [waiter];
    else this.#waiters.push(waiter);
  }

  unwatch(waiter: PartitionWaiter): void {
    const at = this.#waiters.indexOf(waiter);
    if (at >= 0) this.#waiters.splice(at, 1);
  }

  listProducers(): ProducerDescription[] {
    return this.producers.describe((id) => this.transactions?.findOpen(id)?.firstOffset ?? -1);
  }

  findAborted(from: number, to: number): AbortedTransaction[] {
    return this.transactions?.findAborted(from, to) ?? [];
  }

  isAborted(producerId: number, offset: number): boolean {
    return this.transactions?.isAborted(producerId, offset) ?? false;
  }

  listOpenTransactions(): OpenTransaction[] {
    return [...(this.transactions?.listOpen() ?? [])];
  }

  // For the coordinator of transactions.

  /**
   * The coordinator has noted, durably, that the producer's transaction takes in this partition: its transactional batches
   * are taken from now on. Throws producer-fenced, overloaded, policy-refused.
   */
  beginTransaction(producerId: number, epoch: number): void {
    const known = this.producers.findEpoch(producerId);
    if (known !== undefined && epoch < known)
      throw new BrokerError('producer-fenced', `epoch ${epoch} is older than ${known}`);
    this.transactions ??= new PartitionTransactions();
    this.transactions.permit(producerId, epoch);
  }

  /** The transaction is decided: its batches are refused from now on, although its marker is not here yet. */
  closeTransaction(producerId: number): void {
    this.transactions?.forbid(producerId);
  }

  /**
   * Ends the producer's transaction here; resolves when the marker is durable, at once when there is nothing to end (it
   * may be called again when it is not known whether it was done). Rejects with storage-*, closed.
   */
  async endTransaction(
    producerId: number,
    epoch: number,
    outcome: TransactionOutcome,
    coordinatorEpoch: number,
  ): Promise<void> {
    const { transactions } = this;
    // What a shard that failed has sequenced may be taken back: it cannot say that there is nothing to end.
    this.#host.checkWritable();
    if (this.isDropped || transactions === undefined) return;
    transactions.forbid(producerId);
    if (transactions.findOpen(producerId) === undefined) {
      const offset = transactions.findEnding(producerId, this.highWatermark);
      if (offset !== undefined) await this.#repeat(offset);
      return;
    }
    const nowMs = this.#host.nowMs();
    const marker = encodeMarker({ producerId, epoch, outcome, coordinatorEpoch }, nowMs);
    const batch = this.#sequence(marker, 0, nowMs, noBodies);
    this.#host.enqueue(this, marker.length);
    await batch.settled;
  }

  /** Throws what `append` would reject with; changes nothing. `bytes` may hold several batches. */
  checkAppend(bytes: Uint8Array): void {
    this.#checkAlive();
    this.#host.checkPublish(bytes.length);
    void this.#checkBatches(bytes, this.#host.nowMs());
    const stored = this.#asStored(bytes);
    if (stored !== bytes) this.#checkSizes(stored);
  }

  /**
   * Appends batches of a transaction that is decided: they were checked when it was prepared, and nothing that came in
   * between may keep them out. Those of a partition that is gone go with it.
   */
  async appendDecided(bytes: Uint8Array): Promise<void> {
    if (this.isDropped) return;
    this.#host.checkWritable();
    let stored = bytes;
    try {
      stored = this.#asStored(bytes);
    } catch (error) {
      // The topic's compression was set since they were checked.
      if (!(error instanceof BrokerError)) throw error;
    }
    await this.#sequenceAll(stored, this.#host.nowMs(), undefined).settled;
  }

  /** A batch of this log is part of the journal now: called when its chunk is durable, and in replay. */
  noteStored(
    fileBaseLsn: number,
    run: { firstOffset: number; lsn: number; bytes: number; maxTimestampMs: number },
    batchBytes: number,
    endOffset: number,
  ): void {
    let extent = this.extents.at(-1);
    if (extent === undefined || extent.kind !== 'journal' || extent.fileId !== fileBaseLsn) {
      extent = {
        kind: 'journal',
        fileId: fileBaseLsn,
        firstOffset: run.firstOffset,
        endOffset,
        batchBytes: 0,
        maxTimestampMs: run.maxTimestampMs,
        runs: new RunList(),
        runsAt: 0,
        runCount: 0,
      };
      if (this.extents.length === 0) this.extents = [extent];
      else this.extents.push(extent);
    }
    present(extent.runs, 'runs of the active file are in memory').add(
      run.firstOffset,
      run.lsn,
      run.bytes,
      run.maxTimestampMs,
    );
    extent.endOffset = endOffset;
    extent.batchBytes += batchBytes;
    extent.maxTimestampMs = Math.max(extent.maxTimestampMs, run.maxTimestampMs);
    this.highWatermark = endOffset;
  }

  /** The sequenced part of storing a batch. */
  noteSequenced(
    batch: Uint8Array,
    at: number,
    baseOffset: number,
    epoch: number,
    timestampMs: number,
    bodyBytes: number,
  ): void {
    const recordCount = batchLastOffsetDelta(batch, at) + 1;
    const producerId = batchProducerId(batch, at);
    if (producerId >= 0) {
      const attributes = batchAttributes(batch, at);
      if (isTransactionalBatch(attributes))
        this.#noteTransaction(batch, at, producerId, baseOffset, timestampMs, bodyBytes);
      if (isControlBatch(attributes))
        this.#openProducers().noteEpoch(producerId, batchProducerEpoch(batch, at), timestampMs);
      else
        this.#openProducers().note(
          producerId,
          batchProducerEpoch(batch, at),
          batchBaseSequence(batch, at),
          recordCount,
          baseOffset,
          timestampMs,
        );
    }
    const lastEpoch = this.leaderEpochs.at(-1);
    if (lastEpoch === undefined || lastEpoch.epoch < epoch) {
      const entry = { epoch, startOffset: baseOffset };
      if (lastEpoch === undefined) this.leaderEpochs = [entry];
      else this.leaderEpochs.push(entry);
    }
    this.nextOffset = baseOffset + recordCount;
  }

  /** The log start has moved, durably: forgets what lies before it. */
  trim(offset: number): void {
    if (offset <= this.logStartOffset) return;
    this.logStartOffset = offset;
    let dead = 0;
    while (
      dead < this.extents.length &&
      present(this.extents[dead], 'in range').endOffset <= offset
    )
      dead += 1;
    if (dead > 0) this.extents.splice(0, dead);
    while (
      this.leaderEpochs.length > 1 &&
      present(this.leaderEpochs[1], 'in range').startOffset <= offset
    ) {
      this.leaderEpochs.shift();
    }
    this.transactions?.trim(offset);
    for (const follower of this.followers) follower.trimmed();
  }

  /** Batches of `waiting` go into the chunk that is being built. */
  noteBuilt(batches: PendingBatch[]): void {
    this.inFlight = batches;
    for (const follower of this.followers) {
      for (const batch of batches) follower.built(batch);
    }
  }

  /** The chunk that was being written is, or never will be. */
  noteLanded(): void {
    this.inFlight = noBatches;
  }

  /** First offset that is in no chunk yet. */
  get builtOffset(): number {
    return this.waiting[0]?.baseOffset ?? this.nextOffset;
  }

  /** Everything below is settled by every queue; the log start where there is none. */
  get settledOffset(): number {
    if (this.followers.length === 0) return this.logStartOffset;
    let offset = Number.POSITIVE_INFINITY;
    for (const follower of this.followers) offset = Math.min(offset, follower.settledOffset);
    return offset;
  }

  /** For how long some queue may want settled records again. */
  get keepSettledMs(): number {
    let keptMs = 0;
    for (const follower of this.followers) keptMs = Math.max(keptMs, follower.keepSettledMs);
    return keptMs;
  }

  follow(follower: LogFollower): void {
    // Exactly so long: an array that grows has room for many, and most logs have one follower or none.
    this.followers = this.followers.concat(follower);
  }

  unfollow(follower: LogFollower): void {
    this.followers = this.followers.filter((one) => one !== follower);
  }

  wakeWaiters(appendedBytes: number): void {
    if (this.#markers.length > 0) this.#tellMarkers();
    for (const follower of this.followers) follower.stored();
    if (this.#waiters.length === 0) return;
    const waiters = this.#waiters;
    this.#waiters = noWaiters;
    for (const waiter of waiters) waiter.wake(this, appendedBytes);
  }

  /** What no marker's loss can change any more is told to the followers. */
  #tellMarkers(): void {
    let count = 0;
    for (const { offset, aborted } of this.#markers) {
      if (offset >= this.highWatermark) break;
      count++;
      for (const follower of this.followers) follower.ended(offset, aborted);
    }
    this.#markers = count === this.#markers.length ? noMarkers : this.#markers.slice(count);
  }

  markDropped(): void {
    this.isDropped = true;
    for (const follower of this.followers.slice()) follower.dropped();
  }

  state(): LogState {
    return {
      nextOffset: this.nextOffset,
      logStartOffset: this.logStartOffset,
      cleanOffset: this.cleanOffset,
      leaderEpochs: this.leaderEpochs,
      producers: this.producers,
      extents: this.extents,
      transactions: this.transactions,
      bodyBytes: this.bodyBytes,
    };
  }

  /** Takes the state that recovery found, in place of everything that this object held. */
  adopt(state: LogState): void {
    this.isDropped = false;
    this.#markers = noMarkers;
    this.nextOffset = state.nextOffset;
    this.highWatermark = state.nextOffset;
    this.logStartOffset = state.logStartOffset;
    this.cleanOffset = state.cleanOffset;
    this.leaderEpochs = state.leaderEpochs.length === 0 ? noEpochs : state.leaderEpochs;
    this.producers = state.producers.size === 0 ? noProducers : state.producers;
    this.extents = state.extents.length === 0 ? noExtents : state.extents;
    this.bodyBytes = state.bodyBytes ?? 0;
    if (this.transactions !== undefined) this.transactions.adopt(state.transactions);
    else this.transactions = state.transactions;
  }

  #openProducers(): ProducerTable {
    if (this.producers === noProducers) this.producers = new ProducerTable();
    return this.producers;
  }

  #checkAlive(): void {
    if (this.isDropped) throw new BrokerError('topic-not-found');
  }

  #append(bytes: Uint8Array, traits: AppendTraits | undefined): Promise<AppendResult> {
    this.#checkAlive();
    // A chunk that is longer than recovery believes in would be taken for an unfinished write.
    if (bytes.length > limits.entryBytesMax) {
      throw new BrokerError(
        'batch-too-large',
        `${bytes.length} bytes at once are more than ${limits.entryBytesMax}`,
      );
    }
    this.#host.checkPublish(bytes.length);
    const nowMs = this.#host.nowMs();
    const duplicate = this.#checkBatches(bytes, nowMs, traits?.isBuiltHere);
    if (duplicate !== undefined) return duplicate;
    const stored = this.#asStored(bytes);
    if (stored !== bytes) this.#checkSizes(stored);
    const firstOffset = this.nextOffset;
    const pending = this.#sequenceAll(stored, nowMs, traits);
    if (pending.baseOffset === firstOffset) return pending.settled;
    return pending.settled.then((result) => ({ ...result, baseOffset: firstOffset }));
  }

  /** The batches in the compression that the topic wants. Throws batch-invalid for one that cannot be read. */
  #asStored(bytes: Uint8Array): Uint8Array {
    const { compression } = this.settings;
    return compression === 'producer' ? bytes : compressBatches(bytes, compression);
  }

  #checkSizes(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += batchTotalBytes(bytes, at))
      checkSize(batchTotalBytes(bytes, at), this.settings);
  }

  /** Gives all batches their offsets; returns the last. */
  #sequenceAll(bytes: Uint8Array, nowMs: number, traits: AppendTraits | undefined): PendingBatch {
    let last: PendingBatch | undefined;
    for (let at = 0; at < bytes.length; ) {
      // Only the last batch answers the caller; it is never durable before the others.
      last?.settled.catch(() => undefined);
      last = this.#sequence(bytes, at, nowMs, traits);
      at += last.length;
    }
    this.#host.enqueue(this, bytes.length);
    return present(last, 'at least one batch was checked');
  }

  #noteTransaction(
    batch: Uint8Array,
    at: number,
    producerId: number,
    baseOffset: number,
    timestampMs: number,
    bodyBytes: number,
  ): void {
    this.transactions ??= new PartitionTransactions();
    if (!isControlBatch(batchAttributes(batch, at))) {
      const epoch = batchProducerEpoch(batch, at);
      const count = batchLastOffsetDelta(batch, at) + 1;
      this.transactions.noteBatch(producerId, epoch, baseOffset, timestampMs, count, bodyBytes);
      return;
    }
    const outcome = findOutcome(batch, at);
    if (outcome === undefined) return;
    const runs = this.transactions.noteMarker(producerId, outcome, baseOffset);
    if (this.followers.length === 0) return;
    const isAborted = outcome === 'abort' && runs?.isExact === true;
    const marker = { offset: baseOffset, aborted: isAborted ? runs : undefined };
    if (this.#markers === noMarkers) this.#markers = [marker];
    else this.#markers.push(marker);
  }

  /** Throws for a batch that cannot be stored; answers for one that was stored before. Changes nothing. */
  #checkBatches(
    bytes: Uint8Array,
    nowMs: number,
    isCrcKnown = false,
  ): Promise<AppendResult> | undefined {
    if (bytes.length === 0) throw new BrokerError('batch-invalid', 'there is no record batch');
    for (let at = 0; at < bytes.length; ) {
      const length = checkStorable(bytes, at, this.settings, nowMs, isCrcKnown);
      const producerId = batchProducerId(bytes, at);
      if (producerId >= 0) {
        if (length !== bytes.length) {
          throw new BrokerError(
            'batch-invalid',
            'an idempotent producer sends one batch at a time',
          );
        }
        return this.#checkProducer(bytes, at, producerId);
      }
      if (isTransactionalBatch(batchAttributes(bytes, at)))
        throw new BrokerError('batch-invalid', 'a transaction has a producer id');
      at += length;
    }
    return undefined;
  }

  #checkProducer(
    bytes: Uint8Array,
    at: number,
    producerId: number,
  ): Promise<AppendResult> | undefined {
    const firstSequence = batchBaseSequence(bytes, at);
    const epoch = batchProducerEpoch(bytes, at);
    if (firstSequence < 0 || epoch < 0)
      throw new BrokerError('batch-invalid', 'it has no sequence number');
    const check = this.producers.check(
      producerId,
      epoch,
      firstSequence,
      batchRecordCount(bytes, at),
    );
    if (check.outcome === 'fenced') {
      throw new BrokerError('producer-fenced', `epoch ${epoch} is older than ${check.epoch}`);
    }
    if (check.outcome === 'out-of-order') {
      throw new BrokerError(
        'sequence-out-of-order',
        `${firstSequence} instead of ${check.expected}`,
      );
    }
    // A repeat of what was stored is answered although its transaction has ended meanwhile.
    if (check.outcome === 'duplicate') return this.#repeat(check.baseOffset);
    const isOpen = this.transactions?.findOpen(producerId) !== undefined;
    if (isTransactionalBatch(batchAttributes(bytes, at))) {
      if (this.transactions?.isPermitted(producerId, epoch) !== true)
        throw new BrokerError('transaction-invalid', 'its transaction was not begun here');
    } else if (isOpen) {
      throw new BrokerError('transaction-invalid', 'its producer is in a transaction');
    }
    return undefined;
  }

  /** The answer to a batch that was stored before: the first answer again, and not before it. */
  #repeat(baseOffset: number): Promise<AppendResult> {
    for (const batch of [...this.inFlight, ...this.waiting]) {
      if (batch.baseOffset === baseOffset) {
        return batch.settled.then((result) => ({ ...result, isDuplicate: true }));
      }
    }
    return Promise.resolve({
      baseOffset,
      appendTimeMs: -1,
      logStartOffset: this.logStartOffset,
      isDuplicate: true,
    });
  }

  #sequence(
    bytes: Uint8Array,
    at: number,
    nowMs: number,
    traits: AppendTraits | undefined,
  ): PendingBatch {
    const isStamped = this.settings.timestampType === 'append';
    const batch = new WaitingBatch(bytes, at, this.nextOffset, isStamped ? nowMs : -1);
    batch.isInUnit = this.#host.isInUnit;
    if (traits !== undefined && batch.length === bytes.length) {
      batch.bodyBytes = traits.bodyBytes;
      batch.isScheduled = traits.isScheduled;
    } else if (this.followers.length > 0) {
      const found = findTraits(bytes, at);
      batch.bodyBytes = found.bodyBytes;
      batch.isScheduled = found.isScheduled;
    }
    const bodyBytes = batch.bodyBytes < 0 ? batch.length - batchHeaderBytes : batch.bodyBytes;
    this.bodyBytes += bodyBytes;
    for (const follower of this.followers) follower.sequenced(batch);
    this.noteSequenced(bytes, at, this.nextOffset, this.#host.epoch, nowMs, bodyBytes);
    if (this.waiting === noBatches) this.waiting = [batch];
    else this.waiting.push(batch);
    return batch;
  }
}

interface Marker {
  readonly offset: number;
  /** Where the records are that it takes back, as far as they can be told from others. */
  readonly aborted: OpenRuns | undefined;
}

/** Never written to: see where they are used. */
const noEpochs: Array<{ epoch: number; startOffset: number }> = [];
const noExtents: Extent[] = [];
const noBatches: PendingBatch[] = [];
const noWaiters: PartitionWaiter[] = [];
const noMarkers: Marker[] = [];
const noProducers = new ProducerTable();

const noBodies: AppendTraits = { bodyBytes: 0, isScheduled: false };
