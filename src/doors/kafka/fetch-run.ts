import { BrokerError } from '../../base/index.ts';
import type { Partition, PartitionWaiter, ReadResult } from '../../shard/index.ts';
import { batchLastOffset, batchRecordCount, batchTotalBytes } from '../../bytes/index.ts';
import { errorCodes, kafkaErrorCode } from './error-codes.ts';
import { type FetchEntry, type FetchPlan, moveToEnd } from './fetch-sessions.ts';
import type { HandlerContext } from './handler.ts';
import { checkLeaderEpoch, isLeaderEpoch } from './leader-epoch.ts';
import type { ResponseInput } from './wire/index.ts';

export interface FetchOptions {
  readonly usesTopicIds: boolean;
  /** The response has a place for the leader that is right (KIP-951). */
  readonly tellsLeader: boolean;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly maxWaitMs: number;
  /** Read only what no open transaction may still take back. */
  readonly onlyStable: boolean;
}

type FetchResponse = ResponseInput<'Fetch'>;
type TopicResponse = FetchResponse['responses'][number];

/** One partition's part of a response; the field names are the wire's. */
interface Outcome {
  readonly partitionIndex: number;
  errorCode: number;
  highWatermark: number;
  lastStableOffset: number;
  logStartOffset: number;
  divergingEpoch?: { epoch: number; endOffset: number };
  currentLeader?: { leaderId: number; leaderEpoch: number };
  abortedTransactions: ReadonlyArray<{ producerId: number; firstOffset: number }> | null;
  records: readonly Uint8Array[];
}

/**
 * One fetch: reads all partitions, and if that is too little, waits until enough was appended, until the time is over
 * or until the client is gone, and reads again.
 */
export class FetchRun implements PartitionWaiter {
  readonly #context: HandlerContext;
  readonly #plan: FetchPlan;
  readonly #options: FetchOptions;
  /** One per entry of the plan, from the newest pass. */
  readonly #outcomes: Outcome[] = [];
  readonly #partitions: (Partition | undefined)[] = [];
  #bytes = 0;
  /** What the budget counts for this run. */
  #heldBytes = 0;
  /** The budget gave less than was asked for: what there is must do. */
  #isShort = false;
  /** Something that the client should hear without delay. */
  #isUrgent = false;
  #isOver = false;
  #appendedBytes = 0;
  #isWoken = false;
  #onWake: (() => void) | undefined;

  constructor(context: HandlerContext, plan: FetchPlan, options: FetchOptions) {
    this.#context = context;
    this.#plan = plan;
    this.#options = options;
  }

