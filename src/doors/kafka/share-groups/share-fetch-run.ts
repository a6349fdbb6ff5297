import { BrokerError, limits } from '../../../base/index.ts';
import { batchBaseOffset, batchLastOffset, batchTotalBytes } from '../../../bytes/index.ts';
import type { ReadResult } from '../../../shard/index.ts';
import { errorCodes, kafkaErrorCode } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import type { SharePart, ShareTaker } from './share-part.ts';
import type { ShareEntry, ShareFetchInProgress, ShareSession } from './share-session.ts';

export interface ShareFetchOptions {
  readonly maxWaitMs: number;
  readonly maxBytes: number;
  readonly maxRecords: number;
  /** Records of a batch that is begun come along although they are more (KIP-1206). */
  readonly takesWholeBatches: boolean;
  /** Records of one range of the answer. */
  readonly batchSize: number;
}

/** A range of records that the member has from now on; the field names are the wire's. */
export interface AcquiredRange {
  readonly firstOffset: number;
  lastOffset: number;
  readonly deliveryCount: number;
}

/** One partition's part of a response. */
export interface ShareOutcome {
  readonly topicId: string;
  readonly partitionIndex: number;
  errorCode: number;
  errorMessage: string | null;
  records: Uint8Array[];
  acquiredRecords: AcquiredRange[];
}

/** What one part has given; both lists belong together. */
interface Taken {
  offsets: number[];
  deliveries: number[];
}

/** The queues get this long to give what they have, also where the client does not want to wait. */
const waitMinMs = 10;
/** Read at once: records that were given back may lie far apart. */
const readBytes = 1024 * 1024;

/**
 * One share fetch: waits at the parts of all its partitions until one of them gives records, the time is over or the client
 * is gone; then reads the batches that the records are in, as they are stored.
 */
export class ShareFetchRun implements ShareTaker, ShareFetchInProgress {
  readonly session: ShareSession;
  readonly #context: HandlerContext;
  readonly #options: ShareFetchOptions;
  readonly #taken = new Map<SharePart, Taken>();
  readonly #outcomes = new Map<ShareEntry, ShareOutcome>();
  #recordsLeft: number;
  #takenBytes = 0;
  /** There are as many records as wanted, but the last batch is not whole: where it lies, and what is missing of it. */
  #unfinished: SharePart | undefined;
  #missingFrom = 0;
  #missingEnd = 0;
  #sentBytes = 0;
  #heldBytes = 0;
  /** Something that the client should hear without delay. */
  #isUrgent = false;
  #isOver = false;
  #isWoken = false;
  #onWake: (() => void) | undefined;

  constructor(context: HandlerContext, session: ShareSession, options: ShareFetchOptions) {
    this.#context = context;
    this.session = session;
    const { fetchBudget } = context.door;
    const maxBytes = fetchBudget.isExhausted
      ? 0
      : Math.max(1, Math.min(options.maxBytes, limits.fetchBytesMax, fetchBudget.roomBytes));
    this.#options = { ...options, maxBytes };
    this.#recordsLeft = options.maxRecords;
  }

