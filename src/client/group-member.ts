import {
  assignRange,
  consumerProtocolType,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  type TopicPartitions,
} from '../shard/index.ts';
import type { Connection } from './connection.ts';
import type { LogClient } from './log-client.ts';
import type { Position } from './reader.ts';
import { checkError, ServerError, serverErrors } from './server-error.ts';

export interface GroupMemberOptions {
  groupId: string;
  topics: readonly string[];
  /** The group goes on without a member that was not heard of for this long. Default 30,000. */
  sessionMs?: number;
  /** How long a rebalance waits for the members to finish what they do. Default 60,000. */
  rebalanceMs?: number;
}

const noBytes = new Uint8Array(0);

/** One member of a consumer group: shares the topics' partitions with the others, and commits what was read. */
export class GroupMember {
  readonly #client: LogClient;
  readonly #options: Required<GroupMemberOptions>;
  #memberId = '';
  #generation = -1;
  #assignment: readonly TopicPartitions[] = [];
  #mustJoin = true;
  #heartbeat: NodeJS.Timeout | undefined;
  #error: Error | undefined;

  constructor(client: LogClient, options: GroupMemberOptions) {
    this.#client = client;
    this.#options = { sessionMs: 30_000, rebalanceMs: 60_000, ...options };
  }

  /** The group is rebalancing: commit what was read, then `join` again. */
  get mustJoin(): boolean {
    if (this.#error !== undefined) throw this.#error;
    return this.#mustJoin;
  }

  /**
   * Joins, or joins again, and resolves with this member's partitions and the offsets to read them from. Waits while
   * the other members join.
   */
  async join(onMissing: 'earliest' | 'latest'): Promise<Position[]> {
    this.#stopHeartbeat();
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#joinOnce();
        break;
      } catch (error) {
        if (!(error instanceof ServerError) || attempt === 100) throw error;
        if (!this.#forgiveJoin(error)) throw error;
      }
    }
    this.#mustJoin = false;
    this.#startHeartbeat();
    return this.#findPositions(onMissing);
  }

  /** Commits that everything before these positions was handled. */
  async commit(positions: readonly Readonly<Position>[]): Promise<void> {
    if (positions.length === 0) return;
    const { groupId } = this.#options;
    const topics = new Map<string, Readonly<Position>[]>();
    for (const position of positions) {
      topics.set(position.topic, [...(topics.get(position.topic) ?? []), position]);
    }
    const connection = await this.#coordinator();
    const answer = await connection.request('OffsetCommit', {
      groupId,
      generationIdOrMemberEpoch: this.#generation,
      memberId: this.#memberId,
      topics: [...topics].map(([name, list]) => ({
        name,
        partitions: list.map(({ partition, offset }) => ({
          partitionIndex: partition,
          committedOffset: offset,
          committedMetadata: null,
        })),
      })),
    });
    for (const { partitions } of answer.topics) {
      for (const { errorCode } of partitions) this.#judge(errorCode);
    }
  }

  /** Leaves the group, so that the others need not wait for the session to end. Idempotent. */
  async leave(): Promise<void> {
    this.#stopHeartbeat();
    if (this.#memberId === '') return;
    const memberId = this.#memberId;
    this.#memberId = '';
    const connection = await this.#coordinator();
    await connection.request('LeaveGroup', {
      groupId: this.#options.groupId,
      memberId: '',
      members: [{ memberId }],
    });
  }

  async #joinOnce(): Promise<void> {
    const { groupId, topics, sessionMs, rebalanceMs } = this.#options;
    const connection = await this.#coordinator();
    const metadata = encodeSubscription({
      topics: [...topics],
      userData: noBytes,
      owned: [],
      generation: -1,
    });
    const joined = await connection.request(
      'JoinGroup',
      {
        groupId,
        sessionTimeoutMs: sessionMs,
        rebalanceTimeoutMs: rebalanceMs,
        memberId: this.#memberId,
        protocolType: consumerProtocolType,
        protocols: [{ name: 'range', metadata }],
      },
      rebalanceMs,
    );
    // The id is given with the refusal, to be joined with (KIP-394).
    if (joined.memberId !== '') this.#memberId = joined.memberId;
    checkError(joined.errorCode, `group "${groupId}"`);
    this.#generation = joined.generationId;
    const isLeader = joined.leader === joined.memberId && !joined.skipAssignment;
    const synced = await connection.request(
      'SyncGroup',
      {
        groupId,
        generationId: joined.generationId,
        memberId: joined.memberId,
        protocolType: consumerProtocolType,
        protocolName: joined.protocolName,
        assignments: isLeader ? await this.#divide(joined.members) : [],
      },
      rebalanceMs,
    );
    checkError(synced.errorCode, `group "${groupId}"`);
    this.#assignment = decodeAssignment(synced.assignment).partitions;
  }

