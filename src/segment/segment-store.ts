/**
 * Immutable objects: level-1 segments, the indexes of sealed journal files, and snapshots. Small enough for files, an
 * object store and a database alike. All failures are BrokerErrors (storage-full, storage-failed) except a missing
 * object, which `readRange` and `read` report as SegmentMissing.
 */
export interface SegmentStore {
  /** Stores an object; it is whole and durable, or not there, when the promise settles. Replaces one of the same name. */
  put(name: string, parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void>;
  /** Fills `into` from `position`; resolves with the bytes read, short only at the end of the object. */
  readRange(name: string, position: number, into: Uint8Array): Promise<number>;
  /** A whole object. */
  read(name: string): Promise<Uint8Array>;
  /** All objects, unsorted. */
  list(): Promise<Array<{ name: string; bytes: number }>>;
  /** A no-op when there is none. */
  delete(name: string): Promise<void>;
  close(): Promise<void>;
}

export class SegmentMissing extends Error {
  override readonly name = 'SegmentMissing';
}
