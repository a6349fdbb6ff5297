import type { ResponseOf } from '../doors/kafka/wire/index.ts';
import {
  Connection,
  type ConnectionOptions,
  type ServerAddress,
  type TlsOptions,
} from './connection.ts';
import { describeGroup, type GroupDescription, type GroupType } from './group-description.ts';
import type { Login } from './login.ts';
import { checkError, ConnectionLost, ServerError, serverErrors } from './server-error.ts';

export interface LogClientOptions {
  /** Where to ask first; the other brokers are learnt from it. */
  server: ServerAddress;
  clientId?: string;
  /** Default 5,000. */
  connectMs?: number;
  /** Default 30,000. */
  requestMs?: number;
  /** Speaks TLS to all brokers. */
  tls?: TlsOptions | undefined;
  /** Who to say to be, to all brokers. */
  login?: Login | undefined;
}

export interface TopicInfo {
  name: string;
  partitionCount: number;
}

export interface PartitionOffsets {
  partition: number;
  /** First offset that may be read. */
  start: number;
  /** First offset that is not there yet. */
  end: number;
}

export interface ListedGroup {
  groupId: string;
  state: string;
  type: GroupType;
  /** What the members of a classic group are: "consumer", "connect"; empty for one that only commits offsets. */
  protocolType: string;
}

export interface CommittedOffset {
  topic: string;
  partition: number;
  offset: number;
}

/**
 * Talks to the log of a broker over the network: topics, offsets, and the connections for senders, readers and group
 * members. One client serves any number of them.
 */
export class LogClient {
  readonly #options: ConnectionOptions;
  readonly #bootstrap: Connection;
  readonly #connections = new Map<string, Promise<Connection>>();
  #nodes: ReadonlyMap<number, ServerAddress> = new Map();
  #leaders = new Map<string, readonly number[]>();
  #isClosed = false;

  /** Rejects with ConnectionLost when the server cannot be reached, with LoginFailed when it refuses the login. */
  static async connect(options: LogClientOptions): Promise<LogClient> {
    const connectionOptions = {
      clientId: options.clientId ?? 'pabal',
      connectMs: options.connectMs ?? 5_000,
      requestMs: options.requestMs ?? 30_000,
      tls: options.tls,
      login: options.login,
    };
    const bootstrap = await Connection.open(options.server, connectionOptions);
    return new LogClient(bootstrap, connectionOptions);
  }

  private constructor(bootstrap: Connection, options: ConnectionOptions) {
    this.#bootstrap = bootstrap;
    this.#options = options;
  }

  /** Idempotent. What is under way rejects with ConnectionLost. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#bootstrap.close();
    const opening = [...this.#connections.values()];
    this.#connections.clear();
    for (const result of await Promise.allSettled(opening)) {
      if (result.status === 'fulfilled') result.value.close();
    }
  }

  async listTopics(): Promise<TopicInfo[]> {
    const { topics } = await this.#askMetadata(null, false);
    return topics
      .map(({ name, partitions }) => ({ name: name ?? '', partitionCount: partitions.length }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Rejects with a ServerError when there is none and `canCreate` is false or the server does not create topics. */
  async describeTopic(name: string, canCreate = false): Promise<TopicInfo> {
    for (let attempt = 1; ; attempt++) {
      const { topics } = await this.#askMetadata([name], canCreate);
      const topic = topics[0];
      const code = topic?.errorCode ?? serverErrors.unknownTopicOrPartition;
      if (topic !== undefined && code === 0) {
        return { name, partitionCount: topic.partitions.length };
      }
      // A topic that this very request creates may take a moment to have leaders.
      const isComing =
        code === serverErrors.leaderNotAvailable ||
        (canCreate && code === serverErrors.unknownTopicOrPartition);
      if (!isComing || attempt === 20) throw new ServerError(code, `topic "${name}"`);
      await pause(50);
    }
  }

