import { join } from 'node:path';
import { checkBatch, batchRecordCount } from '../bytes/index.ts';
import { type Disk, NodeDisk } from '../disk/index.ts';
import { type ScannedChunk, verifyJournal } from '../journal/index.ts';
import { FileSegmentStore, type SegmentStore } from '../segment/index.ts';
import { entryKind } from './entry.ts';
import { indexName } from './index-store.ts';
import type { LogHost } from './partition-log.ts';
import { forEachEntry, RecoveredState } from './recovery.ts';
import { scanSegment } from './run-rebuild.ts';
import { RunList } from './run-list.ts';
import { decodeSnapshot, findSnapshotLsn, type Snapshot } from './snapshot.ts';
import { segmentName } from './segment-file.ts';

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
  checkPublish: () => undefined,
  enqueue: () => undefined,
  advanceStart: () => Promise.resolve(),
  read: () => Promise.reject(new Error('not opened for reading')),
  findByTime: () => Promise.resolve(undefined),
  findMaxTimestamp: () => Promise.resolve(undefined),
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

class ShardVerification {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #report: StoreReport;

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
        if (match !== null) await this.#verifySegment(segments, directory, Number(match[1]));
      }
      await this.#verifyExtents(segments, directory, state, journalFiles, objects);
    } finally {
      await segments.close();
    }
  }

  /** Base LSNs of the files that are there. */
  async #verifyJournal(state: RecoveredState, replayFromLsn: number): Promise<Set<number>> {
    const directory = join(this.#directory, 'journal');
    const bases = new Set<number>();
    await verifyJournal(this.#disk, directory, {
      onFile: (baseLsn) => {
        bases.add(baseLsn);
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
    forEachEntry(chunk.chunk, chunk.payloadBytes, (kind, _partition, at, length) => {
      this.#report.entries += 1;
      if (kind !== entryKind.records) return;
      this.#verifyBatch(join(directory, chunk.file), chunk.position + at, chunk.chunk, at, length);
    });
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

  async #verifySegment(segments: SegmentStore, directory: string, number: number): Promise<void> {
    const file = join(directory, segmentName(number));
    await scanSegment(segments, number, (_partition, bytes, at, length, position) => {
      this.#report.entries += 1;
      this.#verifyBatch(file, position, bytes, at, length);
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
    journalFiles: ReadonlySet<number>,
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
        // Behind the snapshot no index is stored yet.
        if (extent.runs !== undefined) continue;
        const index = indexName(extent.kind, extent.fileId);
        const bytes = new Uint8Array(RunList.encodedBytes(extent.runCount));
        const count = objects.has(index)
          ? await segments.readRange(index, extent.runsAt, bytes)
          : 0;
        if (count < bytes.length || RunList.decode(bytes, extent.runCount) === undefined) {
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
}
