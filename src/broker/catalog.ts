import { BrokerError, limits } from '../base/index.ts';
import { codecs } from '../bytes/index.ts';
import {
  entryKind,
  type PartitionLog,
  type PartitionSettings,
  type QueueForm,
  type QueueSettings,
  type StateExtension,
} from '../shard/index.ts';
import type { TopicQueue } from './queues/index.ts';
import { SharedValues } from './shared-values.ts';
import type { Topic, TopicOptions, TopicRetention } from './types.ts';

/** Entry kinds of the catalog; payloads are JSON, for topics change rarely and gain members over time. */
export const catalogEntryKind = {
  /** A StoredTopic. */
  topicCreated: entryKind.extensionMin + 16,
  /** `{ id }` */
  topicDeleted: entryKind.extensionMin + 17,
  /** `{ id, options, attributes }`: the topic's own, whole. */
  topicConfigured: entryKind.extensionMin + 18,
  /** `{ id, partitions }`: the new number. */
  partitionsAdded: entryKind.extensionMin + 19,
  /** `{ id, subscription }`: a StoredSubscription, new or in place of the one of its name. */
  subscriptionPut: entryKind.extensionMin + 20,
  /** `{ id, subscription }`: the name. */
  subscriptionDeleted: entryKind.extensionMin + 21,
} as const;

export const defaultTopicOptions: Readonly<TopicOptions> = Object.freeze({
  retentionMs: 7 * 24 * 3600 * 1000,
  retentionBytes: -1,
  cleanup: 'delete',
  batchBytesMax: 1_048_588,
  timestampType: 'create',
  timestampBehindMaxMs: Number.MAX_SAFE_INTEGER,
  timestampAheadMaxMs: 3_600_000,
  tombstoneRetentionMs: 24 * 3600 * 1000,
  compactionLagMinMs: 0,
  compactionLagMaxMs: Number.MAX_SAFE_INTEGER,
  dirtyShareMin: 0.5,
  activeBytesMax: 1024 * 1024 * 1024,
  activeMs: 7 * 24 * 3600 * 1000,
  compression: 'producer',
});

/** What a topic that was made for a queue has unless it was set: only settling drops a message, and any fits. */
const queueTopicOptions: Readonly<TopicOptions> = Object.freeze({
  ...defaultTopicOptions,
  retentionMs: -1,
  batchBytesMax: limits.entryBytesMax,
});

/** A queue over a topic, as the journal has it; what is absent is as by default. */
export interface StoredSubscription {
  /** '' is the default one. */
  name: string;
  settings?: Partial<QueueSettings>;
  form?: Partial<QueueForm>;
  isTemporary?: boolean;
  isAutoDelete?: boolean;
  /** It belonged to a connection, which does not outlive the process. */
  isExclusive?: boolean;
  idleExpiryMs?: number;
  attributes?: Record<string, string>;
  createdMs: number;
}

export interface StoredTopic {
  id: string;
  name: string;
  partitions: number;
  options: Partial<TopicOptions>;
  attributes: Record<string, string>;
  createdMs: number;
  /** Absent: the default one. */
  namespace?: string;
  /** Absent: `by-limits`. */
  retention?: TopicRetention;
  /** Absent: none. */
  subscriptions?: StoredSubscription[];
}

const none: Readonly<Record<string, never>> = Object.freeze({});
/** Of a snapshot: so many characters are made into bytes at once. */
const linesCharsMax = 256 * 1024;
const lineEnd = 0x0a;
const openingBracket = 0x5b;
const noSubscriptions: readonly StoredSubscription[] = Object.freeze([]);
const noQueues: readonly TopicQueue[] = Object.freeze([]);

/** A topic as the catalog keeps it; its partitions are linked by the broker. */
export class CatalogTopic implements Topic {
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  readonly retention: TopicRetention;
  readonly createdMs: number;
  partitions: PartitionLog[] = [];
  partitionCount: number;
  options: Readonly<TopicOptions> = defaultTopicOptions;
  ownOptions: Partial<TopicOptions> = none;
  attributes: Readonly<Record<string, string>>;
  /** Mostly none (a log) or one (a queue), for which a list would be much of a topic's memory. */
  #subscriptions: StoredSubscription | readonly StoredSubscription[];
  /** One for each subscription; `Queues` links them. */
  queues: readonly TopicQueue[] = noQueues;
  /** Shown to clients: it would be there after a crash. */
  isDurable: boolean;

