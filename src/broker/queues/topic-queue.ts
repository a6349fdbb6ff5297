import {
  type AcquiredMessage,
  type AcquireRequest,
  defaultQueueForm,
  defaultQueueSettings,
  type Partition,
  type PartitionQueue,
  type QueueConsumer,
  type QueueCounts,
  type QueueForm,
  type QueueMessage,
  type QueueSettings,
} from '../../shard/index.ts';
import type { CatalogTopic, StoredSubscription } from '../catalog.ts';
import type { Queue } from '../ports/index.ts';
import { acquireFromParts } from './acquire.ts';
import { FollowingConsumer } from './following-consumer.ts';

/** What a queue tells those who look after all of them. */
export interface QueueKeeper {
  nowMs(): number;
  consumerLeft(queue: TopicQueue): void;
  /** The value, or an equal one that other queues have. */
  share<T extends object>(value: T): T;
}

const noAttributes: Readonly<Record<string, string>> = Object.freeze({});

/** The queue of one subscription of a topic: made anew after a restart from what the catalog has. */
export class TopicQueue implements Queue {
  topic: CatalogTopic;
  parts: readonly PartitionQueue[] = [];
  settings: QueueSettings = defaultQueueSettings;
  form: QueueForm = defaultQueueForm;
  exclusiveOwner: object | undefined;
  isDropped = false;
  /** While the declaration is not durable. */
  durable: Promise<void> | undefined;
  /** Monotonic; -1: nobody has used it yet. */
  lastUsedMs = -1;
  #stored!: StoredSubscription;
  readonly #keeper: QueueKeeper;
  /** Each with what stands for it at the parts behind the first; undefined while nobody consumes. */
  #consumers: Map<QueueConsumer, FollowingConsumer | undefined> | undefined;
  /** Those of one part alone. */
  #partConsumers: Map<QueueConsumer, PartitionQueue> | undefined;
  #turn = 0;

  constructor(keeper: QueueKeeper, topic: CatalogTopic, stored: StoredSubscription) {
    this.#keeper = keeper;
    this.topic = topic;
    this.stored = stored;
  }

  get namespace(): string {
    return this.topic.namespace;
  }

  get name(): string {
    return this.topic.name;
  }

  get subscription(): string {
    return this.#stored.name;
  }

  get lifetime(): 'durable' | 'temporary' {
    return this.#stored.isTemporary === true ? 'temporary' : 'durable';
  }

  get isAutoDelete(): boolean {
    return this.#stored.isAutoDelete === true;
  }

  get isExclusive(): boolean {
    return this.#stored.isExclusive === true;
  }

  get idleExpiryMs(): number {
    return this.#stored.idleExpiryMs ?? -1;
  }

  get attributes(): Readonly<Record<string, string>> {
    return this.#stored.attributes ?? noAttributes;
  }

  get createdMs(): number {
    return this.#stored.createdMs;
  }

