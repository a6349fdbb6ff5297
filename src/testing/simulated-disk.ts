import { dirname } from 'node:path';
import type { Disk, DiskFile, DiskOpenOptions, DiskSpace } from '../disk/index.ts';
import { DirectoryTree, type PathFault } from './directory-tree.ts';
import { FileImage } from './file-image.ts';
import {
  type DiskFaults,
  diskError,
  SimulatedDevice,
  type SimulatedDiskOptions,
} from './simulated-device.ts';
import { SimulatedFile } from './simulated-file.ts';

/**
 * A disk under a page cache, with power loss, killed processes and faults, all from one seed. What a caller may rely on
 * is what `Disk` says; everything beyond that is lost or torn by chance:
 * - What was written to a durable file survives power loss once the write has settled, to another file once a later
 *   `sync()` has. Until then each sector of 512 bytes has its old or one of its newer states, each by itself.
 * - A new name, a rename or a removal survives once a later `syncDirectory()` has settled.
 * - Changes of a file's size survive like its data.
 */
export class SimulatedDisk implements Disk {
  readonly #options: SimulatedDiskOptions;
  readonly #device: SimulatedDevice;

  /** `tree` is what is on the disk already. */
  constructor(options: SimulatedDiskOptions, tree = new DirectoryTree()) {
    this.#options = options;
    this.#device = new SimulatedDevice(options, tree);
  }

  /** May be changed at any time. */
  get faults(): DiskFaults {
    return this.#device.faults;
  }

  get capacityBytes(): number {
    return this.#device.capacityBytes;
  }

  set capacityBytes(bytes: number) {
    this.#device.capacityBytes = bytes;
  }

  /** Bytes that data take, in whole sectors. */
  get usedBytes(): number {
    return this.#device.usedBytes;
  }

  /** Calls that are under way. */
  get inFlightCount(): number {
    return this.#device.inFlightCount;
  }

  /** Cuts the power: nothing that is called here, or was, settles any more. Returns the disk after the restart. */
  crash(): SimulatedDisk {
    this.#device.end(true);
    return this.#restart(this.#device.tree.afterPowerLoss(this.#device.chance));
  }

  /** Kills the process: as `crash()`, but what was written stays in memory, and what was being written in part. */
  kill(): SimulatedDisk {
    this.#device.end(false);
    return this.#restart(this.#device.tree);
  }

  /** Flips a bit (0 to 7) of a byte at rest; false where nothing of the file is durable. */
  flipBit(path: string, position: number, bit: number): boolean {
    return this.#find(path, 'flip').flipBit(position, bit);
  }

  async open(path: string, options: DiskOpenOptions): Promise<DiskFile> {
    return this.#callOnName('open', path, () => {
      if (options.create)
        this.#check(this.#device.tree.create(path, new FileImage()), 'open', path);
      return new SimulatedFile(this.#device, path, this.#find(path, 'open'), options);
    });
  }

  async list(directory: string): Promise<string[]> {
    return this.#callOnName('scandir', directory, () => {
      const names = this.#device.tree.list(directory);
      if (typeof names === 'string') throw diskError(names, 'scandir', directory);
      return names;
    });
  }

  async makeDirectory(path: string): Promise<void> {
    await this.#callOnName('mkdir', path, () => {
      this.#check(this.#device.tree.makeDirectory(path), 'mkdir', path);
    });
    for (let made = path; dirname(made) !== made; made = dirname(made))
      await this.syncDirectory(dirname(made));
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#callOnName('rename', from, () => {
      this.#check(this.#device.tree.rename(from, to), 'rename', from);
    });
  }

  async remove(path: string): Promise<void> {
    await this.#callOnName('unlink', path, () => {
      this.#check(this.#device.tree.remove(path), 'unlink', path);
    });
  }

  async syncDirectory(path: string): Promise<void> {
    const { tree } = this.#device;
    const stamp = tree.stamp;
    await this.#device.run(
      {
        perform: () => {
          this.#device.failSometimes(this.faults.syncErrorRate, 'fsync', path);
          this.#check(tree.flush(path, stamp), 'fsync', path);
        },
      },
      true,
    );
  }

  async space(): Promise<DiskSpace> {
    return this.#device.run({
      perform: () => ({
        freeBytes: Math.min(
          Math.max(this.capacityBytes - this.usedBytes, 0),
          Number.MAX_SAFE_INTEGER,
        ),
        totalBytes: Math.min(this.capacityBytes, Number.MAX_SAFE_INTEGER),
      }),
    });
  }

  #callOnName<T>(call: string, path: string, perform: () => T): Promise<T> {
    return this.#device.run({
      perform: () => {
        this.#device.failSometimes(this.faults.nameErrorRate, call, path);
        return perform();
      },
      interrupt: () => {
        if (!this.#device.chance.chance(0.5)) return;
        try {
          perform();
        } catch {
          // Nobody is left to hear of it.
        }
      },
    });
  }

  #find(path: string, call: string): FileImage {
    const file = this.#device.tree.find(path);
    if (typeof file === 'string') throw diskError(file, call, path);
    return file;
  }

  #check(fault: PathFault | undefined, call: string, path: string): void {
    if (fault) throw diskError(fault, call, path);
  }

  #restart(tree: DirectoryTree): SimulatedDisk {
    const { faults, capacityBytes } = this;
    return new SimulatedDisk({ ...this.#options, faults: { ...faults }, capacityBytes }, tree);
  }
}
