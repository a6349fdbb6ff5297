import { BrokerError } from '../../base/index.ts';
import type { TransactionOutcome } from './marker.ts';

/** In the order of their codes on disk: append only. */
export const transactionStates = [
  'empty',
  'ongoing',
  'prepare-commit',
  'prepare-abort',
  'complete-commit',
  'complete-abort',
] as const;

/**
 * `ongoing`: something takes part. `prepare-…`: decided, and not yet known to all that take part. `complete-…`: known to
 * all. An id that is forgotten is dead.
 */
export type TransactionState = (typeof transactionStates)[number];

export interface ProducerIdentity {
  readonly producerId: number;
  readonly epoch: number;
}

/** What the coordinator keeps of one transactional id. */
export interface ProducerRecord extends ProducerIdentity {
  readonly transactionalId: string;
  /** The identity before this one, for a producer that asks again because it lost the answer; -1: none counts. */
  readonly lastProducerId: number;
  readonly lastEpoch: number;
  /** Takes over when the decided transaction is complete, because the epochs of this one are used up; -1: none. */
  readonly nextProducerId: number;
  readonly timeoutMs: number;
  readonly state: TransactionState;
  /** When the transaction began, milliseconds since the epoch; -1 without one. */
  readonly startedMs: number;
  readonly updatedMs: number;
}

/** The greatest epoch that a producer gets; the one above it only ever stands in a marker that fences. */
export const epochMax = 32_766;

/** Who a producer says it is when it asks for an identity again. */
export type ExpectedIdentity = ProducerIdentity | undefined;

export function newRecord(
  transactionalId: string,
  producerId: number,
  timeoutMs: number,
  nowMs: number,
): ProducerRecord {
  return {
    transactionalId,
    producerId,
    epoch: 0,
    lastProducerId: -1,
    lastEpoch: -1,
    nextProducerId: -1,
    timeoutMs,
    state: 'empty',
    startedMs: -1,
    updatedMs: nowMs,
  };
}

/** Throws producer-unknown or producer-fenced. */
export function checkIdentity(record: ProducerRecord, identity: ProducerIdentity): void {
  if (identity.producerId !== record.producerId) {
    throw new BrokerError(
      'producer-unknown',
      `${record.transactionalId} has not the producer id ${identity.producerId}`,
    );
  }
  // The epoch above the greatest stands in markers and records, but it is nobody's.
  if (identity.epoch !== record.epoch || identity.epoch > epochMax) {
    throw new BrokerError('producer-fenced', `epoch ${identity.epoch} is not ${record.epoch}`);
  }
}

/**
 * What asking for an identity comes to: `same`, a repeated request whose answer was lost; `abort`, an open transaction
 * must be undone first; `wait`, a decided one must be complete first; `bump`, the next epoch; `replace`, the next
 * epoch does not exist: another producer id. Throws producer-fenced.
 */
export function judgeInit(
  record: ProducerRecord,
  expected: ExpectedIdentity,
): 'same' | 'abort' | 'wait' | 'bump' | 'replace' {
  if (expected !== undefined) {
    const isCurrent = expected.producerId === record.producerId && expected.epoch === record.epoch;
    const isBefore =
      record.lastEpoch >= 0 &&
      expected.producerId === record.lastProducerId &&
      expected.epoch === record.lastEpoch;
    if (!isCurrent && !isBefore) {
      throw new BrokerError('producer-fenced', 'another producer has this transactional id now');
    }
    if (isBefore && !isCurrent && record.state !== 'ongoing') {
      return record.state.startsWith('prepare') ? 'wait' : 'same';
    }
    if (!isCurrent) throw new BrokerError('producer-fenced', 'its successor is at work');
  }
  if (record.state === 'ongoing') return 'abort';
  if (record.state.startsWith('prepare')) return 'wait';
  return record.epoch >= epochMax ? 'replace' : 'bump';
}

