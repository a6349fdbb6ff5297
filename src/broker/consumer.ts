import { BrokerError, type Clock, present, type Timer } from '../base/index.ts';
import {
  assignors,
  consumerProtocolType,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  type Groups,
  type JoinRequest,
  MemberIdRequired,
  type MemberIdentity,
  type Partition,
  type PartitionWaiter,
} from '../shard/index.ts';
import { decodeRecords, type IncomingRecord } from './incoming-record.ts';
import type { Topic, TopicsPort } from './types.ts';

export interface ConsumerOptions {
  /** Members of one group share the partitions of its topics, with remote clients of the same group too. */
  group: string;
  topics: readonly string[];
  /** Where to begin where the group has committed nothing. Default `latest`. */
  from?: 'earliest' | 'latest';
  /**
   * True (default): what was handed out before the latest `next()` is committed on its own, soon and when the consumer
   * closes. False: only `commit()` commits.
   */
  autoCommit?: boolean;
  /** The group goes on without a member that was not heard of for this long. Default 30,000. */
  sessionTimeoutMs?: number;
  /** Bytes fetched from one partition at a time. Default 1 MiB. */
  fetchBytes?: number;
}

/** What the consumer needs of its broker. */
export interface ConsumerHost {
  readonly topics: TopicsPort;
  readonly clock: Clock;
  groupsFor(groupId: string): Groups;
  /** Called when the consumer has closed. */
  forget(consumer: Consumer): void;
}

interface Position {
  topic: Topic;
  partition: Partition;
  /** Next offset to fetch. */
  offset: number;
  /** Everything before it was handed out; undefined: nothing since the assignment. */
  handled: number | undefined;
  committed: number;
}

const noBytes = new Uint8Array(0);
/** The ways to divide partitions that remote members are likely to know too. */
const protocols = ['range', 'roundrobin'];
const autoCommitMs = 1000;
const retryMs = 100;

/** One member of a consumer group, inside the broker's process: `for await (const record of consumer)`. */
export class Consumer implements AsyncIterable<IncomingRecord>, PartitionWaiter {
  readonly #host: ConsumerHost;
  readonly #groups: Groups;
  readonly #options: Required<ConsumerOptions>;
  #memberId = '';
  #generation = -1;
  #positions: Position[] = [];
  #turn = 0;
  #records: IncomingRecord[] = [];
  #mustJoin = true;
  /** As the leader: the partitions of each topic when they were divided. */
  #divided: ReadonlyMap<string, number> | undefined;
  #isClosed = false;
  #heartbeat: Timer | undefined;
  #autoCommit: Timer | undefined;
  #wakeUp: (() => void) | undefined;
  #last: IncomingRecord | undefined;

