import { BrokerError, type Clock } from '../../base/index.ts';
import type { DeadlineQueue } from './deadline-queue.ts';
import type { Group } from './group.ts';
import { encodeGroupRecord } from './group-record.ts';
import { type Member, metadataOf, noBytes, type Waiter } from './member.ts';
import type { GroupOptions } from './options.ts';
import type { GroupStore, JoinResult, SyncResult } from './types.ts';

export interface RebalancerParts {
  readonly clock: Clock;
  readonly store: GroupStore;
  readonly options: GroupOptions;
  readonly deadlines: DeadlineQueue;
  /** An empty group lost the last member that was expected. */
  readonly onForsaken: (group: Group) => void;
}

/**
 * Moves groups from state to state, and answers the members that wait for it.
 *
 *   empty -> preparing-rebalance      the first member joins
 *   stable, completing-rebalance -> preparing-rebalance      a member joins, changes or goes
 *   preparing-rebalance -> completing-rebalance      all have joined, or the rebalance timeout has passed
 *   preparing-rebalance -> empty      nobody is left
 *   completing-rebalance -> stable      the leader's assignment is durable
 */
export class Rebalancer {
  readonly #clock: Clock;
  readonly #store: GroupStore;
  readonly #options: GroupOptions;
  readonly #deadlines: DeadlineQueue;
  readonly #onForsaken: (group: Group) => void;

  constructor(parts: RebalancerParts) {
    this.#clock = parts.clock;
    this.#store = parts.store;
    this.#options = parts.options;
    this.#deadlines = parts.deadlines;
    this.#onForsaken = parts.onForsaken;
  }

  /** A member gave a sign of life. */
  touch(group: Group, member: Member): void {
    member.isHeard = true;
    this.extendSession(group, member, member.sessionTimeoutMs);
  }

  extendSession(group: Group, member: Member, timeoutMs: number): void {
    member.expiresAtMs = this.#clock.monotonicMs() + timeoutMs;
    const { sessionDeadline } = member;
    if (sessionDeadline !== undefined && sessionDeadline.atMs <= member.expiresAtMs) return;
    this.#deadlines.cancel(sessionDeadline);
    this.#watchSession(group, member, member.expiresAtMs);
  }

  /** Adds a member that joins for the first time; `member.join` waits for the rebalance. */
  admit(group: Group, member: Member): void {
    member.isNew = true;
    group.add(member);
    if (group.gathering !== undefined) group.gathering.hasGrown = true;
    this.extendSession(group, member, this.#options.newMemberJoinMs);
    this.rebalance(group);
  }

  /** Gives out an id that must come back in a join before `timeoutMs` has passed. */
  expect(group: Group, memberId: string, timeoutMs: number): void {
    const deadline = this.#deadlines.schedule(this.#clock.monotonicMs() + timeoutMs, () =>
      this.forgetPending(group, memberId),
    );
    group.pending.set(memberId, deadline);
    if (group.gathering !== undefined) group.gathering.hasGrown = true;
  }

  /** An expected member has come. */
  release(group: Group, memberId: string): void {
    this.#deadlines.cancel(group.pending.get(memberId));
    group.pending.delete(memberId);
  }

  /** An expected member will not come: nobody needs to wait for it. */
  forgetPending(group: Group, memberId: string): void {
    this.release(group, memberId);
    if (group.state === 'empty' && group.pending.size === 0) this.#onForsaken(group);
    else this.#completeJoinsWhenAllAreIn(group);
  }

  /** Starts a rebalance, or sees whether the one that is going on can end. */
  rebalance(group: Group): void {
    if (group.state === 'preparing-rebalance') this.#completeJoinsWhenAllAreIn(group);
    else this.#prepare(group);
  }

  /** Takes members out; what they wait for fails with `error`. The caller rebalances when it has taken out all. */
  remove(group: Group, member: Member, error: BrokerError): void {
    this.#deadlines.cancel(member.sessionDeadline);
    member.sessionDeadline = undefined;
    group.remove(member);
    member.join?.reject(error);
    member.sync?.reject(error);
    member.join = undefined;
    member.sync = undefined;
  }

