// OffsetDelete 0 (KIP-496): forgets offsets of topics that no member of the group subscribes to.
import { BrokerError } from '../../../base/index.ts';
import { errorCodes } from '../error-codes.ts';
import { groupErrorCode } from '../group-errors.ts';
import type { HandlerContext } from '../handler.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

export async function offsetDelete(
  { broker, door }: HandlerContext,
  { groupId, topics }: RequestOf<'OffsetDelete'>,
): Promise<ResponseInput<'OffsetDelete'>> {
  const found = topics.map(({ name }) => broker.topics.find(name));
  const keys = topics.flatMap(({ name, partitions }, index) =>
    partitions
      .filter(({ partitionIndex }) => found[index]?.partitions[partitionIndex] !== undefined)
      .map(({ partitionIndex }) => ({
        topicId: found[index]?.id ?? '',
        topicName: name,
        partition: partitionIndex,
      })),
  );
  try {
    const { streamsGroups } = door;
    const isFree = ({ topicName }: { topicName: string }): boolean =>
      !streamsGroups.isSubscribed(groupId, topicName);
    const outcomes = await broker.groupsFor(groupId).deleteOffsets(groupId, keys.filter(isFree));
    const codes = new Map<string, number>();
    let next = 0;
    for (const key of keys) {
      const { topicName, partition } = key;
      const error = isFree(key) ? outcomes[next++] : new BrokerError('group-subscribed');
      const code = error === undefined ? errorCodes.NONE : groupErrorCode(error);
      codes.set(`${partition}/${topicName}`, code);
    }
    return {
      errorCode: errorCodes.NONE,
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => ({
          partitionIndex,
          errorCode:
            codes.get(`${partitionIndex}/${name}`) ?? errorCodes.UNKNOWN_TOPIC_OR_PARTITION,
        })),
      })),
    };
  } catch (error) {
    return { errorCode: groupErrorCode(error), topics: [] };
  }
}
