import type { Clock, Random } from '../../base/index.ts';
import { errorCodes } from './error-codes.ts';
import type { RequestOf } from './wire/index.ts';

type FetchRequest = RequestOf<'Fetch'>;

/** One partition of a fetch, and in a session what the client was told last. */
export interface FetchEntry {
  /** Empty from version 13 on. */
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  fetchOffset: number;
  bytesMax: number;
  currentLeaderEpoch: number;
  lastFetchedEpoch: number;
  /** -1: nothing yet, or an error. */
  sentHighWatermark: number;
  sentLogStart: number;
}

/** The partitions that one client fetches, remembered so that it need not name them each time (KIP-227). */
export interface FetchSession {
  readonly id: number;
  /** What the next request must carry. */
  epoch: number;
  readonly usesTopicIds: boolean;
  lastUsedMs: number;
  /** In the order in which they are read; who got something goes to the end. */
  readonly entries: Map<string, FetchEntry>;
}

/** What one request fetches. */
export interface FetchPlan {
  readonly errorCode: number;
  readonly entries: FetchEntry[];
  readonly session: FetchSession | undefined;
  /** Only what has changed is answered. */
  readonly isIncremental: boolean;
}

export interface FetchSessionLimits {
  /** Sessions kept; when all are in use, clients are served without one. */
  readonly sessionsMax: number;
  /** Partitions of all sessions together. */
  readonly partitionsMax: number;
  /** A session that was not used for this long makes room for another. */
  readonly evictionMs: number;
}

const defaultLimits: FetchSessionLimits = {
  sessionsMax: 1000,
  partitionsMax: 200_000,
  evictionMs: 120_000,
};

const initialEpoch = 0;
const finalEpoch = -1;
const epochMax = 0x7fffffff;

/** The sessions of a door, least recently used first. */
export class FetchSessions {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #limits: FetchSessionLimits;
  readonly #sessions = new Map<number, FetchSession>();
  #partitionCount = 0;

  constructor(clock: Clock, random: Random, limits: Partial<FetchSessionLimits> = {}) {
    this.#clock = clock;
    this.#random = random;
    this.#limits = { ...defaultLimits, ...limits };
  }

  get count(): number {
    return this.#sessions.size;
  }

  get partitionCount(): number {
    return this.#partitionCount;
  }

  /** Finds, makes, changes or ends the session that the request speaks of, and says what is to be fetched. */
  plan(request: FetchRequest, version: number): FetchPlan {
    const { sessionId, sessionEpoch } = request;
    const usesTopicIds = version >= 13;
    if (sessionEpoch === initialEpoch || sessionEpoch === finalEpoch) {
      if (sessionId !== 0) this.#remove(sessionId);
      const entries = listEntries(request, usesTopicIds);
      const session =
        sessionEpoch === initialEpoch ? this.#create(entries, usesTopicIds) : undefined;
      return { errorCode: errorCodes.NONE, entries, session, isIncremental: false };
    }
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return refused(errorCodes.FETCH_SESSION_ID_NOT_FOUND);
    if (session.epoch !== sessionEpoch) return refused(errorCodes.INVALID_FETCH_SESSION_EPOCH);
    if (session.usesTopicIds !== usesTopicIds) {
      return refused(errorCodes.FETCH_SESSION_TOPIC_ID_ERROR);
    }
    session.epoch = nextEpoch(session.epoch);
    session.lastUsedMs = this.#clock.monotonicMs();
    this.#sessions.delete(sessionId);
    this.#sessions.set(sessionId, session);
    this.#change(session, request);
    return {
      errorCode: errorCodes.NONE,
      entries: [...session.entries.values()],
      session,
      isIncremental: true,
    };
  }

