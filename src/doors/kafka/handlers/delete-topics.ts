// DeleteTopics 1-6, by name or, since version 6, by id (KIP-516). The timeout of the request is not looked at.
import type { Topic } from '../../../broker/index.ts';
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { PartitionChanges } from '../partition-changes.ts';
import { Refusal } from '../refusal.ts';
import { findRepeated } from '../repetition.ts';
import { type RequestOf, type ResponseInput, zeroUuid } from '../wire/index.ts';

type Result = ResponseInput<'DeleteTopics'>['responses'][number];

interface Asked {
  readonly name: string | null;
  readonly topicId: string;
}

export async function deleteTopics(
  context: HandlerContext,
  request: RequestOf<'DeleteTopics'>,
  version: number,
): Promise<ResponseInput<'DeleteTopics'>> {
  const asked: readonly Asked[] =
    version >= 6 ? request.topics : request.topicNames.map((name) => ({ name, topicId: zeroUuid }));
  const changes = new PartitionChanges(context, version >= 5);
  const found = asked.map((item) => find(context, item));
  // The same topic may be meant twice, by its name and by its id.
  const repeated = findRepeated(
    found.map((topic) => (topic instanceof Refusal ? topic : topic.id)),
  );
  const results = asked.map(async (item, index) => {
    const topic = found[index]!;
    if (topic instanceof Refusal) return result(item, topic);
    if (repeated.has(topic.id)) {
      return result(item, new Refusal(errorCodes.INVALID_REQUEST, 'Duplicate topic name.'));
    }
    const excess = changes.take(topic.partitions.length);
    if (excess !== undefined) return result(item, excess);
    return await remove(context, item, topic);
  });
  return { responses: await Promise.all(results), throttleTimeMs: changes.throttleTimeMs };
}

function find({ broker }: HandlerContext, { name, topicId }: Asked): Topic | Refusal {
  if (topicId === zeroUuid) {
    if (name === null) {
      return new Refusal(errorCodes.INVALID_REQUEST, 'Neither topic name nor id were specified.');
    }
    return (
      broker.topics.find(name) ??
      new Refusal(
        errorCodes.UNKNOWN_TOPIC_OR_PARTITION,
        'This server does not host this topic-partition.',
      )
    );
  }
  if (name !== null) {
    return new Refusal(
      errorCodes.INVALID_REQUEST,
      'You may not specify both topic name and topic id.',
    );
  }
  return (
    broker.topics.findById(topicId) ??
    new Refusal(errorCodes.UNKNOWN_TOPIC_ID, 'This server does not host this topic ID.')
  );
}

async function remove({ broker }: HandlerContext, asked: Asked, topic: Topic): Promise<Result> {
  try {
    await broker.topics.delete(topic.name);
    return { name: topic.name, topicId: topic.id, errorCode: errorCodes.NONE };
  } catch (error) {
    return result(asked, Refusal.from(error));
  }
}

function result({ name, topicId }: Asked, { errorCode, message }: Refusal): Result {
  return { name, topicId, errorCode, errorMessage: message };
}
