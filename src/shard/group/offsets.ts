import { BrokerError, type Clock, limits } from '../../base/index.ts';
import { type AnyGroup, checkGroupId, type GroupTable } from './group-table.ts';
import type { ManagedGroups } from './managed-groups.ts';
import type { Membership } from './membership.ts';
import type { GroupOptions } from './options.ts';
import { ignoreBrokerError, type Rebalancer } from './rebalancer.ts';
import { consumerProtocolType, findSubscribedTopics } from './subscription.ts';
import type {
  GroupStore,
  GroupTopics,
  MemberIdentity,
  NamedPartitionKey,
  OffsetCommit,
  PartitionKey,
  StoredOffset,
} from './types.ts';

export interface OffsetsParts {
  readonly clock: Clock;
  readonly store: GroupStore;
  readonly table: GroupTable;
  readonly rebalancer: Rebalancer;
  readonly membership: Membership;
  readonly managed: ManagedGroups;
  readonly topics: GroupTopics;
  readonly options: GroupOptions;
}

/** How many groups are looked at before other work gets its turn. */
const expiryBatch = 256;

/** How far each group has come in each partition. */
export class Offsets {
  readonly #clock: Clock;
  readonly #store: GroupStore;
  readonly #table: GroupTable;
  readonly #rebalancer: Rebalancer;
  readonly #membership: Membership;
  readonly #managed: ManagedGroups;
  readonly #topics: GroupTopics;
  readonly #retentionMs: number;
  /** Groups whose members somebody else knows. */
  readonly #held = new Set<string>();

  constructor(parts: OffsetsParts) {
    this.#clock = parts.clock;
    this.#store = parts.store;
    this.#table = parts.table;
    this.#rebalancer = parts.rebalancer;
    this.#membership = parts.membership;
    this.#managed = parts.managed;
    this.#topics = parts.topics;
    this.#retentionMs = parts.options.offsetsRetentionMs;
  }

  async commit(
    groupId: string,
    member: MemberIdentity | undefined,
    commits: readonly OffsetCommit[],
  ): Promise<void> {
    checkCommits(groupId, commits);
    this.#checkCommitter(groupId, member, commits, false);
    if (commits.length > 0) await this.#store.saveOffsets(groupId, commits);
  }

  async commitPending(
    groupId: string,
    producerId: number,
    member: MemberIdentity | undefined,
    commits: readonly OffsetCommit[],
  ): Promise<void> {
    checkCommits(groupId, commits);
    const isNamed = member !== undefined && (member.memberId !== '' || member.generation >= 0);
    if (isNamed) this.#checkCommitter(groupId, member, commits, true);
    else this.#table.getOrAdd(groupId);
    if (commits.length > 0) await this.#store.savePending(groupId, producerId, commits);
  }

  async fetch(
    groupId: string,
    keys: readonly PartitionKey[] | undefined,
    member: { memberId: string; epoch: number } | undefined,
  ): Promise<Array<PartitionKey & StoredOffset>> {
    checkGroupId(groupId, true);
    const group = this.#table.findManaged(groupId);
    if (group !== undefined && member !== undefined) this.#managed.checkFetch(group, member);
    // What is read before the barrier is durable after it; what is stored meanwhile would not be.
    const found = keys === undefined ? this.#store.listOffsets(groupId) : this.#find(groupId, keys);
    await this.#store.barrier();
    return found;
  }

  async delete(
    groupId: string,
    keys: readonly NamedPartitionKey[],
  ): Promise<Array<BrokerError | undefined>> {
    checkGroupId(groupId);
    const group = this.#table.find(groupId);
    if (group === undefined) throw new BrokerError('group-not-found');
    const isSubscribed = createSubscriptionCheck(group);
    const outcomes = keys.map(({ topicName }) =>
      isSubscribed(topicName) ? new BrokerError('group-subscribed') : undefined,
    );
    const doomed = keys.filter((_, index) => outcomes[index] === undefined);
    if (doomed.length > 0) {
      await this.#store.deleteOffsets(groupId, doomed);
      this.#table.removeWhenIdle(group);
    }
    return outcomes;
  }

  /** Groups that are held keep their offsets; from the release on they have no members. */
  hold(groupId: string, isHeld: boolean): void {
    if (isHeld) this.#held.add(groupId);
    else if (this.#held.delete(groupId)) {
      const group = this.#table.find(groupId);
      if (group !== undefined) group.emptySinceMs = this.#clock.nowMs();
    }
  }

