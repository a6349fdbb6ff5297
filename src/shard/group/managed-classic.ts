import { BrokerError, ProtocolError, type Random } from '../../base/index.ts';
import { assignmentOf, toSet } from './conversion.ts';
import type { ManagedGroup } from './managed-group.ts';
import type { ManagedGroups } from './managed-groups.ts';
import { createManagedMember, type ManagedMember } from './managed-member.ts';
import { copyProtocols, type MemberProtocol } from './member.ts';
import { MemberIdRequired } from './member-id-required.ts';
import { listSet, type TopicPartitionList } from './partition-set.ts';
import { canGetMore } from './reconcile.ts';
import { consumerProtocolType, decodeSubscription, type Subscription } from './subscription.ts';
import type {
  GroupTopics,
  JoinRequest,
  JoinResult,
  MemberIdentity,
  SyncRequest,
  SyncResult,
} from './types.ts';

export interface ManagedClassicParts {
  readonly groups: ManagedGroups;
  readonly topics: GroupTopics;
  readonly random: Random;
}

/**
 * Members that join and sync in a group whose coordinator divides the work (KIP-848, online migration): a join is a
 * heartbeat that says all, its generation is the member's epoch, and a sync tells what the member holds. A member that
 * has a step to do learns by its next heartbeat that it is to join again.
 */
export class ManagedClassic {
  readonly #groups: ManagedGroups;
  readonly #topics: GroupTopics;
  readonly #random: Random;

  constructor(parts: ManagedClassicParts) {
    this.#groups = parts.groups;
    this.#topics = parts.topics;
    this.#random = parts.random;
  }

  async join(group: ManagedGroup, request: JoinRequest): Promise<JoinResult> {
    const isUnknown = request.memberId === '';
    const memberId = isUnknown
      ? `${request.instanceId ?? request.clientId}-${this.#random.nextUuid()}`
      : request.memberId;
    const [first] = request.protocols;
    if (request.protocolType !== consumerProtocolType || first === undefined) {
      throw new BrokerError('group-protocol-mismatch');
    }
    this.#groups.checkRoom(group, memberId, first.metadata.length);
    const protocols = copyProtocols(request.protocols);
    checkProtocols(group, memberId, protocols);
    const subscription = read(first.metadata);
    if (isUnknown && request.instanceId === undefined && request.requireMemberId) {
      throw new MemberIdRequired(memberId);
    }
    const member = this.#enter(group, request, memberId, isUnknown);
    this.#update(group, member, request, protocols, subscription);
    this.#groups.advance(group, member, this.#listOwned(subscription));
    const result = {
      generation: member.epoch,
      protocolType: consumerProtocolType,
      protocolName: first.name,
      // Nobody leads: the coordinator divides the work.
      leaderId: '',
      memberId,
      skipAssignment: false,
      members: [],
    };
    if (group.isClassic) {
      await this.#groups.handOver(group);
      return result;
    }
    this.#groups.sessions.touch(group, member);
    this.#groups.sessions.expectStep(group, member);
    await this.#groups.save(group);
    return result;
  }

