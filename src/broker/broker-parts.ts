import { join } from 'node:path';
import {
  type Clock,
  limits,
  present,
  type Random,
  SystemClock,
  SystemRandom,
} from '../base/index.ts';
import type { Disk } from '../disk/index.ts';
import {
  FileBacking,
  GroupCoordinator,
  OffsetTable,
  type QueueEvents,
  QueueTable,
  Shard,
  type ShardLog,
  TransactionTable,
} from '../shard/index.ts';
import { Access } from './access/index.ts';
import type { BrokerOptions } from './broker-options.ts';
import { Catalog } from './catalog.ts';
import { DeadLetters } from './dead-letters.ts';
import { compileFilter } from './message-filter.ts';
import { Publisher } from './publisher.ts';
import { describeDamage, Queues } from './queues/index.ts';
import { Quotas } from './quotas/index.ts';
import { openStoreFile, type StoreIdentity } from './store-file.ts';
import { shardIndex, Topics } from './topics.ts';
import { Topology } from './topology/index.ts';
import { type ShardParts, Transactions } from './transactions/index.ts';

const silentLog: ShardLog = {
  info: () => undefined,
  warn: (message) => process.emitWarning(message, 'PabalWarning'),
  error: (message) => process.emitWarning(message, 'PabalWarning'),
};

/**
 * What a broker is made of, put together and recovered. The parts know each other through functions that are called when
 * all of them are there: each of these circles has to begin somewhere.
 */
export class BrokerParts {
  readonly options: BrokerOptions;
  readonly identity: StoreIdentity;
  readonly directory: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly shards: Shard[] = [];
  readonly coordinators: GroupCoordinator[] = [];
  readonly topics: Topics;
  readonly queues: Queues;
  readonly publisher: Publisher;
  readonly transactions: Transactions;
  readonly exchanges: Topology;
  readonly access: Access;
  readonly quotas: Quotas;
  readonly #disk: Disk;
  readonly #log: ShardLog;
  readonly #catalog = new Catalog();
  readonly #tables: QueueTable[] = [];
  readonly #homes: ShardParts[] = [];
  readonly #events: QueueEvents;
  #isOpen = false;

  /** Opens the store in a directory that is this process' own. Rejects as `Broker.open`, and leaves nothing open then. */
  static async open(options: BrokerOptions, disk: Disk, directory: string): Promise<BrokerParts> {
    const random = options.random ?? new SystemRandom();
    const identity = await openStoreFile(disk, directory, random, options.shards ?? 1);
    const parts = new BrokerParts(options, disk, directory, random, identity);
    try {
      for (let index = 0; index < identity.shards; index++) await parts.#openShard(index);
      await parts.#link();
    } catch (error) {
      await Promise.all(parts.shards.map((shard) => shard.close()));
      throw error;
    }
    return parts;
  }

