import type { Clock } from '../base/index.ts';
import type { SegmentStore } from '../segment/index.ts';
import { entryHeaderBytes, entryKind, writeEntryHeader } from './entry.ts';
import { ExtentWriter } from './extent-writer.ts';
import type { Extent } from './extent.ts';
import type { RoomForMoves } from './free-space.ts';
import { buildIndex, type IndexedExtent, indexName } from './index-store.ts';
import type { BatchSink } from './batch-sink.ts';
import type { LogReader } from './log-reader.ts';
import type { Moved } from './moved-entry.ts';
import type { PartitionLog } from './partition-log.ts';
import { segmentHeader, segmentHeaderBytes, segmentName } from './segment-file.ts';

/** A sealed file and what is still wanted of it. */
export interface FileUse {
  kind: Extent['kind'];
  fileId: number;
  fileBytes: number;
  /** Bytes of batches at or above their logs' starts, about. */
  liveBytes: number;
  runs: number;
  partitions: number;
}

/** A file with less than this part alive is worth moving. */
const liveShareMin = 0.5;
/** A file smaller than this is left alone until its data die or it is one of many small ones. */
const fileBytesMin = 1024 * 1024;
/** Runs of many partitions that are shorter than this make catch-up reads slow. */
const runBytesShort = 8 * 1024;
/** So many small files in a row are worth making one of. */
const smallFilesMin = 8;
const smallFileBytes = 4 * 1024 * 1024;
/** Live bytes moved in one go. */
const movedBytesMax = 256 * 1024 * 1024;

export interface CompactorOptions {
  clock: Clock;
  segments: SegmentStore;
  /** Reads and writes together; the compactor waits between its steps. */
  bytesPerSecond: number;
}

/** Moves what is alive out of files where that pays: mostly dead, in short runs, or many and small. */
export class Compactor {
  readonly #options: CompactorOptions;

  constructor(options: CompactorOptions) {
    this.#options = options;
  }

  /**
   * The files to move next; empty when nothing pays, or nothing fits. `uses` are sealed files, oldest first. Both the
   * files and their copy are on the disk for a while: only what is mostly dead may take the room that is kept in
   * reserve, since it gives back more.
   */
  choose(uses: readonly FileUse[], room: RoomForMoves): FileUse[] {
    const chosen = new Set<FileUse>();
    for (const use of uses) {
      if (use.liveBytes === 0) continue;
      const hasShortRuns =
        use.kind === 'journal' &&
        use.fileBytes >= fileBytesMin &&
        use.partitions > 1 &&
        use.liveBytes / Math.max(use.runs, 1) < runBytesShort;
      if (isMostlyDead(use) || hasShortRuns) chosen.add(use);
    }
    let row: FileUse[] = [];
    for (const use of [...uses, undefined]) {
      if (use !== undefined && use.fileBytes < smallFileBytes) row.push(use);
      else {
        if (row.length >= smallFilesMin)
          for (const small of row) if (small.liveBytes > 0) chosen.add(small);
        row = [];
      }
    }
    return takeFirst(uses, chosen, room);
  }

