import { BrokerError, limits } from '../../base/index.ts';
import {
  encodeId,
  encodePrepared,
  type Lease,
  type PartitionLog,
  type PartitionQueue,
  type PreparedOperations,
  type Settlement,
  transactionEntryKind,
  type TransactionId,
  transactionKey,
} from '../../shard/index.ts';
import type { ShardParts } from './shard-parts.ts';

/** The end of a delivery, by its lease. */
export interface LeaseSettlement {
  queue: PartitionQueue;
  lease: Lease;
  settlement: Settlement;
}

/** What a transaction does on one shard. */
export interface ShardOperations {
  parts: ShardParts;
  appends: Array<{ log: PartitionLog; bytes: Uint8Array }>;
  settlements: LeaseSettlement[];
}

/** Messages of one shard that a transaction has taken out of their consumers' hands. */
type Held = Array<{ queue: PartitionQueue; lease: Lease } | undefined>;

/**
 * Makes appends and settlements happen together or not at all, through crashes. On one shard they are one chunk. Over
 * several: every shard but one journals what it will do (`prepared`); when all have, the remaining one, the home,
 * journals the decision in one chunk with its own part; then the others do theirs, each in one chunk with the note that
 * it is done. What is prepared and not decided is undone: a home that does not know a transaction has not decided it.
 */
export class AtomicCommit {
  readonly #shards: readonly ShardParts[];
  /** Transactions of this process that may still be decided. */
  readonly #undecided = new Set<string>();
  /** By transaction and shard: what is held for what is prepared there, in the order of its settlements. */
  readonly #held = new Map<string, Held>();
  /** By transaction: parts whose chunk is under way. */
  readonly #applying = new Map<string, number>();
  #nextNumber = 1;
  #isOpen = false;

  constructor(shards: readonly ShardParts[]) {
    this.#shards = shards;
  }