  /** One outcome for each partition of the session, in their order. */
  async run(): Promise<Map<ShareEntry, ShareOutcome>> {
    this.session.fetches.add(this);
    try {
      await Promise.all([...this.session.entries.values()].map((entry) => this.#open(entry)));
      await this.#wait();
      for (const [entry, outcome] of this.#outcomes) {
        const taken = entry.part === undefined ? undefined : this.#taken.get(entry.part);
        if (entry.part !== undefined && taken !== undefined)
          await this.#read(entry, entry.part, taken, outcome);
      }
      return this.#outcomes;
    } finally {
      this.session.fetches.delete(this);
      this.#context.door.fetchBudget.release(this.#heldBytes);
    }
  }

  // ShareTaker

  wants(part: SharePart): boolean {
    if (this.#isOver || this.#takenBytes >= this.#options.maxBytes) return false;
    return this.#recordsLeft > 0 || this.#unfinished === part;
  }

  fits(part: SharePart, offset: number): boolean {
    if (this.#recordsLeft > 0) return true;
    const isMissing = offset >= this.#missingFrom && offset < this.#missingEnd;
    if (this.#unfinished === part && isMissing) return true;
    this.#unfinished = undefined;
    return false;
  }

  take(part: SharePart, offset: number, deliveries: number, bytes: number, batchEnd: number): void {
    let taken = this.#taken.get(part);
    if (taken === undefined) {
      taken = { offsets: [], deliveries: [] };
      this.#taken.set(part, taken);
    }
    taken.offsets.push(offset);
    taken.deliveries.push(deliveries);
    this.#recordsLeft -= 1;
    this.#takenBytes += bytes;
    if (this.#recordsLeft > 0 || !this.#options.takesWholeBatches) return;
    this.#missingFrom = offset + 1;
    this.#missingEnd = batchEnd;
    this.#unfinished = offset + 1 < batchEnd ? part : undefined;
  }

  taken(): void {
    this.#wakeSoon();
  }

  partEnded(): void {
    this.#isUrgent = true;
    this.#wakeSoon();
  }

  // ShareFetchInProgress

  stop(): void {
    this.#isOver = true;
    this.#wakeSoon();
  }

  /** After the rounds of all queues, so that one answer has what all of them gave. */
  #wakeSoon(): void {
    if (this.#isWoken || this.#onWake === undefined) return;
    this.#isWoken = true;
    process.nextTick(this.#onWake);
  }

  async #open(entry: ShareEntry): Promise<void> {
    const outcome: ShareOutcome = {
      topicId: entry.topicId,
      partitionIndex: entry.partition,
      errorCode: errorCodes.NONE,
      errorMessage: null,
      records: [],
      acquiredRecords: [],
    };
    this.#outcomes.set(entry, outcome);
    const { broker, connection, door } = this.#context;
    const { queues, sessions } = door.shareGroups;
    const topic = broker.topics.findById(entry.topicId);
    if (topic === undefined) return this.#fail(outcome, errorCodes.UNKNOWN_TOPIC_ID);
    // A session is longer than a request, and what the client may do can change.
    if (!connection.access.isUnlimited && !connection.access.may('read', 'topic', topic.name)) {
      entry.part = undefined;
      return this.#fail(outcome, errorCodes.TOPIC_AUTHORIZATION_FAILED);
    }
    const unknown = errorCodes.UNKNOWN_TOPIC_OR_PARTITION;
    if (topic.partitions[entry.partition] === undefined) return this.#fail(outcome, unknown);
    try {
      const queue = await queues.open(this.session.groupId, topic);
      const part = queue.parts[entry.partition];
      if (part === undefined || part.isDropped) return this.#fail(outcome, unknown);
      if (!this.session.isClosed) entry.part = sessions.join(this.session, queue, part);
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      this.#fail(outcome, kafkaErrorCode(error.code), error.message);
    }
  }

  #fail(outcome: ShareOutcome, errorCode: number, errorMessage: string | null = null): void {
    outcome.errorCode = errorCode;
    outcome.errorMessage = errorMessage;
    this.#isUrgent = true;
  }

  /** Until there is something, or it is over. */
  async #wait(): Promise<void> {
    const parts: SharePart[] = [];
    for (const { part } of this.#outcomes.keys()) if (part !== undefined) parts.push(part);
    if (this.#isOver || this.session.isClosed) return;
    const woken = new Promise<void>((resolve) => {
      this.#onWake = resolve;
    });
    const maxWaitMs = this.#isUrgent ? waitMinMs : Math.max(this.#options.maxWaitMs, waitMinMs);
    const timer = this.#context.door.fetchTimers.setTimer(maxWaitMs, () => this.#wakeSoon());
    for (const part of parts) part.wait(this);
    await woken;
    this.#isOver = true;
    timer.cancel();
    for (const part of parts) part.leave(this);
  }

  /** Reads the batches of what a part gave; what has no room in the answer goes back. */
  async #read(
    entry: ShareEntry,
    part: SharePart,
    taken: Taken,
    outcome: ShareOutcome,
  ): Promise<void> {
    sortTaken(taken);
    const { offsets } = taken;
    let count = 0;
    try {
      while (count < offsets.length && !this.session.isClosed) {
        const room = this.#options.maxBytes - this.#sentBytes;
        const isFirst = this.#sentBytes === 0;
        if (room <= 0 && !isFirst) break;
        const result = await part.part.partition.read(offsets[count]!, {
          maxBytes: Math.min(Math.max(room, 1), readBytes),
          minOneBatch: isFirst,
        });
        const next = this.#pick(result, offsets, count, outcome.records);
        if (next === count) break;
        count = next;
      }
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      // What was deleted meanwhile is not there for the next fetch.
      if (error.code !== 'offset-out-of-range')
        this.#fail(outcome, kafkaErrorCode(error.code), error.message);
    }
    part.giveBack(this.session, offsets.slice(count));
    outcome.acquiredRecords = listRanges(taken, count, this.#options.batchSize);
    if (count === 0) return;
    this.#count(entry, count, outcome.records);
    this.session.moveToEnd(entry);
  }

  /** Takes the batches with wanted records out of what was read; the place of the first offset behind them. */
  #pick(result: ReadResult, offsets: readonly number[], from: number, into: Uint8Array[]): number {
    let index = from;
    for (const slice of result.slices) {
      let start = -1;
      let at = 0;
      for (; at < slice.length && index < offsets.length; at += batchTotalBytes(slice, at)) {
        const first = batchBaseOffset(slice, at);
        const last = batchLastOffset(slice, at);
        // What is not in the log is a gap, of which the client says so.
        while (index < offsets.length && offsets[index]! < first) index += 1;
        const isWanted = index < offsets.length && offsets[index]! <= last;
        if (isWanted && start < 0) start = at;
        if (!isWanted && start >= 0) {
          this.#add(slice.subarray(start, at), into);
          start = -1;
        }
        while (index < offsets.length && offsets[index]! <= last) index += 1;
      }
      if (start >= 0) this.#add(slice.subarray(start, at), into);
    }
    return index;
  }

  #add(slice: Uint8Array, into: Uint8Array[]): void {
    into.push(slice);
    this.#sentBytes += slice.length;
    this.#heldBytes += slice.length;
    this.#context.door.fetchBudget.hold(slice.length);
  }

  #count(entry: ShareEntry, records: number, slices: readonly Uint8Array[]): void {
    const { broker, door } = this.#context;
    const topic = broker.topics.findById(entry.topicId);
    if (topic === undefined) return;
    const metrics = door.metrics.forTopic(topic.name);
    metrics.recordsOut += records;
    for (const slice of slices) metrics.bytesOut += slice.length;
  }
}

/** Messages come in order, but for those that were given back or have a priority. */
function sortTaken(taken: Taken): void {
  const { offsets, deliveries } = taken;
  if (offsets.every((offset, index) => index === 0 || offset > offsets[index - 1]!)) return;
  const order = offsets.map((_, index) => index).toSorted((a, b) => offsets[a]! - offsets[b]!);
  taken.offsets = order.map((index) => offsets[index]!);
  taken.deliveries = order.map((index) => deliveries[index]!);
}

function listRanges({ offsets, deliveries }: Taken, count: number, sizeMax: number) {
  const ranges: AcquiredRange[] = [];
  let range: AcquiredRange | undefined;
  for (let index = 0; index < count; index += 1) {
    const offset = offsets[index]!;
    const deliveryCount = deliveries[index]!;
    const goesOn =
      range !== undefined &&
      offset === range.lastOffset + 1 &&
      deliveryCount === range.deliveryCount &&
      offset - range.firstOffset < sizeMax;
    if (goesOn && range !== undefined) range.lastOffset = offset;
    else {
      range = { firstOffset: offset, lastOffset: offset, deliveryCount };
      ranges.push(range);
    }
  }
  return ranges;
}
