import type { Broker } from '../../src/broker/index.ts';
import { RecordBatchBuilder } from '../../src/bytes/index.ts';
import type { Partition } from '../../src/shard/index.ts';
import { patienceMs } from './patience.ts';

/** Appends one record with the value `aborted` in a transaction, and aborts that. */
export async function appendAborted(broker: Broker, log: Partition): Promise<void> {
  const producer = { transactionalId: 'id', timeoutMs: patienceMs, expected: undefined };
  const identity = await broker.transactions.initProducer(producer);
  const named = { ...identity, transactionalId: 'id' };
  await broker.transactions.addPartitions(named, [{ topicId: log.topicId, partition: log.index }]);
  const batch = new RecordBatchBuilder();
  batch.add({ key: null, value: Buffer.from('aborted'), headers: [], timestampMs: 1 });
  const { producerId, epoch } = identity;
  await log.append(
    batch.build({ producerId, producerEpoch: epoch, baseSequence: 0, isTransactional: true }),
  );
  await broker.transactions.end(named, 'abort', false);
}
