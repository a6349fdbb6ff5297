// WriteTxnMarkers 1-2. Brokers send it to each other, which has no use here, and administrators to end what hangs in a
// partition (KIP-664). Nothing is written where nothing is open, and what a coordinator knows of is aborted as a whole:
// a part of a transaction is never ended by itself.
import { BrokerError } from '../../../base/index.ts';
import { errorCodes, kafkaErrorCode } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

type Marker = RequestOf<'WriteTxnMarkers'>['markers'][number];

export async function writeTxnMarkers(
  context: HandlerContext,
  request: RequestOf<'WriteTxnMarkers'>,
): Promise<ResponseInput<'WriteTxnMarkers'>> {
  const markers = [];
  // One after the other: they may be about one transaction.
  for (const marker of request.markers) {
    const topics = [];
    for (const { name, partitionIndexes } of marker.topics) {
      const partitions = [];
      for (const partitionIndex of partitionIndexes) {
        const errorCode = await endHanging(context, marker, name, partitionIndex);
        partitions.push({ partitionIndex, errorCode });
      }
      topics.push({ name, partitions });
    }
    markers.push({ producerId: marker.producerId, topics });
  }
  return { markers };
}

async function endHanging(
  { broker }: HandlerContext,
  { producerId, producerEpoch: epoch, transactionResult }: Marker,
  name: string,
  partition: number,
): Promise<number> {
  const topic = broker.topics.find(name);
  if (topic?.partitions[partition] === undefined) return errorCodes.UNKNOWN_TOPIC_OR_PARTITION;
  const outcome = transactionResult ? 'commit' : 'abort';
  try {
    const key = { topicId: topic.id, partition };
    await broker.transactions.endHanging(key, { producerId, epoch }, outcome);
    return errorCodes.NONE;
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    return kafkaErrorCode(error.code);
  }
}
