// OffsetFetch 1-10. Version 2 brings "all topics" (null) and the error of the whole request, 5 leader epochs (KIP-320),
// 7 "require stable" (KIP-447): a partition with an offset in an open transaction is answered with UNSTABLE_OFFSET_COMMIT;
// 8 several groups (KIP-709), 9 the member and its epoch, which only groups of KIP-848 look at, 10 topic ids. What was never
// committed, also for topics that do not exist, is -1 and no error; only unknown topic ids are told.
import type { BrokerPort } from '../../../broker/index.ts';
import type { PartitionKey, StoredOffset } from '../../../shard/index.ts';
import { errorCodes } from '../error-codes.ts';
import { groupErrorCode } from '../group-errors.ts';
import type { HandlerContext } from '../handler.ts';
import { once } from '../repetition.ts';
import { type RequestOf, type ResponseInput, zeroUuid } from '../wire/index.ts';

type Found = PartitionKey & StoredOffset;

/** What is asked of one group; `topics` null: all that it has. */
interface Question {
  readonly groupId: string;
  readonly topics: readonly AskedTopic[] | null;
  /** Null for who is no member. */
  readonly memberId?: string | null;
  readonly memberEpoch?: number;
}

/** With a name up to version 9, with an id from 10 on. */
interface AskedTopic {
  readonly name: string;
  readonly topicId?: string;
  readonly partitionIndexes: readonly number[];
}

interface AnsweredTopic {
  readonly name: string;
  readonly topicId: string;
  readonly partitions: AnsweredPartition[];
}

interface AnsweredPartition {
  readonly partitionIndex: number;
  readonly committedOffset: number;
  readonly committedLeaderEpoch: number;
  readonly metadata: string;
  readonly errorCode: number;
}

interface Answer {
  readonly groupId: string;
  readonly errorCode: number;
  readonly topics: AnsweredTopic[];
}

export async function offsetFetch(
  context: HandlerContext,
  request: RequestOf<'OffsetFetch'>,
  version: number,
): Promise<ResponseInput<'OffsetFetch'>> {
  if (version >= 8) {
    const { requireStable } = request;
    const whole = new Set(
      once(
        request.groups.filter(({ topics }) => topics === null),
        ({ groupId }) => groupId,
      ),
    );
    const answers = request.groups.map((group) =>
      group.topics === null && !whole.has(group)
        ? repeated(group)
        : answer(context, group, version >= 10, requireStable),
    );
    return { groups: await Promise.all(answers) };
  }
  const { groupId, topics } = request;
  const { errorCode, topics: answered } = await answer(
    context,
    { groupId, topics },
    false,
    request.requireStable,
  );
  if (version === 1 && errorCode !== errorCodes.NONE && topics !== null) {
    // It has no other place for the group's error.
    return { topics: topics.map((asked) => fail(asked, zeroUuid, errorCode)) };
  }
  return { errorCode, topics: answered };
}

/** All that a group has is told once. */
function repeated({ groupId }: Question): Promise<Answer> {
  return Promise.resolve({ groupId, errorCode: errorCodes.INVALID_REQUEST, topics: [] });
}

async function answer(
  { broker, door }: HandlerContext,
  { groupId, topics, memberId = null, memberEpoch = -1 }: Question,
  isById: boolean,
  requireStable: boolean,
): Promise<Answer> {
  try {
    const groups = broker.groupsFor(groupId);
    const isPending = (topicId: string, partition: number): boolean =>
      requireStable && groups.hasPendingOffset(groupId, { topicId, partition });
    const isMember = memberId !== null || memberEpoch >= 0;
    const member = isMember ? { memberId: memberId ?? '', epoch: memberEpoch } : undefined;
    if (member !== undefined && door.streamsGroups.has(groupId)) {
      const refused = door.streamsGroups.checkMember(groupId, member.memberId, member.epoch);
      if (refused !== undefined) return { groupId, errorCode: refused, topics: [] };
    }
    if (topics === null) {
      const found = await groups.fetchOffsets(groupId, undefined, member);
      return {
        groupId,
        errorCode: errorCodes.NONE,
        topics: groupByTopic(broker, found, isPending),
      };
    }
    const ids = topics.map(({ name, topicId = zeroUuid }) =>
      isById ? broker.topics.findById(topicId)?.id : broker.topics.find(name)?.id,
    );
    const keys: PartitionKey[] = [];
    for (const [index, { partitionIndexes }] of topics.entries()) {
      const topicId = ids[index];
      if (topicId === undefined) continue;
      for (const partition of partitionIndexes) keys.push({ topicId, partition });
    }
    const found = new Map<string, Found>();
    for (const offset of await groups.fetchOffsets(groupId, keys, member)) {
      found.set(keyOf(offset.topicId, offset.partition), offset);
    }
    const answered = topics.map((asked, index) => {
      const topicId = ids[index];
      const unknownId = asked.topicId ?? zeroUuid;
      if (topicId === undefined && isById) {
        return fail(asked, unknownId, errorCodes.UNKNOWN_TOPIC_ID);
      }
      return {
        name: asked.name,
        topicId: topicId ?? unknownId,
        partitions: asked.partitionIndexes.map((partition) =>
          topicId !== undefined && isPending(topicId, partition)
            ? unstable(partition)
            : describe(partition, found.get(keyOf(topicId, partition))),
        ),
      };
    });
    return { groupId, errorCode: errorCodes.NONE, topics: answered };
  } catch (error) {
    return { groupId, errorCode: groupErrorCode(error), topics: [] };
  }
}

/** Offsets of topics that were deleted meanwhile are left out. */
function groupByTopic(
  broker: BrokerPort,
  found: readonly Found[],
  isPending: (topicId: string, partition: number) => boolean,
): AnsweredTopic[] {
  const topics = new Map<string, AnsweredTopic>();
  for (const offset of found) {
    const { topicId, partition } = offset;
    let topic = topics.get(topicId);
    if (topic === undefined) {
      const name = broker.topics.findById(topicId)?.name;
      if (name === undefined) continue;
      topic = { name, topicId, partitions: [] };
      topics.set(topicId, topic);
    }
    const isUnstable = isPending(topicId, partition);
    topic.partitions.push(isUnstable ? unstable(partition) : describe(partition, offset));
  }
  return [...topics.values()];
}

/** The client asks again: a transaction that is open still may change the offset. */
function unstable(partitionIndex: number): AnsweredPartition {
  return { ...describe(partitionIndex, undefined), errorCode: errorCodes.UNSTABLE_OFFSET_COMMIT };
}

function describe(partitionIndex: number, found: Found | undefined): AnsweredPartition {
  return {
    partitionIndex,
    committedOffset: found?.offset ?? -1,
    committedLeaderEpoch: found?.leaderEpoch ?? -1,
    metadata: found?.metadata ?? '',
    errorCode: errorCodes.NONE,
  };
}

function fail(asked: AskedTopic, topicId: string, errorCode: number): AnsweredTopic {
  return {
    name: asked.name,
    topicId,
    partitions: asked.partitionIndexes.map((partitionIndex) => ({
      partitionIndex,
      committedOffset: -1,
      committedLeaderEpoch: -1,
      metadata: '',
      errorCode,
    })),
  };
}

function keyOf(topicId: string | undefined, partition: number): string {
  return `${partition}/${topicId}`;
}
