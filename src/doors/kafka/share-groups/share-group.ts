import { limits } from '../../../base/index.ts';
import { type AssignableTopic, assignPartitions, type ShareAssignment } from './share-assignor.ts';

/** A consumer of a share group, as its heartbeats tell of it. */
export interface ShareMember {
  readonly memberId: string;
  rackId: string | null;
  clientId: string;
  clientHost: string;
  /** In order, each once. */
  topics: readonly string[];
  /** Characters of their names together. */
  topicChars: number;
  epoch: number;
  /** The one before: an answer that got lost is asked for again with it. */
  previousEpoch: number;
  assignment: readonly ShareAssignment[];
}

const nothing: readonly ShareAssignment[] = [];

/**
 * The members of a share group and what each is to fetch. Partitions may have several members, so nobody waits for
 * anybody to let go: a member has its new assignment with its next heartbeat (KIP-932).
 */
export class ShareGroup {
  readonly id: string;
  readonly members = new Map<string, ShareMember>();
  /** Grows when members, what they subscribe to, or those topics change. */
  epoch = 0;
  #target: ReadonlyMap<string, readonly ShareAssignment[]> = new Map();
  /** What the target was made from. */
  #topology = '';

  constructor(id: string) {
    this.id = id;
  }

  get isEmpty(): boolean {
    return this.members.size === 0;
  }

  add(memberId: string): ShareMember {
    const member: ShareMember = {
      memberId,
      rackId: null,
      clientId: '',
      clientHost: '',
      topics: [],
      topicChars: 0,
      epoch: 0,
      previousEpoch: -1,
      assignment: nothing,
    };
    this.members.set(memberId, member);
    this.#topology = '';
    return member;
  }

  remove(memberId: string): void {
    if (this.members.delete(memberId)) this.#topology = '';
  }

  subscribe(member: ShareMember, topics: readonly string[]): void {
    const sorted = [...new Set(topics)].toSorted();
    const isSame =
      sorted.length === member.topics.length &&
      sorted.every((name, index) => name === member.topics[index]);
    if (isSame) return;
    member.topics = sorted;
    member.topicChars = charsOf(sorted);
    this.#topology = '';
  }

  /** Deals the partitions out anew, if anything has changed since the last time. */
  assign(findTopic: (name: string) => AssignableTopic | undefined): void {
    const topics = this.#describeTopics(findTopic);
    if (topics === this.#topology) return;
    this.#topology = topics;
    this.epoch += 1;
    const subscriptions = new Map<string, readonly string[]>();
    for (const { memberId, topics: names } of this.members.values())
      subscriptions.set(memberId, names);
    this.#target = assignPartitions(subscriptions, findTopic);
  }

  /** Takes the member to the group's epoch; true when it had another. */
  advance(member: ShareMember): boolean {
    if (member.epoch === this.epoch) return false;
    member.previousEpoch = member.epoch;
    member.epoch = this.epoch;
    member.assignment = this.#target.get(member.memberId) ?? nothing;
    return true;
  }

  /** Never empty, so that an empty text stands for a change. */
  #describeTopics(findTopic: (name: string) => AssignableTopic | undefined): string {
    const names = new Set<string>();
    for (const { topics } of this.members.values()) for (const name of topics) names.add(name);
    let text = 'topics';
    for (const name of names) {
      const topic = findTopic(name);
      text += topic === undefined ? '\n-' : `\n${topic.id} ${topic.partitionCount}`;
    }
    return text;
  }
}

/** Whether what all members subscribe to stays within bounds when one of them, or a new one, names these topics. */
export function hasRoomFor(
  group: ShareGroup | undefined,
  memberId: string,
  topics: readonly string[],
): boolean {
  let chars = charsOf(topics);
  for (const member of group?.members.values() ?? [])
    if (member.memberId !== memberId) chars += member.topicChars;
  return chars <= limits.groupMembersBytesMax;
}

function charsOf(names: readonly string[]): number {
  let chars = 0;
  for (const name of names) chars += name.length;
  return chars;
}
