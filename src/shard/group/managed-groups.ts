import { BrokerError, type Clock, limits, type Random } from '../../base/index.ts';
import { toClassic, toManaged } from './conversion.ts';
import type { DeadlineQueue } from './deadline-queue.ts';
import { checkGroupId, type GroupTable } from './group-table.ts';
import { ManagedGroup } from './managed-group.ts';
import { awayEpoch, createManagedMember, type ManagedMember } from './managed-member.ts';
import {
  decodeManagedGroup,
  decodeManagedMember,
  encodeManagedGroup,
  encodeManagedMember,
} from './managed-record.ts';
import { ManagedSessions } from './managed-sessions.ts';
import type { GroupOptions } from './options.ts';
import {
  holdsAll,
  isSameHeld,
  listHeld,
  listSet,
  nothingHeld,
  type TopicPartitionList,
} from './partition-set.ts';
import { ignoreBrokerError, type Rebalancer } from './rebalancer.ts';
import { reconcile, waitsForBeats } from './reconcile.ts';
import { checkTopicPattern } from './topic-pattern.ts';
import type {
  Beat,
  BeatResult,
  GroupStore,
  GroupTopics,
  ManagedGroupDescription,
  MemberIdentity,
  OffsetCommit,
  TopicViewer,
} from './types.ts';

export interface ManagedGroupsParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: GroupStore;
  readonly topics: GroupTopics;
  readonly options: GroupOptions;
  readonly deadlines: DeadlineQueue;
  readonly table: GroupTable;
  readonly rebalancer: Rebalancer;
}

const leaving = -1;
const joining = 0;
const everybody: TopicViewer = { name: '', sees: () => true };

/**
 * The groups whose work the coordinator divides (KIP-848). A member is told nothing that is not durable: its epoch and
 * what it holds are found again after a restart, so that it goes on without noticing.
 */
export class ManagedGroups {
  readonly sessions: ManagedSessions;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #store: GroupStore;
  readonly #topics: GroupTopics;
  readonly #options: GroupOptions;
  readonly #deadlines: DeadlineQueue;
  readonly #table: GroupTable;
  readonly #rebalancer: Rebalancer;

  constructor(parts: ManagedGroupsParts) {
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#store = parts.store;
    this.#topics = parts.topics;
    this.#options = parts.options;
    this.#deadlines = parts.deadlines;
    this.#table = parts.table;
    this.#rebalancer = parts.rebalancer;
    this.sessions = new ManagedSessions(parts.clock, parts.deadlines, (group, member) => {
      void this.fence(group, member).catch(ignoreBrokerError);
    });
  }

  /** Takes over a stored group; its members have a fresh session each. Throws `storage-damaged`. */
  load(groupId: string, state: Uint8Array): void {
    const group = new ManagedGroup(groupId, decodeManagedGroup(groupId, state));
    for (const [memberId, bytes] of this.#store.listMembers(groupId)) {
      const member = decodeManagedMember(groupId, memberId, bytes);
      group.add(member);
      this.sessions.touch(group, member);
      if (member.progress === 'revoking') this.sessions.expectStep(group, member);
    }
    // What was read is stored.
    group.takeUnsaved();
    this.#table.put(group);
  }

  async beat(beat: Beat): Promise<BeatResult> {
    checkGroupId(beat.groupId);
    if (beat.epoch === leaving || beat.epoch === awayEpoch) return this.#leave(beat);
    // A pattern that is none must change nothing.
    checkTopicPattern(beat.pattern ?? '');
    const group = this.#open(beat);
    const member = this.#enter(group, beat);
    const heldBefore = member.held;
    const isNew = this.#update(group, member, beat);
    if (isNew) group.bump();
    await this.gather(group);
    if (this.#table.find(group.groupId) !== group || group.find(member.memberId) !== member) {
      throw new BrokerError('member-unknown');
    }
    this.advance(group, member, beat.owned, beat.viewer ?? everybody);
    this.sessions.touch(group, member);
    const { memberId, epoch, held } = member;
    const isFull =
      beat.epoch === joining ||
      (beat.rebalanceTimeoutMs !== undefined &&
        beat.owned !== undefined &&
        (beat.topics !== undefined || beat.pattern !== undefined));
    const isTold = isFull || !isSameHeld(heldBefore, held);
    const isWaiting = waitsForBeats(group, member);
    await this.save(group);
    const result = { memberId, epoch, isWaiting };
    return isTold ? { ...result, assignment: listHeld(held) } : result;
  }

