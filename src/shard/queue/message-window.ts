import { BrokerError, limits, present, ProtocolError } from '../../base/index.ts';
import {
  batchAttributes,
  batchBaseOffset,
  batchCompression,
  batchLastOffset,
  batchProducerId,
  batchTotalBytes,
  isControlBatch,
  isTransactionalBatch,
  RecordCursor,
} from '../../bytes/index.ts';
import type { ReadResult } from '../partition.ts';
import type { PartitionLog } from '../partition-log.ts';
import type { ReadAhead } from './read-ahead.ts';
import type { QueueMessage } from './types.ts';

/** `gap`: there is no message at the offset, and never will be. */
export type Sight = 'here' | 'away' | 'gap';

/** A message that shows one record after the other. */
export class MessageView implements QueueMessage {
  offset = -1;
  timestampMs = -1;
  deliveries = 0;
  failures = 0;
  bytes: Uint8Array = new Uint8Array(0);
  keyAt = 0;
  keyBytes = -1;
  valueAt = 0;
  valueBytes = -1;
  headersAt = 0;
  headersBytes = 0;
  headerCount = 0;
  batchEnd = 0;
}

/** A message of its own, for whoever keeps it. */
export function copyView(view: QueueMessage): QueueMessage {
  return {
    offset: view.offset,
    timestampMs: view.timestampMs,
    deliveries: view.deliveries,
    failures: view.failures,
    bytes: view.bytes,
    keyAt: view.keyAt,
    keyBytes: view.keyBytes,
    valueAt: view.valueAt,
    valueBytes: view.valueBytes,
    headersAt: view.headersAt,
    headersBytes: view.headersBytes,
    headerCount: view.headerCount,
  };
}

/**
 * A stretch of a partition's log in memory, over which one cursor moves: cheap for offsets that grow, correct for all.
 * Memory is borrowed from the log for as long as the window shows it.
 */
export class MessageWindow {
  readonly #log: PartitionLog;
  readonly #readBytes: number;
  readonly #readAhead: ReadAhead | undefined;
  #slices: Uint8Array[] = [];
  /** Per batch: its slice, its place there, its first offset. */
  readonly #sliceOf: number[] = [];
  readonly #at: number[] = [];
  readonly #first: number[] = [];
  #endOffset = 0;
  #batch = -1;
  /** First offset behind the current batch. */
  #batchEnd = 0;
  #isReadable = false;
  /** Its transaction was aborted: nobody gets what is in it. */
  #isAborted = false;
  /** From here to the cursor there is nothing, where compaction has removed it: the batch need not be walked again. */
  #gapOffset = Number.POSITIVE_INFINITY;
  #cursor: RecordCursor | undefined;
  #unpackedBytes = 0;
  /** Somebody takes what it shows: what follows will be wanted. */
  isDrained = false;
  /** Nothing that an open transaction may take back, nor what one has; cleared before it changes. */
  onlyStable: boolean;
  /** Grows with every load, so that a late read is not taken for the wanted one. */
  #load = 0;

  /** `readBytes`: how much is read at once. */
  constructor(log: PartitionLog, readBytes: number, onlyStable = true, readAhead?: ReadAhead) {
    this.#log = log;
    this.#readBytes = readBytes;
    this.onlyStable = onlyStable;
    this.#readAhead = readAhead;
  }

  /** Puts the cursor on the record of `offset`. */
  seek(offset: number): Sight {
    const sight = this.#seek(offset);
    return sight === 'here' && this.#isAborted && this.onlyStable ? 'gap' : sight;
  }

