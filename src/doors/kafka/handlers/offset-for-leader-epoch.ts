// OffsetForLeaderEpoch 2-4 (KIP-320): where an epoch ended, so that a consumer sees whether its position is still on
// the log that it read.
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { checkLeaderEpoch } from '../leader-epoch.ts';
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
          const end = partition.findEpochEnd(leaderEpoch);
          return {
            partition: index,
            errorCode,
            leaderEpoch: end?.epoch ?? -1,
            endOffset: end?.endOffset ?? -1,
          };
        }),
      };
    }),
  };
}
