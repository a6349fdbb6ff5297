import { BrokerError } from '../../base/index.ts';
import type { OpenRuns } from '../transaction/index.ts';
import type { LiveQueue } from './live-queue.ts';
import { averageBytes, purgeableBytes } from './queue-bytes.ts';
import type { QueueState } from './queue-state.ts';
import { restoreRanks } from './rank-reader.ts';
import { emptyRuns, purgeBefore, rewindTo } from './state-sweep.ts';

/** What cannot be read now is tried again after this. */
const readRetryMs = 1000;

/** See `PartitionQueue.purge`. */
export function purgeQueue(queue: LiveQueue, isWhole: boolean): Promise<number> {
  const { state, partition } = queue;
  const leased = isWhole ? queue.settling.purgeLeases() : 0;
  const undecided = queue.settings.givesUncommitted
    ? undefined
    : partition.transactions?.findUndecided(state.ingested);
  const bytes = Math.max(0, purgeableBytes(state, partition) - (undecided?.bodyBytes ?? 0));
  let count: number;
  if (undecided === undefined || undecided.runs.length === 0) {
    queue.dispatcher?.consumers.forgetAside();
    count = purgeBefore(state, state.ingested, bytes);
    queue.note().notePurged(state.ingested, bytes);
  } else {
    // What is not committed is no message yet.
    const runs = runsBetween(state.settled.floor, undecided.runs, state.ingested);
    queue.dispatcher?.consumers.recallAside();
    count = emptyRuns(state, runs, bytes);
    queue.note().noteEmptied(runs, bytes);
  }
  queue.noteDamage();
  queue.noteIfEmptied();
  if (isWhole && state.dedup !== undefined) {
    state.dedup = undefined;
    queue.note().noteForgotten();
  }
  return queue.settled().then(() => count + leased);
}

/** What lies from `from` on before `end`, in and between the runs that are left out. */
function runsBetween(from: number, leftOut: readonly number[], end: number): number[] {
  const runs: number[] = [];
  let next = from;
  // `!`: runs are whole.
  for (let at = 0; at < leftOut.length; at += 2) {
    if (leftOut[at]! > next) runs.push(next, leftOut[at]!);
    next = Math.max(next, leftOut[at + 1]!);
  }
  if (next < end) runs.push(next, end);
  return runs;
}

/** A transaction has ended: its marker is no message, nor is what lies where it was aborted, if that is told. */
export function dropEnded(
  queue: LiveQueue,
  markerOffset: number,
  aborted: OpenRuns | undefined,
): void {
  const { state } = queue;
  const runs: number[] = [];
  let total = 0;
  let left = 0;
  const bounds = aborted?.bounds ?? [];
  for (let at = 0; at < bounds.length; at += 2) {
    const from = bounds[at]!;
    const end = bounds[at + 1]!;
    total += end - from;
    left += state.unsettledIn(from, end);
    if (end > state.settled.floor) runs.push(Math.max(from, state.settled.floor), end);
  }
  if (markerOffset >= state.settled.floor) runs.push(markerOffset, markerOffset + 1);
  if (runs.length === 0) return;
  const bytes = total === 0 ? 0 : Math.floor(((aborted?.bodyBytes ?? 0) * left) / total);
  emptyRuns(state, runs, bytes);
  queue.note().noteEmptied(runs, bytes);
  queue.home.ride();
  queue.noteIfEmptied();
}

/** See `PartitionQueue.retryDamaged`. */
export function retryDamaged(queue: LiveQueue): Promise<number> {
  const { state } = queue;
  if (state.damaged === undefined) return queue.settled().then(() => 0);
  const bytes = state.damaged.count * averageBytes(queue.partition);
  const count = state.retryDamaged(bytes);
  queue.note().noteRetried(bytes);
  queue.dispatcher?.forgetDamage();
  queue.noteDamage();
  queue.schedule();
  return queue.settled().then(() => count);
}

/** See `PartitionQueue.rewind`. */
export async function rewindQueue(queue: LiveQueue, offset: number): Promise<void> {
  const { state, partition } = queue;
  const target = Math.max(offset, partition.logStartOffset);
  if (target < state.ingested) {
    const damaged = state.damaged?.countFrom(target) ?? 0;
    const again = state.settled.countIn(target, state.ingested) + damaged;
    const bytes = again * averageBytes(partition);
    rewindTo(state, target, bytes);
    queue.note().noteRewound(target, bytes);
    // It may have been repaired.
    queue.dispatcher?.forgetDamage();
    queue.noteDamage();
    if (queue.form.priorityMax > 0) await rankAgain(queue, target, state);
    queue.schedule();
  }
  await queue.settled();
}

/**
 * What was in the log before the queue was made, and is durable when that is, takes its place in the order by its priority;
 * nothing is given out until it has. Done again after a restart, for nobody knows how far it had come. What cannot be read now is tried again.
 */
export async function rankHistory(queue: LiveQueue, durable: Promise<void>): Promise<void> {
  const { state } = queue;
  queue.rewinds++;
  try {
    // Where it never is, a recovery begins anew, or the queue is gone.
    await durable.catch(() => undefined);
    while (queue.state === state && !queue.isDropped && state.hasHistory) {
      try {
        await restoreRanks(
          queue,
          state.settled.floor,
          state,
          (runs) => queue.note().noteRanked(runs),
          state.historyEnd,
        );
        return;
      } catch (error) {
        if (!(error instanceof BrokerError)) throw error;
        // A recovery begins anew.
        if (queue.home.isLost) return;
        await new Promise<void>((resolve) => queue.home.clock.setTimer(readRetryMs, resolve));
      }
    }
  } finally {
    queue.rewinds--;
    queue.schedule();
  }
}

async function rankAgain(queue: LiveQueue, from: number, state: QueueState): Promise<void> {
  queue.rewinds++;
  try {
    await restoreRanks(queue, from, state, (runs) => queue.note().noteRanked(runs));
  } finally {
    queue.rewinds--;
    queue.schedule();
  }
}
