import {
  BrokerError,
  type Clock,
  limits,
  present,
  type Random,
  type Timer,
} from '../base/index.ts';
import { ByteWriter } from '../bytes/index.ts';
import type { Journal } from '../journal/index.ts';
import { SegmentMissing, type SegmentStore } from '../segment/index.ts';
import { KeyCompactor } from './compaction/index.ts';
import { Compactor } from './compactor.ts';
import { entryKind } from './entry.ts';
import type { Extent } from './extent.ts';
import type { EntrySource, StateExtension } from './extension.ts';
import { FreeSpace } from './free-space.ts';
import { type CommitHost, GroupCommit } from './group-commit.ts';
import { buildIndex, type IndexedExtent, indexName, IndexStore } from './index-store.ts';
import { LogReader, type OffsetRange } from './log-reader.ts';
import { Maintenance } from './maintenance.ts';
import type { ReadOptions, ReadResult, TimedOffset } from './partition.ts';
import { type LogHost, PartitionLog } from './partition-log.ts';
import type { PartitionSettings } from './partition-settings.ts';
import { type ExtensionEntry, loadSnapshot, RecoveredState } from './recovery.ts';
import { rebuildRuns } from './run-rebuild.ts';
import type { ShardBacking } from './shard-storage.ts';
import { encodeSequenced, encodeSnapshot, snapshotName } from './snapshot.ts';
import { TailCache } from './tail-cache.ts';

export interface ShardOptions {
  backing: ShardBacking;
  clock: Clock;
  random: Random;
  extensions: readonly StateExtension[];
  /** Those who gather something until a chunk is built, beside the extensions; they are asked before them. */
  sources?: readonly EntrySource[];
  log: ShardLog;
  observer?: ShardObserver;
  /** Called in the same turn in which the state that recovery found is taken over: what refers to it must look again. */
  onAdopted?: () => void;
  /** A journal file that is this long is sealed. */
  journalFileBytes?: number;
  tailCacheBytes?: number;
  chunkBytesMax?: number;
  freeBytesMin?: number;
  /** Rate of the compactor's reads and writes together. */
  compactionBytesPerSecond?: number;
  /** Memory for the keys of one pass of compaction. */
  compactionMapBytes?: number;
  retentionCheckMs?: number;
}

/** Where a shard tells what an operator should know. */
export interface ShardLog {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

export interface ShardObserver {
  committed(chunkBytes: number, batches: number, latencyMs: number): void;
}

/** Bytes; all but the journal's are as of the last look. */
export interface ShardStorage {
  journalBytes: number;
  segmentBytes: number;
  freeBytes: number;
  totalBytes: number;
}

/** Of a journal file, laid out to be stored. */
interface FileIndex {
  baseLsn: number;
  bytes: Uint8Array;
}

const recoverDelayMs = 1000;
/** After a commit somebody counts as writing for so long. */
const busyMs = 100;
/** Producer ids are taken from the journal in blocks: ids of an unfinished block are never given out again. */
const producerIdBlock = 1000;
/** Snapshots kept: should the newest be damaged, the one before it leads to the same state. */
const snapshotsKept = 2;

/**
 * A single-writer state machine fed by a journal: partitions, and the extensions' state beside them. Entries are
 * sequenced and applied at once; nothing is answered or shown before the chunk that holds its entry is durable.
 */
export class Shard implements LogHost, CommitHost {
  readonly #options: ShardOptions;
  readonly #segments: SegmentStore;
  readonly #indexes: IndexStore;
  readonly #cache: TailCache;
  readonly #maintenance: Maintenance;
  readonly #freeSpace: FreeSpace;
  #journal!: Journal;
  #commit!: GroupCommit;
  #reader!: LogReader;
  #logs = new Map<number, PartitionLog>();
  /** Dropped, but not durably yet. */
  readonly #dropping = new Set<PartitionLog>();
  #nextPartition = 1;
  #nextProducerId = 1;
  #producerIdsEnd = 1;
  /** Ids below this one are taken, as the journal has it. */
  #producerIdsStored = 1;
  #producerIdBlock: Promise<void> | undefined;
  #nextSegment = 1;
  /** LSNs of the stored snapshots, oldest first. */
  #snapshots: number[] = [];
  #capture: { bytes: Uint8Array; logs: PartitionLog[] } | undefined;
  #storing: Promise<void> = Promise.resolve();
  readonly #unstoredIndexes: FileIndex[] = [];
  /** Files whose indexes wait in line or there: until they are stored, their runs are in memory only. */
  readonly #unindexed = new Set<number>();
  #failure: BrokerError | undefined;
  #recoveryTimer: Timer | undefined;
  #recovering: Promise<void> | undefined;
  #isClosed = false;
  #isInUnit = false;
  #lastCommitMs = Number.NEGATIVE_INFINITY;
  #writableCallbacks: Array<() => void> = [];

