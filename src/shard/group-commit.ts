import { type BrokerError, type Clock, assert, limits, present } from '../base/index.ts';
import { patchBatchAppendTime, patchBatchOffset } from '../bytes/index.ts';
import { type Journal, chunkAlignment, chunkBytesFor, chunkHeaderBytes } from '../journal/index.ts';
import { batchNote, entryHeaderBytes, writeEntryHeader } from './entry.ts';
import type { EntrySource } from './extension.ts';
import type { PartitionLog } from './partition-log.ts';
import type { PendingBatch } from './pending-batch.ts';
import type { TailCache } from './tail-cache.ts';

/** A run is not made longer than this, so that a reader that wants its end reads little else. */
const runBytesMax = 64 * 1024;

/** A control entry that waits for its chunk. */
export interface ControlEntry {
  /** `entryKind.end` is a barrier: it is not written, and settles with the chunk that it waits for. */
  kind: number;
  partition: number;
  payload: Uint8Array;
  /** The durable part of its effect, run before `resolve`. */
  onDurable: (() => void) | undefined;
  resolve: () => void;
  reject: (error: Error) => void;
}

interface StoredRun {
  firstOffset: number;
  lsn: number;
  bytes: number;
  batchBytes: number;
  endOffset: number;
  maxTimestampMs: number;
}

interface LogPart {
  log: PartitionLog;
  batches: PendingBatch[];
  runs: StoredRun[];
  bytes: number;
}

/** One chunk on its way to the disk. */
interface Flight {
  chunk: Uint8Array;
  payloadBytes: number;
  controls: ControlEntry[];
  parts: LogPart[];
  /** Bytes that `pendingBytes` counts for it. */
  pendingBytes: number;
  isLastOfFile: boolean;
  startedMs: number;
}

/** What the shard does around commits. All run synchronously, except `seal`. */
export interface CommitHost {
  /** The chunk just built empties the queue and fills the file: everything sequenced so far is in it or before it. */
  captureSequenced(): void;
  /** The last chunk of the file is durable and applied, and nothing was built since: seal the file, then go on. */
  seal(): Promise<void>;
  /** An append failed: nothing that was waiting is acknowledged; the shard must recover. */
  failed(error: BrokerError): void;
  /** Measures of a durable chunk. */
  observe(chunkBytes: number, batches: number, latencyMs: number): void;
}

export interface CommitOptions {
  journal: Journal;
  cache: TailCache;
  clock: Clock;
  host: CommitHost;
  /** Asked for their entries whenever a chunk is built. */
  sources: readonly EntrySource[];
  fileBytes: number;
  chunkBytesMax: number;
}

/**
 * Gathers what arrives while a chunk is being written into the next one: the cost of durability is per chunk, however
 * many partitions and clients take part. One chunk is under way at a time.
 */
export class GroupCommit {
  /** Bytes that wait for a chunk or are in one that is not durable yet. */
  pendingBytes = 0;
  readonly #options: CommitOptions;
  #controls: ControlEntry[] = [];
  #dirty: PartitionLog[] = [];
  #flight: Flight | undefined;
  #isScheduled = false;
  #isSealing = false;
  #error: BrokerError | undefined;
  #wantsSeal = false;
  #hasUnit = false;
  #idle: Array<() => void> = [];

  constructor(options: CommitOptions) {
    this.#options = options;
  }

  /** The log has a batch waiting that it had not before, of `bytes`. */
  enqueueLog(log: PartitionLog, bytes: number): void {
    this.pendingBytes += bytes;
    if (!log.isQueued) {
      log.isQueued = true;
      this.#dirty.push(log);
    }
    this.#schedule();
  }

  /** Batches of a unit wait: the next chunk takes them all, for it takes all entries that wait. */
  requestUnit(): void {
    this.#hasUnit = true;
  }