  /** Body bytes of what `seek` took for a gap; −1: it is gone, and nobody knows. */
  gapBytes(offset: number): number {
    const cursor = this.#cursor;
    if (!this.#isReadable || cursor === undefined) return 0;
    return this.#isAborted && cursor.offset === offset ? Math.max(cursor.valueBytes, 0) : -1;
  }

  #seek(offset: number): Sight {
    const cursor = this.#cursor;
    // The next record of the same batch, most times.
    if (
      cursor !== undefined &&
      this.#isReadable &&
      offset > cursor.offset &&
      offset < this.#batchEnd
    )
      return this.#walk(cursor, offset);
    const { length } = this.#first;
    if (length === 0 || offset >= this.#endOffset || offset < this.#first[0]!) return 'away';
    if (cursor !== undefined && this.#isReadable && offset <= cursor.offset) {
      if (cursor.offset === offset) return 'here';
      if (offset >= this.#gapOffset) return 'gap';
    }
    this.#open(offset);
    return this.#isReadable ? this.#walk(present(this.#cursor, 'just opened'), offset) : 'gap';
  }

  /**
   * Reads from `offset` on; at once where it is in memory, else the promise resolves when it is there. Rejects or throws
   * as `Partition.read`.
   */
  load(offset: number): Promise<void> | undefined {
    const load = ++this.#load;
    const ahead = this.#readAhead?.take(offset);
    const result =
      ahead ??
      this.#log.read(offset, {
        maxBytes: this.#readBytes,
        minOneBatch: true,
        onlyStable: this.onlyStable,
      });
    if (!(result instanceof Promise)) {
      this.#fill(result);
      if (ahead !== undefined) this.#goAhead();
      return undefined;
    }
    return result.then((read) => {
      if (load !== this.#load) return;
      this.#fill(read);
      this.#goAhead();
    });
  }

  /** What came from the disk is followed by what is there too. */
  #goAhead(): void {
    if (this.isDrained && this.#first.length > 0)
      this.#readAhead?.start(this.#endOffset, this.#readBytes, this.onlyStable);
  }

  /** Shows the record at the cursor. */
  show(view: MessageView): void {
    const cursor = present(this.#cursor, 'sought before');
    view.offset = cursor.offset;
    view.timestampMs = cursor.timestampMs;
    view.bytes = cursor.bytes;
    view.keyAt = cursor.keyAt;
    view.keyBytes = cursor.keyBytes;
    view.valueAt = cursor.valueAt;
    view.valueBytes = cursor.valueBytes;
    view.headersAt = cursor.headersAt;
    view.headersBytes = cursor.headersBytes;
    view.headerCount = cursor.headerCount;
    view.batchEnd = this.#batchEnd;
  }

  get isEmpty(): boolean {
    return this.#first.length === 0;
  }

  /** Memory that it has for itself: of a batch that was decompressed. The rest is the log's, or was read. */
  get unpackedBytes(): number {
    return this.#unpackedBytes;
  }

  /** Lets go of the memory. */
  clear(): void {
    this.#load++;
    this.#readAhead?.clear();
    this.#slices = [];
    this.#forget();
    this.#cursor = undefined;
    this.#unpackedBytes = 0;
  }

  #forget(): void {
    this.#sliceOf.length = 0;
    this.#at.length = 0;
    this.#first.length = 0;
    this.#endOffset = 0;
    this.#batchEnd = 0;
    this.#batch = -1;
    this.#isReadable = false;
    this.#gapOffset = Number.POSITIVE_INFINITY;
  }

  #fill(result: ReadResult): void {
    this.#forget();
    this.#slices = result.slices;
    for (const [index, slice] of result.slices.entries()) {
      for (let at = 0; at < slice.length; at += batchTotalBytes(slice, at)) {
        this.#sliceOf.push(index);
        this.#at.push(at);
        this.#first.push(batchBaseOffset(slice, at));
        this.#endOffset = batchLastOffset(slice, at) + 1;
      }
    }
  }

  #open(offset: number): void {
    let index = this.#batch + 1;
    // Mostly the next batch.
    if (!(this.#first[index]! <= offset && offset < (this.#first[index + 1] ?? this.#endOffset)))
      index = this.#find(offset);
    this.#batch = index;
    const slice = present(this.#slices[this.#sliceOf[index]!], 'a batch has its slice');
    const at = this.#at[index]!;
    this.#batchEnd = batchLastOffset(slice, at) + 1;
    this.#isReadable = false;
    this.#isAborted = false;
    try {
      if (this.#cursor === undefined)
        this.#cursor = new RecordCursor(slice, at, limits.decompressedBytesMax);
      else this.#cursor.open(slice, at, limits.decompressedBytesMax);
      const isPacked = batchCompression(batchAttributes(slice, at)) !== 0;
      this.#unpackedBytes = isPacked ? this.#cursor.bytes.length : 0;
      this.#isReadable = !isControlBatch(batchAttributes(slice, at));
      this.#isAborted = this.#isTakenBack(slice, at);
    } catch (error) {
      // The log takes what it cannot read; nobody can be given it.
      if (!(error instanceof ProtocolError)) throw error;
    }
  }

  #isTakenBack(slice: Uint8Array, at: number): boolean {
    if (!isTransactionalBatch(batchAttributes(slice, at))) return false;
    return this.#log.isAborted(batchProducerId(slice, at), batchBaseOffset(slice, at));
  }

  #find(offset: number): number {
    let low = 0;
    let high = this.#first.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#first[middle]! <= offset) low = middle + 1;
      else high = middle;
    }
    return Math.max(low - 1, 0);
  }

  #walk(cursor: RecordCursor, offset: number): Sight {
    this.#gapOffset = Number.POSITIVE_INFINITY;
    try {
      while (cursor.offset < offset) if (!cursor.next()) break;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#isReadable = false;
      return 'gap';
    }
    if (cursor.offset === offset) return 'here';
    if (cursor.offset > offset) this.#gapOffset = offset;
    return 'gap';
  }
}

/** Whether a read failed because what is on the disk is not what was written. */
export function isDamage(error: unknown): boolean {
  return error instanceof BrokerError && error.code === 'storage-damaged';
}

/** Whether a read failed because its records are deleted. */
export function isDeleted(error: unknown): boolean {
  return (
    error instanceof BrokerError &&
    (error.code === 'offset-out-of-range' || error.code === 'topic-not-found')
  );
}