  constructor(stored: StoredTopic, isDurable: boolean) {
    this.id = stored.id;
    this.namespace = stored.namespace ?? '';
    this.name = stored.name;
    // The word of the program, not one more copy of it for each topic.
    this.retention = stored.retention === 'until-settled' ? 'until-settled' : 'by-limits';
    this.createdMs = stored.createdMs;
    this.partitionCount = stored.partitions;
    this.attributes = shared(stored.attributes);
    this.#subscriptions = packed(stored.subscriptions ?? noSubscriptions);
    this.isDurable = isDurable;
    this.setOptions(stored.options);
  }

  /** In order of creation. */
  get subscriptions(): readonly StoredSubscription[] {
    const subscriptions = this.#subscriptions;
    return isList(subscriptions) ? subscriptions : [subscriptions];
  }

  setOptions(own: Partial<TopicOptions>): void {
    const initial = this.retention === 'until-settled' ? queueTopicOptions : defaultTopicOptions;
    this.ownOptions = shared(own);
    // Many queues have no options of their own: they share one object.
    this.options = this.ownOptions === none ? initial : { ...initial, ...own };
    const settings = this.partitionSettings();
    for (const partition of this.partitions) partition.settings = settings;
  }

  /** Whether some queue over it must be asked before a message is stored: kept by `Queues`. */
  hasAdmission = false;

  partitionSettings(): PartitionSettings {
    if (this.retention === 'by-limits') return this.options;
    if (this.options === queueTopicOptions) return queuePartitionSettings;
    return { ...this.options, isKeptUntilSettled: true };
  }

  putSubscription(subscription: StoredSubscription): void {
    const rest = this.subscriptions.filter(({ name }) => name !== subscription.name);
    this.#subscriptions = packed([...rest, subscription]);
  }

  deleteSubscription(name: string): void {
    const rest = this.subscriptions.filter((subscription) => subscription.name !== name);
    this.#subscriptions = rest.length === 0 ? noSubscriptions : packed(rest);
  }

  store(): StoredTopic {
    const { subscriptions } = this;
    return {
      id: this.id,
      name: this.name,
      partitions: this.partitionCount,
      options: this.ownOptions,
      attributes: this.attributes,
      createdMs: this.createdMs,
      ...(this.namespace === '' ? {} : { namespace: this.namespace }),
      ...(this.retention === 'by-limits' ? {} : { retention: this.retention }),
      ...(subscriptions.length === 0 ? {} : { subscriptions: [...subscriptions] }),
    };
  }
}

const queuePartitionSettings: PartitionSettings = Object.freeze({
  ...queueTopicOptions,
  isKeptUntilSettled: true,
});

/** All topics: state of the first shard. */
export class Catalog implements StateExtension {
  readonly name = 'catalog';
  /** By namespace, then name. */
  readonly #byName = new Map<string, Map<string, CatalogTopic>>();
  readonly #byId = new Map<string, CatalogTopic>();
  /** Of each namespace in order of name, made when it is asked for. */
  readonly #sorted = new Map<string, readonly CatalogTopic[]>();
  /** What the parts of many topics and queues say alike. */
  readonly sharedValues = new SharedValues();
  #partitionCount = 0;
  #version = 0;
  /** Entries applied now come from the journal: what they make is durable. */
  #isReplaying = true;

  /** From now on entries are new ones. */
  endReplay(): void {
    this.#isReplaying = false;
  }

  find(namespace: string, name: string): CatalogTopic | undefined {
    return this.#byName.get(namespace)?.get(name);
  }

  findById(id: string): CatalogTopic | undefined {
    return this.#byId.get(id);
  }

