import { BrokerError, present } from '../base/index.ts';
import { partitionOfKey, RecordBatchBuilder } from '../bytes/index.ts';
import type { EntrySource, Partition } from '../shard/index.ts';
import { CatalogTopic } from './catalog.ts';
import type {
  OutgoingMessage,
  PublishGroup,
  PublishOutcome,
  PublisherPort,
} from './ports/index.ts';
import type { TopicQueue } from './queues/index.ts';
import type { Topic } from './types.ts';

/** A batch is closed at this size; a larger message makes one of its own. */
const batchBytesTarget = 256 * 1024;
/** What a record has beside key, body and headers, at most, and the header of its batch. */
const overheadBytesMax = 128;
/** Builders that are kept for the next batches: a few with room for whole ones, many small ones. */
const largeBuildersKept = 32;
const smallBuildersKept = 1024;
const smallBuilderBytes = 2 * 1024;
const largeBuilderBytes = 16 * 1024;
/** With so many batches open at once their sizes differ too much for all to have large builders. */
const openBatchesFew = 8;
/** All open batches together. */
const openBytesMax = 8 * 1024 * 1024;

/** Messages that are refused although their queue wants them dead-lettered go there. */
export interface RefusedMessages {
  refused(queue: TopicQueue, message: OutgoingMessage): void;
}

/** What the publisher asks of a shard. */
export interface PublishShard {
  /** False: no chunk begins, for the storage has failed. */
  requestCommit(): boolean;
}

/** The open batches of one shard: they are closed when a chunk is built, so that they grow while the one before is written. */
class ShardBatches implements EntrySource {
  readonly open = new Map<Partition, OpenBatch>();
  /** The newest of each partition that is being made durable. */
  readonly appending = new Map<Partition, OpenBatch>();
  /** Closes what is open. */
  readonly #close: (batches: ShardBatches) => void;
  #shard: PublishShard | undefined;
  #isScheduled = false;

  constructor(close: (batches: ShardBatches) => void) {
    this.#close = close;
  }

  attach(shard: PublishShard): void {
    this.#shard = shard;
  }

  add(batch: OpenBatch): void {
    this.open.set(batch.partition, batch);
    // A shard that takes nothing now says so when the batch is appended.
    if (this.#shard?.requestCommit() === true || this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#close(this);
    });
  }

  get hasEntries(): boolean {
    return this.open.size > 0;
  }

  get isUrgent(): boolean {
    return this.open.size > 0;
  }

  takeEntries(): void {
    this.#close(this);
  }

  entriesDurable(): void {}

  entriesLost(): void {
    this.#close(this);
  }
}

/**
 * The way of messages from doors into logs. What is added to a partition until its shard builds the next chunk becomes one
 * batch; each message is copied once, and nothing is made for it.
 */
export class Publisher implements PublisherPort {
  readonly #refused: RefusedMessages;
  readonly #shards: ShardBatches[] = [];
  readonly #shardOf: (partition: Partition) => number;
  /** Of topics with several partitions: where messages without a key go now, and how many bytes went there. */
  readonly #turns = new WeakMap<Topic, { partition: number; bytes: number }>();
  readonly #largeBuilders: RecordBatchBuilder[] = [];
  readonly #smallBuilders: RecordBatchBuilder[] = [];
  #lastBatch: OpenBatch | undefined;
  #openCount = 0;
  #openBytes = 0;

  /** `shardOf`: the number of the shard on which a partition lives. */
  constructor(refused: RefusedMessages, shardOf: (partition: Partition) => number) {
    this.#refused = refused;
    this.#shardOf = shardOf;
  }

