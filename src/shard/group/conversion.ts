import { BrokerError, ProtocolError } from '../../base/index.ts';
import { Group } from './group.ts';
import { ManagedGroup } from './managed-group.ts';
import { awayEpoch, createManagedMember, type ManagedMember } from './managed-member.ts';
import { createMember, type Member, noBytes } from './member.ts';
import { type HeldPartitions, hold, listHeld, type PartitionSet } from './partition-set.ts';
import {
  type Assignment,
  consumerProtocolType,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  type Subscription,
  type TopicPartitions,
} from './subscription.ts';
import type { GroupTopics } from './types.ts';

/*
 * Groups change their kind while members come and go: the first member whose heartbeats say all makes a group of
 * classic members a managed one, and when the last such member leaves, the group is theirs again (KIP-848). Generation
 * and epoch are one number, which goes on growing.
 */

/** Throws `group-not-found` for a group whose members do not say what this needs. */
export function toManaged(group: Group, topics: GroupTopics): ManagedGroup {
  if (group.size > 0 && group.protocolType !== consumerProtocolType) {
    throw new BrokerError('group-not-found', 'the group is of another kind');
  }
  const managed = new ManagedGroup(group.groupId);
  managed.epoch = group.generation;
  managed.assignmentEpoch = group.generation;
  managed.emptySinceMs = group.emptySinceMs;
  for (const member of group.members()) managed.add(toManagedMember(group, member, topics));
  return managed;
}

function toManagedMember(group: Group, member: Member, topics: GroupTopics): ManagedMember {
  const metadata = member.protocols[0]?.metadata ?? noBytes;
  let subscription: Subscription;
  let assigned: Assignment;
  try {
    subscription = decodeSubscription(metadata);
    assigned = decodeAssignment(member.assignment);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    const detail = 'what its members say cannot be understood';
    throw new BrokerError('group-not-found', detail, { cause: error });
  }
  // What an assignor of their own told the members besides would be lost.
  if (assigned.userData.length > 0) {
    throw new BrokerError('group-not-found', 'its members divide their work in a way of their own');
  }
  const target = toSet(assigned.partitions, topics);
  return createManagedMember({
    memberId: member.memberId,
    instanceId: member.instanceId,
    rackId: subscription.rackId,
    clientId: member.clientId,
    clientHost: member.clientHost,
    sessionTimeoutMs: member.sessionTimeoutMs,
    rebalanceTimeoutMs: member.rebalanceTimeoutMs,
    topics: [...new Set(subscription.topics)].toSorted(),
    protocols: member.protocols,
    epoch: group.generation,
    previousEpoch: group.generation,
    held: hold(target, group.generation),
    target,
  });
}

/** Of a managed group that has classic members only. */
export function toClassic(group: ManagedGroup, topics: GroupTopics): Group {
  const classic = new Group(group.groupId);
  const members = [...group.members()].map((member) => {
    const { memberId, instanceId, clientId, clientHost, protocols = [] } = member;
    const { sessionTimeoutMs, rebalanceTimeoutMs } = member;
    const timeouts = { sessionTimeoutMs, rebalanceTimeoutMs };
    const assignment = assignmentOf(member, topics);
    return createMember({
      memberId,
      instanceId,
      clientId,
      clientHost,
      protocols,
      ...timeouts,
      assignment,
    });
  });
  classic.restore({
    generation: group.epoch,
    protocolType: consumerProtocolType,
    protocolName: '',
    leaderId: members[0]?.memberId ?? '',
    emptySinceMs: group.emptySinceMs,
    members,
  });
  classic.protocolName = classic.size === 0 ? '' : classic.selectProtocol();
  for (const member of classic.members()) member.isHeard = true;
  return classic;
}

/** What a classic member has, as a sync tells it, in the layout of the version that it speaks. */
export function assignmentOf(member: ManagedMember, topics: GroupTopics): Uint8Array {
  const metadata = member.protocols?.[0]?.metadata;
  const version = metadata === undefined || metadata.length < 2 ? 0 : readVersion(metadata);
  const userData = noBytes;
  const partitions = member.epoch === awayEpoch ? [] : nameHeld(member.held, topics);
  return encodeAssignment({ partitions, userData }, version);
}

/** By topic id; topics that do not exist are left out. */
export function toSet(list: readonly TopicPartitions[], topics: GroupTopics): PartitionSet {
  const set = new Map<string, number[]>();
  for (const { topic, partitions } of list) {
    const found = topics.find(topic);
    if (found === undefined || partitions.length === 0) continue;
    const own = new Set([...(set.get(found.id) ?? []), ...partitions]);
    set.set(
      found.id,
      [...own].toSorted((a, b) => a - b),
    );
  }
  return set;
}

function nameHeld(held: HeldPartitions, topics: GroupTopics): TopicPartitions[] {
  return listHeld(held).flatMap(({ topicId, partitions }) => {
    const topic = topics.findName(topicId);
    return topic === undefined ? [] : [{ topic, partitions: [...partitions] }];
  });
}

function readVersion(metadata: Uint8Array): number {
  return Buffer.from(metadata.buffer, metadata.byteOffset, 2).readInt16BE();
}
