import { BrokerError } from '../../base/index.ts';
import {
  batchAttributes,
  batchHeaderBytes,
  batchProducerEpoch,
  batchProducerId,
  isTransactionalBatch,
} from '../../bytes/index.ts';
import type { PartitionKey, ProducerIdentity } from '../../shard/index.ts';
import { errorCodes, kafkaErrorCode } from './error-codes.ts';
import type { HandlerContext } from './handler.ts';
import type { RequestOf } from './wire/index.ts';

/** The first version of Produce that takes its partitions into the transaction (KIP-890). */
const joiningVersion = 12;

/**
 * Takes the partitions of a transactional Produce into its producer's transaction. Undefined: the batches may be appended
 * now; a promise: as soon as it resolves, in that very turn, so that the batches of later requests stay behind. Throws or
 * rejects with a BrokerError.
 */
export function joinTransaction(
  { broker }: HandlerContext,
  { transactionalId, topicData }: RequestOf<'Produce'>,
  version: number,
): Promise<void> | undefined {
  if (version < joiningVersion || transactionalId === null) return undefined;
  const keys: PartitionKey[] = [];
  let producer: ProducerIdentity | undefined;
  for (const { name, topicId, partitionData } of topicData) {
    const topic = version >= 13 ? broker.topics.findById(topicId) : broker.topics.find(name);
    if (topic === undefined) continue;
    for (const { index, records } of partitionData) {
      if (records === null || !isTransactional(records)) continue;
      if (topic.partitions[index] === undefined) continue;
      keys.push({ topicId: topic.id, partition: index });
      // One request is of one producer; a batch of another one is refused by its partition.
      producer ??= {
        producerId: batchProducerId(records, 0),
        epoch: batchProducerEpoch(records, 0),
      };
    }
  }
  if (producer === undefined) return undefined;
  return broker.transactions.joinPartitions({ transactionalId, ...producer }, keys);
}

export function isTransactional(records: Uint8Array): boolean {
  return records.length >= batchHeaderBytes && isTransactionalBatch(batchAttributes(records, 0));
}

/** What a Produce answers when its partitions could not be taken in; anything unexpected is thrown again. */
export function joinErrorCode(error: unknown): number {
  if (!(error instanceof BrokerError)) throw error;
  if (error.code === 'producer-unknown') return errorCodes.INVALID_PRODUCER_ID_MAPPING;
  return kafkaErrorCode(error.code);
}
