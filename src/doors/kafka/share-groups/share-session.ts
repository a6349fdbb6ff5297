import { limits } from '../../../base/index.ts';
import type { Queue } from '../../../broker/index.ts';
import type { PartitionQueue } from '../../../shard/index.ts';
import type { SharePart } from './share-part.ts';

/** One partition that a session fetches. */
export interface ShareEntry {
  readonly topicId: string;
  readonly partition: number;
  /** Undefined until it was fetched once, and after its queue has ended. */
  part: SharePart | undefined;
}

/** A fetch of the session that is under way. */
export interface ShareFetchInProgress {
  stop(): void;
}

/** What one member of a share group fetches from this broker, remembered between its requests (KIP-932). */
export class ShareSession {
  readonly groupId: string;
  readonly memberId: string;
  /** What the next request must carry. */
  epoch = 1;
  isClosed = false;
  /** In the order in which they are served; who got something goes to the end. */
  readonly entries = new Map<string, ShareEntry>();
  /** Parts in which it may have acquired something, also of partitions that it fetches no more. */
  readonly parts = new Map<PartitionQueue, SharePart>();
  readonly fetches = new Set<ShareFetchInProgress>();

  constructor(groupId: string, memberId: string) {
    this.groupId = groupId;
    this.memberId = memberId;
  }

  add(topicId: string, partition: number): void {
    const key = entryKey(topicId, partition);
    if (this.entries.size >= limits.shareSessionPartitionsMax) return;
    if (!this.entries.has(key)) this.entries.set(key, { topicId, partition, part: undefined });
  }

  remove(topicId: string, partition: number): void {
    this.entries.delete(entryKey(topicId, partition));
  }

  /** Puts an entry behind the others, so that each gets its turn when not all fit into one response. */
  moveToEnd(entry: ShareEntry): void {
    const key = entryKey(entry.topicId, entry.partition);
    // It may have been forgotten by a request that came meanwhile.
    if (this.entries.delete(key)) this.entries.set(key, entry);
  }

  /** The part of a queue's partition in which it has acquired records. */
  findPart(queue: Queue | undefined, partition: number): SharePart | undefined {
    const part = queue?.parts[partition];
    return part === undefined ? undefined : this.parts.get(part);
  }
}

function entryKey(topicId: string, partition: number): string {
  return `${topicId}:${partition}`;
}
