import { BrokerError, limits } from '../../base/index.ts';
import { RecordBatchBuilder } from '../../bytes/index.ts';
import type {
  DeathReason,
  Lease,
  PartitionLog,
  PartitionQueue,
  ReleaseOptions,
  Settlement,
} from '../../shard/index.ts';
import type { OutgoingMessage, TransactionPort } from '../ports/index.ts';
import type { Topic } from '../types.ts';
import type { AtomicCommit, LeaseSettlement, ShardOperations } from './atomic-commit.ts';
import type { Places, ShardParts } from './shard-parts.ts';
import { bodyOf } from '../outgoing-body.ts';

/** Where a message of a transaction goes. */
export interface MessagePlacement {
  /** Throws topic-not-found. */
  choosePartition(target: Topic, message: OutgoingMessage): number;
  /** Asks the queues over the partition; notes a deduplication id. */
  admit(
    target: Topic,
    partition: number,
    message: OutgoingMessage,
  ): 'taken' | 'rejected' | 'duplicate';
  /** Messages with those ids were admitted, and are not stored after all. */
  withdraw(target: Topic, partition: number, dedupIds: readonly string[]): void;
}

export interface MessageTransactionParts {
  places: Places;
  commit: AtomicCommit;
  placement: MessagePlacement;
}

interface Publication {
  target: Topic;
  message: OutgoingMessage;
  partition: number | undefined;
}

/** A message whose deduplication id was noted. */
interface Admitted {
  readonly target: Topic;
  readonly partition: number;
  readonly dedupId: string;
}

/** A batch of a transaction is closed at this size, so that readers need not take it whole. */
const batchBytesTarget = 256 * 1024;
const overheadBytes = 128;

/** Gathers what a door's transaction does; nothing leaves it before `commit`. */
export class MessageTransaction implements TransactionPort {
  readonly #parts: MessageTransactionParts;
  #publications: Publication[] = [];
  #settlements: LeaseSettlement[] = [];
  #bytes = 0;

  constructor(parts: MessageTransactionParts) {
    this.#parts = parts;
  }

  /** `partition`: where it goes; else by its key, or in turns. */
  publish(target: Topic, message: OutgoingMessage, partition?: number): OutgoingMessage {
    this.#count(
      message.headers.length + Math.max(0, message.bodyBytes) + (message.key?.length ?? 0),
    );
    const copy = copyMessage(message);
    this.#publications.push({ target, message: copy, partition });
    return copy;
  }

  accept(queue: PartitionQueue, lease: Lease): void {
    this.#settle(queue, lease, { kind: 'accept' });
  }

  release(queue: PartitionQueue, lease: Lease, options: ReleaseOptions): void {
    this.#settle(queue, lease, { kind: 'release', options });
  }

  reject(queue: PartitionQueue, lease: Lease, reason: DeathReason): void {
    this.#settle(queue, lease, { kind: 'reject', reason });
  }

  async commit(): Promise<void> {
    const publications = this.#publications;
    const settlements = this.#settlements;
    this.rollback();
    const operations = new Map<ShardParts, ShardOperations>();
    const of = (parts: ShardParts): ShardOperations => {
      let one = operations.get(parts);
      if (one === undefined) operations.set(parts, (one = { parts, appends: [], settlements: [] }));
      return one;
    };
    const { places } = this.#parts;
    const seen = new Map<PartitionQueue, Set<Lease>>();
    for (const settlement of settlements) {
      const { queue, lease } = settlement;
      const leases = seen.get(queue) ?? new Set();
      if (leases.has(lease)) throw new BrokerError('lease-stale', 'it is settled twice');
      seen.set(queue, leases.add(lease));
      const { topicId, index } = queue.partition;
      of(places.ofPartition(topicId, index)).settlements.push(settlement);
    }
    const admitted: Admitted[] = [];
    try {
      for (const [log, bytes] of this.#place(publications, admitted))
        of(places.ofPartition(log.topicId, log.index)).appends.push({ log, bytes });
      await this.#parts.commit.commit([...operations.values()]);
    } catch (error) {
      for (const { target, partition, dedupId } of admitted)
        this.#parts.placement.withdraw(target, partition, [dedupId]);
      throw error;
    }
  }

  rollback(): void {
    this.#publications = [];
    this.#settlements = [];
    this.#bytes = 0;
  }

  /** The batches of each partition, one after the other in one piece. `admitted` is filled also when it throws. */
  #place(
    publications: readonly Publication[],
    admitted: Admitted[],
  ): Map<PartitionLog, Uint8Array> {
    const open = new Map<PartitionLog, PartitionBatches>();
    for (const { target, message, partition } of publications) {
      const index = partition ?? this.#parts.placement.choosePartition(target, message);
      const log = this.#parts.places.findLog(target.id, index);
      if (log === undefined)
        throw new BrokerError('partition-not-found', `${target.name}-${index}`);
      const answer = this.#parts.placement.admit(target, index, message);
      if (answer === 'rejected') throw new BrokerError('queue-full', target.name);
      if (answer === 'duplicate') continue;
      const { dedupId } = message;
      if (dedupId !== undefined) admitted.push({ target, partition: index, dedupId });
      let batches = open.get(log);
      if (batches === undefined) {
        const bytesMax = Math.min(batchBytesTarget, target.options.batchBytesMax);
        open.set(log, (batches = new PartitionBatches(bytesMax)));
      }
      batches.add(message);
    }
    return new Map([...open].map(([log, batches]) => [log, batches.build()]));
  }

  #settle(queue: PartitionQueue, lease: Lease, settlement: Settlement): void {
    this.#count(overheadBytes);
    this.#settlements.push({ queue, lease, settlement });
  }

  #count(bytes: number): void {
    this.#bytes += bytes + overheadBytes;
    const operations = this.#publications.length + this.#settlements.length;
    if (this.#bytes > limits.transactionBytesMax || operations >= limits.transactionOperationsMax)
      throw new BrokerError('policy-refused', 'the transaction is too large');
  }
}

/** The batches of one partition. */
class PartitionBatches {
  readonly #bytesMax: number;
  readonly #builder = new RecordBatchBuilder();
  readonly #closed: Uint8Array[] = [];

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  add(message: OutgoingMessage): void {
    const bytes = message.headers.length + Math.max(0, message.bodyBytes) + overheadBytes;
    const builder = this.#builder;
    if (builder.count > 0 && builder.bytes + bytes + (message.key?.length ?? 0) > this.#bytesMax)
      this.#closed.push(builder.build());
    builder.addEncoded(
      message.key,
      message.body,
      message.bodyBytes,
      message.headers,
      message.headerCount,
      message.timestampMs,
      message.bodyAt,
    );
  }

  build(): Uint8Array {
    const last = this.#builder.build();
    return this.#closed.length === 0 ? last : Buffer.concat([...this.#closed, last]);
  }
}

/** The caller fills its object again for the next message. */
function copyMessage(message: OutgoingMessage): OutgoingMessage {
  return {
    ...message,
    key: message.key === null ? null : Uint8Array.from(message.key),
    body: bodyOf(message).map((part) => Uint8Array.from(part)),
    bodyAt: 0,
    headers: Uint8Array.from(message.headers),
  };
}