  /** Before the next shard is opened, which asks it when it builds a chunk; `attach` it to the shard then. */
  addShard(): ShardBatches {
    const batches = new ShardBatches((one) => this.#closeAll(one));
    this.#shards.push(batches);
    return batches;
  }

  /** Appends everything that was added, now: of one partition, or of all. */
  flush(partition?: Partition): void {
    if (partition === undefined) for (const batches of this.#shards) this.#closeAll(batches);
    else {
      const batch = this.#batchesOf(partition).open.get(partition);
      if (batch !== undefined) this.#append(batch);
    }
  }

  open(done: (group: PublishGroup, error: BrokerError | undefined) => void): PublishGroup {
    return new Group(done);
  }

  add(group: PublishGroup, target: Topic, message: OutgoingMessage): PublishOutcome {
    const index = this.choosePartition(target, message);
    const partition = target.partitions[index];
    if (partition === undefined) throw new BrokerError('topic-not-found', target.name);
    const outcome = this.#ask(target, index, message);
    if (outcome !== 'taken') {
      if (outcome === 'duplicate') this.#awaitFirst(asGroup(group), partition);
      return outcome;
    }
    const bytes =
      message.headers.length +
      Math.max(0, message.bodyBytes) +
      (message.key?.length ?? 0) +
      overheadBytesMax;
    let batch = this.#lastBatch;
    if (batch?.partition !== partition) batch = this.#batchOf(target, partition);
    if (batch.builder.count > 0 && batch.builder.bytes + bytes > batch.bytesMax) {
      this.#append(batch);
      batch = this.#batchOf(target, partition);
    }
    this.#lastBatch = batch;
    batch.builder.addEncoded(
      message.key,
      message.body,
      message.bodyBytes,
      message.headers,
      message.headerCount,
      message.timestampMs,
      message.bodyAt,
    );
    batch.note(asGroup(group), message, index);
    batch.addedBytes += bytes;
    this.#openBytes += bytes;
    // So much is not counted by anybody yet who holds publishers back.
    if (this.#openBytes > openBytesMax) this.flush();
    return 'taken';
  }

  close(group: PublishGroup): void {
    asGroup(group).close();
  }

  /** By the key; without one they take turns. */
  choosePartition(target: Topic, message: OutgoingMessage): number {
    const { length } = target.partitions;
    return length === 1 ? 0 : this.#choose(target, length, message);
  }

  /**
   * For messages that somebody else appends: behind those that were added before. Whether the queues over the partition
   * take the message; notes its deduplication id.
   */
  admit(target: Topic, index: number, message: OutgoingMessage): PublishOutcome {
    const partition = target.partitions[index];
    if (partition !== undefined) this.flush(partition);
    return this.#ask(target, index, message);
  }

  /** Messages that were admitted are not stored after all: whoever sends them again must not be told that they are. */
  withdraw(target: Topic, index: number, dedupIds: readonly string[]): void {
    if (dedupIds.length === 0 || !(target instanceof CatalogTopic)) return;
    for (const { parts } of target.queues) {
      for (const dedupId of dedupIds) parts[index]?.withdraw(dedupId);
    }
  }

  #ask(target: Topic, partition: number, message: OutgoingMessage): PublishOutcome {
    if (!(target instanceof CatalogTopic) || !target.hasAdmission) return 'taken';
    return this.#admit(target, partition, message);
  }

  /** A repetition is as durable as the first message, which may be on its way: nobody is told sooner. */
  #awaitFirst(group: Group, partition: Partition): void {
    const { open, appending } = this.#batchesOf(partition);
    open.get(partition)?.join(group);
    appending.get(partition)?.join(group);
  }

  #batchesOf(partition: Partition): ShardBatches {
    return present(this.#shards[this.#shardOf(partition)], 'every shard was added');
  }

  #batchOf(target: Topic, partition: Partition): OpenBatch {
    const batches = this.#batchesOf(partition);
    const known = batches.open.get(partition);
    if (known !== undefined) return known;
    const builder =
      (this.#openCount < openBatchesFew ? this.#largeBuilders.pop() : undefined) ??
      this.#smallBuilders.pop() ??
      new RecordBatchBuilder(smallBuilderBytes);
    const bytesMax = Math.min(batchBytesTarget, target.options.batchBytesMax);
    const batch = new OpenBatch(target, partition, builder, bytesMax, batches);
    this.#openCount++;
    batches.add(batch);
    return batch;
  }

  #closeAll(batches: ShardBatches): void {
    for (const batch of batches.open.values()) this.#append(batch);
  }

  /** The builder's memory is borrowed until the append settles. */
  #append(batch: OpenBatch): void {
    if (batch === this.#lastBatch) this.#lastBatch = undefined;
    const { builder, partition } = batch;
    const { open, appending } = batch.shard;
    open.delete(partition);
    appending.set(partition, batch);
    const forget = (): void => {
      // Not where a later one is on its way, which is durable after this one.
      if (appending.get(partition) === batch) appending.delete(partition);
    };
    this.#openCount--;
    this.#openBytes -= batch.addedBytes;
    partition.append(builder.finish(), batch).then(
      ({ baseOffset }) => {
        this.#keep(builder);
        forget();
        batch.settle(undefined, baseOffset);
      },
      (error: BrokerError) => {
        this.#keep(builder);
        forget();
        this.withdraw(batch.target, partition.index, batch.dedupIds);
        batch.settle(error, -1);
      },
    );
  }

