// SyncGroup 0-5. Version 3 brings static membership (KIP-345), 5 the protocol's type and name, which must be those of
// the group (KIP-559). The answer comes when the leader's assignment is durable.
import type { SyncRequest } from '../../../shard/index.ts';
import { errorCodes } from '../error-codes.ts';
import { groupErrorCode } from '../group-errors.ts';
import type { HandlerContext } from '../handler.ts';
import { untilInterrupted } from '../interruption.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

export async function syncGroup(
  { broker, connection }: HandlerContext,
  request: RequestOf<'SyncGroup'>,
  version: number,
): Promise<ResponseInput<'SyncGroup'>> {
  const { groupId, memberId, generationId, groupInstanceId, assignments } = request;
  const { protocolType, protocolName } = request;
  if (version >= 5 && (protocolType === null || protocolName === null)) {
    return refusal(errorCodes.INCONSISTENT_GROUP_PROTOCOL);
  }
  const sync: SyncRequest = { groupId, memberId, generation: generationId, assignments };
  if (groupInstanceId !== null) sync.instanceId = groupInstanceId;
  if (protocolType !== null) sync.protocolType = protocolType;
  if (protocolName !== null) sync.protocolName = protocolName;
  try {
    const result = await untilInterrupted(connection, broker.groupsFor(groupId).sync(sync));
    return { errorCode: errorCodes.NONE, ...result };
  } catch (error) {
    return refusal(groupErrorCode(error));
  }
}

function refusal(errorCode: number): ResponseInput<'SyncGroup'> {
  return { errorCode, protocolType: null, protocolName: null, assignment: new Uint8Array(0) };
}
