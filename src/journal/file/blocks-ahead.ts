import type { Disk, DiskFile } from '../../disk/index.ts';
import { chunkAlignment } from '../chunk.ts';

/** Of a file, so much is written ahead at a time, and made durable at once; in a file of 128 MiB 4 MiB. */
const blockShare = 1 / 32;
/** Between what is written and the zeros: appends get there before the zeros do, not after. A part of a block. */
const gapShare = 1 / 16;
/** One write, for which an append that has come so far would have to wait. */
const pieceBytesMax = 128 * 1024;
/** Above this rate large writes share what the file system does for new blocks, and the disk has better to do. */
const bytesPerMsMax = 16 * 1024;
/** The rate is that of so long a time. */
const paceMs = 100;

/**
 * Gives the hole at the end of a journal file its blocks before it is written to. A durable write into a hole waits for
 * the file system, which has to note the new block durably, too; one that replaces zeros waits for its own bytes only.
 * The zeros are what a hole reads as, so nobody can tell, and an end that comes at any moment leaves what it would have
 * left without. `docs/decisions/0018` has the figures.
 *
 * No append and no write of zeros to the same place are ever under way together: an append that reaches the zeros has
 * them stopped, and waits until they are.
 */
export class BlocksAhead {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #fileBytes: number;
  readonly #blockBytes: number;
  readonly #pieceBytes: number;
  #file: DiskFile | undefined;
  /** Up to here zeros have been written, or chunks. */
  #writtenTo = 0;
  /** Zeros are being written from here on; below, nothing is written to any more. */
  #from = Number.POSITIVE_INFINITY;
  #writing: Promise<void> | undefined;
  /** Also until what was written is durable. */
  #running: Promise<void> | undefined;
  #mustStop = false;
  /** It has failed, or the file is being sealed. */
  #isOver = false;
  #paceSinceMs = Number.NaN;
  #paceBytes = 0;
  #isSlow = false;

  /** `path` is of a file that was created `fileBytes` long. */
  constructor(disk: Disk, path: string, fileBytes: number) {
    this.#disk = disk;
    this.#path = path;
    this.#fileBytes = fileBytes;
    this.#blockBytes = align(fileBytes * blockShare);
    this.#pieceBytes = Math.min(this.#blockBytes, pieceBytesMax);
  }

  /** Whether an append up to this position has to wait for `stop`. */
  isReachedBy(end: number): boolean {
    return end > this.#from;
  }

  /** Resolves when no zeros are being written, and none will be before the next `note`. */
  async stop(): Promise<void> {
    this.#mustStop = true;
    await this.#writing;
  }

  /** `bytes` have been appended and end at `end`. */
  note(end: number, bytes: number, timestampMs: number): void {
    this.#measure(bytes, timestampMs);
    const hasEnough = this.#writtenTo - end >= this.#blockBytes / 2;
    if (hasEnough || !this.#isSlow || this.#isOver || this.#running !== undefined) return;
    const from = Math.max(this.#writtenTo, end + align(this.#blockBytes * gapShare));
    // Never more than what was written: a file that stays small is not made large by zeros.
    const length = Math.min(this.#blockBytes, align(end));
    const to = Math.min(from + length, this.#fileBytes);
    if (length < this.#pieceBytes || from >= to) return;
    this.#from = from;
    this.#mustStop = false;
    this.#running = this.#run(to);
  }

  /** Nothing is written any more when it resolves, and nothing will be. Idempotent. */
  async end(): Promise<void> {
    this.#isOver = true;
    await this.stop();
    await this.#running;
    const file = this.#file;
    this.#file = undefined;
    // What this handle has written nobody needs.
    await file?.close().catch(() => undefined);
  }

  /** Zeros from `#from` on. Never rejects: what fails has no consequences, for appends find out for themselves. */
  async #run(to: number): Promise<void> {
    this.#writing = this.#writeTo(to);
    await this.#writing;
    this.#writing = undefined;
    try {
      await this.#file?.sync();
    } catch {
      this.#isOver = true;
    }
    this.#running = undefined;
  }

  async #writeTo(to: number): Promise<void> {
    try {
      this.#file ??= await this.#disk.open(this.#path, {});
      while (this.#from < to && !this.#mustStop) {
        const bytes = Math.min(this.#pieceBytes, to - this.#from);
        await this.#file.write(zeros.subarray(0, bytes), this.#from);
        this.#from += bytes;
        this.#writtenTo = this.#from;
      }
    } catch {
      this.#isOver = true;
    }
    this.#from = Number.POSITIVE_INFINITY;
  }

  #measure(bytes: number, timestampMs: number): void {
    this.#paceBytes += bytes;
    const elapsedMs = timestampMs - this.#paceSinceMs;
    if (elapsedMs >= 0 && elapsedMs < paceMs) return;
    // At the first append, and when the clock was set back, nothing is known.
    this.#isSlow = elapsedMs >= 0 && this.#paceBytes <= elapsedMs * bytesPerMsMax;
    this.#paceBytes = 0;
    this.#paceSinceMs = timestampMs;
  }
}

const zeros = new Uint8Array(pieceBytesMax);

function align(bytes: number): number {
  return Math.ceil(bytes / chunkAlignment) * chunkAlignment;
}
