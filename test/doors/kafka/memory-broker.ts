import { randomUUID } from 'node:crypto';
import { BrokerError, SystemClock } from '../../../src/base/index.ts';
import {
  type AccessPort,
  type BrokerPort,
  type CreateTopicRequest,
  defaultTopicOptions,
  type QueuesPort,
  type StorageStatus,
  type Topic,
  type TopicOptions,
  type TopicsPort,
} from '../../../src/broker/index.ts';
import { Quotas } from '../../../src/broker/quotas/index.ts';
import {
  batchLastOffset,
  batchMaxTimestamp,
  batchTotalBytes,
  checkBatch,
  patchBatchOffset,
} from '../../../src/bytes/index.ts';
import type {
  AppendResult,
  Groups,
  Partition,
  PartitionWaiter,
  ProducerDescription,
  ReadOptions,
  ReadResult,
  TimedOffset,
} from '../../../src/shard/index.ts';

const defaultOptions: TopicOptions = defaultTopicOptions;

interface StoredBatch {
  readonly bytes: Buffer;
  readonly baseOffset: number;
  readonly endOffset: number;
}

/** A partition in memory. While `commits.areHeld`, nothing becomes durable. */
export class MemoryPartition implements Partition {
  readonly topicId: string;
  readonly index: number;
  logStartOffset = 0;
  highWatermark = 0;
  leaderEpoch = 3;
  /** Reads answer with a promise, as those from a disk do. */
  areReadsSlow = false;
  readCount = 0;
  /** Called by every read. */
  onRead: (() => void) | undefined;
  readonly #commits: Commits;
  readonly #batches: StoredBatch[] = [];
  #nextOffset = 0;
  #waiters: PartitionWaiter[] = [];

  constructor(topicId: string, index: number, commits: Commits) {
    this.topicId = topicId;
    this.index = index;
    this.#commits = commits;
  }

  get lastStableOffset(): number {
    return this.highWatermark;
  }

  get sizeBytes(): number {
    return this.#batches.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  get waiterCount(): number {
    return this.#waiters.length;
  }

