// DescribeShareGroupOffsets 0-1 (KIP-932, KIP-1226): the first offset that is not settled, and how many are not.
import type { Queue, Topic } from '../../../broker/index.ts';
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { once } from '../repetition.ts';
import { type RequestOf, type ResponseInput, zeroUuid } from '../wire/index.ts';

type Request = RequestOf<'DescribeShareGroupOffsets'>;
type GroupResponse = ResponseInput<'DescribeShareGroupOffsets'>['groups'][number];
type TopicResponse = GroupResponse['topics'][number];
type PartitionResponse = TopicResponse['partitions'][number];

/** What stands for an offset where the group has not begun. */
const noOffset = -1;

export function describeShareGroupOffsets(
  context: HandlerContext,
  request: Request,
): ResponseInput<'DescribeShareGroupOffsets'> {
  const whole = new Set(
    once(
      request.groups.filter(({ topics }) => topics === null),
      ({ groupId }) => groupId,
    ),
  );
  return {
    groups: request.groups.map((group) =>
      group.topics === null && !whole.has(group) ? repeated(group) : describeGroup(context, group),
    ),
  };
}

/** All that a group has is told once. */
function repeated({ groupId }: Request['groups'][number]): GroupResponse {
  const errorMessage = `Group ${groupId} is named twice.`;
  return { groupId, topics: [], errorCode: errorCodes.INVALID_REQUEST, errorMessage };
}

function describeGroup(
  { broker, door }: HandlerContext,
  { groupId, topics }: Request['groups'][number],
): GroupResponse {
  const { shareGroups } = door;
  if (!shareGroups.has(groupId)) {
    const errorMessage = `Group ${groupId} not found.`;
    return { groupId, topics: [], errorCode: errorCodes.GROUP_ID_NOT_FOUND, errorMessage };
  }
  const described =
    topics === null
      ? listQueues(shareGroups, groupId).map((queue) =>
          describeTopic(queue.name, queue.topic, queue),
        )
      : topics.map(({ topicName, partitions }) => {
          const topic = broker.topics.find(topicName);
          const queue = shareGroups.queues.find(groupId, topicName);
          return describeTopic(topicName, topic, queue, partitions);
        });
  return { groupId, topics: described, errorCode: errorCodes.NONE };
}

/** Those that were made for the group, and the one of its name that another door has made. */
function listQueues(
  { queues }: HandlerContext['door']['shareGroups'],
  groupId: string,
): readonly Queue[] {
  const own = queues.list(groupId);
  const named = queues.find(groupId, groupId);
  return named === undefined || own.includes(named) ? own : [...own, named];
}

function describeTopic(
  topicName: string,
  topic: Topic | undefined,
  queue: Queue | undefined,
  partitions: readonly number[] = topic?.partitions.map(({ index }) => index) ?? [],
): TopicResponse {
  return {
    topicName,
    topicId: topic?.id ?? zeroUuid,
    partitions: partitions.map((index) => describePartition(index, topic, queue)),
  };
}

function describePartition(
  partitionIndex: number,
  topic: Topic | undefined,
  queue: Queue | undefined,
): PartitionResponse {
  const none = { partitionIndex, startOffset: noOffset, leaderEpoch: 0, lag: -1 };
  const partition = topic?.partitions[partitionIndex];
  if (partition === undefined) {
    const errorMessage = 'This server does not host this topic-partition.';
    return { ...none, errorCode: errorCodes.UNKNOWN_TOPIC_OR_PARTITION, errorMessage };
  }
  const part = queue?.parts[partitionIndex];
  if (part === undefined) return { ...none, errorCode: errorCodes.NONE };
  const { ready, delayed, leased } = part.counts();
  return {
    partitionIndex,
    startOffset: part.settledOffset,
    leaderEpoch: partition.leaderEpoch,
    lag: ready + delayed + leased,
    errorCode: errorCodes.NONE,
  };
}
