import assert from 'node:assert/strict';
import { test } from 'node:test';
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

function copy(transactions: PartitionTransactions): PartitionTransactions {
  const writer = new ByteWriter();
  transactions.encodeTo(writer);
  return PartitionTransactions.decode(new ByteReader(writer.take()));
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
        transactions.noteBatch(producerId, 0, nextOffset, 0);
        if (open === undefined) {
          model.transactions.push({
            producerId,
            firstOffset: nextOffset,
            lastOffset: -1,
            outcome: undefined,
          });
        }
        nextOffset += 1 + random.nextInt(3);
      } else if (action < 0.7) {
        const outcome = random.pick<TransactionOutcome>(['commit', 'abort', 'abort']);
        transactions.noteMarker(producerId, outcome, nextOffset);
        if (open !== undefined) {
          open.lastOffset = nextOffset;
          open.outcome = outcome;
        }
        nextOffset += 1;
      } else if (action < 0.95) {
        highWatermark = Math.min(nextOffset, highWatermark + random.nextInt(8));
      } else if (action < 0.97) {
        // A snapshot holds what is sequenced; when it is loaded, all of that is durable.
        transactions = copy(transactions);
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
  transactions.noteBatch(1, 0, 10, 5);
  const stored = copy(transactions);
  transactions.noteMarker(1, 'abort', 11);
  transactions.adopt(stored);
  assert.deepEqual(
    [...transactions.listOpen()],
    [{ producerId: 1, epoch: 0, firstOffset: 10, startedMs: 5 }],
  );
  assert.equal(transactions.lastStableOffset(12), 10);
  assert.deepEqual(transactions.findAborted(0, 20), []);
});
