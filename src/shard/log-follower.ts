import type { PendingBatch } from './pending-batch.ts';
import type { OpenRuns } from './transaction/index.ts';

/** A queue over the log, whose state goes by what the log holds. Everything is called synchronously. */
export interface LogFollower {
  /** Records have got their offsets. */
  sequenced(batch: PendingBatch): void;
  /**
   * The batch is being copied into a chunk: in the journal it stands behind all entries that were made before, and before
   * all that follow. Borrowed.
   */
  built(batch: PendingBatch): void;
  /** The high watermark has moved. */
  stored(): void;
  /**
   * A transaction has ended, durably, with the marker at that offset; `aborted`: where its records are, which are no messages
   * now. Where that is not known they are found when they are read.
   */
  ended(markerOffset: number, aborted: OpenRuns | undefined): void;
  /** The log start has moved, durably. */
  trimmed(): void;
  /** Records were removed from the midst of the log: what was read before is not what is there. */
  rewritten?(): void;
  dropped(): void;
  /** Everything below is settled. */
  readonly settledOffset: number;
  /** For how long it may want settled records again. */
  readonly keepSettledMs: number;
}
