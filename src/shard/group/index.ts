export type { Assignments, Assignor, AssignorMember, PartitionCounts } from './assignor.ts';
export {
  assignors,
  assignRange,
  assignRoundRobin,
  assignSticky,
  withoutMoving,
} from './assignor.ts';
export type { GroupCoordinatorParts } from './coordinator.ts';
export { GroupCoordinator } from './coordinator.ts';
export type { Deadline } from './deadline-queue.ts';
export { DeadlineQueue } from './deadline-queue.ts';
export { MemberIdRequired } from './member-id-required.ts';
export type { GroupOptions } from './options.ts';
export { defaultGroupOptions } from './options.ts';
export type { Assignment, Subscription, TopicPartitions } from './subscription.ts';
export {
  consumerProtocolType,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  findSubscribedTopics,
} from './subscription.ts';
export { TopicPattern } from './topic-pattern.ts';
export { divisionNames } from './division.ts';
export type {
  Beat,
  BeatResult,
  GroupDescription,
  GroupListing,
  Groups,
  GroupState,
  GroupStore,
  GroupTopic,
  GroupTopics,
  JoinRequest,
  JoinResult,
  ManagedGroupDescription,
  MemberIdentity,
  NamedPartitionKey,
  OffsetCommit,
  PartitionKey,
  StoredOffset,
  SyncRequest,
  SyncResult,
  TopicViewer,
} from './types.ts';