  constructor(host: ConsumerHost, options: ConsumerOptions) {
    this.#host = host;
    this.#groups = host.groupsFor(options.group);
    this.#options = {
      from: 'latest',
      autoCommit: true,
      sessionTimeoutMs: 30_000,
      fetchBytes: 1024 * 1024,
      ...options,
    };
  }

  /** The partitions that this member reads now. */
  get assignment(): Array<{ topic: string; partition: number }> {
    return this.#positions.map(({ topic, partition }) => ({
      topic: topic.name,
      partition: partition.index,
    }));
  }

  /** The next record; undefined when the consumer is closed. Calls must not overlap. */
  async next(): Promise<IncomingRecord | undefined> {
    this.#noteHandled();
    return this.#takeRecord() ?? this.#waitForRecord();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<IncomingRecord> {
    try {
      for (let record = await this.next(); record !== undefined; record = await this.next())
        yield record;
    } finally {
      await this.close();
    }
  }

  /** Commits everything up to and including `record`, or all that was handed out. Resolves when it is durable. */
  async commit(record?: IncomingRecord): Promise<void> {
    if (record === undefined) {
      this.#noteHandled();
      return this.#commitHandled();
    }
    const position = this.#positions.find(
      ({ topic, partition }) => topic.name === record.topic && partition.index === record.partition,
    );
    // The partition is another member's now.
    if (position === undefined) return;
    // Exactly up to here, whatever was handed out since.
    await this.#commit([{ position, offset: record.offset + 1 }]);
  }

  /** Commits where that is automatic, and leaves the group. Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#heartbeat?.cancel();
    this.#autoCommit?.cancel();
    this.#unwatch();
    this.#wakeUp?.();
    try {
      if (this.#options.autoCommit && !this.#mustJoin) {
        this.#noteHandled();
        await this.#commitHandled();
      }
      if (this.#memberId !== '')
        await this.#groups.leave(this.#options.group, [{ memberId: this.#memberId }]);
    } catch (error) {
      // The group has gone on without this member, which is what closing wants.
      if (!(error instanceof BrokerError)) throw error;
    } finally {
      this.#host.forget(this);
    }
  }

  wake(): void {
    this.#wakeUp?.();
  }

  #takeRecord(): IncomingRecord | undefined {
    if (this.#mustJoin || this.#isClosed) return undefined;
    this.#last = this.#records.shift();
    return this.#last;
  }

  async #waitForRecord(): Promise<IncomingRecord | undefined> {
    // Nothing but our timers may be left in the process, and they do not keep it.
    const hold = this.#host.clock.keepProcess?.();
    try {
      while (!this.#isClosed) {
        if (this.#mustJoin) await this.#join();
        const record = this.#takeRecord();
        if (record !== undefined) return record;
        if (!(await this.#fetch())) await this.#waitForData();
      }
      return undefined;
    } finally {
      hold?.cancel();
    }
  }

  #noteHandled(): void {
    if (this.#last !== undefined) this.#note(this.#last);
    this.#last = undefined;
  }

  #note(record: IncomingRecord): void {
    for (const position of this.#positions) {
      if (position.topic.name !== record.topic || position.partition.index !== record.partition)
        continue;
      position.handled = Math.max(position.handled ?? 0, record.offset + 1);
    }
  }

  get #identity(): MemberIdentity {
    return { groupId: this.#options.group, memberId: this.#memberId, generation: this.#generation };
  }

  async #commitHandled(): Promise<void> {
    const due: Array<{ position: Position; offset: number }> = [];
    for (const position of this.#positions) {
      const { handled, committed } = position;
      if (handled !== undefined && handled > committed) due.push({ position, offset: handled });
    }
    if (due.length > 0) await this.#commit(due);
  }

  async #commit(due: ReadonlyArray<{ position: Position; offset: number }>): Promise<void> {
    const commits = due.map(({ position: { partition }, offset }) => ({
      topicId: partition.topicId,
      partition: partition.index,
      offset,
      leaderEpoch: partition.leaderEpoch,
      metadata: '',
    }));
    await this.#groups.commit(this.#options.group, this.#identity, commits);
    for (const { position, offset } of due) position.committed = offset;
  }

  async #join(): Promise<void> {
    this.#heartbeat?.cancel();
    this.#autoCommit?.cancel();
    if (this.#options.autoCommit && this.#generation >= 0)
      await this.#commitHandled().catch(ignoreExpected);
    this.#positions = [];
    this.#records = [];
    this.#last = undefined;
    while (this.#mustJoin && !this.#isClosed) {
      try {
        await this.#joinOnce();
        this.#mustJoin = false;
      } catch (error) {
        await this.#forgiveJoin(error);
      }
    }
    if (this.#isClosed) return;
    this.#startHeartbeat();
    if (this.#options.autoCommit) this.#startAutoCommit();
  }

  async #forgiveJoin(error: unknown): Promise<void> {
    if (error instanceof MemberIdRequired) {
      this.#memberId = error.memberId;
      return;
    }
    if (!(error instanceof BrokerError)) throw error;
    if (error.code === 'member-unknown' || error.code === 'generation-stale') this.#memberId = '';
    else if (!error.isRetryable || error.code === 'closed') throw error;
    await new Promise<void>((resolve) => this.#host.clock.setTimer(retryMs, resolve));
  }

  async #joinOnce(): Promise<void> {
    const { group, topics, sessionTimeoutMs } = this.#options;
    const subscription = { topics: [...topics], userData: noBytes, owned: [], generation: -1 };
    const metadata = encodeSubscription(subscription);
    const request: JoinRequest = {
      groupId: group,
      memberId: this.#memberId,
      clientId: 'embedded',
      clientHost: '/127.0.0.1',
      protocolType: consumerProtocolType,
      protocols: protocols.map((name) => ({ name, metadata })),
      sessionTimeoutMs,
      rebalanceTimeoutMs: 60_000,
      requireMemberId: false,
    };
    const joined = await this.#groups.join(request);
    this.#memberId = joined.memberId;
    this.#generation = joined.generation;
    const isLeader = joined.leaderId === joined.memberId && !joined.skipAssignment;
    this.#divided = undefined;
    const synced = await this.#groups.sync({
      ...this.#identity,
      assignments: isLeader ? this.#divide(joined.protocolName, joined.members) : [],
    });
    await this.#takePositions(decodeAssignment(synced.assignment).partitions);
  }

  #divide(
    protocolName: string,
    joined: ReadonlyArray<{ memberId: string; metadata: Uint8Array }>,
  ): Array<{ memberId: string; assignment: Uint8Array }> {
    const members = joined.map(({ memberId, metadata }) => ({
      memberId,
      topics: decodeSubscription(metadata).topics,
    }));
    const counts = new Map<string, number>();
    for (const name of new Set(members.flatMap(({ topics }) => topics))) {
      const topic = this.#host.topics.find(name);
      if (topic !== undefined) counts.set(name, topic.partitions.length);
    }
    this.#divided = counts;
    const assign = present(assignors.get(protocolName), 'the group chose what we offered');
    return [...assign(members, counts)].map(([memberId, partitions]) => ({
      memberId,
      assignment: encodeAssignment({ partitions, userData: noBytes }),
    }));
  }

  async #takePositions(
    assigned: ReadonlyArray<{ topic: string; partitions: readonly number[] }>,
  ): Promise<void> {
    const wanted: Array<{ topic: Topic; partition: Partition }> = [];
    for (const { topic: name, partitions } of assigned) {
      const topic = this.#host.topics.find(name);
      for (const index of partitions) {
        const partition = topic?.partitions[index];
        if (topic !== undefined && partition !== undefined) wanted.push({ topic, partition });
      }
    }
    const keys = wanted.map(({ partition }) => ({
      topicId: partition.topicId,
      partition: partition.index,
    }));
    const stored = await this.#groups.fetchOffsets(this.#options.group, keys);
    this.#positions = wanted.map(({ topic, partition }) => {
      const found = stored.find(
        (one) => one.topicId === partition.topicId && one.partition === partition.index,
      );
      const initial =
        this.#options.from === 'earliest' ? partition.logStartOffset : partition.highWatermark;
      return {
        topic,
        partition,
        offset: found?.offset ?? initial,
        handled: undefined,
        committed: found?.offset ?? -1,
      };
    });
  }

  /** Fetches from the next partition that has something; false when none has. */
  async #fetch(): Promise<boolean> {
    for (let tried = 0; tried < this.#positions.length; tried++) {
      const position = this.#positions[this.#turn++ % this.#positions.length];
      if (position === undefined) continue;
      const { topic, partition } = position;
      if (position.offset < partition.logStartOffset) position.offset = partition.logStartOffset;
      if (position.offset > partition.highWatermark) position.offset = partition.highWatermark;
      if (position.offset >= partition.lastStableOffset) continue;
      const result = await this.#read(position);
      if (result === undefined || this.#mustJoin) continue;
      const from = position.offset;
      const { records, endOffset } = decodeRecords(result.slices, topic.name, partition, from);
      this.#records = records;
      position.offset = endOffset;
      if (records.length === 0) continue;
      return true;
    }
    return false;
  }

  async #read({ partition, offset }: Position): Promise<{ slices: Uint8Array[] } | undefined> {
    try {
      return await partition.read(offset, {
        maxBytes: this.#options.fetchBytes,
        minOneBatch: true,
        onlyStable: true,
      });
    } catch (error) {
      // The log start has passed it, or the topic was deleted: the next round looks again.
      const isGone =
        error instanceof BrokerError &&
        (error.code === 'offset-out-of-range' || error.code === 'topic-not-found');
      if (!isGone) throw error;
      return undefined;
    }
  }

  async #waitForData(): Promise<void> {
    if (this.#isClosed || this.#mustJoin) return;
    const woken = new Promise<void>((resolve) => {
      this.#wakeUp = resolve;
    });
    for (const { partition, offset } of this.#positions) {
      if (offset < partition.lastStableOffset) this.#wakeUp?.();
      partition.watch(this);
    }
    // A deleted topic's partitions answer at once; without a pause that would be a busy loop.
    const pause = this.#host.clock.setTimer(autoCommitMs, () => this.#wakeUp?.());
    await woken;
    pause.cancel();
    this.#wakeUp = undefined;
    this.#unwatch();
  }

  #unwatch(): void {
    for (const { partition } of this.#positions) partition.unwatch(this);
  }

  #startHeartbeat(): void {
    this.#heartbeat = this.#host.clock.setTimer(this.#options.sessionTimeoutMs / 10, () => {
      try {
        this.#groups.heartbeat(this.#identity);
        if (this.#hasOutgrown()) this.#rejoin();
        else this.#startHeartbeat();
      } catch (error) {
        if (!(error instanceof BrokerError)) throw error;
        if (error.code === 'member-unknown') this.#memberId = '';
        this.#rejoin();
      }
    });
  }

  #rejoin(): void {
    this.#mustJoin = true;
    this.#wakeUp?.();
  }

  /** The leader looks whether topics or partitions came or went since it divided them: a leader that joins again makes all do. */
  #hasOutgrown(): boolean {
    if (this.#divided === undefined) return false;
    for (const [name, count] of this.#divided) {
      if ((this.#host.topics.find(name)?.partitions.length ?? 0) !== count) return true;
    }
    return this.#options.topics.some(
      (name) => this.#divided?.has(name) !== true && this.#host.topics.find(name) !== undefined,
    );
  }

  #startAutoCommit(): void {
    this.#autoCommit = this.#host.clock.setTimer(autoCommitMs, () => {
      this.#commitHandled()
        .catch(ignoreExpected)
        .finally(() => {
          if (!this.#isClosed && !this.#mustJoin) this.#startAutoCommit();
        });
    });
  }
}

/** A commit that comes too late is not lost work: the records are handed out again to whoever has the partition now. */
function ignoreExpected(error: unknown): void {
  if (!(error instanceof BrokerError)) throw error;
}
