import {
  MemoryDisk,
  type Disk,
  type DiskFile,
  type DiskOpenOptions,
} from '../../src/disk/index.ts';

type Call = 'list' | 'open' | 'read' | 'rename' | 'truncate';

/** A disk in memory on which one call can be made to wait until it is let go; all others go on. */
export class HeldDisk implements Disk {
  readonly #disk = new MemoryDisk();
  #next: { call: Call; path: RegExp } | undefined;
  #held: (() => void) | undefined;

  /** The next such call waits for `release`. */
  holdNext(call: Call, path: RegExp): void {
    this.#next = { call, path };
  }

  get isHolding(): boolean {
    return this.#held !== undefined;
  }

  release(): void {
    this.#next = undefined;
    this.#held?.();
    this.#held = undefined;
  }

  async open(path: string, options: DiskOpenOptions): Promise<DiskFile> {
    await this.#pass('open', path);
    const file = await this.#disk.open(path, options);
    let isClosed = false;
    const check = (): void => {
      if (isClosed) throw Object.assign(new Error('EBADF: closed'), { code: 'EBADF' });
    };
    return {
      write: async (bytes, position) => {
        check();
        await file.write(bytes, position);
      },
      read: async (into, position) => {
        check();
        await this.#pass('read', path);
        return file.read(into, position);
      },
      sync: async () => {
        check();
        await file.sync();
      },
      truncate: async (length) => {
        check();
        await this.#pass('truncate', path);
        await file.truncate(length);
      },
      size: () => file.size(),
      close: async () => {
        isClosed = true;
      },
    };
  }

  /** Holds on when it has looked. */
  async list(directory: string): Promise<string[]> {
    const names = await this.#disk.list(directory);
    await this.#pass('list', directory);
    return names;
  }

  makeDirectory(path: string): Promise<void> {
    return this.#disk.makeDirectory(path);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#pass('rename', to);
    await this.#disk.rename(from, to);
  }

  remove(path: string): Promise<void> {
    return this.#disk.remove(path);
  }

  syncDirectory(): Promise<void> {
    return this.#disk.syncDirectory();
  }

  space(): ReturnType<Disk['space']> {
    return this.#disk.space();
  }

  async #pass(call: Call, path: string): Promise<void> {
    if (this.#next?.call !== call || !this.#next.path.test(path)) return;
    this.#next = undefined;
    await new Promise<void>((resolve) => {
      this.#held = resolve;
    });
  }
}