  enqueueControl(entry: ControlEntry): void {
    if (this.#error !== undefined) return entry.reject(this.#error);
    this.pendingBytes += entry.payload.length;
    this.#controls.push(entry);
    this.#schedule();
  }

  /** A source has entries that should not wait for others. */
  request(): boolean {
    if (this.#error !== undefined) return false;
    this.#schedule();
    return true;
  }

  /** Resolves when every control entry that was enqueued before is durable; at once when none waits. */
  barrier(): Promise<void> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    const noPayload = new Uint8Array(0);
    return new Promise((resolve, reject) => {
      const entry: ControlEntry = {
        kind: 0,
        partition: 0,
        payload: noPayload,
        onDurable: undefined,
        resolve,
        reject,
      };
      if (this.#controls.length > 0) this.#controls.push(entry);
      else if (this.#flight !== undefined && this.#flight.controls.length > 0)
        this.#flight.controls.push(entry);
      else resolve();
    });
  }

  /** Ends the active file with the next chunk, or at once when nothing waits. */
  requestSeal(): void {
    this.#wantsSeal = true;
    this.#schedule();
  }

  /** Resolves when nothing waits, is being written or sealed. */
  drain(): Promise<void> {
    if (this.#isIdle) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Rejects all that waits and everything later. */
  stop(error: BrokerError): void {
    if (this.#error !== undefined) return;
    this.#error = error;
    const flight = this.#flight;
    this.#flight = undefined;
    const controls = this.#controls;
    const dirty = this.#dirty;
    this.#controls = [];
    this.#dirty = [];
    this.#wantsSeal = false;
    this.pendingBytes = 0;
    if (flight !== undefined) {
      for (const part of flight.parts) {
        part.log.noteLanded();
        for (const batch of part.batches) batch.reject(error);
      }
      for (const control of flight.controls) control.reject(error);
    }
    for (const log of dirty) {
      log.isQueued = false;
      for (const batch of log.waiting.splice(0)) batch.reject(error);
    }
    for (const control of controls) control.reject(error);
    for (const source of this.#options.sources) source.entriesLost(error);
    this.#notifyIdle();
  }

  get #isIdle(): boolean {
    return this.#flight === undefined && !this.#isSealing && !this.#hasWork;
  }

  get #hasWork(): boolean {
    return this.#hasEntries || this.#wantsSeal;
  }

  get #hasEntries(): boolean {
    if (this.#controls.length > 0 || this.#dirty.length > 0) return true;
    for (const source of this.#options.sources) if (source.isUrgent) return true;
    return false;
  }

  #schedule(): void {
    if (this.#isScheduled || this.#flight !== undefined || this.#isSealing) return;
    this.#isScheduled = true;
    // After the I/O events that wait already: what arrived together is committed together.
    this.#options.clock.setAfterIo(() => {
      this.#isScheduled = false;
      this.#start();
    });
  }

  #start(): void {
    if (
      this.#error !== undefined ||
      this.#flight !== undefined ||
      this.#isSealing ||
      !this.#hasWork
    )
      return;
    // What has gathered without haste goes before the snapshot, which shows its effects.
    if (!this.#hasEntries && !this.#options.sources.some((source) => source.hasEntries)) {
      this.#options.host.captureSequenced();
      this.#seal();
      return;
    }
    const flight = this.#build();
    this.#flight = flight;
    const { journal, clock } = this.#options;
    journal.append(flight.chunk, flight.payloadBytes, clock.nowMs()).then(
      () => this.#written(flight),
      (error: BrokerError) => this.#options.host.failed(error),
    );
  }

  #written(flight: Flight): void {
    if (this.#error !== undefined) return;
    const fileBaseLsn = this.#options.journal.activeBaseLsn;
    this.#flight = undefined;
    for (const part of flight.parts) part.log.noteLanded();
    // The disk gets its next chunk first, then the answers go out.
    if (!flight.isLastOfFile && this.#hasEntries) this.#start();
    this.#settle(flight, fileBaseLsn);
    if (flight.isLastOfFile) this.#seal();
    // A seal that needs no chunk comes after the settling: its snapshot says where this flight's batches are.
    else if (this.#hasWork) this.#start();
    else this.#notifyIdle();
  }

  #seal(): void {
    this.#wantsSeal = false;
    this.#isSealing = true;
    this.#options.host.seal().then(
      () => {
        this.#isSealing = false;
        if (this.#hasWork) this.#start();
        this.#notifyIdle();
      },
      (error: BrokerError) => {
        this.#isSealing = false;
        this.#options.host.failed(error);
      },
    );
  }

  #notifyIdle(): void {
    if (this.#idle.length === 0 || !this.#isIdle) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #settle(flight: Flight, fileBaseLsn: number): void {
    this.pendingBytes -= flight.pendingBytes;
    let batches = 0;
    for (const control of flight.controls) control.onDurable?.();
    for (const part of flight.parts) {
      if (part.log.isDropped) continue;
      for (const run of part.runs)
        part.log.noteStored(fileBaseLsn, run, run.batchBytes, run.endOffset);
    }
    for (const control of flight.controls) control.resolve();
    for (const { log, batches: stored, bytes } of flight.parts) {
      batches += stored.length;
      const logStartOffset = log.logStartOffset;
      for (const batch of stored) {
        batch.resolve({
          baseOffset: batch.baseOffset,
          appendTimeMs: batch.appendTimeMs,
          logStartOffset,
          isDuplicate: false,
        });
      }
      log.wakeWaiters(bytes);
    }
    const { host, clock } = this.#options;
    host.observe(flight.chunk.length, batches, clock.monotonicMs() - flight.startedMs);
  }

  #build(): Flight {
    const { journal, cache, clock, fileBytes, chunkBytesMax, host } = this.#options;
    for (const source of this.#options.sources) this.#takeEntries(source);
    // The chunk that fills a file takes everything, so that the state captured with it is the state at its end.
    const mayFill =
      this.#wantsSeal || journal.activeBytes + chunkBytesFor(this.#queuedBytes()) >= fileBytes;
    const payloadMax = mayFill ? Number.POSITIVE_INFINITY : chunkBytesMax;
    const flight: Flight = {
      chunk: new Uint8Array(0),
      payloadBytes: 0,
      controls: this.#controls,
      parts: [],
      pendingBytes: 0,
      isLastOfFile: mayFill,
      startedMs: clock.monotonicMs(),
    };
    this.#controls = [];
    let payloadBytes = 0;
    for (const control of flight.controls) {
      flight.pendingBytes += control.payload.length;
      if (control.kind !== 0) payloadBytes += entryHeaderBytes + control.payload.length;
    }
    payloadBytes = this.#takeBatches(flight, payloadBytes, payloadMax);
    flight.payloadBytes = payloadBytes;
    const lsn = journal.endLsn;
    flight.chunk = cache.allocate(lsn, chunkBytesFor(payloadBytes), flight.parts.length > 0);
    this.#fill(flight, lsn);
    if (mayFill) host.captureSequenced();
    return flight;
  }

  #takeEntries(source: EntrySource): void {
    const before = this.#controls.length;
    source.takeEntries((kind, payload) => {
      this.pendingBytes += payload.length;
      this.#controls.push({
        kind,
        partition: 0,
        payload,
        onDurable: undefined,
        resolve: nothing,
        // `stop` tells the source.
        reject: nothing,
      });
    });
    if (this.#controls.length > before)
      present(this.#controls.at(-1), 'just added').resolve = () => source.entriesDurable();
  }

  /** Moves waiting batches into the flight, log by log, while there is room; at least one entry always fits. */
  #takeBatches(flight: Flight, controlBytes: number, payloadMax: number): number {
    let payloadBytes = controlBytes;
    const left: PartitionLog[] = [];
    const hasUnit = this.#hasUnit;
    this.#hasUnit = false;
    for (const log of this.#dirty) {
      const unitEnd = hasUnit ? log.waiting.findLastIndex((batch) => batch.isInUnit) + 1 : 0;
      let count = 0;
      let bytes = 0;
      for (const batch of log.waiting) {
        const size = entryHeaderBytes + batch.length;
        // A unit is not split, for its entries are in this chunk: it may be longer than others.
        if (count >= unitEnd && payloadBytes + size > payloadMax && payloadBytes > 0) break;
        payloadBytes += size;
        bytes += batch.length;
        count += 1;
      }
      if (count === 0) {
        left.push(log);
        continue;
      }
      const batches = log.waiting.splice(0, count);
      log.noteBuilt(batches);
      flight.parts.push({ log, batches, runs: [], bytes });
      flight.pendingBytes += bytes;
      if (log.waiting.length > 0) left.push(log);
      else log.isQueued = false;
    }
    this.#dirty = left;
    return payloadBytes;
  }

  #fill(flight: Flight, lsn: number): void {
    const chunk = flight.chunk;
    let at = chunkHeaderBytes;
    for (const control of flight.controls) {
      if (control.kind === 0) continue;
      writeEntryHeader(chunk, at, control.kind, control.partition, control.payload.length);
      chunk.set(control.payload, at + entryHeaderBytes);
      at += entryHeaderBytes + control.payload.length;
    }
    for (const part of flight.parts) at = this.#fillPart(part, chunk, at, lsn);
    assert(at === chunkHeaderBytes + flight.payloadBytes, 'the payload is as long as was counted');
    // Memory comes unwritten, and a chunk ends in zeros.
    chunk.fill(0, at);
    assert(chunk.length % chunkAlignment === 0, 'a chunk is aligned');
  }

  #fillPart(part: LogPart, chunk: Uint8Array, start: number, lsn: number): number {
    const { log } = part;
    let at = start;
    let run: StoredRun | undefined;
    for (const batch of part.batches) {
      const note = batchNote(batch.length, batch.bodyBytes, batch.isScheduled);
      writeEntryHeader(chunk, at, 1, log.number, batch.length, note);
      const target = at + entryHeaderBytes;
      copyBytes(batch.bytes, batch.at, batch.length, chunk, target);
      patchBatchOffset(chunk, target, batch.baseOffset, this.#options.journal.epoch);
      if (batch.appendTimeMs >= 0) patchBatchAppendTime(chunk, target, batch.appendTimeMs);
      const size = entryHeaderBytes + batch.length;
      if (run === undefined || run.bytes + size > runBytesMax) {
        run = {
          firstOffset: batch.baseOffset,
          lsn: lsn + at,
          bytes: 0,
          batchBytes: 0,
          endOffset: batch.baseOffset,
          maxTimestampMs: batch.maxTimestampMs,
        };
        part.runs.push(run);
      }
      run.bytes += size;
      run.batchBytes += batch.length;
      run.endOffset = batch.baseOffset + batch.recordCount;
      run.maxTimestampMs = Math.max(run.maxTimestampMs, batch.maxTimestampMs);
      at += size;
    }
    return at;
  }

  #queuedBytes(): number {
    let total = 0;
    for (const control of this.#controls) total += entryHeaderBytes + control.payload.length;
    for (const log of this.#dirty)
      for (const batch of log.waiting) total += entryHeaderBytes + batch.length;
    return Math.min(total, limits.pendingBytesMax);
  }
}

function nothing(): void {}

function copyBytes(
  from: Uint8Array,
  at: number,
  length: number,
  to: Uint8Array,
  target: number,
): void {
  to.set(at === 0 && length === from.length ? from : from.subarray(at, at + length), target);
}