  /**
   * Copies the live batches of the files into segment `number`, partition by partition, and stores it with its index.
   * Nothing refers to it before the returned entry is in the journal; a crash until then leaves an orphan.
   */
  async move(
    sources: readonly FileUse[],
    number: number,
    logs: Iterable<PartitionLog>,
    reader: LogReader,
    isStopped: () => boolean,
  ): Promise<Moved | undefined> {
    const moved: Moved = {
      segment: number,
      sources: sources.map(({ kind, fileId }) => ({ kind, fileId })),
      extents: [],
    };
    const wanted = new Set(sources.map(({ kind, fileId }) => `${kind}${fileId}`));
    const indexed: IndexedExtent[] = [];
    let wasStopped = false;
    const parts = async function* (this: Compactor): AsyncGenerator<Uint8Array> {
      let position = segmentHeaderBytes;
      yield segmentHeader(number);
      for (const log of Array.from(logs)) {
        for (const group of adjacentGroups(log.extents, wanted)) {
          const writer = new ExtentWriter(log, number, position);
          for (const extent of group) {
            const batches = new PartBuffer(writer);
            for await (const part of drainExtent(reader, log, extent, batches)) {
              wasStopped ||= isStopped();
              if (wasStopped) return;
              await this.#pace(part.length * 2);
              yield part;
            }
          }
          position = writer.position;
          if (writer.extent.runs?.count)
            indexed.push({ partition: log.number, extent: writer.extent });
        }
      }
    };
    await this.#options.segments.put(segmentName(number), parts.call(this));
    if (wasStopped) {
      await this.#options.segments.delete(segmentName(number));
      return undefined;
    }
    await this.#options.segments.put(indexName('segment', number), [
      buildIndex('segment', number, indexed),
    ]);
    for (const { partition, extent } of indexed) {
      extent.runs = undefined;
      moved.extents.push({ partition, extent });
    }
    return moved;
  }

  #pace(bytes: number): Promise<void> {
    const { clock, bytesPerSecond } = this.#options;
    return new Promise((resolve) => clock.setTimer((bytes / bytesPerSecond) * 1000, resolve));
  }
}

function isMostlyDead(use: FileUse): boolean {
  return use.fileBytes >= fileBytesMin && use.liveBytes < use.fileBytes * liveShareMin;
}

/** As many of the chosen as are moved in one go and fit, oldest first. */
function takeFirst(
  uses: readonly FileUse[],
  chosen: ReadonlySet<FileUse>,
  room: RoomForMoves,
): FileUse[] {
  const result: FileUse[] = [];
  let bytes = 0;
  for (const use of uses) {
    if (!chosen.has(use)) continue;
    if (bytes > 0 && bytes + use.liveBytes > movedBytesMax) break;
    if (bytes + use.liveBytes > (isMostlyDead(use) ? room.anyBytes : room.spareBytes)) continue;
    bytes += use.liveBytes;
    result.push(use);
  }
  return result;
}

/** Extents of the wanted files, in groups that follow each other without another file's extent between them. */
function adjacentGroups(extents: readonly Extent[], wanted: ReadonlySet<string>): Extent[][] {
  const groups: Extent[][] = [];
  let group: Extent[] | undefined;
  for (const extent of extents) {
    if (!wanted.has(`${extent.kind}${extent.fileId}`)) {
      group = undefined;
      continue;
    }
    if (group === undefined) {
      group = [];
      groups.push(group);
    }
    group.push(extent);
  }
  return groups;
}

/** Copies batches that are still wanted behind entry headers. */
class PartBuffer implements BatchSink {
  readonly isFull = false;
  readonly #writer: ExtentWriter;
  #parts: Uint8Array[] = [];

  constructor(writer: ExtentWriter) {
    this.#writer = writer;
  }

  take(bytes: Uint8Array, at: number, length: number): void {
    const { log } = this.#writer;
    if (this.#writer.isDead(bytes, at)) return;
    const header = new Uint8Array(entryHeaderBytes);
    writeEntryHeader(header, 0, entryKind.records, log.number, length);
    this.#parts.push(header, bytes.subarray(at, at + length));
    this.#writer.note(bytes, at, length);
  }

  takeAll(): Uint8Array | undefined {
    if (this.#parts.length === 0) return undefined;
    const whole = Buffer.concat(this.#parts);
    this.#parts = [];
    return whole;
  }
}

async function* drainExtent(
  reader: LogReader,
  log: PartitionLog,
  extent: Extent,
  buffer: PartBuffer,
): AsyncGenerator<Uint8Array> {
  for await (const _ of reader.scan(log, extent, buffer)) {
    const part = buffer.takeAll();
    if (part !== undefined) yield part;
  }
}
