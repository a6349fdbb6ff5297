import { BrokerError, type Clock, limits, present, type Random } from '../base/index.ts';
import type { Groups, PartitionLog, Shard } from '../shard/index.ts';
import {
  type Catalog,
  catalogEntryKind,
  type CatalogTopic,
  checkTopicName,
  checkTopicOptions,
  defaultTopicOptions,
  encodeEntry,
  type StoredTopic,
} from './catalog.ts';
import type { CreateTopicRequest, Topic, TopicOptions, TopicsPort } from './types.ts';

export interface TopicsParts {
  catalog: Catalog;
  shards: readonly Shard[];
  groups: () => readonly Groups[];
  clock: Clock;
  random: Random;
  defaultPartitions: number;
}

/** Creates, changes and deletes topics: the catalog's entry on the first shard, the partitions each on their own. */
export class Topics implements TopicsPort {
  readonly #parts: TopicsParts;

  constructor(parts: TopicsParts) {
    this.#parts = parts;
  }

  find(name: string): Topic | undefined {
    const topic = this.#parts.catalog.find(name);
    return topic?.isDurable === true ? topic : undefined;
  }

  findById(id: string): Topic | undefined {
    const topic = this.#parts.catalog.findById(id);
    return topic?.isDurable === true ? topic : undefined;
  }

  list(): Topic[] {
    return this.#parts.catalog.list().filter((topic) => topic.isDurable);
  }

  async create(request: CreateTopicRequest): Promise<Topic> {
    const { catalog, random, clock, defaultPartitions } = this.#parts;
    const { name, options = {}, attributes = {} } = request;
    checkTopicName(name);
    if (catalog.find(name) !== undefined) throw new BrokerError('topic-exists', name);
    const partitions = request.partitions ?? defaultPartitions;
    this.#checkPartitionCount(partitions, 0);
    checkTopicOptions(options);
    const stored: StoredTopic = {
      id: random.nextUuid(),
      name,
      partitions,
      options: withoutUndefined(options),
      attributes,
      createdMs: clock.nowMs(),
    };
    if (request.isDryRun) return new DryTopic(stored);
    const created = this.#home.submit(catalogEntryKind.topicCreated, encodeEntry(stored));
    const topic = catalog.findById(stored.id);
    // Nothing was applied: the shard takes no entries now, and says why.
    if (topic === undefined)
      return created.then(() => present(catalog.findById(stored.id), 'made'));
    const durable = [created, ...this.#addPartitions(topic)];
    await Promise.all(durable);
    topic.isDurable = true;
    return topic;
  }

  async delete(name: string): Promise<void> {
    const topic = this.#getTopic(name);
    // The partitions go once the topic certainly has: a deletion that fails takes none of its data. Those that a crash
    // leaves in between are dropped by `link`.
    await this.#home.submit(catalogEntryKind.topicDeleted, encodeEntry({ id: topic.id }));
    await Promise.all(
      topic.partitions
        .filter((partition) => !partition.isDropped)
        .map((partition) => this.#shardOf(topic.id, partition.index).dropPartition(partition)),
    );
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
    await Promise.all(this.#addPartitions(current));
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
    const attributes = withoutUndefined({ ...topic.attributes, ...change.attributes });
    const entry = encodeEntry({ id: topic.id, options, attributes });
    await this.#home.submit(catalogEntryKind.topicConfigured, entry);
  }

  /**
   * After recovery: gives each topic its partitions. A crash between the journals of two shards can leave a partition
   * without its topic, which is dropped, or a topic without a partition, which is made.
   */
  async link(): Promise<void> {
    const { catalog, shards } = this.#parts;
    const durable: Array<Promise<void>> = [];
    for (const topic of catalog.list()) topic.partitions = [];
    for (const shard of shards) {
      for (const log of shard.logs()) {
        const topic = catalog.findById(log.topicId);
        if (topic === undefined || log.index >= topic.partitionCount)
          durable.push(shard.dropPartition(log));
        else {
          topic.partitions[log.index] = log;
          log.settings = topic.options;
        }
      }
    }
    for (const topic of catalog.list()) durable.push(...this.#addPartitions(topic));
    await Promise.all(durable);
  }

  get #home(): Shard {
    return present(this.#parts.shards[0], 'there is a first shard');
  }

  #addPartitions(topic: CatalogTopic): Array<Promise<void>> {
    const durable: Array<Promise<void>> = [];
    const partitions: PartitionLog[] = [...topic.partitions];
    for (let index = 0; index < topic.partitionCount; index++) {
      if (partitions[index] !== undefined) continue;
      const opened = this.#shardOf(topic.id, index).openPartition(topic.id, index, topic.options);
      partitions[index] = opened.log;
      durable.push(opened.durable);
    }
    topic.partitions = partitions;
    return durable;
  }

  #shardOf(topicId: string, index: number): Shard {
    const { shards } = this.#parts;
    return present(shards[shardIndex(`${topicId}/${index}`, shards.length)], 'in range');
  }

  #getTopic(name: string): CatalogTopic {
    const topic = this.#parts.catalog.find(name);
    if (topic === undefined || !topic.isDurable) throw new BrokerError('topic-not-found', name);
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
  readonly name: string;
  readonly partitions: readonly [] = [];
  readonly options: TopicOptions;
  readonly ownOptions: Partial<TopicOptions>;
  readonly attributes: Record<string, string>;
  readonly createdMs: number;

  constructor(stored: StoredTopic) {
    this.id = stored.id;
    this.name = stored.name;
    this.options = { ...defaultTopicOptions, ...stored.options };
    this.ownOptions = stored.options;
    this.attributes = stored.attributes;
    this.createdMs = stored.createdMs;
  }
}

/** Which shard a name lives on: FNV-1a, stable for ever, for it decides where stored data are looked for. */
export function shardIndex(name: string, shardCount: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % shardCount;
}

function withoutUndefined<T extends object>(
  value: T,
): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
