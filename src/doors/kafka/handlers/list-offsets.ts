// ListOffsets 1-11 (KIP-79, KIP-734, KIP-405, KIP-1005). Only durable records are seen, by everybody. There is no
// tiered storage: what lies in this broker is all there is.
import { BrokerError } from '../../../base/index.ts';
import type { Partition } from '../../../shard/index.ts';
import { errorCodes, kafkaErrorCode } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { checkLeaderEpoch } from '../leader-epoch.ts';
import { findRepeated } from '../repetition.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

type PartitionRequest = RequestOf<'ListOffsets'>['topics'][number]['partitions'][number];
type PartitionResponse = ResponseInput<'ListOffsets'>['topics'][number]['partitions'][number];

/** The points in time that stand for something else, with the first version that has them. */
const special = {
  latest: -1,
  earliest: -2,
  maxTimestamp: -3,
  earliestLocal: -4,
  latestTiered: -5,
  earliestPendingUpload: -6,
} as const;

const firstVersions: ReadonlyMap<number, number> = new Map([
  [special.latest, 1],
  [special.earliest, 1],
  [special.maxTimestamp, 7],
  [special.earliestLocal, 8],
  [special.latestTiered, 9],
  [special.earliestPendingUpload, 11],
]);

const readCommitted = 1;

export async function listOffsets(
  context: HandlerContext,
  request: RequestOf<'ListOffsets'>,
  version: number,
): Promise<ResponseInput<'ListOffsets'>> {
  const onlyStable = request.isolationLevel === readCommitted;
  const topics: Array<{ name: string; partitions: PartitionResponse[] }> = [];
  for (const { name, partitions } of request.topics) {
    const topic = context.broker.topics.find(name);
    const answers: PartitionResponse[] = [];
    const repeated = findRepeated(partitions.map((asked) => asked.partitionIndex));
    for (const asked of partitions) {
      const { partitionIndex } = asked;
      const partition = topic?.partitions[partitionIndex];
      if (repeated.has(partitionIndex)) {
        answers.push({ partitionIndex, errorCode: errorCodes.INVALID_REQUEST });
      } else if (partition === undefined) {
        answers.push({ partitionIndex, errorCode: errorCodes.UNKNOWN_TOPIC_OR_PARTITION });
      } else {
        answers.push(await findOffset(partition, asked, version, onlyStable));
      }
    }
    topics.push({ name, partitions: answers });
  }
  return { topics };
}

async function findOffset(
  partition: Partition,
  { partitionIndex, currentLeaderEpoch, timestamp }: PartitionRequest,
  version: number,
  onlyStable: boolean,
): Promise<PartitionResponse> {
  const epochError = checkLeaderEpoch(partition, currentLeaderEpoch);
  if (epochError !== errorCodes.NONE) return { partitionIndex, errorCode: epochError };
  if (timestamp < 0 && version < (firstVersions.get(timestamp) ?? Number.POSITIVE_INFINITY)) {
    return { partitionIndex, errorCode: errorCodes.UNSUPPORTED_VERSION };
  }
  const end = onlyStable ? partition.lastStableOffset : partition.highWatermark;
  try {
    switch (timestamp) {
      case special.latest:
        return answer(partitionIndex, { offset: end, leaderEpoch: partition.leaderEpoch });
      case special.earliest:
      case special.earliestLocal:
        // The epoch of that record is not known without reading it; consumers take it as not told.
        return answer(partitionIndex, { offset: partition.logStartOffset });
      case special.latestTiered:
      case special.earliestPendingUpload:
        return answer(partitionIndex, {});
      case special.maxTimestamp: {
        const found = await partition.findMaxTimestamp();
        return answer(partitionIndex, found === undefined || found.offset >= end ? {} : found);
      }
      default: {
        const found = await partition.findByTime(timestamp);
        return answer(partitionIndex, found === undefined || found.offset >= end ? {} : found);
      }
    }
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    return { partitionIndex, errorCode: kafkaErrorCode(error.code) };
  }
}

function answer(
  partitionIndex: number,
  found: { offset?: number; timestampMs?: number; leaderEpoch?: number } = {},
): PartitionResponse {
  return {
    partitionIndex,
    errorCode: errorCodes.NONE,
    offset: found.offset ?? -1,
    timestamp: found.timestampMs ?? -1,
    leaderEpoch: found.leaderEpoch ?? -1,
  };
}
