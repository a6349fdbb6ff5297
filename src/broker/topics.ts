import { BrokerError, type Clock, limits, present, type Random } from '../base/index.ts';
import type { Groups, PartitionLog, Shard } from '../shard/index.ts';
import {
  type Catalog,
  catalogEntryKind,
  type CatalogTopic,
  checkName,
  checkTopicOptions,
  defaultTopicOptions,
  encodeEntry,
  type StoredSubscription,
  type StoredTopic,
} from './catalog.ts';
import type { CreateTopicRequest, Topic, TopicOptions, TopicsPort } from './types.ts';

/** Who has queues over topics: told, synchronously, what happens to their partitions. */
export interface TopicQueues {
  /** Makes the queues of partitions that are new; the promises resolve when they are durable. */
  link(topic: CatalogTopic): Array<Promise<void>>;
  /** The topic is gone from the catalog, though not durably yet. */
  forget(topic: CatalogTopic): void;
  /** It is gone for good. */
  drop(topic: CatalogTopic): Array<Promise<void>>;
}

export interface TopicsParts {
  catalog: Catalog;
  shards: readonly Shard[];
  groups: () => readonly Groups[];
  queues: () => TopicQueues;
  /** The topic is gone from the catalog: what refers to its name goes, too. */
  unbind: (topic: CatalogTopic) => Promise<void>;
  clock: Clock;
  random: Random;
  defaultPartitions: number;
}

/** Creates, changes and deletes topics: the catalog's entry on the first shard, the partitions each on their own. */
export class Topics implements TopicsPort {
  readonly #parts: TopicsParts;
  /** By topic id, until the creation is durable. */
  readonly #creations = new Map<string, Promise<void>>();

  constructor(parts: TopicsParts) {
    this.#parts = parts;
  }

  find(name: string, namespace = ''): CatalogTopic | undefined {
    const topic = this.#parts.catalog.find(namespace, name);
    return topic?.isDurable === true ? topic : undefined;
  }

  findById(id: string, namespace = ''): CatalogTopic | undefined {
    const topic = this.#parts.catalog.findById(id);
    return topic?.isDurable === true && topic.namespace === namespace ? topic : undefined;
  }

  list(namespace = ''): CatalogTopic[] {
    return this.#parts.catalog.list(namespace).filter((topic) => topic.isDurable);
  }

  async create(request: CreateTopicRequest): Promise<Topic> {
    const { random, clock, defaultPartitions } = this.#parts;
    const { name, namespace = '', options = {}, attributes = {} } = request;
    const stored: StoredTopic = {
      id: random.nextUuid(),
      name,
      partitions: request.partitions ?? defaultPartitions,
      options: withoutUndefined(options),
      attributes,
      createdMs: clock.nowMs(),
      ...(namespace === '' ? {} : { namespace }),
    };
    // Who makes the same topic at the same time hears of it once it is there to be found.
    const other = this.#parts.catalog.find(namespace, name);
    const creation = other === undefined ? undefined : this.#creations.get(other.id);
    if (creation !== undefined) await creation.catch(ignoreError);
    this.#checkNew(stored);
    if (request.isDryRun) return new DryTopic(stored);
    const { topic, durable } = this.#add(stored);
    await durable;
    return topic();
  }

  /** As `create`, for a queue: with its first subscription. The topic may be used at once by whoever need not outlive a crash. */
  createForQueue(
    namespace: string,
    name: string,
    partitions: number,
    subscription: StoredSubscription,
  ): { topic: () => CatalogTopic; durable: Promise<void> } {
    const stored: StoredTopic = {
      id: this.#parts.random.nextUuid(),
      name,
      partitions,
      options: {},
      attributes: {},
      createdMs: subscription.createdMs,
      retention: 'until-settled',
      subscriptions: [subscription],
      ...(namespace === '' ? {} : { namespace }),
    };
    this.#checkNew(stored);
    return this.#add(stored);
  }

