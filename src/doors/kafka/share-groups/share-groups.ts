import { BrokerError, type Clock, limits } from '../../../base/index.ts';
import type { BrokerPort } from '../../../broker/index.ts';
import { type Deadline, DeadlineQueue } from '../../../shard/index.ts';
import { coordinatorErrorCode, errorCodes } from '../error-codes.ts';
import { GroupConfigs } from '../group-configs.ts';
import { Refusal } from '../refusal.ts';
import type { RequestOf } from '../wire/index.ts';
import type { AssignableTopic, ShareAssignment } from './share-assignor.ts';
import { hasRoomFor, ShareGroup, type ShareMember } from './share-group.ts';
import { ShareQueues } from './share-queues.ts';
import { ShareSessions } from './share-sessions.ts';

/** What a heartbeat is answered. */
export interface HeartbeatAnswer {
  readonly memberEpoch: number;
  readonly heartbeatIntervalMs: number;
  /** Null: as before. */
  readonly assignment: readonly ShareAssignment[] | null;
}

export interface ShareGroupDescription {
  readonly groupId: string;
  readonly state: 'Empty' | 'Stable';
  readonly epoch: number;
  readonly members: readonly ShareMember[];
}

const leaving = -1;
const joining = 0;

/**
 * The share groups of a door (KIP-932). Members are known for as long as they send heartbeats; what a group has read is
 * the state of its queues, which outlives them and the process.
 */
export class ShareGroups {
  readonly configs: GroupConfigs;
  readonly queues: ShareQueues;
  readonly sessions: ShareSessions;
  readonly #broker: BrokerPort;
  readonly #clock: Clock;
  readonly #isOther: (groupId: string) => boolean;
  /** Those that have members. */
  readonly #groups = new Map<string, ShareGroup>();
  readonly #timeouts: DeadlineQueue;
  readonly #deadlines = new Map<ShareMember, Deadline>();

  /** `isOther`: whether a group is of a kind that only the door knows. */
  constructor(
    broker: BrokerPort,
    clock: Clock,
    configs = new GroupConfigs(broker),
    isOther: (groupId: string) => boolean = () => false,
  ) {
    this.#broker = broker;
    this.#isOther = isOther;
    this.#clock = clock;
    this.configs = configs;
    this.queues = new ShareQueues(broker, this.configs, () => clock.nowMs());
    this.sessions = new ShareSessions(this.configs);
    this.#timeouts = new DeadlineQueue(clock);
  }

  close(): void {
    this.#timeouts.close();
    this.sessions.close();
    this.queues.close();
  }

  /** Whether there is a share group of that id. */
  has(groupId: string): boolean {
    return this.#groups.has(groupId) || this.queues.has(groupId);
  }

  hasMembers(groupId: string): boolean {
    return this.#groups.has(groupId);
  }

