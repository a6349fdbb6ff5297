import { BrokerError, limits, type Random } from '../../base/index.ts';
import type { Group } from './group.ts';
import { checkGroupId, type GroupTable } from './group-table.ts';
import {
  areSameProtocols,
  copyProtocols,
  createMember,
  type Member,
  type MemberProtocol,
  metadataOf,
  noBytes,
  protocolsBytes,
  type Waiter,
} from './member.ts';
import { MemberIdRequired } from './member-id-required.ts';
import type { GroupOptions } from './options.ts';
import { createJoinResult, createSyncResult, type Rebalancer } from './rebalancer.ts';
import { consumerProtocolType, findSubscribedTopics } from './subscription.ts';
import type { JoinRequest, JoinResult, MemberIdentity, SyncRequest, SyncResult } from './types.ts';

export interface MembershipParts {
  readonly table: GroupTable;
  readonly rebalancer: Rebalancer;
  readonly random: Random;
  readonly options: GroupOptions;
}

/** What members ask for: to join, to get their part of the work, to stay, to leave. */
export class Membership {
  readonly #table: GroupTable;
  readonly #rebalancer: Rebalancer;
  readonly #random: Random;
  readonly #options: GroupOptions;

  constructor(parts: MembershipParts) {
    this.#table = parts.table;
    this.#rebalancer = parts.rebalancer;
    this.#random = parts.random;
    this.#options = parts.options;
  }

  /** Of a request that `checkJoin` has let pass. Throws, or answers through the promise when the rebalance is over. */
  async join(request: JoinRequest): Promise<JoinResult> {
    if (request.memberId !== '') return this.#joinAgain(this.#getGroup(request.groupId), request);
    const group = this.#table.getOrAddClassic(request.groupId);
    try {
      return await this.#joinNew(group, request);
    } finally {
      this.#table.removeWhenIdle(group);
    }
  }

  async sync(request: SyncRequest): Promise<SyncResult> {
    checkGroupId(request.groupId);
    const group = this.#getGroup(request.groupId);
    const member = this.getMember(group, request);
    checkProtocol('type', request.protocolType, group.protocolType);
    checkProtocol('name', request.protocolName, group.protocolName);
    switch (group.state) {
      case 'stable':
        group.unsynced.delete(member.memberId);
        this.#rebalancer.touch(group, member);
        return createSyncResult(group, member);
      case 'completing-rebalance': {
        group.unsynced.delete(member.memberId);
        // An older sync of this member came over a connection that is lost by now.
        member.sync?.reject(new BrokerError('group-rebalancing'));
        const { promise, waiter } = createWaiter<SyncResult>();
        member.sync = waiter;
        if (group.leaderId === member.memberId) {
          const assignments = request.assignments.map(
            ({ memberId, assignment }) => [memberId, new Uint8Array(assignment)] as const,
          );
          this.#rebalancer.assign(group, new Map(assignments));
        }
        return promise;
      }
      default:
        throw new BrokerError('group-rebalancing');
    }
  }

  heartbeat(identity: MemberIdentity): void {
    checkGroupId(identity.groupId);
    const group = this.#getGroup(identity.groupId);
    const member = this.getMember(group, identity);
    this.#rebalancer.touch(group, member);
    if (group.state === 'preparing-rebalance') throw new BrokerError('group-rebalancing');
  }

  /** One outcome per member; one rebalance for all. */
  leave(
    groupId: string,
    leaving: ReadonlyArray<{ memberId: string; instanceId?: string }>,
  ): Array<Error | undefined> {
    checkGroupId(groupId);
    const group = this.#table.findClassic(groupId);
    if (group === undefined) return leaving.map(() => new BrokerError('member-unknown'));
    let hasLeft = false;
    const outcomes = leaving.map(({ memberId, instanceId }) => {
      try {
        if (group.pending.has(memberId)) {
          this.#rebalancer.forgetPending(group, memberId);
          return undefined;
        }
        // An administrator may remove a static member without knowing its present id (KIP-345).
        const staticId = instanceId === undefined ? undefined : group.findStaticId(instanceId);
        const id = memberId === '' && staticId !== undefined ? staticId : memberId;
        const member = findMember(group, id, instanceId);
        this.#rebalancer.remove(group, member, new BrokerError('member-unknown'));
        hasLeft = true;
        return undefined;
      } catch (error) {
        if (error instanceof BrokerError) return error;
        throw error;
      }
    });
    if (hasLeft) this.#rebalancer.rebalance(group);
    return outcomes;
  }