  async createTopic(
    name: string,
    partitions: number,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const configs = Object.entries(settings).map(([key, value]) => ({ name: key, value }));
    const { topics } = await this.#bootstrap.request('CreateTopics', {
      topics: [
        { name, numPartitions: partitions, replicationFactor: -1, assignments: [], configs },
      ],
    });
    for (const topic of topics) {
      checkError(topic.errorCode, `topic "${name}"`, topic.errorMessage);
    }
  }

  async deleteTopic(name: string): Promise<void> {
    const { responses } = await this.#bootstrap.request('DeleteTopics', {
      topicNames: [name],
      timeoutMs: 30_000,
    });
    for (const topic of responses) checkError(topic.errorCode, `topic "${name}"`);
  }

  /** `total` is larger than now. */
  async setPartitionCount(name: string, total: number): Promise<void> {
    const { results } = await this.#bootstrap.request('CreatePartitions', {
      topics: [{ name, count: total, assignments: null }],
      timeoutMs: 30_000,
      validateOnly: false,
    });
    for (const topic of results) checkError(topic.errorCode, `topic "${name}"`, topic.errorMessage);
  }

  /** The topic's settings by name, with the words of the protocol; `isDefault` for those that were not set. */
  async describeSettings(
    topic: string,
  ): Promise<Array<{ name: string; value: string; isDefault: boolean }>> {
    const { results } = await this.#bootstrap.request('DescribeConfigs', {
      resources: [{ resourceType: 2, resourceName: topic, configurationKeys: null }],
    });
    const result = results[0];
    checkError(result?.errorCode ?? 0, `topic "${topic}"`, result?.errorMessage);
    return (result?.configs ?? []).map(({ name, value, configSource }) => ({
      name,
      value: value ?? '',
      // 1: set for this topic (DescribeConfigs, ConfigSource).
      isDefault: configSource !== 1,
    }));
  }

  /** Where each partition begins and ends. */
  async listOffsets(topic: string): Promise<PartitionOffsets[]> {
    const { partitionCount } = await this.describeTopic(topic);
    const [starts, ends] = await Promise.all([
      this.findOffsets(topic, partitionCount, -2),
      this.findOffsets(topic, partitionCount, -1),
    ]);
    return starts.map((start, partition) => ({ partition, start, end: ends[partition] ?? start }));
  }

  /**
   * For each partition the offset of the first record of `timestampMs` or later (the end where there is none), of the
   * beginning for -2, and of the end for -1.
   */
  async findOffsets(topic: string, partitionCount: number, timestampMs: number): Promise<number[]> {
    const offsets = Array.from({ length: partitionCount }, () => -1);
    const byLeader = new Map<number, number[]>();
    for (let partition = 0; partition < partitionCount; partition++) {
      const leader = await this.leaderOf(topic, partition);
      byLeader.set(leader, [...(byLeader.get(leader) ?? []), partition]);
    }
    for (const [leader, partitions] of byLeader) {
      const connection = await this.connectionTo(leader);
      const { topics } = await connection.request('ListOffsets', {
        replicaId: -1,
        isolationLevel: 0,
        topics: [
          {
            name: topic,
            partitions: partitions.map((partitionIndex) => ({
              partitionIndex,
              timestamp: timestampMs,
            })),
          },
        ],
      });
      for (const { partitionIndex, errorCode, offset } of topics[0]?.partitions ?? []) {
        checkError(errorCode, `topic "${topic}", partition ${partitionIndex}`);
        offsets[partitionIndex] = offset;
      }
    }
    if (timestampMs < 0 || !offsets.includes(-1)) return offsets;
    const ends = await this.findOffsets(topic, partitionCount, -1);
    return offsets.map((offset, partition) => (offset < 0 ? (ends[partition] ?? 0) : offset));
  }

  /** The node that leads a partition. */
  async leaderOf(topic: string, partition: number): Promise<number> {
    const known = this.#leaders.get(topic)?.[partition];
    if (known !== undefined && known >= 0) return known;
    await this.describeTopic(topic);
    const leader = this.#leaders.get(topic)?.[partition];
    const subject = `topic "${topic}", partition ${partition}`;
    if (leader === undefined) throw new ServerError(serverErrors.unknownTopicOrPartition, subject);
    if (leader < 0) throw new ServerError(serverErrors.leaderNotAvailable, subject);
    return leader;
  }

  /** Forgets who leads: the next question asks the server. */
  forgetLeaders(topic: string): void {
    this.#leaders.delete(topic);
  }

  /** A connection to a node, opened when it is first wanted and again after it was lost. */
  async connectionTo(nodeId: number, purpose = ''): Promise<Connection> {
    if (this.#nodes.size === 0) await this.#askMetadata([], false);
    if (this.#isClosed) throw new ConnectionLost('the client was closed');
    const address = this.#nodes.get(nodeId);
    if (address === undefined) throw new ConnectionLost(`the cluster has no broker ${nodeId}`);
    const key = `${nodeId}/${purpose}`;
    const current = this.#connections.get(key);
    if (current !== undefined) {
      const open = await current;
      if (!open.isClosed) return open;
      // Another caller may have replaced it meanwhile.
      if (this.#connections.get(key) !== current) return this.connectionTo(nodeId, purpose);
    }
    const opening = Connection.open(address, this.#options);
    this.#connections.set(key, opening);
    // One that could not be opened must not be what everybody later gets.
    opening.catch(() => {
      if (this.#connections.get(key) === opening) this.#connections.delete(key);
    });
    return opening;
  }

  /** A connection, of its own, to the broker that coordinates a group: its requests may wait for long. */
  async coordinatorOf(groupId: string, purpose: string): Promise<Connection> {
    for (let attempt = 1; ; attempt++) {
      const found = await this.#bootstrap.request('FindCoordinator', { key: groupId, keyType: 0 });
      if (found.errorCode === 0) {
        if (!this.#nodes.has(found.nodeId)) await this.#askMetadata([], false);
        return this.connectionTo(found.nodeId, purpose);
      }
      const isComing =
        found.errorCode === serverErrors.coordinatorNotAvailable ||
        found.errorCode === serverErrors.coordinatorLoading;
      if (!isComing || attempt === 20) checkError(found.errorCode, `group "${groupId}"`);
      await pause(100);
    }
  }

  /** Groups of all brokers. */
  async listGroups(): Promise<ListedGroup[]> {
    const listed: ListedGroup[] = [];
    for (const connection of await this.#allConnections()) {
      const { errorCode, groups } = await connection.request('ListGroups', {});
      checkError(errorCode, 'groups');
      for (const { groupId, groupState, groupType, protocolType } of groups) {
        listed.push({ groupId, state: groupState, type: toGroupType(groupType), protocolType });
      }
    }
    return listed.toSorted((a, b) => (a.groupId < b.groupId ? -1 : 1));
  }

  /** Rejects with ServerError, of code `groupNotFound` for a group that is not there. */
  async describeGroup(groupId: string): Promise<GroupDescription> {
    const listed = (await this.listGroups()).find((group) => group.groupId === groupId);
    const connection = await this.coordinatorOf(groupId, 'admin');
    const described = await describeGroup(connection, groupId, listed?.type ?? 'classic');
    // What DescribeGroups says of a group that it does not know.
    if (described.state === 'Dead') {
      throw new ServerError(serverErrors.groupNotFound, `group "${groupId}"`);
    }
    return described;
  }

  /** Committed offsets of all topics, in order. */
  async listCommitted(groupId: string): Promise<CommittedOffset[]> {
    const connection = await this.coordinatorOf(groupId, 'admin');
    const answer = await connection.request('OffsetFetch', { groupId, topics: null });
    checkError(answer.errorCode, `group "${groupId}"`);
    const all = answer.topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex, committedOffset }) => ({
        topic: name,
        partition: partitionIndex,
        offset: committedOffset,
      })),
    );
    return inOrder(all.filter(({ offset }) => offset >= 0));
  }

  /** Where a share group's windows start, in order, and what is not yet accepted; a lag of -1 is not known. */
  async listShareStarts(groupId: string): Promise<Array<CommittedOffset & { lag: number }>> {
    const connection = await this.coordinatorOf(groupId, 'admin');
    const { groups } = await connection.request('DescribeShareGroupOffsets', {
      groups: [{ groupId, topics: null }],
    });
    const all = groups.flatMap(({ errorCode, errorMessage, topics }) => {
      checkError(errorCode, `group "${groupId}"`, errorMessage);
      return topics.flatMap(({ topicName, partitions }) =>
        partitions.map(({ partitionIndex, startOffset, lag }) => ({
          topic: topicName,
          partition: partitionIndex,
          offset: startOffset,
          lag,
        })),
      );
    });
    return inOrder(all.filter(({ offset }) => offset >= 0));
  }

  async deleteGroup(groupId: string): Promise<void> {
    const connection = await this.coordinatorOf(groupId, 'admin');
    const { results } = await connection.request('DeleteGroups', { groupsNames: [groupId] });
    for (const { errorCode } of results) checkError(errorCode, `group "${groupId}"`);
  }

  async #allConnections(): Promise<Connection[]> {
    await this.#askMetadata([], false);
    return Promise.all([...this.#nodes.keys()].map((nodeId) => this.connectionTo(nodeId)));
  }

  async #askMetadata(
    names: readonly string[] | null,
    allowAutoTopicCreation: boolean,
  ): Promise<ResponseOf<'Metadata'>> {
    const answer = await this.#bootstrap.request('Metadata', {
      topics: names === null ? null : names.map((name) => ({ name })),
      allowAutoTopicCreation,
    });
    this.#nodes = new Map(answer.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]));
    for (const { errorCode, name, partitions } of answer.topics) {
      if (errorCode !== 0 || name === null) continue;
      const leaders: number[] = [];
      for (const { partitionIndex, leaderId } of partitions) leaders[partitionIndex] = leaderId;
      this.#leaders.set(name, leaders);
    }
    return answer;
  }
}

/** Brokers before version 5 of ListGroups know no other than classic groups, and say nothing. */
function toGroupType(name: string): GroupType {
  const type = name.toLowerCase();
  return type === 'consumer' || type === 'share' || type === 'streams' ? type : 'classic';
}

function inOrder<T extends CommittedOffset>(offsets: readonly T[]): T[] {
  return offsets.toSorted((a, b) =>
    a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1,
  );
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
