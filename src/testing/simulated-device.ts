import type { Clock } from '../base/index.ts';
import type { DirectoryTree, PathFault } from './directory-tree.ts';
import { type FileImage, sectorBytes } from './file-image.ts';
import type { SeededRandom } from './seeded-random.ts';

/** How often things go wrong, each a part of one. A test may change them while the disk is in use. */
export interface DiskFaults {
  /** A write stores a part of its bytes, or none, and fails with EIO. */
  writeErrorRate: number;
  /** A sync fails with EIO; what it should have written is durable, lost, or visible and lost later, by chance. */
  syncErrorRate: number;
  readErrorRate: number;
  /** Opening, listing, renaming and removing fail with EIO and change nothing. */
  nameErrorRate: number;
  /** A sync, or a durable write, takes `slowSyncMs` longer. */
  slowSyncRate: number;
  slowSyncMs: number;
}

export interface SimulatedDiskOptions {
  clock: Clock;
  random: SeededRandom;
  /** Each operation takes a random time up to this; 0: it is done at once, without the clock. Default 1. */
  latencyMsMax?: number;
  /** Room for data, in whole sectors; holes take none. Default: without end. */
  capacityBytes?: number;
  faults?: Partial<DiskFaults>;
}

/** One call on the disk, whose effect comes at its end. */
export interface DiskOperation<T> {
  perform(): T;
  /** What is left when the process, or with it the power, ends before that. */
  interrupt?(isPowerLoss: boolean): void;
}

/** What a simulated disk and its files share: time, chance, room and the calls that are under way. */
export class SimulatedDevice {
  readonly tree: DirectoryTree;
  readonly faults: DiskFaults;
  capacityBytes: number;
  /** For what goes wrong. */
  readonly chance: SeededRandom;
  readonly #clock: Clock;
  readonly #latency: SeededRandom;
  readonly #latencyMsMax: number;
  readonly #inFlight = new Set<DiskOperation<unknown>>();
  /** How many handles each file has: a file without a name lives until the last is closed. */
  readonly #handles = new Map<FileImage, number>();
  #isDead = false;

  constructor(options: SimulatedDiskOptions, tree: DirectoryTree) {
    this.tree = tree;
    this.#clock = options.clock;
    this.#latency = options.random.fork();
    this.#latencyMsMax = options.latencyMsMax ?? 1;
    this.chance = options.random.fork();
    this.capacityBytes = options.capacityBytes ?? Number.POSITIVE_INFINITY;
    this.faults = {
      writeErrorRate: 0,
      syncErrorRate: 0,
      readErrorRate: 0,
      nameErrorRate: 0,
      slowSyncRate: 0,
      slowSyncMs: 0,
      ...options.faults,
    };
  }

  get inFlightCount(): number {
    return this.#inFlight.size;
  }

  get usedBytes(): number {
    let sectors = 0;
    for (const file of new Set([...this.tree.files(), ...this.#handles.keys()])) {
      sectors += file.sectorCount;
    }
    return sectors * sectorBytes;
  }

  /** Does `operation` after a random time; with `isSync` it may be a slow one. Never settles once the device ended. */
  run<T>(operation: DiskOperation<T>, isSync = false): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#isDead) return;
      this.#inFlight.add(operation);
      const complete = (): void => {
        if (!this.#inFlight.delete(operation)) return;
        try {
          resolve(operation.perform());
        } catch (error) {
          reject(error);
        }
      };
      let delayMs = this.#latency.nextFraction() * this.#latencyMsMax;
      const isSlow = this.#latency.chance(this.faults.slowSyncRate);
      if (isSync && isSlow) delayMs += this.faults.slowSyncMs;
      if (delayMs === 0) queueMicrotask(complete);
      else this.#clock.setTimer(delayMs, complete);
    });
  }

  /** Ends it: calls that are under way leave what they leave, and never settle. */
  end(isPowerLoss: boolean): void {
    if (this.#isDead) return;
    this.#isDead = true;
    for (const operation of this.#inFlight) operation.interrupt?.(isPowerLoss);
    this.#inFlight.clear();
  }

  failSometimes(rate: number, call: string, path: string): void {
    if (this.chance.chance(rate)) throw diskError('EIO', call, path);
  }

  retain(file: FileImage): void {
    this.#handles.set(file, (this.#handles.get(file) ?? 0) + 1);
  }

  release(file: FileImage): void {
    const count = (this.#handles.get(file) ?? 0) - 1;
    if (count > 0) this.#handles.set(file, count);
    else this.#handles.delete(file);
  }

  /** How much of a write there is room for. */
  fittingBytes(file: FileImage, position: number, length: number): number {
    if (this.capacityBytes === Number.POSITIVE_INFINITY) return length;
    const sectorsFree = Math.floor((this.capacityBytes - this.usedBytes) / sectorBytes);
    return file.fittingBytes(position, length, sectorsFree);
  }

  /** A part of a write by chance, cut between two sectors: nothing up to all of it. */
  somePart(bytes: Uint8Array, position: number): Uint8Array {
    const lead = position % sectorBytes;
    const sectors = Math.ceil((lead + bytes.length) / sectorBytes);
    const end = this.chance.nextInt(sectors + 1) * sectorBytes - lead;
    return bytes.subarray(0, Math.max(end, 0));
  }
}

/** An error like Node's own. */
export function diskError(code: PathFault | DiskFault, call: string, path: string): Error {
  return Object.assign(new Error(`${code}: simulated, ${call} '${path}'`), {
    code,
    syscall: call,
    path,
  });
}

type DiskFault = 'EIO' | 'ENOSPC' | 'EBADF';
