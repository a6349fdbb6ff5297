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
  /** Replaces its state by an encoded one; undefined: the empty state. */
  restore(state: Uint8Array | undefined): void;
}