  /** Of one namespace, in order of name. The array is shared. */
  list(namespace: string): readonly CatalogTopic[] {
    let sorted = this.#sorted.get(namespace);
    if (sorted === undefined) {
      const topics = this.#byName.get(namespace);
      if (topics === undefined) return [];
      sorted = [...topics.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
      this.#sorted.set(namespace, sorted);
    }
    return sorted;
  }

  /** Of every namespace, in no order. */
  all(): IterableIterator<CatalogTopic> {
    return this.#byId.values();
  }

  /** Those that have topics, in order. */
  namespaces(): string[] {
    return [...this.#byName.keys()].toSorted();
  }

  get partitionCount(): number {
    return this.#partitionCount;
  }

  /** Grows whenever a name may stand for something else than before. */
  get version(): number {
    return this.#version;
  }

  /** From now on the topic is shown to everybody. */
  show(topic: CatalogTopic): void {
    topic.isDurable = true;
    this.#version++;
  }

  owns(kind: number): boolean {
    return kind >= catalogEntryKind.topicCreated && kind <= catalogEntryKind.subscriptionDeleted;
  }

  apply(kind: number, payload: Uint8Array): void {
    this.#version++;
    const entry = decode(payload);
    if (kind === catalogEntryKind.topicCreated) {
      this.#addStored(entry as unknown as StoredTopic, this.#isReplaying);
      return;
    }
    const topic = this.#byId.get(String(entry['id']));
    if (topic === undefined) return;
    if (kind === catalogEntryKind.topicDeleted) {
      this.#remove(topic);
    } else if (kind === catalogEntryKind.topicConfigured) {
      topic.attributes = shared(entry['attributes'] as Record<string, string>);
      topic.setOptions(entry['options'] as Partial<TopicOptions>);
    } else if (kind === catalogEntryKind.subscriptionPut) {
      topic.putSubscription(this.#share(entry['subscription'] as StoredSubscription));
    } else if (kind === catalogEntryKind.subscriptionDeleted) {
      topic.deleteSubscription(String(entry['subscription']));
    } else {
      const partitions = Number(entry['partitions']);
      this.#partitionCount += partitions - topic.partitionCount;
      topic.partitionCount = partitions;
    }
  }

  /** A line of JSON for each topic: of very many none is a text of all of them at once. */
  encode(): Uint8Array {
    const parts: Uint8Array[] = [];
    let lines = '';
    for (const topic of this.#byId.values()) {
      lines += `${JSON.stringify(topic.store())}\n`;
      if (lines.length < linesCharsMax) continue;
      parts.push(Buffer.from(lines, 'utf8'));
      lines = '';
    }
    parts.push(Buffer.from(lines, 'utf8'));
    return Buffer.concat(parts);
  }

  restore(state: Uint8Array | undefined): void {
    this.#version++;
    this.#isReplaying = true;
    this.#byName.clear();
    this.#byId.clear();
    this.#sorted.clear();
    this.#partitionCount = 0;
    if (state === undefined) return;
    const text = Buffer.from(state.buffer, state.byteOffset, state.length);
    if (text[0] === openingBracket) {
      // As snapshots were at first: one array.
      const stored = JSON.parse(text.toString('utf8')) as StoredTopic[];
      for (const topic of stored) this.#addStored(topic, true);
      return;
    }
    for (let at = 0; at < text.length; ) {
      const end = text.indexOf(lineEnd, at);
      this.#addStored(JSON.parse(text.toString('utf8', at, end)) as StoredTopic, true);
      at = end + 1;
    }
  }

  #addStored(stored: StoredTopic, isDurable: boolean): void {
    const attributes = this.sharedValues.share(stored.attributes);
    const subscriptions = stored.subscriptions?.map((subscription) => this.#share(subscription));
    const options = this.sharedValues.share(stored.options);
    const rest = { ...stored, attributes, options };
    this.#add(
      new CatalogTopic(subscriptions === undefined ? rest : { ...rest, subscriptions }, isDurable),
    );
  }

  #share(subscription: StoredSubscription): StoredSubscription {
    const { settings, form, attributes } = subscription;
    if (settings !== undefined) subscription.settings = this.sharedValues.share(settings);
    if (form !== undefined) subscription.form = this.sharedValues.share(form);
    if (attributes !== undefined) subscription.attributes = this.sharedValues.share(attributes);
    return subscription;
  }

  #add(topic: CatalogTopic): void {
    const { namespace } = topic;
    let topics = this.#byName.get(namespace);
    if (topics === undefined) {
      topics = new Map();
      this.#byName.set(namespace, topics);
    }
    topics.set(topic.name, topic);
    this.#byId.set(topic.id, topic);
    this.#sorted.delete(namespace);
    this.#partitionCount += topic.partitionCount;
  }

  #remove(topic: CatalogTopic): void {
    const topics = this.#byName.get(topic.namespace);
    topics?.delete(topic.name);
    if (topics?.size === 0) this.#byName.delete(topic.namespace);
    this.#byId.delete(topic.id);
    this.#sorted.delete(topic.namespace);
    this.#partitionCount -= topic.partitionCount;
  }
}

/** Of one, itself. */
function packed(
  subscriptions: readonly StoredSubscription[],
): StoredSubscription | readonly StoredSubscription[] {
  const [first] = subscriptions;
  return first === undefined || subscriptions.length > 1 ? subscriptions : first;
}

