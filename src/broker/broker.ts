import { resolve } from 'node:path';
import { BrokerError, type Clock, present } from '../base/index.ts';
import { MemoryDisk, NodeDisk } from '../disk/index.ts';
import type { GroupCoordinator, Groups, Shard } from '../shard/index.ts';
import type { Access } from './access/index.ts';
import type { BrokerOptions } from './broker-options.ts';
import { BrokerParts } from './broker-parts.ts';
import { checkTopicName } from './catalog.ts';
import { Consumer, type ConsumerHost, type ConsumerOptions } from './consumer.ts';
import { DataLock } from './data-lock.ts';
import { QueueHandle, type QueueHost, QueueSender } from './embedded/index.ts';
import { decodeRecords, type IncomingRecord } from './incoming-record.ts';
import { Peers } from './peers.ts';
import type { DeclareQueueRequest, Queue } from './ports/index.ts';
import type { Publisher } from './publisher.ts';
import type { Queues } from './queues/index.ts';
import type { Quotas } from './quotas/index.ts';
import { type OutgoingRecord, Sender, type SentRecord } from './sender.ts';
import { shardIndex, type Topics } from './topics.ts';
import type { Topology } from './topology/index.ts';
import { EmbeddedTransaction, type Transactions } from './transactions/index.ts';
import type { BrokerPort, CreateTopicRequest, StorageStatus, Topic } from './types.ts';

/**
 * A whole broker in this process:
 *
 *     const broker = await Broker.open({ data: './data' });
 *     await broker.send('orders', { key: 'a', value: 'first' });
 *     for await (const record of broker.consume({ group: 'g', topics: ['orders'], from: 'earliest' })) ...
 *     await broker.close();
 *
 * Everything that resolves is durable. Failures are BrokerErrors with a `code`.
 */
export class Broker implements BrokerPort, ConsumerHost, QueueHost {
  readonly storeId: string;
  readonly brokerId: number;
  readonly options: { readonly defaultPartitions: number; readonly createTopicsOnUse: boolean };
  readonly topics: Topics;
  readonly queues: Queues;
  readonly publisher: Publisher;
  readonly transactions: Transactions;
  readonly exchanges: Topology;
  readonly access: Access;
  readonly quotas: Quotas;
  readonly peers = new Peers();
  readonly clock: Clock;
  readonly #shards: readonly Shard[];
  readonly #coordinators: readonly GroupCoordinator[];
  readonly #lock: DataLock | undefined;
  readonly queueSender: QueueSender;
  readonly closing = new Set<{ close(): Promise<void> }>();
  readonly #sender: Sender;
  readonly #consumers = new Set<Consumer>();
  readonly #directory: string;
  readonly #creating = new Map<string, Promise<Topic>>();
  #closing: Promise<void> | undefined;

  /**
   * Opens a store, creating it where there is none, and recovers what a crash left. Rejects with a BrokerError
   * (storage-damaged, storage-full, storage-failed), or an Error when another process uses the directory.
   */
  static async open(options: BrokerOptions = {}): Promise<Broker> {
    const isMemory = options.store === 'memory';
    const directory = isMemory ? '/memory' : resolve(options.data ?? './data');
    const disk = options.disk ?? (isMemory ? new MemoryDisk() : new NodeDisk());
    await disk.makeDirectory(directory);
    const lock = disk instanceof NodeDisk ? await DataLock.take(directory) : undefined;
    try {
      return new Broker(await BrokerParts.open(options, disk, directory), lock);
    } catch (error) {
      await lock?.release();
      throw error;
    }
  }

