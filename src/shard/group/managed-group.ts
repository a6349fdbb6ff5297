import { createHash } from 'node:crypto';
import { assert } from '../../base/index.ts';
import {
  type DivisibleTopic,
  type DivisionName,
  divide,
  divisionNames,
  isDivisionName,
} from './division.ts';
import { isSettled, type ManagedMember } from './managed-member.ts';
import type { ManagedGroupRecord } from './managed-record.ts';
import { type HeldPartitions, isSameSet, noPartitions, nothingHeld } from './partition-set.ts';
import { consumerProtocolType } from './subscription.ts';
import { TopicPattern } from './topic-pattern.ts';
import type { GroupState, GroupTopics } from './types.ts';

/** What all members say that subscribe alike. */
interface Subscription {
  count: number;
  readonly topics: readonly string[];
  readonly pattern: TopicPattern | undefined;
  /** What the pattern matched when all topics were last looked at; undefined: they were not since the start. */
  matched: readonly string[] | undefined;
  matchedAtMs: number;
  /** The version of the topics that were looked at. */
  matchedVersion: number;
  /** Those that exist, in order of name; the same objects in all subscriptions. */
  divisible: readonly DivisibleTopic[];
}

type Sees = (topicName: string) => boolean;

/** All topics are tried on a pattern at most this often. */
const patternRefreshMs = 1000;
/** And at least this often, for what members may see changes without a topic's changing. */
const patternRenewMs = 600_000;

/**
 * A group whose coordinator divides the work: members say what they subscribe to, and each is led, heartbeat by
 * heartbeat, to its target. It knows no timers and answers nobody; it notes what is to be stored.
 */
export class ManagedGroup {
  readonly kind = 'managed';
  readonly groupId: string;
  readonly protocolType = consumerProtocolType;
  /** Grows with every change of members, subscriptions or topics. */
  epoch = 0;
  /** The epoch that the targets are of. */
  assignmentEpoch = 0;
  emptySinceMs = 0;
  readonly isStored = true;
  /** While an empty group gathers its first members: those who wait, and whether more have come. */
  gathering: { waiters: Array<() => void>; hasGrown: boolean; remainingMs: number } | undefined;
  /** The store takes what has changed, and then no more of it is waiting. */
  saving: Promise<void> | undefined;
  readonly #members = new Map<string, ManagedMember>();
  readonly #staticIds = new Map<string, string>();
  readonly #owners = new Map<string, Map<number, ManagedMember>>();
  readonly #subscriptions = new Map<string, Subscription>();
  #subscribedBytes = 0;
  #topics: ReadonlyMap<string, DivisibleTopic> = new Map();
  #fingerprint = '';
  #seenVersion = -1;
  #unsaved = new Set<string>();
  #isUnsaved = false;
  #isWhollyUnsaved = true;
  /** There are other subscriptions than when the topics were looked up. */
  #isOutdated = true;
  /** A pattern stands for other topics than before; others may have had those already. */
  #isRematched = false;

  constructor(groupId: string, record?: ManagedGroupRecord) {
    this.groupId = groupId;
    if (record === undefined) return;
    this.epoch = record.epoch;
    this.assignmentEpoch = record.assignmentEpoch;
    this.emptySinceMs = record.emptySinceMs;
    this.#fingerprint = record.fingerprint;
    this.#isWhollyUnsaved = false;
  }

  get size(): number {
    return this.#members.size;
  }

