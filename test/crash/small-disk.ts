import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** A file system of a few megabytes. */
export class SmallDisk {
  readonly path: string;

  /** Undefined where this process may not mount one, or the system has none. */
  static mount(bytes: number): SmallDisk | undefined {
    if (process.platform !== 'linux') return undefined;
    const directory = mkdtempSync(path.join(os.tmpdir(), 'pabal-disk-'));
    const { status } = spawnSync('mount', [
      '-t',
      'tmpfs',
      '-o',
      `size=${bytes}`,
      'tmpfs',
      directory,
    ]);
    if (status === 0) return new SmallDisk(directory);
    rmSync(directory, { recursive: true });
    return undefined;
  }

  private constructor(directory: string) {
    this.path = directory;
  }

  join(name: string): string {
    return path.join(this.path, name);
  }

  unmount(): void {
    spawnSync('umount', [this.path]);
    rmSync(this.path, { recursive: true, force: true });
  }
}
