import { BrokerError, type Clock, type Random } from '../../base/index.ts';
import { toClassic } from './conversion.ts';
import { DeadlineQueue } from './deadline-queue.ts';
import type { Group } from './group.ts';
import { decodeGroupRecord } from './group-record.ts';
import { checkGroupId, GroupTable } from './group-table.ts';
import { ManagedClassic } from './managed-classic.ts';
import { ManagedGroups } from './managed-groups.ts';
import { isManagedRecord } from './managed-record.ts';
import { metadataOf, noBytes } from './member.ts';
import { checkJoin, Membership } from './membership.ts';
import { Offsets } from './offsets.ts';
import { defaultGroupOptions, type GroupOptions } from './options.ts';
import { Rebalancer } from './rebalancer.ts';
import { consumerProtocolType } from './subscription.ts';
import type {
  Beat,
  BeatResult,
  GroupDescription,
  GroupListing,
  Groups,
  GroupStore,
  GroupTopics,
  JoinRequest,
  JoinResult,
  ManagedGroupDescription,
  MemberIdentity,
  NamedPartitionKey,
  OffsetCommit,
  PartitionKey,
  StoredOffset,
  SyncRequest,
  SyncResult,
} from './types.ts';

export interface GroupCoordinatorParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: GroupStore;
  /** Without it there are none to subscribe to in groups whose coordinator divides the work. */
  readonly topics?: GroupTopics;
  readonly options?: Partial<GroupOptions>;
}

const noTopics: GroupTopics = {
  version: 0,
  find: () => undefined,
  findName: () => undefined,
  names: () => [],
};

/**
 * The consumer groups of one shard: deterministic, given its clock, randomness and store. Only what was stored
 * outlives a restart; a generation is stored before any member learns its part of it, and every offset before its
 * commit is answered.
 */
export class GroupCoordinator implements Groups {
  readonly #clock: Clock;
  readonly #topics: GroupTopics;
  readonly #store: GroupStore;
  readonly #options: GroupOptions;
  readonly #deadlines: DeadlineQueue;
  readonly #table: GroupTable;
  readonly #rebalancer: Rebalancer;
  readonly #membership: Membership;
  readonly #managed: ManagedGroups;
  readonly #managedClassic: ManagedClassic;
  readonly #offsets: Offsets;
  #isClosed = false;

  constructor({ clock, random, store, topics = noTopics, options: given }: GroupCoordinatorParts) {
    const options = { ...defaultGroupOptions, ...given };
    const table = new GroupTable(store, options.groupsMax);
    const deadlines = new DeadlineQueue(clock);
    const onForsaken = (group: Group) => table.removeWhenIdle(group);
    const rebalancer = new Rebalancer({ clock, store, options, deadlines, onForsaken });
    const membership = new Membership({ table, rebalancer, random, options });
    const parts = { clock, random, store, topics, options, deadlines, table, rebalancer };
    const managed = new ManagedGroups(parts);
    this.#managed = managed;
    this.#managedClassic = new ManagedClassic({ groups: managed, topics, random });
    this.#clock = clock;
    this.#topics = topics;
    this.#store = store;
    this.#options = options;
    this.#deadlines = deadlines;
    this.#table = table;
    this.#rebalancer = rebalancer;
    this.#membership = membership;
    this.#offsets = new Offsets({ ...parts, membership, managed });
  }

  /**
   * Takes over the stored groups, once, before the first request. Their members have a fresh session each and carry
   * on with their generation. Throws `storage-damaged` for a state that cannot be read.
   */
  load(): void {
    for (const groupId of this.#store.listGroupIds()) {
      const state = this.#store.findGroup(groupId);
      if (state !== undefined && isManagedRecord(state)) {
        this.#managed.load(groupId, state);
        continue;
      }
      const group = this.#table.getOrAdd(groupId, true);
      if (state === undefined || group.kind !== 'classic') continue;
      group.restore(decodeGroupRecord(groupId, state));
      for (const member of group.members()) {
        this.#rebalancer.extendSession(group, member, member.sessionTimeoutMs);
      }
    }
    this.#expireLater();
  }

