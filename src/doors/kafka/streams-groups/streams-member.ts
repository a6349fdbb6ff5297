import { limits } from '../../../base/index.ts';
import type { Deadline } from '../../../shard/index.ts';
import type { RequestOf } from '../wire/index.ts';
import { noTasks, type TaskRoles } from './tasks.ts';

type Request = RequestOf<'StreamsGroupHeartbeat'>;
export type Endpoint = NonNullable<Request['userEndpoint']>;
export type ClientTags = NonNullable<Request['clientTags']>;
export type TaskOffsets = NonNullable<Request['taskOffsets']>;

/** A stream thread, as its heartbeats tell of it. Null fields of a heartbeat leave what it told before. */
export interface StreamsMember {
  readonly memberId: string;
  epoch: number;
  /** The one before: an answer that got lost is asked for again with it. */
  previousEpoch: number;
  rackId: string | null;
  clientId: string;
  clientHost: string;
  rebalanceTimeoutMs: number;
  topologyEpoch: number;
  processId: string;
  userEndpoint: Endpoint | null;
  clientTags: ClientTags;
  taskOffsets: TaskOffsets;
  taskEndOffsets: TaskOffsets;
  /** What it was told to work on. */
  assigned: TaskRoles;
  /** What it was told to let go, and may still have. */
  revoked: TaskRoles;
  /** Since which of its epochs it has each active task: commits may say any from then on (KIP-1251). */
  readonly activeSince: Map<string, number>;
  /** Whether it waits for tasks that others still have. */
  isWaiting: boolean;
  sessionDeadline: Deadline | undefined;
  /** By when it must have let go. */
  revocationDeadline: Deadline | undefined;
}

export function createMember(memberId: string): StreamsMember {
  return {
    memberId,
    epoch: 0,
    previousEpoch: -1,
    rackId: null,
    clientId: '',
    clientHost: '',
    rebalanceTimeoutMs: 0,
    topologyEpoch: 0,
    processId: '',
    userEndpoint: null,
    clientTags: [],
    taskOffsets: [],
    taskEndOffsets: [],
    assigned: noTasks,
    revoked: noTasks,
    activeSince: new Map(),
    isWaiting: false,
    sessionDeadline: undefined,
    revocationDeadline: undefined,
  };
}

export function hasToRevoke({ revoked }: StreamsMember): boolean {
  return revoked.active.size + revoked.standby.size > 0;
}

/** Takes over what the heartbeat tells; true when the tasks may have to be dealt out anew for it. */
export function updateMember(
  member: StreamsMember,
  request: Request,
  client: { readonly clientId: string; readonly clientHost: string },
): boolean {
  const before = describe(member);
  member.clientId = client.clientId;
  member.clientHost = client.clientHost;
  if (request.rackId !== null) member.rackId = request.rackId;
  if (request.rebalanceTimeoutMs !== -1) {
    member.rebalanceTimeoutMs = Math.max(request.rebalanceTimeoutMs, 0);
  }
  if (request.topology !== null) member.topologyEpoch = request.topology.epoch;
  if (request.processId !== null) member.processId = request.processId;
  if (request.userEndpoint !== null) member.userEndpoint = request.userEndpoint;
  const { streamsMemberTagsMax: tagsMax, streamsMemberTasksMax: tasksMax } = limits;
  if (request.clientTags !== null) member.clientTags = request.clientTags.slice(0, tagsMax);
  if (request.taskOffsets !== null) member.taskOffsets = request.taskOffsets.slice(0, tasksMax);
  if (request.taskEndOffsets !== null)
    member.taskEndOffsets = request.taskEndOffsets.slice(0, tasksMax);
  return describe(member) !== before;
}

function describe({ rackId, processId, topologyEpoch, userEndpoint, clientTags }: StreamsMember) {
  return JSON.stringify([rackId, processId, topologyEpoch, userEndpoint, clientTags]);
}
