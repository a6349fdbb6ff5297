/** What the group coordinator needs to store, given by the shard. Promises resolve when durable. */
export interface GroupStore {
  /** Replaces the stored state of a group by opaque bytes; undefined removes it. */
  saveGroup(groupId: string, state: Uint8Array | undefined): Promise<void>;
  /**
   * Replaces the stored state of a group, and with it, at once, those of some members; undefined removes a member.
   * `isWhole`: members that are not named are removed. `saveGroup` removes them all.
   */
  saveMembers(
    groupId: string,
    state: Uint8Array,
    members: ReadonlyMap<string, Uint8Array | undefined>,
    isWhole: boolean,
  ): Promise<void>;
  saveOffsets(groupId: string, commits: readonly OffsetCommit[]): Promise<void>;
  deleteOffsets(groupId: string, keys: readonly PartitionKey[]): Promise<void>;
  /** Offsets that count only once the producer's transaction is committed. */
  savePending(groupId: string, producerId: number, commits: readonly OffsetCommit[]): Promise<void>;
  /** Whether an undecided transaction has an offset of the partition, or any of the group. */
  hasPending(groupId: string, key?: PartitionKey): boolean;
  /** Resolves when all that was stored before the call is durable; readers of offsets wait for it. */
  barrier(): Promise<void>;
  /** What is stored now, including what is not yet durable. */
  findOffset(groupId: string, key: PartitionKey): StoredOffset | undefined;
  listOffsets(groupId: string): Array<PartitionKey & StoredOffset>;
  findGroup(groupId: string): Uint8Array | undefined;
  /** Of the members that were saved by `saveMembers`, by id. */
  listMembers(groupId: string): ReadonlyMap<string, Uint8Array>;
  /** Ids of all groups that have a stored state or offsets. */
  listGroupIds(): string[];
}

export interface PartitionKey {
  topicId: string;
  partition: number;
}

/** With the topic's name, by which members subscribe. */
export interface NamedPartitionKey extends PartitionKey {
  topicName: string;
}

export interface StoredOffset {
  offset: number;
  /** -1 when the client gave none. */
  leaderEpoch: number;
  metadata: string;
  commitTimeMs: number;
}

export interface OffsetCommit extends PartitionKey {
  offset: number;
  leaderEpoch: number;
  metadata: string;
}

/** The topics that members may subscribe to. */
export interface GroupTopics {
  /** Changes whenever a topic comes, goes or grows. */
  readonly version: number;
  find(name: string): GroupTopic | undefined;
  findName(topicId: string): string | undefined;
  names(): Iterable<string>;
}

export interface GroupTopic {
  readonly id: string;
  readonly partitionCount: number;
}

/** `assigning` and `reconciling` are of groups whose coordinator divides the work. */
export type GroupState =
  | 'empty'
  | 'assigning'
  | 'reconciling'
  | 'preparing-rebalance'
  | 'completing-rebalance'
  | 'stable'
  | 'dead';

export interface JoinRequest {
  groupId: string;
  /** Empty for a member that has none yet. */
  memberId: string;
  /** Static membership; undefined for a dynamic member. */
  instanceId?: string;
  clientId: string;
  clientHost: string;
  protocolType: string;
  protocols: ReadonlyArray<{ name: string; metadata: Uint8Array }>;
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
  /** Answer an empty member id with member-id-required and a fresh id (dynamic members of newer clients). */
  requireMemberId: boolean;
  /** The client understands `skipAssignment` (KIP-814). */
  canSkipAssignment?: boolean;
  reason?: string;
}

export interface JoinResult {
  generation: number;
  protocolType: string;
  protocolName: string;
  leaderId: string;
  memberId: string;
  /** A static leader that came back with an unchanged subscription keeps the old assignment. */
  skipAssignment: boolean;
  /** Only for the leader; empty for the others. */
  members: Array<{ memberId: string; instanceId?: string; metadata: Uint8Array }>;
}

export interface SyncRequest {
  groupId: string;
  memberId: string;
  instanceId?: string;
  generation: number;
  /** Checked against the group's when given. */
  protocolType?: string;
  protocolName?: string;
  /** From the leader; empty from the others. */
  assignments: ReadonlyArray<{ memberId: string; assignment: Uint8Array }>;
}

export interface SyncResult {
  protocolType: string;
  protocolName: string;
  assignment: Uint8Array;
}

export interface MemberIdentity {
  groupId: string;
  memberId: string;
  instanceId?: string;
  generation: number;
  /**
   * The client takes epochs for generations: as a member whose work the coordinator divides it gets group-protocol-mismatch.
   * If false, it is told when the group is not there.
   */
  knowsNoEpochs?: boolean;
}

/** Of whom a pattern matches only topics that it sees. */
export interface TopicViewer {
  /** Those who have the same name see the same; empty is who sees all. */
  readonly name: string;
  sees(topicName: string): boolean;
}

