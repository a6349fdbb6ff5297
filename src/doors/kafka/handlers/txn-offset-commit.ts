// TxnOffsetCommit 0-5. Members are checked since version 3 (KIP-447). In every version the group takes part though
// AddOffsetsToTxn was not called; clients rely on that since version 5 (KIP-890).
import type { MemberIdentity, OffsetCommit } from '../../../shard/index.ts';
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { transactionErrorCode } from '../transaction-errors.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

type Request = RequestOf<'TxnOffsetCommit'>;

export async function txnOffsetCommit(
  { broker, door }: HandlerContext,
  request: Request,
): Promise<ResponseInput<'TxnOffsetCommit'>> {
  const { transactionalId, producerId, producerEpoch: epoch, groupId, topics } = request;
  const commits: OffsetCommit[] = [];
  for (const { name, partitions } of topics) {
    const topic = broker.topics.find(name);
    for (const asked of partitions) {
      if (topic?.partitions[asked.partitionIndex] === undefined) continue;
      commits.push({
        topicId: topic.id,
        partition: asked.partitionIndex,
        offset: asked.committedOffset,
        leaderEpoch: asked.committedLeaderEpoch,
        metadata: asked.committedMetadata ?? '',
      });
    }
  }
  let errorCode: number = errorCodes.NONE;
  let member = identify(request);
  if (member !== undefined && door.streamsGroups.has(groupId)) {
    const { memberId, generation } = member;
    const partitions = topics.flatMap(({ name, partitions: asked }) =>
      asked.map(({ partitionIndex }) => ({ topic: name, partition: partitionIndex })),
    );
    const refused = door.streamsGroups.checkMember(groupId, memberId, generation, partitions);
    // As Kafka says it to producers.
    const isStale = refused === errorCodes.STALE_MEMBER_EPOCH;
    errorCode = isStale ? errorCodes.ILLEGAL_GENERATION : (refused ?? errorCodes.NONE);
    member = undefined;
  }
  try {
    const identity = { transactionalId, producerId, epoch };
    if (errorCode === errorCodes.NONE) {
      await broker.transactions.commitOffsets(identity, groupId, member, commits);
    }
  } catch (error) {
    errorCode = transactionErrorCode(error, false);
  }
  return {
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({
        partitionIndex,
        errorCode:
          broker.topics.find(name)?.partitions[partitionIndex] === undefined
            ? errorCodes.UNKNOWN_TOPIC_OR_PARTITION
            : errorCode,
      })),
    })),
  };
}

/** Undefined for who commits without being a member. */
function identify(request: Request): MemberIdentity | undefined {
  const { groupId, memberId, generationId: generation, groupInstanceId } = request;
  if (groupInstanceId !== null)
    return { groupId, memberId, generation, instanceId: groupInstanceId };
  return memberId === '' && generation < 0 ? undefined : { groupId, memberId, generation };
}
