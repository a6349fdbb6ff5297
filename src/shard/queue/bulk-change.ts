import type { LiveQueue } from './live-queue.ts';
import { averageBytes, purgeableBytes } from './queue-bytes.ts';
import type { QueueState } from './queue-state.ts';
import { restoreRanks } from './rank-reader.ts';

/** See `PartitionQueue.purge`. */
export function purgeQueue(queue: LiveQueue, isWhole: boolean): Promise<number> {
  const { state } = queue;
  const leased = isWhole ? queue.settling.purgeLeases() : 0;
  const bytes = purgeableBytes(state, queue.partition);
  queue.dispatcher?.consumers.forgetAside();
  const count = state.purge(state.ingested, bytes);
  queue.note().notePurged(state.ingested, bytes);
  queue.noteDamage();
  queue.noteIfEmptied();
  if (isWhole && state.dedup !== undefined) {
    state.dedup = undefined;
    queue.note().noteForgotten();
  }
  return queue.settled().then(() => count + leased);
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
    state.rewind(target, bytes);
    queue.note().noteRewound(target, bytes);
    // It may have been repaired.
    queue.dispatcher?.forgetDamage();
    queue.noteDamage();
    if (queue.form.priorityMax > 0) await rankAgain(queue, target, state);
    queue.schedule();
  }
  await queue.settled();
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