  /**
   * Divides the work anew if something has changed, and takes the member a step further. `viewer`: of a member that may
   * subscribe by a pattern.
   */
  advance(
    group: ManagedGroup,
    member: ManagedMember,
    owned: readonly TopicPartitionList[] | undefined,
    viewer?: TopicViewer,
  ): void {
    const sees = viewer === undefined ? undefined : (name: string) => viewer.sees(name);
    const hasChanged = group.refresh(this.#topics, this.#clock.monotonicMs(), member, sees);
    if (hasChanged && group.epoch === group.assignmentEpoch) group.bump();
    group.assign();
    const epochBefore = member.epoch;
    const wasRevoking = member.progress === 'revoking';
    reconcile(group, member, owned);
    if (member.protocols !== undefined) return;
    if (member.progress !== 'revoking') this.sessions.endStep(member);
    else if (!wasRevoking || member.epoch !== epochBefore) this.sessions.expectStep(group, member);
  }

  /** Members that start together wait for each other a little: the work is then divided once. */
  async gather(group: ManagedGroup): Promise<void> {
    const { gathering } = group;
    if (gathering === undefined) return;
    await new Promise<void>((resolve) => gathering.waiters.push(resolve));
  }

  /** Takes a member out, for having left or being lost; resolves when that is durable. */
  async fence(group: ManagedGroup, member: ManagedMember): Promise<void> {
    this.sessions.forget(member);
    const isLastOfItsKind = member.protocols === undefined && group.isClassicWithout(member);
    group.remove(member);
    if (isLastOfItsKind) {
      await this.handOver(group);
      return;
    }
    group.bump();
    if (group.size === 0) group.emptySinceMs = this.#clock.nowMs();
    await this.save(group);
  }

  /** The group is its classic members' again, who are asked to join. */
  async handOver(group: ManagedGroup): Promise<void> {
    for (const member of group.members()) this.sessions.forget(member);
    const classic = toClassic(group, this.#topics);
    this.#table.put(classic);
    for (const member of classic.members()) this.#rebalancer.touch(classic, member);
    const saved = this.#rebalancer.save(classic);
    this.#rebalancer.rebalance(classic);
    await saved;
  }

  /** Resolves when all that the group is now is durable. */
  save(group: ManagedGroup): Promise<void> {
    if (group.hasUnsaved) {
      const { members, isWhole } = group.takeUnsaved();
      const encoded = new Map<string, Uint8Array | undefined>();
      for (const [memberId, member] of members) {
        encoded.set(memberId, member === undefined ? undefined : encodeManagedMember(member));
      }
      const state = encodeManagedGroup(group);
      const saving = this.#store.saveMembers(group.groupId, state, encoded, isWhole).then(
        () => {
          if (group.saving === saving) group.saving = undefined;
        },
        (error: unknown) => {
          // The members know what they know: what is in memory counts, and all of it is stored the next time.
          group.noteAll();
          if (group.saving === saving) group.saving = undefined;
          throw error;
        },
      );
      group.saving = saving;
    }
    return group.saving ?? Promise.resolve();
  }

  /** Throws unless these offsets may be committed by that member now. */
  checkCommit(
    group: ManagedGroup,
    identity: MemberIdentity | undefined,
    commits: readonly OffsetCommit[],
    isPending: boolean,
  ): void {
    if ((identity === undefined || identity.generation < 0) && group.size === 0) return;
    const member = identity === undefined ? undefined : group.find(identity.memberId);
    if (identity === undefined || member === undefined) throw new BrokerError('member-unknown');
    const { generation } = identity;
    if (identity.knowsNoEpochs === true && member.protocols === undefined && !isPending)
      throw new BrokerError('group-protocol-mismatch');
    if (generation === member.epoch) return;
    if (isPending || member.protocols !== undefined) throw new BrokerError('generation-stale');
    if (generation > member.epoch) throw new BrokerError('member-epoch-stale');
    // An answer with a newer epoch may be on its way: what the member has had all along is still its own (KIP-1251).
    for (const { topicId, partition } of commits) {
      const sinceEpoch =
        member.held.get(topicId)?.get(partition) ?? member.revoking.get(topicId)?.get(partition);
      if (sinceEpoch === undefined || sinceEpoch > generation) {
        throw new BrokerError('member-epoch-stale');
      }
    }
  }

  checkFetch(group: ManagedGroup, { memberId, epoch }: { memberId: string; epoch: number }): void {
    const member = group.find(memberId);
    if (member === undefined) throw new BrokerError('member-unknown');
    if (member.epoch === epoch) return;
    throw new BrokerError(
      member.protocols === undefined ? 'member-epoch-stale' : 'generation-stale',
    );
  }

  describe(group: ManagedGroup): ManagedGroupDescription {
    const { groupId, state, epoch, assignmentEpoch, division } = group;
    const members = [...group.members()].map((member) => {
      const { memberId, instanceId, rackId, clientId, clientHost, topics, pattern } = member;
      return {
        memberId,
        instanceId,
        rackId,
        clientId,
        clientHost,
        epoch: member.epoch,
        topics,
        pattern,
        assignment: listHeld(member.held),
        target: listSet(member.target),
        isClassic: member.protocols !== undefined,
      };
    });
    return { groupId, state, epoch, assignmentEpoch, assignorName: division, members };
  }

  /** Throws `group-full` when the group has no room for another member. */
  checkRoom(group: ManagedGroup, memberId: string, subscribedBytes: number): void {
    const { membersMax } = this.#options;
    if (group.size >= membersMax && group.find(memberId) === undefined) {
      throw new BrokerError('group-full', `it has ${membersMax} members`);
    }
    if (group.subscribedBytes + subscribedBytes > limits.groupMembersBytesMax) {
      throw new BrokerError('group-full', 'its members say too much of themselves');
    }
  }

  /** A static member came back under a new id: what the old one has is its own. */
  replace(group: ManagedGroup, before: ManagedMember, memberId: string): ManagedMember {
    const member = createManagedMember({ ...before, memberId, epoch: 0, previousEpoch: 0 });
    // Who starts anew has let go of everything.
    if (member.progress === 'revoking') member.progress = 'waiting';
    member.revoking = nothingHeld;
    this.sessions.forget(before);
    group.remove(before);
    group.add(member);
    return member;
  }

  /** The group for a heartbeat; a join makes it, or makes it a managed one. */
  #open(beat: Beat): ManagedGroup {
    const { groupId, epoch } = beat;
    const found = this.#table.find(groupId);
    if (found?.kind === 'managed') return found;
    if (epoch !== joining) throw new BrokerError('group-not-found', groupId);
    if (found === undefined) this.#table.checkRoom();
    const group = found === undefined ? new ManagedGroup(groupId) : toManaged(found, this.#topics);
    if (group.size >= this.#options.membersMax) {
      throw new BrokerError('group-full', `it has ${this.#options.membersMax} members`);
    }
    if (found !== undefined) {
      this.#rebalancer.dissolve(found, new BrokerError('group-rebalancing'));
    }
    this.#table.put(group);
    for (const member of group.members()) this.sessions.touch(group, member);
    return group;
  }

  /** The member that a heartbeat comes from; a join makes it. */
  #enter(group: ManagedGroup, beat: Beat): ManagedMember {
    const { topics = [], pattern = '' } = beat;
    const bytes = topics.reduce((sum, topic) => sum + topic.length + 1, pattern.length);
    this.checkRoom(group, beat.memberId, bytes);
    if (pattern !== '' && group.countPatternsWith(pattern) > limits.groupPatternsMax) {
      throw new BrokerError('group-full', `it has ${limits.groupPatternsMax} patterns`);
    }
    const isJoin = beat.epoch === joining;
    const memberId = beat.memberId === '' ? this.#random.nextUuid() : beat.memberId;
    if (beat.instanceId !== undefined) return this.#enterStatic(group, beat, memberId);
    const member = group.find(memberId);
    if (member === undefined) {
      if (!isJoin) throw new BrokerError('member-unknown');
      return this.#add(group, memberId, undefined);
    }
    checkEpoch(member, beat);
    return member;
  }