  /** All shards are open: what a crash left is brought to its end. */
  start(): void {
    this.#isOpen = true;
    for (const parts of this.#shards) this.#holdPrepared(parts);
    this.#resolve();
  }

  /** A shard's state was taken over after a failure, in this turn: nothing was given out since. */
  adopt(parts: ShardParts): void {
    if (!this.#isOpen) return;
    this.#holdPrepared(parts);
    this.#resolve();
  }

  /**
   * Resolves when everything is durable. Rejects with what the first check says, then nothing has changed; with
   * lease-stale also when a lease ended meanwhile, and with storage-* when a shard failed: it is not known then whether
   * the transaction counts, but it does as a whole or not at all. Messages that it had settled are given out again.
   */
  async commit(operations: readonly ShardOperations[]): Promise<void> {
    for (const one of operations) this.#check(one);
    const [only] = operations;
    if (only === undefined) return;
    if (operations.length === 1) {
      await only.parts.shard.atomically(() => this.#do(only));
      return;
    }
    await this.#commitAcross(operations);
  }

  #check({ parts, appends, settlements }: ShardOperations): void {
    parts.shard.checkWritable();
    let bytes = 0;
    for (const append of appends) {
      append.log.checkAppend(append.bytes);
      bytes += append.bytes.length;
    }
    if (bytes > 0) parts.shard.checkPublish(bytes);
    for (const { queue, lease } of settlements)
      if (queue.isDropped || !queue.isLeased(lease)) throw new BrokerError('lease-stale');
  }

  async #commitAcross(operations: readonly ShardOperations[]): Promise<void> {
    const [home, ...others] = operations.toSorted((a, b) => bytesOf(b) - bytesOf(a));
    if (home === undefined) return;
    const id: TransactionId = {
      shard: home.parts.index,
      epoch: home.parts.shard.epoch,
      number: this.#nextNumber++,
    };
    const key = transactionKey(id);
    this.#checkRoom(home, others);
    for (const { queue, lease } of home.settlements) queue.hold(lease);
    this.#undecided.add(key);
    try {
      await this.#prepare(id, others);
      // The home may have failed and come back since: then its leases are gone, and nothing is decided yet.
      this.#checkHome(home);
    } catch (error) {
      this.#undecided.delete(key);
      this.#undo(id, home, others);
      throw error;
    }
    try {
      await home.parts.shard.atomically(() =>
        Promise.all([
          home.parts.shard.submit(transactionEntryKind.decided, encodeId(id)),
          this.#do(home),
        ]),
      );
    } finally {
      // Should this have failed, nobody knows until the home is recovered; then `adopt` looks at what it has.
      this.#undecided.delete(key);
    }
    await Promise.all(others.map(({ parts }) => this.#apply(parts, id).catch(ignoreFailure)));
    this.#finish(id);
  }

  #checkRoom(home: ShardOperations, others: readonly ShardOperations[]): void {
    let isFull = home.parts.table.decidedCount >= limits.transactionsDecidedMax;
    for (const other of others)
      isFull ||= other.parts.table.preparedBytes + bytesOf(other) > limits.preparedBytesMax;
    if (isFull || this.#undecided.size >= limits.transactionsDecidedMax)
      throw new BrokerError(
        'overloaded',
        'too many transactions over several shards are under way',
      );
  }

  async #prepare(id: TransactionId, others: readonly ShardOperations[]): Promise<void> {
    const prepared = others.map(({ parts, appends, settlements }) => {
      const operations: PreparedOperations = { appends: [], settlements: [] };
      for (const { log, bytes } of appends)
        operations.appends.push({ partition: log.number, bytes });
      const held: Held = [];
      for (const { queue, lease, settlement } of settlements) {
        const offset = queue.hold(lease);
        const { subscription } = queue;
        const partition = logOf(queue).number;
        operations.settlements.push({ partition, subscription, offset, settlement });
        held.push({ queue, lease });
      }
      this.#held.set(heldKey(transactionKey(id), parts), held);
      return parts.shard.submit(transactionEntryKind.prepared, encodePrepared(id, operations));
    });
    // All have answered before anything is undone: an entry that is under way must not come behind its own end.
    for (const answer of await Promise.allSettled(prepared))
      if (answer.status === 'rejected') throw answer.reason;
  }

  #checkHome({ parts, settlements }: ShardOperations): void {
    parts.shard.checkWritable();
    for (const { queue, lease } of settlements)
      if (queue.isDropped || !queue.isLeased(lease)) throw new BrokerError('lease-stale');
  }

  #undo(id: TransactionId, home: ShardOperations, others: readonly ShardOperations[]): void {
    for (const { queue, lease } of home.settlements) giveBack(queue, lease);
    for (const { parts } of others) this.#discard(parts, id);
  }

