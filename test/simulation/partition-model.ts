import {
  batchAttributes,
  batchBaseOffset,
  batchLastOffset,
  batchLeaderEpoch,
  batchMaxTimestamp,
  batchTotalBytes,
  checkBatch,
  isAppendTimeBatch,
  patchBatchAppendTime,
  patchBatchOffset,
  RecordCursor,
} from '../../src/bytes/index.ts';
import type { Partition, ReadResult, TimedOffset } from '../../src/shard/index.ts';
import { expectThat } from './violation.ts';

/** A batch that a producer tried to append; its first record's key is its id, which no other batch has. */
export interface SentBatch {
  id: number;
  bytes: Buffer;
  recordCount: number;
  /** Of the model's events: when it was first sent, and when it was acknowledged (-1: not yet). */
  sentAt: number;
  ackedAt: number;
  /** Base offset, once acknowledged or seen; else -1. */
  offset: number;
}

interface PlacedBatch {
  sent: SentBatch;
  /** Leader epoch that it was served with; -1: not served yet. */
  epoch: number;
  /** Greatest timestamp, as served; undefined: not served yet. */
  maxTimestampMs: number | undefined;
}

/** What is known of one partition: what was acknowledged and what anybody has seen may never change. */
export class PartitionModel {
  readonly name: string;
  readonly sent = new Map<number, SentBatch>();
  /** By base offset. */
  placed = new Map<number, PlacedBatch>();
  /** Greatest high watermark and log start that anybody was told. */
  highSeen = 0;
  startSeen = 0;
  /** The log start may be moved this far by deletions that were asked for. */
  startAllowed = 0;

  constructor(name: string) {
    this.name = name;
  }

  noteAck(sent: SentBatch, baseOffset: number, now: number): void {
    expectThat(
      sent.offset < 0 || sent.offset === baseOffset,
      `${this.name}: batch ${sent.id} is acknowledged at ${baseOffset}, but stands at ${sent.offset}`,
    );
    this.#place(sent, baseOffset);
    if (sent.ackedAt < 0) sent.ackedAt = now;
    this.highSeen = Math.max(this.highSeen, baseOffset + sent.recordCount);
  }

  noteHighWatermark(highWatermark: number): void {
    expectThat(
      highWatermark >= this.highSeen,
      `${this.name}: the high watermark went back from ${this.highSeen} to ${highWatermark}`,
    );
    this.highSeen = highWatermark;
  }

  noteLogStart(logStart: number): void {
    expectThat(
      logStart >= this.startSeen,
      `${this.name}: the log start went back from ${this.startSeen} to ${logStart}`,
    );
    this.startSeen = logStart;
  }

  /** Checks what a read from `offset` served; returns the offset behind it. */
  noteRead(offset: number, result: ReadResult): number {
    this.noteHighWatermark(Math.max(result.highWatermark, this.highSeen));
    let next = offset;
    let isFirst = true;
    let bytes = 0;
    for (const slice of result.slices) {
      bytes += slice.length;
      for (let at = 0; at < slice.length; at += batchTotalBytes(slice, at)) {
        const base = this.noteServed(slice, at);
        expectThat(
          isFirst ? base <= offset : base === next,
          `${this.name}: a read from ${offset} has a gap: ${base} follows ${next}`,
        );
        next = batchLastOffset(slice, at) + 1;
        expectThat(
          next > offset,
          `${this.name}: a read from ${offset} begins with a batch before it`,
        );
        isFirst = false;
      }
    }
    expectThat(bytes === result.bytes, `${this.name}: slices have ${bytes}, not ${result.bytes}`);
    expectThat(
      next <= result.highWatermark,
      `${this.name}: offset ${next - 1} was served above the high watermark ${result.highWatermark}`,
    );
    return next;
  }

  /** Checks one batch that was served; returns its base offset. */
  noteServed(bytes: Uint8Array, at: number): number {
    const base = batchBaseOffset(bytes, at);
    const check = checkBatch(bytes, at, bytes.length);
    expectThat(check === 'ok', `${this.name}: the batch at ${base} fails its check: ${check}`);
    const cursor = new RecordCursor(bytes, at, 1 << 20);
    expectThat(cursor.next() && cursor.key !== null, `${this.name}: a batch without an id`);
    const id = Number(Buffer.from(cursor.key ?? []).toString('latin1'));
    const sent = this.sent.get(id);
    if (sent === undefined) {
      expectThat(false, `${this.name}: the batch at ${base} was never sent here (id ${id})`);
      return base;
    }
    const epoch = batchLeaderEpoch(bytes, at);
    const expected = Buffer.from(sent.bytes);
    patchBatchOffset(expected, 0, base, epoch);
    if (isAppendTimeBatch(batchAttributes(bytes, at)))
      patchBatchAppendTime(expected, 0, batchMaxTimestamp(bytes, at));
    const served = bytes.subarray(at, at + batchTotalBytes(bytes, at));
    expectThat(expected.equals(served), `${this.name}: batch ${id} at ${base} has other bytes`);
    const placed = this.#place(sent, base);
    expectThat(
      placed.epoch < 0 || placed.epoch === epoch,
      `${this.name}: the leader epoch of ${base} changed from ${placed.epoch} to ${epoch}`,
    );
    const maxTimestampMs = batchMaxTimestamp(bytes, at);
    expectThat(
      placed.maxTimestampMs === undefined || placed.maxTimestampMs === maxTimestampMs,
      `${this.name}: the timestamp of ${base} changed`,
    );
    placed.epoch = epoch;
    placed.maxTimestampMs = maxTimestampMs;
    return base;
  }