  append(bytes: Uint8Array): Promise<AppendResult> {
    if (checkBatch(bytes, 0, bytes.length) !== 'ok') {
      return Promise.reject(new BrokerError('batch-corrupt'));
    }
    const copy = Buffer.from(bytes);
    const baseOffset = this.#nextOffset;
    patchBatchOffset(copy, 0, baseOffset, this.leaderEpoch);
    this.#nextOffset = batchLastOffset(copy, 0) + 1;
    const endOffset = this.#nextOffset;
    return new Promise((resolve) => {
      this.#commits.add(() => {
        this.#batches.push({ bytes: copy, baseOffset, endOffset });
        this.highWatermark = endOffset;
        const { logStartOffset } = this;
        resolve({ baseOffset, appendTimeMs: -1, logStartOffset, isDuplicate: false });
        const waiters = this.#waiters;
        this.#waiters = [];
        for (const waiter of waiters) waiter.wake(this, copy.length);
      });
    });
  }

  read(offset: number, options: ReadOptions): ReadResult | Promise<ReadResult> {
    this.readCount += 1;
    const slices: Uint8Array[] = [];
    let bytes = 0;
    for (const batch of this.#batches) {
      if (batch.endOffset <= offset) continue;
      const isFirst = slices.length === 0 && options.minOneBatch;
      if (!isFirst && bytes + batch.bytes.length > options.maxBytes) break;
      slices.push(batch.bytes);
      bytes += batchTotalBytes(batch.bytes, 0);
    }
    this.onRead?.();
    const { highWatermark, lastStableOffset, logStartOffset } = this;
    const result = { slices, bytes, highWatermark, lastStableOffset, logStartOffset };
    return this.areReadsSlow ? Promise.resolve(result) : result;
  }

  findByTime(timestampMs: number): Promise<TimedOffset | undefined> {
    const batch = this.#batches.find(({ bytes }) => batchMaxTimestamp(bytes, 0) >= timestampMs);
    return Promise.resolve(batch === undefined ? undefined : this.#timedOffset(batch));
  }

  findMaxTimestamp(): Promise<TimedOffset | undefined> {
    const batch = this.#batches.at(-1);
    return Promise.resolve(batch === undefined ? undefined : this.#timedOffset(batch));
  }

  findEpochEnd(epoch: number): { epoch: number; endOffset: number } {
    if (epoch < this.leaderEpoch) return { epoch, endOffset: this.logStartOffset };
    return { epoch: this.leaderEpoch, endOffset: this.highWatermark };
  }

  deleteBefore(offset: number): Promise<number> {
    const wanted = offset === -1 ? this.highWatermark : offset;
    if (wanted > this.highWatermark) return Promise.reject(new BrokerError('offset-out-of-range'));
    this.logStartOffset = Math.max(this.logStartOffset, wanted);
    return Promise.resolve(this.logStartOffset);
  }

  watch(waiter: PartitionWaiter): void {
    this.#waiters.push(waiter);
  }

  unwatch(waiter: PartitionWaiter): void {
    this.#waiters = this.#waiters.filter((other) => other !== waiter);
  }

  listProducers(): ProducerDescription[] {
    return [
      {
        producerId: 7,
        producerEpoch: 1,
        lastSequence: 4,
        lastTimestampMs: 1000,
        transactionOffset: -1,
      },
    ];
  }

  findAborted(): [] {
    return [];
  }

  isAborted(): boolean {
    return false;
  }

  listOpenTransactions(): [] {
    return [];
  }

  #timedOffset({ baseOffset, bytes }: StoredBatch): TimedOffset {
    return {
      offset: baseOffset,
      timestampMs: batchMaxTimestamp(bytes, 0),
      leaderEpoch: this.leaderEpoch,
    };
  }
}

/** Makes appends durable soon, or when it is told. */
export class Commits {
  areHeld = false;
  readonly #waiting: Array<() => void> = [];

  get waitingCount(): number {
    return this.#waiting.length;
  }

  add(commit: () => void): void {
    this.#waiting.push(commit);
    if (!this.areHeld) setImmediate(() => this.run());
  }

  run(): void {
    for (const commit of this.#waiting.splice(0)) commit();
  }

  /** Makes only the newest durable, before those that came earlier. */
  runLast(): void {
    this.#waiting.pop()?.();
  }
}

class MemoryTopic implements Topic {
  readonly id = randomUUID();
  readonly namespace = '';
  readonly retention = 'by-limits';
  readonly name: string;
  readonly partitions: MemoryPartition[] = [];
  readonly ownOptions: Partial<TopicOptions>;
  readonly attributes: Record<string, string>;
  readonly createdMs = 0;

  constructor(request: CreateTopicRequest, partitions: number, commits: Commits) {
    this.name = request.name;
    this.ownOptions = { ...request.options };
    this.attributes = { ...request.attributes };
    this.grow(partitions, commits);
  }

  get options(): TopicOptions {
    return { ...defaultOptions, ...this.ownOptions };
  }

  grow(total: number, commits: Commits): void {
    while (this.partitions.length < total) {
      this.partitions.push(new MemoryPartition(this.id, this.partitions.length, commits));
    }
  }
}

class MemoryTopics implements TopicsPort {
  readonly #commits: Commits;
  readonly #defaultPartitions: number;
  readonly #topics = new Map<string, MemoryTopic>();

  constructor(commits: Commits, defaultPartitions: number) {
    this.#commits = commits;
    this.#defaultPartitions = defaultPartitions;
  }

  find(name: string): MemoryTopic | undefined {
    return this.#topics.get(name);
  }