function isList(
  subscriptions: StoredSubscription | readonly StoredSubscription[],
): subscriptions is readonly StoredSubscription[] {
  return Array.isArray(subscriptions);
}

/** Many objects of a store are empty: they are one. */
function shared<T extends object>(value: T): T {
  // An empty object is a value of every type whose members are all optional, which is what comes here.
  return Object.keys(value).length === 0 ? (none as unknown as T) : value;
}

export function encodeEntry(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value), 'utf8');
}

/** Throws topic-name-invalid for what the catalog cannot keep: names are 1 to 255 bytes of UTF-8. */
export function checkName(name: string): void {
  const bytes = Buffer.byteLength(name);
  if (bytes === 0) throw new BrokerError('topic-name-invalid', 'it is empty');
  if (bytes > limits.nameBytesMax) {
    throw new BrokerError(
      'topic-name-invalid',
      `it has ${bytes} bytes, more than ${limits.nameBytesMax}`,
    );
  }
  // A lone surrogate has no UTF-8.
  if (/\p{Surrogate}/u.test(name))
    throw new BrokerError('topic-name-invalid', 'it is not Unicode text');
}

/** The stricter rule of logs, for doors whose protocol has it and for people. Throws topic-name-invalid. */
export function checkTopicName(name: string): void {
  const problem = findNameProblem(name);
  if (problem !== undefined) throw new BrokerError('topic-name-invalid', problem);
}

function findNameProblem(name: string): string | undefined {
  if (name === '') return 'it is empty';
  if (name === '.' || name === '..') return `"${name}" is not a name`;
  if (name.length > limits.topicNameCharsMax) {
    return `it has ${name.length} characters, more than ${limits.topicNameCharsMax}`;
  }
  if (!/^[a-zA-Z0-9._-]+$/.test(name)) {
    return `"${name}" has a character other than ASCII letters, digits, ".", "_" and "-"`;
  }
  return undefined;
}

/** Throws config-invalid for a value that an option cannot have. */
export function checkTopicOptions(
  options: { [K in keyof TopicOptions]?: TopicOptions[K] | undefined },
): void {
  const checkInteger = (name: keyof TopicOptions, min: number): void => {
    const value = options[name];
    if (value !== undefined && (!Number.isSafeInteger(value) || Number(value) < min)) {
      throw new BrokerError(
        'config-invalid',
        `${name} must be a whole number of at least ${min}, not ${value}`,
      );
    }
  };
  checkInteger('retentionMs', -1);
  checkInteger('retentionBytes', -1);
  checkInteger('batchBytesMax', 0);
  checkInteger('timestampBehindMaxMs', 0);
  checkInteger('timestampAheadMaxMs', 0);
  checkInteger('tombstoneRetentionMs', 0);
  checkInteger('compactionLagMinMs', 0);
  checkInteger('compactionLagMaxMs', 1);
  const { compactionLagMinMs = 0, compactionLagMaxMs = Number.MAX_SAFE_INTEGER } = options;
  if (compactionLagMinMs > compactionLagMaxMs) {
    throw new BrokerError(
      'config-invalid',
      `compactionLagMinMs (${compactionLagMinMs}) is above compactionLagMaxMs (${compactionLagMaxMs})`,
    );
  }
  checkInteger('activeBytesMax', 1);
  checkInteger('activeMs', 1);
  const { cleanup, timestampType, dirtyShareMin, compression } = options;
  if (dirtyShareMin !== undefined && !(dirtyShareMin >= 0 && dirtyShareMin <= 1)) {
    throw new BrokerError('config-invalid', `dirtyShareMin cannot be ${dirtyShareMin}`);
  }
  if (compression !== undefined && compression !== 'producer' && !codecs.includes(compression)) {
    throw new BrokerError('config-invalid', `compression cannot be ${compression}`);
  }
  if (cleanup !== undefined && !['delete', 'compact', 'compact,delete', 'none'].includes(cleanup)) {
    throw new BrokerError('config-invalid', `cleanup cannot be ${cleanup}`);
  }
  if (timestampType !== undefined && timestampType !== 'create' && timestampType !== 'append') {
    throw new BrokerError('config-invalid', `timestampType cannot be ${String(timestampType)}`);
  }
}

function decode(payload: Uint8Array): Record<string, unknown> {
  return JSON.parse(Buffer.from(payload).toString('utf8')) as Record<string, unknown>;
}
