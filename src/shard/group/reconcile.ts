import type { ManagedGroup } from './managed-group.ts';
import type { ManagedMember, MemberProgress } from './managed-member.ts';
import {
  type HeldPartitions,
  holdsAny,
  nothingHeld,
  type TopicPartitionList,
} from './partition-set.ts';

/**
 * Leads a member one step towards its target: first it lets go of what it is to have no more, then it gets what nobody
 * else has, and so on until it has all. No partition has two members at a time. `owned` is what the member says that it
 * has, undefined when it does not say.
 */
export function reconcile(
  group: ManagedGroup,
  member: ManagedMember,
  owned: readonly TopicPartitionList[] | undefined,
): void {
  switch (member.progress) {
    case 'stable':
      if (member.epoch !== group.assignmentEpoch) step(group, member, owned, member.epoch);
      return;
    case 'revoking':
      if (owned === undefined || holdsAny(member.revoking, owned)) return;
      // It has done what its epoch asked for; one more lets its deadline know.
      step(group, member, owned, member.epoch + 1);
      return;
    case 'waiting':
      step(group, member, owned, member.epoch);
      return;
  }
}

/** Whether some partition that a waiting member is to get is free by now. */
export function canGetMore(group: ManagedGroup, member: ManagedMember): boolean {
  for (const [topicId, partitions] of member.target) {
    const held = member.held.get(topicId);
    for (const partition of partitions) {
      if (held?.has(partition) !== true && isFree(group, member, topicId, partition)) return true;
    }
  }
  return false;
}

/**
 * Whether something that a waiting member is to get is with one that sends beats. Those that join and sync hear of it at a
 * pace of their own, and have what they keep only a while after their join.
 */
export function waitsForBeats(group: ManagedGroup, member: ManagedMember): boolean {
  if (member.progress !== 'waiting') return false;
  for (const [topicId, partitions] of member.target) {
    for (const partition of partitions) {
      const owner = group.ownerOf(topicId, partition);
      if (owner !== undefined && owner !== member && owner.protocols === undefined) return true;
    }
  }
  return false;
}

function step(
  group: ManagedGroup,
  member: ManagedMember,
  owned: readonly TopicPartitionList[] | undefined,
  epoch: number,
): void {
  const { kept, surplus } = splitHeld(member);
  if (surplus.size > 0 && (owned === undefined || holdsAny(surplus, owned))) {
    group.setHeld(member, kept, surplus);
    advance(group, member, epoch, 'revoking');
    return;
  }
  const held = new Map<string, Map<number, number>>();
  for (const [topicId, partitions] of kept) held.set(topicId, new Map(partitions));
  let isWaiting = false;
  let hasGrown = false;
  for (const [topicId, partitions] of member.target) {
    for (const partition of partitions) {
      const own = held.get(topicId);
      if (own?.has(partition) === true) continue;
      if (!isFree(group, member, topicId, partition)) {
        isWaiting = true;
        continue;
      }
      hasGrown = true;
      if (own === undefined) held.set(topicId, new Map([[partition, group.assignmentEpoch]]));
      else own.set(partition, group.assignmentEpoch);
    }
  }
  if (hasGrown || surplus.size > 0 || member.revoking.size > 0) {
    group.setHeld(member, held.size === 0 ? nothingHeld : held, nothingHeld);
  }
  advance(group, member, group.assignmentEpoch, isWaiting ? 'waiting' : 'stable');
}

function advance(
  group: ManagedGroup,
  member: ManagedMember,
  epoch: number,
  progress: MemberProgress,
): void {
  if (member.epoch === epoch && member.progress === progress) return;
  if (member.epoch !== epoch) {
    member.previousEpoch = member.epoch;
    member.epoch = epoch;
  }
  member.progress = progress;
  group.noteMember(member);
}

/** What the member has, parted by whether it is to keep it. */
function splitHeld(member: ManagedMember): { kept: HeldPartitions; surplus: HeldPartitions } {
  const kept = new Map<string, Map<number, number>>();
  const surplus = new Map<string, Map<number, number>>();
  for (const [topicId, partitions] of member.held) {
    const target = new Set(member.target.get(topicId));
    for (const [partition, epoch] of partitions) {
      const part = target.has(partition) ? kept : surplus;
      const list = part.get(topicId);
      if (list === undefined) part.set(topicId, new Map([[partition, epoch]]));
      else list.set(partition, epoch);
    }
  }
  return { kept, surplus };
}

function isFree(
  group: ManagedGroup,
  member: ManagedMember,
  topicId: string,
  partition: number,
): boolean {
  const owner = group.ownerOf(topicId, partition);
  return owner === undefined || owner === member;
}
