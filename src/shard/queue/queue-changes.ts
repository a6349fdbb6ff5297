import { ProtocolError } from '../../base/index.ts';
import { type ByteReader, ByteWriter } from '../../bytes/index.ts';

/*
 * What changes in a queue between two chunks is one payload: operations until its end, each u8 code and its fields. Runs
 * are lists of neighbouring offsets that share a fate: unsigned varint count of runs, then for each the varlong distance of
 * its first offset from the end of the run before (first: from 0), the unsigned varint count of offsets, and what it shares.
 *
 *   1 acquired  runs: u8 flags; varlong deadline ms (−1 none), unsigned varint body bytes, unsigned varint rank, each left
 *               out where its flag (1, 2, 4) says that it is that of the run before. Flag 8: leased already, and only the
 *               deadline is new. Flag 16: dead, and on its way elsewhere: this is no delivery.
 *   2 returned  runs: u8 1 when it counts as a failure; varlong due ms (−1: at once)
 *   3 settled   varlong body bytes of all; runs
 *   4 due       varlong ms, unsigned varint count: so many of those that are due by then wait no longer
 *   5 purged    varlong offset: everything below that is not leased is settled; varlong body bytes of it
 *   6 rewound   varlong offset: everything from there on that was settled can be given out again; varlong body bytes of it
 *   7 ranked    runs: unsigned varint rank; those of them that were never delivered have that rank from now on
 *   8 damaged   varlong body bytes of all; runs: they cannot be read, and nobody gets them
 *   9 forgotten the deduplication ids of all messages that were ingested
 *  10 retried   varlong body bytes: everything that was damaged is ready, as if it had never been delivered
 *  11 trimmed   varlong offset: the log begins there, and what lay before is gone; varlong body bytes of it
 *  12 emptied   varlong body bytes of all; runs: what of them is not leased is settled
 *  13 delayed   varlong offset, varlong due ms, varlong body bytes, unsigned varint rank: it was never delivered, and waits
 *
 * To change it take a new code; never change what an old one means.
 */
const operation = {
  acquired: 1,
  returned: 2,
  settled: 3,
  due: 4,
  purged: 5,
  rewound: 6,
  ranked: 7,
  damaged: 8,
  forgotten: 9,
  retried: 10,
  trimmed: 11,
  emptied: 12,
  delayed: 13,
} as const;

const isSameDeadline = 1;
const isSameBody = 2;
const isSameRank = 4;
const isExtension = 8;
const isDeath = 16;

/** Why a message is leased, or has another deadline: the last number of a run. */
const leasedFor = { delivery: 0, extension: 1, death: 2 } as const;

/** Numbers of a run of each kind in the lists below. */
const acquiredFields = 6;
const returnedFields = 4;
/** Of those that are settled or damaged. */
const settledFields = 2;
const rankedFields = 3;

/** Takes the changes of a payload, in order. */
export interface QueueReplay {
  replayAcquired(
    from: number,
    count: number,
    deadlineMs: number,
    bodyBytes: number,
    rank: number,
    isExtended: boolean,
    isDying: boolean,
  ): void;
  replayReturned(from: number, count: number, isFailure: boolean, dueMs: number): void;
  replaySettled(from: number, count: number): void;
  replaySettledBytes(bytes: number): void;
  replayDue(nowMs: number, count: number): void;
  replayPurged(offset: number, bodyBytes: number): void;
  replayRewound(offset: number, bodyBytes: number): void;
  replayRanked(from: number, count: number, rank: number): void;
  replayDamaged(from: number, count: number): void;
  replayForgotten(): void;
  replayRetried(bodyBytes: number): void;
  replayTrimmed(offset: number, bodyBytes: number): void;
  replayEmptied(runs: readonly number[], bodyBytes: number): void;
  replayDelayed(offset: number, dueMs: number, bodyBytes: number, rank: number): void;
}

/** About how many bytes the changes of all queues take in memory that wait for the journal. */
export class ChangeTally {
  bytes = 0;
}

/**
 * Gathers a queue's changes until a chunk is built. Changes of different messages commute, so each kind has its own list
 * of runs, written in the order acquired, returned, settled, damaged; what would depend on another order closes the lists
 * first.
 */
export class QueueChanges {
  readonly #tally: ChangeTally;
  /** from, count, deadline ms, body bytes, rank, and what for (`leasedFor`). */
  readonly #acquired: number[] = [];
  /** from, count, 1 for a failure, due ms. */
  readonly #returned: number[] = [];
  /** from, count. */
  readonly #settled: number[] = [];
  #settledBytes = 0;
  /** from, count; made when it is needed, which is hardly ever. */
  #damaged: number[] | undefined;
  #damagedBytes = 0;
  /** Lists that were closed. */
  #closed: ByteWriter | undefined;

