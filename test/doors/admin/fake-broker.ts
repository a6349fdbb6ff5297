import { randomUUID } from 'node:crypto';
import { BrokerError } from '../../../src/base/index.ts';
import type {
  BrokerPort,
  CreateTopicRequest,
  StorageStatus,
  Topic,
  TopicOptions,
} from '../../../src/broker/types.ts';
import {
  batchBaseOffset,
  batchLastOffset,
  batchLastOffsetDelta,
  batchTotalBytes,
  decodeBatch,
  patchBatchOffset,
  splitBatches,
} from '../../../src/bytes/index.ts';
import type { Groups, StoredOffset } from '../../../src/shard/group/index.ts';
import type {
  Partition,
  ReadOptions,
  ReadResult,
  TimedOffset,
} from '../../../src/shard/partition.ts';

const defaults: TopicOptions = {
  retentionMs: 604_800_000,
  retentionBytes: -1,
  cleanup: 'delete',
  batchBytesMax: 1_048_588,
  timestampType: 'create',
  timestampBehindMaxMs: Number.MAX_SAFE_INTEGER,
  timestampAheadMaxMs: 3_600_000,
};

interface FakeTopic extends Topic {
  partitions: FakePartition[];
  options: TopicOptions;
  ownOptions: Partial<TopicOptions>;
}

/** A broker in memory, as little as the admin door's handlers need. */
export class FakeBroker implements Pick<BrokerPort, 'topics' | 'groupsFor' | 'findProblems'> {
  readonly storeId = randomUUID();
  readonly brokerId = 0;
  readonly options = { defaultPartitions: 1, createTopicsOnUse: true };
  problems: string[] = [];
  readonly #topics = new Map<string, FakeTopic>();
  readonly #groups = new FakeGroups();

  readonly topics = {
    find: (name: string): FakeTopic | undefined => this.#topics.get(name),
    findById: (id: string): FakeTopic | undefined =>
      [...this.#topics.values()].find((topic) => topic.id === id),
    list: (): FakeTopic[] =>
      [...this.#topics.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    create: async (request: CreateTopicRequest): Promise<FakeTopic> => {
      if (this.#topics.has(request.name)) throw new BrokerError('topic-exists', request.name);
      const id = randomUUID();
      const topic: FakeTopic = {
        id,
        name: request.name,
        partitions: Array.from({ length: request.partitions ?? 1 }, (_, index) => {
          return new FakePartition(id, index);
        }),
        options: { ...defaults, ...request.options },
        ownOptions: { ...request.options },
        attributes: {},
        createdMs: 1,
      };
      if (request.isDryRun !== true) this.#topics.set(request.name, topic);
      return topic;
    },
    delete: async (name: string): Promise<void> => {
      this.#topics.delete(name);
    },
    setPartitionCount: async (name: string, total: number): Promise<void> => {
      const topic = this.#topics.get(name);
      if (topic === undefined || total <= topic.partitions.length) {
        throw new BrokerError('partition-count-invalid', String(total));
      }
      while (topic.partitions.length < total) {
        topic.partitions.push(new FakePartition(topic.id, topic.partitions.length));
      }
    },
    configure: async (
      name: string,
      change: { options?: { [K in keyof TopicOptions]?: TopicOptions[K] | undefined } },
    ): Promise<void> => {
      const topic = this.#topics.get(name);
      if (topic === undefined) throw new BrokerError('topic-not-found', name);
      const own: Record<string, unknown> = { ...topic.ownOptions, ...change.options };
      for (const [key, value] of Object.entries(own)) if (value === undefined) delete own[key];
      topic.ownOptions = own;
      topic.options = { ...defaults, ...topic.ownOptions };
    },
  };

  get groups(): FakeGroups {
    return this.#groups;
  }

  groupsFor(): Groups {
    return this.#groups.port;
  }

  listGroupCoordinators(): Groups[] {
    return [this.#groups.port];
  }

  isOverloaded(): boolean {
    return false;
  }

  findProblems(): string[] {
    return this.problems;
  }

  storage(): StorageStatus {
    return { path: '/data', journalBytes: 1, segmentBytes: 2, freeBytes: 3, totalBytes: 4 };
  }

  /** The handlers use nothing that is not here. */
  get port(): BrokerPort {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
    return this as unknown as BrokerPort;
  }
}

class FakePartition {
  readonly topicId: string;
  readonly index: number;
  readonly logStartOffset = 0;
  readonly leaderEpoch = 1;
  highWatermark = 0;
  #batches: Uint8Array[] = [];

  constructor(topicId: string, index: number) {
    this.topicId = topicId;
    this.index = index;
  }

  get lastStableOffset(): number {
    return this.highWatermark;
  }

  get sizeBytes(): number {
    return this.#batches.reduce((sum, { length }) => sum + length, 0);
  }

  append: Partition['append'] = async (bytes) => {
    const baseOffset = this.highWatermark;
    for (const at of splitBatches(bytes)) {
      const batch = bytes.slice(at, at + batchTotalBytes(bytes, at));
      patchBatchOffset(batch, 0, this.highWatermark, this.leaderEpoch);
      this.highWatermark += batchLastOffsetDelta(batch, 0) + 1;
      this.#batches.push(batch);
    }
    return { baseOffset, appendTimeMs: -1, logStartOffset: 0, isDuplicate: false };
  };

  read(offset: number, _options: ReadOptions): ReadResult {
    if (offset > this.highWatermark) throw new BrokerError('offset-out-of-range', String(offset));
    // One batch at a time, so that a reader must come again.
    const batch = this.#batches.find((one) => batchLastOffset(one, 0) >= offset);
    return {
      slices: batch === undefined ? [] : [batch],
      bytes: batch?.length ?? 0,
      highWatermark: this.highWatermark,
      lastStableOffset: this.highWatermark,
      logStartOffset: 0,
    };
  }

  async findByTime(timestampMs: number): Promise<TimedOffset | undefined> {
    for (const batch of this.#batches) {
      const record = decodeBatch(batch, 0, 1e6).find((one) => one.timestampMs >= timestampMs);
      if (record !== undefined && batchBaseOffset(batch, 0) >= 0) {
        return { offset: record.offset, timestampMs: record.timestampMs, leaderEpoch: 1 };
      }
    }
    return undefined;
  }
}

class FakeGroups {
  readonly committed = new Map<
    string,
    Array<StoredOffset & { topicId: string; partition: number }>
  >();

  get port(): Groups {
    const port: Partial<Groups> = {
      describe: (groupId) => ({
        groupId,
        state: this.committed.has(groupId) ? 'empty' : 'dead',
        protocolType: 'consumer',
        protocolName: '',
        members: [],
      }),
      list: () =>
        [...this.committed.keys()].map((groupId) => ({
          groupId,
          state: 'empty',
          protocolType: 'consumer',
        })),
      fetchOffsets: async (groupId) => this.committed.get(groupId) ?? [],
      delete: async (groupId) => {
        if (!this.committed.delete(groupId)) throw new BrokerError('group-not-found', groupId);
      },
    };
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the handlers use nothing else
    return port as Groups;
  }
}
