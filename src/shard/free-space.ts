import { BrokerError, type Clock, type Timer } from '../base/index.ts';
import type { DiskSpace } from '../disk/index.ts';
import type { ShardBacking } from './shard-storage.ts';

export interface FreeSpaceOptions {
  backing: Pick<ShardBacking, 'place' | 'space'>;
  clock: Clock;
  /** Publishing is refused below this; 0: never before the disk itself refuses. */
  bytesMin: number;
  /** Bytes that were let in and are not on the disk yet. */
  pendingBytes: () => number;
  log: { info(message: string): void; warn(message: string): void; error(message: string): void };
  /** There is too little: files that may go should go. */
  onLow: () => void;
}

/** Bytes that may be written to move live data out of files. */
export interface RoomForMoves {
  /** Without touching the reserve. */
  spareBytes: number;
  /** With a part of the reserve, for moves that give back more than they take. */
  anyBytes: number;
}

const lookMs = 1000;

/**
 * Keeps a reserve of free space, so that what makes room (committing, settling, deleting) can still be journaled when
 * publishing is refused. It looks at the disk once a second while there is traffic, and counts what is let in
 * meanwhile: a fast disk can be filled between two looks.
 */
export class FreeSpace {
  readonly #options: FreeSpaceOptions;
  #space: DiskSpace = { freeBytes: 0, totalBytes: 0 };
  /** Let in and not yet part of what was seen. */
  #spentBytes = 0;
  #wasSpent = false;
  #isLow = false;
  #isLooking = false;
  #isStopped = false;
  #timer: Timer | undefined;

  constructor(options: FreeSpaceOptions) {
    this.#options = options;
  }

  /** As of the last look. */
  get space(): DiskSpace {
    return this.#space;
  }

  get isLow(): boolean {
    return this.#isLow;
  }

  /** Throws storage-full when `bytes` must not be published. */
  spend(bytes: number): void {
    const { bytesMin, backing } = this.#options;
    this.#wasSpent = true;
    this.#schedule();
    if (!this.#isLow && bytesMin > 0) {
      const headroomBytes = this.#space.freeBytes - bytesMin;
      if (this.#spentBytes + bytes > headroomBytes) this.#becomeLow();
      // The next look comes while half of the room is left, however fast it is used up.
      else if (this.#spentBytes > headroomBytes / 2) void this.look();
    }
    if (this.#isLow) throw new BrokerError('storage-full', backing.place);
    this.#spentBytes += bytes;
  }

  /** Never rejects. */
  async look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const { backing, bytesMin, pendingBytes, log } = this.#options;
    const spentBefore = this.#spentBytes;
    const pendingBefore = pendingBytes();
    try {
      this.#space = await backing.space();
      this.#spentBytes += pendingBefore - spentBefore;
      const usableBytes = this.#space.freeBytes - this.#spentBytes;
      if (bytesMin > 0 && usableBytes < bytesMin) this.#becomeLow();
      // More than what was missing, or it would be refused again at once.
      else if (this.#isLow && usableBytes >= bytesMin * 1.25) {
        this.#isLow = false;
        log.info('there is room again: publishing works');
      }
    } catch (error) {
      log.warn(`cannot tell the free space of ${backing.place}: ${String(error)}`);
    }
    this.#isLooking = false;
  }

  /** What may be written to make room, as of now. */
  async roomForMoves(): Promise<RoomForMoves> {
    await this.look();
    const { bytesMin } = this.#options;
    const usableBytes = Math.max(this.#space.freeBytes - Math.max(this.#spentBytes, 0), 0);
    return {
      // Half of it: others write meanwhile.
      spareBytes: Math.max(usableBytes - bytesMin, 0) / 2,
      anyBytes: Math.max(usableBytes - bytesMin, Math.min(usableBytes, bytesMin) / 2) / 2,
    };
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #becomeLow(): void {
    if (this.#isLow) return;
    this.#isLow = true;
    const { backing, bytesMin, log, onLow } = this.#options;
    log.error(
      `only ${this.#space.freeBytes} bytes are free in ${backing.place}, and ${bytesMin} are kept for what makes room: ` +
        'publishing is refused',
    );
    onLow();
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#isStopped) return;
    this.#timer = this.#options.clock.setTimer(lookMs, () => {
      this.#wasSpent = false;
      void this.look().then(() => {
        this.#timer = undefined;
        if (this.#wasSpent || this.#isLow) this.#schedule();
      });
    });
  }
}
