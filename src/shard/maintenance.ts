import { BrokerError, type Clock, type Timer } from '../base/index.ts';
import type { Journal } from '../journal/index.ts';
import type { SegmentStore } from '../segment/index.ts';
import {
  applyCompacted,
  type Compacted,
  type CompactionHost,
  encodeCompacted,
  forgetMarkers,
  type KeyCompactor,
} from './compaction/index.ts';
import type { Compactor, FileUse } from './compactor.ts';
import { entryKind } from './entry.ts';
import type { Extent } from './extent.ts';
import type { RoomForMoves } from './free-space.ts';
import { indexName } from './index-store.ts';
import type { LogReader } from './log-reader.ts';
import { applyMoved, encodeMoved, type Moved } from './moved-entry.ts';
import type { PartitionLog } from './partition-log.ts';
import { segmentName } from './segment-file.ts';
import type { ShardLog } from './shard.ts';

/** What the maintenance needs of its shard. */
export interface MaintainedShard {
  logs(): Iterable<PartitionLog>;
  findLog(partition: number): PartitionLog | undefined;
  /** With those whose drop is not durable yet: their files are still needed. */
  storedLogs(): Iterable<PartitionLog>;
  /** False after a failure: what is in the journal is in doubt until the shard has recovered. */
  readonly isCertain: boolean;
  advanceStart(log: PartitionLog, offset: number): Promise<void>;
  submitMaintenance(kind: number, payload: Uint8Array, onDurable: () => void): Promise<void>;
  takeSegmentNumber(): number;
  requestSeal(): void;
}

export interface MaintenanceOptions {
  clock: Clock;
  log: ShardLog;
  shard: MaintainedShard;
  segments: SegmentStore;
  compactor: Compactor;
  keyCompactor: KeyCompactor;
  retentionCheckMs: number;
  room: () => Promise<RoomForMoves>;
  journal: () => Journal;
  reader: () => LogReader;
  /** Journal files that end at or before this LSN are not needed for recovery. */
  deletableLsn: () => number;
}

/** An active file of this size is ended early when this part of it, or less, is alive: its room is wanted back. */
const earlySealBytes = 16 * 1024 * 1024;
const earlySealShareMax = 0.25;
/** Producers that wrote nothing for this long are forgotten. */
const producerExpiryMs = 7 * 24 * 3600 * 1000;

/** Retention, compaction and deletion of files: one run at a time, beside the traffic. */
export class Maintenance {
  readonly #options: MaintenanceOptions;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #isRequested = false;
  #isStopped = false;
  #isFirstRun = true;
  /** Something died or was sealed since files were last looked at. */
  #isDirty = true;
  #missingFiles: string[] = [];
  /** Files in which damage was found when they were to be moved. */
  readonly #unmovable = new Set<string>();
  /** Bytes of all stored objects, as of the last look. */
  segmentBytes = 0;