  /** The leader's assignment: it is stored, then every member that waits gets its part. */
  assign(group: Group, assignments: ReadonlyMap<string, Uint8Array>): void {
    // A leader that lost its connection may send its sync again; the first one counts.
    if (group.isSaving) return;
    group.isSaving = true;
    void this.#saveAssignments(group, assignments);
  }

  /** Resolves when the state that the group has now is durable, with `assignments` in place of those it has. */
  save(group: Group, assignments?: ReadonlyMap<string, Uint8Array>): Promise<void> {
    group.isStored = true;
    const record = encodeGroupRecord({
      generation: group.generation,
      protocolType: group.protocolType,
      protocolName: group.protocolName,
      leaderId: group.leaderId,
      emptySinceMs: group.emptySinceMs,
      members: [...group.members()],
      assignments,
    });
    return this.#store.saveGroup(group.groupId, record);
  }

  /** Stops all that the group waits for; the members that wait are told `error`. */
  dissolve(group: Group, error: BrokerError): void {
    this.#deadlines.cancel(group.deadline);
    group.deadline = undefined;
    for (const deadline of group.pending.values()) this.#deadlines.cancel(deadline);
    group.pending.clear();
    for (const member of group.members()) this.remove(group, member, error);
    group.state = 'dead';
  }

