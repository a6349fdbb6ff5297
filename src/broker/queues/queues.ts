import { BrokerError, type Clock, limits } from '../../base/index.ts';
import {
  type Deadline,
  DeadlineQueue,
  type FilterCompiler,
  type PartitionLog,
  type PartitionQueue,
  type QueueSettings,
  type QueueTable,
} from '../../shard/index.ts';
import {
  type Catalog,
  catalogEntryKind,
  type CatalogTopic,
  checkName,
  encodeEntry,
  type StoredSubscription,
} from '../catalog.ts';
import type { DeclareQueueRequest, Queue, QueuesPort } from '../ports/index.ts';
import { exact, type TopicQueues, type Topics } from '../topics.ts';
import { checkQueueForm, checkQueueSettings } from './queue-options.ts';
import { type QueueKeeper, TopicQueue } from './topic-queue.ts';

type Change = { kind: 'created' | 'deleted' | 'changed'; queue: Queue };

export interface QueuesParts {
  catalog: Catalog;
  topics: Topics;
  clock: Clock;
  /** Stores an entry of the catalog: applied at once where entries are taken, resolves when it is durable. */
  submit: (kind: number, payload: Uint8Array) => Promise<void>;
  /** The queue tables of all shards. */
  tables: () => readonly QueueTable[];
  /** The one of the shard on which a partition lives. */
  tableOf: (topicId: string, partition: number) => QueueTable;
  /** Judges the filters of settings; without it they are refused. */
  compileFilter?: FilterCompiler | undefined;
  /** A queue is gone, though its topic is not: nothing is bound to it any more. */
  unbind: (topic: CatalogTopic) => Promise<void>;
}

/** A deletion that nobody waits for is tried again after this long. */
const retryMs = 1000;

/** Queues with damaged messages that are named. */
const damageShownMax = 20;

/** What is told when a queue goes on without messages that cannot be read. */
export function describeDamage(part: PartitionQueue, from: number, end: number): string {
  const what = end - from === 1 ? `message ${from}` : `messages ${from} to ${end - 1}`;
  return `${nameOf(part)}: ${what} of partition ${part.partition.index} cannot be read and will be kept as damaged: see "pabal verify"`;
}

function nameOf(part: PartitionQueue): string {
  const { owner } = part;
  if (!(owner instanceof TopicQueue)) return `queue over ${part.partition.topicId}`;
  const { namespace, name, subscription } = owner;
  const whose = `queue ${namespace === '' ? '' : `${namespace}/`}${name}`;
  return subscription === '' ? whose : `${whose}, subscription ${subscription}`;
}

/** All queues: their declarations are part of the catalog, their messages' state of the shards' queue tables. */
export class Queues implements QueuesPort, TopicQueues, QueueKeeper {
  readonly #parts: QueuesParts;
  readonly #all = new Set<TopicQueue>();
  readonly #exclusive = new Map<object, Set<TopicQueue>>();
  /** Of subscriptions whose topics stay, while they are not durable. */
  readonly #deletions = new Map<string, Promise<void>>();
  readonly #listeners = new Set<(change: Change) => void>();
  readonly #idle: DeadlineQueue;
  readonly #idleDeadlines = new Map<TopicQueue, Deadline>();
  #partCount = 0;
  #isClosed = false;

  constructor(parts: QueuesParts) {
    this.#parts = parts;
    this.#idle = new DeadlineQueue(parts.clock);
  }

  /** Queues of all namespaces. */
  get count(): number {
    return this.#all.size;
  }

  find(namespace: string, name: string, subscription = ''): TopicQueue | undefined {
    const queue = this.#findAny(namespace, name, subscription);
    return queue === undefined || queue.durable !== undefined ? undefined : queue;
  }

  list(namespace?: string): Queue[] {
    const { catalog } = this.#parts;
    const namespaces = namespace === undefined ? catalog.namespaces() : [namespace];
    const queues: Queue[] = [];
    for (const one of namespaces) {
      for (const topic of catalog.list(one)) {
        if (topic.queues.length === 0) continue;
        const shown = topic.queues.filter(({ durable }) => durable === undefined);
        if (shown.length > 1) shown.sort((a, b) => (a.subscription < b.subscription ? -1 : 1));
        queues.push(...shown);
      }
    }
    return queues;
  }