  /** Answers at once when there is enough in memory. */
  run(): FetchResponse | Promise<FetchResponse> {
    const pass = this.#readAll(0);
    if (pass === undefined && this.#isEnough()) return this.#respond();
    return this.#runSlowly(pass);
  }

  /** Called in the commit path. */
  wake(partition: Partition, appendedBytes: number): void {
    this.#appendedBytes += appendedBytes;
    // A partition that is deleted wakes without bytes.
    const isEnough =
      appendedBytes === 0 || this.#bytes + this.#appendedBytes >= this.#options.minBytes;
    if (isEnough) this.#wakeSoon();
    else if (!this.#isWoken) partition.watch(this);
  }

  async #runSlowly(pass: Promise<void> | undefined): Promise<FetchResponse> {
    const { connection, door } = this.#context;
    const stop = (): void => {
      this.#isOver = true;
      this.#wakeSoon();
    };
    const timer = door.fetchTimers.setTimer(this.#options.maxWaitMs, stop);
    connection.onInterrupt(stop);
    try {
      await pass;
      while (!this.#isEnough() && !this.#isOver && !connection.isClosed) {
        await this.#waitForMore();
        await this.#readAll(0);
      }
      return this.#respond();
    } finally {
      timer.cancel();
      connection.offInterrupt(stop);
      this.#release();
    }
  }

  #isEnough(): boolean {
    const { minBytes, maxWaitMs } = this.#options;
    if (this.#isUrgent || this.#bytes >= minBytes || maxWaitMs <= 0) return true;
    return this.#isShort && this.#bytes > 0;
  }

  async #waitForMore(): Promise<void> {
    this.#isWoken = false;
    this.#appendedBytes = 0;
    const woken = new Promise<void>((resolve) => {
      this.#onWake = resolve;
    });
    let watched = 0;
    for (const partition of this.#partitions) {
      const outcome = this.#outcomes[watched]!;
      watched += 1;
      if (partition === undefined) continue;
      partition.watch(this);
      // It grew while another partition was read from disk.
      if (partition.highWatermark !== outcome.highWatermark) this.#wakeSoon();
    }
    if (this.#isOver) this.#wakeSoon();
    await woken;
    this.#onWake = undefined;
    for (const partition of this.#partitions) partition?.unwatch(this);
  }

  /** After all of the group commit's promises and wakes, so that one pass sees everything that it brought. */
  #wakeSoon(): void {
    if (this.#isWoken || this.#onWake === undefined) return;
    this.#isWoken = true;
    process.nextTick(this.#onWake);
  }

  /** Reads from entry `from` on; undefined when nothing had to come from the disk. */
  #readAll(from: number): Promise<void> | undefined {
    if (from === 0) {
      this.#bytes = 0;
      this.#isShort = false;
      this.#release();
      this.#isUrgent = this.#plan.entries.length === 0;
      this.#outcomes.length = 0;
      this.#partitions.length = 0;
    }
    const { entries } = this.#plan;
    for (let index = from; index < entries.length; index += 1) {
      const entry = entries[index]!;
      const outcome = this.#open(entry);
      const partition = this.#partitions[index];
      if (partition === undefined || !this.#isReadable(partition, entry, outcome)) continue;
      const pending = this.#read(partition, entry, outcome);
      if (pending !== undefined) {
        return pending.then(() => this.#readAll(index + 1));
      }
    }
    return undefined;
  }

  /** Makes the entry's outcome, and finds its partition where it may be read. */
  #open(entry: FetchEntry): Outcome {
    const { broker, connection } = this.#context;
    const { usesTopicIds } = this.#options;
    const topic = usesTopicIds
      ? broker.topics.findById(entry.topicId)
      : broker.topics.find(entry.topic);
    const topicName = topic?.name ?? (usesTopicIds ? undefined : entry.topic);
    // Each time: a session is longer than a request, and what the client may do can change while it waits.
    const isForbidden =
      topicName !== undefined &&
      !connection.access.isUnlimited &&
      !connection.access.may('read', 'topic', topicName);
    const partition = isForbidden ? undefined : topic?.partitions[entry.partition];
    const outcome: Outcome = {
      partitionIndex: entry.partition,
      errorCode: errorCodes.NONE,
      highWatermark: partition === undefined ? -1 : partition.highWatermark,
      lastStableOffset: partition === undefined ? -1 : partition.lastStableOffset,
      logStartOffset: partition === undefined ? -1 : partition.logStartOffset,
      abortedTransactions: this.#options.onlyStable ? [] : null,
      records: [],
    };
    this.#outcomes.push(outcome);
    this.#partitions.push(partition);
    if (partition !== undefined) return outcome;
    const isUnknownId = usesTopicIds && topic === undefined;
    const missing = isUnknownId
      ? errorCodes.UNKNOWN_TOPIC_ID
      : errorCodes.UNKNOWN_TOPIC_OR_PARTITION;
    this.#fail(outcome, isForbidden ? errorCodes.TOPIC_AUTHORIZATION_FAILED : missing);
    return outcome;
  }

  /** False when the outcome is known without reading. */
  #isReadable(partition: Partition, entry: FetchEntry, outcome: Outcome): boolean {
    const epochError = checkLeaderEpoch(partition, entry.currentLeaderEpoch);
    if (epochError !== errorCodes.NONE) {
      if (this.#options.tellsLeader) {
        const { brokerId } = this.#context.broker;
        outcome.currentLeader = { leaderId: brokerId, leaderEpoch: partition.leaderEpoch };
      }
      this.#fail(outcome, epochError);
      return false;
    }
    if (isLeaderEpoch(entry.lastFetchedEpoch) && this.#isDiverging(partition, entry, outcome))
      return false;
    const { fetchOffset } = entry;
    if (fetchOffset < partition.logStartOffset || fetchOffset > partition.highWatermark) {
      this.#fail(outcome, errorCodes.OFFSET_OUT_OF_RANGE);
      return false;
    }
    return fetchOffset < this.#limitOf(partition) && this.#roomFor(entry) > 0;
  }

  #limitOf(partition: Partition): number {
    return this.#options.onlyStable ? partition.lastStableOffset : partition.highWatermark;
  }

  /** Bytes that the entry may still bring; at least 1 for the first that has any, which gets its first batch. */
  #roomFor(entry: FetchEntry): number {
    const { fetchBudget } = this.#context.door;
    const wanted = Math.min(this.#options.maxBytes - this.#bytes, entry.bytesMax);
    const room = Math.min(wanted, fetchBudget.roomBytes);
    if (room < wanted) this.#isShort = true;
    if (fetchBudget.isExhausted) return 0;
    return this.#bytes === 0 ? Math.max(room, 1) : room;
  }

  #release(): void {
    this.#context.door.fetchBudget.release(this.#heldBytes);
    this.#heldBytes = 0;
  }

  #hold(bytes: number): void {
    this.#context.door.fetchBudget.hold(bytes);
    this.#heldBytes += bytes;
  }

  /** KIP-595: tells a reader whose log goes another way where the two part. */
  #isDiverging(partition: Partition, entry: FetchEntry, outcome: Outcome): boolean {
    const end = partition.findEpochEnd(entry.lastFetchedEpoch);
    if (end.epoch >= entry.lastFetchedEpoch && end.endOffset >= entry.fetchOffset) return false;
    outcome.divergingEpoch = { epoch: end.epoch, endOffset: end.endOffset };
    this.#isUrgent = true;
    return true;
  }