  private constructor(
    options: BrokerOptions,
    disk: Disk,
    directory: string,
    random: Random,
    identity: StoreIdentity,
  ) {
    this.options = options;
    this.identity = identity;
    this.directory = directory;
    this.clock = options.clock ?? new SystemClock();
    this.random = random;
    this.#disk = disk;
    this.#log = options.log ?? silentLog;
    this.topics = this.#makeTopics();
    this.queues = this.#makeQueues();
    const deadLetters = new DeadLetters({
      clock: this.clock,
      topics: () => this.topics,
      publisher: () => this.publisher,
      exchanges: () => this.exchanges,
    });
    this.#events = {
      died: (queue, message, lease, reason) => deadLetters.died(queue, message, lease, reason),
      damaged: (queue, from, end) => this.#log.error(describeDamage(queue, from, end)),
    };
    this.exchanges = this.#makeExchanges();
    this.access = this.#makeAccess();
    this.quotas = new Quotas(this.clock);
    this.publisher = new Publisher(deadLetters, ({ topicId, index }) =>
      identity.shards === 1 ? 0 : shardIndex(`${topicId}/${index}`, identity.shards),
    );
    this.transactions = this.#makeTransactions();
  }

  #makeTopics(): Topics {
    return new Topics({
      catalog: this.#catalog,
      shards: this.shards,
      groups: () => this.coordinators,
      queues: () => this.queues,
      unbind: ({ namespace, name }) => this.exchanges.forgetDestination(namespace, name),
      clock: this.clock,
      random: this.random,
      defaultPartitions: this.options.defaultPartitions ?? 1,
    });
  }

  #makeQueues(): Queues {
    return new Queues({
      catalog: this.#catalog,
      topics: this.topics,
      clock: this.clock,
      submit: (kind, payload) => this.#firstShard().submit(kind, payload),
      tables: () => this.#tables,
      compileFilter,
      unbind: ({ namespace, name }) => this.exchanges.forgetDestination(namespace, name),
      tableOf: (topicId, partition) =>
        present(this.#tables[this.#shardOf(`${topicId}/${partition}`)], 'in range'),
    });
  }

  #makeExchanges(): Topology {
    const catalog = this.#catalog;
    return new Topology({
      random: this.random,
      destinations: {
        get version() {
          return catalog.version;
        },
        findTopic: (namespace, name) => this.topics.find(name, namespace),
        findLifetime: (namespace, name) =>
          this.queues.find(namespace, name)?.lifetime ??
          (this.topics.find(name, namespace) === undefined ? undefined : 'durable'),
      },
    });
  }

  #makeAccess(): Access {
    const { loopbackUsers } = this.options;
    return new Access({
      clock: this.clock,
      random: this.random,
      ...(loopbackUsers === undefined ? {} : { loopbackUsers }),
      contents: {
        opened: (namespace) => this.exchanges.openNamespace(namespace),
        clear: async (namespace) => {
          const queues = this.queues.list(namespace);
          await Promise.all(queues.map((queue) => this.queues.delete(queue)));
          const topics = this.topics.list(namespace);
          await Promise.all(topics.map(({ name }) => this.topics.delete(name, namespace)));
          await this.exchanges.deleteNamespace(namespace);
        },
      },
    });
  }

  #makeTransactions(): Transactions {
    const homeOf = (name: string): ShardParts =>
      present(this.#homes[this.#shardOf(name)], 'in range');
    return new Transactions({
      places: {
        parts: this.#homes,
        ofProducer: homeOf,
        ofGroup: homeOf,
        ofPartition: (topicId, partition) => homeOf(`${topicId}/${partition}`),
        findLog: (topicId, partition) => this.#catalog.findById(topicId)?.partitions[partition],
      },
      placement: this.publisher,
      clock: this.clock,
      allocateProducerId: () => this.#firstShard().allocateProducerId(),
    });
  }

  async #openShard(index: number): Promise<void> {
    const { clock, random, options } = this;
    const offsets = new OffsetTable();
    const transactions = new TransactionTable();
    const queues = new QueueTable({ clock, random, events: this.#events, compileFilter });
    this.#tables.push(queues);
    const batches = this.publisher.addShard();
    // What is of the whole broker lives on its first shard.
    const shared = index === 0 ? [this.#catalog, this.exchanges, this.access, this.quotas] : [];
    const shard = await Shard.open({
      backing: new FileBacking({
        disk: this.#disk,
        directory: join(this.directory, `shard-${index}`),
        journalFileBytes: options.tuning?.journalFileBytes ?? limits.journalFileBytes,
        isDurable: options.sync !== 'os',
      }),
      clock,
      random,
      extensions: [...shared, offsets, queues, transactions],
      sources: [batches],
      log: this.#log,
      ...(options.observer === undefined ? {} : { observer: options.observer }),
      onAdopted: () => this.#adopted(index),
      ...options.tuning,
    });
    offsets.attach(shard);
    queues.attach(shard);
    batches.attach(shard);
    if (index === 0) {
      this.exchanges.attach(shard);
      this.access.attach(shard);
      this.quotas.attach(shard);
    }
    this.shards.push(shard);
    const groups = this.#makeCoordinator(offsets);
    this.coordinators.push(groups);
    this.#homes.push({ index, shard, table: transactions, offsets, groups, queues });
  }

  #makeCoordinator(store: OffsetTable): GroupCoordinator {
    const catalog = this.#catalog;
    return new GroupCoordinator({
      clock: this.clock,
      random: this.random,
      store,
      topics: {
        get version() {
          return catalog.version;
        },
        find: (name) => {
          const topic = this.topics.find(name);
          return topic && { id: topic.id, partitionCount: topic.partitions.length };
        },
        findName: (topicId) => this.topics.findById(topicId)?.name,
        names: () => this.topics.list().map(({ name }) => name),
      },
      options: this.options.groupOptions ?? {},
    });
  }

  /** Gives the parts what all shards have recovered. */
  async #link(): Promise<void> {
    await this.topics.link();
    this.#catalog.endReplay();
    await this.queues.adopt();
    this.access.link();
    await this.exchanges.link();
    this.#isOpen = true;
    for (const coordinator of this.coordinators) coordinator.load();
    this.transactions.start();
  }

  /** A shard has recovered by itself, from a storage that failed: in the same turn the others must know its new state. */
  #adopted(index: number): void {
    if (!this.#isOpen) return;
    this.#catalog.endReplay();
    // What cannot be stored now is tried again by the next recovery.
    this.topics.link().catch(() => undefined);
    this.queues.adopt(index).catch(() => undefined);
    this.access.link();
    this.exchanges.link().catch(() => undefined);
    this.transactions.adopt(index);
  }

  #shardOf(name: string): number {
    return shardIndex(name, this.identity.shards);
  }

  #firstShard(): Shard {
    return present(this.shards[0], 'there is a first shard');
  }
}
