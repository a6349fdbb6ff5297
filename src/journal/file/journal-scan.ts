import { join } from 'node:path';
import { BrokerError, limits } from '../../base/index.ts';
import type { Disk, DiskFile } from '../../disk/index.ts';
import {
  type ChunkHeader,
  chunkAlignment,
  chunkBytesFor,
  chunkCrc,
  chunkFlagUnsynced,
  findChunkHeader,
  isChunkIntact,
} from '../chunk.ts';
import type { ChunkChain, ReplayedChunk } from '../journal.ts';

/** A journal file and how many bytes of whole chunks it holds. */
export interface ScannedFile {
  baseLsn: number;
  bytes: number;
}

export interface ScanOptions {
  disk: Disk;
  directory: string;
  replayFromLsn: number;
  chain?: ChunkChain;
  onChunk: (chunk: ReplayedChunk) => void;
  onNotice: (notice: string) => void;
}

export interface ScanResult {
  files: ScannedFile[];
  endLsn: number;
  sequence: number;
  crc: number;
  /** Epoch of the last chunk; 0 when there is none. */
  epoch: number;
}

const suffix = '.journal';
const blockBytes = 4 * 1024 * 1024;

export function journalFileName(baseLsn: number): string {
  return `${String(baseLsn).padStart(16, '0')}${suffix}`;
}

/**
 * Finds the files, hands every chunk from `replayFromLsn` on to `onChunk`, and mends the end: bytes behind the last
 * whole chunk are cut off when no whole chunk follows them. Rejects with storage-damaged otherwise, changing nothing.
 */
export async function scanJournal(options: ScanOptions): Promise<ScanResult> {
  const files = await listFiles(options);
  const first = files.findIndex((file) => file.baseLsn + file.bytes > options.replayFromLsn);
  const result: ScanResult = {
    files,
    endLsn: options.replayFromLsn,
    sequence: options.chain?.sequence ?? 0,
    crc: options.chain?.crc ?? 0,
    epoch: 0,
  };
  for (const [index, file] of files.entries()) {
    if (first < 0 || index < first) continue;
    const isFirst = index === first;
    if (isFirst ? file.baseLsn > result.endLsn : file.baseLsn !== result.endLsn) {
      throw new BrokerError(
        'storage-damaged',
        `the journal has no bytes ${result.endLsn}..${file.baseLsn}: the file before ${journalFileName(file.baseLsn)} ` +
          `in ${options.directory} is missing; restore it from a backup`,
      );
    }
    await new FileScan(options, file, files[index + 1]?.baseLsn, result).run();
  }
  const last = files.at(-1);
  if (last !== undefined && last.bytes === 0) {
    files.pop();
    await options.disk.remove(join(options.directory, journalFileName(last.baseLsn)));
  }
  return result;
}

/** Hands on the chunks of one file that takes no more of them; it must consist of whole chunks. */
export async function scanSealedFile(
  place: { disk: Disk; directory: string },
  entry: ScannedFile,
  onChunk: (chunk: ReplayedChunk) => void,
): Promise<void> {
  const result: ScanResult = { files: [], endLsn: entry.baseLsn, sequence: 0, crc: 0, epoch: 0 };
  const options = { ...place, replayFromLsn: entry.baseLsn, onChunk, onNotice: () => undefined };
  await new FileScan(options, { ...entry }, undefined, result, true).scanOnly();
  const position = result.endLsn - entry.baseLsn;
  if (position < entry.bytes) {
    throw new BrokerError(
      'storage-damaged',
      `${join(place.directory, journalFileName(entry.baseLsn))} is damaged at position ${position}`,
    );
  }
}

/** A chunk found by `verifyJournal`. */
export interface ScannedChunk extends ReplayedChunk {
  /** Name of its file, and where in it the chunk is. */
  file: string;
  position: number;
}

export interface JournalVerification {
  onFile: (baseLsn: number, bytes: number) => void;
  onChunk: (chunk: ScannedChunk) => void;
  onDamage: (file: string, position: number, what: string) => void;
}

