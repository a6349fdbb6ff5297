import { assert, present } from '../../base/index.ts';
import type { Deadline } from './deadline-queue.ts';
import {
  createMember,
  type Member,
  type MemberProtocol,
  type MemberRecord,
  protocolsBytes,
  type Waiter,
} from './member.ts';
import type { GroupState, JoinResult } from './types.ts';

/** What is kept of a group over a restart; with members it is stable, without it is empty. */
export interface GroupRecord {
  readonly generation: number;
  readonly protocolType: string;
  readonly protocolName: string;
  readonly leaderId: string;
  /** When the group lost its last member, ms since the epoch; 0 when it has some or never had one. */
  readonly emptySinceMs: number;
  readonly members: readonly MemberRecord[];
}

/**
 * The members of one group and what follows from them: votes, counts, the leader. It knows no timers and answers
 * nobody; `Rebalancer` moves it from state to state. The counts make every question about all members O(1).
 */
export class Group {
  readonly kind = 'classic';
  readonly groupId: string;
  state: GroupState = 'empty';
  generation = 0;
  protocolType = '';
  protocolName = '';
  leaderId = '';
  emptySinceMs = 0;
  /** The store holds a state of this group, or will when what was handed to it is durable. */
  isStored = false;
  /** The leader's assignment of this generation is being stored. */
  isSaving = false;
  /** Ids that were given out (KIP-394) and have not joined yet, with the time at which they are forgotten. */
  readonly pending = new Map<string, Deadline>();
  /** Members that know the generation and have not asked for their assignment. */
  readonly unsynced = new Set<string>();
  /** The end of the wait for joins, or for syncs. */
  deadline: Deadline | undefined;
  /** While an empty group gathers its first members: how long that may still go on, and whether more have come. */
  gathering: { remainingMs: number; hasGrown: boolean } | undefined;
  readonly #members = new Map<string, Member>();
  readonly #staticIds = new Map<string, string>();
  /** How many members offer a protocol. */
  readonly #supporters = new Map<string, number>();
  #joiningCount = 0;
  #protocolsBytes = 0;

  constructor(groupId: string) {
    this.groupId = groupId;
  }

  get size(): number {
    return this.#members.size;
  }

  get joiningCount(): number {
    return this.#joiningCount;
  }

  /** Memory of what all members say about themselves, about. */
  get protocolsBytes(): number {
    return this.#protocolsBytes;
  }

  get rebalanceTimeoutMs(): number {
    let longestMs = 0;
    for (const { rebalanceTimeoutMs } of this.#members.values()) {
      if (rebalanceTimeoutMs > longestMs) longestMs = rebalanceTimeoutMs;
    }
    return longestMs;
  }

  members(): MapIterator<Member> {
    return this.#members.values();
  }

  find(memberId: string): Member | undefined {
    return this.#members.get(memberId);
  }

  /** The current id of the static member `instanceId`. */
  findStaticId(instanceId: string): string | undefined {
    return this.#staticIds.get(instanceId);
  }

  /** Takes over a stored state; only a group without members can. */
  restore(record: GroupRecord): void {
    assert(this.size === 0, 'Only a new group takes over a stored state');
    this.generation = record.generation;
    this.protocolType = record.protocolType;
    this.protocolName = record.protocolName;
    this.emptySinceMs = record.emptySinceMs;
    for (const member of record.members) this.add(createMember(member));
    this.leaderId = record.leaderId;
    this.state = this.size === 0 ? 'empty' : 'stable';
    this.isStored = true;
  }

  add(member: Member): void {
    assert(!this.#members.has(member.memberId), 'A member is added once');
    this.#members.set(member.memberId, member);
    if (member.instanceId !== undefined) this.#staticIds.set(member.instanceId, member.memberId);
    this.#count(member.protocols, 1);
    if (member.join !== undefined) this.#joiningCount++;
    if (this.leaderId === '') this.leaderId = member.memberId;
  }

  remove(member: Member): void {
    assert(this.#members.get(member.memberId) === member, 'Only a member is removed');
    this.#members.delete(member.memberId);
    if (
      member.instanceId !== undefined &&
      this.#staticIds.get(member.instanceId) === member.memberId
    ) {
      this.#staticIds.delete(member.instanceId);
    }
    this.#count(member.protocols, -1);
    if (member.join !== undefined) this.#joiningCount--;
    this.unsynced.delete(member.memberId);
    if (this.leaderId === member.memberId) {
      this.leaderId = this.#members.keys().next().value ?? '';
    }
  }

  setProtocols(member: Member, protocols: readonly MemberProtocol[]): void {
    this.#count(member.protocols, -1);
    member.protocols = protocols;
    this.#count(protocols, 1);
  }

  /** Sets or clears the join that a member waits with, and returns the one before. */
  setJoin(member: Member, join: Waiter<JoinResult> | undefined): Waiter<JoinResult> | undefined {
    const before = member.join;
    member.join = join;
    this.#joiningCount += (join === undefined ? 0 : 1) - (before === undefined ? 0 : 1);
    return before;
  }

  /** Whether a member with these protocols can be in the group; `self` is its present entry, if it has one. */
  canServe(
    protocolType: string,
    protocols: readonly MemberProtocol[],
    self: Member | undefined,
  ): boolean {
    if (protocolType === '' || protocols.length === 0) return false;
    const othersCount = this.size - (self === undefined ? 0 : 1);
    if (othersCount === 0) return true;
    if (protocolType !== this.protocolType) return false;
    return protocols.some(({ name }) => {
      const own = self?.protocols.some((protocol) => protocol.name === name) === true ? 1 : 0;
      return (this.#supporters.get(name) ?? 0) - own === othersCount;
    });
  }

  /**
   * Every member votes for the first of its protocols that all support; the most votes win, and of equals the one
   * that the leader likes best.
   */
  selectProtocol(): string {
    const votes = new Map<string, number>();
    for (const { name } of this.#getLeader().protocols) {
      if (this.#supporters.get(name) === this.size) votes.set(name, 0);
    }
    for (const member of this.#members.values()) {
      const choice = member.protocols.find(({ name }) => votes.has(name));
      const { name } = present(choice, 'All members support a protocol');
      votes.set(name, (votes.get(name) ?? 0) + 1);
    }
    let [winner, most] = ['', 0];
    for (const [name, count] of votes) {
      if (count > most) [winner, most] = [name, count];
    }
    return winner;
  }

  /** Keeps a leader that has joined again, or else makes the first that has joined the leader. */
  electJoinedLeader(): void {
    if (this.find(this.leaderId)?.join !== undefined) return;
    for (const member of this.#members.values()) {
      if (member.join === undefined) continue;
      this.leaderId = member.memberId;
      return;
    }
  }

  #getLeader(): Member {
    return present(this.#members.get(this.leaderId), 'A group with members has a leader');
  }

  #count(protocols: readonly MemberProtocol[], change: 1 | -1): void {
    for (const { name } of protocols) {
      const count = (this.#supporters.get(name) ?? 0) + change;
      if (count === 0) this.#supporters.delete(name);
      else this.#supporters.set(name, count);
    }
    this.#protocolsBytes += change * protocolsBytes(protocols);
  }
}