  #prepare(group: Group): void {
    const wasEmpty = group.state === 'empty';
    this.#deadlines.cancel(group.deadline);
    group.state = 'preparing-rebalance';
    group.isSaving = false;
    group.unsynced.clear();
    this.#refuseSyncs(group, new BrokerError('group-rebalancing'));
    const delayMs = this.#options.initialRebalanceDelayMs;
    if (wasEmpty && delayMs > 0) {
      const remainingMs = Math.max(group.rebalanceTimeoutMs - delayMs, 0);
      group.gathering = { remainingMs, hasGrown: false };
      this.#setDeadline(group, delayMs, () => this.#gatherOn(group));
    } else {
      this.#setDeadline(group, group.rebalanceTimeoutMs, () => this.#completeJoins(group));
      this.#completeJoinsWhenAllAreIn(group);
    }
  }

  #gatherOn(group: Group): void {
    const { gathering } = group;
    if (gathering?.hasGrown === true && gathering.remainingMs > 0) {
      const delayMs = Math.min(this.#options.initialRebalanceDelayMs, gathering.remainingMs);
      gathering.remainingMs -= delayMs;
      gathering.hasGrown = false;
      this.#setDeadline(group, delayMs, () => this.#gatherOn(group));
    } else {
      this.#completeJoins(group);
    }
  }

  #completeJoinsWhenAllAreIn(group: Group): void {
    if (
      group.state === 'preparing-rebalance' &&
      group.gathering === undefined &&
      group.joiningCount === group.size &&
      group.pending.size === 0
    ) {
      this.#completeJoins(group);
    }
  }

  #completeJoins(group: Group): void {
    this.#deadlines.cancel(group.deadline);
    group.deadline = undefined;
    group.gathering = undefined;
    for (const member of group.members()) {
      // Static members may be away for as long as their session lasts (KIP-345).
      if (member.join !== undefined || member.instanceId !== undefined) continue;
      this.remove(group, member, new BrokerError('member-unknown'));
    }
    if (group.size > 0 && group.joiningCount === 0) {
      this.#setDeadline(group, group.rebalanceTimeoutMs, () => this.#completeJoins(group));
      return;
    }
    group.generation++;
    if (group.size === 0) this.#becomeEmpty(group);
    else this.#beginGeneration(group);
  }

  #becomeEmpty(group: Group): void {
    group.state = 'empty';
    group.protocolName = '';
    group.emptySinceMs = this.#clock.nowMs();
    // Nobody waits for this. Should it be lost, the members are found again after a restart and their sessions end.
    void this.save(group).catch(ignoreBrokerError);
  }

  #beginGeneration(group: Group): void {
    group.electJoinedLeader();
    group.protocolName = group.selectProtocol();
    group.emptySinceMs = 0;
    group.state = 'completing-rebalance';
    this.#setDeadline(group, group.rebalanceTimeoutMs, () => this.#dropUnsynced(group));
    for (const member of group.members()) {
      const join = group.setJoin(member, undefined);
      if (join === undefined) continue;
      member.isNew = false;
      group.unsynced.add(member.memberId);
      this.touch(group, member);
      join.resolve(createJoinResult(group, member));
    }
  }

  /** Members that joined and never asked for their assignment hold up a group that may look stable. */
  #dropUnsynced(group: Group): void {
    group.deadline = undefined;
    if (group.unsynced.size === 0) return;
    for (const memberId of group.unsynced) {
      const member = group.find(memberId);
      if (member !== undefined) this.remove(group, member, new BrokerError('member-unknown'));
    }
    this.rebalance(group);
  }

  async #saveAssignments(
    group: Group,
    assignments: ReadonlyMap<string, Uint8Array>,
  ): Promise<void> {
    const { generation } = group;
    let failure: BrokerError | undefined;
    try {
      await this.save(group, assignments);
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      failure = error;
    }
    if (group.state !== 'completing-rebalance' || group.generation !== generation) return;
    group.isSaving = false;
    if (failure !== undefined) {
      this.#refuseSyncs(group, failure);
      this.#prepare(group);
      return;
    }
    group.state = 'stable';
    for (const member of group.members()) {
      member.assignment = assignments.get(member.memberId) ?? noBytes;
      const sync = takeSync(member);
      if (sync === undefined) continue;
      this.touch(group, member);
      sync.resolve(createSyncResult(group, member));
    }
  }

  #refuseSyncs(group: Group, error: BrokerError): void {
    for (const member of group.members()) {
      const sync = takeSync(member);
      if (sync === undefined) continue;
      // Its session stood still while it waited.
      this.touch(group, member);
      sync.reject(error);
    }
  }

  #setDeadline(group: Group, delayMs: number, callback: () => void): void {
    group.deadline = this.#deadlines.schedule(this.#clock.monotonicMs() + delayMs, callback);
  }

  #watchSession(group: Group, member: Member, atMs: number): void {
    member.sessionDeadline = this.#deadlines.schedule(atMs, () => {
      member.sessionDeadline = undefined;
      // A member that waits for the others cannot send heartbeats in every client: its session does not end.
      const isWaiting = !member.isNew && (member.join !== undefined || member.sync !== undefined);
      const nowMs = this.#clock.monotonicMs();
      if (isWaiting) this.#watchSession(group, member, nowMs + member.sessionTimeoutMs);
      else if (nowMs < member.expiresAtMs) this.#watchSession(group, member, member.expiresAtMs);
      else {
        this.remove(group, member, new BrokerError('member-unknown'));
        this.rebalance(group);
      }
    });
  }
}

/** What a member learns of the present generation; the leader also learns of the members. */
export function createJoinResult(group: Group, member: Member): JoinResult {
  const isLeader = group.leaderId === member.memberId;
  return {
    generation: group.generation,
    protocolType: group.protocolType,
    protocolName: group.protocolName,
    leaderId: group.leaderId,
    memberId: member.memberId,
    skipAssignment: false,
    members: isLeader ? listMetadata(group) : [],
  };
}

export function createSyncResult(group: Group, member: Member): SyncResult {
  const { protocolType, protocolName } = group;
  return { protocolType, protocolName, assignment: member.assignment };
}

function listMetadata(group: Group): JoinResult['members'] {
  return [...group.members()].map((member) => {
    const { memberId, instanceId } = member;
    const metadata = metadataOf(member, group.protocolName);
    return instanceId === undefined ? { memberId, metadata } : { memberId, instanceId, metadata };
  });
}

function takeSync(member: Member): Waiter<SyncResult> | undefined {
  const { sync } = member;
  member.sync = undefined;
  return sync;
}

export function ignoreBrokerError(error: unknown): void {
  if (!(error instanceof BrokerError)) throw error;
}
