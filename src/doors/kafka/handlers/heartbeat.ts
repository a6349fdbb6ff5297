// Heartbeat 0-4. Version 3 brings static membership (KIP-345).
import type { MemberIdentity } from '../../../shard/index.ts';
import { errorCodes } from '../error-codes.ts';
import { groupErrorCode } from '../group-errors.ts';
import type { HandlerContext } from '../handler.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

export function heartbeat(
  { broker }: HandlerContext,
  { groupId, memberId, generationId, groupInstanceId }: RequestOf<'Heartbeat'>,
): ResponseInput<'Heartbeat'> {
  const member: MemberIdentity = { groupId, memberId, generation: generationId };
  if (groupInstanceId !== null) member.instanceId = groupInstanceId;
  try {
    broker.groupsFor(groupId).heartbeat(member);
    return { errorCode: errorCodes.NONE };
  } catch (error) {
    return { errorCode: groupErrorCode(error) };
  }
}
