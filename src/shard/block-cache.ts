import { limits, present } from '../base/index.ts';
import type { Journal } from '../journal/index.ts';

/** Readings over which it is judged whether blocks pay. */
const judgedBytes = 64 * 1024 * 1024;
/** Readings that are made directly after blocks did not pay, before they are tried again. */
const pausedReadsMax = 10_000;
/** Blocks that are read before they are asked for, and how many of those at a time: the journal writes through the same threads. */
const aheadBlocks = 10;
const aheadLoadsMax = 2;
/** Blocks of which it is remembered who read in them first. */
const readersMax = 4096;

interface Block {
  bytes: Uint8Array;
  /** Until it is read. */
  loaded: Promise<void> | undefined;
}

/**
 * Blocks of journal files that several partitions' readers go through together. The records of many partitions lie
 * interleaved there, in short runs: reading each partition's runs by themselves costs a trip to the disk for every one
 * of them, while one reading of a block serves all. Whether others will come is not known, so a block is read
 * whole only when a second partition is read in it or the block before it was wanted; and not at all for a while, where that
 * turns out to read more than is used.
 */
export class BlockCache {
  readonly #journal: Journal;
  readonly #blockBytes: number;
  readonly #blocksMax: number;
  /** By the LSN at which they begin; the least recently used first. */
  readonly #blocks = new Map<number, Block>();
  /** The partition that was read in a block first, by the block's LSN. */
  readonly #readers = new Map<number, number>();
  /** Where reading ahead goes on, and where it ends. */
  #ahead = { fileId: -1, nextLsn: 0, endLsn: 0 };
  #aheadLoads = 0;
  #loadedBytes = 0;
  #servedBytes = 0;
  #pausedReads = 0;

  constructor(
    journal: Journal,
    blockBytes = 1024 * 1024,
    bytesMax: number = limits.blockCacheBytes,
  ) {
    this.#journal = journal;
    this.#blockBytes = blockBytes;
    this.#blocksMax = Math.max(2, Math.floor(bytesMax / blockBytes));
  }

  /** Bytes `[start, end)` of a journal file, never written to again. Rejects as `Journal.read` does. */
  async read(partition: number, fileId: number, start: number, end: number): Promise<Uint8Array> {
    const first = this.#blockAt(fileId, start);
    const last = this.#blockAt(fileId, end - 1);
    if (!this.#isWanted(partition, fileId, first, last)) return this.#readDirectly(start, end);
    this.#servedBytes += end - start;
    const block = await this.#get(first, fileId);
    if (first === last) return block.bytes.subarray(start - first, end - first);
    const whole = Buffer.allocUnsafeSlow(end - start);
    whole.set(block.bytes.subarray(start - first));
    const next = await this.#get(last, fileId);
    whole.set(next.bytes.subarray(0, end - last), last - start);
    return whole;
  }

  /** Forgets what was read: somebody doubts it. */
  clear(): void {
    this.#blocks.clear();
  }

  /** Blocks are counted from the start of their file, and named by the LSN at which they begin. */
  #blockAt(fileId: number, lsn: number): number {
    return lsn - ((lsn - fileId) % this.#blockBytes);
  }

  async #readDirectly(start: number, end: number): Promise<Uint8Array> {
    const buffer = Buffer.allocUnsafeSlow(end - start);
    await this.#journal.read(start, buffer);
    return buffer;
  }

  #isWanted(partition: number, fileId: number, first: number, last: number): boolean {
    if (last - first > this.#blockBytes) return false;
    if (this.#pausedReads > 0) {
      this.#pausedReads -= 1;
      return false;
    }
    const isFirstWanted = this.#isBlockWanted(partition, first);
    const isLastWanted = first === last || this.#isBlockWanted(partition, last);
    return isFirstWanted && isLastWanted && this.#isComplete(fileId, last);
  }

