// OffsetForLeaderEpoch 2-4 (KIP-320): where an epoch ended, so that a consumer sees whether its position is still on
// the log that it read.
import type { Partition } from '../../../shard/index.ts';
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { checkLeaderEpoch, isLeaderEpoch } from '../leader-epoch.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

export function offsetForLeaderEpoch(
  { broker }: HandlerContext,
  request: RequestOf<'OffsetForLeaderEpoch'>,
): ResponseInput<'OffsetForLeaderEpoch'> {
  return {
    topics: request.topics.map(({ topic, partitions }) => {
      const found = broker.topics.find(topic);
      return {
        topic,
        partitions: partitions.map(({ partition: index, currentLeaderEpoch, leaderEpoch }) => {
          const partition = found?.partitions[index];
          if (partition === undefined) {
            return { partition: index, errorCode: errorCodes.UNKNOWN_TOPIC_OR_PARTITION };
          }
          const errorCode = checkLeaderEpoch(partition, currentLeaderEpoch);
          if (errorCode !== errorCodes.NONE) return { partition: index, errorCode };
          const end = findEnd(partition, leaderEpoch);
          return { partition: index, errorCode, leaderEpoch: end.epoch, endOffset: end.endOffset };
        }),
      };
    }),
  };
}

function findEnd(partition: Partition, epoch: number): { epoch: number; endOffset: number } {
  if (epoch < 0) return { epoch: -1, endOffset: -1 };
  if (isLeaderEpoch(epoch)) return partition.findEpochEnd(epoch);
  // Whoever takes the log for one that never changed its leader is right: nothing is ever cut off its end.
  return { epoch, endOffset: partition.highWatermark };
}
