import type { Clock } from '../../base/index.ts';

/** Bytes that are read, checked and written with one call. */
const readBytes = 256 * 1024;
const busyReadBytes = 64 * 1024;
/** Records that are looked at in one go: a millisecond or so, and some hundredths of one while others write. */
const sliceRecords = 2048;
const busySliceRecords = 64;

export interface PaceOptions {
  clock: Clock;
  /** Reads and writes together, while others use the shard. */
  bytesPerSecond: number;
  /** Somebody writes. */
  isBusy: () => boolean;
}

/**
 * How long a compaction keeps others from their turn, and how fast it goes. While somebody writes it works in slices
 * that are short beside a durable write, at a limited rate; else in longer ones, without a pause.
 */
export class CompactionPace {
  readonly #options: PaceOptions;
  /** Read and written since the last pause. */
  #bytes = 0;

  constructor(options: PaceOptions) {
    this.#options = options;
  }

  /** Bytes to read at once. */
  readonly readBytes = (): number => (this.#options.isBusy() ? busyReadBytes : readBytes);

  /** Records to look at before `giveWay` is called. */
  get sliceRecords(): number {
    return this.#options.isBusy() ? busySliceRecords : sliceRecords;
  }

  /** Lets others have their turn. */
  giveWay(): Promise<void> {
    return new Promise((resolve) => this.#options.clock.setAfterIo(resolve));
  }

  /** Called when so many bytes were read, looked at and written: lets others have their turn, or waits as the rate asks. */
  async spend(bytes: number): Promise<void> {
    this.#bytes += bytes;
    const { clock, bytesPerSecond, isBusy } = this.#options;
    const isWaiting = isBusy();
    // Where many partitions share the files, one read brings a few kilobytes: no timer for each.
    if (this.#bytes < (isWaiting ? busyReadBytes : readBytes) / 2) return;
    const pauseMs = (this.#bytes / bytesPerSecond) * 1000;
    this.#bytes = 0;
    await new Promise<void>((resolve) => {
      if (isWaiting) clock.setTimer(pauseMs, resolve);
      else clock.setAfterIo(resolve);
    });
  }
}
