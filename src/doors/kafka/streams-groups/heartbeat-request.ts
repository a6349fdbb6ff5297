import { limits } from '../../../base/index.ts';
import { errorCodes } from '../error-codes.ts';
import { Refusal } from '../refusal.ts';
import type { RequestOf } from '../wire/index.ts';
import { type TaskRoles, toKeys } from './tasks.ts';
import { findTopologyProblem } from './topology.ts';

type Request = RequestOf<'StreamsGroupHeartbeat'>;

export const leaving = -1;
export const joining = 0;

/** What Kafka asks of a heartbeat before it looks at the group. */
export function checkHeartbeat(request: Request): Refusal | undefined {
  const problem = findProblem(request);
  if (problem !== undefined) return new Refusal(errorCodes.INVALID_REQUEST, problem);
  if (request.topology === null) return undefined;
  const invalid = findTopologyProblem(request.topology);
  return invalid === undefined
    ? undefined
    : new Refusal(errorCodes.STREAMS_INVALID_TOPOLOGY, invalid);
}

function findProblem(request: Request): string | undefined {
  const { groupId, memberId, memberEpoch, instanceId, rackId, processId } = request;
  if (groupId.trim() === '') return "GroupId can't be empty.";
  if (groupId.length > limits.groupIdCharsMax) return 'GroupId is too long.';
  if (memberId.trim() === '') return "MemberId can't be empty.";
  if (memberId.length > limits.groupIdCharsMax) return 'MemberId is too long.';
  if (instanceId !== null) return 'Static membership is not yet supported.';
  if (rackId?.trim() === '') return "RackId can't be empty.";
  if (processId?.trim() === '') return "ProcessId can't be empty.";
  if (memberEpoch < leaving) return 'MemberEpoch is invalid.';
  if ((request.warmupTasks ?? []).length > 0) return 'Warm-up tasks are not given out.';
  if (hasDoubleRole(request)) return 'A task has more than one role.';
  if (memberEpoch !== joining) {
    return request.topology === null
      ? undefined
      : 'Topology can only be provided when (re-)joining.';
  }
  return findJoinProblem(request);
}

function findJoinProblem(request: Request): string | undefined {
  if (request.rebalanceTimeoutMs === -1) {
    return 'RebalanceTimeoutMs must be provided in first request.';
  }
  if (request.topology === null) return 'Topology must be non-null when (re-)joining.';
  if (request.processId === null) return 'ProcessId must be non-null when (re-)joining.';
  for (const [name, tasks] of [
    ['ActiveTasks', request.activeTasks],
    ['StandbyTasks', request.standbyTasks],
    ['WarmupTasks', request.warmupTasks],
  ] as const) {
    if (tasks === null || tasks.length > 0) return `${name} must be empty when (re-)joining.`;
  }
  return undefined;
}

function hasDoubleRole({ activeTasks, standbyTasks }: Request): boolean {
  const standby = toKeys(standbyTasks ?? []);
  for (const key of toKeys(activeTasks ?? [])) if (standby.has(key)) return true;
  return false;
}

/** Undefined: the tasks are those of the heartbeat before. */
export function ownedTasks({ activeTasks, standbyTasks }: Request): TaskRoles | undefined {
  if (activeTasks === null && standbyTasks === null) return undefined;
  return { active: toKeys(activeTasks ?? []), standby: toKeys(standbyTasks ?? []) };
}