  /** Does a shard's part now; within `atomically`. */
  #do({ appends, settlements }: ShardOperations): Promise<unknown> {
    const durable: Array<Promise<unknown>> = [];
    for (const { log, bytes } of appends) durable.push(log.appendDecided(bytes));
    const queues = new Set<PartitionQueue>();
    for (const { queue, lease, settlement } of settlements) {
      settle(queue, lease, settlement);
      queues.add(queue);
    }
    for (const queue of queues) durable.push(queue.settled());
    return Promise.all(durable);
  }

  /** Does what was prepared on a shard; resolves when that is durable. */
  async #apply(parts: ShardParts, id: TransactionId): Promise<void> {
    const prepared = parts.table.findPrepared(id);
    // A shard that fails takes it up again when it is recovered.
    if (prepared === undefined || !parts.shard.isCertain) return;
    const key = transactionKey(id);
    const held = this.#held.get(heldKey(key, parts)) ?? [];
    this.#held.delete(heldKey(key, parts));
    const logs = new Map([...parts.shard.logs()].map((log) => [log.number, log]));
    this.#applying.set(key, (this.#applying.get(key) ?? 0) + 1);
    try {
      await parts.shard.atomically(() => {
        const durable = [parts.shard.submit(transactionEntryKind.unprepared, encodeId(id))];
        for (const { partition, bytes } of prepared.operations.appends) {
          const log = logs.get(partition);
          if (log !== undefined) durable.push(log.appendDecided(bytes));
        }
        for (const [index, { settlement }] of prepared.operations.settlements.entries()) {
          const message = held[index];
          // A queue that is gone, or was purged, has nothing left to settle.
          if (message !== undefined) settle(message.queue, message.lease, settlement);
        }
        return Promise.all(durable);
      });
    } finally {
      const left = (this.#applying.get(key) ?? 1) - 1;
      if (left > 0) this.#applying.set(key, left);
      else this.#applying.delete(key);
    }
  }

  /** Forgets what was prepared on a shard and gives its messages back. */
  #discard(parts: ShardParts, id: TransactionId): void {
    const key = heldKey(transactionKey(id), parts);
    for (const message of this.#held.get(key) ?? [])
      if (message !== undefined) giveBack(message.queue, message.lease);
    this.#held.delete(key);
    if (parts.table.findPrepared(id) === undefined || !parts.shard.isCertain) return;
    // Should this be lost, the next recovery comes to the same end.
    parts.shard.submit(transactionEntryKind.unprepared, encodeId(id)).catch(ignoreFailure);
  }

  /** Nobody gets the messages that a prepared transaction settles. */
  #holdPrepared(parts: ShardParts): void {
    for (const { id, operations } of parts.table.prepared()) {
      const held = operations.settlements.map(({ partition, subscription, offset }) => {
        const log = parts.shard.findLog(partition);
        const queue = log === undefined ? undefined : parts.queues.find(log, subscription);
        const lease = queue?.holdOffset(offset);
        return queue === undefined || lease === undefined ? undefined : { queue, lease };
      });
      this.#held.set(heldKey(transactionKey(id), parts), held);
    }
  }

  /** Brings to its end what is prepared and decided, or will never be. */
  #resolve(): void {
    for (const parts of this.#shards) {
      for (const { id } of parts.table.prepared()) this.#resolveOne(parts, id);
    }
    for (const parts of this.#shards) {
      for (const id of parts.table.decided()) this.#finish(id);
    }
  }

  #resolveOne(parts: ShardParts, id: TransactionId): void {
    const home = this.#shards[id.shard];
    const isOpen = this.#undecided.has(transactionKey(id));
    if (home === undefined || isOpen || !home.shard.isCertain || !parts.shard.isCertain) return;
    if (!home.table.isDecided(id)) this.#discard(parts, id);
    else {
      this.#apply(parts, id).then(() => this.#finish(id), ignoreFailure);
    }
  }

  /** Forgets a decision once everybody has done, durably, what it says. */
  #finish(id: TransactionId): void {
    const home = this.#shards[id.shard];
    const key = transactionKey(id);
    if (home?.table.isDecided(id) !== true || this.#undecided.has(key) || this.#applying.has(key))
      return;
    for (const { shard, table } of this.#shards) {
      // A shard that failed may come back with what it had prepared, and ask.
      if (!shard.isCertain || table.findPrepared(id) !== undefined) return;
    }
    home.shard.submit(transactionEntryKind.finished, encodeId(id)).catch(ignoreFailure);
  }
}

function settle(queue: PartitionQueue, lease: Lease, settlement: Settlement): void {
  if (settlement.kind === 'accept') queue.accept(lease);
  else if (settlement.kind === 'release') queue.release(lease, settlement.options);
  else queue.reject(lease, settlement.reason);
}

function giveBack(queue: PartitionQueue, lease: Lease): void {
  if (!queue.isDropped) queue.release(lease, { isFailure: false, delayMs: 0 });
}

/** Every partition of a queue is a log of a shard of this process. */
function logOf(queue: PartitionQueue): PartitionLog {
  return queue.partition as PartitionLog;
}

function bytesOf({ appends }: ShardOperations): number {
  let bytes = 0;
  for (const append of appends) bytes += append.bytes.length;
  return bytes;
}

function heldKey(key: string, parts: ShardParts): string {
  return `${key}/${parts.index}`;
}

/** The shard has failed: its recovery goes on from what is stored. */
function ignoreFailure(error: unknown): void {
  if (!(error instanceof BrokerError)) throw error;
}