  #enterStatic(group: ManagedGroup, beat: Beat, memberId: string): ManagedMember {
    const { instanceId = '', epoch } = beat;
    const before = group.findStatic(instanceId);
    if (epoch !== joining) {
      if (before === undefined) throw new BrokerError('member-unknown');
      if (before.memberId !== memberId) throw new BrokerError('member-fenced');
      checkEpoch(before, beat);
      return before;
    }
    if (before === undefined) return this.#add(group, memberId, instanceId);
    if (before.memberId === memberId && before.epoch !== awayEpoch) return before;
    if (before.protocols === undefined && before.epoch !== awayEpoch) {
      throw new BrokerError('instance-in-use', instanceId);
    }
    return this.replace(group, before, memberId);
  }

  #add(group: ManagedGroup, memberId: string, instanceId: string | undefined): ManagedMember {
    this.#expectMore(group);
    const member = createManagedMember({ memberId, instanceId });
    group.add(member);
    return member;
  }

  /** Takes over what the heartbeat says; true when the work is to be divided anew. */
  #update(group: ManagedGroup, member: ManagedMember, beat: Beat): boolean {
    const changed =
      member.clientId !== beat.clientId ||
      member.clientHost !== beat.clientHost ||
      member.sessionTimeoutMs !== beat.sessionTimeoutMs ||
      member.protocols !== undefined ||
      (beat.rackId !== undefined && beat.rackId !== member.rackId) ||
      (beat.assignorName !== undefined && beat.assignorName !== member.assignorName) ||
      (beat.rebalanceTimeoutMs !== undefined &&
        beat.rebalanceTimeoutMs !== member.rebalanceTimeoutMs);
    if (changed) {
      const { clientId, clientHost, sessionTimeoutMs } = beat;
      Object.assign(member, { clientId, clientHost, sessionTimeoutMs, protocols: undefined });
      if (beat.rackId !== undefined) member.rackId = beat.rackId;
      if (beat.assignorName !== undefined) member.assignorName = beat.assignorName;
      if (beat.rebalanceTimeoutMs !== undefined) {
        member.rebalanceTimeoutMs = beat.rebalanceTimeoutMs;
      }
      group.noteMember(member);
    }
    const { topics = member.topics, pattern = member.pattern, viewer = everybody } = beat;
    return group.subscribe(member, topics, pattern, viewer.name);
  }

  async #leave(beat: Beat): Promise<BeatResult> {
    const { groupId, memberId, instanceId, epoch } = beat;
    const group = this.#table.findManaged(groupId);
    if (group === undefined) throw new BrokerError('group-not-found', groupId);
    const member = instanceId === undefined ? group.find(memberId) : group.findStatic(instanceId);
    if (member === undefined) throw new BrokerError('member-unknown');
    if (member.memberId !== memberId) throw new BrokerError('member-fenced');
    if (instanceId === undefined || epoch === leaving) {
      await this.fence(group, member);
    } else {
      // What it was letting go of, it has let go of; the rest waits for it until its session ends.
      this.sessions.endStep(member);
      group.setHeld(member, member.held, nothingHeld);
      if (member.progress === 'revoking') member.progress = 'waiting';
      member.epoch = awayEpoch;
      await this.save(group);
    }
    return { memberId, epoch, isWaiting: false };
  }

  #expectMore(group: ManagedGroup): void {
    if (group.gathering !== undefined) {
      group.gathering.hasGrown = true;
      return;
    }
    const delayMs = this.#options.initialRebalanceDelayMs;
    if (group.size > 0 || delayMs <= 0) return;
    group.gathering = {
      waiters: [],
      hasGrown: false,
      remainingMs: this.#options.gatheringMaxMs - delayMs,
    };
    this.#waitForMore(group, delayMs);
  }

  #waitForMore(group: ManagedGroup, delayMs: number): void {
    this.#deadlines.schedule(this.#clock.monotonicMs() + delayMs, () => {
      const { gathering } = group;
      if (gathering === undefined) return;
      if (gathering.hasGrown && gathering.remainingMs > 0) {
        gathering.hasGrown = false;
        gathering.remainingMs -= delayMs;
        // Who is one of many that start may find its machine busy; somebody late costs all others a heartbeat's time.
        this.#waitForMore(group, Math.min(delayMs * 2, this.#options.gatheringStepMaxMs));
      } else this.endGathering(group);
    });
  }

  endGathering(group: ManagedGroup): void {
    const { gathering } = group;
    group.gathering = undefined;
    for (const resolve of gathering?.waiters ?? []) resolve();
  }
}

/**
 * Throws unless the member knows its epoch, or the one before it, when the answer with the newer one may have got lost,
 * or starts anew.
 */
function checkEpoch(member: ManagedMember, { epoch, owned }: Beat): void {
  if (epoch === member.epoch || epoch === joining) return;
  const isRepeated =
    epoch < member.epoch &&
    epoch === member.previousEpoch &&
    owned !== undefined &&
    holdsAll(member.held, owned);
  if (isRepeated) return;
  throw new BrokerError('member-epoch-fenced', `${epoch} instead of ${member.epoch}`);
}