  get consumerCount(): number {
    return (this.#consumers?.size ?? 0) + (this.#partConsumers?.size ?? 0);
  }

  /** What the catalog has of it. */
  get stored(): StoredSubscription {
    return this.#stored;
  }

  set stored(stored: StoredSubscription) {
    this.#stored = stored;
    const { settings, form } = stored;
    // Most queues have what others have, too: a hundred thousand of them must stay small.
    const keeper = this.#keeper;
    this.settings =
      settings === undefined
        ? defaultQueueSettings
        : keeper.share({ ...defaultQueueSettings, ...settings });
    this.form =
      form === undefined ? defaultQueueForm : keeper.share({ ...defaultQueueForm, ...form });
    for (const part of this.parts) part.settings = this.settings;
  }

  /** Whether a publisher must ask before it stores a message. */
  get hasAdmission(): boolean {
    const { readyMax, readyBytesMax, overflow, dedupWindowMs } = this.settings;
    return dedupWindowMs > 0 || (overflow !== 'drop-head' && (readyMax >= 0 || readyBytesMax >= 0));
  }

  /** Takes the parts that there are now; consumers are attached to those that are new. */
  setParts(parts: readonly PartitionQueue[]): void {
    const before = this.parts;
    this.parts = parts;
    for (const part of parts) part.owner = this;
    if (this.#consumers === undefined) return;
    const known = new Set(before);
    for (const [consumer, follower] of this.#consumers) {
      const added = follower ?? new FollowingConsumer(consumer);
      this.#consumers.set(consumer, added);
      for (const part of parts) if (!known.has(part)) part.attach(added);
    }
  }

  /**
   * The storage of some parts has failed: they have detached everybody. Nobody consumes half a queue: the other parts let
   * go, too, and whoever was not told is told.
   */
  endConsumers(hasFailed: (part: PartitionQueue) => boolean): void {
    for (const [consumer, part] of this.#partConsumers ?? [])
      if (hasFailed(part)) this.#partConsumers?.delete(consumer);
    const consumers = this.#consumers;
    if (consumers === undefined || !this.parts.some(hasFailed)) return;
    this.#consumers = undefined;
    for (const [consumer, follower] of consumers) {
      for (const [index, part] of this.parts.entries()) {
        if (hasFailed(part)) continue;
        if (index > 0 && follower !== undefined) part.detach(follower, 'return');
        if (index > 0) continue;
        part.detach(consumer, 'return');
        consumer.detached('failed');
      }
    }
  }

  counts(): QueueCounts {
    const [first, ...others] = this.parts;
    if (first === undefined) return noCounts();
    const total = first.counts();
    return others.length === 0 ? total : sumCounts(total, others, this.consumerCount);
  }

  attach(consumer: QueueConsumer, only?: PartitionQueue): void {
    this.touch();
    if (only !== undefined) {
      this.#partConsumers ??= new Map();
      this.#partConsumers.set(consumer, only);
      only.attach(consumer);
      return;
    }
    this.#consumers ??= new Map();
    const [first, ...others] = this.parts;
    const follower = others.length === 0 ? undefined : new FollowingConsumer(consumer);
    this.#consumers.set(consumer, follower);
    first?.attach(consumer);
    if (follower !== undefined) for (const part of others) part.attach(follower);
  }

  detach(consumer: QueueConsumer, leases: 'return' | 'return-failed' | 'keep'): void {
    const only = this.#partConsumers?.get(consumer);
    if (only !== undefined) {
      this.#partConsumers?.delete(consumer);
      only.detach(consumer, leases);
    } else if (this.#consumers?.has(consumer) === true) {
      const follower = this.#consumers.get(consumer);
      this.#consumers.delete(consumer);
      for (const [index, part] of this.parts.entries()) {
        if (index === 0) part.detach(consumer, leases);
        else if (follower !== undefined) part.detach(follower, leases);
      }
    } else return;
    if (this.consumerCount > 0) return;
    this.#consumers = undefined;
    this.#partConsumers = undefined;
    this.touch();
    this.#keeper.consumerLeft(this);
  }

  resume(): void {
    for (const part of this.parts) part.resume();
  }

  acquire(request: AcquireRequest): Promise<AcquiredMessage[]> {
    this.touch();
    const [first] = this.parts;
    if (this.parts.length === 1 && first !== undefined) return first.acquire(request);
    this.#turn = (this.#turn + 1) % Math.max(1, this.parts.length);
    return acquireFromParts(this.parts, this.#turn, request);
  }

  releaseOwner(owner: object): void {
    for (const part of this.parts) part.releaseOwner(owner);
  }

  async peek(skip: number, count: number, bytesMax: number): Promise<QueueMessage[]> {
    const messages: QueueMessage[] = [];
    let toSkip = skip;
    let bytesLeft = bytesMax;
    for (const part of this.parts) {
      const wanted = count - messages.length;
      if (wanted <= 0 || bytesLeft <= 0) break;
      // Only the last part may be asked beyond its end; what the others have is known without reading.
      const { ready } = part.counts();
      if (toSkip >= ready && this.parts.length > 1) {
        toSkip -= ready;
        continue;
      }
      const found = await part.peek(toSkip, wanted, bytesLeft);
      toSkip = 0;
      for (const message of found) {
        bytesLeft -= Math.max(0, message.valueBytes);
        messages.push(message);
      }
    }
    return messages;
  }

  async retryDamaged(): Promise<number> {
    const counts = await Promise.all(this.parts.map((part) => part.retryDamaged()));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async purge(isWhole = false): Promise<number> {
    const counts = await Promise.all(this.parts.map((part) => part.purge(isWhole)));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async rewind(to: { timeMs: number } | { offsets: ReadonlyMap<number, number> }): Promise<void> {
    const offsets = await Promise.all(this.parts.map((part) => findOffset(part.partition, to)));
    const rewinds: Array<Promise<void>> = [];
    for (const [index, part] of this.parts.entries()) {
      const offset = offsets[index];
      if (offset !== undefined) rewinds.push(part.rewind(offset));
    }
    await Promise.all(rewinds);
  }

  async settled(): Promise<void> {
    await Promise.all(this.parts.map((part) => part.settled()));
  }

  touch(): void {
    if (this.idleExpiryMs >= 0) this.lastUsedMs = this.#keeper.nowMs();
  }
}

async function findOffset(
  partition: Partition,
  to: { timeMs: number } | { offsets: ReadonlyMap<number, number> },
): Promise<number | undefined> {
  let wanted: number | undefined;
  if ('timeMs' in to) {
    wanted = (await partition.findByTime(to.timeMs))?.offset ?? partition.highWatermark;
  } else {
    wanted = to.offsets.get(partition.index);
  }
  if (wanted === undefined) return undefined;
  return Math.min(Math.max(wanted, partition.logStartOffset), partition.highWatermark);
}

function noCounts(): QueueCounts {
  return {
    ready: 0,
    readyBytes: 0,
    delayed: 0,
    leased: 0,
    leasedBytes: 0,
    damaged: 0,
    consumers: 0,
    published: 0,
    delivered: 0,
    redelivered: 0,
    accepted: 0,
    released: 0,
    dead: 0,
    oldestTimestampMs: undefined,
  };
}

function sumCounts(
  first: QueueCounts,
  others: readonly PartitionQueue[],
  consumers: number,
): QueueCounts {
  const total = { ...first, consumers };
  for (const part of others) {
    const counts = part.counts();
    total.ready += counts.ready;
    total.readyBytes += counts.readyBytes;
    total.delayed += counts.delayed;
    total.leased += counts.leased;
    total.leasedBytes += counts.leasedBytes;
    total.damaged += counts.damaged;
    total.published += counts.published;
    total.delivered += counts.delivered;
    total.redelivered += counts.redelivered;
    total.accepted += counts.accepted;
    total.released += counts.released;
    total.dead += counts.dead;
    const oldest = counts.oldestTimestampMs;
    if (oldest !== undefined) {
      total.oldestTimestampMs = Math.min(total.oldestTimestampMs ?? oldest, oldest);
    }
  }
  return total;
}