  async sync(group: ManagedGroup, request: SyncRequest): Promise<SyncResult> {
    const member = this.#getMember(group, request);
    const { protocolType = consumerProtocolType, protocolName } = request;
    const name = member.protocols?.[0]?.name ?? '';
    if (protocolType !== consumerProtocolType || (protocolName ?? name) !== name) {
      throw new BrokerError('group-protocol-mismatch');
    }
    // Who is to let go of something has joined already; it must know first what it keeps.
    if (group.epoch > member.epoch && member.progress !== 'revoking') {
      if (member.stepDeadline === undefined) this.#groups.sessions.expectStep(group, member);
      throw new BrokerError('group-rebalancing');
    }
    this.#groups.sessions.endStep(member);
    this.#groups.sessions.touch(group, member);
    const assignment = assignmentOf(member, this.#topics);
    await this.#groups.save(group);
    return { protocolType, protocolName: name, assignment };
  }

  heartbeat(group: ManagedGroup, identity: MemberIdentity): void {
    const member = this.#getMember(group, identity);
    this.#groups.sessions.touch(group, member);
    if (!this.#mustJoinAgain(group, member)) return;
    if (member.stepDeadline === undefined) this.#groups.sessions.expectStep(group, member);
    throw new BrokerError('group-rebalancing');
  }

  /** One outcome per member. Who asks may be an administrator: members of either protocol can be made to leave. */
  async leave(
    group: ManagedGroup,
    leaving: ReadonlyArray<{ memberId: string; instanceId?: string }>,
  ): Promise<Array<Error | undefined>> {
    const found = leaving.map(({ memberId, instanceId }) => {
      try {
        const id =
          memberId === '' && instanceId !== undefined
            ? (group.findStatic(instanceId)?.memberId ?? '')
            : memberId;
        return findMember(group, id, instanceId);
      } catch (error) {
        if (error instanceof BrokerError) return error;
        throw error;
      }
    });
    const members = new Set<ManagedMember>();
    for (const one of found) if (!(one instanceof BrokerError)) members.add(one);
    const waits: Promise<void>[] = [];
    // Classic members go first: with the last of the others, the group is another one.
    for (const isClassic of [true, false]) {
      for (const member of members) {
        if ((member.protocols !== undefined) !== isClassic) continue;
        waits.push(this.#groups.fence(group, member));
      }
    }
    await Promise.all(waits);
    return found.map((one) => (one instanceof BrokerError ? one : undefined));
  }

  #enter(
    group: ManagedGroup,
    { instanceId }: JoinRequest,
    memberId: string,
    isUnknown: boolean,
  ): ManagedMember {
    const before = instanceId === undefined ? undefined : group.findStatic(instanceId);
    if (instanceId !== undefined && !isUnknown) {
      if (before === undefined) throw new BrokerError('member-unknown');
      if (before.memberId !== memberId) throw new BrokerError('member-fenced');
      return before;
    }
    if (before !== undefined) return this.#groups.replace(group, before, memberId);
    const known = group.find(memberId);
    if (known !== undefined) return known;
    const member = createManagedMember({ memberId, instanceId });
    group.add(member);
    return member;
  }

  #update(
    group: ManagedGroup,
    member: ManagedMember,
    request: JoinRequest,
    protocols: readonly MemberProtocol[],
    subscription: Subscription,
  ): void {
    const { clientId, clientHost, sessionTimeoutMs } = request;
    const rebalanceTimeoutMs = Math.max(request.rebalanceTimeoutMs, 0);
    const settings = { clientId, clientHost, sessionTimeoutMs, rebalanceTimeoutMs };
    Object.assign(member, { ...settings, protocols, rackId: subscription.rackId });
    group.noteMember(member);
    if (group.subscribe(member, subscription.topics, '')) group.bump();
  }

  #getMember(group: ManagedGroup, identity: MemberIdentity): ManagedMember {
    const member = findMember(group, identity.memberId, identity.instanceId);
    if (member.protocols === undefined) throw new BrokerError('member-unknown');
    if (identity.generation !== member.epoch) throw new BrokerError('generation-stale');
    return member;
  }

  /** The member has not seen the newest epoch, is to let go of something, or can get more. */
  #mustJoinAgain(group: ManagedGroup, member: ManagedMember): boolean {
    if (member.epoch < group.epoch || member.progress === 'revoking') return true;
    return member.progress === 'waiting' && canGetMore(group, member);
  }

  #listOwned(subscription: Subscription): readonly TopicPartitionList[] {
    return listSet(toSet(subscription.owned, this.#topics));
  }
}

/** Throws unless the id and, of a static member, the instance's id are a member's. */
function findMember(
  group: ManagedGroup,
  memberId: string,
  instanceId: string | undefined,
): ManagedMember {
  const member = instanceId === undefined ? group.find(memberId) : group.findStatic(instanceId);
  if (member === undefined) throw new BrokerError('member-unknown');
  if (member.memberId !== memberId) throw new BrokerError('member-fenced');
  return member;
}

/** Throws unless every other member that joins and syncs shares a protocol with these. */
function checkProtocols(
  group: ManagedGroup,
  memberId: string,
  protocols: readonly MemberProtocol[],
): void {
  for (const { name } of protocols) {
    let isShared = true;
    for (const other of group.members()) {
      if (other.protocols === undefined || other.memberId === memberId) continue;
      if (!other.protocols.some((one) => one.name === name)) {
        isShared = false;
        break;
      }
    }
    if (isShared) return;
  }
  throw new BrokerError('group-protocol-mismatch');
}

function read(metadata: Uint8Array): Subscription {
  try {
    return decodeSubscription(metadata);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new BrokerError('group-protocol-mismatch', error.message, { cause: error });
  }
}
