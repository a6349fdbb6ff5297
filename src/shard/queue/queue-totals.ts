import type { QueueState } from './queue-state.ts';
import type { QueueCounts, QueueSettings } from './types.ts';

/** What happened in a queue since this process opened it. */
export class QueueTotals {
  published = 0;
  delivered = 0;
  redelivered = 0;
  accepted = 0;
  released = 0;
  dead = 0;
}

/** Of the many queues in which nothing has happened yet. */
const noTotals: Readonly<QueueTotals> = Object.freeze(new QueueTotals());

/** `state` and `totals` are undefined where there is nothing; the oldest message is left to the caller. */
export function describeCounts(
  state: QueueState | undefined,
  totals: QueueTotals | undefined,
  nextOffset: number,
  consumers: number,
): QueueCounts {
  const { published, delivered, redelivered, accepted, released, dead } = totals ?? noTotals;
  return {
    ready: state?.readyCount(nextOffset) ?? 0,
    readyBytes: state?.readyBytes ?? 0,
    delayed: state?.delayedCount ?? 0,
    leased: state?.leasedCount ?? 0,
    leasedBytes: state?.leasedBytes ?? 0,
    damaged: state?.damagedCount ?? 0,
    consumers,
    published,
    delivered,
    redelivered,
    accepted,
    released,
    dead,
    oldestTimestampMs: undefined,
  };
}

/** What is above the length goes with the next round, and nobody gets it any more: it does not count as ready. */
export function leaveOutSurplus(
  counts: QueueCounts,
  { readyMax, readyBytesMax }: Pick<QueueSettings, 'readyMax' | 'readyBytesMax'>,
): void {
  if (readyMax >= 0) counts.ready = Math.min(counts.ready, readyMax);
  if (readyBytesMax >= 0) counts.readyBytes = Math.min(counts.readyBytes, readyBytesMax);
}
