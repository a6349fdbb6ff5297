import {
  batchAttributes,
  batchBaseOffset,
  batchLastOffset,
  emptyBatch,
  isControlBatch,
  patchBatchLastOffset,
} from '../../bytes/index.ts';
import { entryHeaderBytes, entryKind, writeEntryHeader } from '../entry.ts';
import type { ExtentWriter } from '../extent-writer.ts';

/** A batch says in 31 bits how far its last offset is from its first. */
const deltaMax = 0x7fffffff;

/**
 * Writes batches so that their offsets follow each other without a gap, as everywhere in a file: a batch stands for the
 * offsets behind it that are gone. Where none comes before, one without records does.
 */
export class RegionOutput {
  readonly #writer: ExtentWriter;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  /** Not written yet: it is not known what it stands for. */
  #held: Uint8Array | undefined;
  #nextOffset: number;

  /** `firstOffset`: where the stretch begins that the batches stand for. */
  constructor(writer: ExtentWriter, firstOffset: number) {
    this.#writer = writer;
    this.#nextOffset = firstOffset;
  }

  /** The next batch; its memory is borrowed until it is taken, and not written to. */
  put(batch: Uint8Array): void {
    this.#coverUntil(batchBaseOffset(batch, 0));
    this.#held = batch;
  }

  /** The stretch ends before `endOffset`. */
  end(endOffset: number): void {
    this.#coverUntil(endOffset);
  }

  /** What was written since the last call, when it is `bytesMin` or more; undefined for nothing. */
  takeAll(bytesMin = 0): Uint8Array | undefined {
    if (this.#parts.length === 0 || this.#bytes < bytesMin) return undefined;
    const whole = Buffer.concat(this.#parts, this.#bytes);
    this.#parts = [];
    this.#bytes = 0;
    return whole;
  }

  #coverUntil(endOffset: number): void {
    let held = this.#held;
    this.#held = undefined;
    if (held !== undefined) {
      const last = Math.min(endOffset - 1, batchBaseOffset(held, 0) + deltaMax);
      // Readers take a marker to end whatever began up to its batch's end: it stands for nothing but itself.
      const isMarker = isControlBatch(batchAttributes(held, 0));
      if (!isMarker && last !== batchLastOffset(held, 0)) {
        held = Buffer.from(held);
        patchBatchLastOffset(held, 0, last);
      }
      this.#write(held);
    }
    while (this.#nextOffset < endOffset) {
      const last = Math.min(endOffset - 1, this.#nextOffset + deltaMax);
      const epoch = this.#writer.log.findStoredEpoch(this.#nextOffset) ?? 0;
      this.#write(emptyBatch(this.#nextOffset, last, epoch));
    }
  }

  #write(batch: Uint8Array): void {
    const { log } = this.#writer;
    const header = new Uint8Array(entryHeaderBytes);
    writeEntryHeader(header, 0, entryKind.records, log.number, batch.length);
    this.#parts.push(header, batch);
    this.#bytes += header.length + batch.length;
    this.#writer.note(batch, 0, batch.length);
    this.#nextOffset = batchLastOffset(batch, 0) + 1;
  }
}
