// DescribeGroups 0-6. A group that does not exist, or is no classic one, is Dead, and from version 6 an error besides
// (KIP-1043).
import { groupOperations, operationsOmitted } from '../authorized-operations.ts';
import { errorCodes } from '../error-codes.ts';
import { groupStateNames } from '../group-states.ts';
import type { HandlerContext } from '../handler.ts';
import { once } from '../repetition.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

export function describeGroups(
  { broker, door }: HandlerContext,
  request: RequestOf<'DescribeGroups'>,
  version: number,
): ResponseInput<'DescribeGroups'> {
  const authorizedOperations = request.includeAuthorizedOperations
    ? groupOperations
    : operationsOmitted;
  return {
    groups: once(request.groups).map((groupId) => {
      const group = broker.groupsFor(groupId).describe(groupId);
      if (group.isManaged || door.streamsGroups.has(groupId))
        return describeOther(groupId, version);
      const isMissing = group.state === 'dead' && version >= 6;
      return {
        errorCode: isMissing ? errorCodes.GROUP_ID_NOT_FOUND : errorCodes.NONE,
        errorMessage: isMissing ? `Group ${groupId} not found.` : null,
        groupId,
        groupState: groupStateNames[group.state],
        protocolType: group.protocolType,
        protocolData: group.protocolName,
        members: group.members.map((member) => ({
          memberId: member.memberId,
          groupInstanceId: member.instanceId ?? null,
          clientId: member.clientId,
          clientHost: member.clientHost,
          memberMetadata: member.metadata,
          memberAssignment: member.assignment,
        })),
        authorizedOperations,
      };
    }),
  };
}

function describeOther(
  groupId: string,
  version: number,
): ResponseInput<'DescribeGroups'>['groups'][number] {
  return {
    errorCode: version >= 6 ? errorCodes.GROUP_ID_NOT_FOUND : errorCodes.NONE,
    errorMessage: version >= 6 ? `Group ${groupId} is not a classic group.` : null,
    groupId,
    groupState: groupStateNames.dead,
    protocolType: '',
    protocolData: '',
    members: [],
  };
}