  constructor(tally: ChangeTally) {
    this.#tally = tally;
  }

  noteAcquired(offset: number, deadlineMs: number, bodyBytes: number, rank: number): void {
    this.#addAcquired(offset, deadlineMs, bodyBytes, rank, leasedFor.delivery);
  }

  /** A message is leased to nobody, to be sent on to where the dead go. */
  noteDying(offset: number, bodyBytes: number, rank: number): void {
    this.#addAcquired(offset, -1, bodyBytes, rank, leasedFor.death);
  }

  #addAcquired(
    offset: number,
    deadlineMs: number,
    bodyBytes: number,
    rank: number,
    purpose: number,
  ): void {
    // It may have been given back since the last chunk.
    if (this.#returned.length > 0) this.#close();
    const runs = this.#acquired;
    const last = runs.length - acquiredFields;
    if (
      last >= 0 &&
      follows(runs, last, offset) &&
      runs[last + 2] === deadlineMs &&
      runs[last + 3] === bodyBytes &&
      runs[last + 4] === rank &&
      runs[last + 5] === purpose
    )
      runs[last + 1]!++;
    else {
      runs.push(offset, 1, deadlineMs, bodyBytes, rank, purpose);
      this.#tally.bytes += acquiredFields * 8;
    }
  }

  noteExtended(offset: number, deadlineMs: number): void {
    if (this.#returned.length > 0) this.#close();
    this.#acquired.push(offset, 1, deadlineMs, 0, 0, leasedFor.extension);
    this.#tally.bytes += acquiredFields * 8;
  }

  noteReturned(offset: number, isFailure: boolean, dueMs: number): void {
    const runs = this.#returned;
    const last = runs.length - returnedFields;
    const failure = isFailure ? 1 : 0;
    if (
      last >= 0 &&
      follows(runs, last, offset) &&
      runs[last + 2] === failure &&
      runs[last + 3] === dueMs
    )
      runs[last + 1]!++;
    else {
      runs.push(offset, 1, failure, dueMs);
      this.#tally.bytes += returnedFields * 8;
    }
  }

  noteSettled(offset: number, bodyBytes: number): void {
    this.#settledBytes += bodyBytes;
    this.#addRun(this.#settled, offset);
  }

  noteDamaged(offset: number, bodyBytes: number): void {
    this.#damagedBytes += bodyBytes;
    this.#damaged ??= [];
    this.#addRun(this.#damaged, offset);
  }

  noteDue(nowMs: number, count: number): void {
    const writer = this.#close();
    writer.uint8(operation.due);
    writer.varlong(nowMs);
    writer.unsignedVarint(count);
  }

  notePurged(offset: number, bodyBytes: number): void {
    const writer = this.#close();
    writer.uint8(operation.purged);
    writer.varlong(offset);
    writer.varlong(bodyBytes);
  }

  /** `runs`: first offset, and the one behind the last, of each. */
  noteEmptied(runs: readonly number[], bodyBytes: number): void {
    const writer = this.#close();
    const before = writer.position;
    writer.uint8(operation.emptied);
    writer.varlong(bodyBytes);
    writer.unsignedVarint(runs.length / 2);
    let end = 0;
    // `!`: runs are whole.
    for (let at = 0; at < runs.length; at += 2) {
      writer.varlong(runs[at]! - end);
      writer.unsignedVarint(runs[at + 1]! - runs[at]!);
      end = runs[at + 1]!;
    }
    this.#tally.bytes += writer.position - before;
  }

  noteDelayed(offset: number, dueMs: number, bodyBytes: number, rank: number): void {
    const writer = this.#close();
    const before = writer.position;
    writer.uint8(operation.delayed);
    writer.varlong(offset);
    writer.varlong(dueMs);
    writer.varlong(bodyBytes);
    writer.unsignedVarint(rank);
    this.#tally.bytes += writer.position - before;
  }

  noteRetried(bodyBytes: number): void {
    const writer = this.#close();
    writer.uint8(operation.retried);
    writer.varlong(bodyBytes);
  }

  noteForgotten(): void {
    this.#close().uint8(operation.forgotten);
  }

  noteTrimmed(offset: number, bodyBytes: number): void {
    const writer = this.#close();
    writer.uint8(operation.trimmed);
    writer.varlong(offset);
    writer.varlong(bodyBytes);
  }

  noteRewound(offset: number, bodyBytes: number): void {
    const writer = this.#close();
    writer.uint8(operation.rewound);
    writer.varlong(offset);
    writer.varlong(bodyBytes);
  }

  /** `runs`: first offset, count and rank of each. */
  noteRanked(runs: readonly number[]): void {
    const writer = this.#close();
    const before = writer.position;
    writer.uint8(operation.ranked);
    writer.unsignedVarint(runs.length / rankedFields);
    let end = 0;
    for (let at = 0; at < runs.length; at += rankedFields) {
      end = writeRun(writer, runs, at, end);
      writer.unsignedVarint(runs[at + 2]!);
    }
    this.#tally.bytes += writer.position - before;
  }

  /** Writes all changes and forgets them. */
  takeInto(writer: ByteWriter): void {
    if (this.#closed !== undefined) writer.bytes(this.#closed.finish());
    this.#closed = undefined;
    this.#writeLists(writer);
  }

  clear(): void {
    this.#acquired.length = 0;
    this.#returned.length = 0;
    this.#settled.length = 0;
    this.#settledBytes = 0;
    this.#damaged = undefined;
    this.#damagedBytes = 0;
    this.#closed = undefined;
  }

  #addRun(runs: number[], offset: number): void {
    const last = runs.length - settledFields;
    if (last >= 0 && follows(runs, last, offset)) runs[last + 1]!++;
    else {
      runs.push(offset, 1);
      this.#tally.bytes += settledFields * 8;
    }
  }

  #close(): ByteWriter {
    const writer = (this.#closed ??= new ByteWriter(256));
    this.#writeLists(writer);
    return writer;
  }

  #writeLists(writer: ByteWriter): void {
    if (this.#acquired.length > 0) this.#writeAcquired(writer);
    if (this.#returned.length > 0) this.#writeReturned(writer);
    if (this.#settled.length > 0)
      writeSettled(writer, operation.settled, this.#settled, this.#settledBytes);
    if (this.#damaged !== undefined)
      writeSettled(writer, operation.damaged, this.#damaged, this.#damagedBytes);
    this.#acquired.length = 0;
    this.#returned.length = 0;
    this.#settled.length = 0;
    this.#settledBytes = 0;
    this.#damaged = undefined;
    this.#damagedBytes = 0;
  }

  // `!` below: the lists hold whole runs.

  #writeAcquired(writer: ByteWriter): void {
    const runs = this.#acquired;
    writer.uint8(operation.acquired);
    writer.unsignedVarint(runs.length / acquiredFields);
    let end = 0;
    let deadlineMs = -1;
    let bodyBytes = 0;
    let rank = 0;
    for (let at = 0; at < runs.length; at += acquiredFields) {
      const flags =
        (runs[at + 2] === deadlineMs ? isSameDeadline : 0) |
        (runs[at + 3] === bodyBytes ? isSameBody : 0) |
        (runs[at + 4] === rank ? isSameRank : 0) |
        (runs[at + 5] === leasedFor.extension ? isExtension : 0) |
        (runs[at + 5] === leasedFor.death ? isDeath : 0);
      end = writeRun(writer, runs, at, end);
      writer.uint8(flags);
      deadlineMs = runs[at + 2]!;
      bodyBytes = runs[at + 3]!;
      rank = runs[at + 4]!;
      if ((flags & isSameDeadline) === 0) writer.varlong(deadlineMs);
      if ((flags & isSameBody) === 0) writer.unsignedVarint(bodyBytes);
      if ((flags & isSameRank) === 0) writer.unsignedVarint(rank);
    }
  }

  #writeReturned(writer: ByteWriter): void {
    const runs = this.#returned;
    writer.uint8(operation.returned);
    writer.unsignedVarint(runs.length / returnedFields);
    let end = 0;
    for (let at = 0; at < runs.length; at += returnedFields) {
      end = writeRun(writer, runs, at, end);
      writer.uint8(runs[at + 2]!);
      writer.varlong(runs[at + 3]!);
    }
  }
}

function writeSettled(
  writer: ByteWriter,
  code: number,
  runs: readonly number[],
  bodyBytes: number,
): void {
  writer.uint8(code);
  writer.varlong(bodyBytes);
  writer.unsignedVarint(runs.length / settledFields);
  let end = 0;
  for (let at = 0; at < runs.length; at += settledFields) end = writeRun(writer, runs, at, end);
}

/** Whether the run at `last` ends where `offset` is. */
function follows(runs: readonly number[], last: number, offset: number): boolean {
  const end = runs[last]! + runs[last + 1]!;
  return end === offset;
}

/** Hands the changes between the reader's position and `end` to `target`. Throws a ProtocolError where they do not parse. */
export function replayChanges(reader: ByteReader, end: number, target: QueueReplay): void {
  while (reader.position < end) {
    const code = reader.uint8();
    switch (code) {
      case operation.acquired:
        replayAcquired(reader, target);
        break;
      case operation.returned:
        replayReturned(reader, target);
        break;
      case operation.settled:
      case operation.damaged:
        replaySettled(reader, target, code === operation.damaged);
        break;
      case operation.due: {
        const nowMs = reader.varlong();
        target.replayDue(nowMs, reader.unsignedVarint());
        break;
      }
      case operation.purged: {
        const offset = reader.varlong();
        target.replayPurged(offset, reader.varlong());
        break;
      }
      case operation.retried:
        target.replayRetried(reader.varlong());
        break;
      case operation.forgotten:
        target.replayForgotten();
        break;
      case operation.trimmed: {
        const offset = reader.varlong();
        target.replayTrimmed(offset, reader.varlong());
        break;
      }
      case operation.emptied: {
        const bodyBytes = reader.varlong();
        target.replayEmptied(readBounds(reader), bodyBytes);
        break;
      }
      case operation.delayed: {
        const offset = reader.varlong();
        const dueMs = reader.varlong();
        const bodyBytes = reader.varlong();
        target.replayDelayed(offset, dueMs, bodyBytes, reader.unsignedVarint());
        break;
      }
      case operation.rewound: {
        const offset = reader.varlong();
        target.replayRewound(offset, reader.varlong());
        break;
      }
      case operation.ranked:
        replayRanked(reader, target);
        break;
      default:
        throw new ProtocolError(`A queue has changed in an unknown way: ${code}`);
    }
  }
}

function replayReturned(reader: ByteReader, target: QueueReplay): void {
  let offset = 0;
  for (let runs = reader.unsignedVarint(); runs > 0; runs--) {
    offset += reader.varlong();
    const count = reader.unsignedVarint();
    const isFailure = reader.uint8() === 1;
    target.replayReturned(offset, count, isFailure, reader.varlong());
    offset += count;
  }
}

function replaySettled(reader: ByteReader, target: QueueReplay, isDamage: boolean): void {
  target.replaySettledBytes(reader.varlong());
  let offset = 0;
  for (let runs = reader.unsignedVarint(); runs > 0; runs--) {
    offset += reader.varlong();
    const count = reader.unsignedVarint();
    if (isDamage) target.replayDamaged(offset, count);
    else target.replaySettled(offset, count);
    offset += count;
  }
}

function replayRanked(reader: ByteReader, target: QueueReplay): void {
  let offset = 0;
  for (let runs = reader.unsignedVarint(); runs > 0; runs--) {
    offset += reader.varlong();
    const count = reader.unsignedVarint();
    target.replayRanked(offset, count, reader.unsignedVarint());
    offset += count;
  }
}

function replayAcquired(reader: ByteReader, target: QueueReplay): void {
  let offset = 0;
  let deadlineMs = -1;
  let bodyBytes = 0;
  let rank = 0;
  for (let runs = reader.unsignedVarint(); runs > 0; runs--) {
    offset += reader.varlong();
    const count = reader.unsignedVarint();
    const flags = reader.uint8();
    if ((flags & isSameDeadline) === 0) deadlineMs = reader.varlong();
    if ((flags & isSameBody) === 0) bodyBytes = reader.unsignedVarint();
    if ((flags & isSameRank) === 0) rank = reader.unsignedVarint();
    target.replayAcquired(
      offset,
      count,
      deadlineMs,
      bodyBytes,
      rank,
      (flags & isExtension) !== 0,
      (flags & isDeath) !== 0,
    );
    offset += count;
  }
}

/** Runs as first offset, and the one behind the last, of each. */
function readBounds(reader: ByteReader): number[] {
  const bounds: number[] = [];
  let end = 0;
  for (let runs = reader.unsignedVarint(); runs > 0; runs--) {
    const from = end + reader.varlong();
    end = from + reader.unsignedVarint();
    bounds.push(from, end);
  }
  return bounds;
}

function writeRun(writer: ByteWriter, runs: readonly number[], at: number, end: number): number {
  const from = runs[at]!;
  const count = runs[at + 1]!;
  writer.varlong(from - end);
  writer.unsignedVarint(count);
  return from + count;
}