  /** As the leader: gives each member its partitions. */
  async #divide(
    joined: ReadonlyArray<{ memberId: string; metadata: Uint8Array }>,
  ): Promise<Array<{ memberId: string; assignment: Uint8Array }>> {
    const members = joined.map(({ memberId, metadata }) => ({
      memberId,
      topics: decodeSubscription(metadata).topics,
    }));
    const counts = new Map<string, number>();
    for (const topic of new Set(members.flatMap(({ topics }) => topics))) {
      try {
        counts.set(topic, (await this.#client.describeTopic(topic)).partitionCount);
      } catch (error) {
        // Nobody reads a topic that does not exist; when it does, the group rebalances.
        if (!(error instanceof ServerError)) throw error;
      }
    }
    return [...assignRange(members, counts)].map(([memberId, partitions]) => ({
      memberId,
      assignment: encodeAssignment({ partitions, userData: noBytes }),
    }));
  }

  /** True when joining again can help. */
  #forgiveJoin({ code }: ServerError): boolean {
    if (code === serverErrors.unknownMember || code === serverErrors.illegalGeneration) {
      this.#memberId = '';
      return true;
    }
    return (
      code === serverErrors.memberIdRequired ||
      code === serverErrors.rebalanceInProgress ||
      code === serverErrors.notCoordinator
    );
  }

  async #findPositions(onMissing: 'earliest' | 'latest'): Promise<Position[]> {
    const committed = await this.#client.listCommitted(this.#options.groupId);
    const positions: Position[] = [];
    for (const { topic, partitions } of this.#assignment) {
      const { partitionCount } = await this.#client.describeTopic(topic);
      const timestampMs = onMissing === 'earliest' ? -2 : -1;
      const initial = await this.#client.findOffsets(topic, partitionCount, timestampMs);
      for (const partition of partitions) {
        const found = committed.find((one) => one.topic === topic && one.partition === partition);
        positions.push({ topic, partition, offset: found?.offset ?? initial[partition] ?? 0 });
      }
    }
    return positions;
  }

  #coordinator(): Promise<Connection> {
    // Of its own: a join may be waited for while others ask.
    return this.#client.coordinatorOf(this.#options.groupId, 'group');
  }

  #startHeartbeat(): void {
    const { groupId, sessionMs } = this.#options;
    this.#heartbeat = setInterval(() => {
      const beat = async (): Promise<void> => {
        const connection = await this.#coordinator();
        const { errorCode } = await connection.request('Heartbeat', {
          groupId,
          generationId: this.#generation,
          memberId: this.#memberId,
        });
        this.#judge(errorCode);
      };
      beat().catch((error: unknown) => {
        this.#error = error instanceof Error ? error : new Error(String(error));
        this.#stopHeartbeat();
      });
    }, sessionMs / 10);
  }

  #stopHeartbeat(): void {
    clearInterval(this.#heartbeat);
    this.#heartbeat = undefined;
  }

  /** What the coordinator says to a heartbeat or a commit. */
  #judge(code: number): void {
    if (code === 0) return;
    if (code === serverErrors.rebalanceInProgress) {
      this.#mustJoin = true;
      return;
    }
    if (code === serverErrors.unknownMember || code === serverErrors.illegalGeneration) {
      this.#memberId = '';
      this.#mustJoin = true;
      return;
    }
    checkError(code, `group "${this.#options.groupId}"`);
  }
}