/** Reads every chunk of a journal that nobody writes to, and tells what is not intact. Changes nothing. */
export async function verifyJournal(
  disk: Disk,
  directory: string,
  verification: JournalVerification,
): Promise<void> {
  const names = await disk.list(directory).catch(() => []);
  if (names.length === 0) return;
  const files = await listFiles({ disk, directory });
  for (const [index, entry] of files.entries()) {
    verification.onFile(entry.baseLsn, entry.bytes);
    const file = journalFileName(entry.baseLsn);
    const result: ScanResult = { files: [], endLsn: entry.baseLsn, sequence: 0, crc: 0, epoch: 0 };
    const options: ScanOptions = {
      disk,
      directory,
      replayFromLsn: entry.baseLsn,
      onChunk: (chunk) =>
        verification.onChunk({ ...chunk, file, position: chunk.lsn - entry.baseLsn }),
      onNotice: () => undefined,
    };
    const scan = new FileScan(options, { ...entry }, files[index + 1]?.baseLsn, result, true);
    try {
      await scan.check();
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      verification.onDamage(
        file,
        result.endLsn - entry.baseLsn,
        'a chunk is damaged, and intact ones follow',
      );
    }
  }
}

async function listFiles({
  disk,
  directory,
}: Pick<ScanOptions, 'disk' | 'directory'>): Promise<ScannedFile[]> {
  const names = await disk.list(directory);
  const files: ScannedFile[] = [];
  for (const name of names) {
    const match = /^(\d{16})\.journal$/.exec(name);
    if (match === null) continue;
    const file = await disk.open(join(directory, name), { isReadOnly: true });
    try {
      files.push({ baseLsn: Number(match[1]), bytes: await file.size() });
    } finally {
      await file.close();
    }
  }
  files.sort((a, b) => a.baseLsn - b.baseLsn);
  for (const [index, file] of files.entries()) {
    // A power loss can undo the cut that sealed a file; what lies beyond the next file's start was never a chunk.
    const next = files[index + 1];
    if (next !== undefined) file.bytes = Math.min(file.bytes, next.baseLsn - file.baseLsn);
  }
  return files;
}

/** Walks the chunks of one file. */
class FileScan {
  readonly #options: ScanOptions;
  readonly #entry: ScannedFile;
  readonly #nextBaseLsn: number | undefined;
  readonly #result: ScanResult;
  readonly #path: string;
  readonly #sizeBytes: number;
  #block: Uint8Array = new Uint8Array(0);
  #blockAt = 0;
  #lastChunkAt = -1;
  /** The chain before the first chunk is not known. */
  #isUnchained: boolean;

  constructor(
    options: ScanOptions,
    entry: ScannedFile,
    nextBaseLsn: number | undefined,
    result: ScanResult,
    isUnchained = false,
  ) {
    this.#isUnchained = isUnchained;
    this.#options = options;
    this.#entry = entry;
    this.#nextBaseLsn = nextBaseLsn;
    this.#result = result;
    this.#path = join(options.directory, journalFileName(entry.baseLsn));
    this.#sizeBytes = entry.bytes;
  }

