import type { GroupState } from '../../shard/index.ts';

/** How Kafka's tools write the states of classic and consumer groups. */
export const groupStateNames: Readonly<Record<GroupState, string>> = {
  empty: 'Empty',
  assigning: 'Assigning',
  reconciling: 'Reconciling',
  'preparing-rebalance': 'PreparingRebalance',
  'completing-rebalance': 'CompletingRebalance',
  stable: 'Stable',
  dead: 'Dead',
};

/** The type of every group that has joined with JoinGroup, or only commits offsets (KIP-848). */
export const classicGroupType = 'classic';

/** The type of the groups whose work the broker divides (KIP-848). */
export const consumerGroupType = 'consumer';

/** The type of the groups of KIP-932, and what they have for a protocol type. */
export const shareGroupType = 'share';

/** The type of the groups of KIP-1071, and what they have for a protocol type. */
export const streamsGroupType = 'streams';
