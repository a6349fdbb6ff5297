import { join } from 'node:path';
import { BrokerError } from '../../base/index.ts';
import type { Disk, DiskFile } from '../../disk/index.ts';
import type { SegmentStore } from '../segment-store.ts';
import { SegmentMissing } from '../segment-store.ts';

const openFilesMax = 128;
/** So many bytes go to the disk with one sync: durable writes of others wait behind it. */
const syncBytesMax = 1024 * 1024;
const temporarySuffix = '.tmp';

interface OpenFile {
  file: Promise<DiskFile>;
  readers: number;
  isWanted: boolean;
}

/** Objects as files of one directory: written beside, synced, then renamed. */
export class FileSegmentStore implements SegmentStore {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #handles = new Map<string, OpenFile>();
  #temporaryCount = 0;

  /** Opens the directory, creating it where needed, and clears what unfinished puts left behind. */
  static async open(disk: Disk, directory: string, isReadOnly = false): Promise<FileSegmentStore> {
    if (isReadOnly) return new FileSegmentStore(disk, directory);
    try {
      await disk.makeDirectory(directory);
      for (const name of await disk.list(directory)) {
        if (name.endsWith(temporarySuffix)) await disk.remove(join(directory, name));
      }
    } catch (error) {
      throw storageError(error, directory);
    }
    return new FileSegmentStore(disk, directory);
  }

  private constructor(disk: Disk, directory: string) {
    this.#disk = disk;
    this.#directory = directory;
  }

  async put(name: string, parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
    const path = join(this.#directory, name);
    // Two puts of one name must not write to the same temporary file.
    const temporary = `${path}.${this.#temporaryCount++}${temporarySuffix}`;
    try {
      await this.#disk.remove(temporary);
      const file = await this.#disk.open(temporary, { create: true });
      try {
        let position = 0;
        let syncedBytes = 0;
        for await (const part of parts) {
          await file.write(part, position);
          position += part.length;
          if (position - syncedBytes < syncBytesMax) continue;
          await file.sync();
          syncedBytes = position;
        }
        await file.sync();
      } finally {
        await file.close();
      }
      await this.#disk.rename(temporary, path);
      await this.#disk.syncDirectory(this.#directory);
      this.#release(name);
    } catch (error) {
      await this.#disk.remove(temporary).catch(() => undefined);
      throw storageError(error, path);
    }
  }

  async readRange(name: string, position: number, into: Uint8Array): Promise<number> {
    const handle = this.#handle(name);
    handle.readers += 1;
    try {
      return await (await handle.file).read(into, position);
    } catch (error) {
      throw readError(error, join(this.#directory, name));
    } finally {
      handle.readers -= 1;
      if (!handle.isWanted && handle.readers === 0) void closeQuietly(handle.file);
    }
  }

  async read(name: string): Promise<Uint8Array> {
    const path = join(this.#directory, name);
    try {
      const file = await this.#disk.open(path, { isReadOnly: true });
      try {
        const bytes = new Uint8Array(await file.size());
        const count = await file.read(bytes, 0);
        return bytes.subarray(0, count);
      } finally {
        await file.close();
      }
    } catch (error) {
      throw readError(error, path);
    }
  }

  async list(): Promise<Array<{ name: string; bytes: number }>> {
    try {
      const found: Array<{ name: string; bytes: number }> = [];
      for (const name of await this.#disk.list(this.#directory)) {
        if (name.endsWith(temporarySuffix)) continue;
        const bytes = await this.#sizeOf(name);
        if (bytes !== undefined) found.push({ name, bytes });
      }
      return found;
    } catch (error) {
      throw storageError(error, this.#directory);
    }
  }

  /** Undefined when it was deleted since it was listed. */
  async #sizeOf(name: string): Promise<number | undefined> {
    try {
      const file = await this.#disk.open(join(this.#directory, name), { isReadOnly: true });
      try {
        return await file.size();
      } finally {
        await file.close();
      }
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async delete(name: string): Promise<void> {
    this.#release(name);
    try {
      await this.#disk.remove(join(this.#directory, name));
    } catch (error) {
      throw storageError(error, join(this.#directory, name));
    }
  }

  async close(): Promise<void> {
    for (const name of this.#handles.keys()) this.#release(name);
  }

  #handle(name: string): OpenFile {
    const known = this.#handles.get(name);
    if (known !== undefined) {
      this.#handles.delete(name);
      this.#handles.set(name, known);
      return known;
    }
    const opened: OpenFile = {
      file: this.#disk.open(join(this.#directory, name), { isReadOnly: true }),
      readers: 0,
      isWanted: true,
    };
    opened.file.catch(() => {
      // Another file may have the name by now.
      if (this.#handles.get(name) === opened) this.#handles.delete(name);
    });
    this.#handles.set(name, opened);
    if (this.#handles.size > openFilesMax) {
      const oldest = this.#handles.keys().next().value;
      if (oldest !== undefined) this.#release(oldest);
    }
    return opened;
  }

  #release(name: string): void {
    const handle = this.#handles.get(name);
    if (handle === undefined) return;
    this.#handles.delete(name);
    handle.isWanted = false;
    if (handle.readers === 0) void closeQuietly(handle.file);
  }
}

/** Closing a handle that only served reads cannot lose anything. */
async function closeQuietly(file: Promise<DiskFile>): Promise<void> {
  try {
    await (await file).close();
  } catch {
    // The reader was told of a failed open.
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function readError(error: unknown, path: string): Error {
  if (isMissing(error)) {
    return new SegmentMissing(path, { cause: error });
  }
  return storageError(error, path);
}

function storageError(error: unknown, path: string): BrokerError {
  if (error instanceof BrokerError) return error;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return new BrokerError(
    code === 'ENOSPC' || code === 'EDQUOT' ? 'storage-full' : 'storage-failed',
    `${path}: ${error instanceof Error ? error.message : String(error)}`,
    { cause: error },
  );
}
