import { limits } from '../../base/index.ts';

export interface GroupOptions {
  /** Members may ask for session timeouts in this range. */
  sessionTimeoutMinMs: number;
  sessionTimeoutMaxMs: number;
  /**
   * How long an empty group waits for more members after the first, again and again while some come, up to the
   * rebalance timeout. Members that start together meet in one generation with a little of it; without any, each one
   * costs the others a rebalance, which they only notice at their next heartbeat, seconds later.
   */
  initialRebalanceDelayMs: number;
  /**
   * In a group whose coordinator divides the work each wait is twice as long as the one before, up to the first of
   * these; after the second it is over, however many come.
   */
  gatheringStepMaxMs: number;
  gatheringMaxMs: number;
  /**
   * How long a new member, which cannot send heartbeats yet, may wait for its first join to be answered: clients
   * whose request timed out join again under another id, and the ghosts must not pile up (KIP-394).
   */
  newMemberJoinMs: number;
  /** Offsets of a group are forgotten when it has been empty for this long and they are this old (KIP-211). */
  offsetsRetentionMs: number;
  expiryCheckMs: number;
  membersMax: number;
  groupsMax: number;
}

export const defaultGroupOptions: GroupOptions = {
  sessionTimeoutMinMs: 6000,
  sessionTimeoutMaxMs: 1_800_000,
  initialRebalanceDelayMs: limits.initialRebalanceDelayMs,
  gatheringStepMaxMs: 500,
  gatheringMaxMs: 3000,
  newMemberJoinMs: 300_000,
  offsetsRetentionMs: limits.offsetsRetentionMs,
  expiryCheckMs: 600_000,
  membersMax: limits.groupMembersMax,
  groupsMax: limits.groupsMax,
};
