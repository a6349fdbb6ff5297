import { BrokerError } from '../../base/index.ts';
import {
  batchAttributes,
  batchHeaderBytes,
  batchMagic,
  batchProducerEpoch,
  batchProducerId,
  isTransactionalBatch,
} from '../../bytes/index.ts';
import type { PartitionKey, ProducerIdentity } from '../../shard/index.ts';
import { errorCodes, kafkaErrorCode } from './error-codes.ts';
import type { HandlerContext } from './handler.ts';
import { Refusal } from './refusal.ts';
import type { RequestOf } from './wire/index.ts';

/** The first version of Produce that takes its partitions into the transaction (KIP-890). */
const joiningVersion = 12;

/**
 * Sees to the transaction of a Produce. Its id and its producer must belong together; the partitions are taken in, where the
 * version says so. Undefined: the batches may be appended now; a promise: as soon as it resolves, in that very turn, so that
 * the batches of later requests stay behind. Throws or rejects with a BrokerError when none of the transactional batches may
 * be appended, and throws a Refusal when nothing at all may.
 */
export function enterTransaction(
  { broker }: HandlerContext,
  request: RequestOf<'Produce'>,
  version: number,
): Promise<void> | undefined {
  if (!hasTransactionalBatches(request)) return undefined;
  const { transactionalId } = request;
  // Nobody can have been asked whether the client may write with it.
  if (transactionalId === null) {
    throw new Refusal(
      errorCodes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
      'Transactional Id authorization failed.',
    );
  }
  const keys: PartitionKey[] = [];
  let producer: ProducerIdentity | undefined;
  for (const { name, topicId, partitionData } of request.topicData) {
    const topic = version >= 13 ? broker.topics.findById(topicId) : broker.topics.find(name);
    if (topic === undefined) continue;
    for (const { index, records } of partitionData) {
      if (!isTransactional(records) || topic.partitions[index] === undefined) continue;
      keys.push({ topicId: topic.id, partition: index });
      producer = theOnly(producer, records);
    }
  }
  if (producer === undefined) return undefined;
  if (transactionalId === '') throw new BrokerError('config-invalid', 'an empty transactional id');
  const identity = { transactionalId, ...producer };
  if (version >= joiningVersion) return broker.transactions.joinPartitions(identity, keys);
  // The partitions know themselves whether they were added.
  broker.transactions.verifyPartitions(identity, []);
  return undefined;
}

/** The producer of this batch, who must be that of the others. */
function theOnly(producer: ProducerIdentity | undefined, records: Uint8Array): ProducerIdentity {
  const producerId = batchProducerId(records, 0);
  const epoch = batchProducerEpoch(records, 0);
  if (producer === undefined) return { producerId, epoch };
  if (producer.producerId === producerId && producer.epoch === epoch) return producer;
  throw new Refusal(
    errorCodes.INVALID_PRODUCER_ID_MAPPING,
    'Transactional records contained more than one producer ID',
  );
}

export function hasTransactionalBatches({ topicData }: RequestOf<'Produce'>): boolean {
  for (const { partitionData } of topicData) {
    for (const { records } of partitionData) if (isTransactional(records)) return true;
  }
  return false;
}

export function isTransactional(records: Uint8Array | null): records is Uint8Array {
  return (
    records !== null &&
    records.length >= batchHeaderBytes &&
    batchMagic(records, 0) === 2 &&
    isTransactionalBatch(batchAttributes(records, 0))
  );
}

/** What transactional batches are answered when they could not be appended; anything unexpected is thrown again. */
export function entryErrorCode(error: unknown, version: number): number {
  if (!(error instanceof BrokerError)) throw error;
  if (error.code === 'producer-unknown') return errorCodes.INVALID_PRODUCER_ID_MAPPING;
  if (error.code === 'config-invalid') return errorCodes.INVALID_REQUEST;
  // Older clients would not try again upon CONCURRENT_TRANSACTIONS.
  if (error.code === 'transaction-concurrent' && version < joiningVersion) {
    return errorCodes.NOT_ENOUGH_REPLICAS;
  }
  return kafkaErrorCode(error.code);
}
