// AlterShareGroupOffsets 0 (KIP-932): of groups without members, and of such that are made thereby. What is before the offset is settled, and all from it on is
// given out again. An offset outside of the log stands for the nearer end of it.
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { Refusal } from '../refusal.ts';
import { beginAt } from '../share-groups/index.ts';
import { type RequestOf, type ResponseInput, zeroUuid } from '../wire/index.ts';

type Request = RequestOf<'AlterShareGroupOffsets'>;
type Response = ResponseInput<'AlterShareGroupOffsets'>;
type TopicResponse = Response['responses'][number];

export async function alterShareGroupOffsets(
  context: HandlerContext,
  { groupId, topics }: Request,
): Promise<Response> {
  const { shareGroups } = context.door;
  if (shareGroups.hasMembers(groupId)) {
    const errorMessage = `Group ${groupId} is not empty.`;
    return { errorCode: errorCodes.NON_EMPTY_GROUP, errorMessage, responses: [] };
  }
  const { state } = context.broker.groupsFor(groupId).describe(groupId);
  if (state !== 'dead' && !shareGroups.has(groupId)) {
    const errorMessage = `Group ${groupId} is not a share group.`;
    return { errorCode: errorCodes.GROUP_ID_NOT_FOUND, errorMessage, responses: [] };
  }
  const responses = await Promise.all(topics.map((topic) => alterTopic(context, groupId, topic)));
  return { errorCode: errorCodes.NONE, responses };
}

async function alterTopic(
  { broker, door }: HandlerContext,
  groupId: string,
  { topicName, partitions }: Request['topics'][number],
): Promise<TopicResponse> {
  const topic = broker.topics.find(topicName);
  const unknown = new Refusal(
    errorCodes.UNKNOWN_TOPIC_OR_PARTITION,
    'This server does not host this topic-partition.',
  );
  const alter = async (index: number, offset: number): Promise<Refusal | undefined> => {
    if (topic?.partitions[index] === undefined) return unknown;
    try {
      const queue = await door.shareGroups.queues.open(groupId, topic);
      const part = queue.parts[index];
      if (part === undefined) return unknown;
      const { logStartOffset, highWatermark } = part.partition;
      await beginAt(part, Math.min(Math.max(offset, logStartOffset), highWatermark));
      return undefined;
    } catch (error) {
      return Refusal.from(error);
    }
  };
  return {
    topicName,
    topicId: topic?.id ?? zeroUuid,
    partitions: await Promise.all(
      partitions.map(async ({ partitionIndex, startOffset }) => {
        const refusal = await alter(partitionIndex, startOffset);
        return {
          partitionIndex,
          errorCode: refusal?.errorCode ?? errorCodes.NONE,
          errorMessage: refusal?.message ?? null,
        };
      }),
    ),
  };
}
