import { limits } from '../../../base/index.ts';
import type { Queue } from '../../../broker/index.ts';
import type { PartitionQueue } from '../../../shard/index.ts';
import { errorCodes } from '../error-codes.ts';
import type { GroupConfigs } from '../group-configs.ts';
import type { ConnectionInfo } from '../handler.ts';
import { Refusal } from '../refusal.ts';
import { SharePart } from './share-part.ts';
import { ShareSession } from './share-session.ts';

export const initialEpoch = 0;
export const finalEpoch = -1;
const epochMax = 0x7fffffff;

/** The share sessions of a door, one for each member of a group, and the parts of queues that they fetch. */
export class ShareSessions {
  readonly #configs: GroupConfigs;
  readonly #sessions = new Map<string, ShareSession>();
  readonly #parts = new Map<PartitionQueue, SharePart>();
  readonly #unregister = new Map<ShareSession, () => void>();

  constructor(configs: GroupConfigs) {
    this.#configs = configs;
  }

  get count(): number {
    return this.#sessions.size;
  }

  close(): void {
    for (const session of this.#sessions.values()) this.#close(session);
  }

  /** A new session, in place of one that the member had. It ends with its connection. */
  open(connection: ConnectionInfo, groupId: string, memberId: string): ShareSession | Refusal {
    this.end(groupId, memberId);
    if (this.#sessions.size >= limits.shareSessionsMax) {
      return new Refusal(
        errorCodes.SHARE_SESSION_LIMIT_REACHED,
        `There are ${limits.shareSessionsMax} share sessions already.`,
      );
    }
    const session = new ShareSession(groupId, memberId);
    this.#sessions.set(sessionKey(groupId, memberId), session);
    const closed = (): void => this.#close(session);
    connection.onInterrupt(closed);
    this.#unregister.set(session, () => connection.offInterrupt(closed));
    return session;
  }

  /** The session of a request that carries `epoch`; it goes on to the next, unless this one ends it. */
  advance(groupId: string, memberId: string, epoch: number): ShareSession | Refusal {
    const session = this.#sessions.get(sessionKey(groupId, memberId));
    if (session === undefined) {
      return new Refusal(errorCodes.SHARE_SESSION_NOT_FOUND, 'The share session was not found.');
    }
    if (epoch === finalEpoch) return session;
    if (epoch !== session.epoch) {
      return new Refusal(
        errorCodes.INVALID_SHARE_SESSION_EPOCH,
        `The share session epoch is ${session.epoch}, not ${epoch}.`,
      );
    }
    session.epoch = epoch === epochMax ? 1 : epoch + 1;
    return session;
  }

  /** Ends a member's session, if it has one: what it has acquired is given back. */
  end(groupId: string, memberId: string): void {
    const session = this.#sessions.get(sessionKey(groupId, memberId));
    if (session !== undefined) this.#close(session);
  }

  /** The part of a queue's partition, which the session takes part in from now on. */
  join(session: ShareSession, queue: Queue, partition: PartitionQueue): SharePart {
    let part = this.#parts.get(partition);
    if (part === undefined) {
      part = new SharePart(queue, partition, (ended) => this.#forget(ended));
      this.#parts.set(partition, part);
      queue.attach(part, partition);
    }
    part.leaseMs = this.#configs.number(session.groupId, 'share.record.lock.duration.ms');
    part.locksMax = this.#configs.number(session.groupId, 'share.partition.max.record.locks');
    part.sessions.add(session);
    session.parts.set(partition, part);
    return part;
  }

  #close(session: ShareSession): void {
    if (session.isClosed) return;
    session.isClosed = true;
    this.#sessions.delete(sessionKey(session.groupId, session.memberId));
    this.#unregister.get(session)?.();
    this.#unregister.delete(session);
    for (const fetch of session.fetches) fetch.stop();
    for (const part of session.parts.values()) {
      part.giveBackAll(session);
      part.sessions.delete(session);
      if (part.sessions.size > 0 || part.isEnded) continue;
      this.#parts.delete(part.part);
      part.queue.detach(part, 'return');
    }
    session.parts.clear();
  }

  /** The queue is deleted, or its storage has failed. */
  #forget(part: SharePart): void {
    if (this.#parts.get(part.part) === part) this.#parts.delete(part.part);
    for (const session of part.sessions) {
      session.parts.delete(part.part);
      for (const entry of session.entries.values()) if (entry.part === part) entry.part = undefined;
    }
    part.sessions.clear();
  }
}

/** Ids may have any characters. */
function sessionKey(groupId: string, memberId: string): string {
  return `${groupId.length}:${groupId}:${memberId}`;
}
