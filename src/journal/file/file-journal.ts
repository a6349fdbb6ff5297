import { join } from 'node:path';
import { BrokerError, assert, present } from '../../base/index.ts';
import type { Disk, DiskFile } from '../../disk/index.ts';
import { chunkAlignment, chunkFlagUnsynced, sealChunk } from '../chunk.ts';
import type {
  ChunkChain,
  Journal,
  JournalFile,
  JournalOpenOptions,
  ReplayedChunk,
} from '../journal.ts';
import { JournalFileMissing } from '../journal.ts';
import { BlocksAhead } from './blocks-ahead.ts';
import { journalFileName, type ScannedFile, scanJournal, scanSealedFile } from './journal-scan.ts';

export interface FileJournalOptions extends JournalOpenOptions {
  disk: Disk;
  /** Holds nothing but this journal's files. */
  directory: string;
  /** A file is created this long, as a hole, so that appending does not change its size. */
  fileBytes: number;
  /** False: acknowledge once the operating system has the bytes (`--sync os`). */
  isDurable: boolean;
}

/** Without what is wanted for the replay alone, and holds on to all that was replayed. */
type FileJournalPlace = Pick<FileJournalOptions, 'disk' | 'directory' | 'fileBytes' | 'isDurable'>;

/** Open handles of sealed files; one more closes the one that was used longest ago. */
const openFilesMax = 256;

interface OpenFile {
  file: Promise<DiskFile>;
  /** Reads under way; the handle is closed when none is left and it is no longer wanted. */
  readers: number;
  isWanted: boolean;
  /** The active file, also while it is being sealed: it stays open. */
  isWritten: boolean;
}

/** A journal in files of one directory, named by the LSN of their first byte. */
export class FileJournal implements Journal {
  readonly epoch: number;
  readonly #options: FileJournalPlace;
  readonly #files: ScannedFile[];
  readonly #handles = new Map<number, OpenFile>();
  #active: DiskFile | undefined;
  /** Of the active file, also while it is being sealed; none where writes are not durable by themselves. */
  #ahead: BlocksAhead | undefined;
  #endLsn: number;
  #sequence: number;
  #previousCrc: number;
  #isAppending = false;
  #rolling: Promise<void> = Promise.resolve();
  #failure: BrokerError | undefined;

  /** Replays what is there, drops a torn end, and takes the next epoch. Rejects with storage-damaged or storage-failed. */
  static async open(options: FileJournalOptions): Promise<FileJournal> {
    try {
      await options.disk.makeDirectory(options.directory);
      const found = await scanJournal(options);
      return new FileJournal(options, found.files, found);
    } catch (error) {
      throw storageError(error, options.directory);
    }
  }

  private constructor(
    options: FileJournalOptions,
    files: ScannedFile[],
    end: { endLsn: number; sequence: number; crc: number; epoch: number },
  ) {
    const { disk, directory, fileBytes, isDurable } = options;
    this.#options = { disk, directory, fileBytes, isDurable };
    this.#files = files;
    this.#endLsn = end.endLsn;
    this.#sequence = end.sequence;
    this.#previousCrc = end.crc;
    this.epoch = Math.max(options.minEpoch, end.epoch + 1);
  }

  get endLsn(): number {
    return this.#endLsn;
  }

