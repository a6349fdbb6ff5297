// OffsetCommit 2-10. Version 6 brings leader epochs (KIP-320), 7 static membership (KIP-345), 10 topic ids (KIP-848).
// The retention time of versions 2-4 is not looked at: the broker's counts for all. A generation of a group that does
// not exist is ILLEGAL_GENERATION before version 9, and GROUP_ID_NOT_FOUND from there on. Members of the consumer protocol
// need version 9, which knows their errors (KIP-848).
import { BrokerError, limits } from '../../../base/index.ts';
import type { BrokerPort, Topic } from '../../../broker/index.ts';
import type { MemberIdentity, OffsetCommit } from '../../../shard/index.ts';
import { errorCodes } from '../error-codes.ts';
import { groupErrorCode } from '../group-errors.ts';
import type { HandlerContext } from '../handler.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

type Request = RequestOf<'OffsetCommit'>;
type AskedTopic = Request['topics'][number];
type AskedPartition = AskedTopic['partitions'][number];

/** One partition of the request; `errorCode` is of this one alone, the group's error comes on top. */
interface Item {
  readonly topicId: string | undefined;
  readonly partition: AskedPartition;
  readonly errorCode: number;
}

export async function offsetCommit(
  context: HandlerContext,
  request: Request,
  version: number,
): Promise<ResponseInput<'OffsetCommit'>> {
  const topics = request.topics.map((asked) => ({
    asked,
    items: examine(context.broker, asked, version),
  }));
  const groupError = await commit(
    context,
    request,
    topics.flatMap(({ items }) => items),
    version,
  );
  return {
    topics: topics.map(({ asked, items }) => ({
      name: asked.name,
      topicId: asked.topicId,
      partitions: items.map(({ topicId, partition, errorCode }) => ({
        partitionIndex: partition.partitionIndex,
        errorCode: topicId === undefined || groupError === errorCodes.NONE ? errorCode : groupError,
      })),
    })),
  };
}

function examine(broker: BrokerPort, asked: AskedTopic, version: number): Item[] {
  const isById = version >= 10;
  const topic = isById ? broker.topics.findById(asked.topicId) : broker.topics.find(asked.name);
  const unknown = isById ? errorCodes.UNKNOWN_TOPIC_ID : errorCodes.UNKNOWN_TOPIC_OR_PARTITION;
  return asked.partitions.map((partition) => {
    if (topic === undefined) return { topicId: undefined, partition, errorCode: unknown };
    const errorCode = checkPartition(topic, partition);
    const isThere = errorCode !== errorCodes.UNKNOWN_TOPIC_OR_PARTITION;
    return { topicId: isThere ? topic.id : undefined, partition, errorCode };
  });
}

function checkPartition(topic: Topic, partition: AskedPartition): number {
  if (topic.partitions[partition.partitionIndex] === undefined) {
    return errorCodes.UNKNOWN_TOPIC_OR_PARTITION;
  }
  const metadataBytes = Buffer.byteLength(partition.committedMetadata ?? '');
  return metadataBytes > limits.commitMetadataBytesMax
    ? errorCodes.OFFSET_METADATA_TOO_LARGE
    : errorCodes.NONE;
}

async function commit(
  { broker, door }: HandlerContext,
  request: Request,
  items: readonly Item[],
  version: number,
): Promise<number> {
  const commits: OffsetCommit[] = [];
  let hasTopic = false;
  for (const { topicId, partition, errorCode } of items) {
    if (topicId === undefined) continue;
    hasTopic = true;
    if (errorCode !== errorCodes.NONE) continue;
    commits.push({
      topicId,
      partition: partition.partitionIndex,
      offset: partition.committedOffset,
      leaderEpoch: partition.committedLeaderEpoch,
      metadata: partition.committedMetadata ?? '',
    });
  }
  // Where nothing can be stored for another reason, the group is still asked: its error goes first.
  if (!hasTopic) return errorCodes.NONE;
  const { groupId } = request;
  let identity = identify(request, version);
  if (door.streamsGroups.has(groupId)) {
    const { memberId, generationIdOrMemberEpoch: epoch } = request;
    const partitions = commits.map(({ topicId, partition }) => ({
      topic: broker.topics.findById(topicId)?.name ?? '',
      partition,
    }));
    const refused = door.streamsGroups.checkMember(groupId, memberId, epoch, partitions);
    if (refused !== undefined) return refused;
    identity = undefined;
  }
  try {
    await broker.groupsFor(groupId).commit(groupId, identity, commits);
    return errorCodes.NONE;
  } catch (error) {
    if (error instanceof BrokerError && error.code === 'group-protocol-mismatch')
      return errorCodes.UNSUPPORTED_VERSION;
    return groupErrorCode(error);
  }
}

/** Undefined for who commits without being a member. */
function identify(request: Request, version: number): MemberIdentity | undefined {
  const { groupId, memberId, generationIdOrMemberEpoch: generation, groupInstanceId } = request;
  if (groupInstanceId === null && memberId === '' && generation < 0) return undefined;
  const identity = { groupId, memberId, generation, knowsNoEpochs: version < 9 };
  return groupInstanceId === null ? identity : { ...identity, instanceId: groupInstanceId };
}
