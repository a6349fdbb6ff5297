// DeleteGroups 0-2. Only groups without members are deleted, with all their offsets; of share groups, the queues that were made
// for them.
import { BrokerError } from '../../../base/index.ts';
import { errorCodes } from '../error-codes.ts';
import { groupErrorCode } from '../group-errors.ts';
import type { HandlerContext } from '../handler.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

export async function deleteGroups(
  { broker, door }: HandlerContext,
  { groupsNames }: RequestOf<'DeleteGroups'>,
): Promise<ResponseInput<'DeleteGroups'>> {
  const results = groupsNames.map(async (groupId) => {
    try {
      if (door.shareGroups.has(groupId)) await door.shareGroups.delete(groupId);
      else {
        const wasStreams = await door.streamsGroups.forget(groupId);
        await broker.groupsFor(groupId).delete(groupId).catch(ignoreMissing(wasStreams));
      }
      return { groupId, errorCode: errorCodes.NONE };
    } catch (error) {
      return { groupId, errorCode: groupErrorCode(error) };
    }
  });
  return { results: await Promise.all(results) };
}

/** A streams group that has committed nothing is not known to the coordinator. */
function ignoreMissing(isExpected: boolean): (error: unknown) => void {
  return (error) => {
    const isMissing = error instanceof BrokerError && error.code === 'group-not-found';
    if (!isExpected || !isMissing) throw error;
  };
}
