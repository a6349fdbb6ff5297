// LeaveGroup 0-5. Until version 2 one member leaves and its error is the request's; from 3 several may, static ones by
// their instance id alone (KIP-345).
import { errorCodes } from '../error-codes.ts';
import { groupErrorCode } from '../group-errors.ts';
import type { HandlerContext } from '../handler.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

export async function leaveGroup(
  { broker }: HandlerContext,
  request: RequestOf<'LeaveGroup'>,
  version: number,
): Promise<ResponseInput<'LeaveGroup'>> {
  const { groupId } = request;
  const members =
    version >= 3 ? request.members : [{ memberId: request.memberId, groupInstanceId: null }];
  const leaving = members.map(({ memberId, groupInstanceId }) =>
    groupInstanceId === null ? { memberId } : { memberId, instanceId: groupInstanceId },
  );
  try {
    const outcomes = await broker.groupsFor(groupId).leave(groupId, leaving);
    const errors = outcomes.map((error) =>
      error === undefined ? errorCodes.NONE : groupErrorCode(error),
    );
    if (version < 3) return { errorCode: errors[0] ?? errorCodes.NONE };
    return {
      errorCode: errorCodes.NONE,
      members: members.map(({ memberId, groupInstanceId }, index) => ({
        memberId,
        groupInstanceId,
        errorCode: errors[index] ?? errorCodes.NONE,
      })),
    };
  } catch (error) {
    return { errorCode: groupErrorCode(error), members: [] };
  }
}
