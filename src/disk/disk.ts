/**
 * The file system as the broker needs it: small, positional and explicit about durability, so that the simulation can
 * stand in for it. Paths are absolute. Errors are Node's own (`code` is ENOSPC, EIO, ENOENT, ...).
 */
export interface Disk {
  /**
   * Opens a file for reading and writing.
   * With `create` it must not exist; with `isDurable` a write is complete only when its bytes would survive power loss.
   */
  open(path: string, options: DiskOpenOptions): Promise<DiskFile>;
  /** Names of the entries of a directory, unsorted; rejects with ENOENT when there is none. */
  list(directory: string): Promise<string[]>;
  /** Creates a directory and its parents, which survive power loss from then on; a no-op when it exists. */
  makeDirectory(path: string): Promise<void>;
  /** Atomically replaces `to` by `from`; durable only after `syncDirectory`. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file; a no-op when there is none. */
  remove(path: string): Promise<void>;
  /** Makes creations, renames and removals in a directory survive power loss. */
  syncDirectory(path: string): Promise<void>;
  /** Of the file system that holds `path`. */
  space(path: string): Promise<DiskSpace>;
}

export interface DiskSpace {
  /** Bytes that may still be written. */
  freeBytes: number;
  totalBytes: number;
}

export interface DiskOpenOptions {
  create?: boolean;
  /** Writes are synchronised data-integrity writes (O_DSYNC): no separate sync is needed. */
  isDurable?: boolean;
  isReadOnly?: boolean;
}

export interface DiskFile {
  /** Writes all of `bytes` at `position`, looping on short writes. `bytes` must not change until it settles. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Fills `into` from `position`; resolves with the number of bytes read, short only at the end of the file. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Makes what was written survive power loss (fdatasync). A failure is final: the file must not be used again. */
  sync(): Promise<void>;
  /** Sets the length; growing leaves a hole that reads as zeros. */
  truncate(length: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}