  /** The member that a request comes from; throws when it is not one, or not of the present generation. */
  getMember(group: Group, identity: MemberIdentity): Member {
    const member = findMember(group, identity.memberId, identity.instanceId);
    if (identity.generation !== group.generation) throw new BrokerError('generation-stale');
    return member;
  }

  #getGroup(groupId: string): Group {
    const group = this.#table.findClassic(groupId);
    if (group === undefined) throw new BrokerError('member-unknown');
    return group;
  }

  #joinNew(group: Group, request: JoinRequest): Promise<JoinResult> {
    const { instanceId } = request;
    const staticId = instanceId === undefined ? undefined : group.findStaticId(instanceId);
    const replaced = staticId === undefined ? undefined : group.find(staticId);
    const protocols = this.#checkProtocols(group, request, replaced);
    const memberId = `${instanceId ?? request.clientId}-${this.#random.nextUuid()}`;
    if (replaced !== undefined) {
      return this.#replaceStatic(group, replaced, memberId, request, protocols);
    }
    this.#checkRoom(group);
    if (instanceId === undefined && request.requireMemberId) {
      this.#rebalancer.expect(group, memberId, request.sessionTimeoutMs);
      throw new MemberIdRequired(memberId);
    }
    return this.#admit(group, memberId, request, protocols);
  }

  #joinAgain(group: Group, request: JoinRequest): Promise<JoinResult> {
    const { memberId } = request;
    if (group.pending.has(memberId) && request.instanceId === undefined) {
      const protocols = this.#checkProtocols(group, request, undefined);
      this.#rebalancer.release(group, memberId);
      return this.#admit(group, memberId, request, protocols);
    }
    const member = findMember(group, memberId, request.instanceId);
    const protocols = this.#checkProtocols(group, request, member);
    // A member that asks for what it has was not answered, or not in time; a leader wants a new assignment.
    const isUnchanged = areSameProtocols(member.protocols, protocols);
    const isCurrent =
      (group.state === 'completing-rebalance' && isUnchanged) ||
      (group.state === 'stable' && isUnchanged && group.leaderId !== memberId);
    this.#update(group, member, request, protocols);
    if (isCurrent) {
      this.#rebalancer.touch(group, member);
      return Promise.resolve(createJoinResult(group, member));
    }
    const { promise, waiter } = createWaiter<JoinResult>();
    // An older join of this member came over a connection that is lost by now.
    group.setJoin(member, waiter)?.reject(new BrokerError('group-rebalancing'));
    this.#rebalancer.rebalance(group);
    return promise;
  }

  #admit(
    group: Group,
    memberId: string,
    request: JoinRequest,
    protocols: readonly MemberProtocol[],
  ): Promise<JoinResult> {
    const { promise, waiter } = createWaiter<JoinResult>();
    if (group.size === 0) group.protocolType = request.protocolType;
    const member = createMember({
      ...pickSettings(request),
      memberId,
      instanceId: request.instanceId,
      protocols,
      assignment: noBytes,
    });
    member.join = waiter;
    this.#rebalancer.admit(group, member);
    return promise;
  }

  /**
   * A static member came back under a new id: the old id is fenced. In a stable group it keeps its assignment and
   * nobody else notices (KIP-345), unless it subscribes to other topics than before.
   */
  #replaceStatic(
    group: Group,
    before: Member,
    memberId: string,
    request: JoinRequest,
    protocols: readonly MemberProtocol[],
  ): Promise<JoinResult> {
    const wasLeader = group.leaderId === before.memberId;
    const { instanceId, assignment } = before;
    this.#rebalancer.remove(group, before, new BrokerError('member-fenced'));
    if (group.size === 0) group.protocolType = request.protocolType;
    const settings = pickSettings(request);
    const member = createMember({ ...settings, memberId, instanceId, protocols, assignment });
    group.add(member);
    if (wasLeader) group.leaderId = memberId;
    this.#rebalancer.touch(group, member);
    if (group.state === 'stable' && isSameWork(group, before, member)) {
      return this.#keepAssignment(group, member, wasLeader, before.memberId, request);
    }
    const { promise, waiter } = createWaiter<JoinResult>();
    group.setJoin(member, waiter);
    this.#rebalancer.rebalance(group);
    return promise;
  }

  async #keepAssignment(
    group: Group,
    member: Member,
    isLeader: boolean,
    idBefore: string,
    request: JoinRequest,
  ): Promise<JoinResult> {
    const result = createJoinResult(group, member);
    // The client must not learn an id that a restart of the broker could forget: it would be fenced by its old self.
    await this.#rebalancer.save(group);
    if (group.find(member.memberId) !== member) throw new BrokerError('member-unknown');
    if (request.canSkipAssignment === true) return { ...result, skipAssignment: isLeader };
    // Who cannot skip the assignment must not take itself for the leader: nobody would take the new one.
    return isLeader ? { ...result, leaderId: idBefore, members: [] } : result;
  }

  #update(
    group: Group,
    member: Member,
    request: JoinRequest,
    protocols: readonly MemberProtocol[],
  ): void {
    Object.assign(member, pickSettings(request));
    group.setProtocols(member, protocols);
    if (group.size === 1) group.protocolType = request.protocolType;
  }

  #checkProtocols(group: Group, request: JoinRequest, self: Member | undefined): MemberProtocol[] {
    const { protocolType } = request;
    if (!group.canServe(protocolType, request.protocols, self)) {
      throw new BrokerError('group-protocol-mismatch');
    }
    const bytesBefore = self === undefined ? 0 : protocolsBytes(self.protocols);
    const bytes = group.protocolsBytes - bytesBefore + protocolsBytes(request.protocols);
    if (bytes > limits.groupMembersBytesMax) {
      throw new BrokerError('group-full', 'its members say too much of themselves');
    }
    return copyProtocols(request.protocols);
  }

  #checkRoom(group: Group): void {
    const { membersMax } = this.#options;
    if (group.size + group.pending.size >= membersMax) {
      throw new BrokerError('group-full', `it has ${membersMax} members`);
    }
  }
}