  async delete(name: string, namespace = ''): Promise<void> {
    await this.deleteTopic(this.#getTopic(name, namespace));
  }

  async deleteTopic(topic: CatalogTopic): Promise<void> {
    // The partitions go once the topic certainly has: a deletion that fails takes none of its data. Those that a crash
    // leaves in between are dropped by `link`.
    const deleted = this.#home.submit(catalogEntryKind.topicDeleted, encodeEntry({ id: topic.id }));
    // Nothing was applied where the shard takes no entries now.
    const isApplied = this.#parts.catalog.findById(topic.id) === undefined;
    if (isApplied) this.#parts.queues().forget(topic);
    await Promise.all([deleted, isApplied ? this.#parts.unbind(topic) : undefined]);
    const dropped = this.#parts.queues().drop(topic);
    for (const partition of topic.partitions) {
      if (partition.isDropped) continue;
      dropped.push(this.#shardOf(topic.id, partition.index).dropPartition(partition));
    }
    await Promise.all(dropped);
    await Promise.all(this.#parts.groups().map((groups) => groups.forgetTopic(topic.id)));
  }

  async setPartitionCount(name: string, total: number, isDryRun = false): Promise<void> {
    const topic = this.#getTopic(name);
    if (total <= topic.partitionCount) {
      throw new BrokerError(
        'partition-count-invalid',
        `the topic has ${topic.partitionCount} partitions already`,
      );
    }
    this.#checkPartitionCount(total, topic.partitionCount);
    if (isDryRun) return;
    const entry = encodeEntry({ id: topic.id, partitions: total });
    // Shown only when it is durable: what is stored in a partition that a crash undoes would be lost.
    await this.#home.submit(catalogEntryKind.partitionsAdded, entry);
    const current = this.#parts.catalog.findById(topic.id);
    if (current === undefined) throw new BrokerError('topic-not-found', name);
    await Promise.all([...this.#addPartitions(current), ...this.#parts.queues().link(current)]);
  }

  async configure(
    name: string,
    change: {
      options?: { [K in keyof TopicOptions]?: TopicOptions[K] | undefined };
      attributes?: Record<string, string | undefined>;
    },
  ): Promise<void> {
    const topic = this.#getTopic(name);
    checkTopicOptions(change.options ?? {});
    const options = withoutUndefined({ ...topic.ownOptions, ...change.options });
    // Each may be right, and not both.
    checkTopicOptions(options);
    const attributes = withoutUndefined({ ...topic.attributes, ...change.attributes });
    const entry = encodeEntry({ id: topic.id, options, attributes });
    await this.#home.submit(catalogEntryKind.topicConfigured, entry);
    if (change.options === undefined) return;
    // What is kept may be less now.
    for (const { index } of topic.partitions) this.#shardOf(topic.id, index).requestMaintenance();
  }

  /**
   * After recovery: gives each topic its partitions. A crash between the journals of two shards can leave a partition
   * without its topic, which is dropped, or a topic without a partition, which is made.
   */
  async link(): Promise<void> {
    const { catalog, shards } = this.#parts;
    const durable: Array<Promise<void>> = [];
    for (const topic of catalog.all()) topic.partitions = [];
    for (const shard of shards) {
      for (const log of shard.logs()) {
        const topic = catalog.findById(log.topicId);
        if (topic === undefined || log.index >= topic.partitionCount)
          durable.push(shard.dropPartition(log));
        else {
          topic.partitions[log.index] = log;
          log.settings = topic.partitionSettings();
        }
      }
    }
    for (const topic of catalog.all()) durable.push(...this.#addPartitions(topic));
    await Promise.all(durable);
  }

  get #home(): Shard {
    return present(this.#parts.shards[0], 'there is a first shard');
  }

  #checkNew(stored: StoredTopic): void {
    checkName(stored.name);
    if (this.#parts.catalog.find(stored.namespace ?? '', stored.name) !== undefined) {
      throw new BrokerError('topic-exists', stored.name);
    }
    this.#checkPartitionCount(stored.partitions, 0);
    checkTopicOptions(stored.options);
  }

  /** Applied at once, where the shard takes entries now; `topic` may be called then, and when it is durable. */
  #add(stored: StoredTopic): { topic: () => CatalogTopic; durable: Promise<void> } {
    const { catalog } = this.#parts;
    const find = (): CatalogTopic => {
      const found = catalog.findById(stored.id);
      if (found === undefined) throw new BrokerError('topic-not-found', stored.name);
      return found;
    };
    const created = this.#home.submit(catalogEntryKind.topicCreated, encodeEntry(stored));
    const topic = catalog.findById(stored.id);
    // Nothing was applied: the shard takes no entries now, and says why.
    if (topic === undefined) return { topic: find, durable: created };
    const parts = [...this.#addPartitions(topic), ...this.#parts.queues().link(topic)];
    const durable = Promise.all([created, ...parts]).then(() => {
      catalog.show(topic);
    });
    this.#creations.set(stored.id, durable);
    const forget = (): void => void this.#creations.delete(stored.id);
    durable.then(forget, forget);
    return { topic: find, durable };
  }

  #addPartitions(topic: CatalogTopic): Array<Promise<void>> {
    const durable: Array<Promise<void>> = [];
    const partitions: PartitionLog[] = [...topic.partitions];
    for (let index = 0; index < topic.partitionCount; index++) {
      if (partitions[index] !== undefined) continue;
      const opened = this.#shardOf(topic.id, index).openPartition(
        topic.id,
        index,
        topic.partitionSettings(),
      );
      partitions[index] = opened.log;
      durable.push(opened.durable);
    }
    topic.partitions = exact(partitions);
    return durable;
  }

  #shardOf(topicId: string, index: number): Shard {
    const { shards } = this.#parts;
    return present(shards[shardIndex(`${topicId}/${index}`, shards.length)], 'in range');
  }

  #getTopic(name: string, namespace = ''): CatalogTopic {
    const topic = this.find(name, namespace);
    if (topic === undefined) throw new BrokerError('topic-not-found', name);
    return topic;
  }

  #checkPartitionCount(total: number, before: number): void {
    if (!Number.isInteger(total) || total < 1 || total > limits.partitionsPerTopicMax) {
      throw new BrokerError(
        'partition-count-invalid',
        `${total} is not between 1 and ${limits.partitionsPerTopicMax}`,
      );
    }
    if (this.#parts.catalog.partitionCount + total - before > limits.partitionsMax) {
      throw new BrokerError(
        'policy-refused',
        `a broker has at most ${limits.partitionsMax} partitions`,
      );
    }
  }
}

/** What a dry run answers with: a topic without partitions. */
class DryTopic implements Topic {
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  readonly retention = 'by-limits';
  readonly partitions: readonly [] = [];
  readonly options: TopicOptions;
  readonly ownOptions: Partial<TopicOptions>;
  readonly attributes: Record<string, string>;
  readonly createdMs: number;

  constructor(stored: StoredTopic) {
    this.id = stored.id;
    this.namespace = stored.namespace ?? '';
    this.name = stored.name;
    this.options = { ...defaultTopicOptions, ...stored.options };
    this.ownOptions = stored.options;
    this.attributes = stored.attributes;
    this.createdMs = stored.createdMs;
  }
}

/** Without the room to grow that an array has which was filled one by one: there are many, mostly of one element. */
export function exact<T>(items: readonly T[]): T[] {
  return items.slice();
}

/** Which shard a name lives on: FNV-1a, stable for ever, for it decides where stored data are looked for. */
export function shardIndex(name: string, shardCount: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % shardCount;
}

function ignoreError(): void {}

function withoutUndefined<T extends object>(
  value: T,
): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
