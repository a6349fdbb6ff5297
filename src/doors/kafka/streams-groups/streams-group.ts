import { type AssignableMember, assignTasks } from './task-assignor.ts';
import {
  areSame,
  isDisjoint,
  isWithin,
  keyOf,
  noTasks,
  type TaskKeys,
  type TaskRoles,
  taskOf,
} from './tasks.ts';
import { createMember, hasToRevoke, type StreamsMember } from './streams-member.ts';
import { type ConfiguredTopology, configureTopology, type Topology } from './topology.ts';

export type StreamsGroupState = 'Empty' | 'NotReady' | 'Assigning' | 'Reconciling' | 'Stable';

const nothingConfigured: ConfiguredTopology = {
  subtopologies: [],
  missing: [],
  problem: undefined,
};

/**
 * The members of a streams group (KIP-1071), the topology that they compute, and which of its tasks each is to work on.
 * A task goes to its new member when the old one has let it go: each member comes to the target by steps of its own, which
 * its epoch counts.
 */
export class StreamsGroup {
  readonly id: string;
  readonly members = new Map<string, StreamsMember>();
  /** Grows when members, the topology or its topics change. */
  epoch = 0;
  /** The group's epoch that the target was made for. */
  assignmentEpoch = 0;
  /** Grows when anything changes that members tell their users of where to ask for what. */
  endpointEpoch = 0;
  /** Who has asked all members to end. */
  shutdownMemberId: string | undefined;
  /** While it is set, tasks are not dealt out yet: more members may come. */
  #isGathering = false;
  #topology: Topology;
  #configured = nothingConfigured;
  /** The topics that the topology was configured with. */
  #topics = '';
  #target: ReadonlyMap<string, TaskRoles> = new Map();

  constructor(id: string, topology: Topology) {
    this.id = id;
    this.#topology = topology;
  }

  get topology(): Topology {
    return this.#topology;
  }

  get configured(): ConfiguredTopology {
    return this.#configured;
  }

  get isEmpty(): boolean {
    return this.members.size === 0;
  }

