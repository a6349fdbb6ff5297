import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BrokerError } from '../../../src/base/index.ts';
import {
  encodeAdded,
  encodeForgotten,
  encodeId,
  encodeMarker,
  encodePrepared,
  encodeRecord,
  findOutcome,
  newRecord,
  type PreparedOperations,
  transactionEntryKind,
  TransactionTable,
} from '../../../src/shard/index.ts';
import { decodeBatch } from '../../../src/bytes/index.ts';

const id = { shard: 2, epoch: 9, number: 4_000_000_000 };
const operations: PreparedOperations = {
  appends: [
    { partition: 5, bytes: Buffer.from('batches') },
    { partition: 6, bytes: Buffer.alloc(0) },
  ],
  settlements: [
    { partition: 1, subscription: '', offset: 2 ** 40, settlement: { kind: 'accept' } },
    {
      partition: 1,
      subscription: 'überall',
      offset: 3,
      settlement: { kind: 'release', options: { isFailure: true, delayMs: 0 } },
    },
    {
      partition: 1,
      subscription: 's',
      offset: 4,
      settlement: { kind: 'release', options: { isFailure: false } },
    },
    { partition: 2, subscription: '', offset: 5, settlement: { kind: 'reject', reason: 'maxlen' } },
  ],
};

function full(): TransactionTable {
  const table = new TransactionTable();
  const record = newRecord('payments', 7, 60_000, 1000);
  table.apply(transactionEntryKind.producerSaved, encodeRecord(record));
  const participants = {
    partitions: new Map([['topic', new Set([0, 3])]]),
    groups: new Set(['readers']),
  };
  const added = encodeAdded('payments', 2000, participants);
  table.apply(transactionEntryKind.participantsAdded, added);
  // The payload is borrowed.
  const payload = encodePrepared(id, operations);
  table.apply(transactionEntryKind.prepared, payload);
  payload.fill(0);
  table.apply(transactionEntryKind.decided, encodeId(id));
  return table;
}

function contentOf(table: TransactionTable): unknown {
  return {
    producers: [...table.producers()],
    prepared: [...table.prepared()].map(
      ({ id: of, bytes, operations: { appends, settlements } }) => ({
        id: of,
        bytes,
        settlements,
        appends: appends.map((one) => [one.partition, Buffer.from(one.bytes).toString()]),
      }),
    ),
    decided: [...table.decided()],
    preparedBytes: table.preparedBytes,
  };
}

test('a table is the same after a snapshot', () => {
  const table = full();
  const again = new TransactionTable();
  again.restore(table.encode());
  assert.deepEqual(contentOf(again), contentOf(table));
  const [prepared] = again.prepared();
  assert.deepEqual(prepared?.operations.settlements, operations.settlements);
  again.restore(undefined);
  assert.deepEqual(contentOf(again), contentOf(new TransactionTable()));
});

test('what takes part is kept while it is being told, and then forgotten', () => {
  const table = full();
  const producer = table.findProducer('payments');
  assert.equal(producer?.record.state, 'ongoing');
  assert.equal(producer?.record.startedMs, 2000);
  assert.ok(producer !== undefined);
  const { record } = producer;
  table.apply(
    transactionEntryKind.producerSaved,
    encodeRecord({ ...record, state: 'prepare-abort' }),
  );
  assert.deepEqual([...(producer.partitions.get('topic') ?? [])], [0, 3]);
  table.apply(
    transactionEntryKind.producerSaved,
    encodeRecord({ ...record, state: 'complete-abort' }),
  );
  assert.equal(producer.partitions.size + producer.groups.size, 0);
  table.apply(transactionEntryKind.producerForgotten, encodeForgotten('payments'));
  assert.equal(table.producerCount, 0);
});

test('prepared and decided transactions end', () => {
  const table = full();
  assert.equal(table.isDecided(id), true);
  assert.equal(table.isDecided({ ...id, epoch: 8 }), false);
  table.apply(transactionEntryKind.unprepared, encodeId(id));
  assert.deepEqual([table.findPrepared(id), table.preparedBytes], [undefined, 0]);
  table.apply(transactionEntryKind.unprepared, encodeId(id));
  assert.equal(table.preparedBytes, 0, 'an end that is repeated changes nothing');
  table.apply(transactionEntryKind.finished, encodeId(id));
  assert.equal(table.decidedCount, 0);
});

test('a marker is a control record of the public layout', () => {
  for (const outcome of ['commit', 'abort'] as const) {
    const marker = encodeMarker({ producerId: 7, epoch: 3, outcome, coordinatorEpoch: 5 }, 1234);
    const [record] = decodeBatch(marker, 0, 1000);
    assert.ok(record !== undefined && !(record instanceof BrokerError));
    const type = outcome === 'commit' ? 1 : 0;
    assert.deepEqual([...(record.key ?? [])], [0, 0, 0, type]);
    assert.deepEqual([...(record.value ?? [])], [0, 0, 0, 0, 0, 5]);
    assert.equal(findOutcome(marker, 0), outcome);
    // Attributes: transactional and control.
    assert.equal(marker[22], 0x30);
  }
});
