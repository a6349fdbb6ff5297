import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  checkJoinable,
  completed,
  epochMax,
  initialised,
  judgeEnd,
  judgeInit,
  newRecord,
  prepared,
  type ProducerRecord,
  type TransactionOutcome,
  type TransactionState,
  transactionStates,
} from '../../../src/shard/index.ts';

const identity = { producerId: 7, epoch: 3 };

function inState(state: TransactionState, change: Partial<ProducerRecord> = {}): ProducerRecord {
  return { ...newRecord('t', 7, 1000, 0), epoch: 3, state, ...change };
}

/** What `judge` answers, or the code of what it throws. */
function outcomeOf(judge: () => unknown): unknown {
  try {
    return judge() ?? 'ok';
  } catch (error) {
    return (error as { code?: string }).code;
  }
}

test('ending a transaction, by state', () => {
  const table: Array<[TransactionState, TransactionOutcome, boolean, string]> = [
    ['empty', 'commit', false, 'transaction-invalid'],
    ['empty', 'abort', false, 'transaction-invalid'],
    ['empty', 'commit', true, 'transaction-invalid'],
    ['empty', 'abort', true, 'prepare'],
    ['ongoing', 'commit', false, 'prepare'],
    ['ongoing', 'abort', false, 'prepare'],
    ['ongoing', 'commit', true, 'prepare'],
    ['prepare-commit', 'commit', false, 'wait'],
    ['prepare-commit', 'abort', false, 'transaction-invalid'],
    ['prepare-commit', 'abort', true, 'transaction-invalid'],
    ['prepare-abort', 'abort', false, 'wait'],
    ['prepare-abort', 'commit', false, 'transaction-invalid'],
    ['complete-commit', 'commit', false, 'done'],
    ['complete-commit', 'abort', false, 'transaction-invalid'],
    ['complete-commit', 'commit', true, 'transaction-invalid'],
    ['complete-commit', 'abort', true, 'prepare'],
    ['complete-abort', 'abort', false, 'done'],
    ['complete-abort', 'commit', false, 'transaction-invalid'],
  ];
  for (const [state, outcome, bumps, expected] of table) {
    const judged = outcomeOf(() => judgeEnd(inState(state), identity, outcome, bumps));
    assert.equal(judged, expected, `${outcome} of ${state}${bumps ? ', with a new epoch' : ''}`);
  }
});

test('an end is repeated with the identity of before', () => {
  const open = inState('ongoing');
  const decided = prepared(open, 'commit', 'bump', -1, 5);
  assert.equal(decided.epoch, 4);
  assert.equal(judgeEnd(decided, identity, 'commit', true), 'wait');
  const done = completed(decided, 6);
  assert.equal(done.state, 'complete-commit');
  assert.equal(judgeEnd(done, identity, 'commit', true), 'done');
  assert.equal(
    outcomeOf(() => judgeEnd(done, identity, 'abort', true)),
    'producer-fenced',
  );
});

test('identities that are not the current one', () => {
  const open = inState('ongoing');
  const cases: Array<[{ producerId: number; epoch: number }, string]> = [
    [{ producerId: 8, epoch: 3 }, 'producer-unknown'],
    [{ producerId: 7, epoch: 2 }, 'producer-fenced'],
    [{ producerId: 7, epoch: 4 }, 'producer-fenced'],
  ];
  for (const [who, code] of cases) {
    assert.equal(
      outcomeOf(() => judgeEnd(open, who, 'commit', false)),
      code,
    );
    assert.equal(
      outcomeOf(() => checkJoinable(open, who)),
      code,
    );
  }
});

test('something can be added unless a decision is under way', () => {
  for (const state of transactionStates) {
    const expected = state.startsWith('prepare') ? 'transaction-concurrent' : 'ok';
    assert.equal(
      outcomeOf(() => checkJoinable(inState(state), identity)),
      expected,
      state,
    );
  }
});

test('asking for an identity, by state and by who asks', () => {
  const last = { lastProducerId: 7, lastEpoch: 2 };
  const table: Array<[ProducerRecord, typeof identity | undefined, string]> = [
    [inState('empty'), undefined, 'bump'],
    [inState('empty'), identity, 'bump'],
    [inState('ongoing'), undefined, 'abort'],
    [inState('ongoing'), identity, 'abort'],
    [inState('prepare-commit'), undefined, 'wait'],
    [inState('complete-abort'), undefined, 'bump'],
    [inState('empty', { epoch: epochMax }), undefined, 'replace'],
    [inState('empty', last), { producerId: 7, epoch: 2 }, 'same'],
    [inState('prepare-abort', last), { producerId: 7, epoch: 2 }, 'wait'],
    [inState('ongoing', last), { producerId: 7, epoch: 2 }, 'producer-fenced'],
    [inState('empty'), { producerId: 7, epoch: 2 }, 'producer-fenced'],
    [inState('empty'), { producerId: 9, epoch: 3 }, 'producer-fenced'],
    [inState('empty', { lastProducerId: 6, lastEpoch: 30 }), { producerId: 6, epoch: 30 }, 'same'],
  ];
  for (const [record, expected, outcome] of table)
    assert.equal(
      outcomeOf(() => judgeInit(record, expected)),
      outcome,
      `${record.state}, ${JSON.stringify(expected)}`,
    );
});

test('a new producer makes the one before a stranger; one that goes on may repeat', () => {
  const record = inState('empty');
  const fresh = initialised(record, undefined, undefined, 1000, 1);
  assert.equal(fresh.epoch, 4);
  assert.equal(
    outcomeOf(() => judgeInit(fresh, identity)),
    'producer-fenced',
  );
  const goesOn = initialised(record, identity, undefined, 1000, 1);
  assert.equal(judgeInit(goesOn, identity), 'same');
});

test('a forced end fences for good', () => {
  const timedOut = completed(prepared(inState('ongoing'), 'abort', 'force', -1, 1), 2);
  assert.deepEqual([timedOut.epoch, timedOut.state], [4, 'complete-abort']);
  assert.equal(
    outcomeOf(() => judgeEnd(timedOut, identity, 'commit', false)),
    'producer-fenced',
  );
  assert.equal(
    outcomeOf(() => judgeInit(timedOut, identity)),
    'producer-fenced',
  );
});

test('when the epochs are used up, another producer id takes over', () => {
  const open = inState('ongoing', { epoch: epochMax });
  const decided = prepared(open, 'commit', 'bump', 99, 1);
  assert.deepEqual([decided.producerId, decided.epoch], [7, epochMax + 1], 'its markers');
  const done = completed(decided, 2);
  assert.deepEqual([done.producerId, done.epoch], [99, 0]);
  const before = { producerId: 7, epoch: epochMax };
  assert.equal(judgeEnd(done, before, 'commit', true), 'done');
});
