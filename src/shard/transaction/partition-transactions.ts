import { BrokerError, limits } from '../../base/index.ts';
import type { ByteReader, ByteWriter } from '../../bytes/index.ts';
import { type AbortedTransaction, AbortedIndex } from './aborted-index.ts';
import type { TransactionOutcome } from './marker.ts';
import { joinRuns, OpenRuns } from './open-runs.ts';

/** A transaction with records in the partition and no marker yet. */
export interface OpenTransaction {
  readonly producerId: number;
  epoch: number;
  readonly firstOffset: number;
  /** Time of its first batch, milliseconds since the epoch. */
  readonly startedMs: number;
}

interface EndingTransaction {
  producerId: number;
  firstOffset: number;
  markerOffset: number;
}

/**
 * The transactions of one partition. What is open or aborted is sequenced state, made again by replay from the batches
 * and markers themselves. Which producers may write is not stored here: the coordinator has it in its own journal, and
 * says so again after each start.
 */
export class PartitionTransactions {
  /** Epochs of the producers whose transaction takes in this partition and is not decided. */
  readonly #permitted = new Map<number, number>();
  /** By producer id, in order of first offset. */
  readonly #open = new Map<number, OpenTransaction>();
  /** Where their records are, by producer id. */
  readonly #runs = new Map<number, OpenRuns>();
  #runCount = 0;
  /** Ended by a marker that was not durable at the last look, in order of the markers. */
  #ending: EndingTransaction[] = [];
  #aborted = new AbortedIndex();
  #seenHighWatermark = -1;
  #lastStableOffset = -1;

  /** Nothing here but permissions: nothing to store. */
  get isEmpty(): boolean {
    return this.#open.size === 0 && this.#aborted.count === 0;
  }

  /** Lets a producer write transactional batches. Throws overloaded, or policy-refused when too much was aborted. */
  permit(producerId: number, epoch: number): void {
    if (
      !this.#permitted.has(producerId) &&
      this.#permitted.size >= limits.partitionTransactionsMax
    ) {
      throw new BrokerError('overloaded', 'the partition has too many open transactions');
    }
    if (this.#aborted.count >= limits.abortedPerPartitionMax) {
      throw new BrokerError(
        'policy-refused',
        'the partition holds too many aborted transactions: older records must expire first',
      );
    }
    this.#permitted.set(producerId, epoch);
  }

  isPermitted(producerId: number, epoch: number): boolean {
    return this.#permitted.get(producerId) === epoch;
  }

  /** The transaction is decided: nothing more may be written in it. */
  forbid(producerId: number): void {
    this.#permitted.delete(producerId);
  }

  findOpen(producerId: number): OpenTransaction | undefined {
    return this.#open.get(producerId);
  }

  listOpen(): IterableIterator<OpenTransaction> {
    return this.#open.values();
  }

  /** Where the producer's last marker is, while it is not below `highWatermark`; else undefined. */
  findEnding(producerId: number, highWatermark: number): number | undefined {
    for (const ending of this.#ending) {
      if (ending.producerId === producerId && ending.markerOffset >= highWatermark)
        return ending.markerOffset;
    }
    return undefined;
  }

