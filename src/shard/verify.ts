import { join } from 'node:path';
import {
  batchBaseOffset,
  batchLastOffset,
  batchLeaderEpoch,
  batchRecordCount,
  checkBatch,
} from '../bytes/index.ts';
import { type Disk, NodeDisk } from '../disk/index.ts';
import {
  chunkHeaderBytes,
  journalFileName,
  type ScannedChunk,
  verifyJournal,
} from '../journal/index.ts';
import { FileSegmentStore, type SegmentStore } from '../segment/index.ts';
import { entryKind } from './entry.ts';
import { indexName } from './index-store.ts';
import type { Extent } from './extent.ts';
import type { LogHost, PartitionLog } from './partition-log.ts';
import { forEachEntry, RecoveredState } from './recovery.ts';
import { scanSegment } from './run-rebuild.ts';
import { RunList } from './run-list.ts';
import { decodeSnapshot, findSnapshotLsn, type Snapshot } from './snapshot.ts';
import { segmentHeader, segmentHeaderBytes, segmentName } from './segment-file.ts';

/** Something that is not as it was written. */
export interface StoreProblem {
  file: string;
  /** Bytes from the start of the file. */
  position: number;
  what: string;
  remedy: string;
}

export interface StoreReport {
  files: number;
  chunks: number;
  entries: number;
  batches: number;
  records: number;
  problems: StoreProblem[];
}

const restore = 'restore the file from a backup';

/** Logs that are only looked at need no shard. */
const noHost: LogHost = {
  epoch: 0,
  nowMs: () => 0,
  isInUnit: false,
  checkPublish: () => undefined,
  checkWritable: () => undefined,
  enqueue: () => undefined,
  advanceStart: () => Promise.resolve(),
  read: () => Promise.reject(new Error('not opened for reading')),
  findByTime: () => Promise.resolve(undefined),
  findMaxTimestamp: () => Promise.resolve(undefined),
  findDamage: () => Promise.resolve(undefined),
};

/**
 * Reads everything in a data directory that no broker is using: every chunk and its place in the chain, every record
 * batch, segment, index and snapshot. Changes nothing.
 */
export async function verifyStore(
  directory: string,
  disk: Disk = new NodeDisk(),
): Promise<StoreReport> {
  const report: StoreReport = {
    files: 0,
    chunks: 0,
    entries: 0,
    batches: 0,
    records: 0,
    problems: [],
  };
  for (const name of (await disk.list(directory)).toSorted()) {
    if (/^shard-\d+$/.test(name))
      await new ShardVerification(disk, join(directory, name), report).run();
  }
  return report;
}

/** Offsets of one partition that follow each other in a segment. */
interface Stretch {
  partition: number;
  firstOffset: number;
  endOffset: number;
  /** Of the first batch's entry. */
  position: number;
}

class ShardVerification {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #report: StoreReport;
  /** Of each segment. */
  readonly #stretches = new Map<number, Stretch[]>();

  constructor(disk: Disk, directory: string, report: StoreReport) {
    this.#disk = disk;
    this.#directory = directory;
    this.#report = report;
  }