  /** Use `Broker.open`. */
  constructor(parts: BrokerParts, lock: DataLock | undefined) {
    const { options } = parts;
    this.storeId = parts.identity.storeId;
    this.brokerId = options.brokerId ?? 1;
    this.options = {
      defaultPartitions: options.defaultPartitions ?? 1,
      createTopicsOnUse: options.createTopicsOnUse ?? true,
    };
    this.clock = parts.clock;
    this.topics = parts.topics;
    this.queues = parts.queues;
    this.publisher = parts.publisher;
    this.transactions = parts.transactions;
    this.exchanges = parts.exchanges;
    this.access = parts.access;
    this.quotas = parts.quotas;
    this.#shards = parts.shards;
    this.#coordinators = parts.coordinators;
    this.#lock = lock;
    this.#directory = parts.directory;
    this.queueSender = new QueueSender(parts.clock, parts.publisher);
    this.#sender = new Sender(parts.clock, parts.random);
  }

  // For applications

  async createTopic(name: string, request: Omit<CreateTopicRequest, 'name'> = {}): Promise<Topic> {
    checkTopicName(name);
    return this.topics.create({ ...request, name });
  }

  listTopics(): Topic[] {
    return this.topics.list();
  }

  /** Undefined when there is none. */
  findTopic(name: string): Topic | undefined {
    return this.topics.find(name);
  }

  deleteTopic(name: string): Promise<void> {
    return this.topics.delete(name);
  }