  #keep(builder: RecordBatchBuilder): void {
    const { capacity } = builder;
    if (capacity > batchBytesTarget * 2) return;
    const isLarge = capacity > largeBuilderBytes;
    const kept = isLarge ? this.#largeBuilders : this.#smallBuilders;
    if (kept.length >= (isLarge ? largeBuildersKept : smallBuildersKept)) return;
    builder.clear();
    kept.push(builder);
  }

  #choose(target: Topic, partitionCount: number, message: OutgoingMessage): number {
    if (message.key !== null) return partitionOfKey(message.key, partitionCount);
    let turn = this.#turns.get(target);
    if (turn === undefined) {
      turn = { partition: 0, bytes: 0 };
      this.#turns.set(target, turn);
    }
    if (turn.bytes >= turnBytes || turn.partition >= partitionCount) {
      turn.partition = (turn.partition + 1) % partitionCount;
      turn.bytes = 0;
    }
    turn.bytes += Math.max(0, message.bodyBytes) + overheadBytesMax;
    return turn.partition;
  }

  /** Queues without a deduplication window are asked first: one that notes an id must not be followed by a refusal. */
  #admit(target: CatalogTopic, index: number, message: OutgoingMessage): PublishOutcome {
    for (const notesIds of [false, true]) {
      for (const queue of target.queues) {
        if (!queue.hasAdmission || queue.settings.dedupWindowMs > 0 !== notesIds) continue;
        const part = queue.parts[index];
        if (part === undefined) continue;
        const answer = part.admit({
          bodyBytes: Math.max(0, message.bodyBytes),
          dedupId: message.dedupId,
          nowMs: message.timestampMs,
        });
        if (answer === 'take') continue;
        if (answer === 'duplicate') return 'duplicate';
        // Another queue may have noted it: who tries again must not be told that it is stored.
        if (message.dedupId !== undefined) this.withdraw(target, index, [message.dedupId]);
        if (answer === 'reject-dead-letter') this.#refused.refused(queue, message);
        return 'rejected';
      }
    }
    return 'taken';
  }
}

/** Messages without a key stay with one partition for so long, then go to the next. */
const turnBytes = 64 * 1024;

const noIds: string[] = [];

/** Also says what its records are: see AppendTraits. */
class OpenBatch {
  readonly target: Topic;
  readonly partition: Partition;
  readonly builder: RecordBatchBuilder;
  readonly bytesMax: number;
  readonly shard: ShardBatches;
  /** As `Publisher` counts them. */
  addedBytes = 0;
  bodyBytes = 0;
  isScheduled = false;
  readonly isBuiltHere = true;
  dedupIds: string[] = noIds;
  /** Each turn of a group that has messages in it. */
  readonly #groups: Group[] = [];
  #lastGroup: Group | undefined;
  #count = 0;
  /** Of groups that want to know places: where in `places` the offset of a record of this batch goes. */
  #placed: Array<{ places: number[]; at: number; record: number }> | undefined;

  constructor(
    target: Topic,
    partition: Partition,
    builder: RecordBatchBuilder,
    bytesMax: number,
    shard: ShardBatches,
  ) {
    this.target = target;
    this.shard = shard;
    this.partition = partition;
    this.builder = builder;
    this.bytesMax = bytesMax;
  }

  note(group: Group, message: OutgoingMessage, partition: number): void {
    const { places } = group;
    if (places !== undefined) {
      this.#placed ??= [];
      this.#placed.push({ places, at: places.length + 1, record: this.#count });
      places.push(partition, -1);
    }
    this.#count++;
    if (message.bodyBytes > 0) this.bodyBytes += message.bodyBytes;
    if (message.dedupId !== undefined) {
      if (this.dedupIds === noIds) this.dedupIds = [];
      this.dedupIds.push(message.dedupId);
    }
    if (
      !this.isScheduled &&
      (message.priority !== undefined ||
        message.expiresAtMs !== undefined ||
        message.deliverAtMs !== undefined ||
        message.groupId !== undefined ||
        message.dedupId !== undefined)
    ) {
      this.isScheduled = true;
    }
    if (group !== this.#lastGroup) this.join(group);
  }

  /** The group waits until this is durable. */
  join(group: Group): void {
    this.#lastGroup = group;
    this.#groups.push(group);
    group.open++;
  }

  /** `baseOffset`: −1 when it was not stored. */
  settle(error: BrokerError | undefined, baseOffset: number): void {
    if (this.#placed !== undefined && baseOffset >= 0) {
      for (const { places, at, record } of this.#placed) places[at] = baseOffset + record;
    }
    for (const group of this.#groups) group.settle(error);
  }
}

class Group implements PublishGroup {
  context: unknown;
  places: number[] | undefined;
  /** Batches that are not durable yet and hold messages of it. */
  open = 0;
  #error: BrokerError | undefined;
  #done: ((group: PublishGroup, error: BrokerError | undefined) => void) | undefined;
  #isClosed = false;

  constructor(done: (group: PublishGroup, error: BrokerError | undefined) => void) {
    this.#done = done;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // Never inside the caller's own turn: it may still be busy with the group.
    if (this.open === 0) queueMicrotask(() => this.#finish());
  }

  settle(error: BrokerError | undefined): void {
    this.#error ??= error;
    this.open--;
    if (this.open === 0 && this.#isClosed) this.#finish();
  }

  #finish(): void {
    const done = this.#done;
    this.#done = undefined;
    done?.(this, this.#error);
  }
}

/** Only `open` makes groups. */
function asGroup(group: PublishGroup): Group {
  return group as Group;
}