  /** Recovers what is stored. Rejects with storage-damaged (nothing was changed), storage-full or storage-failed. */
  static async open(options: ShardOptions): Promise<Shard> {
    const shard = new Shard(options, await options.backing.openSegments());
    await shard.#recover();
    await shard.#freeSpace.look();
    shard.#maintenance.start();
    return shard;
  }

  private constructor(options: ShardOptions, segments: SegmentStore) {
    this.#options = options;
    this.#segments = segments;
    this.#cache = new TailCache(options.tailCacheBytes ?? limits.tailCacheBytes);
    this.#indexes = new IndexStore(segments, (extent) => this.#rebuildIndex(extent));
    this.#freeSpace = new FreeSpace({
      backing: options.backing,
      clock: options.clock,
      bytesMin: options.freeBytesMin ?? limits.freeBytesMin,
      pendingBytes: () => this.#commit.pendingBytes,
      log: options.log,
      onLow: () => this.#maintenance.request(),
    });
    const bytesPerSecond = options.compactionBytesPerSecond ?? 32 * 1024 * 1024;
    this.#maintenance = new Maintenance({
      clock: options.clock,
      log: options.log,
      retentionCheckMs: options.retentionCheckMs ?? 15_000,
      shard: this,
      segments,
      room: () => this.#freeSpace.roomForMoves(),
      journal: () => this.#journal,
      reader: () => this.#reader,
      // One snapshot may be damaged: until there is another one, the journal must do without it.
      deletableLsn: () =>
        this.#snapshots.length < snapshotsKept ? 0 : present(this.#snapshots[0], 'there is one'),
      compactor: new Compactor({ clock: options.clock, segments, bytesPerSecond }),
      keyCompactor: new KeyCompactor({
        clock: options.clock,
        random: options.random,
        segments,
        bytesPerSecond,
        isBusy: () => options.clock.monotonicMs() - this.#lastCommitMs < busyMs,
        mapBytesMax: options.compactionMapBytes ?? limits.compactionMapBytes,
      }),
    });
  }

  get epoch(): number {
    return this.#journal.epoch;
  }

  /** All partitions that are not dropped. */
  logs(): IterableIterator<PartitionLog> {
    return this.#logs.values();
  }

  findLog(partition: number): PartitionLog | undefined {
    return this.#logs.get(partition);
  }

  storedLogs(): PartitionLog[] {
    return [...this.#logs.values(), ...this.#dropping];
  }

  get isCertain(): boolean {
    return this.#failure === undefined;
  }

  /** Adds a partition; it can be used at once, and exists for good when `durable` resolves. */
  openPartition(
    topicId: string,
    index: number,
    settings: PartitionSettings,
  ): { log: PartitionLog; durable: Promise<void> } {
    const number = this.#nextPartition++;
    const log = new PartitionLog(this, number, topicId, index);
    log.settings = settings;
    this.#logs.set(number, log);
    const writer = new ByteWriter(64);
    writer.uint32(number);
    writer.uint32(index);
    writer.utf8(topicId);
    return { log, durable: this.#control(entryKind.partitionOpened, writer.take()) };
  }

  /** Drops a partition and all its records. */
  dropPartition(log: PartitionLog): Promise<void> {
    this.#logs.delete(log.number);
    this.#dropping.add(log);
    log.markDropped();
    const writer = new ByteWriter(16);
    writer.uint32(log.number);
    return this.#control(entryKind.partitionDropped, writer.take(), () => {
      this.#dropping.delete(log);
      log.extents = [];
      log.wakeWaiters(0);
      this.#maintenance.request();
    });
  }

  /** Applies an extension's entry at once; resolves when it is durable. */
  submit(kind: number, payload: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    for (const extension of this.#options.extensions) {
      if (extension.owns(kind)) extension.apply(kind, payload);
    }
    return this.#control(kind, payload);
  }

  /**
   * Throws overloaded when an entry of so many bytes must wait until less does. Whoever lets others decide how long an entry is
   * asks first: all that waits may come to stand in one chunk, and recovery believes in no chunk beyond a length.
   */
  checkEntry(bytes: number): void {
    const { pendingBytes } = this.#commit;
    if (pendingBytes > 0 && pendingBytes + bytes > limits.pendingBytesMax)
      throw new BrokerError('overloaded', 'too much is waiting for the disk');
  }

  /**
   * Everything that `work` appends, submits and settles goes into one chunk: all of it survives, or nothing. `work` has
   * checked before that all of it can be done: what it did before it throws is not undone.
   */
  atomically<T>(work: () => T): T {
    this.#isInUnit = true;
    try {
      return work();
    } finally {
      this.#isInUnit = false;
    }
  }

  /** Resolves when every entry that is not a record batch and was made before is durable. */
  barrier(): Promise<void> {
    return this.#failure === undefined ? this.#commit.barrier() : Promise.reject(this.#failure);
  }

  /** A source has something that should not wait for others: a chunk begins soon. False: none does, the storage failed. */
  requestCommit(): boolean {
    return this.#commit.request();
  }

  /** Room can be freed: retention need not wait for its time. */
  requestMaintenance(): void {
    this.#maintenance.request();
  }

  /** A producer id that no other producer has or had. */
  async allocateProducerId(): Promise<number> {
    while (this.#nextProducerId >= this.#producerIdsEnd) {
      this.#producerIdBlock ??= this.#takeProducerIds().finally(() => {
        this.#producerIdBlock = undefined;
      });
      await this.#producerIdBlock;
    }
    return this.#nextProducerId++;
  }

  isOverloaded(): boolean {
    return this.#commit.pendingBytes > limits.pendingBytesHigh;
  }

  /** Calls back once, soon after `isOverloaded` has become false. */
  whenWritable(callback: () => void): void {
    this.#writableCallbacks.push(callback);
    if (!this.isOverloaded()) this.#notifyWritable();
  }

  get isStorageLow(): boolean {
    return this.#freeSpace.isLow;
  }

  findProblems(): string[] {
    const problems: string[] = [...this.#maintenance.findProblems()];
    if (this.#failure !== undefined) problems.push(this.#failure.message);
    if (this.#freeSpace.isLow) problems.push('the disk is nearly full: publishing is refused');
    return problems;
  }

  storage(): ShardStorage {
    let journalBytes = 0;
    for (const file of this.#journal.files()) journalBytes += file.bytes;
    return { journalBytes, segmentBytes: this.#maintenance.segmentBytes, ...this.#freeSpace.space };
  }

  /** Runs retention, deletion and compaction now; resolves when they are done. */
  maintain(): Promise<void> {
    return this.#maintenance.runNow();
  }

  /** Ends the active journal file, so that a new one begins. */
  requestSeal(): void {
    if (this.#failure === undefined) this.#commit.requestSeal();
  }

  /** Makes everything that waits durable, leaves a snapshot for the next start, and closes the files. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#freeSpace.stop();
    this.#recoveryTimer?.cancel();
    await this.#recovering;
    await this.#maintenance.stop();
    if (this.#failure === undefined) {
      this.#commit.requestSeal();
      await this.#commit.drain();
      await this.#storing;
    }
    this.#commit.stop(new BrokerError('closed'));
    await this.#journal.close();
    await this.#segments.close();
    for (const log of this.#logs.values()) log.wakeWaiters(0);
  }

  /** A new segment's number, for the compactor. */
  takeSegmentNumber(): number {
    return this.#nextSegment++;
  }

  // What the partition logs ask for.

  nowMs(): number {
    return this.#options.clock.nowMs();
  }

  checkPublish(bytes: number): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isClosed) throw new BrokerError('closed');
    if (
      this.#commit.pendingBytes + bytes > limits.pendingBytesMax &&
      this.#commit.pendingBytes > 0
    ) {
      throw new BrokerError('overloaded', 'too much is waiting for the disk');
    }
    this.#freeSpace.spend(bytes);
  }

  checkWritable(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isClosed) throw new BrokerError('closed');
  }

  get isInUnit(): boolean {
    return this.#isInUnit;
  }

  enqueue(log: PartitionLog, bytes: number): void {
    this.#commit.enqueueLog(log, bytes);
    if (this.#isInUnit) this.#commit.requestUnit();
  }

  advanceStart(log: PartitionLog, offset: number): Promise<void> {
    const writer = new ByteWriter(16);
    writer.uint32(log.number);
    writer.safeInt64(offset);
    return this.#control(entryKind.startAdvanced, writer.take(), () => {
      log.trim(offset);
      this.#maintenance.request();
    });
  }

  read(log: PartitionLog, offset: number, options: ReadOptions): ReadResult | Promise<ReadResult> {
    return this.#reader.read(log, offset, options);
  }

  findByTime(log: PartitionLog, timestampMs: number): Promise<TimedOffset | undefined> {
    return this.#reader.findByTime(log, timestampMs);
  }

  findMaxTimestamp(log: PartitionLog): Promise<TimedOffset | undefined> {
    return this.#reader.findMaxTimestamp(log);
  }

  findDamage(log: PartitionLog, offset: number): Promise<OffsetRange | undefined> {
    return this.#reader.findDamage(log, offset);
  }

  /** Journals what the maintenance did; `onDurable` changes the state once it is for good. */
  submitMaintenance(kind: number, payload: Uint8Array, onDurable: () => void): Promise<void> {
    return this.#control(kind, payload, onDurable);
  }

  // What the group commit asks for.

  captureSequenced(): void {
    const logs = [...this.#logs.values()];
    const extensions = this.#options.extensions.map((extension) => ({
      name: extension.name,
      state: extension.encode(),
    }));
    this.#capture = { bytes: encodeSequenced(logs, extensions), logs };
  }

  async seal(): Promise<void> {
    const capture = present(this.#capture, 'the sequenced part was captured with the last chunk');
    this.#capture = undefined;
    const indexes = this.#indexFiles(
      this.#journal.activeBytes > 0 ? [this.#journal.activeBaseLsn] : [],
    );
    const snapshot = this.#encodeSnapshot(capture);
    await this.#journal.roll();
    this.#store(indexes, snapshot);
  }

  failed(error: BrokerError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    const outlook = this.#isClosed ? 'while closing' : 'until it works again';
    this.#options.log.error(`storage failed, nothing is acknowledged ${outlook}: ${error.message}`);
    this.#commit.stop(error);
    this.#notifyWritable();
    this.#scheduleRecovery();
  }

  observe(chunkBytes: number, batches: number, latencyMs: number): void {
    if (batches > 0) this.#lastCommitMs = this.#options.clock.monotonicMs();
    this.#options.observer?.committed(chunkBytes, batches, latencyMs);
    if (this.#writableCallbacks.length > 0 && !this.isOverloaded()) this.#notifyWritable();
  }

  // Recovery and snapshots.

  async #recover(): Promise<void> {
    const { backing, log, clock } = this.#options;
    const { snapshot, stored, damaged } = await loadSnapshot(this.#segments);
    for (const name of damaged) log.warn(`${name} is damaged; the snapshot before it is used`);
    const state = new RecoveredState(this, snapshot);
    const journal = await backing.openJournal({
      replayFromLsn: snapshot?.lsn ?? 0,
      ...(snapshot === undefined ? {} : { chain: snapshot.chain }),
      minEpoch: (snapshot?.epoch ?? 0) + 1,
      onChunk: (chunk) => state.apply(chunk),
      onNotice: (notice) => log.warn(notice),
    });
    this.#journal = journal;
    this.#cache.clear();
    this.#indexes.clear();
    this.#reader = new LogReader({
      journal,
      segments: this.#segments,
      indexes: this.#indexes,
      cache: this.#cache,
    });
    this.#commit = new GroupCommit({
      journal,
      cache: this.#cache,
      clock,
      host: this,
      sources: [
        ...(this.#options.sources ?? []),
        ...this.#options.extensions.flatMap((extension) => extension.entries ?? []),
      ],
      fileBytes: this.#fileBytes,
      chunkBytesMax: this.#options.chunkBytesMax ?? limits.chunkBytesMax,
    });
    this.#snapshots = stored.filter((lsn) => snapshot !== undefined && lsn <= snapshot.lsn);
    this.#failure = undefined;
    this.#adopt(state);
    this.#options.onAdopted?.();
    if (state.replayedBytes > 0) {
      this.captureSequenced();
      const capture = present(this.#capture, 'just captured');
      this.#capture = undefined;
      this.#store(this.#indexFiles(state.replayedFiles), this.#encodeSnapshot(capture));
    }
    const opened = new ByteWriter(16);
    opened.uint32(journal.epoch);
    opened.safeInt64(clock.nowMs());
    await this.#control(entryKind.opened, opened.take());
  }

  #adopt(state: RecoveredState): void {
    this.#dropping.clear();
    const before = this.#logs;
    this.#logs = new Map();
    for (const [number, fresh] of state.logs) {
      const known = before.get(number);
      before.delete(number);
      known?.adopt(fresh.state());
      this.#logs.set(number, known ?? fresh);
    }
    for (const gone of before.values()) {
      gone.markDropped();
      gone.wakeWaiters(0);
    }
    this.#nextPartition = state.nextPartition;
    this.#nextProducerId = state.nextProducerId;
    this.#producerIdsEnd = state.nextProducerId;
    this.#producerIdsStored = state.nextProducerId;
    this.#nextSegment = state.nextSegment;
    for (const extension of this.#options.extensions) {
      extension.restore(state.extensionStates.get(extension.name), this.#logs);
    }
    for (const entry of state.extensionEntries) this.#replay(entry);
    for (const extension of this.#options.extensions) {
      extension.reopened?.();
      extension.adopted?.();
    }
  }

  #replay(entry: ExtensionEntry): void {
    const log = this.#logs.get(entry.partition);
    for (const extension of this.#options.extensions) {
      if (entry.kind === entryKind.opened) extension.reopened?.();
      else if (entry.kind !== entryKind.records) {
        if (extension.owns(entry.kind)) extension.apply(entry.kind, entry.payload);
      } else if (log !== undefined) extension.replayBatch?.(log, entry.payload, entry.storedMs);
    }
  }

  /** Recoveries never overlap: two of them would write to the same files. */
  #scheduleRecovery(): void {
    if (this.#recovering !== undefined || this.#recoveryTimer !== undefined || this.#isClosed)
      return;
    this.#recoveryTimer = this.#options.clock.setTimer(recoverDelayMs, () => {
      this.#recoveryTimer = undefined;
      this.#recovering = this.#reopen().finally(() => {
        this.#recovering = undefined;
        // Damage does not heal by itself: an operator must act, and what is intact stays readable meanwhile.
        if (this.#failure !== undefined && this.#failure.code !== 'storage-damaged')
          this.#scheduleRecovery();
      });
    });
  }

  async #reopen(): Promise<void> {
    try {
      await this.#maintenance.settled();
      await this.#storing;
      await this.#journal.close();
      if (this.#isClosed) return;
      await this.#recover();
      this.#options.log.info('storage works again');
      this.#maintenance.request();
    } catch (error) {
      this.#failure =
        error instanceof BrokerError
          ? error
          : new BrokerError('storage-failed', String(error), { cause: error });
      this.#commit.stop(this.#failure);
    }
  }

  #encodeSnapshot(capture: { bytes: Uint8Array; logs: PartitionLog[] }): {
    lsn: number;
    bytes: Uint8Array;
  } {
    const lsn = this.#journal.endLsn;
    const bytes = encodeSnapshot(
      {
        lsn,
        chain: this.#journal.chain,
        epoch: this.#journal.epoch,
        nextPartition: this.#nextPartition,
        // Entries of later chunks may have moved these on; numbers that are skipped do no harm.
        nextProducerId: this.#producerIdsStored,
        nextSegment: this.#nextSegment,
      },
      capture.bytes,
      capture.logs,
    );
    return { lsn, bytes };
  }

  /** Lays out the indexes of files that take no more chunks. */
  #indexFiles(baseLsns: readonly number[]): FileIndex[] {
    const byFile = new Map<number, IndexedExtent[]>(baseLsns.map((baseLsn) => [baseLsn, []]));
    for (const log of this.#logs.values()) {
      for (const extent of log.extents) {
        if (extent.kind !== 'journal' || extent.runs === undefined) continue;
        const extents = byFile.get(extent.fileId);
        if (extents !== undefined) extents.push({ partition: log.number, extent });
        else if (extent.runCount > 0 && !this.#unindexed.has(extent.fileId))
          extent.runs = undefined;
      }
    }
    return [...byFile].map(([baseLsn, extents]) => ({
      baseLsn,
      bytes: buildIndex('journal', baseLsn, extents),
    }));
  }

  /** Stores indexes, then the snapshot that refers to them, behind whatever is being stored already. */
  #store(indexes: readonly FileIndex[], snapshot: { lsn: number; bytes: Uint8Array }): void {
    for (const { baseLsn } of indexes) this.#unindexed.add(baseLsn);
    this.#storing = this.#storing.then(async () => {
      try {
        // A snapshot refers to every index before it: those that could not be stored go first.
        this.#unstoredIndexes.push(...indexes);
        for (;;) {
          const index = this.#unstoredIndexes[0];
          if (index === undefined) break;
          await this.#segments.put(indexName('journal', index.baseLsn), [index.bytes]);
          this.#unstoredIndexes.shift();
          // A recovery may have laid another one out for the same file.
          const isNewest = this.#unstoredIndexes.every((one) => one.baseLsn !== index.baseLsn);
          if (isNewest) this.#unindexed.delete(index.baseLsn);
        }
        await this.#segments.put(snapshotName(snapshot.lsn), [snapshot.bytes]);
        if (!this.#snapshots.includes(snapshot.lsn)) this.#snapshots.push(snapshot.lsn);
        while (this.#snapshots.length > snapshotsKept) {
          await this.#segments.delete(snapshotName(present(this.#snapshots.shift(), 'not empty')));
        }
        this.#maintenance.request();
      } catch (error) {
        // Both are caches of the journal: without them the next start takes longer, and files are kept longer.
        this.#options.log.warn(`could not store a snapshot: ${String(error)}`);
      }
    });
  }

  async #rebuildIndex(extent: Extent): Promise<void> {
    const name = indexName(extent.kind, extent.fileId);
    // What was moved or deleted since somebody looked it up is gone for a reason.
    if (!this.#isHeld(extent)) throw new SegmentMissing(name);
    this.#options.log.warn(`the index ${name} is missing or damaged: building it anew`);
    await rebuildRuns(extent, {
      journal: this.#journal,
      segments: this.#segments,
      logs: this.#logs,
    });
  }

  // Small parts.

  #isHeld(extent: Extent): boolean {
    for (const log of this.#logs.values()) if (log.extents.includes(extent)) return true;
    return false;
  }

  get #fileBytes(): number {
    return this.#options.journalFileBytes ?? limits.journalFileBytes;
  }

  #control(kind: number, payload: Uint8Array, onDurable?: () => void): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#commit.enqueueControl({ kind, partition: 0, payload, onDurable, resolve, reject });
    });
  }

  async #takeProducerIds(): Promise<void> {
    const start = this.#producerIdsStored;
    const end = start + producerIdBlock;
    const writer = new ByteWriter(16);
    writer.safeInt64(end);
    // Noted at once with its durability, not after the promise: a snapshot may be taken in between.
    await this.#control(entryKind.producerIds, writer.take(), () => {
      this.#producerIdsStored = end;
    });
    // An id that two producers have would make one's records pass for repeats of the other's.
    await this.#journal.flush();
    this.#nextProducerId = start;
    this.#producerIdsEnd = end;
  }

  #notifyWritable(): void {
    const callbacks = this.#writableCallbacks;
    this.#writableCallbacks = [];
    for (const callback of callbacks) callback();
  }
}