  async forgetTopic(topicId: string): Promise<void> {
    const waits: Promise<void>[] = [];
    for (const group of this.#table.all()) {
      const doomed = this.#store
        .listOffsets(group.groupId)
        .filter((offset) => offset.topicId === topicId);
      if (doomed.length > 0) waits.push(this.#store.deleteOffsets(group.groupId, doomed));
    }
    await Promise.all(waits);
  }

  /**
   * Forgets what is older than the retention: in groups without members, and such groups when nothing is left; of topics
   * that no member subscribes to in the others.
   */
  expire(): void {
    if (this.#retentionMs >= 0) this.#expireSome(this.#table.all());
  }

  #expireSome(groups: Iterator<AnyGroup>): void {
    for (let count = 0; count < expiryBatch; count++) {
      const { done, value: group } = groups.next();
      if (done === true) return;
      if (this.#held.has(group.groupId)) continue;
      if (group.size > 0) this.#expireUnsubscribed(group);
      else if (group.state !== 'empty') continue;
      else if (group.kind === 'managed' || group.pending.size === 0) this.#expireGroup(group);
    }
    this.#clock.setAfterIo(() => this.#expireSome(groups));
  }

  #expireGroup(group: AnyGroup): void {
    const { groupId } = group;
    const oldestMs = this.#clock.nowMs() - this.#retentionMs;
    const offsets = this.#store.listOffsets(groupId);
    const doomed = offsets.filter(
      ({ commitTimeMs }) => Math.max(commitTimeMs, group.emptySinceMs) <= oldestMs,
    );
    // Nobody waits for these: what is lost is found, and forgotten, again.
    if (doomed.length > 0) {
      void this.#store.deleteOffsets(groupId, doomed).catch(ignoreBrokerError);
    }
    if (doomed.length === offsets.length && !this.#store.hasPending(groupId)) {
      if (group.isStored) void this.#store.saveGroup(groupId, undefined).catch(ignoreBrokerError);
      if (group.kind === 'classic') group.state = 'dead';
      this.#table.remove(group);
    }
  }

  /** Members keep the offsets of what they subscribe to, however old; others go by their own age. */
  #expireUnsubscribed(group: AnyGroup): void {
    const { groupId } = group;
    if (group.protocolType !== consumerProtocolType) return;
    if (group.kind === 'classic' && group.state !== 'stable') return;
    const oldestMs = this.#clock.nowMs() - this.#retentionMs;
    const isSubscribed = createSubscriptionCheck(group);
    const doomed = this.#store.listOffsets(groupId).filter(({ topicId, commitTimeMs }) => {
      if (commitTimeMs > oldestMs) return false;
      const topicName = this.#topics.findName(topicId);
      return topicName !== undefined && !isSubscribed(topicName);
    });
    if (doomed.length === 0) return;
    void this.#store.deleteOffsets(groupId, doomed).catch(ignoreBrokerError);
  }

  #find(groupId: string, keys: readonly PartitionKey[]): Array<PartitionKey & StoredOffset> {
    const found: Array<PartitionKey & StoredOffset> = [];
    for (const { topicId, partition } of keys) {
      const stored = this.#store.findOffset(groupId, { topicId, partition });
      if (stored !== undefined) found.push({ topicId, partition, ...stored });
    }
    return found;
  }

  /** Throws unless `member` may commit now; a member's commit is a sign of life. */
  #checkCommitter(
    groupId: string,
    member: MemberIdentity | undefined,
    commits: readonly OffsetCommit[],
    isPending: boolean,
  ): void {
    const group = this.#table.find(groupId);
    const isOutside = member === undefined || member.generation < 0;
    if (group === undefined) {
      if (!isOutside) {
        const isKnown = member.knowsNoEpochs === false && !isPending;
        throw new BrokerError(isKnown ? 'group-not-found' : 'generation-stale');
      }
      this.#table.getOrAdd(groupId);
      return;
    }
    if (group.kind === 'managed') {
      this.#managed.checkCommit(group, member, commits, isPending);
      return;
    }
    if (isOutside && group.state === 'empty') return;
    if (member === undefined) throw new BrokerError('member-unknown');
    const current = this.#membership.getMember(group, member);
    // It knows the new generation but not yet its part of the work: it must not speak for partitions of before.
    if (group.state === 'completing-rebalance') throw new BrokerError('group-rebalancing');
    this.#rebalancer.touch(group, current);
  }
}

function checkCommits(groupId: string, commits: readonly OffsetCommit[]): void {
  checkGroupId(groupId, true);
  for (const { metadata } of commits) {
    if (Buffer.byteLength(metadata) > limits.commitMetadataBytesMax) {
      throw new BrokerError('metadata-too-large');
    }
  }
}

/** Whether a live member of the group subscribes to a topic; a member that cannot be understood may to any. */
function createSubscriptionCheck(group: AnyGroup): (topicName: string) => boolean {
  if (group.size === 0) return () => false;
  if (group.kind === 'managed') return (topicName) => group.isSubscribed(topicName);
  if (group.protocolType !== consumerProtocolType) throw new BrokerError('group-not-empty');
  const topics = new Set<string>();
  for (const member of group.members()) {
    for (const { metadata } of member.protocols) {
      const subscribed = findSubscribedTopics(metadata);
      if (subscribed === undefined) return () => true;
      for (const topic of subscribed) topics.add(topic);
    }
  }
  return (topicName) => topics.has(topicName);
}