  #read(partition: Partition, entry: FetchEntry, outcome: Outcome): Promise<void> | undefined {
    const maxBytes = this.#roomFor(entry);
    try {
      const result = partition.read(entry.fetchOffset, {
        maxBytes,
        minOneBatch: this.#bytes === 0,
        onlyStable: this.#options.onlyStable,
      });
      if (result instanceof Promise)
        return this.#readSlowly(result, maxBytes, partition, entry.fetchOffset, outcome);
      this.#take(result, partition, entry.fetchOffset, outcome);
    } catch (error) {
      this.#failWith(outcome, error);
    }
    return undefined;
  }

  /** What comes from the disk is in memory of its own, of which at most `maxBytes` are read ahead. */
  async #readSlowly(
    pending: Promise<ReadResult>,
    maxBytes: number,
    partition: Partition,
    fetchOffset: number,
    outcome: Outcome,
  ): Promise<void> {
    this.#hold(maxBytes);
    try {
      const result = await pending;
      this.#hold(result.bytes - maxBytes);
      this.#take(result, partition, fetchOffset, outcome);
    } catch (error) {
      this.#hold(-maxBytes);
      this.#failWith(outcome, error);
    }
  }

  #take(result: ReadResult, partition: Partition, fetchOffset: number, outcome: Outcome): void {
    outcome.records = result.slices;
    if (this.#options.onlyStable && result.bytes > 0)
      outcome.abortedTransactions = partition.findAborted(fetchOffset, endOf(result));
    outcome.highWatermark = result.highWatermark;
    outcome.lastStableOffset = result.lastStableOffset;
    outcome.logStartOffset = result.logStartOffset;
    this.#bytes += result.bytes;
  }

  #fail(outcome: Outcome, errorCode: number): void {
    outcome.errorCode = errorCode;
    outcome.highWatermark = -1;
    outcome.lastStableOffset = -1;
    outcome.logStartOffset = -1;
    this.#isUrgent = true;
  }

  #failWith(outcome: Outcome, error: unknown): void {
    if (!(error instanceof BrokerError)) throw error;
    this.#fail(outcome, kafkaErrorCode(error.code));
  }

  #respond(): FetchResponse {
    const { entries, session, isIncremental } = this.#plan;
    const responses: TopicResponse[] = [];
    let partitions: Outcome[] = [];
    let previous: FetchEntry | undefined;
    for (let index = 0; index < entries.length; index += 1) {
      const entry = entries[index]!;
      const outcome = this.#outcomes[index]!;
      const hasRecords = outcome.records.length > 0;
      if (hasRecords) this.#count(entry, outcome.records);
      if (session !== undefined) {
        const hasChanged = noteSent(entry, outcome);
        if (hasRecords) moveToEnd(session, entry);
        if (isIncremental && !hasChanged) continue;
      }
      if (previous?.topic !== entry.topic || previous.topicId !== entry.topicId) {
        partitions = [];
        responses.push({ topic: entry.topic, topicId: entry.topicId, partitions });
        previous = entry;
      }
      partitions.push(outcome);
    }
    return { errorCode: errorCodes.NONE, sessionId: session?.id ?? 0, responses };
  }

  #count(entry: FetchEntry, slices: readonly Uint8Array[]): void {
    const { broker, door } = this.#context;
    const name = this.#options.usesTopicIds
      ? broker.topics.findById(entry.topicId)?.name
      : entry.topic;
    if (name === undefined) return;
    const metrics = door.metrics.forTopic(name);
    for (const slice of slices) {
      metrics.bytesOut += slice.length;
      for (let at = 0; at < slice.length; at += batchTotalBytes(slice, at)) {
        metrics.recordsOut += batchRecordCount(slice, at);
      }
    }
  }
}

/** The offset behind what was read. */
function endOf({ slices }: ReadResult): number {
  let endOffset = 0;
  const slice = slices.at(-1) ?? new Uint8Array(0);
  for (let at = 0; at < slice.length; at += batchTotalBytes(slice, at))
    endOffset = batchLastOffset(slice, at) + 1;
  return endOffset;
}

/** Remembers what the client learns now; false when it is nothing new. */
function noteSent(entry: FetchEntry, outcome: Outcome): boolean {
  const hasChanged =
    outcome.records.length > 0 ||
    outcome.errorCode !== errorCodes.NONE ||
    outcome.divergingEpoch !== undefined ||
    outcome.highWatermark !== entry.sentHighWatermark ||
    outcome.logStartOffset !== entry.sentLogStart;
  entry.sentHighWatermark = outcome.highWatermark;
  entry.sentLogStart = outcome.logStartOffset;
  return hasChanged;
}