  /** Answers everybody who waits with `closed`, and stops the timers. Stored groups stay as they are. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const group of this.#table.all()) {
      if (group.kind === 'managed') this.#managed.endGathering(group);
      else this.#rebalancer.dissolve(group, new BrokerError('closed'));
    }
    this.#deadlines.close();
  }

  async join(request: JoinRequest): Promise<JoinResult> {
    this.#checkOpen();
    checkJoin(request, this.#options);
    const managed = this.#table.findManaged(request.groupId);
    if (managed !== undefined && managed.size > 0) {
      return this.#managedClassic.join(managed, request);
    }
    // A group without members is whose who comes first.
    if (managed !== undefined) this.#table.put(toClassic(managed, this.#topics));
    return this.#membership.join(request);
  }

  async sync(request: SyncRequest): Promise<SyncResult> {
    this.#checkOpen();
    const managed = this.#table.findManaged(request.groupId);
    if (managed !== undefined) return this.#managedClassic.sync(managed, request);
    return this.#membership.sync(request);
  }

  heartbeat(member: MemberIdentity): void {
    this.#checkOpen();
    const managed = this.#table.findManaged(member.groupId);
    if (managed !== undefined) this.#managedClassic.heartbeat(managed, member);
    else this.#membership.heartbeat(member);
  }

  async beat(beat: Beat): Promise<BeatResult> {
    this.#checkOpen();
    return this.#managed.beat(beat);
  }

  async leave(
    groupId: string,
    members: ReadonlyArray<{ memberId: string; instanceId?: string; reason?: string }>,
  ): Promise<Array<Error | undefined>> {
    this.#checkOpen();
    const managed = this.#table.findManaged(groupId);
    if (managed !== undefined) return this.#managedClassic.leave(managed, members);
    return this.#membership.leave(groupId, members);
  }

  async commit(
    groupId: string,
    member: MemberIdentity | undefined,
    commits: readonly OffsetCommit[],
  ): Promise<void> {
    this.#checkOpen();
    await this.#offsets.commit(groupId, member, commits);
  }

  async commitPending(
    groupId: string,
    producerId: number,
    member: MemberIdentity | undefined,
    commits: readonly OffsetCommit[],
  ): Promise<void> {
    this.#checkOpen();
    await this.#offsets.commitPending(groupId, producerId, member, commits);
  }

  hasPendingOffset(groupId: string, key: PartitionKey): boolean {
    return this.#store.hasPending(groupId, key);
  }

  async fetchOffsets(
    groupId: string,
    keys?: readonly PartitionKey[],
    member?: { memberId: string; epoch: number },
  ): Promise<Array<PartitionKey & StoredOffset>> {
    this.#checkOpen();
    return this.#offsets.fetch(groupId, keys, member);
  }

  describe(groupId: string): GroupDescription {
    const group = this.#table.find(groupId);
    if (group === undefined) {
      const [protocolType, protocolName] = ['', ''];
      const isManaged = false;
      return { groupId, isManaged, state: 'dead', protocolType, protocolName, members: [] };
    }
    if (group.kind === 'managed') return describeBriefly(this.#managed.describe(group));
    const { state, protocolType } = group;
    // Before the group is stable, what members have and how they share is of the past or not known.
    const isStable = state === 'stable';
    const protocolName = isStable ? group.protocolName : '';
    const members: GroupDescription['members'] = [];
    for (const member of group.members()) {
      const { memberId, instanceId, clientId, clientHost } = member;
      const metadata = isStable ? metadataOf(member, protocolName) : noBytes;
      const assignment = isStable ? member.assignment : noBytes;
      const description = { memberId, clientId, clientHost, metadata, assignment };
      members.push(instanceId === undefined ? description : { ...description, instanceId });
    }
    return { groupId, isManaged: false, state, protocolType, protocolName, members };
  }

  describeManaged(groupId: string): ManagedGroupDescription | undefined {
    const group = this.#table.findManaged(groupId);
    return group === undefined ? undefined : this.#managed.describe(group);
  }

  list(): GroupListing[] {
    const listings: GroupListing[] = [];
    for (const { groupId, kind, state, protocolType } of this.#table.all()) {
      listings.push({ groupId, isManaged: kind === 'managed', state, protocolType });
    }
    return listings;
  }

  async delete(groupId: string): Promise<void> {
    this.#checkOpen();
    checkGroupId(groupId, true);
    const group = this.#table.find(groupId);
    if (group === undefined) throw new BrokerError('group-not-found');
    if (group.state !== 'empty') throw new BrokerError('group-not-empty');
    if (group.kind === 'classic') {
      this.#rebalancer.dissolve(group, new BrokerError('member-unknown'));
    }
    this.#table.remove(group);
    const offsets = this.#store.listOffsets(groupId);
    const waits: Promise<void>[] = [];
    if (offsets.length > 0) waits.push(this.#store.deleteOffsets(groupId, offsets));
    if (group.isStored) waits.push(this.#store.saveGroup(groupId, undefined));
    await Promise.all(waits);
  }

  async deleteOffsets(
    groupId: string,
    keys: readonly NamedPartitionKey[],
  ): Promise<Array<Error | undefined>> {
    this.#checkOpen();
    return this.#offsets.delete(groupId, keys);
  }

  hold(groupId: string, isHeld: boolean): void {
    this.#offsets.hold(groupId, isHeld);
  }

  async forgetTopic(topicId: string): Promise<void> {
    this.#checkOpen();
    await this.#offsets.forgetTopic(topicId);
  }

  #expireLater(): void {
    const atMs = this.#clock.monotonicMs() + this.#options.expiryCheckMs;
    this.#deadlines.schedule(atMs, () => {
      this.#offsets.expire();
      this.#expireLater();
    });
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new BrokerError('closed');
  }
}

/** Members of managed groups say nothing in bytes. */
function describeBriefly(group: ManagedGroupDescription): GroupDescription {
  const { groupId, state, assignorName } = group;
  const members = group.members.map((member) => {
    const { memberId, instanceId, clientId, clientHost } = member;
    const description = { memberId, clientId, clientHost, metadata: noBytes, assignment: noBytes };
    return instanceId === undefined ? description : { ...description, instanceId };
  });
  const protocolType = consumerProtocolType;
  return { groupId, isManaged: true, state, protocolType, protocolName: assignorName, members };
}