  #isBlockWanted(partition: number, lsn: number): boolean {
    if (this.#blocks.has(lsn) || this.#blocks.has(lsn - this.#blockBytes)) return true;
    const reader = this.#readers.get(lsn);
    if (reader !== undefined) return reader !== partition;
    this.#readers.set(lsn, partition);
    if (this.#readers.size > readersMax) {
      this.#readers.delete(present(this.#readers.keys().next().value, 'it is not empty'));
    }
    return false;
  }

  /** Whether the block, as far as it is in the file, will not change any more. */
  #isComplete(fileId: number, lsn: number): boolean {
    const { activeBaseLsn, endLsn } = this.#journal;
    return fileId !== activeBaseLsn || lsn + this.#blockBytes <= endLsn;
  }

  async #get(lsn: number, fileId: number): Promise<Block> {
    const known = this.#blocks.get(lsn);
    const block = known ?? this.#load(lsn, fileId);
    if (known !== undefined) this.#blocks.delete(lsn);
    this.#blocks.set(lsn, block);
    this.#readAhead(lsn, fileId);
    if (block.loaded !== undefined) await block.loaded;
    return block;
  }

  /** Whoever reads in one block will soon read in the next ones: they are read while this one is being sent. */
  #readAhead(lsn: number, fileId: number): void {
    const endLsn = lsn + this.#blockBytes * (1 + Math.min(aheadBlocks, this.#blocksMax / 3));
    if (
      this.#ahead.fileId !== fileId ||
      lsn >= this.#ahead.endLsn ||
      endLsn < this.#ahead.endLsn - this.#blocksMax * this.#blockBytes
    ) {
      this.#ahead = { fileId, nextLsn: lsn + this.#blockBytes, endLsn };
    } else if (endLsn > this.#ahead.endLsn) {
      this.#ahead.endLsn = endLsn;
    }
    this.#loadAhead();
  }

  #loadAhead(): void {
    const ahead = this.#ahead;
    while (this.#aheadLoads < aheadLoadsMax && ahead.nextLsn < ahead.endLsn) {
      const lsn = ahead.nextLsn;
      if (!this.#isComplete(ahead.fileId, lsn)) return;
      ahead.nextLsn += this.#blockBytes;
      if (this.#blocks.has(lsn)) continue;
      if (lsn >= this.#endOf(ahead.fileId)) return;
      const block = this.#load(lsn, ahead.fileId);
      this.#blocks.set(lsn, block);
      this.#aheadLoads += 1;
      const loaded = (): void => {
        this.#aheadLoads -= 1;
        this.#loadAhead();
      };
      // Whoever wants the block meets the failure.
      block.loaded?.then(loaded, loaded);
    }
  }

  #load(lsn: number, fileId: number): Block {
    while (this.#blocks.size >= this.#blocksMax) {
      this.#blocks.delete(present(this.#blocks.keys().next().value, 'it is not empty'));
    }
    const endLsn = Math.min(lsn + this.#blockBytes, this.#endOf(fileId));
    const block: Block = {
      bytes: Buffer.allocUnsafeSlow(endLsn - lsn),
      loaded: undefined,
    };
    block.loaded = this.#journal.read(lsn, block.bytes).then(
      () => {
        block.loaded = undefined;
      },
      (error: unknown) => {
        if (this.#blocks.get(lsn) === block) this.#blocks.delete(lsn);
        throw error;
      },
    );
    this.#note(block.bytes.length);
    return block;
  }

  /** LSN behind the last byte of a file; Infinity when it is gone, which reading it will tell. */
  #endOf(fileId: number): number {
    const file = this.#journal.files().find((candidate) => candidate.baseLsn === fileId);
    return file === undefined ? Number.POSITIVE_INFINITY : fileId + file.bytes;
  }

  #note(bytes: number): void {
    this.#loadedBytes += bytes;
    if (this.#loadedBytes < judgedBytes) return;
    if (this.#servedBytes < this.#loadedBytes / 2) this.#pausedReads = pausedReadsMax;
    this.#loadedBytes = 0;
    this.#servedBytes = 0;
  }
}
