import { BrokerError, type Clock, limits } from '../../../base/index.ts';
import type { BrokerPort } from '../../../broker/index.ts';
import { DeadlineQueue } from '../../../shard/index.ts';
import { coordinatorErrorCode, errorCodes } from '../error-codes.ts';
import type { GroupConfigs } from '../group-configs.ts';
import { Refusal } from '../refusal.ts';
import type { RequestOf } from '../wire/index.ts';
import { checkHeartbeat, joining, leaving, ownedTasks } from './heartbeat-request.ts';
import { StoredTopologies } from './stored-topologies.ts';
import { StreamsGroup } from './streams-group.ts';
import { hasToRevoke, type StreamsMember, updateMember } from './streams-member.ts';
import { requiredTopics, type Topology } from './topology.ts';

type Request = RequestOf<'StreamsGroupHeartbeat'>;

/** A heartbeat that was taken; undefined member: it has left. */
export interface Beaten {
  readonly group: StreamsGroup;
  readonly member: StreamsMember;
  /** It is to be told of its tasks. */
  readonly isTold: boolean;
}

/**
 * The streams groups of a door (KIP-1071). Members are known for as long as they send heartbeats, and join again when the
 * broker was started anew; topologies and offsets outlive them and the process.
 */
export class StreamsGroups {
  readonly #broker: BrokerPort;
  readonly #clock: Clock;
  readonly #configs: GroupConfigs;
  readonly #stored: StoredTopologies;
  /** Those that have members. */
  readonly #groups = new Map<string, StreamsGroup>();
  readonly #deadlines: DeadlineQueue;

  constructor(broker: BrokerPort, clock: Clock, configs: GroupConfigs) {
    this.#broker = broker;
    this.#clock = clock;
    this.#configs = configs;
    this.#stored = new StoredTopologies(broker);
    this.#deadlines = new DeadlineQueue(clock);
  }

