// DeleteShareGroupOffsets 0 (KIP-932): of groups without members. A queue that another door has made is not deleted.
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { Refusal } from '../refusal.ts';
import { type RequestOf, type ResponseInput, zeroUuid } from '../wire/index.ts';

type Request = RequestOf<'DeleteShareGroupOffsets'>;
type Response = ResponseInput<'DeleteShareGroupOffsets'>;
type TopicResponse = Response['responses'][number];

export async function deleteShareGroupOffsets(
  context: HandlerContext,
  { groupId, topics }: Request,
): Promise<Response> {
  const { shareGroups } = context.door;
  if (shareGroups.hasMembers(groupId)) {
    const errorMessage = `Group ${groupId} is not empty.`;
    return { errorCode: errorCodes.NON_EMPTY_GROUP, errorMessage, responses: [] };
  }
  if (!shareGroups.has(groupId)) {
    const errorMessage = `Group ${groupId} not found.`;
    return { errorCode: errorCodes.GROUP_ID_NOT_FOUND, errorMessage, responses: [] };
  }
  const responses = await Promise.all(
    topics.map(({ topicName }) => deleteTopic(context, groupId, topicName)),
  );
  return { errorCode: errorCodes.NONE, responses };
}

async function deleteTopic(
  { broker, door }: HandlerContext,
  groupId: string,
  topicName: string,
): Promise<TopicResponse> {
  const { queues } = door.shareGroups;
  const topicId = broker.topics.find(topicName)?.id ?? zeroUuid;
  const queue = queues.find(groupId, topicName);
  if (queue === undefined || !queues.isMadeFor(queue, groupId)) {
    return {
      topicName,
      topicId,
      errorCode: errorCodes.UNKNOWN_TOPIC_OR_PARTITION,
      errorMessage: `The share group has nothing to delete in topic ${topicName}.`,
    };
  }
  try {
    await queues.delete(queue);
    return { topicName, topicId, errorCode: errorCodes.NONE };
  } catch (error) {
    const { errorCode, message } = Refusal.from(error);
    return { topicName, topicId, errorCode, errorMessage: message };
  }
}