  /** Stores one record, or several; resolves when all are durable, with where they are, in the order given. */
  send(topic: string, record: OutgoingRecord): Promise<SentRecord>;
  send(topic: string, records: readonly OutgoingRecord[]): Promise<SentRecord[]>;
  async send(
    name: string,
    records: OutgoingRecord | readonly OutgoingRecord[],
  ): Promise<SentRecord | SentRecord[]> {
    const topic = this.topics.find(name) ?? (await this.#createOnUse(name));
    if (!isList(records)) return this.#sender.send(topic, records);
    return Promise.all(records.map((record) => this.#sender.send(topic, record)));
  }

  /**
   * Records of one partition from `offset` on, up to about `maxBytes` (default 1 MiB) and at least one batch; empty at
   * the end of the log. Rejects with offset-out-of-range.
   */
  async read(
    topic: string,
    partition: number,
    offset: number,
    maxBytes = 1024 * 1024,
  ): Promise<IncomingRecord[]> {
    const found = this.topics.find(topic);
    if (found === undefined) throw new BrokerError('topic-not-found', topic);
    const log = found.partitions[partition];
    if (log === undefined) throw new BrokerError('partition-not-found', `${topic}-${partition}`);
    for (let from = offset; ; ) {
      const { slices } = await log.read(from, { maxBytes, minOneBatch: true, onlyStable: true });
      const { records, endOffset } = decodeRecords(slices, topic, log, from);
      // What holds nothing but the ends of transactions is not the end of the log.
      if (records.length > 0 || endOffset === from) return records;
      from = endOffset;
    }
  }

  /** Joins a consumer group; `for await` over the result, or call `next()`. */
  consume(options: ConsumerOptions): Consumer {
    const consumer = new Consumer(this, options);
    this.#consumers.add(consumer);
    return consumer;
  }

  /**
   * Makes a queue, or finds the one of that name, unchanged; durable when it resolves.
   *
   *     const queue = await broker.createQueue('mails', { settings: { failuresMax: 5 } });
   *     await queue.send('hello', { headers: { to: 'ada' }, delayMs: 1000 });
   *     const worker = queue.consume(async (message) => deliver(message.text));
   */
  async createQueue(
    name: string,
    request: Omit<DeclareQueueRequest, 'name' | 'namespace'> & { namespace?: string } = {},
  ): Promise<QueueHandle> {
    const full = { namespace: '', ...request, name };
    const { queue } = await this.queues.declare(full);
    return new QueueHandle(this, full, queue);
  }

  /** A queue by its name. `subscription`: one of several queues over the same topic. */
  queue(name: string, options: { subscription?: string; namespace?: string } = {}): QueueHandle {
    return new QueueHandle(this, { namespace: '', ...options, name });
  }

  /**
   * Runs `work`, then does everything that it asked of the transaction, together or not at all, through crashes:
   *
   *     await broker.transaction((tx) => {
   *       tx.accept(message);
   *       tx.send('results', { value: 'done' });
   *     });
   *
   * Rejects with what `work` rejects with, and then nothing happens; else with lease-stale, queue-full, policy-refused
   * (too large) and as `Partition.append`.
   */
  async transaction<T>(work: (tx: EmbeddedTransaction) => T | Promise<T>): Promise<T> {
    const tx = new EmbeddedTransaction(this.transactions.begin(), this.clock);
    const result = await work(tx);
    await tx.commit(async (name) => this.topics.find(name) ?? (await this.#createOnUse(name)));
    return result;
  }

  listQueues(): Queue[] {
    return this.queues.list();
  }

  /** Closes consumers, makes everything that waits durable, and releases the directory. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#closeOnce();
    return this.#closing;
  }

  // For doors

  groupsFor(groupId: string): Groups {
    return present(this.#coordinators[shardIndex(groupId, this.#coordinators.length)], 'in range');
  }

  listGroupCoordinators(): Groups[] {
    return [...this.#coordinators];
  }

  allocateProducerId(): Promise<number> {
    return present(this.#shards[0], 'there is a first shard').allocateProducerId();
  }

  isOverloaded(): boolean {
    return this.#shards.some((shard) => shard.isOverloaded());
  }

  whenWritable(callback: () => void): void {
    const busy = this.#shards.find((shard) => shard.isOverloaded());
    // Each shard calls back once; the door asks again whether another one is busy.
    (busy ?? present(this.#shards[0], 'there is a first shard')).whenWritable(callback);
  }

  isStorageLow(): boolean {
    return this.#shards.some((shard) => shard.isStorageLow);
  }

  findProblems(): string[] {
    return this.#shards.flatMap((shard) => shard.findProblems());
  }

  findWarnings(): string[] {
    return this.queues.findDamage();
  }

  storage(): StorageStatus {
    let journalBytes = 0;
    let segmentBytes = 0;
    let freeBytes = Number.MAX_SAFE_INTEGER;
    let totalBytes = Number.MAX_SAFE_INTEGER;
    for (const shard of this.#shards) {
      const storage = shard.storage();
      journalBytes += storage.journalBytes;
      segmentBytes += storage.segmentBytes;
      freeBytes = Math.min(freeBytes, storage.freeBytes);
      totalBytes = Math.min(totalBytes, storage.totalBytes);
    }
    return { path: this.#directory, journalBytes, segmentBytes, freeBytes, totalBytes };
  }

  forget(consumer: Consumer): void {
    this.#consumers.delete(consumer);
  }

  /** Runs retention, compaction and deletion of files now. */
  async maintain(): Promise<void> {
    const hold = this.clock.keepProcess?.();
    try {
      await Promise.all(this.#shards.map((shard) => shard.maintain()));
    } finally {
      hold?.cancel();
    }
  }

  async #createOnUse(name: string): Promise<Topic> {
    if (!this.options.createTopicsOnUse) throw new BrokerError('topic-not-found', name);
    // Several sends to the same new topic create it once.
    let creating = this.#creating.get(name);
    if (creating === undefined) {
      checkTopicName(name);
      creating = this.topics.create({ name }).finally(() => this.#creating.delete(name));
      this.#creating.set(name, creating);
    }
    return creating;
  }

  async #closeOnce(): Promise<void> {
    const hold = this.clock.keepProcess?.();
    try {
      await Promise.all([...this.#consumers, ...this.closing].map((consumer) => consumer.close()));
      for (const coordinator of this.#coordinators) coordinator.close();
      this.queues.close();
      this.transactions.close();
      this.publisher.flush();
      await Promise.all(this.#shards.map((shard) => shard.close()));
      await this.#lock?.release();
    } finally {
      hold?.cancel();
    }
  }
}

function isList(
  records: OutgoingRecord | readonly OutgoingRecord[],
): records is readonly OutgoingRecord[] {
  return Array.isArray(records);
}