  noteBatch(
    producerId: number,
    epoch: number,
    baseOffset: number,
    timestampMs: number,
    recordCount: number,
    bodyBytes: number,
  ): void {
    this.#noteRun(producerId, baseOffset, baseOffset + recordCount, bodyBytes);
    const open = this.#open.get(producerId);
    if (open === undefined) {
      this.#open.set(producerId, {
        producerId,
        epoch,
        firstOffset: baseOffset,
        startedMs: timestampMs,
      });
    } else open.epoch = epoch;
  }

  #noteRun(producerId: number, from: number, end: number, bodyBytes: number): void {
    let runs = this.#runs.get(producerId);
    if (runs === undefined) this.#runs.set(producerId, (runs = new OpenRuns()));
    const mayGrow = this.#runCount < limits.partitionOpenRunsMax;
    if (runs.add(from, end, bodyBytes, mayGrow)) this.#runCount++;
  }

  /** What lies below `limit` and belongs to open transactions: see `joinRuns`; and about how many body bytes all of it has. */
  findUndecided(limit: number): { runs: number[]; bodyBytes: number } {
    let bodyBytes = 0;
    for (const runs of this.#runs.values()) bodyBytes += runs.bodyBytes;
    return { runs: joinRuns(this.#runs.values(), limit), bodyBytes };
  }

  /** Answers where the records of the transaction were that ends; undefined when none was open. */
  noteMarker(
    producerId: number,
    outcome: TransactionOutcome,
    markerOffset: number,
  ): OpenRuns | undefined {
    const open = this.#open.get(producerId);
    if (open === undefined) return undefined;
    this.#open.delete(producerId);
    const runs = this.#runs.get(producerId);
    this.#runs.delete(producerId);
    this.#runCount -= runs?.count ?? 0;
    const { firstOffset } = open;
    this.#ending.push({ producerId, firstOffset, markerOffset });
    if (outcome === 'commit') return runs;
    const oldest = this.#open.values().next();
    const stableOffset = oldest.done === true ? markerOffset + 1 : oldest.value.firstOffset;
    this.#aborted.add({ producerId, firstOffset, lastOffset: markerOffset }, stableOffset);
    return runs;
  }

  /** The first offset that belongs to a transaction without a durable marker, or the high watermark. */
  lastStableOffset(highWatermark: number): number {
    // What is sequenced only lies behind the high watermark, so nothing changes while that stays.
    if (highWatermark === this.#seenHighWatermark) return this.#lastStableOffset;
    this.#seenHighWatermark = highWatermark;
    let stable = highWatermark;
    const oldest = this.#open.values().next();
    if (oldest.done !== true) stable = Math.min(stable, oldest.value.firstOffset);
    let durable = 0;
    for (const ending of this.#ending) {
      if (ending.markerOffset < highWatermark) durable += 1;
      else stable = Math.min(stable, ending.firstOffset);
    }
    if (durable > 0) this.#ending.splice(0, durable);
    this.#lastStableOffset = stable;
    return stable;
  }

  findAborted(from: number, to: number): AbortedTransaction[] {
    return this.#aborted.find(from, to);
  }

  isAborted(producerId: number, offset: number): boolean {
    return this.#aborted.has(producerId, offset);
  }

  /** The markers at these offsets, which grow, are gone, and long before them the records of their transactions. */
  forgetAborted(markers: ReadonlyArray<{ producerId: number; offset: number }>): void {
    this.#aborted.remove(markers);
  }

  trim(logStartOffset: number): void {
    this.#aborted.trim(logStartOffset);
  }

  /** Takes over what recovery found. Permissions end: the coordinators give them again as far as they are durable. */
  adopt(recovered: PartitionTransactions | undefined): void {
    this.#permitted.clear();
    this.#open.clear();
    this.#runs.clear();
    this.#runCount = 0;
    this.#ending = [];
    this.#aborted = new AbortedIndex();
    this.#seenHighWatermark = -1;
    if (recovered === undefined) return;
    this.#aborted = recovered.#aborted;
    for (const open of recovered.#open.values()) this.#open.set(open.producerId, open);
    for (const [producerId, runs] of recovered.#runs) this.#runs.set(producerId, runs);
    this.#runCount = recovered.#runCount;
  }

  encodeTo(writer: ByteWriter): void {
    writer.uint32(this.#open.size);
    for (const open of this.#open.values()) {
      writer.safeInt64(open.producerId);
      writer.int16(open.epoch);
      writer.safeInt64(open.firstOffset);
      writer.safeInt64(open.startedMs);
      (this.#runs.get(open.producerId) ?? new OpenRuns()).encodeTo(writer);
    }
    this.#aborted.encodeTo(writer);
  }

  /** `nextOffset`: the log's. `hasRuns` false: it was written before it was stored where the records are. */
  static decode(reader: ByteReader, nextOffset: number, hasRuns = true): PartitionTransactions {
    const transactions = new PartitionTransactions();
    for (let count = reader.uint32(); count > 0; count--) {
      const producerId = reader.safeInt64();
      const epoch = reader.int16();
      const firstOffset = reader.safeInt64();
      const startedMs = reader.safeInt64();
      transactions.#open.set(producerId, { producerId, epoch, firstOffset, startedMs });
      const runs = hasRuns ? OpenRuns.decode(reader) : OpenRuns.unknown(firstOffset, nextOffset);
      transactions.#runs.set(producerId, runs);
      transactions.#runCount += runs.count;
    }
    transactions.#aborted = AbortedIndex.decode(reader);
    return transactions;
  }
}
