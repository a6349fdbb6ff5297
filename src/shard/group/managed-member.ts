import type { Deadline } from './deadline-queue.ts';
import type { MemberProtocol } from './member.ts';
import {
  type HeldPartitions,
  noPartitions,
  nothingHeld,
  type PartitionSet,
} from './partition-set.ts';

/** The epoch of a static member that is away for a while; its partitions wait for it. */
export const awayEpoch = -2;

/**
 * How far a member is on the way to its target.
 *
 *   stable     it has been told all of its target, or does not know yet that there is a newer one
 *   revoking   it must let go of partitions before it gets others
 *   waiting    it has let go of all; other members still have some of what it is to get
 */
export type MemberProgress = 'stable' | 'revoking' | 'waiting';

/** What is kept of a member over a restart. */
export interface ManagedMemberRecord {
  readonly memberId: string;
  /** Of a static member. */
  readonly instanceId: string | undefined;
  readonly rackId: string | undefined;
  readonly clientId: string;
  readonly clientHost: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  /** In order, each once. */
  readonly topics: readonly string[];
  /** Empty for none. */
  readonly pattern: string;
  /** How it wants the work divided; undefined when it does not mind. */
  readonly assignorName: string | undefined;
  /** Of a member that joins and syncs; undefined for one whose heartbeats say all. In order of preference. */
  readonly protocols: readonly MemberProtocol[] | undefined;
  readonly epoch: number;
  /** The one before: an answer that got lost is asked for again with it. */
  readonly previousEpoch: number;
  readonly progress: MemberProgress;
  readonly held: HeldPartitions;
  readonly revoking: HeldPartitions;
  readonly target: PartitionSet;
}

export interface ManagedMember extends ManagedMemberRecord {
  rackId: string | undefined;
  clientId: string;
  clientHost: string;
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
  assignorName: string | undefined;
  protocols: readonly MemberProtocol[] | undefined;
  /** These change through the group, which counts and knows who has what. */
  topics: readonly string[];
  pattern: string;
  epoch: number;
  previousEpoch: number;
  progress: MemberProgress;
  held: HeldPartitions;
  revoking: HeldPartitions;
  target: PartitionSet;
  /** Who looks for what its pattern matches (`TopicViewer.name`). */
  viewer: string;
  /** Stands for its topics, pattern and viewer; members that subscribe alike have the same. */
  subscription: string;
  /** Monotonic time at which the session ends without a further sign of life. */
  expiresAtMs: number;
  /** Fires at or before `expiresAtMs`; moved lazily. */
  sessionDeadline: Deadline | undefined;
  /** By when it must have let go, joined again, or synced. */
  stepDeadline: Deadline | undefined;
}

export function createManagedMember(
  record: Partial<ManagedMemberRecord> & Pick<ManagedMemberRecord, 'memberId'>,
): ManagedMember {
  return {
    instanceId: undefined,
    rackId: undefined,
    clientId: '',
    clientHost: '',
    sessionTimeoutMs: 0,
    rebalanceTimeoutMs: 0,
    topics: [],
    pattern: '',
    assignorName: undefined,
    protocols: undefined,
    epoch: 0,
    previousEpoch: 0,
    progress: 'stable',
    held: nothingHeld,
    revoking: nothingHeld,
    target: noPartitions,
    ...record,
    viewer: '',
    subscription: '',
    expiresAtMs: 0,
    sessionDeadline: undefined,
    stepDeadline: undefined,
  };
}

/** Whether the member knows all of the target of this epoch. */
export function isSettled(member: ManagedMemberRecord, assignmentEpoch: number): boolean {
  return member.progress === 'stable' && member.epoch === assignmentEpoch;
}
