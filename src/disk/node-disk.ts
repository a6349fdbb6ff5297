import {
  close,
  constants,
  fdatasync,
  fstat,
  fsync,
  ftruncate,
  mkdir,
  open,
  promises,
  read,
  readdir,
  rename,
  rm,
  statfs,
  write,
} from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import type { Disk, DiskFile, DiskOpenOptions, DiskSpace } from './disk.ts';

const closeFd = promisify(close);
const syncData = promisify(fdatasync);
const syncAll = promisify(fsync);
const statFd = promisify(fstat);
const truncateFd = promisify(ftruncate);
const makeDir = promisify(mkdir);
const openFd = promisify(open);
const readDir = promisify(readdir);
const renamePath = promisify(rename);
const removePath = promisify(rm);
const statFileSystem = promisify(statfs);

/** False where nothing is, or something else: making one says what is wrong with that. */
async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await promises.stat(path)).isDirectory();
  } catch (error) {
    // Above the root there is nothing to make.
    if (dirname(path) === path) throw error;
    return false;
  }
}

/** The operating system's files. */
export class NodeDisk implements Disk {
  async open(path: string, options: DiskOpenOptions): Promise<DiskFile> {
    let flags = options.isReadOnly ? constants.O_RDONLY : constants.O_RDWR;
    if (options.create) flags |= constants.O_CREAT | constants.O_EXCL;
    // Where the system has no O_DSYNC (Windows), a durable write is a write and an fdatasync.
    const hasDsync = constants.O_DSYNC !== undefined;
    if (options.isDurable && hasDsync) flags |= constants.O_DSYNC;
    return new NodeFile(await openFd(path, flags, 0o640), options.isDurable === true && !hasDsync);
  }

  list(directory: string): Promise<string[]> {
    return readDir(directory);
  }

  async makeDirectory(path: string): Promise<void> {
    // Node's own recursion never ends where a parent is there but takes no directories, such as /proc.
    const missing: string[] = [];
    for (let at = path; !(await isDirectory(at)); at = dirname(at)) missing.push(at);
    for (const directory of missing.toReversed()) {
      try {
        await makeDir(directory, { mode: 0o750 });
      } catch (error) {
        // Somebody else may have made it meanwhile.
        if (!(await isDirectory(directory))) throw error;
      }
      await this.syncDirectory(dirname(directory));
    }
  }

  rename(from: string, to: string): Promise<void> {
    return renamePath(from, to);
  }

  async remove(path: string): Promise<void> {
    await removePath(path, { force: true });
  }

  async syncDirectory(path: string): Promise<void> {
    if (process.platform === 'win32') return;
    const handle = await promises.open(path, 'r');
    try {
      await syncAll(handle.fd);
    } finally {
      await handle.close();
    }
  }

  async space(path: string): Promise<DiskSpace> {
    const stats = await statFileSystem(path);
    return { freeBytes: stats.bavail * stats.bsize, totalBytes: stats.blocks * stats.bsize };
  }
}

class NodeFile implements DiskFile {
  readonly #fd: number;
  readonly #mustSyncWrites: boolean;

  constructor(fd: number, mustSyncWrites: boolean) {
    this.#fd = fd;
    this.#mustSyncWrites = mustSyncWrites;
  }

  write(bytes: Uint8Array, position: number): Promise<void> {
    return new Promise((resolve, reject) => {
      let written = 0;
      const next = (): void => {
        write(
          this.#fd,
          bytes,
          written,
          bytes.length - written,
          position + written,
          (error, count) => {
            if (error) return reject(error);
            written += count;
            if (written < bytes.length) return next();
            if (!this.#mustSyncWrites) return resolve();
            fdatasync(this.#fd, (syncError) => (syncError ? reject(syncError) : resolve()));
          },
        );
      };
      next();
    });
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      let filled = 0;
      const next = (): void => {
        read(this.#fd, into, filled, into.length - filled, position + filled, (error, count) => {
          if (error) return reject(error);
          filled += count;
          if (count === 0 || filled === into.length) resolve(filled);
          else next();
        });
      };
      if (into.length === 0) resolve(0);
      else next();
    });
  }

  sync(): Promise<void> {
    return syncData(this.#fd);
  }

  truncate(length: number): Promise<void> {
    return truncateFd(this.#fd, length);
  }

  async size(): Promise<number> {
    return (await statFd(this.#fd)).size;
  }

  close(): Promise<void> {
    return closeFd(this.#fd);
  }
}