/** A heartbeat in a group whose coordinator divides the work; what is undefined has not changed since the last one. */
export interface Beat {
  groupId: string;
  /** Empty for a member that has none yet. */
  memberId: string;
  /** 0 to join, -1 to leave, -2 for a static member that will be back. */
  epoch: number;
  instanceId?: string;
  rackId?: string;
  clientId: string;
  clientHost: string;
  sessionTimeoutMs: number;
  rebalanceTimeoutMs?: number;
  topics?: readonly string[];
  /** Empty to take it back. */
  pattern?: string;
  /** Undefined: all topics are seen. */
  viewer?: TopicViewer;
  assignorName?: string;
  /** What the member has. */
  owned?: ReadonlyArray<{ topicId: string; partitions: readonly number[] }>;
}

export interface BeatResult {
  memberId: string;
  epoch: number;
  /** What it is to get is still with others that send beats: it may ask again sooner than otherwise. */
  isWaiting: boolean;
  /** Undefined: as before. */
  assignment?: ReadonlyArray<{ topicId: string; partitions: readonly number[] }>;
}

export interface ManagedGroupDescription {
  groupId: string;
  state: GroupState;
  epoch: number;
  assignmentEpoch: number;
  assignorName: string;
  members: Array<{
    memberId: string;
    instanceId: string | undefined;
    rackId: string | undefined;
    clientId: string;
    clientHost: string;
    epoch: number;
    topics: readonly string[];
    pattern: string;
    assignment: ReadonlyArray<{ topicId: string; partitions: readonly number[] }>;
    target: ReadonlyArray<{ topicId: string; partitions: readonly number[] }>;
    /** It joins and syncs, as members of other groups do. */
    isClassic: boolean;
  }>;
}

export interface GroupDescription {
  groupId: string;
  /** The coordinator divides the work: there is more to tell by `describeManaged`. */
  isManaged: boolean;
  state: GroupState;
  protocolType: string;
  /** Empty unless the group is stable, as are the members' metadata and assignments. */
  protocolName: string;
  members: Array<{
    memberId: string;
    instanceId?: string;
    clientId: string;
    clientHost: string;
    metadata: Uint8Array;
    assignment: Uint8Array;
  }>;
}

export interface GroupListing {
  groupId: string;
  isManaged: boolean;
  state: GroupState;
  protocolType: string;
}

/**
 * Consumer groups of one shard. All failures are BrokerErrors: group-id-invalid, member-unknown, member-id-required
 * (its `detail` is not the id: see MemberIdRequired), member-fenced, member-epoch-stale, generation-stale, group-rebalancing,
 * group-protocol-mismatch, group-full, session-timeout-invalid, group-not-found, group-not-empty, group-subscribed,
 * metadata-too-large.
 */
export interface Groups {
  join(request: JoinRequest): Promise<JoinResult>;
  sync(request: SyncRequest): Promise<SyncResult>;
  /** Throws when the member must do something: group-rebalancing, member-unknown, generation-stale, member-fenced. */
  heartbeat(member: MemberIdentity): void;
  /**
   * Joins, stays in or leaves a group whose coordinator divides the work. Rejects, besides: member-epoch-fenced (join
   * again), instance-in-use, filter-invalid (the pattern).
   */
  beat(beat: Beat): Promise<BeatResult>;
  /** One outcome per member, in order; undefined is success. */
  leave(
    groupId: string,
    members: ReadonlyArray<{ memberId: string; instanceId?: string; reason?: string }>,
  ): Promise<Array<Error | undefined>>;
  /**
   * `member` undefined or generation -1 with an empty member id: a commit from outside the group protocol, allowed
   * while the group is empty or unknown.
   */
  commit(
    groupId: string,
    member: MemberIdentity | undefined,
    commits: readonly OffsetCommit[],
  ): Promise<void>;
  /**
   * As `commit`, but the offsets count only once the producer's transaction is committed. The coordinator of transactions
   * calls it. `member` undefined or generation -1 with an empty member id is allowed in any state of the group.
   */
  commitPending(
    groupId: string,
    producerId: number,
    member: MemberIdentity | undefined,
    commits: readonly OffsetCommit[],
  ): Promise<void>;
  /** Whether an undecided transaction has an offset of the partition: what `fetchOffsets` tells may change by itself. */
  hasPendingOffset(groupId: string, key: PartitionKey): boolean;
  /**
   * Durable offsets only; keys without one are left out. `keys` undefined: all. A `member` is checked in groups whose
   * coordinator divides the work.
   */
  fetchOffsets(
    groupId: string,
    keys?: readonly PartitionKey[],
    member?: { memberId: string; epoch: number },
  ): Promise<Array<PartitionKey & StoredOffset>>;
  /** A group that is not known is described as dead, with no members. */
  describe(groupId: string): GroupDescription;
  /** Undefined unless the coordinator divides the group's work. */
  describeManaged(groupId: string): ManagedGroupDescription | undefined;
  list(): GroupListing[];
  delete(groupId: string): Promise<void>;
  /** Fails with group-subscribed for topics that a live member subscribes to: one outcome per key. */
  deleteOffsets(
    groupId: string,
    keys: readonly NamedPartitionKey[],
  ): Promise<Array<Error | undefined>>;
  /**
   * Whether a group has members that are not the coordinator's: its offsets are kept, however old. Not stored.
   */
  hold(groupId: string, isHeld: boolean): void;
  /** Forgets a deleted topic's offsets in all groups. */
  forgetTopic(topicId: string): Promise<void>;
}