  #place(sent: SentBatch, base: number): PlacedBatch {
    expectThat(
      sent.offset < 0 || sent.offset === base,
      `${this.name}: batch ${sent.id} stands twice, at ${sent.offset} and at ${base}`,
    );
    const known = this.placed.get(base);
    expectThat(
      known === undefined || known.sent === sent,
      `${this.name}: offset ${base} held batch ${known?.sent.id}, now it holds ${sent.id}`,
    );
    sent.offset = base;
    if (known !== undefined) return known;
    const placed: PlacedBatch = { sent, epoch: -1, maxTimestampMs: undefined };
    this.placed.set(base, placed);
    return placed;
  }

  /** After a scan of all that there is: every known batch above the log start was in it. */
  checkScanned(seen: ReadonlySet<number>, logStart: number): void {
    let epoch = -1;
    for (const base of [...this.placed.keys()].toSorted((a, b) => a - b)) {
      const placed = this.placed.get(base);
      if (placed === undefined || base + placed.sent.recordCount <= logStart) continue;
      expectThat(
        seen.has(base),
        `${this.name}: batch ${placed.sent.id} at ${base} is gone (log start ${logStart})`,
      );
      expectThat(placed.epoch >= epoch, `${this.name}: leader epochs go back at ${base}`);
      epoch = placed.epoch;
    }
  }

  /** The log start is where deletions, or retention, may have put it. All batches above it must be known. */
  checkLogStart(
    partition: Partition,
    options: { retentionMs: number; retentionBytes: number },
    nowMs: number,
  ): void {
    const start = partition.logStartOffset;
    if (start <= this.startAllowed) return;
    // Timestamps are not in order, so that what both together may drop is no simple question.
    const hasBoth = options.retentionMs >= 0 && options.retentionBytes >= 0;
    let isAllOld = options.retentionMs >= 0;
    let keptBytes = 0;
    for (const [base, { sent, maxTimestampMs }] of this.placed) {
      const end = base + sent.recordCount;
      if (end > start) keptBytes += sent.bytes.length;
      const isDropped = end <= start && end > this.startAllowed;
      if (
        isDropped &&
        maxTimestampMs !== undefined &&
        maxTimestampMs >= nowMs - options.retentionMs
      )
        isAllOld = false;
    }
    const isExcess = options.retentionBytes >= 0 && keptBytes >= options.retentionBytes;
    expectThat(
      isAllOld || isExcess || hasBoth,
      `${this.name}: the log starts at ${start}, but nothing asked for more than ${this.startAllowed}`,
    );
    this.startAllowed = start;
  }

  /** A record found by time is one that there is, and no known one before it would do. */
  checkFoundByTime(
    timestampMs: number,
    found: TimedOffset | undefined,
    startBefore: number,
    highBefore: number,
    startAfter: number,
  ): void {
    if (found !== undefined) {
      expectThat(
        found.timestampMs >= timestampMs,
        `${this.name}: found a record of ${found.timestampMs}, asked for ${timestampMs}`,
      );
    }
    for (const [base, { sent, maxTimestampMs }] of this.placed) {
      if (base < startAfter || base < startBefore) continue;
      if (base + sent.recordCount > highBefore) continue;
      if (found !== undefined && base + sent.recordCount > found.offset) continue;
      expectThat(
        maxTimestampMs === undefined || maxTimestampMs < timestampMs,
        `${this.name}: asked for ${timestampMs}, got ${found?.offset}, but ${base} has ${maxTimestampMs}`,
      );
    }
  }

  get knownTimestamps(): number[] {
    const list: number[] = [];
    for (const { maxTimestampMs } of this.placed.values())
      if (maxTimestampMs !== undefined) list.push(maxTimestampMs);
    return list;
  }

  /**
   * Power was lost and the newest data with it, as `--sync os` allows: forgets what is beyond the high watermark.
   * Returns the first sending of the latest batch that is left, and the acknowledgements of those that are gone.
   */
  forgetBeyond(partition: Partition): { survivors: SentBatch[]; lost: SentBatch[] } {
    this.highSeen = partition.highWatermark;
    this.startSeen = partition.logStartOffset;
    const survivors: SentBatch[] = [];
    const lost: SentBatch[] = [];
    for (const [base, { sent }] of [...this.placed]) {
      if (base + sent.recordCount <= this.highSeen) survivors.push(sent);
      else {
        this.placed.delete(base);
        sent.offset = -1;
        lost.push(sent);
      }
    }
    // What takes the place of a lost batch is known when it is read.
    return { survivors, lost };
  }
}
