import type { Queue } from '../../../broker/index.ts';
import type { Lease, PartitionQueue, QueueConsumer, QueueMessage } from '../../../shard/index.ts';
import { acknowledgeTypes } from './acknowledgements.ts';
import type { ShareSession } from './share-session.ts';

/** A fetch that waits for records. */
export interface ShareTaker {
  readonly session: ShareSession;
  wants(part: SharePart): boolean;
  /** `batchEnd`: the offset behind the batch that the record lies in. */
  take(part: SharePart, offset: number, deliveries: number, bytes: number, batchEnd: number): void;
  /** Whether it would take that record, which is the next one. */
  fits(part: SharePart, offset: number): boolean;
  /** A round of deliveries is over, and it got some. */
  taken(): void;
  /** The part can give nothing any more. */
  partEnded(): void;
}

/** Timed-out records are forgotten when there are this many of them. */
const sweepMin = 64;
/** Kafka's field has 16 bits. */
const deliveriesMax = 0x7fff;

/**
 * One partition of a share group: one consumer of the queue for all members of the group, so that each of them gets
 * stretches of records that lie together instead of every second one. Knows who has acquired what.
 */
export class SharePart implements QueueConsumer {
  readonly priority = 0;
  readonly isAutoSettled = false;
  /** How long a record is acquired for; set before each fetch. */
  leaseMs = 30_000;
  /** Records that may be acquired at once. */
  locksMax = 2000;
  readonly queue: Queue;
  readonly part: PartitionQueue;
  readonly sessions = new Set<ShareSession>();
  isEnded = false;
  readonly #onEnd: (part: SharePart) => void;
  readonly #takers: ShareTaker[] = [];
  #taker: ShareTaker | undefined;
  readonly #served = new Set<ShareTaker>();
  /** By offset: the lease, and whose it is. Leases that have run out stay until they are swept. */
  readonly #leases = new Map<number, Lease>();
  readonly #holders = new Map<number, ShareSession>();
  #staleCount = 0;

  constructor(queue: Queue, part: PartitionQueue, onEnd: (part: SharePart) => void) {
    this.queue = queue;
    this.part = part;
    this.#onEnd = onEnd;
  }

  /** Records that are acquired, and some whose time is over. */
  get heldCount(): number {
    return this.#leases.size;
  }

  // Fetching

  wait(taker: ShareTaker): void {
    this.#takers.push(taker);
    this.part.resume();
  }

  leave(taker: ShareTaker): void {
    const at = this.#takers.indexOf(taker);
    if (at >= 0) this.#takers.splice(at, 1);
    this.#served.delete(taker);
    if (this.#taker === taker) this.#taker = undefined;
  }

  // QueueConsumer

  wants(): boolean {
    this.#taker = undefined;
    if (this.#takers.length === 0) return false;
    if (this.#leases.size >= this.locksMax) {
      this.#sweep();
      if (this.#leases.size >= this.locksMax) return false;
    }
    // Whoever has waited longest is filled first.
    for (const taker of this.#takers) {
      if (!taker.wants(this)) continue;
      this.#taker = taker;
      return true;
    }
    return false;
  }

  take(message: QueueMessage, lease: Lease): void {
    const taker = this.#taker;
    if (taker?.fits(this, message.offset) !== true) {
      this.part.release(lease, { delayMs: 0, isFailure: false });
      return;
    }
    const { offset } = message;
    this.#leases.set(offset, lease);
    this.#holders.set(offset, taker.session);
    const bytes =
      Math.max(message.keyBytes, 0) + Math.max(message.valueBytes, 0) + message.headersBytes;
    const deliveries = Math.min(message.failures + 1, deliveriesMax);
    taker.take(this, offset, deliveries, bytes, message.batchEnd ?? offset + 1);
    this.#served.add(taker);
  }

  taken(): void {
    for (const taker of this.#served) taker.taken();
    this.#served.clear();
  }

  leaseExpired(): void {
    this.#staleCount += 1;
    if (this.#staleCount >= sweepMin && this.#staleCount * 2 >= this.#leases.size) this.#sweep();
    this.#resumeIfWanted();
  }

  detached(): void {
    this.isEnded = true;
    this.#leases.clear();
    this.#holders.clear();
    this.#onEnd(this);
    for (const taker of this.#takers.splice(0)) taker.partEnded();
  }

  // Settling

  /** Whether the session has acquired every record from `first` to `last`, as far as they are not settled already. */
  holds(session: ShareSession, first: number, last: number): boolean {
    const from = Math.max(first, this.part.settledOffset);
    // Ranges come from the client, and may be of any length.
    if (last - from >= this.#leases.size) return false;
    for (let offset = from; offset <= last; offset += 1) {
      const lease = this.#leases.get(offset);
      if (lease === undefined || this.#holders.get(offset) !== session) return false;
      if (!this.part.isLeased(lease)) return false;
    }
    return true;
  }

  /** Does to a record what its consumer says of it; nothing when the session does not have it. */
  acknowledge(session: ShareSession, offset: number, type: number): void {
    const lease = this.#leases.get(offset);
    if (lease === undefined || this.#holders.get(offset) !== session) return;
    if (type === acknowledgeTypes.renew) {
      this.part.extend(lease, this.leaseMs);
      return;
    }
    this.#forget(offset);
    if (type === acknowledgeTypes.release) {
      this.part.release(lease, { delayMs: 0, isFailure: true });
    } else if (type === acknowledgeTypes.reject) this.part.reject(lease, 'rejected');
    // What is a gap to the client is done with.
    else this.part.accept(lease);
  }

  /** Records that were acquired and never reached the client, or whose client has gone: they do not count as failures. */
  giveBack(session: ShareSession, offsets: readonly number[]): void {
    for (const offset of offsets) {
      const lease = this.#leases.get(offset);
      if (lease === undefined || this.#holders.get(offset) !== session) continue;
      this.#forget(offset);
      this.part.release(lease, { delayMs: 0, isFailure: false });
    }
    this.#resumeIfWanted();
  }

  /** Gives back all that a session has acquired. */
  giveBackAll(session: ShareSession): void {
    const offsets: number[] = [];
    for (const [offset, holder] of this.#holders) if (holder === session) offsets.push(offset);
    this.giveBack(session, offsets);
  }

  /** Somebody may wait because too much was acquired. */
  settledSome(): void {
    this.#resumeIfWanted();
  }

  #resumeIfWanted(): void {
    if (this.#takers.length > 0 && !this.isEnded) this.part.resume();
  }

  #forget(offset: number): void {
    this.#leases.delete(offset);
    this.#holders.delete(offset);
  }

  #sweep(): void {
    if (this.#staleCount === 0) return;
    this.#staleCount = 0;
    for (const [offset, lease] of this.#leases) {
      if (!this.part.isLeased(lease)) this.#forget(offset);
    }
  }
}