  findById(id: string): MemoryTopic | undefined {
    return [...this.#topics.values()].find((topic) => topic.id === id);
  }

  list(): MemoryTopic[] {
    return [...this.#topics.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  async create(request: CreateTopicRequest): Promise<MemoryTopic> {
    await Promise.resolve();
    if (this.#topics.has(request.name)) throw new BrokerError('topic-exists');
    const partitions = request.partitions ?? this.#defaultPartitions;
    const topic = new MemoryTopic(request, partitions, this.#commits);
    if (request.isDryRun !== true) this.#topics.set(request.name, topic);
    return topic;
  }

  delete(name: string): Promise<void> {
    this.#topics.delete(name);
    return Promise.resolve();
  }

  setPartitionCount(name: string, total: number, isDryRun = false): Promise<void> {
    if (!isDryRun) this.#topics.get(name)?.grow(total, this.#commits);
    return Promise.resolve();
  }

  configure(name: string, change: Parameters<TopicsPort['configure']>[1]): Promise<void> {
    const topic = this.#topics.get(name);
    if (topic === undefined) return Promise.reject(new BrokerError('topic-not-found'));
    merge(topic.ownOptions, change.options ?? {});
    merge(topic.attributes, change.attributes ?? {});
    return Promise.resolve();
  }
}

function merge(target: object, change: object): void {
  for (const [key, value] of Object.entries(change)) {
    if (value === undefined) Reflect.deleteProperty(target, key);
    else Reflect.set(target, key, value);
  }
}

/** What the door needs of a broker, in memory and under the control of a test. */
export class MemoryBroker implements BrokerPort {
  readonly storeId = '01234567-89ab-4def-8123-456789abcdef';
  readonly brokerId = 0;
  readonly options = { defaultPartitions: 2, createTopicsOnUse: true };
  readonly commits = new Commits();
  readonly topics = new MemoryTopics(this.commits, 2);
  #isOverloaded = false;
  #onWritable: Array<() => void> = [];
  #nextProducerId = 1000;

  get isWaitedFor(): boolean {
    return this.#onWritable.length > 0;
  }

  setOverloaded(isOverloaded: boolean): void {
    this.#isOverloaded = isOverloaded;
    if (!isOverloaded) for (const callback of this.#onWritable.splice(0)) callback();
  }

  /** There are none. */
  readonly queues: QueuesPort = {
    find: () => undefined,
    list: () => [],
    declare: () => Promise.reject(new BrokerError('closed')),
    delete: () => Promise.reject(new BrokerError('closed')),
    configure: () => Promise.reject(new BrokerError('closed')),
    releaseExclusive: () => Promise.resolve(),
    watch: () => () => undefined,
  };

  get transactions(): never {
    throw new Error('this door uses no transactions');
  }

  get publisher(): never {
    throw new Error('the log door appends batches');
  }

  get exchanges(): never {
    throw new Error('the log door knows no exchanges');
  }

  /** Nobody is asked for anything, and everybody may do everything. */
  readonly access = new Proxy({} as AccessPort, {
    get: (_target, name) => {
      if (name === 'mayDoAll') return () => true;
      throw new Error(`nobody asks a broker without users for ${String(name)}`);
    },
  });

  readonly quotas = new Quotas(new SystemClock());

  get peers(): never {
    throw new Error('the log door lists nobody');
  }

  groupsFor(): Groups {
    throw new BrokerError('closed');
  }

  listGroupCoordinators(): Groups[] {
    return [];
  }

  allocateProducerId(): Promise<number> {
    this.#nextProducerId += 1;
    return Promise.resolve(this.#nextProducerId);
  }

  isOverloaded(): boolean {
    return this.#isOverloaded;
  }

  whenWritable(callback: () => void): void {
    this.#onWritable.push(callback);
  }

  isStorageLow(): boolean {
    return false;
  }

  findProblems(): string[] {
    return [];
  }

  findWarnings(): string[] {
    return [];
  }

  storage(): StorageStatus {
    return {
      path: '/memory',
      journalBytes: 0,
      segmentBytes: 0,
      freeBytes: 50,
      totalBytes: 100,
    };
  }
}