  get activeBytes(): number {
    return this.#active === undefined
      ? 0
      : present(this.#files.at(-1), 'an active file is listed').bytes;
  }

  get activeBaseLsn(): number {
    return this.#active === undefined
      ? this.#endLsn
      : present(this.#files.at(-1), 'an active file is listed').baseLsn;
  }

  get chain(): ChunkChain {
    return { sequence: this.#sequence, crc: this.#previousCrc };
  }

  async append(chunk: Uint8Array, payloadBytes: number, timestampMs: number): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    assert(!this.#isAppending, 'one append at a time');
    assert(chunk.length % chunkAlignment === 0, 'a chunk is aligned');
    this.#isAppending = true;
    const lsn = this.#endLsn;
    const crc = sealChunk(chunk, {
      flags: this.#options.isDurable ? 0 : chunkFlagUnsynced,
      payloadBytes,
      epoch: this.epoch,
      sequence: this.#sequence + 1,
      lsn,
      previousCrc: this.#previousCrc,
      timestampMs,
    });
    try {
      this.#active ??= await this.#createFile(lsn);
      const entry = present(this.#files.at(-1), 'an active file is listed');
      const position = lsn - entry.baseLsn;
      const ahead = this.#ahead;
      if (ahead?.isReachedBy(position + chunk.length) === true) await ahead.stop();
      await this.#active.write(chunk, position);
      entry.bytes += chunk.length;
      ahead?.note(entry.bytes, chunk.length, timestampMs);
    } catch (error) {
      const path = join(this.#options.directory, journalFileName(this.activeBaseLsn));
      this.#failure = storageError(error, path);
      throw this.#failure;
    } finally {
      this.#isAppending = false;
    }
    this.#endLsn = lsn + chunk.length;
    this.#sequence += 1;
    this.#previousCrc = crc;
  }

  async flush(): Promise<void> {
    if (this.#options.isDurable) return;
    // What is being sealed is not the active file any more, and not synced yet.
    await this.#rolling;
    if (this.#failure !== undefined) throw this.#failure;
    const active = this.#active;
    if (active === undefined) return;
    const { baseLsn } = present(this.#files.at(-1), 'an active file is listed');
    try {
      await active.sync();
    } catch (error) {
      // The file may have been sealed, and closed, meanwhile: then it is synced.
      if (this.#active !== active) return this.flush();
      this.#failure ??= storageError(error, journalFileName(baseLsn));
      throw this.#failure;
    }
  }

  async roll(): Promise<void> {
    assert(!this.#isAppending, 'no append while rolling');
    const active = this.#active;
    if (active === undefined) return;
    const entry = present(this.#files.at(-1), 'an active file is listed');
    this.#active = undefined;
    const rolling = this.#seal(active, entry);
    this.#rolling = rolling.catch(() => undefined);
    await rolling;
  }

  async #seal(active: DiskFile, entry: ScannedFile): Promise<void> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    try {
      await ahead?.end();
      await active.truncate(entry.bytes);
      await active.sync();
    } catch (error) {
      this.#failure = storageError(error, journalFileName(entry.baseLsn));
      throw this.#failure;
    } finally {
      this.#release(entry.baseLsn);
    }
  }

  async read(lsn: number, into: Uint8Array): Promise<void> {
    const entry = this.#findFile(lsn);
    if (entry === undefined || lsn + into.length > entry.baseLsn + entry.bytes) {
      throw new JournalFileMissing(`no journal file holds ${lsn}..${lsn + into.length}`);
    }
    const handle = this.#handle(entry);
    handle.readers += 1;
    try {
      const file = await handle.file;
      const count = await file.read(into, lsn - entry.baseLsn);
      if (count < into.length) {
        throw new BrokerError(
          'storage-damaged',
          `${journalFileName(entry.baseLsn)} ends at ${lsn - entry.baseLsn + count}, before its last chunk`,
        );
      }
    } catch (error) {
      if (error instanceof BrokerError) throw error;
      if (errorCode(error) === 'ENOENT') {
        throw new JournalFileMissing(journalFileName(entry.baseLsn), { cause: error });
      }
      throw storageError(error, journalFileName(entry.baseLsn));
    } finally {
      handle.readers -= 1;
      if (!handle.isWanted && handle.readers === 0) void closeQuietly(handle.file);
    }
  }

  async scan(baseLsn: number, visit: (chunk: ReplayedChunk) => void): Promise<void> {
    const entry = this.#files.find((file) => file.baseLsn === baseLsn);
    if (entry === undefined) throw new JournalFileMissing(journalFileName(baseLsn));
    try {
      await scanSealedFile(this.#options, entry, visit);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') {
        throw new JournalFileMissing(journalFileName(baseLsn), { cause: error });
      }
      throw storageError(error, journalFileName(baseLsn));
    }
  }

  files(): JournalFile[] {
    return this.#files.map((file) => ({ baseLsn: file.baseLsn, bytes: file.bytes }));
  }

  async remove(baseLsn: number): Promise<void> {
    const at = this.#files.findIndex((file) => file.baseLsn === baseLsn);
    if (at < 0) return;
    assert(this.#active === undefined || at < this.#files.length - 1, 'the active file stays');
    this.#files.splice(at, 1);
    this.#release(baseLsn);
    await this.#options.disk.remove(join(this.#options.directory, journalFileName(baseLsn)));
  }

  async close(): Promise<void> {
    this.#failure ??= new BrokerError('closed');
    this.#active = undefined;
    const ahead = this.#ahead;
    this.#ahead = undefined;
    const handles = [...this.#handles.keys()];
    for (const baseLsn of handles) this.#release(baseLsn);
    // Whoever opens the journal next cuts its last file.
    await ahead?.end();
  }

  async #createFile(baseLsn: number): Promise<DiskFile> {
    const { disk, directory, fileBytes, isDurable } = this.#options;
    const path = join(directory, journalFileName(baseLsn));
    // A file of this name can only be one that an earlier failure left without a chunk: recovery listed all others.
    await disk.remove(path);
    const file = await disk.open(path, { create: true, isDurable });
    try {
      await file.truncate(fileBytes);
      await file.sync();
      await disk.syncDirectory(directory);
    } catch (error) {
      // A shard that recovers tries again every second.
      await closeQuietly(Promise.resolve(file));
      throw error;
    }
    this.#files.push({ baseLsn, bytes: 0 });
    const handle = { file: Promise.resolve(file), readers: 0, isWanted: true, isWritten: true };
    this.#handles.set(baseLsn, handle);
    if (isDurable) this.#ahead = new BlocksAhead(disk, path, fileBytes);
    return file;
  }

  #findFile(lsn: number): ScannedFile | undefined {
    let low = 0;
    let high = this.#files.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (present(this.#files[middle], 'in range').baseLsn <= lsn) low = middle + 1;
      else high = middle;
    }
    return this.#files[low - 1];
  }

  #handle(entry: ScannedFile): OpenFile {
    const known = this.#handles.get(entry.baseLsn);
    if (known !== undefined) {
      // Re-inserting keeps the map in order of last use.
      this.#handles.delete(entry.baseLsn);
      this.#handles.set(entry.baseLsn, known);
      return known;
    }
    const path = join(this.#options.directory, journalFileName(entry.baseLsn));
    const opened: OpenFile = {
      file: this.#options.disk.open(path, { isReadOnly: true }),
      readers: 0,
      isWanted: true,
      isWritten: false,
    };
    opened.file.catch(() => {
      if (this.#handles.get(entry.baseLsn) === opened) this.#handles.delete(entry.baseLsn);
    });
    this.#handles.set(entry.baseLsn, opened);
    if (this.#handles.size > openFilesMax) {
      for (const [baseLsn, handle] of this.#handles) {
        if (handle.isWritten || baseLsn === entry.baseLsn) continue;
        this.#release(baseLsn);
        break;
      }
    }
    return opened;
  }

  #release(baseLsn: number): void {
    const handle = this.#handles.get(baseLsn);
    if (handle === undefined) return;
    this.#handles.delete(baseLsn);
    handle.isWanted = false;
    if (handle.readers === 0) void closeQuietly(handle.file);
  }
}

/** Closing a handle that only served reads, or whose bytes are synced, cannot lose anything. */
async function closeQuietly(file: Promise<DiskFile>): Promise<void> {
  try {
    await (await file).close();
  } catch {
    // The open failed, which its reader was told, or the close did, after which the handle is gone all the same.
  }
}

function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

function storageError(error: unknown, path: string): BrokerError {
  if (error instanceof BrokerError) return error;
  const code = errorCode(error);
  const isFull = code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG';
  return new BrokerError(
    isFull ? 'storage-full' : 'storage-failed',
    `${path}: ${error instanceof Error ? error.message : String(error)}`,
    { cause: error },
  );
}
