import type { PartitionLog } from './partition-log.ts';

/**
 * State beside the partitions that lives in the same journal: topics, group offsets. Entries are applied when they are
 * sequenced, and again in replay; both must come to the same state, so an entry carries all that it needs.
 */
export interface StateExtension {
  /** Names its part of a snapshot. */
  readonly name: string;
  /** Whether entries of this kind are its own. */
  owns(kind: number): boolean;
  /** `payload` is borrowed. */
  apply(kind: number, payload: Uint8Array): void;
  /** Its state for a snapshot. */
  encode(): Uint8Array;
  /**
   * Replaces its state by an encoded one; undefined: the empty state. Then the entries behind it are applied. `logs` are
   * all partitions that there are in the end.
   */
  restore(state: Uint8Array | undefined, logs: ReadonlyMap<number, PartitionLog>): void;
  /**
   * In replay, in journal order: a batch whose records carry scheduling headers, and when it was stored (ms since the
   * epoch). Memory that is kept.
   */
  replayBatch?(log: PartitionLog, batch: Uint8Array, storedMs: number): void;
  /** The shard has an owner from here on: in replay at its place in the journal, and when recovery is over. */
  reopened?(): void;
  /** Recovery is over; `reopened` was called. */
  adopted?(): void;
  /** Entries that gather until a chunk is built. They are applied already. */
  readonly entries?: EntrySource;
}

/** Gathers entries of its own and writes them when a chunk is built: less than one for each change. */
export interface EntrySource {
  /** Something has gathered. */
  readonly hasEntries: boolean;
  /** It should not wait for what others have to write. */
  readonly isUrgent: boolean;
  /** Hands over what has gathered, for the chunk that is being built. */
  takeEntries(add: (kind: number, payload: Uint8Array) => void): void;
  /** The entries of the oldest `takeEntries` that added any are durable. */
  entriesDurable(): void;
  /** Nothing that was taken or is gathered will be durable: recovery follows. */
  entriesLost(error: Error): void;
}
