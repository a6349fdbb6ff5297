import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BrokerError } from '../../../src/base/index.ts';
import { RecordBatchBuilder } from '../../../src/bytes/index.ts';
import { PartitionLog } from '../../../src/shard/index.ts';

interface Bed {
  log: PartitionLog;
  host: { failure: BrokerError | undefined };
  /** Everything that waits is durable now. */
  store: () => Promise<void>;
}

function never(): never {
  throw new Error('not asked for here');
}

function createBed(): Bed {
  const host = { failure: undefined as BrokerError | undefined };
  const check = (): void => {
    if (host.failure !== undefined) throw host.failure;
  };
  const log = new PartitionLog(
    {
      epoch: 1,
      isInUnit: false,
      nowMs: () => 1000,
      checkPublish: check,
      checkWritable: check,
      enqueue: () => undefined,
      advanceStart: never,
      read: never,
      findByTime: never,
      findMaxTimestamp: never,
      findDamage: never,
    },
    1,
    'topic',
    0,
  );
  const store = async (): Promise<void> => {
    for (const batch of log.waiting.splice(0)) {
      const run = { firstOffset: batch.baseOffset, lsn: 0, bytes: batch.length, maxTimestampMs: 0 };
      log.noteStored(0, run, batch.length, batch.baseOffset + batch.recordCount);
      batch.resolve({
        baseOffset: batch.baseOffset,
        appendTimeMs: -1,
        logStartOffset: 0,
        isDuplicate: false,
      });
    }
    await new Promise<void>((resolve) => void setImmediate(resolve));
  };
  return { log, host, store };
}

function batchOf(epoch: number, sequence: number, isTransactional = true): Uint8Array {
  const builder = new RecordBatchBuilder();
  builder.add({ key: null, value: Buffer.from('v'), headers: [], timestampMs: 1000 });
  return builder.build({
    producerId: 7,
    producerEpoch: epoch,
    baseSequence: sequence,
    isTransactional,
  });
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'ok',
    (error: BrokerError) => error.code,
  );
}

test('a marker that is under way is waited for by everybody who asks for it', async () => {
  const { log, store } = createBed();
  log.beginTransaction(7, 0);
  void log.append(batchOf(0, 0));
  await store();
  const ended: number[] = [];
  for (const who of [1, 2])
    void log.endTransaction(7, 0, 'commit', 1).then(() => void ended.push(who));
  await new Promise<void>((resolve) => void setImmediate(resolve));
  assert.deepEqual(ended, [], 'it is not durable yet');
  assert.equal(log.lastStableOffset, 0);
  assert.equal(log.waiting.length, 1, 'there is one');
  await store();
  assert.deepEqual(
    ended.toSorted((a, b) => a - b),
    [1, 2],
  );
  assert.equal(log.lastStableOffset, 2);
  await log.endTransaction(7, 0, 'commit', 1);
  assert.equal(log.waiting.length, 0, 'nothing is open');
});

test('a shard in doubt does not say that there is nothing to end', async () => {
  const { log, host } = createBed();
  log.beginTransaction(7, 0);
  host.failure = new BrokerError('storage-failed');
  assert.equal(await codeOf(log.endTransaction(7, 0, 'abort', 1)), 'storage-failed');
});

test('what is written must belong to a transaction that was begun and is not decided', async () => {
  const { log, store } = createBed();
  assert.equal(await codeOf(log.append(batchOf(0, 0))), 'transaction-invalid');
  log.beginTransaction(7, 0);
  void log.append(batchOf(0, 0));
  await store();
  assert.equal(await codeOf(log.append(batchOf(0, 1, false))), 'transaction-invalid');
  log.closeTransaction(7);
  assert.equal(await codeOf(log.append(batchOf(0, 1))), 'transaction-invalid');
  assert.equal(await codeOf(log.append(batchOf(0, 0))), 'ok', 'a repeat of what is stored');
});

test('a marker with a newer epoch fences, and frees the producer for a new beginning', async () => {
  const { log, store } = createBed();
  log.beginTransaction(7, 0);
  void log.append(batchOf(0, 0));
  const ending = log.endTransaction(7, 1, 'abort', 1);
  await store();
  await ending;
  assert.deepEqual(log.findAborted(0, 10), [{ producerId: 7, firstOffset: 0, lastOffset: 1 }]);
  assert.equal(log.isAborted(7, 0), true);
  assert.throws(() => log.beginTransaction(7, 0), { code: 'producer-fenced' });
  log.beginTransaction(7, 1);
  assert.equal(await codeOf(log.append(batchOf(0, 1))), 'producer-fenced');
  const appending = log.append(batchOf(1, 0));
  await store();
  assert.equal(await codeOf(appending), 'ok');
  assert.deepEqual(log.listOpenTransactions(), [
    { producerId: 7, epoch: 1, firstOffset: 2, startedMs: 1000 },
  ]);
});

test('a partition that holds too many aborted transactions takes no new ones', () => {
  const { log } = createBed();
  log.beginTransaction(7, 0);
  for (let count = 0; count < 1_000_000; count++) {
    log.transactions?.noteBatch(7, 0, count * 2, 0, 1, 1);
    log.transactions?.noteMarker(7, 'abort', count * 2 + 1);
  }
  assert.throws(() => log.beginTransaction(8, 0), { code: 'policy-refused' });
  log.highWatermark = 2_000_000;
  assert.equal(log.lastStableOffset, 2_000_000);
  assert.equal(log.findAborted(1_000_000, 1_000_004).length, 2);
  log.trim(1_000_000);
  log.beginTransaction(8, 0);
});
