import { ByteWriter } from '../bytes/index.ts';
import { SegmentMissing, type SegmentStore } from '../segment/index.ts';
import type { Extent } from './extent.ts';
import { RunList } from './run-list.ts';

/** Bytes of loaded indexes that are kept; the one used longest ago goes first. */
const cacheBytesMax = 16 * 1024 * 1024;
const magic = 0x50424c49;
const layoutVersion = 1;

export function indexName(kind: Extent['kind'], fileId: number): string {
  const number = String(fileId).padStart(16, '0');
  return kind === 'journal' ? `${number}.journal-index` : `${number}.segment-index`;
}

/** An extent of the file that an index is made for, and its partition. */
export interface IndexedExtent {
  partition: number;
  extent: Extent;
}

/**
 * Lays out the index of one file and notes in each extent where its runs will be.
 *
 * Layout: u32 magic "PBLI", u8 version, u8 0 journal / 1 segment, u16 0, i64 file id; then per extent u32 partition,
 * u32 runs, and the runs as RunList stores them, with a CRC of their own.
 */
export function buildIndex(
  kind: Extent['kind'],
  fileId: number,
  extents: readonly IndexedExtent[],
): Uint8Array {
  const writer = new ByteWriter(4096);
  writer.uint32(magic);
  writer.uint8(layoutVersion);
  writer.uint8(kind === 'journal' ? 0 : 1);
  writer.uint16(0);
  writer.safeInt64(fileId);
  for (const { partition, extent } of extents) {
    const runs = extent.runs;
    if (runs === undefined) continue;
    writer.uint32(partition);
    writer.uint32(runs.count);
    extent.runsAt = writer.position;
    extent.runCount = runs.count;
    runs.encodeTo(writer);
  }
  return writer.take();
}

/** Loads the runs of sealed files; a missing or damaged index is built anew from the file. */
export class IndexStore {
  readonly #segments: SegmentStore;
  readonly #rebuild: (extent: Extent) => Promise<void>;
  readonly #cache = new Map<string, RunList>();
  #cachedBytes = 0;

  /** `rebuild` scans the file and gives the extent its runs again. */
  constructor(segments: SegmentStore, rebuild: (extent: Extent) => Promise<void>) {
    this.#segments = segments;
    this.#rebuild = rebuild;
  }

  async load(extent: Extent, partition: number): Promise<RunList> {
    const name = indexName(extent.kind, extent.fileId);
    const key = `${name}:${extent.runsAt}:${partition}`;
    const known = this.#cache.get(key);
    if (known !== undefined) {
      this.#cache.delete(key);
      this.#cache.set(key, known);
      return known;
    }
    const runs = await this.#read(name, extent);
    if (runs === undefined) {
      await this.#rebuild(extent);
      if (extent.runs !== undefined) return extent.runs;
      throw new SegmentMissing(name);
    }
    this.#cache.set(key, runs);
    this.#cachedBytes += RunList.encodedBytes(runs.count);
    this.#evict(key);
    return runs;
  }

  clear(): void {
    this.#cache.clear();
    this.#cachedBytes = 0;
  }

  async #read(name: string, extent: Extent): Promise<RunList | undefined> {
    if (extent.runCount === 0) return undefined;
    const bytes = new Uint8Array(RunList.encodedBytes(extent.runCount));
    try {
      const count = await this.#segments.readRange(name, extent.runsAt, bytes);
      return count === bytes.length ? RunList.decode(bytes, extent.runCount) : undefined;
    } catch (error) {
      if (error instanceof SegmentMissing) return undefined;
      throw error;
    }
  }

  #evict(keep: string): void {
    for (const [key, runs] of this.#cache) {
      if (this.#cachedBytes <= cacheBytesMax) return;
      if (key === keep) continue;
      this.#cache.delete(key);
      this.#cachedBytes -= RunList.encodedBytes(runs.count);
    }
  }
}
