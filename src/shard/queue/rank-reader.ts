import { limits } from '../../base/index.ts';
import { Schedule } from '../../message/index.ts';
import type { PartitionLog } from '../partition-log.ts';
import type { LiveQueue } from './live-queue.ts';
import { isDamage, isDeleted, MessageView, MessageWindow } from './message-window.ts';
import type { QueueState } from './queue-state.ts';

const readBytes = 256 * 1024;

/**
 * Messages of the queue that are given out again from `from` on have the priority that they had: their headers say it.
 * `note` is told the runs (first offset, count, rank) of those with another priority than the usual one.
 */
export async function restoreRanks(
  queue: LiveQueue,
  from: number,
  state: QueueState,
  note: (runs: readonly number[]) => void,
  to = state.ingested,
): Promise<void> {
  const usual = state.rankOf(-1);
  // What has just been purged may be on its way to the disk.
  await queue.settled();
  await readPriorities(queue.partition, from, to, async (runs) => {
    const ranked: number[] = [];
    for (let at = 0; at < runs.length; at += 3) {
      const rank = state.rankOf(runs[at + 2]!);
      if (rank !== usual) ranked.push(runs[at]!, runs[at + 1]!, rank);
    }
    // A recovery has put another state in its place, or the queue is gone.
    if (queue.state !== state || queue.isDropped) return false;
    if (ranked.length === 0) return true;
    for (let at = 0; at < ranked.length; at += 3)
      state.rankRun(ranked[at]!, ranked[at + 1]!, ranked[at + 2]!);
    note(ranked);
    await queue.settled();
    return queue.state === state && !queue.isDropped;
  });
}

/**
 * Reads the priorities of the messages between two offsets, a stretch at a time: runs of first offset, count and
 * priority (−1: none), some thousands at most. Messages that are gone or damaged are passed over. Rejects where the log
 * cannot be read now. All must be durable.
 */
async function readPriorities(
  log: PartitionLog,
  from: number,
  to: number,
  take: (runs: number[]) => Promise<boolean>,
): Promise<void> {
  // What an open transaction holds back has its place in the order too.
  const window = new MessageWindow(log, readBytes, false);
  const view = new MessageView();
  const schedule = new Schedule();
  let runs: number[] = [];
  for (let offset = from; offset < to; ) {
    const sight = window.seek(offset);
    if (sight === 'away') {
      if (runs.length > 0 && !(await take(runs))) return;
      runs = [];
      try {
        await window.load(offset);
      } catch (error) {
        const damage = isDamage(error) ? await log.findDamage(offset) : undefined;
        if (damage !== undefined) {
          offset = damage.end;
          continue;
        }
        if (!isDeleted(error) || log.isDropped || log.logStartOffset <= offset) throw error;
        offset = log.logStartOffset;
        continue;
      }
      // Nothing is there, and nothing will be.
      if (window.seek(offset) === 'away') offset++;
      continue;
    }
    if (sight === 'here') {
      window.show(view);
      schedule.read(view.bytes, view.headersAt, view.headerCount);
      noteRun(runs, offset, schedule.priority);
      if (runs.length >= limits.queueRankRunsMax * 3) {
        if (!(await take(runs))) return;
        runs = [];
      }
    }
    offset++;
  }
  if (runs.length > 0) await take(runs);
}

function noteRun(runs: number[], offset: number, priority: number): void {
  const last = runs.length - 3;
  // `!`: the list holds whole runs.
  const end = last < 0 ? -1 : runs[last]! + runs[last + 1]!;
  if (end === offset && runs[last + 2] === priority) runs[last + 1]!++;
  else runs.push(offset, 1, priority);
}