  /** Hands on the chunks and stops at the first that is not intact. */
  async scanOnly(): Promise<void> {
    const file = await this.#options.disk.open(this.#path, { isReadOnly: true });
    try {
      while (await this.#takeChunk(file));
    } finally {
      await file.close();
    }
  }

  /** Hands on the chunks and rejects with storage-damaged when what follows them is not an unfinished end. */
  async check(): Promise<void> {
    const file = await this.#options.disk.open(this.#path, { isReadOnly: true });
    try {
      while (await this.#takeChunk(file));
      const position = this.#result.endLsn - this.#entry.baseLsn;
      if (position < this.#sizeBytes) await this.#checkTail(file, position);
      this.#entry.bytes = position;
    } finally {
      await file.close();
    }
  }

  /** `check`, then mends the end of the last file. */
  async run(): Promise<void> {
    await this.check();
    if (this.#nextBaseLsn === undefined) await this.#mendEnd();
  }

  /** Hands on the chunk at the end of what is known; false when there is none. */
  async #takeChunk(file: DiskFile): Promise<boolean> {
    const lsn = this.#result.endLsn;
    const position = lsn - this.#entry.baseLsn;
    if (position + chunkAlignment > this.#sizeBytes) return false;
    const at = await this.#load(file, position, chunkAlignment);
    const header = findChunkHeader(this.#block, at, lsn);
    if (header === undefined || !this.#continuesChain(header)) return false;
    const bytes = chunkBytesFor(header.payloadBytes);
    if (header.payloadBytes > limits.chunkPayloadBytesMax || position + bytes > this.#sizeBytes)
      return false;
    const start = await this.#load(file, position, bytes);
    if (!isChunkIntact(this.#block, start, header.payloadBytes)) return false;
    this.#options.onChunk({
      lsn,
      chunk: this.#block.subarray(start, start + bytes),
      payloadBytes: header.payloadBytes,
      epoch: header.epoch,
      timestampMs: header.timestampMs,
      fileBaseLsn: this.#entry.baseLsn,
    });
    this.#lastChunkAt = position;
    this.#result.endLsn = lsn + bytes;
    this.#result.sequence = header.sequence;
    this.#result.crc = chunkCrc(this.#block, start);
    this.#result.epoch = header.epoch;
    return true;
  }

  #continuesChain(header: ChunkHeader): boolean {
    if (this.#isUnchained) {
      this.#isUnchained = false;
      return true;
    }
    return (
      header.sequence === this.#result.sequence + 1 &&
      header.previousCrc === this.#result.crc &&
      header.epoch >= this.#result.epoch
    );
  }

  /** What follows the last whole chunk may be zeros, stale bytes or a torn chunk, but no whole chunk. */
  async #checkTail(file: DiskFile, position: number): Promise<void> {
    const lsn = this.#entry.baseLsn + position;
    if (lsn === this.#nextBaseLsn) return;
    const later = await this.#findLaterChunk(file, position);
    const isBeforeOtherFile = this.#nextBaseLsn !== undefined;
    if (later === undefined && !isBeforeOtherFile) {
      const torn = await this.#load(file, position, chunkAlignment);
      if (this.#block.subarray(torn, torn + chunkAlignment).some((byte) => byte !== 0)) {
        this.#options.onNotice(`cut off an unfinished write at ${position} of ${this.#path}`);
      }
      return;
    }
    if (later !== undefined && (later.flags & chunkFlagUnsynced) !== 0 && !isBeforeOtherFile) {
      this.#options.onNotice(
        `cut off everything from ${position} of ${this.#path}: power was lost before it reached the disk (--sync os)`,
      );
      return;
    }
    throw new BrokerError(
      'storage-damaged',
      `${this.#path} is damaged at position ${position}, and intact chunks follow` +
        `${later === undefined ? ' in the next file' : ` at LSN ${later.lsn}`}; nothing was changed. ` +
        `Restore the file from a backup, or see what is intact with: pabal verify`,
    );
  }

  async #findLaterChunk(file: DiskFile, position: number): Promise<ChunkHeader | undefined> {
    for (
      let at = position + chunkAlignment;
      at + chunkAlignment <= this.#sizeBytes;
      at += chunkAlignment
    ) {
      const start = await this.#load(file, at, chunkAlignment);
      const header = findChunkHeader(this.#block, start, this.#entry.baseLsn + at);
      if (header === undefined || header.sequence <= this.#result.sequence) continue;
      const bytes = chunkBytesFor(header.payloadBytes);
      if (header.payloadBytes > limits.chunkPayloadBytesMax || at + bytes > this.#sizeBytes)
        continue;
      const body = await this.#load(file, at, bytes);
      if (isChunkIntact(this.#block, body, header.payloadBytes)) return header;
    }
    return undefined;
  }

  /**
   * Cuts the file to its chunks and writes the last one again: after a failed sync the system may hold it in memory,
   * take it for clean, and lose it with the power ("fsyncgate").
   */
  async #mendEnd(): Promise<void> {
    const file = await this.#options.disk.open(this.#path, { isDurable: true });
    try {
      if (this.#lastChunkAt >= 0) {
        const bytes = new Uint8Array(this.#entry.bytes - this.#lastChunkAt);
        await file.read(bytes, this.#lastChunkAt);
        await file.write(bytes, this.#lastChunkAt);
      }
      await file.truncate(this.#entry.bytes);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  /** Makes `bytes` from `position` available in the block; returns where in it. */
  async #load(file: DiskFile, position: number, bytes: number): Promise<number> {
    const end = this.#blockAt + this.#block.length;
    if (position >= this.#blockAt && position + bytes <= end) return position - this.#blockAt;
    const wanted = Math.min(Math.max(bytes, blockBytes), this.#sizeBytes - position);
    const block = new Uint8Array(wanted);
    const count = await file.read(block, position);
    this.#block = count < wanted ? block.subarray(0, count) : block;
    this.#blockAt = position;
    if (count < bytes)
      throw new BrokerError('storage-failed', `${this.#path} shrank while it was read`);
    return 0;
  }
}