  /** In order of id. */
  list(): ShareGroupDescription[] {
    const ids = new Set([...this.#groups.keys(), ...this.queues.groupIds()]);
    return [...ids].toSorted().map((groupId) => this.#describe(groupId));
  }

  find(groupId: string): ShareGroupDescription | undefined {
    return this.has(groupId) ? this.#describe(groupId) : undefined;
  }

  async heartbeat(
    request: RequestOf<'ShareGroupHeartbeat'>,
    client: { clientId: string; clientHost: string },
  ): Promise<HeartbeatAnswer | Refusal> {
    const problem = findProblem(request);
    if (problem !== undefined) return new Refusal(errorCodes.INVALID_REQUEST, problem);
    const { groupId, memberId, memberEpoch, subscribedTopicNames } = request;
    if (memberEpoch === leaving) return this.#leave(groupId, memberId);
    if (!hasRoomFor(this.#groups.get(groupId), memberId, subscribedTopicNames ?? [])) {
      const message = 'The members of the group subscribe to too many topics.';
      return new Refusal(errorCodes.GROUP_MAX_SIZE_REACHED, message);
    }
    const found = this.#enter(groupId, memberId, memberEpoch);
    if (found instanceof Refusal) return found;
    const { group, member } = found;
    this.#expect(group, member);
    member.clientId = client.clientId;
    member.clientHost = client.clientHost;
    if (request.rackId !== null) member.rackId = request.rackId;
    if (subscribedTopicNames !== null) group.subscribe(member, subscribedTopicNames);
    group.assign((name) => this.#findTopic(name));
    const hasChanged = group.advance(member);
    const { epoch, assignment } = member;
    // What is published from here on is the group's, wherever it begins.
    const refusal = await this.#openQueues(groupId, assignment);
    if (refusal !== undefined) return refusal;
    const isTold = hasChanged || memberEpoch !== epoch || subscribedTopicNames !== null;
    return {
      memberEpoch: epoch,
      heartbeatIntervalMs: this.configs.number(groupId, 'share.heartbeat.interval.ms'),
      assignment: isTold ? assignment : null,
    };
  }

  /** Deletes the queues of a group without members. Rejects: group-not-found, group-not-empty. */
  async delete(groupId: string): Promise<void> {
    if (this.#groups.has(groupId)) throw new BrokerError('group-not-empty', groupId);
    const queues = this.queues.list(groupId);
    if (queues.length === 0) throw new BrokerError('group-not-found', groupId);
    await Promise.all(queues.map((queue) => this.queues.delete(queue)));
  }

  #describe(groupId: string): ShareGroupDescription {
    const group = this.#groups.get(groupId);
    return {
      groupId,
      state: group === undefined ? 'Empty' : 'Stable',
      epoch: group?.epoch ?? 0,
      members: [...(group?.members.values() ?? [])],
    };
  }

  #enter(
    groupId: string,
    memberId: string,
    memberEpoch: number,
  ): { group: ShareGroup; member: ShareMember } | Refusal {
    const known = this.#groups.get(groupId);
    const member = known?.members.get(memberId);
    if (known !== undefined && member !== undefined) {
      const isCurrent =
        memberEpoch === joining ||
        memberEpoch === member.epoch ||
        memberEpoch === member.previousEpoch;
      return isCurrent
        ? { group: known, member }
        : new Refusal(
            errorCodes.FENCED_MEMBER_EPOCH,
            `The share group member has another epoch (${member.epoch}) than the request (${memberEpoch}).`,
          );
    }
    if (memberEpoch !== joining) return unknownMember(groupId, memberId);
    const group = known ?? this.#create(groupId);
    if (group instanceof Refusal) return group;
    if (group.members.size >= limits.shareGroupMembersMax) {
      return new Refusal(
        errorCodes.GROUP_MAX_SIZE_REACHED,
        `The share group has reached its maximum capacity of ${limits.shareGroupMembersMax} members.`,
      );
    }
    return { group, member: group.add(memberId) };
  }

  #create(groupId: string): ShareGroup | Refusal {
    if (
      this.#isOther(groupId) ||
      this.#broker.groupsFor(groupId).describe(groupId).state !== 'dead'
    ) {
      return new Refusal(errorCodes.GROUP_ID_NOT_FOUND, `Group ${groupId} is not a share group.`);
    }
    if (this.#groups.size >= limits.groupsMax) {
      return new Refusal(errorCodes.GROUP_MAX_SIZE_REACHED, 'There are too many groups.');
    }
    const group = new ShareGroup(groupId);
    this.#groups.set(groupId, group);
    return group;
  }

  #leave(groupId: string, memberId: string): HeartbeatAnswer | Refusal {
    const group = this.#groups.get(groupId);
    const member = group?.members.get(memberId);
    if (group === undefined || member === undefined) return unknownMember(groupId, memberId);
    this.#remove(group, member);
    return { memberEpoch: leaving, heartbeatIntervalMs: 0, assignment: null };
  }

  #remove(group: ShareGroup, member: ShareMember): void {
    this.#timeouts.cancel(this.#deadlines.get(member));
    this.#deadlines.delete(member);
    group.remove(member.memberId);
    if (group.isEmpty) this.#groups.delete(group.id);
    else group.assign((name) => this.#findTopic(name));
  }

  /** The member must be heard of again within its session's time. */
  #expect(group: ShareGroup, member: ShareMember): void {
    this.#timeouts.cancel(this.#deadlines.get(member));
    const timeoutMs = this.configs.number(group.id, 'share.session.timeout.ms');
    const deadline = this.#timeouts.schedule(this.#clock.monotonicMs() + timeoutMs, () => {
      this.#remove(group, member);
      this.sessions.end(group.id, member.memberId);
    });
    this.#deadlines.set(member, deadline);
  }

  #findTopic(name: string): AssignableTopic | undefined {
    const topic = this.#broker.topics.find(name);
    return topic === undefined
      ? undefined
      : { id: topic.id, name, partitionCount: topic.partitions.length };
  }

  async #openQueues(
    groupId: string,
    assignment: readonly ShareAssignment[],
  ): Promise<Refusal | undefined> {
    const opened: Array<Promise<unknown>> = [];
    for (const { topicName } of assignment) {
      const topic = this.#broker.topics.find(topicName);
      if (topic === undefined || this.queues.isReady(groupId, topicName)) continue;
      opened.push(this.queues.open(groupId, topic));
    }
    if (opened.length === 0) return undefined;
    try {
      await Promise.all(opened);
      return undefined;
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      // A topic that is gone is assigned no more with the next heartbeat.
      if (error.code === 'queue-not-found' || error.code === 'topic-not-found') return undefined;
      return new Refusal(coordinatorErrorCode(error.code), error.message);
    }
  }
}

function unknownMember(groupId: string, memberId: string): Refusal {
  return new Refusal(
    errorCodes.UNKNOWN_MEMBER_ID,
    `Member ${memberId} is not a member of group ${groupId}.`,
  );
}

function findProblem({
  groupId,
  memberId,
  memberEpoch,
  rackId,
  subscribedTopicNames,
}: RequestOf<'ShareGroupHeartbeat'>): string | undefined {
  if (groupId.trim() === '') return "GroupId can't be empty.";
  if (Buffer.byteLength(groupId) > limits.nameBytesMax) return 'GroupId is too long.';
  if (memberId.trim() === '') return "MemberId can't be empty.";
  if (rackId !== null && rackId.trim() === '') return "RackId can't be empty.";
  if (memberEpoch < leaving) return 'MemberEpoch is invalid.';
  if (memberEpoch === joining && (subscribedTopicNames ?? []).length === 0) {
    return 'SubscribedTopicNames must be set in first request.';
  }
  if ((subscribedTopicNames?.length ?? 0) > limits.shareMemberTopicsMax) {
    return `At most ${limits.shareMemberTopicsMax} topics can be subscribed to.`;
  }
  return undefined;
}