  close(): void {
    this.#deadlines.close();
    for (const groupId of this.#groups.keys()) this.#hold(groupId, false);
    this.#groups.clear();
  }

  has(groupId: string): boolean {
    return this.#groups.has(groupId) || this.#stored.has(groupId);
  }

  hasMembers(groupId: string): boolean {
    return this.#groups.has(groupId);
  }

  /** In order of id. */
  list(): Array<{ groupId: string; state: StreamsGroup['state'] }> {
    const ids = new Set([...this.#groups.keys(), ...this.#stored.groupIds()]);
    return [...ids]
      .toSorted()
      .map((groupId) => ({ groupId, state: this.#groups.get(groupId)?.state ?? 'Empty' }));
  }

  /** A group without members is made from what is stored of it. */
  find(groupId: string): StreamsGroup | undefined {
    const group = this.#groups.get(groupId);
    if (group !== undefined) return group;
    const topology = this.#stored.find(groupId);
    if (topology === undefined) return undefined;
    const made = new StreamsGroup(groupId, topology);
    this.#configure(made);
    made.epoch = 0;
    return made;
  }

  /**
   * Takes a heartbeat; durable when resolved. Topics that the topology needs are not made: `configured.missing` tells of
   * them, and `refresh` looks again.
   */
  async heartbeat(
    request: Request,
    client: { readonly clientId: string; readonly clientHost: string },
  ): Promise<Beaten | Refusal> {
    const refusal = checkHeartbeat(request);
    if (refusal !== undefined) return refusal;
    const { groupId, memberId, memberEpoch } = request;
    if (memberEpoch === leaving) return this.#leave(groupId, memberId);
    if (request.topology !== null) {
      const refused = await this.#keep(groupId, request.topology);
      if (refused !== undefined) return refused;
      // Another member may have begun the group meanwhile: then what that one computes is what is stored.
      const begun = this.#groups.get(groupId);
      const late = begun === undefined ? undefined : checkTopology(begun, request.topology);
      if (begun !== undefined && late !== undefined) {
        return (await this.#store(groupId, begun.topology)) ?? late;
      }
      // Or a group of another kind: then nothing is left of this one.
      const other = begun === undefined ? this.#checkKind(groupId) : undefined;
      if (other !== undefined) return (await this.#store(groupId, undefined)) ?? other;
    }
    const found = this.#enter(request);
    if (found instanceof Refusal) return found;
    const { group, member } = found;
    if (updateMember(member, request, client)) {
      group.bump();
      if (member.userEndpoint !== null) group.endpointEpoch += 1;
    }
    if (request.shutdownApplication) group.shutdownMemberId = memberId;
    this.#expect(group, member);
    return this.#advance(group, member, request);
  }

  /** Goes on with a heartbeat after topics were made. */
  refresh({ group, member, isTold }: Beaten, request: Request): Beaten {
    // Meanwhile its session may have ended.
    if (!group.members.has(member.memberId)) return { group, member, isTold };
    const again = this.#advance(group, member, request);
    return again instanceof Refusal ? { group, member, isTold } : again;
  }

  /** Whether a member may commit or ask for offsets now: the error's code, or undefined. */
  checkMember(
    groupId: string,
    memberId: string,
    epoch: number,
    partitions: ReadonlyArray<{ readonly topic: string; readonly partition: number }> = [],
  ): number | undefined {
    const group = this.#groups.get(groupId);
    if (group === undefined) return epoch < 0 ? undefined : errorCodes.UNKNOWN_MEMBER_ID;
    const member = group.members.get(memberId);
    if (member === undefined) return errorCodes.UNKNOWN_MEMBER_ID;
    if (epoch === member.epoch) return undefined;
    const isHeldSince =
      epoch < member.epoch &&
      partitions.length > 0 &&
      partitions.every(({ topic, partition }) => group.hasSince(member, topic, partition, epoch));
    return isHeldSince ? undefined : errorCodes.STALE_MEMBER_EPOCH;
  }

  isSubscribed(groupId: string, topic: string): boolean {
    const group = this.#groups.get(groupId);
    return group?.configured.subtopologies.some(({ sources }) => sources.has(topic)) ?? false;
  }

  /**
   * Forgets a group without members; its offsets are the coordinator's. Rejects: group-not-empty. True when there was
   * one.
   */
  async forget(groupId: string): Promise<boolean> {
    if (this.#groups.has(groupId)) throw new BrokerError('group-not-empty', groupId);
    if (!this.#stored.has(groupId)) return false;
    await this.#stored.change(groupId, undefined);
    return true;
  }

  /** Stores the topology of a group that is new, or has lost its members since. */
  async #keep(groupId: string, topology: Topology): Promise<Refusal | undefined> {
    const group = this.#groups.get(groupId);
    if (group !== undefined) return checkTopology(group, topology);
    const other = this.#checkKind(groupId);
    if (other !== undefined) return other;
    if (this.#groups.size >= limits.streamsGroupsMax) {
      return new Refusal(errorCodes.GROUP_MAX_SIZE_REACHED, 'There are too many groups.');
    }
    return this.#store(groupId, topology);
  }

  /** Whether the id is of a group that consumers have joined. */
  #checkKind(groupId: string): Refusal | undefined {
    const { state, isManaged } = this.#broker.groupsFor(groupId).describe(groupId);
    if (!isManaged && (state === 'dead' || state === 'empty')) return undefined;
    return new Refusal(errorCodes.GROUP_ID_NOT_FOUND, `Group ${groupId} is not a streams group.`);
  }

  async #store(groupId: string, topology: Topology | undefined): Promise<Refusal | undefined> {
    try {
      await this.#stored.change(groupId, topology);
      return undefined;
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      return new Refusal(coordinatorErrorCode(error.code), error.message);
    }
  }

  #enter(request: Request): { group: StreamsGroup; member: StreamsMember } | Refusal {
    const { groupId, memberId, memberEpoch, topology } = request;
    const known = this.#groups.get(groupId);
    const member = known?.members.get(memberId);
    if (known !== undefined && member !== undefined) {
      const isCurrent =
        memberEpoch === joining ||
        memberEpoch === member.epoch ||
        (memberEpoch === member.previousEpoch && known.isOwner(member, ownedTasks(request)));
      if (isCurrent) return { group: known, member };
      const which = memberEpoch > member.epoch ? 'larger' : 'smaller';
      return new Refusal(
        errorCodes.FENCED_MEMBER_EPOCH,
        `The streams group member has a ${which} member epoch (${memberEpoch}) than the one known by the group coordinator ` +
          `(${member.epoch}). The member must abandon all its tasks and rejoin.`,
      );
    }
    if (memberEpoch !== joining || topology === null) return unknownMember(groupId, memberId);
    const group = known ?? this.#create(groupId, topology);
    if (group.members.size >= limits.streamsGroupMembersMax) {
      return new Refusal(
        errorCodes.GROUP_MAX_SIZE_REACHED,
        `The streams group has reached its maximum capacity of ${limits.streamsGroupMembersMax} members.`,
      );
    }
    return { group, member: group.add(memberId) };
  }

  #create(groupId: string, topology: Topology): StreamsGroup {
    const group = new StreamsGroup(groupId, topology);
    this.#groups.set(groupId, group);
    this.#hold(groupId, true);
    const delayMs = this.#configs.number(groupId, 'streams.initial.rebalance.delay.ms');
    if (delayMs > 0) {
      group.gather();
      this.#deadlines.schedule(this.#clock.monotonicMs() + delayMs, () => group.endGathering());
    }
    return group;
  }

  #advance(group: StreamsGroup, member: StreamsMember, request: Request): Beaten | Refusal {
    const { groupId, memberEpoch } = request;
    this.#configure(group);
    const owned = ownedTasks(request);
    if (group.configured.problem === undefined && owned !== undefined) {
      const unknown = group.findUnknownTask(owned);
      if (unknown !== undefined) return new Refusal(errorCodes.INVALID_REQUEST, unknown);
    }
    group.assign(this.#configs.number(groupId, 'streams.num.standby.replicas'));
    const epochBefore = member.epoch;
    const hasChanged = group.reconcile(member, owned);
    this.#watchRevocation(group, member);
    const isLate = memberEpoch !== epochBefore;
    return { group, member, isTold: hasChanged || isLate || memberEpoch === joining };
  }

  #configure(group: StreamsGroup): void {
    const { topics } = this.#broker;
    let text = '';
    for (const subtopology of group.topology.subtopologies) {
      for (const name of requiredTopics(subtopology)) {
        const topic = topics.find(name);
        text += topic === undefined ? '\n-' : `\n${topic.id} ${topic.partitions.length}`;
      }
    }
    group.configure((name) => topics.find(name)?.partitions.length, text);
  }

  #leave(groupId: string, memberId: string): Beaten | Refusal {
    const group = this.#groups.get(groupId);
    const member = group?.members.get(memberId);
    if (group === undefined || member === undefined) return unknownMember(groupId, memberId);
    this.#remove(group, member);
    member.epoch = leaving;
    return { group, member, isTold: false };
  }

  #remove(group: StreamsGroup, member: StreamsMember): void {
    this.#deadlines.cancel(member.sessionDeadline);
    this.#deadlines.cancel(member.revocationDeadline);
    group.remove(member);
    if (!group.isEmpty || this.#groups.get(group.id) !== group) return;
    this.#groups.delete(group.id);
    this.#hold(group.id, false);
  }

  /** The member must be heard of again within its session's time. */
  #expect(group: StreamsGroup, member: StreamsMember): void {
    this.#deadlines.cancel(member.sessionDeadline);
    const timeoutMs = this.#configs.number(group.id, 'streams.session.timeout.ms');
    const atMs = this.#clock.monotonicMs() + timeoutMs;
    member.sessionDeadline = this.#deadlines.schedule(atMs, () => this.#remove(group, member));
  }

  /** Who does not let go in time is taken for dead, so that others can go on. */
  #watchRevocation(group: StreamsGroup, member: StreamsMember): void {
    if (!hasToRevoke(member)) {
      this.#deadlines.cancel(member.revocationDeadline);
      member.revocationDeadline = undefined;
    } else if (member.revocationDeadline === undefined) {
      const atMs = this.#clock.monotonicMs() + member.rebalanceTimeoutMs;
      member.revocationDeadline = this.#deadlines.schedule(atMs, () => this.#remove(group, member));
    }
  }

  /** The coordinator keeps a group's offsets, however old, while it has members. */
  #hold(groupId: string, isHeld: boolean): void {
    this.#broker.groupsFor(groupId).hold(groupId, isHeld);
  }
}

/** A group keeps its topology while it has members; those that are behind it may join. */
function checkTopology(group: StreamsGroup, topology: Topology): Refusal | undefined {
  if (topology.epoch < group.topology.epoch) return undefined;
  return JSON.stringify(topology) === JSON.stringify(group.topology)
    ? undefined
    : new Refusal(
        errorCodes.INVALID_REQUEST,
        'Topology updates are not supported while the group has members.',
      );
}

function unknownMember(groupId: string, memberId: string): Refusal {
  return new Refusal(
    errorCodes.UNKNOWN_MEMBER_ID,
    `Member ${memberId} is not a member of group ${groupId}.`,
  );
}