  async run(): Promise<void> {
    const names = await this.#disk.list(this.#directory);
    if (!names.includes('segments')) return;
    const directory = join(this.#directory, 'segments');
    const segments = await FileSegmentStore.open(this.#disk, directory, true);
    try {
      const objects = new Set((await segments.list()).map((object) => object.name));
      const snapshot = await this.#newestSnapshot(segments, directory, objects);
      // What the journal did after the snapshot may have made a file superfluous, which was then removed on purpose.
      const state = new RecoveredState(noHost, snapshot);
      const journalFiles = await this.#verifyJournal(state, snapshot?.lsn ?? 0);
      this.#report.files += objects.size;
      for (const name of objects) {
        const match = /^(\d{16})\.segment$/.exec(name);
        if (match !== null) await this.#verifySegment(segments, directory, Number(match[1]), state);
      }
      await this.#verifyExtents(segments, directory, state, journalFiles, objects);
    } finally {
      await segments.close();
    }
  }

  /** Base LSNs of the files that are there, and their lengths. */
  async #verifyJournal(state: RecoveredState, replayFromLsn: number): Promise<Map<number, number>> {
    const directory = join(this.#directory, 'journal');
    const bases = new Map<number, number>();
    await verifyJournal(this.#disk, directory, {
      onFile: (baseLsn, bytes) => {
        bases.set(baseLsn, bytes);
        this.#report.files += 1;
      },
      onChunk: (chunk) => {
        this.#verifyChunk(directory, chunk);
        if (chunk.lsn >= replayFromLsn) state.apply(chunk);
      },
      onDamage: (file, position, what) =>
        this.#report.problems.push({
          file: join(directory, file),
          position,
          what,
          remedy: restore,
        }),
    });
    return bases;
  }

  #verifyChunk(directory: string, chunk: ScannedChunk): void {
    this.#report.chunks += 1;
    const file = join(directory, chunk.file);
    forEachEntry(chunk.chunk, chunk.payloadBytes, (kind, _partition, at, length) => {
      this.#report.entries += 1;
      if (kind === entryKind.records)
        this.#verifyBatch(file, chunk.position + at, chunk.chunk, at, length);
    });
    // Readers take the first zero for the end of the chunk.
    const end = chunkHeaderBytes + chunk.payloadBytes;
    const stray = chunk.chunk.subarray(end).findIndex((byte) => byte !== 0);
    if (stray < 0) return;
    const position = chunk.position + end + stray;
    const what = 'the zeros behind a chunk are not zeros';
    this.#report.problems.push({ file, position, what, remedy: restore });
  }

  #verifyBatch(
    file: string,
    position: number,
    bytes: Uint8Array,
    at: number,
    length: number,
  ): void {
    this.#report.batches += 1;
    const check = checkBatch(bytes, at, at + length);
    if (check === 'ok') this.#report.records += batchRecordCount(bytes, at);
    else {
      const what = `a record batch fails its check (${check})`;
      this.#report.problems.push({ file, position, what, remedy: restore });
    }
  }

  async #verifySegment(
    segments: SegmentStore,
    directory: string,
    number: number,
    state: RecoveredState,
  ): Promise<void> {
    const file = join(directory, segmentName(number));
    const stretches: Stretch[] = [];
    this.#stretches.set(number, stretches);
    const header = new Uint8Array(segmentHeaderBytes);
    await segments.readRange(segmentName(number), 0, header);
    if (!Buffer.from(header).equals(segmentHeader(number))) {
      this.#report.problems.push({ file, position: 0, what: 'a damaged header', remedy: restore });
    }
    await scanSegment(segments, number, (partition, bytes, at, length, position) => {
      this.#report.entries += 1;
      this.#verifyBatch(file, position, bytes, at, length);
      if (checkBatch(bytes, at, at + length) !== 'ok') return;
      const firstOffset = batchBaseOffset(bytes, at);
      const epoch = state.logs.get(partition)?.findStoredEpoch(firstOffset);
      if (epoch !== undefined && epoch !== batchLeaderEpoch(bytes, at)) {
        const what = `offset ${firstOffset} is of epoch ${epoch}, not ${batchLeaderEpoch(bytes, at)}`;
        this.#report.problems.push({ file, position, what, remedy: restore });
      }
      const last = stretches.at(-1);
      const end = batchLastOffset(bytes, at) + 1;
      if (last?.partition === partition && last.endOffset === firstOffset) last.endOffset = end;
      else stretches.push({ partition, firstOffset, endOffset: end, position });
    });
  }

  async #newestSnapshot(
    segments: SegmentStore,
    directory: string,
    objects: ReadonlySet<string>,
  ): Promise<Snapshot | undefined> {
    let newest: Snapshot | undefined;
    for (const name of [...objects].toSorted()) {
      if (findSnapshotLsn(name) === undefined) continue;
      const snapshot = decodeSnapshot(await segments.read(name));
      if (snapshot !== undefined) newest = snapshot;
      else {
        const remedy = 'none needed: the snapshot before it, or the journal, is used';
        this.#report.problems.push({
          file: join(directory, name),
          position: 0,
          what: 'a damaged snapshot',
          remedy,
        });
      }
    }
    return newest;
  }

  /** Every file that is referred to is there, and its index is whole. */
  async #verifyExtents(
    segments: SegmentStore,
    directory: string,
    state: RecoveredState,
    journalFiles: ReadonlyMap<number, number>,
    objects: ReadonlySet<string>,
  ): Promise<void> {
    const missing = new Set<string>();
    for (const log of state.logs.values()) {
      for (const extent of log.extents) {
        const isJournal = extent.kind === 'journal';
        const isThere = isJournal
          ? journalFiles.has(extent.fileId)
          : objects.has(segmentName(extent.fileId));
        if (!isThere) missing.add(`${extent.kind} ${extent.fileId}`);
        else if (!isJournal) this.#verifyStretch(directory, log, extent);
        // Behind the snapshot no index is stored yet.
        if (extent.runs !== undefined) continue;
        const index = indexName(extent.kind, extent.fileId);
        const bytes = new Uint8Array(RunList.encodedBytes(extent.runCount));
        const count = objects.has(index)
          ? await segments.readRange(index, extent.runsAt, bytes)
          : 0;
        const runs = count < bytes.length ? undefined : RunList.decode(bytes, extent.runCount);
        if (isThere && isJournal && runs !== undefined) {
          this.#verifyLength(extent.fileId, runs, journalFiles.get(extent.fileId) ?? 0);
        }
        if (runs === undefined) {
          this.#report.problems.push({
            file: join(directory, index),
            position: extent.runsAt,
            what: `the index of partition ${log.topicId}-${log.index} is missing or damaged`,
            remedy: 'none needed: it is built anew when it is read',
          });
        }
      }
    }
    for (const name of missing) {
      const what = 'missing';
      this.#report.problems.push({ file: name, position: 0, what, remedy: restore });
    }
  }

  /** A segment holds all offsets of an extent, one behind the other. */
  #verifyStretch(directory: string, log: PartitionLog, extent: Extent): void {
    const stretches = this.#stretches.get(extent.fileId) ?? [];
    const own = stretches.filter(({ partition }) => partition === log.number);
    const begins = own.find(
      ({ firstOffset, endOffset }) =>
        firstOffset <= extent.firstOffset && endOffset > extent.firstOffset,
    );
    if (begins !== undefined && begins.endOffset >= extent.endOffset) return;
    // What breaks a stretch stands where the next one begins.
    const next = begins === undefined ? own[0] : stretches[stretches.indexOf(begins) + 1];
    const lost = begins?.endOffset ?? extent.firstOffset;
    this.#report.problems.push({
      file: join(directory, segmentName(extent.fileId)),
      position: next?.position ?? 0,
      what: `offset ${lost} of partition ${log.topicId}-${log.index} is not where it should be`,
      remedy: restore,
    });
  }

  /** A sealed journal file is as long as its index says: one that was cut between two chunks looks whole. */
  #verifyLength(baseLsn: number, runs: RunList, bytes: number): void {
    const last = runs.count - 1;
    if (last < 0 || runs.position(last) + runs.bytes(last) <= baseLsn + bytes) return;
    this.#report.problems.push({
      file: join(this.#directory, 'journal', journalFileName(baseLsn)),
      position: bytes,
      what: 'the file ends before its last batch',
      remedy: restore,
    });
  }
}
