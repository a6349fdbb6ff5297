import type { Clock, Random } from '../../base/index.ts';
import type { LiveQueue } from './live-queue.ts';
import type { QueueChanges } from './queue-changes.ts';
import type { ReadAheadBudget } from './read-ahead.ts';
import type { QueueEvents, QueueMessage, QueueSettings } from './types.ts';

/** What a queue asks of its table. */
export interface QueueHome {
  readonly clock: Clock;
  readonly random: Random;
  readonly events: QueueEvents;
  readonly readAhead: ReadAheadBudget;
  /** Where the serial numbers of a queue's leases begin, by chance. */
  serial(): number;
  /** The storage has failed: what changes now will be forgotten. */
  readonly isLost: boolean;
  /** So much waits for the journal that nothing more may be given out. */
  readonly isClogged: boolean;
  compileFilter(filter: NonNullable<QueueSettings['filter']>): (message: QueueMessage) => boolean;
  /** Where the queue's changes are gathered until the next chunk. */
  openChanges(queue: LiveQueue): QueueChanges;
  /** Settlements that nobody waits for were noted: they go with the next chunk, or one that begins very soon. */
  ride(): void;
  /** A round soon. */
  schedule(queue: LiveQueue): void;
  /** A round when there is room in the journal again. */
  awaitRoom(queue: LiveQueue): void;
  /** `wake` at that time (ms since the epoch), or before. */
  arm(queue: LiveQueue, atMs: number): void;
  /** It keeps a stretch of its log in memory, or has let go of it. */
  noteWindow(queue: LiveQueue, isKept: boolean, unpackedBytes: number): void;
  whenSettled(queue: LiveQueue): Promise<void>;
  /** It has damaged messages, or has none any more. */
  noteDamage(queue: LiveQueue, isDamaged: boolean): void;
  /** Its partition is gone. */
  forget(queue: LiveQueue): void;
  /** Everything is settled, and much of the log could go. */
  noteEmptied(): void;
}
