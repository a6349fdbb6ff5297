import type { PartitionLog } from '../partition-log.ts';
import type { QueueState } from './queue-state.ts';
import { trimBefore } from './state-sweep.ts';

/** Body bytes of a message that is ready, on average. */
export function averageReadyBytes(state: QueueState, log: PartitionLog): number {
  const count = state.readyCount(log.nextOffset);
  return count === 0 ? 0 : Math.floor(state.readyBytes / count);
}

/** Bytes of a record, on average. */
export function averageBytes({ sizeBytes, highWatermark, logStartOffset }: PartitionLog): number {
  const count = highWatermark - logStartOffset;
  return count <= 0 ? 0 : Math.floor(sizeBytes / count);
}

/** Body bytes of what is ingested and not leased. */
export function purgeableBytes(state: QueueState, log: PartitionLog): number {
  let waiting = 0;
  for (const batch of log.waiting) waiting += Math.max(batch.bodyBytes, 0);
  return Math.max(0, state.unsettledBytes - state.leasedBytes - waiting);
}

/**
 * Takes the state along to where the log begins; what is gone had as many bytes as others, nobody knows better. Returns how
 * many that were.
 */
export function trimState(state: QueueState, log: PartitionLog): number {
  const { unsettledBytes } = state;
  const before = state.readyCount(log.nextOffset) + state.delayedCount;
  const average = before === 0 ? 0 : purgeableBytes(state, log) / before;
  const { leasedBytes, leasedCount } = state;
  const count = trimBefore(state, log.logStartOffset) - (leasedCount - state.leasedCount);
  const gone = leasedBytes - state.leasedBytes + Math.floor(count * average);
  state.spendBytes(Math.min(gone, state.unsettledBytes));
  if (state.readyCount(log.nextOffset) + state.delayedCount + state.leasedCount === 0)
    state.unsettledBytes = 0;
  return unsettledBytes - state.unsettledBytes;
}
