import { BrokerError, limits } from '../base/index.ts';
import { entryKind, type PartitionLog, type StateExtension } from '../shard/index.ts';
import type { Topic, TopicOptions } from './types.ts';

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
} as const;

export const defaultTopicOptions: Readonly<TopicOptions> = {
  retentionMs: 7 * 24 * 3600 * 1000,
  retentionBytes: -1,
  cleanup: 'delete',
  batchBytesMax: 1_048_588,
  timestampType: 'create',
  timestampBehindMaxMs: Number.MAX_SAFE_INTEGER,
  timestampAheadMaxMs: 3_600_000,
};

export interface StoredTopic {
  id: string;
  name: string;
  partitions: number;
  options: Partial<TopicOptions>;
  attributes: Record<string, string>;
  createdMs: number;
}

/** A topic as the catalog keeps it; its partitions are linked by the broker. */
export class CatalogTopic implements Topic {
  readonly id: string;
  readonly name: string;
  readonly createdMs: number;
  partitions: PartitionLog[] = [];
  partitionCount: number;
  options: TopicOptions = defaultTopicOptions;
  ownOptions: Partial<TopicOptions> = {};
  attributes: Record<string, string>;
  /** Shown to clients: it would be there after a crash. */
  isDurable: boolean;

  constructor(stored: StoredTopic, isDurable: boolean) {
    this.id = stored.id;
    this.name = stored.name;
    this.createdMs = stored.createdMs;
    this.partitionCount = stored.partitions;
    this.attributes = stored.attributes;
    this.isDurable = isDurable;
    this.setOptions(stored.options);
  }

  setOptions(own: Partial<TopicOptions>): void {
    this.ownOptions = own;
    this.options = { ...defaultTopicOptions, ...own };
    for (const partition of this.partitions) partition.settings = this.options;
  }

  store(): StoredTopic {
    return {
      id: this.id,
      name: this.name,
      partitions: this.partitionCount,
      options: this.ownOptions,
      attributes: this.attributes,
      createdMs: this.createdMs,
    };
  }
}

/** All topics: state of the first shard. */
export class Catalog implements StateExtension {
  readonly name = 'catalog';
  readonly #byName = new Map<string, CatalogTopic>();
  readonly #byId = new Map<string, CatalogTopic>();
  /** Entries applied now come from the journal: what they make is durable. */
  #isReplaying = true;

  /** From now on entries are new ones. */
  endReplay(): void {
    this.#isReplaying = false;
  }

  find(name: string): CatalogTopic | undefined {
    return this.#byName.get(name);
  }

  findById(id: string): CatalogTopic | undefined {
    return this.#byId.get(id);
  }

  list(): CatalogTopic[] {
    return [...this.#byName.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  get partitionCount(): number {
    let total = 0;
    for (const topic of this.#byName.values()) total += topic.partitionCount;
    return total;
  }

  owns(kind: number): boolean {
    return kind >= catalogEntryKind.topicCreated && kind <= catalogEntryKind.partitionsAdded;
  }

  apply(kind: number, payload: Uint8Array): void {
    const entry = decode(payload);
    if (kind === catalogEntryKind.topicCreated) {
      this.#add(new CatalogTopic(entry as unknown as StoredTopic, this.#isReplaying));
      return;
    }
    const topic = this.#byId.get(String(entry['id']));
    if (topic === undefined) return;
    if (kind === catalogEntryKind.topicDeleted) {
      this.#byId.delete(topic.id);
      this.#byName.delete(topic.name);
    } else if (kind === catalogEntryKind.topicConfigured) {
      topic.attributes = entry['attributes'] as Record<string, string>;
      topic.setOptions(entry['options'] as Partial<TopicOptions>);
    } else {
      topic.partitionCount = Number(entry['partitions']);
    }
  }

  encode(): Uint8Array {
    return encodeEntry([...this.#byName.values()].map((topic) => topic.store()));
  }

  restore(state: Uint8Array | undefined): void {
    this.#isReplaying = true;
    this.#byName.clear();
    this.#byId.clear();
    if (state === undefined) return;
    const stored = JSON.parse(Buffer.from(state).toString('utf8')) as StoredTopic[];
    for (const topic of stored) this.#add(new CatalogTopic(topic, true));
  }

  #add(topic: CatalogTopic): void {
    this.#byName.set(topic.name, topic);
    this.#byId.set(topic.id, topic);
  }
}

export function encodeEntry(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value), 'utf8');
}

/** Throws topic-name-invalid. */
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
  const { cleanup, timestampType } = options;
  if (cleanup !== undefined && !['delete', 'compact', 'compact,delete'].includes(cleanup)) {
    throw new BrokerError('config-invalid', `cleanup cannot be ${cleanup}`);
  }
  if (timestampType !== undefined && timestampType !== 'create' && timestampType !== 'append') {
    throw new BrokerError('config-invalid', `timestampType cannot be ${String(timestampType)}`);
  }
}

function decode(payload: Uint8Array): Record<string, unknown> {
  return JSON.parse(Buffer.from(payload).toString('utf8')) as Record<string, unknown>;
}