  get state(): StreamsGroupState {
    if (this.isEmpty) return 'Empty';
    if (this.#configured.problem !== undefined) return 'NotReady';
    if (this.#isGathering || this.epoch > this.assignmentEpoch) return 'Assigning';
    for (const member of this.members.values()) {
      const isThere = member.epoch === this.assignmentEpoch && !member.isWaiting;
      if (!isThere || hasToRevoke(member)) return 'Reconciling';
    }
    return 'Stable';
  }

  add(memberId: string): StreamsMember {
    const member = createMember(memberId);
    this.members.set(memberId, member);
    this.bump();
    return member;
  }

  remove(member: StreamsMember): void {
    if (!this.members.delete(member.memberId)) return;
    this.bump();
    if (member.userEndpoint !== null) this.endpointEpoch += 1;
    if (this.isEmpty) this.shutdownMemberId = undefined;
  }

  replaceTopology(topology: Topology): void {
    this.#topology = topology;
    this.#topics = '';
  }

  get isGathering(): boolean {
    return this.#isGathering;
  }

  /** Nobody has tasks until `endGathering`. */
  gather(): void {
    this.#isGathering = true;
  }

  endGathering(): void {
    if (!this.#isGathering) return;
    this.#isGathering = false;
    this.bump();
  }

  /** Something has changed that the tasks have to be dealt out anew for. */
  bump(): void {
    if (this.epoch === this.assignmentEpoch) this.epoch += 1;
  }

  targetOf({ memberId }: StreamsMember): TaskRoles {
    return this.#target.get(memberId) ?? noTasks;
  }

  /** Looks at the topics again. `describe`: a text that differs when anything about them does. */
  configure(findPartitionCount: (name: string) => number | undefined, topics: string): void {
    if (topics === this.#topics) return;
    this.#topics = topics;
    this.#configured = configureTopology(this.#topology, findPartitionCount);
    this.bump();
  }

  /** Deals the tasks out anew if anything has changed since the last time. */
  assign(standbyCount: number): void {
    if (this.assignmentEpoch === this.epoch) return;
    if (this.#isGathering) {
      this.assignmentEpoch = this.epoch;
      return;
    }
    const { problem, subtopologies } = this.#configured;
    const assignable = subtopologies.map(({ subtopologyId, taskCount, changelogs }) => ({
      subtopologyId,
      taskCount,
      isStateful: changelogs.length > 0,
    }));
    const members = [...this.members.values()].map(
      (member): AssignableMember => ({
        memberId: member.memberId,
        processId: member.processId,
        previous: this.targetOf(member),
        stateOffsets: new Map(
          member.taskOffsets.map(({ subtopologyId, partition, offset }) => [
            keyOf(subtopologyId, partition),
            offset,
          ]),
        ),
      }),
    );
    this.#target =
      problem === undefined ? assignTasks(members, assignable, standbyCount) : new Map();
    this.assignmentEpoch = this.epoch;
  }

  /**
   * Takes the member as far towards its target as the others let it. `owned`: what it says that it has; undefined: as
   * before. True when it is to be told of its tasks.
   */
  reconcile(member: StreamsMember, owned: TaskRoles | undefined): boolean {
    if (hasToRevoke(member)) {
      const hasLetGo =
        owned !== undefined &&
        isDisjoint(owned.active, member.revoked.active) &&
        isDisjoint(owned.standby, member.revoked.standby);
      if (!hasLetGo) return false;
      member.revoked = noTasks;
    } else if (member.epoch === this.assignmentEpoch && !member.isWaiting) return false;
    const before = member.assigned;
    const target = this.targetOf(member);
    const kept = {
      active: intersect(before.active, target.active),
      standby: intersect(before.standby, target.standby),
    };
    const surplus = {
      active: without(before.active, kept.active),
      standby: without(before.standby, kept.standby),
    };
    if (
      mayStillHave(surplus.active, owned?.active) ||
      mayStillHave(surplus.standby, owned?.standby)
    ) {
      member.revoked = surplus;
      this.#set(member, kept, member.epoch);
      return true;
    }
    // What it has been seen to let go is free from here on.
    member.assigned = kept;
    const ofOthers = this.#holdings(member);
    const active = new Set(kept.active);
    const standby = new Set(kept.standby);
    for (const key of target.active) {
      const isTaken = ofOthers.active.has(key) || ofOthers.inProcess.has(key);
      if (!isTaken && !kept.standby.has(key)) active.add(key);
    }
    for (const key of target.standby) {
      if (!ofOthers.inProcess.has(key) && !active.has(key)) standby.add(key);
    }
    member.isWaiting = active.size < target.active.size || standby.size < target.standby.size;
    this.#set(member, { active, standby }, this.assignmentEpoch);
    return !areSame(active, before.active) || !areSame(standby, before.standby);
  }

  /** Whether a member may commit for a source topic's partition with an epoch that is not its newest (KIP-1251). */
  hasSince(member: StreamsMember, topic: string, partition: number, epoch: number): boolean {
    for (const { subtopologyId, sources } of this.#configured.subtopologies) {
      if (!sources.has(topic)) continue;
      const since = member.activeSince.get(keyOf(subtopologyId, partition));
      if (since !== undefined && since <= epoch) return true;
    }
    return false;
  }

  /** Whether what a member says that it has is of what it was told; else its answers got lost. */
  isOwner(member: StreamsMember, owned: TaskRoles | undefined): boolean {
    return (
      owned !== undefined &&
      isWithin(owned.active, member.assigned.active) &&
      isWithin(owned.standby, member.assigned.standby)
    );
  }

  /** A task that the topology does not have; undefined: it has all of them. */
  findUnknownTask({ active, standby }: TaskRoles): string | undefined {
    const counts = new Map<string, number>();
    for (const { subtopologyId, taskCount } of this.#configured.subtopologies) {
      counts.set(subtopologyId, taskCount);
    }
    for (const key of [...active, ...standby]) {
      const { subtopologyId, partition } = taskOf(key);
      const count = counts.get(subtopologyId);
      if (count === undefined) return `Subtopology ${subtopologyId} does not exist.`;
      if (partition < 0 || partition >= count) {
        return `Task ${partition} for subtopology ${subtopologyId} is invalid. Number of tasks for this subtopology: ${count}`;
      }
    }
    return undefined;
  }

  #set(member: StreamsMember, assigned: TaskRoles, epoch: number): void {
    if (member.userEndpoint !== null && !areSame(assigned.active, member.assigned.active)) {
      this.endpointEpoch += 1;
    }
    member.assigned = assigned;
    if (epoch !== member.epoch) {
      member.previousEpoch = member.epoch;
      member.epoch = epoch;
    }
    for (const key of member.activeSince.keys()) {
      if (!assigned.active.has(key)) member.activeSince.delete(key);
    }
    for (const key of assigned.active) {
      if (!member.activeSince.has(key)) member.activeSince.set(key, epoch);
    }
  }

  /** Active tasks that others have or may still have, and tasks of any role of others in the member's process. */
  #holdings(member: StreamsMember): { active: Set<string>; inProcess: Set<string> } {
    const active = new Set<string>();
    const inProcess = new Set<string>();
    for (const other of this.members.values()) {
      if (other === member) continue;
      for (const { active: keys } of [other.assigned, other.revoked]) {
        for (const key of keys) active.add(key);
      }
      if (other.processId !== member.processId) continue;
      for (const roles of [other.assigned, other.revoked]) {
        for (const key of roles.active) inProcess.add(key);
        for (const key of roles.standby) inProcess.add(key);
      }
    }
    return { active, inProcess };
  }
}

/** `owned`: what the member says that it has; undefined when it says nothing. */
function mayStillHave(keys: TaskKeys, owned: TaskKeys | undefined): boolean {
  return keys.size > 0 && (owned === undefined || !isDisjoint(owned, keys));
}

function intersect(left: TaskKeys, right: TaskKeys): Set<string> {
  const result = new Set<string>();
  for (const key of left) if (right.has(key)) result.add(key);
  return result;
}

function without(whole: TaskKeys, part: TaskKeys): Set<string> {
  const result = new Set<string>();
  for (const key of whole) if (!part.has(key)) result.add(key);
  return result;
}