  #create(entries: readonly FetchEntry[], usesTopicIds: boolean): FetchSession | undefined {
    const byKey = new Map<string, FetchEntry>();
    for (const entry of entries) byKey.set(keyOf(entry, usesTopicIds), entry);
    // A request that names a partition twice is answered as it stands, without a session.
    if (byKey.size === 0 || byKey.size !== entries.length) return undefined;
    if (!this.#makeRoom(byKey.size)) return undefined;
    let id = this.#random.nextInt(epochMax) + 1;
    while (this.#sessions.has(id)) id = this.#random.nextInt(epochMax) + 1;
    const session: FetchSession = {
      id,
      epoch: nextEpoch(initialEpoch),
      usesTopicIds,
      lastUsedMs: this.#clock.monotonicMs(),
      entries: byKey,
    };
    this.#sessions.set(id, session);
    this.#partitionCount += byKey.size;
    return session;
  }

  #makeRoom(partitions: number): boolean {
    const { sessionsMax, partitionsMax, evictionMs } = this.#limits;
    const nowMs = this.#clock.monotonicMs();
    for (const [id, session] of this.#sessions) {
      const hasRoom =
        this.#sessions.size < sessionsMax && this.#partitionCount + partitions <= partitionsMax;
      if (hasRoom || nowMs - session.lastUsedMs < evictionMs) break;
      this.#remove(id);
    }
    return this.#sessions.size < sessionsMax && this.#partitionCount + partitions <= partitionsMax;
  }

  #remove(id: number): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    this.#sessions.delete(id);
    this.#partitionCount -= session.entries.size;
  }

  #change(session: FetchSession, request: FetchRequest): void {
    const { entries, usesTopicIds } = session;
    const before = entries.size;
    for (const entry of listEntries(request, usesTopicIds)) {
      const key = keyOf(entry, usesTopicIds);
      const known = entries.get(key);
      if (known === undefined) {
        if (this.#partitionCount + entries.size - before < this.#limits.partitionsMax) {
          entries.set(key, entry);
        }
      } else {
        known.fetchOffset = entry.fetchOffset;
        known.bytesMax = entry.bytesMax;
        known.currentLeaderEpoch = entry.currentLeaderEpoch;
        known.lastFetchedEpoch = entry.lastFetchedEpoch;
      }
    }
    for (const { topic, topicId, partitions } of request.forgottenTopicsData) {
      for (const partition of partitions) {
        entries.delete(keyOf({ topic, topicId, partition }, usesTopicIds));
      }
    }
    this.#partitionCount += entries.size - before;
  }
}

/** Puts an entry behind the others, so that each gets its turn when not all fit into one response. */
export function moveToEnd(session: FetchSession, entry: FetchEntry): void {
  const key = keyOf(entry, session.usesTopicIds);
  // It may have been forgotten by a request that came meanwhile.
  if (session.entries.delete(key)) session.entries.set(key, entry);
}

function refused(errorCode: number): FetchPlan {
  return { errorCode, entries: [], session: undefined, isIncremental: false };
}

function nextEpoch(epoch: number): number {
  return epoch === epochMax ? 1 : epoch + 1;
}

function keyOf(
  entry: { topic: string; topicId: string; partition: number },
  usesTopicIds: boolean,
): string {
  return usesTopicIds ? `${entry.topicId}:${entry.partition}` : `${entry.topic}:${entry.partition}`;
}

function listEntries(request: FetchRequest, usesTopicIds: boolean): FetchEntry[] {
  const entries: FetchEntry[] = [];
  for (const { topic, topicId, partitions } of request.topics) {
    for (const asked of partitions) {
      entries.push({
        topic: usesTopicIds ? '' : topic,
        topicId,
        partition: asked.partition,
        fetchOffset: asked.fetchOffset,
        bytesMax: asked.partitionMaxBytes,
        currentLeaderEpoch: asked.currentLeaderEpoch,
        lastFetchedEpoch: asked.lastFetchedEpoch,
        sentHighWatermark: -1,
        sentLogStart: -1,
      });
    }
  }
  return entries;
}
