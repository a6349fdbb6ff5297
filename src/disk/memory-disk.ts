import { dirname } from 'node:path';
import type { Disk, DiskFile, DiskOpenOptions, DiskSpace } from './disk.ts';

const pageBytes = 256 * 1024;

/** Files in memory, in pages that exist once written: for tests and for brokers whose data may go with the process. */
export class MemoryDisk implements Disk {
  readonly #files = new Map<string, MemoryFile>();
  readonly #directories = new Set<string>();

  async open(path: string, options: DiskOpenOptions): Promise<DiskFile> {
    const known = this.#files.get(path);
    if (options.create) {
      if (known !== undefined) throw fileError('EEXIST', path);
      const file = new MemoryFile();
      this.#files.set(path, file);
      return file;
    }
    if (known === undefined) throw fileError('ENOENT', path);
    return known;
  }

  async list(directory: string): Promise<string[]> {
    if (!this.#directories.has(directory)) throw fileError('ENOENT', directory);
    const names: string[] = [];
    for (const path of [...this.#files.keys(), ...this.#directories]) {
      if (dirname(path) === directory && path !== directory)
        names.push(path.slice(directory.length + 1));
    }
    return names;
  }

  async makeDirectory(path: string): Promise<void> {
    for (let at = path; !this.#directories.has(at); at = dirname(at)) this.#directories.add(at);
  }

  async rename(from: string, to: string): Promise<void> {
    const file = this.#files.get(from);
    if (file === undefined) throw fileError('ENOENT', from);
    this.#files.delete(from);
    this.#files.set(to, file);
  }

  async remove(path: string): Promise<void> {
    this.#files.delete(path);
  }

  async syncDirectory(): Promise<void> {}

  async space(): Promise<DiskSpace> {
    return { freeBytes: Number.MAX_SAFE_INTEGER, totalBytes: Number.MAX_SAFE_INTEGER };
  }
}

class MemoryFile implements DiskFile {
  readonly #pages = new Map<number, Uint8Array>();
  #length = 0;

  async write(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const page = Math.floor((position + done) / pageBytes);
      const at = (position + done) % pageBytes;
      const count = Math.min(bytes.length - done, pageBytes - at);
      let into = this.#pages.get(page);
      if (into === undefined) {
        into = new Uint8Array(pageBytes);
        this.#pages.set(page, into);
      }
      into.set(bytes.subarray(done, done + count), at);
      done += count;
    }
    if (bytes.length > 0) this.#length = Math.max(this.#length, position + bytes.length);
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    const total = Math.max(0, Math.min(into.length, this.#length - position));
    for (let done = 0; done < total; ) {
      const page = this.#pages.get(Math.floor((position + done) / pageBytes));
      const at = (position + done) % pageBytes;
      const count = Math.min(total - done, pageBytes - at);
      if (page === undefined) into.fill(0, done, done + count);
      else into.set(page.subarray(at, at + count), done);
      done += count;
    }
    return total;
  }

  async sync(): Promise<void> {}

  async truncate(length: number): Promise<void> {
    if (length < this.#length) {
      for (const index of this.#pages.keys()) {
        if (index * pageBytes >= length) this.#pages.delete(index);
        else if ((index + 1) * pageBytes > length)
          this.#pages.get(index)?.fill(0, length - index * pageBytes);
      }
    }
    this.#length = length;
  }

  async size(): Promise<number> {
    return this.#length;
  }

  async close(): Promise<void> {}
}

function fileError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