  constructor(options: MaintenanceOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock, retentionCheckMs } = this.#options;
    this.#timer = clock.setTimer(retentionCheckMs, () => {
      this.#run();
      if (!this.#isStopped) this.start();
    });
  }

  /** Files may be free to go: looks soon. */
  request(): void {
    this.#isDirty = true;
    if (this.#isStopped) return;
    if (this.#running !== undefined) this.#isRequested = true;
    else this.#run();
  }

  async runNow(): Promise<void> {
    await this.#running;
    this.#isDirty = true;
    this.#run();
    await this.#running;
  }

  /** Resolves when no run is under way; a long one ends early when the shard cannot write. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#running;
  }

  findProblems(): string[] {
    return this.#missingFiles;
  }

  #run(): void {
    if (this.#running !== undefined || this.#isStopped) return;
    this.#running = this.#runOnce()
      .catch((error: unknown) => this.#report(error))
      .finally(() => {
        this.#running = undefined;
        if (!this.#isRequested) return;
        this.#isRequested = false;
        this.#run();
      });
  }

  async #runOnce(): Promise<void> {
    // After what is happening now: a request comes from the commit path.
    await new Promise<void>((resolve) => this.#options.clock.setAfterIo(resolve));
    if (this.#isFirstRun) await this.#findMissingFiles();
    this.#isFirstRun = false;
    if (!this.#options.shard.isCertain) return;
    await this.#retain();
    if (this.#isDirty && !this.#isStopped) {
      try {
        await this.#freeFiles();
      } catch (error) {
        // What could not be done now is still to be done.
        this.#isDirty = true;
        throw error;
      }
    }
    if (!this.#isStopped) await this.#compactKeys();
  }

  async #freeFiles(): Promise<void> {
    this.#isDirty = false;
    // What is sealed meanwhile is the next run's: with much traffic this one would not end.
    const endLsn = this.#options.journal().activeBaseLsn;
    await this.#deleteDead();
    while (!this.#isStopped && (await this.#compact(endLsn))) await this.#deleteDead();
    this.#sealDeadActive();
  }

  #report(error: unknown): void {
    // The shard reports a failure of its storage itself; the next run tries again.
    if (error instanceof BrokerError && error.isRetryable) return;
    this.#options.log.error(
      `maintenance failed: ${error instanceof Error ? error.message : String(error)}`,
    );
  }

  /** Advances the start of logs whose oldest records are settled, too old, or too many. */
  async #retain(): Promise<void> {
    const nowMs = this.#options.clock.nowMs();
    const advances: Array<Promise<void>> = [];
    for (const log of this.#options.shard.logs()) {
      log.producers.expire(nowMs - producerExpiryMs);
      const { cleanup } = log.settings;
      if (log.extents.length === 0 || cleanup === 'compact' || cleanup === 'none') continue;
      const { retentionMs, retentionBytes } = log.settings;
      if (log.settings.isKeptUntilSettled) {
        if (log.settledOffset <= log.logStartOffset) continue;
      } else if (retentionMs < 0 && (retentionBytes < 0 || log.sizeBytes <= retentionBytes))
        continue;
      // One log that cannot be read does not keep the others.
      advances.push(this.#retainOne(log, nowMs).catch((error: unknown) => this.#report(error)));
      if (this.#isStopped) break;
    }
    await Promise.all(advances);
  }

  async #retainOne(log: PartitionLog, nowMs: number): Promise<void> {
    let start = await this.#retainedStart(log, nowMs);
    // A queue may have gone back while indexes were looked at: it gets what it was promised.
    if (log.settings.isKeptUntilSettled) start = Math.min(start, log.settledOffset);
    if (!log.isDropped && start > log.logStartOffset)
      await this.#options.shard.advanceStart(log, start);
  }

  async #retainedStart(log: PartitionLog, nowMs: number): Promise<number> {
    if (log.settings.isKeptUntilSettled) return this.#settledStart(log, nowMs);
    const { retentionMs, retentionBytes } = log.settings;
    let start = log.logStartOffset;
    if (retentionMs >= 0) {
      const oldestMs = nowMs - retentionMs;
      const first = log.extents.find((extent) => extent.maxTimestampMs >= oldestMs);
      const isPartlyOld = first === undefined || first.endOffset > start;
      if (isPartlyOld)
        start = Math.max(start, await this.#options.reader().findRunByTime(log, oldestMs));
    }
    if (retentionBytes >= 0) {
      let excess = log.sizeBytes - retentionBytes;
      for (const extent of log.extents) {
        if (excess < extent.batchBytes) break;
        excess -= extent.batchBytes;
        start = Math.max(start, extent.endOffset);
      }
      const partial = log.extents.find((extent) => extent.endOffset > start);
      if (partial !== undefined && excess > 0) {
        start = Math.max(start, await this.#options.reader().findRunBySize(log, partial, excess));
      }
    }
    return Math.min(start, log.highWatermark);
  }

  /** Where what every queue has settled ends, unless one of them may want it again. */
  async #settledStart(log: PartitionLog, nowMs: number): Promise<number> {
    const start = Math.min(log.settledOffset, log.highWatermark);
    const { keepSettledMs } = log;
    if (keepSettledMs <= 0) return start;
    return Math.min(start, await this.#options.reader().findRunByTime(log, nowMs - keepSettledMs));
  }

  /** Deletes sealed files that no log refers to. */
  async #deleteDead(): Promise<void> {
    const { segments } = this.#options;
    const journal = this.#options.journal();
    if (!this.#options.shard.isCertain) return;
    const used = new Set<string>();
    for (const log of this.#options.shard.storedLogs()) {
      for (const extent of log.extents) used.add(`${extent.kind}${extent.fileId}`);
    }
    const deletableLsn = this.#options.deletableLsn();
    const files = journal.files();
    const { activeBaseLsn } = journal;
    // What makes a file superfluous must outlive it.
    await journal.flush();
    for (const file of files) {
      if (this.#isStopped) return;
      if (
        file.baseLsn === activeBaseLsn ||
        used.has(`journal${file.baseLsn}`) ||
        file.baseLsn + file.bytes > deletableLsn
      )
        continue;
      await journal.remove(file.baseLsn);
      await segments.delete(indexName('journal', file.baseLsn));
    }
    const kept = new Set(journal.files().map((file) => indexName('journal', file.baseLsn)));
    let segmentBytes = 0;
    for (const { name, bytes } of await segments.list()) {
      if (this.#isStopped) return;
      const segment = /^(\d{16})\.segment(-index)?$/.exec(name);
      const isDeadSegment = segment !== null && !used.has(`segment${Number(segment[1])}`);
      const isDeadIndex =
        name.endsWith('.journal-index') && !kept.has(name) && this.#isBefore(name, deletableLsn);
      if (isDeadSegment || isDeadIndex) await segments.delete(name);
      else segmentBytes += bytes;
    }
    this.segmentBytes = segmentBytes;
  }

  /** The index of a file that was just sealed may be stored before the file is listed anew. */
  #isBefore(name: string, lsn: number): boolean {
    return Number.parseInt(name, 10) < lsn;
  }

  /** One compaction of what lies before an LSN; false when none pays. */
  async #compact(endLsn: number): Promise<boolean> {
    const { compactor, shard } = this.#options;
    const sources = compactor.choose(this.#listUses(endLsn), await this.#options.room());
    if (sources.length === 0) return false;
    const number = shard.takeSegmentNumber();
    const isStopped = (): boolean => this.#isStopped || !shard.isCertain;
    let moved: Moved | undefined;
    try {
      moved = await compactor.move(
        sources,
        number,
        shard.logs(),
        this.#options.reader(),
        isStopped,
      );
    } catch (error) {
      if (!(error instanceof BrokerError) || error.code !== 'storage-damaged') throw error;
      // Damaged data stay where they are, and must not keep all others from being moved.
      for (const { kind, fileId } of sources) this.#unmovable.add(`${kind}${fileId}`);
      this.#report(error);
      return true;
    }
    if (moved === undefined) return false;
    await shard.submitMaintenance(entryKind.moved, encodeMoved(moved), () =>
      applyMoved(moved, shard.logs()),
    );
    return true;
  }

  /** Compacts by key what is worth it, and ends the active file where that is in the way. */
  async #compactKeys(): Promise<void> {
    const { keyCompactor, shard } = this.#options;
    const host = this.#compactionHost;
    for (const { log } of await keyCompactor.choose(shard.logs(), host)) {
      try {
        await this.#compactLog(log);
      } catch (error) {
        if (error instanceof BrokerError && error.isRetryable) throw error;
        // Damaged or missing: what is left stays as it is, and the other logs have their turn.
        keyCompactor.giveUp(log);
        this.#report(error);
      }
      if (host.isStopped()) return;
    }
    for (const log of shard.logs()) {
      if (!keyCompactor.needsSeal(log, host)) continue;
      shard.requestSeal();
      return;
    }
  }

  async #compactLog(log: PartitionLog): Promise<void> {
    const { keyCompactor, clock } = this.#options;
    const host = this.#compactionHost;
    const startedMs = clock.monotonicMs();
    const bytesBefore = log.sizeBytes;
    let passes = 0;
    // What did not fit into one pass is worth another.
    while (!host.isStopped() && !log.isDropped && (await keyCompactor.run(log, host))) passes++;
    if (passes === 0) return;
    this.#options.log.info(
      `compacted partition ${log.topicId}-${log.index} below offset ${log.cleanOffset}: from ${bytesBefore} to ` +
        `${log.sizeBytes} bytes in ${Math.round(clock.monotonicMs() - startedMs)} ms`,
    );
  }

  readonly #compactionHost: CompactionHost = {
    reader: () => this.#options.reader(),
    isActive: ({ kind, fileId }) =>
      kind === 'journal' && fileId === this.#options.journal().activeBaseLsn,
    isStopped: () => this.#isStopped || !this.#options.shard.isCertain,
    takeSegmentNumber: () => this.#options.shard.takeSegmentNumber(),
    commit: (compacted) => this.#commitCompacted(compacted),
    room: () => this.#options.room(),
    progressed: () => this.#deleteDead(),
  };

  async #commitCompacted(compacted: Compacted): Promise<void> {
    const { shard } = this.#options;
    const log = shard.findLog(compacted.partition);
    if (log === undefined) return;
    // Sequenced state changes with its entry, what readers see when that is durable.
    const committed = shard.submitMaintenance(entryKind.compacted, encodeCompacted(compacted), () =>
      applyCompacted(compacted, log),
    );
    forgetMarkers(compacted, log);
    await committed;
    this.#isDirty = true;
  }

  /** Of journal files only those before `endLsn`. */
  #listUses(endLsn: number): FileUse[] {
    const journal = this.#options.journal();
    const uses = new Map<string, FileUse>();
    for (const file of journal.files()) {
      if (
        file.baseLsn === journal.activeBaseLsn ||
        file.baseLsn + file.bytes > Math.min(endLsn, this.#options.deletableLsn())
      )
        continue;
      uses.set(`journal${file.baseLsn}`, newUse('journal', file.baseLsn, file.bytes));
    }
    for (const log of this.#options.shard.logs()) {
      for (const extent of log.extents) {
        let use = uses.get(`${extent.kind}${extent.fileId}`);
        if (use === undefined) {
          if (extent.kind === 'journal') continue;
          use = newUse('segment', extent.fileId, 0);
          uses.set(`segment${extent.fileId}`, use);
        }
        const live = liveShare(extent, log.logStartOffset) * extent.batchBytes;
        use.liveBytes += live;
        use.runs += extent.runs?.count ?? extent.runCount;
        use.partitions += 1;
        // What a segment held besides its extents is not known: it counts as long as what is left in it.
        if (extent.kind === 'segment') use.fileBytes += extent.batchBytes;
      }
    }
    for (const key of this.#unmovable) uses.delete(key);
    return [...uses.values()];
  }

  #sealDeadActive(): void {
    const journal = this.#options.journal();
    if (journal.activeBytes < earlySealBytes) return;
    let liveBytes = 0;
    for (const log of this.#options.shard.logs()) {
      const last = log.extents.at(-1);
      if (last?.kind === 'journal' && last.fileId === journal.activeBaseLsn) {
        liveBytes += liveShare(last, log.logStartOffset) * last.batchBytes;
      }
    }
    if (liveBytes <= journal.activeBytes * earlySealShareMax) this.#options.shard.requestSeal();
  }

  /** Files that the state refers to and that are gone: their data are lost, all else works. */
  async #findMissingFiles(): Promise<void> {
    const objects = new Set((await this.#options.segments.list()).map((object) => object.name));
    const files = new Set(
      this.#options
        .journal()
        .files()
        .map((file) => `journal${file.baseLsn}`),
    );
    const missing = new Set<string>();
    for (const log of this.#options.shard.logs()) {
      for (const extent of log.extents) {
        const isThere =
          extent.kind === 'journal'
            ? files.has(`journal${extent.fileId}`)
            : objects.has(segmentName(extent.fileId));
        if (!isThere)
          missing.add(`${extent.kind} ${extent.fileId} is missing: restore it from a backup`);
      }
    }
    this.#missingFiles = [...missing];
    for (const problem of missing) this.#options.log.error(problem);
  }
}

function newUse(kind: Extent['kind'], fileId: number, fileBytes: number): FileUse {
  return { kind, fileId, fileBytes, liveBytes: 0, runs: 0, partitions: 0 };
}

function liveShare(extent: Extent, logStartOffset: number): number {
  const offsets = extent.endOffset - extent.firstOffset;
  return offsets <= 0 ? 0 : Math.min(1, Math.max(0, (extent.endOffset - logStartOffset) / offsets));
}