/** The record with a new identity. `producerId` is a fresh one where `judgeInit` said `replace`. */
export function initialised(
  record: ProducerRecord,
  expected: ExpectedIdentity,
  producerId: number | undefined,
  timeoutMs: number,
  nowMs: number,
): ProducerRecord {
  return {
    ...record,
    producerId: producerId ?? record.producerId,
    epoch: producerId === undefined ? record.epoch + 1 : 0,
    // Without an expectation it is a new producer: the one before must not pass for it.
    lastProducerId: expected === undefined ? -1 : record.producerId,
    lastEpoch: expected === undefined ? -1 : record.epoch,
    nextProducerId: -1,
    timeoutMs,
    state: 'empty',
    startedMs: -1,
    updatedMs: nowMs,
  };
}

/** Throws unless something may be added to the producer's transaction (which begins with that). */
export function checkJoinable(record: ProducerRecord, identity: ProducerIdentity): void {
  checkIdentity(record, identity);
  if (isDecided(record)) throw new BrokerError('transaction-concurrent');
}

/** Its outcome is certain, and not everything that takes part has heard of it. */
export function isDecided({ state }: ProducerRecord): boolean {
  return state === 'prepare-commit' || state === 'prepare-abort';
}

/**
 * What ending a transaction comes to: `prepare`, it is decided now; `wait`, it was decided so before and is not
 * complete; `done`, it is. Throws producer-unknown, producer-fenced or transaction-invalid.
 */
export function judgeEnd(
  record: ProducerRecord,
  identity: ProducerIdentity,
  outcome: TransactionOutcome,
  bumpsEpoch: boolean,
): 'prepare' | 'wait' | 'done' {
  const { state } = record;
  const isRepeat =
    bumpsEpoch &&
    record.lastEpoch >= 0 &&
    identity.producerId === record.lastProducerId &&
    identity.epoch === record.lastEpoch &&
    (state === `prepare-${outcome}` || state === `complete-${outcome}`);
  if (!isRepeat) checkIdentity(record, identity);
  if (state === 'ongoing') return 'prepare';
  if (state === `prepare-${outcome}`) return 'wait';
  if (isRepeat) return 'done';
  if (bumpsEpoch) {
    // Such a producer may give up a transaction to which nothing was added, so that its epoch certainly changes.
    if (outcome === 'abort' && !state.startsWith('prepare')) return 'prepare';
  } else if (state === `complete-${outcome}`) return 'done';
  throw new BrokerError('transaction-invalid', `it cannot ${outcome} what is ${state}`);
}

/**
 * The record once the outcome is decided. `producerId` is a fresh one where the epoch is to be bumped and cannot be.
 * A forced end (a timeout, a newer producer) bumps the epoch without telling the producer of it.
 */
export function prepared(
  record: ProducerRecord,
  outcome: TransactionOutcome,
  how: 'keep' | 'bump' | 'force',
  nextProducerId: number,
  nowMs: number,
): ProducerRecord {
  const isBumped = how !== 'keep';
  return {
    ...record,
    epoch: isBumped ? record.epoch + 1 : record.epoch,
    // Who was fenced must not come back as one that lost an answer.
    lastProducerId:
      how === 'bump' ? record.producerId : how === 'force' ? -1 : record.lastProducerId,
    lastEpoch: how === 'bump' ? record.epoch : how === 'force' ? -1 : record.lastEpoch,
    nextProducerId,
    state: `prepare-${outcome}`,
    startedMs: record.startedMs >= 0 ? record.startedMs : nowMs,
    updatedMs: nowMs,
  };
}

/** The record once everything that takes part knows the outcome. */
export function completed(record: ProducerRecord, nowMs: number): ProducerRecord {
  const isReplaced = record.nextProducerId >= 0;
  return {
    ...record,
    producerId: isReplaced ? record.nextProducerId : record.producerId,
    epoch: isReplaced ? 0 : record.epoch,
    nextProducerId: -1,
    state: record.state === 'prepare-commit' ? 'complete-commit' : 'complete-abort',
    startedMs: -1,
    updatedMs: nowMs,
  };
}
