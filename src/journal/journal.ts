/**
 * A durable, append-only sequence of chunks, owned by one writer. It knows bytes, never topics.
 *
 * Every byte has a log sequence number (LSN): its distance from the start of the journal, growing without gaps from
 * chunk to chunk and from file to file. An implementation may keep the bytes in files, in database rows or in objects,
 * as long as `read` finds them by LSN.
 *
 * Contract, whatever the storage:
 * - Only one `append` is under way at a time; a chunk is written only after the one before it is durable.
 * - A resolved append survives power loss. A rejected one is in doubt: the journal is then closed for writing, and only
 *   opening it anew tells whether the chunk is there.
 * - Opening takes a new epoch, which fences every earlier owner: its appends reject with `not-owner`.
 */
export interface Journal {
  /** Epoch of this ownership; greater than every earlier one. */
  readonly epoch: number;
  /** LSN that the next chunk will have. */
  readonly endLsn: number;
  /** Bytes in the file that is being appended to; 0 when the next append begins a new one. */
  readonly activeBytes: number;
  /** LSN of the first byte of the file that holds, or will hold, the latest chunk. */
  readonly activeBaseLsn: number;
  /** Where the chain stands: what a snapshot keeps to continue from. */
  readonly chain: ChunkChain;

  /**
   * Makes one chunk durable. `chunk` starts with `chunkHeaderBytes` of room, which the journal fills before it returns,
   * and its length is a multiple of `chunkAlignment`; it must not change afterwards. Rejects with a BrokerError:
   * storage-full, storage-failed, not-owner; after that every append rejects.
   */
  append(chunk: Uint8Array, payloadBytes: number, timestampMs: number): Promise<void>;

  /** Makes all that was appended survive power loss, where that is not so already (`--sync os`). */
  flush(): Promise<void>;

  /** Seals the active file; the next append begins a new one. No append may be under way. */
  roll(): Promise<void>;

  /**
   * Fills `into` with the durable bytes from `lsn` on; all of them must be within one file.
   * Rejects with JournalFileMissing when the file was removed meanwhile.
   */
  read(lsn: number, into: Uint8Array): Promise<void>;

  /** Hands every chunk of a sealed file to `visit`. Rejects with storage-damaged where one is not intact. */
  scan(baseLsn: number, visit: (chunk: ReplayedChunk) => void): Promise<void>;

  /** All files, oldest first; the last one is being appended to. */
  files(): JournalFile[];

  /** Deletes a sealed file whose bytes nobody needs any more. */
  remove(baseLsn: number): Promise<void>;

  /** Gives up ownership. Idempotent. */
  close(): Promise<void>;
}

export interface JournalFile {
  /** LSN of its first byte. */
  readonly baseLsn: number;
  readonly bytes: number;
}

/** A chunk found when a journal is opened. `chunk` is borrowed until the visitor returns. */
export interface ReplayedChunk {
  lsn: number;
  /** Header, payload and padding. */
  chunk: Uint8Array;
  payloadBytes: number;
  epoch: number;
  timestampMs: number;
  /** LSN of the first byte of the file that holds it. */
  fileBaseLsn: number;
}

export interface JournalOpenOptions {
  /** Chunks from here on are replayed; bytes before are opened for reading only. */
  replayFromLsn: number;
  /** State of the chain at `replayFromLsn`, from the snapshot; absent at the start of the journal. */
  chain?: ChunkChain;
  /** The smallest epoch to take. */
  minEpoch: number;
  onChunk: (chunk: ReplayedChunk) => void;
  /** Told once what was found at the end: torn bytes dropped, and why. */
  onNotice: (notice: string) => void;
}

/** What a chunk must continue: sequence number and CRC of the chunk before it. */
export interface ChunkChain {
  sequence: number;
  crc: number;
}

/** The file that held the bytes is gone: what was wanted has been moved or has expired; look it up again. */
export class JournalFileMissing extends Error {
  override readonly name = 'JournalFileMissing';
}