  get state(): GroupState {
    if (this.#members.size === 0) return 'empty';
    if (this.epoch > this.assignmentEpoch) return 'assigning';
    for (const member of this.#members.values()) {
      if (!isSettled(member, this.assignmentEpoch)) return 'reconciling';
    }
    return 'stable';
  }

  /** Of what the subscriptions stand for, so that a restart notices what has changed meanwhile. */
  get fingerprint(): string {
    return this.#fingerprint;
  }

  /** Memory of what all members say about themselves, about. */
  get subscribedBytes(): number {
    return this.#subscribedBytes;
  }

  /** How many different patterns members would subscribe by if this one did, too. */
  countPatternsWith(pattern: string): number {
    const patterns = new Set([pattern]);
    for (const { pattern: one } of this.#subscriptions.values()) {
      if (one !== undefined) patterns.add(one.text);
    }
    return patterns.size;
  }

  /** How most of the members that mind want the work divided. */
  get division(): DivisionName {
    const votes = new Map<DivisionName, number>();
    for (const { assignorName } of this.#members.values()) {
      if (assignorName === undefined || !isDivisionName(assignorName)) continue;
      votes.set(assignorName, (votes.get(assignorName) ?? 0) + 1);
    }
    let winner: DivisionName = divisionNames[0];
    for (const [name, count] of votes) if (count > (votes.get(winner) ?? 0)) winner = name;
    return winner;
  }

  members(): MapIterator<ManagedMember> {
    return this.#members.values();
  }

  find(memberId: string): ManagedMember | undefined {
    return this.#members.get(memberId);
  }

  findStatic(instanceId: string): ManagedMember | undefined {
    const memberId = this.#staticIds.get(instanceId);
    return memberId === undefined ? undefined : this.#members.get(memberId);
  }

  add(member: ManagedMember): void {
    assert(!this.#members.has(member.memberId), 'A member is added once');
    this.#members.set(member.memberId, member);
    if (member.instanceId !== undefined) this.#staticIds.set(member.instanceId, member.memberId);
    this.#own(member, member.held);
    this.#own(member, member.revoking);
    this.#enlist(member);
    this.emptySinceMs = 0;
    this.noteMember(member);
  }

  remove(member: ManagedMember): void {
    assert(this.#members.get(member.memberId) === member, 'Only a member is removed');
    this.#members.delete(member.memberId);
    if (
      member.instanceId !== undefined &&
      this.#staticIds.get(member.instanceId) === member.memberId
    ) {
      this.#staticIds.delete(member.instanceId);
    }
    this.#disown(member);
    this.#strike(member);
    this.noteMember(member);
  }

  /**
   * Returns whether the member subscribes to something else than before. `viewer`: who looks for what the pattern matches.
   * Throws `filter-invalid`.
   */
  subscribe(
    member: ManagedMember,
    topics: readonly string[],
    pattern: string,
    viewer = member.viewer,
  ): boolean {
    const sorted = topics === member.topics ? topics : [...new Set(topics)].toSorted();
    const before = { topics: member.topics, pattern: member.pattern, viewer: member.viewer };
    const next = { topics: sorted, pattern, viewer: pattern === '' ? '' : viewer };
    if (subscriptionKey(next) === member.subscription) return false;
    const isSame = subscriptionKey({ ...next, viewer: before.viewer }) === member.subscription;
    this.#strike(member);
    try {
      Object.assign(member, next);
      this.#enlist(member);
    } catch (error) {
      Object.assign(member, before);
      this.#enlist(member);
      throw error;
    }
    // Who looks is not stored: it is known again with the next heartbeat.
    if (isSame) return false;
    this.noteMember(member);
    return true;
  }

  setHeld(member: ManagedMember, held: HeldPartitions, revoking: HeldPartitions): void {
    this.#disown(member);
    member.held = held;
    member.revoking = revoking;
    this.#own(member, held);
    this.#own(member, revoking);
    this.noteMember(member);
  }

  ownerOf(topicId: string, partition: number): ManagedMember | undefined {
    return this.#owners.get(topicId)?.get(partition);
  }

  /** Whether there are members, and all of them join and sync. */
  get isClassic(): boolean {
    for (const { protocols } of this.#members.values()) if (protocols === undefined) return false;
    return this.#members.size > 0;
  }

  /** Whether every member but one joins and syncs, and there are such members. */
  isClassicWithout(member: ManagedMember): boolean {
    if (this.#members.size < 2) return false;
    for (const other of this.#members.values()) {
      if (other !== member && other.protocols === undefined) return false;
    }
    return true;
  }

  isSubscribed(topicName: string): boolean {
    for (const { topics, pattern, matched } of this.#subscriptions.values()) {
      if (topics.includes(topicName)) return true;
      if (matched?.includes(topicName) ?? pattern?.matches(topicName) === true) return true;
    }
    return false;
  }

  /** Starts a new epoch: the targets are of the past. */
  bump(): void {
    this.epoch++;
    this.#isUnsaved = true;
  }

  /**
   * Looks what the subscriptions stand for now, if something can have changed, and returns whether something has. Patterns
   * are tried by those who subscribe by them, on the topics that they see.
   */
  refresh(topics: GroupTopics, nowMs: number, member: ManagedMember, sees?: Sees): boolean {
    const own = this.#subscriptions.get(member.subscription);
    if (own !== undefined && sees !== undefined && isDue(own, topics, nowMs)) {
      const before = own.matched;
      match(own, topics, nowMs, sees);
      if (before?.join() !== own.matched?.join()) {
        this.#isOutdated = true;
        if (before !== undefined) this.#isRematched = true;
      }
    }
    const isNeeded = this.#isOutdated || topics.version !== this.#seenVersion;
    if (!isNeeded || this.isUnmatched) return false;
    this.#seenVersion = topics.version;
    return this.#resolve(topics);
  }

  /** Since the start, not all patterns have been tried: until they are, or their members' sessions end, all stays as it is. */
  get isUnmatched(): boolean {
    for (const { pattern, matched } of this.#subscriptions.values()) {
      if (pattern !== undefined && matched === undefined) return true;
    }
    return false;
  }

  /** New targets for all members, if there is a new epoch. */
  assign(): void {
    if (this.epoch === this.assignmentEpoch || this.isUnmatched) return;
    const shares = [...this.#members.values()].map((member) => ({
      memberId: member.memberId,
      instanceId: member.instanceId,
      topics: this.#subscriptions.get(member.subscription)?.divisible ?? [],
      target: member.target,
    }));
    for (const [memberId, target] of divide(this.division, shares)) {
      const member = this.#members.get(memberId);
      if (member === undefined || isSameSet(member.target, target)) continue;
      member.target = target.size === 0 ? noPartitions : target;
      this.noteMember(member);
    }
    this.assignmentEpoch = this.epoch;
    this.#isUnsaved = true;
  }

  /** The member is to be stored, or removed from the store. */
  noteMember({ memberId }: ManagedMember): void {
    this.#unsaved.add(memberId);
  }

  noteAll(): void {
    this.#isWhollyUnsaved = true;
  }

  get hasUnsaved(): boolean {
    return this.#isWhollyUnsaved || this.#isUnsaved || this.#unsaved.size > 0;
  }

  /** What is to be stored; from now on it counts as stored. */
  takeUnsaved(): { members: Map<string, ManagedMember | undefined>; isWhole: boolean } {
    const isWhole = this.#isWhollyUnsaved;
    const ids = isWhole ? this.#members.keys() : this.#unsaved;
    const members = new Map([...ids].map((id) => [id, this.#members.get(id)] as const));
    this.#unsaved.clear();
    this.#isUnsaved = false;
    this.#isWhollyUnsaved = false;
    return { members, isWhole };
  }

  #enlist(member: ManagedMember): void {
    const key = subscriptionKey(member);
    let subscription = this.#subscriptions.get(key);
    if (subscription === undefined) {
      const pattern = member.pattern === '' ? undefined : new TopicPattern(member.pattern);
      const { topics } = member;
      const matched = pattern === undefined ? [] : undefined;
      const never = { matchedAtMs: Number.NEGATIVE_INFINITY, matchedVersion: -1 };
      subscription = { count: 0, topics, pattern, matched, ...never, divisible: [] };
      this.#subscriptions.set(key, subscription);
      this.#isOutdated = true;
    }
    subscription.count++;
    // The list is shared among those who subscribe alike.
    member.topics = subscription.topics;
    member.subscription = key;
    this.#subscribedBytes += key.length + 64;
  }

  #strike(member: ManagedMember): void {
    const subscription = this.#subscriptions.get(member.subscription);
    if (subscription === undefined) return;
    this.#subscribedBytes -= member.subscription.length + 64;
    subscription.count--;
    if (subscription.count === 0) {
      this.#subscriptions.delete(member.subscription);
      this.#isOutdated = true;
    }
    member.subscription = '';
  }

  #resolve(source: GroupTopics): boolean {
    this.#isOutdated = false;
    const all = new Map<string, DivisibleTopic>();
    for (const subscription of this.#subscriptions.values()) {
      const divisible: DivisibleTopic[] = [];
      for (const name of mergeNames(subscription.topics, subscription.matched ?? [])) {
        let topic = all.get(name);
        if (topic === undefined) {
          const found = source.find(name);
          if (found === undefined) continue;
          const before = this.#topics.get(name);
          const { id: topicId, partitionCount } = found;
          const isSame = before?.topicId === topicId && before.partitionCount === partitionCount;
          topic = isSame && before !== undefined ? before : { topicId, name, partitionCount };
          all.set(name, topic);
        }
        divisible.push(topic);
      }
      subscription.divisible = divisible;
    }
    this.#topics = all;
    const fingerprint = fingerprintOf(all);
    const isRematched = this.#isRematched;
    this.#isRematched = false;
    if (fingerprint === this.#fingerprint) return isRematched;
    this.#fingerprint = fingerprint;
    this.#isUnsaved = true;
    return true;
  }

  #own(member: ManagedMember, held: HeldPartitions): void {
    for (const [topicId, partitions] of held) {
      let owners = this.#owners.get(topicId);
      if (owners === undefined) this.#owners.set(topicId, (owners = new Map()));
      for (const partition of partitions.keys()) owners.set(partition, member);
    }
  }

  #disown(member: ManagedMember): void {
    for (const held of [member.held, member.revoking]) {
      if (held === nothingHeld) continue;
      for (const [topicId, partitions] of held) {
        const owners = this.#owners.get(topicId);
        if (owners === undefined) continue;
        for (const partition of partitions.keys()) {
          if (owners.get(partition) === member) owners.delete(partition);
        }
        if (owners.size === 0) this.#owners.delete(topicId);
      }
    }
  }
}

function subscriptionKey({
  topics,
  pattern,
  viewer,
}: Pick<ManagedMember, 'topics' | 'pattern' | 'viewer'>): string {
  return `${viewer}\n${pattern}\n${topics.join('\n')}`;
}

function isDue(subscription: Subscription, topics: GroupTopics, nowMs: number): boolean {
  const { pattern, matchedAtMs, matchedVersion } = subscription;
  if (pattern === undefined) return false;
  const ageMs = nowMs - matchedAtMs;
  return ageMs >= (matchedVersion === topics.version ? patternRenewMs : patternRefreshMs);
}

function match(subscription: Subscription, topics: GroupTopics, nowMs: number, sees: Sees): void {
  const matched: string[] = [];
  for (const name of topics.names()) {
    if (subscription.pattern?.matches(name) === true && sees(name)) matched.push(name);
  }
  subscription.matched = matched.toSorted();
  subscription.matchedAtMs = nowMs;
  subscription.matchedVersion = topics.version;
}

/** Both are in order; so is the result, with each name once. */
function mergeNames(a: readonly string[], b: readonly string[]): readonly string[] {
  if (b.length === 0) return a;
  return a.length === 0 ? b : [...new Set([...a, ...b])].toSorted();
}

function fingerprintOf(topics: ReadonlyMap<string, DivisibleTopic>): string {
  const hash = createHash('sha256');
  for (const name of [...topics.keys()].toSorted()) {
    const topic = topics.get(name);
    hash.update(`${name}\n${topic?.topicId}\n${topic?.partitionCount}\n`);
  }
  return hash.digest('base64').slice(0, 16);
}
