import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '../../../src/base/index.ts';
import { ByteReader, ByteWriter } from '../../../src/bytes/index.ts';
import { PartitionTransactions, type TransactionOutcome } from '../../../src/shard/index.ts';
import { SeededRandom } from '../../../src/testing/index.ts';

interface ModelTransaction {
  producerId: number;
  firstOffset: number;
  /** Of the marker; -1 while it is open. */
  lastOffset: number;
  outcome: TransactionOutcome | undefined;
}

/** Keeps everything and looks through all of it. */
class Model {
  readonly transactions: ModelTransaction[] = [];
  /** By offset: the producer of a record whose transaction is open. */
  readonly owners: Array<number | undefined> = [];

  decide(producerId: number): void {
    for (const [offset, owner] of this.owners.entries())
      if (owner === producerId) this.owners[offset] = undefined;
  }

  undecided(limit: number): number[] {
    const offsets: number[] = [];
    for (let offset = 0; offset < limit; offset++)
      if (this.owners[offset] !== undefined) offsets.push(offset);
    return offsets;
  }

  stable(highWatermark: number): number {
    let stable = highWatermark;
    for (const { firstOffset, lastOffset } of this.transactions)
      if (lastOffset < 0 || lastOffset >= highWatermark) stable = Math.min(stable, firstOffset);
    return stable;
  }

  aborted(from: number, to: number): object[] {
    return this.transactions
      .filter((one) => one.outcome === 'abort' && one.lastOffset >= from && one.firstOffset < to)
      .map(({ producerId, firstOffset, lastOffset }) => ({ producerId, firstOffset, lastOffset }))
      .toSorted((a, b) => a.firstOffset - b.firstOffset);
  }

  isAborted(producerId: number, offset: number): boolean {
    return this.transactions.some(
      (one) =>
        one.producerId === producerId &&
        one.outcome === 'abort' &&
        one.firstOffset <= offset &&
        offset <= one.lastOffset,
    );
  }
}

function listOf(runs: readonly number[]): number[] {
  const offsets: number[] = [];
  for (let at = 0; at < runs.length; at += 2)
    for (let offset = runs[at] ?? 0; offset < (runs[at + 1] ?? 0); offset++) offsets.push(offset);
  return offsets;
}

function copy(transactions: PartitionTransactions, nextOffset: number): PartitionTransactions {
  const writer = new ByteWriter();
  transactions.encodeTo(writer);
  return PartitionTransactions.decode(new ByteReader(writer.take()), nextOffset);
}

test('stable offset and aborted ranges are those of a naive model, through snapshots and trims', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new SeededRandom(seed);
    let transactions = new PartitionTransactions();
    const model = new Model();
    const producers = 1 + random.nextInt(8);
    let nextOffset = 0;
    let highWatermark = 0;
    let start = 0;
    for (let step = 0; step < 250; step++) {
      const producerId = random.nextInt(producers);
      const open = model.transactions.find(
        (one) => one.producerId === producerId && one.lastOffset < 0,
      );
      const action = random.nextFraction();
      if (action < 0.45) {
        const count = 1 + random.nextInt(3);
        transactions.noteBatch(producerId, 0, nextOffset, 0, count, count * 5);
        if (open === undefined) {
          model.transactions.push({
            producerId,
            firstOffset: nextOffset,
            lastOffset: -1,
            outcome: undefined,
          });
        }
        for (let at = 0; at < count; at++) model.owners[nextOffset++] = producerId;
      } else if (action < 0.7) {
        const outcome = random.pick<TransactionOutcome>(['commit', 'abort', 'abort']);
        transactions.noteMarker(producerId, outcome, nextOffset);
        model.decide(producerId);
        if (open !== undefined) {
          open.lastOffset = nextOffset;
          open.outcome = outcome;
        }
        nextOffset += 1;
      } else if (action < 0.95) {
        highWatermark = Math.min(nextOffset, highWatermark + random.nextInt(8));
      } else if (action < 0.97) {
        // A snapshot holds what is sequenced; when it is loaded, all of that is durable.
        transactions = copy(transactions, nextOffset);
        highWatermark = nextOffset;
      } else {
        start = Math.max(start, random.nextInt(highWatermark + 1));
        transactions.trim(start);
      }
      const context = `seed ${seed}, step ${step}`;
      assert.equal(
        transactions.lastStableOffset(highWatermark),
        model.stable(highWatermark),
        context,
      );
      const from = start + random.nextInt(nextOffset - start + 1);
      const to = from + random.nextInt(20);
      assert.deepEqual(transactions.findAborted(from, to), model.aborted(from, to), context);
      const undecided = transactions.findUndecided(to);
      assert.deepEqual(listOf(undecided.runs), model.undecided(to), context);
      assert.equal(undecided.bodyBytes, model.undecided(nextOffset).length * 5, context);
      assert.equal(
        transactions.isAborted(producerId, from),
        model.isAborted(producerId, from),
        context,
      );
    }
  }
});

