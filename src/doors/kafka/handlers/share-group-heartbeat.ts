// ShareGroupHeartbeat 1 (KIP-932). Group epochs begin anew when a group has lost its last member; members that were not
// heard of since the broker started are unknown and join again.
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { Refusal } from '../refusal.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

export async function shareGroupHeartbeat(
  { connection, door }: HandlerContext,
  request: RequestOf<'ShareGroupHeartbeat'>,
): Promise<ResponseInput<'ShareGroupHeartbeat'>> {
  const { clientId, clientHost } = connection;
  const { memberId } = request;
  const answer = await door.shareGroups.heartbeat(request, { clientId, clientHost });
  if (answer instanceof Refusal) {
    const { errorCode, message } = answer;
    return { errorCode, errorMessage: message, memberId, memberEpoch: 0, heartbeatIntervalMs: 0 };
  }
  const { memberEpoch, heartbeatIntervalMs, assignment } = answer;
  const topicPartitions = assignment?.map(({ topicId, partitions }) => ({ topicId, partitions }));
  return {
    errorCode: errorCodes.NONE,
    memberId,
    memberEpoch,
    heartbeatIntervalMs,
    assignment: topicPartitions === undefined ? null : { topicPartitions },
  };
}
