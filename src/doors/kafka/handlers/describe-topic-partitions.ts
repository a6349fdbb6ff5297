// DescribeTopicPartitions 0 (KIP-966): topics page by page, in order of name.
import type { Partition } from '../../../shard/index.ts';
import { topicOperations } from '../authorized-operations.ts';
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { isInternalTopic } from '../internal-topics.ts';
import { isTopicName } from '../topic-creation.ts';
import { describePartition } from '../topic-description.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

type Request = RequestOf<'DescribeTopicPartitions'>;
type Response = ResponseInput<'DescribeTopicPartitions'>;
type TopicResponse = Response['topics'][number];
type PartitionResponse = TopicResponse['partitions'][number];

/** Kafka's default for `max.request.partition.size.limit`. */
const partitionsMax = 2000;

export function describeTopicPartitions({ broker }: HandlerContext, request: Request): Response {
  const { cursor } = request;
  const names = listNames(
    request,
    broker.topics.list().map((topic) => topic.name),
  );
  const nodes = [broker.brokerId] as const;
  const topics: TopicResponse[] = [];
  let room = Math.max(1, Math.min(request.responsePartitionLimit, partitionsMax));
  for (const name of names) {
    const topic = broker.topics.find(name);
    if (topic === undefined) {
      topics.push(failure(name));
      continue;
    }
    if (room === 0) return { topics, nextCursor: { topicName: name, partitionIndex: 0 } };
    const first = cursor?.topicName === name ? Math.max(0, cursor.partitionIndex) : 0;
    const page = topic.partitions.slice(first, first + room);
    topics.push({
      errorCode: errorCodes.NONE,
      name,
      topicId: topic.id,
      isInternal: isInternalTopic(name),
      partitions: page.map((partition) => describe(partition, nodes)),
      topicAuthorizedOperations: topicOperations,
    });
    room -= page.length;
    const next = first + page.length;
    if (next < topic.partitions.length) {
      return { topics, nextCursor: { topicName: name, partitionIndex: next } };
    }
  }
  return { topics };
}

/** The names asked for, or all, from the cursor's on. */
function listNames({ topics, cursor }: Request, allNames: readonly string[]): string[] {
  const asked = topics.length === 0 ? allNames : new Set(topics.map((topic) => topic.name));
  const names = [...asked].toSorted();
  return cursor === null ? names : names.filter((name) => name >= cursor.topicName);
}

function describe(partition: Partition, nodes: readonly [number]): PartitionResponse {
  // The Java client asks the lists for their streams: null, which the schema allows, is too much for it.
  return { ...describePartition(partition, nodes), eligibleLeaderReplicas: [], lastKnownElr: [] };
}

function failure(name: string): TopicResponse {
  const errorCode = isTopicName(name)
    ? errorCodes.UNKNOWN_TOPIC_OR_PARTITION
    : errorCodes.INVALID_TOPIC_EXCEPTION;
  return { errorCode, name, partitions: [] };
}
