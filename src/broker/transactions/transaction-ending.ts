import { BrokerError, type Clock, type Timer } from '../../base/index.ts';
import {
  completed,
  encodeRecord,
  isDecided,
  participatingPartitions,
  type ProducerRecord,
  type StoredProducer,
  transactionEntryKind,
} from '../../shard/index.ts';
import type { Places, ShardParts } from './shard-parts.ts';

/** Pause before markers that could not be written are tried again. */
const retryMs = 250;
/** An answer does not wait longer for the markers of a transaction that is decided. */
const markerWaitMs = 1000;

/**
 * Ends the transactions of one shard's transactional ids: the decision is durable before any marker, and what takes part is
 * told until all of it has heard, whatever crashes meanwhile.
 */
export class TransactionEnding {
  readonly #home: ShardParts;
  readonly #places: Places;
  readonly #clock: Clock;
  /** By transactional id: a decided transaction whose markers are being written. */
  readonly #drives = new Map<string, Promise<void>>();
  readonly #retries = new Set<Timer>();
  #isClosed = false;

  constructor(home: ShardParts, places: Places, clock: Clock) {
    this.#home = home;
    this.#places = places;
    this.#clock = clock;
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of this.#retries) timer.cancel();
  }

  /** Resolves when the decision is durable, and as a rule its markers, too. */
  async decide(next: ProducerRecord): Promise<void> {
    const { transactionalId } = next;
    const producer = this.#home.table.findProducer(transactionalId);
    if (producer === undefined) throw new BrokerError('producer-unknown', transactionalId);
    for (const { topicId, partition } of participatingPartitions(producer))
      this.#places.findLog(topicId, partition)?.closeTransaction(next.producerId);
    if (this.#isLocal(producer)) {
      this.#home.shard.checkWritable();
      // One chunk has the decision, the markers and the end: nothing can come in between.
      await this.#home.shard.atomically(() => {
        const told = [this.#save(next), ...this.#tellAll(producer, next)];
        return Promise.all([...told, this.#save(completed(next, this.#clock.nowMs()))]);
      });
      return;
    }
    await this.#save(next);
    void this.drive(transactionalId);
    await this.whenComplete(transactionalId);
  }

  /** Whether the transaction is complete; gives up waiting after a while. */
  async whenComplete(transactionalId: string): Promise<boolean> {
    const clock = this.#clock;
    let timer: Timer | undefined;
    const timeout = new Promise<void>((resolve) => {
      timer = clock.setTimer(markerWaitMs, resolve);
    });
    const drive = this.#drives.get(transactionalId) ?? this.drive(transactionalId);
    await Promise.race([drive, timeout]);
    timer?.cancel();
    const record = this.#home.table.findProducer(transactionalId)?.record;
    return record === undefined || !isDecided(record);
  }

  /** Tells whatever takes part, unless that is under way. */
  drive(transactionalId: string): Promise<void> {
    const running = this.#drives.get(transactionalId);
    if (running !== undefined) return running;
    const drive = this.#driveOn(transactionalId).finally(() =>
      this.#drives.delete(transactionalId),
    );
    this.#drives.set(transactionalId, drive);
    return drive;
  }

  async #driveOn(transactionalId: string): Promise<void> {
    while (!this.#isClosed) {
      const producer = this.#home.table.findProducer(transactionalId);
      if (producer === undefined || !isDecided(producer.record)) return;
      const { record } = producer;
      try {
        // Also after a recovery: what is told must not be taken back by another crash.
        await this.#home.shard.barrier();
        await Promise.all(this.#tellAll(producer, record));
        // The state may have been taken back and brought again meanwhile, as something else.
        const current = this.#home.table.findProducer(transactionalId)?.record;
        if (current === undefined || !isSame(current, record)) continue;
        await this.#save(completed(record, this.#clock.nowMs()));
        return;
      } catch (error) {
        if (!(error instanceof BrokerError)) throw error;
        await this.#pause();
      }
    }
  }

  #tellAll(producer: StoredProducer, record: ProducerRecord): Array<Promise<void>> {
    const places = this.#places;
    const isCommitted = record.state === 'prepare-commit';
    const coordinatorEpoch = this.#home.shard.epoch;
    const told: Array<Promise<void>> = [];
    for (const { topicId, partition } of participatingPartitions(producer)) {
      const log = places.findLog(topicId, partition);
      if (log === undefined) continue;
      const outcome = isCommitted ? 'commit' : 'abort';
      told.push(log.endTransaction(record.producerId, record.epoch, outcome, coordinatorEpoch));
    }
    for (const groupId of producer.groups) {
      const { offsets } = places.ofGroup(groupId);
      told.push(offsets.settlePending(groupId, record.producerId, isCommitted));
    }
    return told;
  }

  #isLocal(producer: StoredProducer): boolean {
    const places = this.#places;
    for (const { topicId, partition } of participatingPartitions(producer))
      if (places.ofPartition(topicId, partition) !== this.#home) return false;
    for (const groupId of producer.groups) if (places.ofGroup(groupId) !== this.#home) return false;
    return true;
  }

  #pause(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(retryMs, () => {
        this.#retries.delete(timer);
        resolve();
      });
      this.#retries.add(timer);
    });
  }

  #save(record: ProducerRecord): Promise<void> {
    return this.#home.shard.submit(transactionEntryKind.producerSaved, encodeRecord(record));
  }
}

function isSame(a: ProducerRecord, b: ProducerRecord): boolean {
  return a.producerId === b.producerId && a.epoch === b.epoch && a.state === b.state;
}