test('a producer may write where and while the coordinator permits it', () => {
  const transactions = new PartitionTransactions();
  assert.equal(transactions.isPermitted(1, 0), false);
  transactions.permit(1, 0);
  assert.equal(transactions.isPermitted(1, 0), true);
  assert.equal(transactions.isPermitted(1, 1), false);
  transactions.forbid(1);
  assert.equal(transactions.isPermitted(1, 0), false);
  transactions.permit(1, 1);
  transactions.adopt(undefined);
  assert.equal(transactions.isPermitted(1, 1), false, 'the coordinator permits it again, or not');
});

test('what recovery found replaces what was sequenced', () => {
  const transactions = new PartitionTransactions();
  transactions.noteBatch(1, 0, 10, 5, 1, 1);
  const stored = copy(transactions, 11);
  transactions.noteMarker(1, 'abort', 11);
  transactions.adopt(stored);
  assert.deepEqual(
    [...transactions.listOpen()],
    [{ producerId: 1, epoch: 0, firstOffset: 10, startedMs: 5 }],
  );
  assert.equal(transactions.lastStableOffset(12), 10);
  assert.deepEqual(transactions.findAborted(0, 20), []);
});

test('of an open transaction that an older snapshot has, all that was there then may be its own', () => {
  const writer = new ByteWriter();
  writer.uint32(1);
  writer.safeInt64(7);
  writer.int16(0);
  writer.safeInt64(10);
  writer.safeInt64(5);
  new PartitionTransactions().encodeTo(writer);
  // Behind the transaction: the aborted ones, of which there are none.
  const bytes = writer.take();
  const empty = new ByteWriter();
  new PartitionTransactions().encodeTo(empty);
  const stored = Uint8Array.from([...bytes.subarray(0, 30), ...empty.take().subarray(4)]);
  const transactions = PartitionTransactions.decode(new ByteReader(stored), 20, false);
  assert.deepEqual(transactions.findUndecided(15).runs, [10, 15]);
  transactions.noteBatch(7, 0, 20, 5, 2, 8);
  transactions.noteBatch(7, 0, 30, 5, 1, 4);
  assert.deepEqual(transactions.findUndecided(40).runs, [10, 22, 30, 31]);
  assert.equal(transactions.noteMarker(7, 'abort', 31)?.isExact, false);
});

test('stretches that are too many to be told apart become longer ones', () => {
  const transactions = new PartitionTransactions();
  for (let at = 0; at < limits.partitionOpenRunsMax; at++)
    transactions.noteBatch(1, 0, at * 2, 0, 1, 1);
  const from = limits.partitionOpenRunsMax * 2;
  transactions.noteBatch(1, 0, from, 0, 1, 1);
  assert.deepEqual(transactions.findUndecided(from + 9).runs.slice(-2), [from - 2, from + 1]);
  // Those of others are in it: nobody may take all of it for aborted.
  assert.equal(transactions.noteMarker(1, 'abort', from + 1)?.isExact, false);
  transactions.noteBatch(2, 0, from + 2, 0, 1, 1);
  transactions.noteBatch(2, 0, from + 4, 0, 1, 1);
  assert.equal(transactions.noteMarker(2, 'abort', from + 5)?.isExact, true);
});
