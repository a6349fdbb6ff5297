// ShareGroupDescribe 1 (KIP-932).
import { groupOperations, operationsOmitted } from '../authorized-operations.ts';
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { once } from '../repetition.ts';
import { assignorName } from '../share-groups/index.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

export function shareGroupDescribe(
  { door }: HandlerContext,
  request: RequestOf<'ShareGroupDescribe'>,
): ResponseInput<'ShareGroupDescribe'> {
  const authorizedOperations = request.includeAuthorizedOperations
    ? groupOperations
    : operationsOmitted;
  return {
    groups: once(request.groupIds).map((groupId) => {
      const group = door.shareGroups.find(groupId);
      const isMissing = group === undefined;
      return {
        errorCode: isMissing ? errorCodes.GROUP_ID_NOT_FOUND : errorCodes.NONE,
        errorMessage: isMissing ? `Group ${groupId} not found.` : null,
        groupId,
        groupState: group?.state ?? 'Dead',
        groupEpoch: group?.epoch ?? 0,
        assignmentEpoch: group?.epoch ?? 0,
        assignorName: isMissing ? '' : assignorName,
        members: (group?.members ?? []).map((member) => ({
          memberId: member.memberId,
          rackId: member.rackId,
          memberEpoch: member.epoch,
          clientId: member.clientId,
          clientHost: member.clientHost,
          subscribedTopicNames: member.topics,
          assignment: { topicPartitions: member.assignment },
        })),
        authorizedOperations,
      };
    }),
  };
}