  /** Queues with messages that cannot be read, and how many, in words; of very many, the first. */
  findDamage(): string[] {
    const found: string[] = [];
    let others = 0;
    for (const table of this.#parts.tables()) {
      for (const part of table.listDamaged()) {
        if (found.length < damageShownMax)
          found.push(`${nameOf(part)}: ${part.counts().damaged} messages cannot be read`);
        else others += 1;
      }
    }
    if (others > 0) found.push(`${others} more queues have messages that cannot be read`);
    return found;
  }

  async declare(request: DeclareQueueRequest): Promise<{ queue: Queue; isNew: boolean }> {
    const { namespace, name, subscription = '' } = request;
    // Until the parts of the one before are gone, a new one would take them for its own, and lose them.
    for (;;) {
      const topic = this.#parts.catalog.find(namespace, name);
      const deletion = topic && this.#deletions.get(keyOf(topic.id, subscription));
      if (deletion === undefined) break;
      await deletion.catch(ignoreError);
    }
    const known = this.#findAny(namespace, name, subscription);
    if (known !== undefined) {
      known.touch();
      await known.durable;
      return { queue: known, isNew: false };
    }
    const stored = this.#describe(request);
    const { queue, durable } = this.#open(request, stored);
    if (queue === undefined) return durable.then(() => Promise.reject(notFound(name)));
    if (stored.isTemporary === true) {
      // It need not outlive a crash: nobody waits for the disk. A failure of the storage drops it.
      durable.catch(() => undefined);
      this.#parts.catalog.show(queue.topic);
    } else {
      queue.durable = durable;
      await durable;
      queue.durable = undefined;
    }
    if (queue.isDropped) throw notFound(name);
    this.#watchIdle(queue);
    this.#tell('created', queue);
    return { queue, isNew: true };
  }

