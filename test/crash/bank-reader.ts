import assert from 'node:assert/strict';
import {
  batchAttributes,
  batchLastOffsetDelta,
  batchBaseOffset,
  batchProducerId,
  batchTotalBytes,
  decodeBatch,
  isControlBatch,
  isTransactionalBatch,
} from '../../src/bytes/index.ts';
import type { WireClient } from '../doors/kafka/wire-client.ts';
import { accountsPartitions, accountsTopic, groupOf, ordersTopic } from './bank-ledger.ts';

const readCommitted = 1;

/** Everything that is committed in the accounts, as the protocol tells its readers to find it. */
export async function readAccounts(client: WireClient): Promise<string[]> {
  const texts: string[] = [];
  for (let partition = 0; partition < accountsPartitions; partition++)
    await readPartition(client, partition, texts);
  return texts;
}

async function readPartition(client: WireClient, index: number, into: string[]): Promise<void> {
  for (let offset = 0; ; ) {
    const partition = {
      partition: index,
      fetchOffset: offset,
      partitionMaxBytes: 256 * 1024,
    };
    const { responses } = await client.ask('Fetch', 11, {
      maxWaitMs: 0,
      minBytes: 0,
      isolationLevel: readCommitted,
      topics: [{ topic: accountsTopic, partitions: [partition] }],
      forgottenTopicsData: [],
    });
    const answer = responses[0]?.partitions[0];
    assert.ok(answer !== undefined && answer.errorCode === 0, `fetch: ${answer?.errorCode}`);
    if (offset >= (answer.lastStableOffset ?? 0)) {
      assert.equal(answer.lastStableOffset, answer.highWatermark, 'nothing is open');
      return;
    }
    const aborted = (answer.abortedTransactions ?? []).toSorted(
      (a, b) => a.firstOffset - b.firstOffset,
    );
    const before = offset;
    offset = passBatches(answer.records ?? new Uint8Array(0), offset, aborted, into);
    assert.ok(offset > before, 'the reader goes on');
  }
}

/** Returns the offset behind the last batch. */
function passBatches(
  records: Uint8Array,
  from: number,
  aborted: Array<{ producerId: number; firstOffset: number }>,
  into: string[],
): number {
  let offset = from;
  const undone = new Set<number>();
  for (let at = 0; at < records.length; at += batchTotalBytes(records, at)) {
    const lastOffset = batchBaseOffset(records, at) + batchLastOffsetDelta(records, at);
    while (aborted[0] !== undefined && aborted[0].firstOffset <= lastOffset)
      undone.add(aborted.shift()?.producerId ?? -1);
    offset = lastOffset + 1;
    const attributes = batchAttributes(records, at);
    const producerId = batchProducerId(records, at);
    if (isControlBatch(attributes)) undone.delete(producerId);
    else if (!isTransactionalBatch(attributes) || !undone.has(producerId)) {
      for (const record of decodeBatch(records, at, 1 << 20))
        if (record.offset >= from) into.push(Buffer.from(record.value ?? []).toString());
    }
  }
  return offset;
}

/** The transfer that a clerk does next, as his last committed transaction says; undefined while one is being ended. */
export async function findNext(client: WireClient, clerk: number): Promise<number | undefined> {
  const topics = [{ name: ordersTopic, partitionIndexes: [clerk] }];
  const { groups } = await client.ask('OffsetFetch', 8, {
    groups: [{ groupId: groupOf(clerk), topics }],
    requireStable: true,
  });
  const found = groups?.[0]?.topics[0]?.partitions[0];
  if (found === undefined || found.errorCode !== 0) return undefined;
  return Math.max(0, found.committedOffset);
}