/** Throws for a join that no group takes. */
export function checkJoin(
  { groupId, sessionTimeoutMs }: JoinRequest,
  { sessionTimeoutMinMs, sessionTimeoutMaxMs }: GroupOptions,
): void {
  checkGroupId(groupId);
  if (sessionTimeoutMs >= sessionTimeoutMinMs && sessionTimeoutMs <= sessionTimeoutMaxMs) return;
  const range = `${sessionTimeoutMinMs} to ${sessionTimeoutMaxMs} ms`;
  throw new BrokerError('session-timeout-invalid', `it must be ${range}`);
}

/** Throws when the group has no such member, or another one has taken over its place. */
function findMember(group: Group, memberId: string, instanceId: string | undefined): Member {
  if (instanceId !== undefined) {
    const currentId = group.findStaticId(instanceId);
    // An id that was given out shortly before the broker failed may be lost. As long as the one that was stored has
    // not been heard of since, its owner is not fenced, which would be for good, but asked to join again.
    const isSure = currentId !== undefined && group.find(currentId)?.isHeard === true;
    if (isSure && currentId !== memberId) throw new BrokerError('member-fenced');
  }
  const member = group.find(memberId);
  if (member === undefined || (instanceId !== undefined && member.instanceId !== instanceId)) {
    throw new BrokerError('member-unknown');
  }
  return member;
}

/** Whether the group would choose the same protocol, and the member asks for the same topics as its old self. */
function isSameWork(group: Group, before: Member, after: Member): boolean {
  if (group.selectProtocol() !== group.protocolName) return false;
  if (group.protocolType !== consumerProtocolType) return true;
  const old = findSubscribedTopics(metadataOf(before, group.protocolName));
  const now = findSubscribedTopics(metadataOf(after, group.protocolName));
  if (old === undefined || now === undefined) return true;
  return old.size === now.size && [...old].every((topic) => now.has(topic));
}

function checkProtocol(what: string, given: string | undefined, actual: string): void {
  if (given === undefined || given === actual) return;
  throw new BrokerError('group-protocol-mismatch', `the protocol ${what} is ${actual}`);
}

function pickSettings(request: JoinRequest) {
  const { clientId, clientHost, sessionTimeoutMs } = request;
  const rebalanceTimeoutMs = Math.max(request.rebalanceTimeoutMs, 0);
  return { clientId, clientHost, sessionTimeoutMs, rebalanceTimeoutMs };
}

function createWaiter<Result>(): { promise: Promise<Result>; waiter: Waiter<Result> } {
  let waiter: Waiter<Result> | undefined;
  const promise = new Promise<Result>((resolve, reject) => {
    waiter = { resolve, reject };
  });
  if (waiter === undefined) throw new TypeError('A promise runs its executor at once');
  return { promise, waiter };
}