  async delete(
    queue: Queue,
    { ifUnused = false, ifEmpty = false }: { ifUnused?: boolean; ifEmpty?: boolean } = {},
  ): Promise<number> {
    const own = this.#own(queue);
    const { ready, consumers } = own.counts();
    if (ifUnused && consumers > 0) throw new BrokerError('queue-in-use', own.name);
    if (ifEmpty && ready > 0) throw new BrokerError('queue-not-empty', own.name);
    const { topic } = own;
    if (topic.retention === 'until-settled' && topic.subscriptions.length === 1) {
      await this.#parts.topics.deleteTopic(topic);
      return ready;
    }
    const key = keyOf(topic.id, own.subscription);
    const deletion = this.#deleteSubscription(own);
    this.#deletions.set(key, deletion);
    try {
      await deletion;
    } finally {
      if (this.#deletions.get(key) === deletion) this.#deletions.delete(key);
    }
    return ready;
  }

  async #deleteSubscription(own: TopicQueue): Promise<void> {
    const { topic } = own;
    const entry = encodeEntry({ id: topic.id, subscription: own.subscription });
    const deleted = this.#parts.submit(catalogEntryKind.subscriptionDeleted, entry);
    const isApplied = !topic.subscriptions.includes(own.stored);
    if (isApplied) this.#forget(own);
    // What is bound to a name is bound to its default queue, and only where there is none to its topic.
    const isUnbound = isApplied && own.subscription === '';
    await Promise.all([deleted, isUnbound ? this.#parts.unbind(topic) : undefined]);
    await Promise.all(this.#dropParts(own));
  }

  async configure(
    queue: Queue,
    change: {
      settings?: Partial<QueueSettings>;
      idleExpiryMs?: number;
      attributes?: Record<string, string>;
    },
  ): Promise<void> {
    const own = this.#own(queue);
    const before = own.stored;
    const settings = withoutUndefined({ ...before.settings, ...change.settings });
    checkQueueSettings(settings);
    this.#checkFilter(settings);
    const idleExpiryMs = change.idleExpiryMs ?? before.idleExpiryMs ?? -1;
    const attributes = withoutUndefined({ ...before.attributes, ...change.attributes });
    const {
      settings: _settings,
      idleExpiryMs: _idleExpiryMs,
      attributes: _attributes,
      ...kept
    } = before;
    const subscription: StoredSubscription = {
      ...kept,
      ...someOf('settings', settings),
      ...(idleExpiryMs < 0 ? {} : { idleExpiryMs }),
      ...someOf('attributes', attributes),
    };
    const entry = encodeEntry({ id: own.topic.id, subscription });
    const stored = this.#parts.submit(catalogEntryKind.subscriptionPut, entry);
    const applied = own.topic.subscriptions.find((one) => one.name === own.subscription);
    if (applied !== undefined) own.stored = applied;
    setQueues(own.topic, own.topic.queues);
    this.#watchIdle(own);
    await stored;
    this.#tell('changed', own);
  }

  async releaseExclusive(owner: object): Promise<void> {
    const queues = this.#exclusive.get(owner);
    this.#exclusive.delete(owner);
    await Promise.all([...(queues ?? [])].map((queue) => this.#deleteSoon(queue)));
  }

  watch(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The queue's partitions and what else lives on their shard may be gone any moment: nothing is deleted any more. */
  close(): void {
    this.#isClosed = true;
    this.#idle.close();
    this.#idleDeadlines.clear();
  }

  // QueueKeeper

  nowMs(): number {
    return this.#parts.clock.monotonicMs();
  }

  share<T extends object>(value: T): T {
    return this.#parts.catalog.sharedValues.share(value);
  }

  consumerLeft(queue: TopicQueue): void {
    if (queue.isAutoDelete) void this.#deleteSoon(queue);
  }

  // TopicQueues

  link(topic: CatalogTopic): Array<Promise<void>> {
    const durable: Array<Promise<void>> = [];
    const before = topic.queues;
    const queues: TopicQueue[] = [];
    for (const stored of topic.subscriptions) {
      let queue = before.find(({ subscription }) => subscription === stored.name);
      if (queue === undefined) queue = this.#add(topic, stored);
      queues.push(queue);
      durable.push(...this.#linkParts(queue, (log) => log.logStartOffset));
    }
    setQueues(topic, queues);
    return durable;
  }

  forget(topic: CatalogTopic): void {
    for (const queue of topic.queues) this.#forget(queue);
  }

  drop(topic: CatalogTopic): Array<Promise<void>> {
    return topic.queues.flatMap((queue) => this.#dropParts(queue));
  }

  // Recovery

  /**
   * After the topics have their partitions: gives those who hold queues the same objects with their new state, and drops
   * parts whose subscription a crash has left behind. `failedShard`: the one that has recovered; undefined at the start,
   * which also drops what does not outlive a process.
   */
  async adopt(failedShard?: number): Promise<void> {
    const { catalog, tableOf } = this.#parts;
    const isStart = failedShard === undefined;
    const failed = isStart ? undefined : this.#parts.tables()[failedShard];
    const hasFailed = ({ partition }: PartitionQueue): boolean =>
      tableOf(partition.topicId, partition.index) === failed;
    const before = new Map<string, TopicQueue>();
    for (const queue of this.#all) before.set(keyOf(queue.topic.id, queue.subscription), queue);
    this.#all.clear();
    this.#partCount = 0;
    const durable: Array<Promise<unknown>> = [];
    const doomed: TopicQueue[] = [];
    for (const topic of catalog.all()) {
      if (topic.subscriptions.length === 0) continue;
      const queues: TopicQueue[] = [];
      for (const stored of topic.subscriptions) {
        const key = keyOf(topic.id, stored.name);
        const known = before.get(key);
        const isKept = known !== undefined && !known.isDropped;
        before.delete(key);
        const queue = isKept ? known : new TopicQueue(this, topic, stored);
        queue.topic = topic;
        queue.stored = stored;
        queue.durable = undefined;
        if (failedShard !== undefined) queue.endConsumers(hasFailed);
        this.#all.add(queue);
        this.#partCount += queue.parts.length;
        queues.push(queue);
        // It belonged to an earlier life, or was being deleted when the storage failed.
        const isShortLived = queue.lifetime === 'temporary' || queue.isExclusive;
        if (isStart ? isShortLived : !isKept && (isShortLived || queue.isAutoDelete))
          doomed.push(queue);
      }
      setQueues(topic, queues);
      for (const queue of queues) {
        durable.push(...this.#linkParts(queue, (log) => log.logStartOffset));
      }
    }
    for (const gone of before.values()) this.#markGone(gone);
    for (const table of this.#parts.tables()) {
      const orphans: PartitionQueue[] = [];
      for (const part of table.list()) {
        if (!(part.owner instanceof TopicQueue) || !this.#all.has(part.owner)) orphans.push(part);
      }
      for (const part of orphans) durable.push(table.drop(part));
    }
    for (const queue of this.#all) this.#watchIdle(queue);
    for (const queue of doomed) durable.push(this.delete(queue));
    await Promise.all(durable);
  }

  #findAny(namespace: string, name: string, subscription: string): TopicQueue | undefined {
    const queues = this.#parts.catalog.find(namespace, name)?.queues;
    if (queues === undefined) return undefined;
    for (const queue of queues) if (queue.subscription === subscription) return queue;
    return undefined;
  }

  #own(queue: Queue): TopicQueue {
    if (!(queue instanceof TopicQueue) || queue.isDropped) {
      throw notFound(queue.name);
    }
    return queue;
  }

  #describe(request: DeclareQueueRequest): StoredSubscription {
    const { namespace, name, subscription = '', idleExpiryMs = -1 } = request;
    checkName(name);
    if (namespace !== '') checkName(namespace);
    if (subscription !== '') checkName(subscription);
    const settings = withoutUndefined(request.settings ?? {});
    const form = withoutUndefined(request.form ?? {});
    const attributes = withoutUndefined(request.attributes ?? {});
    checkQueueSettings(settings);
    checkQueueForm(form);
    this.#checkFilter(settings);
    return {
      name: subscription,
      ...someOf('settings', settings),
      ...someOf('form', form),
      ...someOf('attributes', attributes),
      ...(request.lifetime === 'temporary' ? { isTemporary: true } : {}),
      ...(request.isAutoDelete === true ? { isAutoDelete: true } : {}),
      ...(request.exclusiveOwner === undefined ? {} : { isExclusive: true }),
      ...(idleExpiryMs < 0 ? {} : { idleExpiryMs }),
      createdMs: this.#parts.clock.nowMs(),
    };
  }

  #checkFilter({ filter }: Partial<QueueSettings>): void {
    if (filter === undefined) return;
    const { compileFilter } = this.#parts;
    if (compileFilter === undefined) {
      throw new BrokerError('filter-invalid', `nothing reads filters in ${filter.language}`);
    }
    compileFilter(filter);
  }

  /** Everything that a new queue needs is sequenced at once: its declaration waits for one durable write. */
  #open(
    request: DeclareQueueRequest,
    stored: StoredSubscription,
  ): { queue: TopicQueue | undefined; durable: Promise<void> } {
    const { catalog, topics, submit } = this.#parts;
    const { namespace, name } = request;
    const existing = catalog.find(namespace, name);
    const partitions = existing?.partitionCount ?? request.partitions ?? 1;
    if (this.#partCount + partitions > limits.queuePartsMax) {
      throw new BrokerError(
        'policy-refused',
        `a broker has at most ${limits.queuePartsMax} queues`,
      );
    }
    let durable: Promise<void>;
    if (existing === undefined) {
      durable = topics.createForQueue(namespace, name, partitions, stored).durable;
    } else {
      if (existing.subscriptions.length >= limits.subscriptionsPerTopicMax) {
        throw new BrokerError(
          'policy-refused',
          `a topic has at most ${limits.subscriptionsPerTopicMax} queues`,
        );
      }
      const entry = encodeEntry({ id: existing.id, subscription: stored });
      const put = submit(catalogEntryKind.subscriptionPut, entry);
      durable = Promise.all([put, ...this.#linkNew(existing, stored.name, request.from)]).then(
        () => undefined,
      );
    }
    // Nothing was applied where the shard takes no entries now: `durable` says why.
    const queue = this.#findAny(namespace, name, stored.name);
    if (queue !== undefined && request.exclusiveOwner !== undefined) {
      this.#giveTo(request.exclusiveOwner, queue);
    }
    return { queue, durable };
  }

  #linkNew(
    topic: CatalogTopic,
    subscription: string,
    from: 'earliest' | 'latest' = 'earliest',
  ): Array<Promise<void>> {
    const stored = topic.subscriptions.find(({ name }) => name === subscription);
    if (stored === undefined) return [];
    const queue = this.#add(topic, stored);
    setQueues(topic, [...topic.queues, queue]);
    return this.#linkParts(queue, (log) =>
      from === 'latest' ? log.highWatermark : log.logStartOffset,
    );
  }

  #add(topic: CatalogTopic, stored: StoredSubscription): TopicQueue {
    const queue = new TopicQueue(this, topic, stored);
    this.#all.add(queue);
    return queue;
  }

  #giveTo(owner: object, queue: TopicQueue): void {
    queue.exclusiveOwner = owner;
    const owned = this.#exclusive.get(owner);
    if (owned === undefined) this.#exclusive.set(owner, new Set([queue]));
    else owned.add(queue);
  }

  /** Gives a queue its part of every partition; those that there are not yet begin where `startOf` says. */
  #linkParts(queue: TopicQueue, startOf: (log: PartitionLog) => number): Array<Promise<void>> {
    const durable: Array<Promise<void>> = [];
    const { topic, subscription, form, settings } = queue;
    const parts: PartitionQueue[] = [];
    for (const log of topic.partitions) {
      const table = this.#parts.tableOf(topic.id, log.index);
      let part = table.find(log, subscription);
      if (part === undefined) {
        const opened = table.open(log, subscription, form, settings, startOf(log));
        part = opened.queue;
        durable.push(opened.durable);
      } else {
        part.settings = settings;
      }
      parts.push(part);
    }
    this.#partCount += parts.length - queue.parts.length;
    queue.setParts(exact(parts));
    return durable;
  }

  #dropParts(queue: TopicQueue): Array<Promise<void>> {
    const durable: Array<Promise<void>> = [];
    // The first one last: it tells the consumers.
    for (const part of queue.parts.toReversed()) {
      if (part.isDropped) continue;
      const { topicId, index } = part.partition;
      durable.push(this.#parts.tableOf(topicId, index).drop(part));
    }
    return durable;
  }

  #forget(queue: TopicQueue): void {
    if (!this.#all.delete(queue)) return;
    this.#partCount -= queue.parts.length;
    const { topic } = queue;
    if (!topic.subscriptions.includes(queue.stored)) {
      setQueues(
        topic,
        topic.queues.filter((one) => one !== queue),
      );
    }
    this.#markGone(queue);
  }

  #markGone(queue: TopicQueue): void {
    queue.isDropped = true;
    this.#idle.cancel(this.#idleDeadlines.get(queue));
    this.#idleDeadlines.delete(queue);
    const owner = queue.exclusiveOwner;
    const owned = owner === undefined ? undefined : this.#exclusive.get(owner);
    owned?.delete(queue);
    if (owner !== undefined && owned?.size === 0) this.#exclusive.delete(owner);
    this.#tell('deleted', queue);
  }

  #tell(kind: Change['kind'], queue: TopicQueue): void {
    for (const listener of this.#listeners) listener({ kind, queue });
  }

  /** Deletes a queue for which nobody waits; tries again while the storage fails. */
  async #deleteSoon(queue: TopicQueue): Promise<void> {
    if (queue.isDropped || this.#isClosed) return;
    try {
      await this.delete(queue);
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      this.#parts.clock.setTimer(retryMs, () => void this.#deleteSoon(queue));
    }
  }

  #watchIdle(queue: TopicQueue): void {
    this.#idle.cancel(this.#idleDeadlines.get(queue));
    this.#idleDeadlines.delete(queue);
    if (queue.idleExpiryMs < 0 || this.#isClosed) return;
    if (queue.lastUsedMs < 0) queue.touch();
    const dueMs = queue.lastUsedMs + queue.idleExpiryMs;
    this.#idleDeadlines.set(
      queue,
      this.#idle.schedule(dueMs, () => this.#expire(queue)),
    );
  }

  #expire(queue: TopicQueue): void {
    this.#idleDeadlines.delete(queue);
    if (queue.consumerCount > 0) queue.touch();
    if (queue.lastUsedMs + queue.idleExpiryMs > this.nowMs()) this.#watchIdle(queue);
    else void this.#deleteSoon(queue);
  }
}

function setQueues(topic: CatalogTopic, queues: readonly TopicQueue[]): void {
  topic.queues = exact(queues);
  topic.hasAdmission = queues.some((queue) => queue.hasAdmission);
}

function ignoreError(): void {}

function notFound(name: string): BrokerError {
  return new BrokerError('queue-not-found', name);
}

function keyOf(topicId: string, subscription: string): string {
  return `${topicId}/${subscription}`;
}

/** The member, where its value has something in it. */
function someOf<K extends string, T extends object>(key: K, value: T): { [P in K]?: T } {
  // A computed key is a string to the compiler, whatever its type.
  return Object.keys(value).length === 0 ? {} : ({ [key]: value } as { [P in K]: T });
}

function withoutUndefined<T extends object>(
  value: T,
): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
