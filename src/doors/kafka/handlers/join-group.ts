// JoinGroup 0-9. Version 1 brings the rebalance timeout, 4 the member id that must be brought back (KIP-394),
// 5 static membership (KIP-345), 7 the protocol type, 8 the reason (KIP-800), 9 the leader that need not assign
// (KIP-814). The answer comes when the rebalance is over, which may take minutes: other requests of the connection
// wait for it, as in Kafka.
import { BrokerError } from '../../../base/index.ts';
import { type JoinRequest, MemberIdRequired } from '../../../shard/index.ts';
import { errorCodes } from '../error-codes.ts';
import { groupErrorCode } from '../group-errors.ts';
import type { HandlerContext } from '../handler.ts';
import { untilInterrupted } from '../interruption.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

export async function joinGroup(
  { broker, connection, door }: HandlerContext,
  request: RequestOf<'JoinGroup'>,
  version: number,
): Promise<ResponseInput<'JoinGroup'>> {
  const { groupId, memberId, groupInstanceId, reason, sessionTimeoutMs, protocolType } = request;
  const join: JoinRequest = {
    groupId,
    memberId,
    clientId: connection.clientId,
    clientHost: connection.clientHost,
    protocolType,
    protocols: request.protocols,
    sessionTimeoutMs,
    rebalanceTimeoutMs: rebalanceTimeoutOf(request, version),
    requireMemberId: version >= 4,
    canSkipAssignment: version >= 9,
  };
  if (groupInstanceId !== null) join.instanceId = groupInstanceId;
  if (reason !== null) join.reason = reason;
  try {
    const isOther = (): boolean =>
      door.shareGroups.has(groupId) || door.streamsGroups.hasMembers(groupId);
    // A streams group without members is whose who comes first.
    if (!isOther()) await door.streamsGroups.forget(groupId);
    if (isOther()) throw new BrokerError('group-protocol-mismatch', groupId);
    const result = await untilInterrupted(connection, broker.groupsFor(groupId).join(join));
    return {
      errorCode: errorCodes.NONE,
      generationId: result.generation,
      protocolType: result.protocolType,
      protocolName: result.protocolName,
      leader: result.leaderId,
      skipAssignment: result.skipAssignment,
      memberId: result.memberId,
      members: result.members.map((member) => ({
        memberId: member.memberId,
        groupInstanceId: member.instanceId ?? null,
        metadata: member.metadata,
      })),
    };
  } catch (error) {
    return {
      errorCode: groupErrorCode(error),
      generationId: -1,
      protocolType: null,
      protocolName: version >= 7 ? null : '',
      leader: '',
      memberId: error instanceof MemberIdRequired ? error.memberId : memberId,
      members: [],
    };
  }
}

/** Members that say none, as in version 0 or by a zero, get the time of their session: none could keep up with zero. */
function rebalanceTimeoutOf(request: RequestOf<'JoinGroup'>, version: number): number {
  const { rebalanceTimeoutMs, sessionTimeoutMs } = request;
  return version >= 1 && rebalanceTimeoutMs > 0 ? rebalanceTimeoutMs : sessionTimeoutMs;
}
