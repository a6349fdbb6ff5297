import { isDeepStrictEqual } from 'node:util';
import { BrokerError } from '../../../base/index.ts';
import type { BrokerPort, Queue, Topic } from '../../../broker/index.ts';
import type { PartitionQueue, QueueSettings } from '../../../shard/index.ts';
import type { GroupConfigs } from '../group-configs.ts';
import { deadLetterOf } from './dead-letter-topic.ts';

/** What of a queue's settings the group's configurations say. */
type GroupSettings = Pick<
  QueueSettings,
  'failuresMax' | 'leaseMs' | 'deadLetter' | 'givesUncommitted'
>;

/** Names, on a queue, the share group that it was made for. */
const groupAttribute = 'kafka.share-group';

/**
 * The queues behind share groups. A group is a subscription of its own in each of its topics, under its id; the group that
 * is called like the topic uses the topic's default subscription, which other doors know as the queue of that name.
 */
export class ShareQueues {
  readonly #broker: BrokerPort;
  readonly #configs: GroupConfigs;
  readonly #nowMs: () => number;
  /** Queues that were made for groups, by group id. Undefined until somebody asks. */
  #known: Map<string, Set<Queue>> | undefined;
  #unwatch: (() => void) | undefined;
  readonly #opening = new Map<string, Promise<Queue>>();
  /** Those whose settings are what the configurations say: what the broker presets may be different after a restart. */
  readonly #checked = new WeakSet<Queue>();

  constructor(broker: BrokerPort, configs: GroupConfigs, nowMs: () => number) {
    this.#broker = broker;
    this.#configs = configs;
    this.#nowMs = nowMs;
  }

  close(): void {
    this.#unwatch?.();
  }

  find(groupId: string, topicName: string): Queue | undefined {
    return this.#broker.queues.find('', topicName, subscriptionOf(groupId, topicName));
  }

  /** Whether the group's queue is there and may be used. */
  isReady(groupId: string, topicName: string): boolean {
    if (this.#opening.size > 0) return false;
    const queue = this.find(groupId, topicName);
    return queue !== undefined && queue.exclusiveOwner === undefined;
  }

  /** Groups that have queues. */
  groupIds(): Iterable<string> {
    return this.#all().keys();
  }

  has(groupId: string): boolean {
    return this.#all().has(groupId);
  }

  /** Queues that were made for a group, in order of topic. */
  list(groupId: string): Queue[] {
    return [...(this.#all().get(groupId) ?? [])].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  isMadeFor(queue: Queue, groupId: string): boolean {
    return queue.attributes[groupAttribute] === groupId;
  }

  /** The group's queue in a topic; made where there is none, beginning where the group's configuration says. */
  async open(groupId: string, topic: Topic): Promise<Queue> {
    // While it is being made it may be there already, but not at its beginning.
    const key = `${topic.id}/${groupId}`;
    const known = this.#opening.has(key) ? undefined : this.find(groupId, topic.name);
    const queue = known ?? (await this.#make(key, groupId, topic));
    if (queue.exclusiveOwner !== undefined) throw new BrokerError('queue-exclusive', queue.name);
    if (!this.#checked.has(queue)) await this.#check(queue, groupId);
    return queue;
  }

  /** What the group's configurations mean for a queue of its own. */
  settings(groupId: string): GroupSettings {
    return {
      failuresMax: this.#configs.number(groupId, 'share.delivery.count.limit') - 1,
      leaseMs: this.#configs.number(groupId, 'share.record.lock.duration.ms'),
      deadLetter: deadLetterOf(this.#configs, groupId),
      givesUncommitted: this.#configs.value(groupId, 'share.isolation.level') !== 'read_committed',
    };
  }

  async #check(queue: Queue, groupId: string): Promise<void> {
    if (this.isMadeFor(queue, groupId)) {
      const settings = this.settings(groupId);
      const { failuresMax, leaseMs, deadLetter, givesUncommitted } = queue.settings;
      const present = { failuresMax, leaseMs, deadLetter, givesUncommitted };
      if (!isDeepStrictEqual(present, settings))
        await this.#broker.queues.configure(queue, { settings });
    }
    this.#checked.add(queue);
  }

  async configure(groupId: string): Promise<void> {
    const settings = this.settings(groupId);
    await Promise.all(
      this.list(groupId).map((queue) => this.#broker.queues.configure(queue, { settings })),
    );
  }

  async delete(queue: Queue): Promise<void> {
    await this.#broker.queues.delete(queue);
  }

  #make(key: string, groupId: string, topic: Topic): Promise<Queue> {
    let opening = this.#opening.get(key);
    if (opening === undefined) {
      opening = this.#declare(groupId, topic).finally(() => this.#opening.delete(key));
      this.#opening.set(key, opening);
    }
    return opening;
  }

  async #declare(groupId: string, topic: Topic): Promise<Queue> {
    this.#all();
    const reset = this.#configs.reset(groupId);
    const { queue, isNew } = await this.#broker.queues.declare({
      namespace: '',
      name: topic.name,
      subscription: subscriptionOf(groupId, topic.name),
      settings: this.settings(groupId),
      attributes: { [groupAttribute]: groupId },
      from: reset === 'latest' ? 'latest' : 'earliest',
    });
    if (isNew && typeof reset === 'object') {
      const sinceMs = this.#nowMs() - reset.durationMs;
      await Promise.all(queue.parts.map((part) => beginAtTime(part, sinceMs)));
    }
    return queue;
  }

  #all(): Map<string, Set<Queue>> {
    if (this.#known !== undefined) return this.#known;
    const known = new Map<string, Set<Queue>>();
    this.#known = known;
    for (const queue of this.#broker.queues.list('')) note(known, queue);
    this.#unwatch = this.#broker.queues.watch(({ kind, queue }) => {
      if (kind === 'deleted') forget(known, queue);
      else note(known, queue);
    });
    return known;
  }
}

/** Puts the beginning of a part at `offset`: what is before it is settled, what is from it on is given out (again). */
export async function beginAt(part: PartitionQueue, offset: number): Promise<void> {
  // In one turn, so that both are in the same chunk of the journal.
  const purged = part.purge();
  const rewound = part.rewind(offset);
  await Promise.all([purged, rewound]);
}

async function beginAtTime(part: PartitionQueue, timeMs: number): Promise<void> {
  const found = await part.partition.findByTime(timeMs);
  await beginAt(part, found?.offset ?? part.partition.highWatermark);
}

function subscriptionOf(groupId: string, topicName: string): string {
  return groupId === topicName ? '' : groupId;
}

function note(known: Map<string, Set<Queue>>, queue: Queue): void {
  const groupId = queue.attributes[groupAttribute];
  if (groupId === undefined) return;
  const queues = known.get(groupId);
  if (queues === undefined) known.set(groupId, new Set([queue]));
  else queues.add(queue);
}

function forget(known: Map<string, Set<Queue>>, queue: Queue): void {
  const groupId = queue.attributes[groupAttribute];
  if (groupId === undefined) return;
  const queues = known.get(groupId);
  queues?.delete(queue);
  if (queues?.size === 0) known.delete(groupId);
}
