import type { Codec } from '../bytes/index.ts';

/** What a partition needs to know of its topic. The object may be replaced at any time. */
export interface PartitionSettings {
  /** -1: kept for ever. */
  readonly retentionMs: number;
  /** -1: no limit. */
  readonly retentionBytes: number;
  /** `compact` alone: neither age nor size makes a record superfluous, only a newer one of its key; `none`: nothing does. */
  readonly cleanup: 'delete' | 'compact' | 'compact,delete' | 'none';
  /**
   * Kept until every queue over it has settled it: it was made for them. `retentionMs` and `retentionBytes` delete more
   * than that where they are set.
   */
  readonly isKeptUntilSettled?: boolean;
  readonly batchBytesMax: number;
  /** Who stamps records: the producer or the broker. */
  readonly timestampType: 'create' | 'append';
  /** How far a producer's timestamp may be behind or ahead of the broker's clock. */
  readonly timestampBehindMaxMs: number;
  readonly timestampAheadMaxMs: number;
  /** Compacted logs: how long tombstones are kept once what they supersede is gone. */
  readonly tombstoneRetentionMs: number;
  /** Compacted logs: how long a record is left alone; how long a superseded one may stay, about. */
  readonly compactionLagMinMs: number;
  readonly compactionLagMaxMs: number;
  /** Compacted logs: the share of bytes that were never compacted from which on it is done. */
  readonly dirtyShareMin: number;
  /** Compacted logs: the active part is ended when it holds so much, or when its first record is so old. */
  readonly activeBytesMax: number;
  readonly activeMs: number;
  /** Batches are stored so; `producer`: as they come. */
  readonly compression: 'producer' | Codec;
}

/** Used until the topic that a partition belongs to is known: nothing expires. */
export const unboundedSettings: PartitionSettings = {
  retentionMs: -1,
  retentionBytes: -1,
  cleanup: 'delete',
  batchBytesMax: 1_048_588,
  timestampType: 'create',
  timestampBehindMaxMs: Number.MAX_SAFE_INTEGER,
  timestampAheadMaxMs: Number.MAX_SAFE_INTEGER,
  tombstoneRetentionMs: 24 * 3600 * 1000,
  compactionLagMinMs: 0,
  compactionLagMaxMs: Number.MAX_SAFE_INTEGER,
  dirtyShareMin: 0.5,
  activeBytesMax: 1024 * 1024 * 1024,
  activeMs: 7 * 24 * 3600 * 1000,
  compression: 'producer',
};

/** Whether newer records of a key make older ones superfluous: every record needs one then. */
export function isCompacted({ cleanup }: PartitionSettings): boolean {
  return cleanup === 'compact' || cleanup === 'compact,delete';
}
