// DeleteRecords 0-2 (KIP-107); offset -1 stands for the high watermark.
import { BrokerError } from '../../../base/index.ts';
import type { Partition } from '../../../shard/index.ts';
import { errorCodes, kafkaErrorCode } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

export async function deleteRecords(
  { broker }: HandlerContext,
  request: RequestOf<'DeleteRecords'>,
): Promise<ResponseInput<'DeleteRecords'>> {
  const topics = request.topics.map(async ({ name, partitions }) => {
    const topic = broker.topics.find(name);
    const isOnlyCompacted = topic?.options.cleanup === 'compact';
    const answers = partitions.map(async ({ partitionIndex, offset }) => {
      const partition = topic?.partitions[partitionIndex];
      if (partition === undefined) {
        return failure(partitionIndex, errorCodes.UNKNOWN_TOPIC_OR_PARTITION);
      }
      // Of a compacted log every key's newest record is wanted, however old.
      if (isOnlyCompacted) return failure(partitionIndex, errorCodes.POLICY_VIOLATION);
      if (offset < -1) return failure(partitionIndex, errorCodes.OFFSET_OUT_OF_RANGE);
      return await deleteBefore(partition, offset);
    });
    return { name, partitions: await Promise.all(answers) };
  });
  return { topics: await Promise.all(topics) };
}

async function deleteBefore(partition: Partition, offset: number) {
  try {
    const lowWatermark = await partition.deleteBefore(offset);
    return { partitionIndex: partition.index, lowWatermark, errorCode: errorCodes.NONE };
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    return failure(partition.index, kafkaErrorCode(error.code));
  }
}

function failure(partitionIndex: number, errorCode: number) {
  return { partitionIndex, lowWatermark: -1, errorCode };
}
