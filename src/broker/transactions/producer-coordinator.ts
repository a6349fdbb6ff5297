import { BrokerError, type Clock, limits, type Timer } from '../../base/index.ts';
import {
  checkIdentity,
  checkJoinable,
  encodeAdded,
  encodeForgotten,
  encodeRecord,
  epochMax,
  initialised,
  isDecided,
  judgeEnd,
  judgeInit,
  type MemberIdentity,
  newRecord,
  type OffsetCommit,
  participatingPartitions,
  type PartitionKey,
  type PartitionLog,
  prepared,
  type ProducerIdentity,
  type ProducerRecord,
  type StoredProducer,
  transactionEntryKind,
  type TransactionOutcome,
} from '../../shard/index.ts';
import type { Places, ShardParts } from './shard-parts.ts';
import { TransactionEnding } from './transaction-ending.ts';
import type {
  InitProducerRequest,
  TransactionalIdentity,
  TransactionDescription,
} from './types.ts';

const expiryCheckMs = 600_000;

export interface ProducerCoordinatorParts {
  home: ShardParts;
  places: Places;
  clock: Clock;
  allocateProducerId: () => Promise<number>;
}

/**
 * The transactional ids of one shard: a state machine for each (`producer-record.ts`), journaled there. How one comes to its
 * end: `transaction-ending.ts`.
 */
export class ProducerCoordinator {
  readonly #parts: ProducerCoordinatorParts;
  readonly #home: ShardParts;
  readonly #ending: TransactionEnding;
  /** By transactional id: the end of each ongoing transaction's time. */
  readonly #timeouts = new Map<string, Timer>();
  /** By transactional id: requests for an identity go one after the other. */
  readonly #inits = new Map<string, Promise<unknown>>();
  /** By transactional id: the last of those that wait to write, because their partitions are not in the transaction yet. */
  readonly #joins = new Map<string, Promise<void>>();
  #expiry: Timer | undefined;
  #isClosed = false;

  constructor(parts: ProducerCoordinatorParts) {
    this.#parts = parts;
    this.#home = parts.home;
    this.#ending = new TransactionEnding(parts.home, parts.places, parts.clock);
  }

  /** The shard's state was taken over, at the start or after a failure: what was under way goes on from what is stored. */
  adopt(): void {
    for (const timer of this.#timeouts.values()) timer.cancel();
    this.#timeouts.clear();
    for (const producer of this.#home.table.producers()) {
      const { record } = producer;
      if (record.state === 'ongoing') {
        for (const key of participatingPartitions(producer)) this.#permitAgain(record, key);
        this.#arm(record);
      } else if (isDecided(record)) void this.#ending.drive(record.transactionalId);
    }
    if (this.#expiry === undefined) this.#expireLater();
  }

  /** Partitions of another shard have lost their permissions: those of what is open here are given again. */
  permitOn(parts: ShardParts): void {
    for (const producer of this.#home.table.producers()) {
      const { record } = producer;
      if (record.state !== 'ongoing') continue;
      for (const key of participatingPartitions(producer)) {
        if (this.#parts.places.ofPartition(key.topicId, key.partition) === parts)
          void this.#permitDurable(record, key);
      }
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#expiry?.cancel();
    for (const timer of this.#timeouts.values()) timer.cancel();
    this.#ending.close();
  }

  async initProducer(request: InitProducerRequest): Promise<ProducerIdentity> {
    const { transactionalId, timeoutMs } = request;
    if (transactionalId === '' || transactionalId.length > limits.transactionalIdCharsMax)
      throw new BrokerError('config-invalid', 'the transactional id is empty or too long');
    if (!(timeoutMs > 0 && timeoutMs <= limits.transactionTimeoutMaxMs)) {
      throw new BrokerError(
        'transaction-timeout-invalid',
        `${timeoutMs} is not between 1 and ${limits.transactionTimeoutMaxMs}`,
      );
    }
    const before = this.#inits.get(transactionalId) ?? Promise.resolve();
    const mine = before.then(
      () => this.#init(request),
      () => this.#init(request),
    );
    this.#inits.set(transactionalId, mine);
    try {
      return await mine;
    } finally {
      if (this.#inits.get(transactionalId) === mine) this.#inits.delete(transactionalId);
    }
  }

  joinPartitions(
    identity: TransactionalIdentity,
    keys: readonly PartitionKey[],
  ): Promise<void> | undefined {
    const { transactionalId } = identity;
    const before = this.#joins.get(transactionalId);
    if (before === undefined && this.#joinNow(identity, keys)) return undefined;
    const add = (): Promise<void> => this.addPartitions(identity, keys);
    // What a producer writes stays in order also where only some of it has to wait.
    const joined = before === undefined ? add() : before.then(add, add);
    this.#joins.set(transactionalId, joined);
    const leave = (): void => {
      if (this.#joins.get(transactionalId) === joined) this.#joins.delete(transactionalId);
    };
    joined.then(leave, leave);
    return joined;
  }

  verifyPartitions(identity: TransactionalIdentity, keys: readonly PartitionKey[]): boolean[] {
    const { record, partitions } = this.#getJoinable(identity);
    return keys.map(
      ({ topicId, partition }) =>
        record.state === 'ongoing' && partitions.get(topicId)?.has(partition) === true,
    );
  }

  async addPartitions(
    identity: TransactionalIdentity,
    keys: readonly PartitionKey[],
  ): Promise<void> {
    await this.#whenJoinable(identity);
    const partitions = new Map<string, Set<number>>();
    const { record, partitions: known } = this.#getJoinable(identity);
    for (const { topicId, partition } of keys) {
      if (this.#parts.places.findLog(topicId, partition) === undefined)
        throw new BrokerError('partition-not-found', `${topicId}-${partition}`);
      if (record.state === 'ongoing' && known.get(topicId)?.has(partition) === true) continue;
      note(partitions, topicId, partition);
    }
    await this.#add(identity, partitions, new Set());
    // It may have been decided meanwhile: then nothing more may be written in it.
    const { record: current } = this.#getOngoing(identity);
    for (const key of keys) this.#permit(current, key);
  }

  async addGroup(identity: TransactionalIdentity, groupId: string): Promise<void> {
    await this.#whenJoinable(identity);
    await this.#addGroup(identity, groupId);
    this.#getOngoing(identity);
  }

  async commitOffsets(
    identity: TransactionalIdentity,
    groupId: string,
    member: MemberIdentity | undefined,
    commits: readonly OffsetCommit[],
  ): Promise<void> {
    await this.#whenJoinable(identity);
    const group = this.#parts.places.ofGroup(groupId);
    const added = this.#addGroup(identity, groupId);
    // On this shard one journal has both, in this order.
    if (group === this.#home) added.catch(ignoreFailure);
    else {
      await added;
      this.#getOngoing(identity);
    }
    // In the turn of the check: a decision that comes later stands behind it in what the group's shard writes.
    await group.groups.commitPending(groupId, identity.producerId, member, commits);
  }

  async end(
    identity: TransactionalIdentity,
    outcome: TransactionOutcome,
    bumpsEpoch: boolean,
  ): Promise<ProducerIdentity> {
    this.#checkOpen();
    const { transactionalId } = identity;
    let { record } = this.#getProducer(transactionalId);
    let judgement = judgeEnd(record, identity, outcome, bumpsEpoch);
    let nextProducerId = -1;
    if (judgement === 'prepare' && bumpsEpoch && record.epoch >= epochMax) {
      nextProducerId = await this.#parts.allocateProducerId();
      ({ record } = this.#getProducer(transactionalId));
      judgement = judgeEnd(record, identity, outcome, bumpsEpoch);
    }
    if (judgement === 'prepare') {
      const next = prepared(
        record,
        outcome,
        bumpsEpoch ? 'bump' : 'keep',
        nextProducerId,
        this.#nowMs(),
      );
      await this.#decide(next);
    } else if (judgement === 'wait') {
      await this.#home.shard.barrier();
      await this.#ending.whenComplete(transactionalId);
    } else await this.#home.shard.barrier();
    const { record: ended } = this.#getProducer(transactionalId);
    return ended.nextProducerId >= 0
      ? { producerId: ended.nextProducerId, epoch: 0 }
      : { producerId: ended.producerId, epoch: ended.epoch };
  }

  /**
   * Brings what a producer has open to its end, if its transactional id is one of ours: false if it is not. Rejects with
   * transaction-invalid where it ends, or ended, the other way.
   */
  async endOf(producerId: number, outcome: TransactionOutcome): Promise<boolean> {
    const producer = this.#findTransaction(producerId);
    if (producer === undefined) return false;
    const { record } = producer;
    const isOther = record.state === `prepare-${outcome === 'commit' ? 'abort' : 'commit'}`;
    if (isOther || (record.state === 'ongoing' && outcome === 'commit'))
      throw new BrokerError('transaction-invalid', `${record.transactionalId} is ${record.state}`);
    if (isDecided(record)) await this.#ending.whenComplete(record.transactionalId);
    else await this.#decide(prepared(record, 'abort', 'force', -1, this.#nowMs()));
    return true;
  }

  describe(transactionalId: string): TransactionDescription | undefined {
    const producer = this.#home.table.findProducer(transactionalId);
    return producer === undefined ? undefined : describe(producer);
  }

  *list(): Generator<TransactionDescription> {
    for (const producer of this.#home.table.producers()) yield describe(producer);
  }

  async #init(request: InitProducerRequest): Promise<ProducerIdentity> {
    const { transactionalId, timeoutMs } = request;
    let { expected } = request;
    for (let attempt = 0; ; attempt++) {
      this.#checkOpen();
      const record = this.#home.table.findProducer(transactionalId)?.record;
      if (record === undefined) {
        const producerId = await this.#parts.allocateProducerId();
        const { producerCount, producerIdChars } = this.#home.table;
        const isFull =
          producerCount >= limits.transactionalIdsMax ||
          producerIdChars + transactionalId.length > limits.transactionalIdsCharsMax;
        if (isFull) throw new BrokerError('overloaded', 'there are too many transactional ids');
        const created = newRecord(transactionalId, producerId, timeoutMs, this.#nowMs());
        await this.#save(created);
        return { producerId, epoch: 0 };
      }
      const judgement = judgeInit(record, expected);
      if (judgement === 'same') {
        await this.#home.shard.barrier();
        return { producerId: record.producerId, epoch: record.epoch };
      }
      if (judgement === 'bump' || judgement === 'replace') {
        const fresh = judgement === 'replace' ? await this.#parts.allocateProducerId() : undefined;
        // Requests for identities are in line, so only the transaction's own end can have come in between.
        const current = this.#getProducer(transactionalId).record;
        if (current !== record) continue;
        const next = initialised(record, expected, fresh, timeoutMs, this.#nowMs());
        await this.#save(next);
        return { producerId: next.producerId, epoch: next.epoch };
      }
      if (attempt > 2) throw new BrokerError('transaction-concurrent');
      if (judgement === 'abort') {
        const next = prepared(record, 'abort', 'force', -1, this.#nowMs());
        await this.#decide(next);
        if (expected !== undefined) expected = { producerId: next.producerId, epoch: next.epoch };
      } else if (!(await this.#ending.whenComplete(transactionalId)))
        throw new BrokerError('transaction-concurrent');
    }
  }

  /** An open or decided transaction, by the id under which its records are written. */
  #findTransaction(producerId: number): StoredProducer | undefined {
    for (const producer of this.#home.table.producers()) {
      const { record } = producer;
      if (record.producerId !== producerId) continue;
      if (record.state === 'ongoing' || isDecided(record)) return producer;
    }
    return undefined;
  }

  /**
   * Takes partitions in without waiting, where that is as safe: those of this shard, because its journal has the note of it
   * before any batch that comes later; and those of others that may be written to already.
   */
  #joinNow(identity: TransactionalIdentity, keys: readonly PartitionKey[]): boolean {
    this.#checkOpen();
    const { record, partitions } = this.#getProducer(identity.transactionalId);
    checkIdentity(record, identity);
    if (isDecided(record)) return false;
    const { places } = this.#parts;
    const added = new Map<string, Set<number>>();
    for (const { topicId, partition } of keys) {
      const log = places.findLog(topicId, partition);
      if (log === undefined)
        throw new BrokerError('partition-not-found', `${topicId}-${partition}`);
      const isKnown =
        record.state === 'ongoing' && partitions.get(topicId)?.has(partition) === true;
      const isHere = places.ofPartition(topicId, partition) === this.#home;
      if (!isKnown && isHere) note(added, topicId, partition);
      else if (!isHere && !(isKnown && isPermitted(log, record))) return false;
    }
    if (added.size > 0) {
      this.#home.shard.checkWritable();
      this.#checkRoom(identity, added, 0);
      this.#add(identity, added, new Set()).catch(ignoreFailure);
    }
    for (const key of keys) this.#permit(record, key);
    return true;
  }

  #checkRoom(
    { transactionalId }: TransactionalIdentity,
    partitions: ReadonlyMap<string, ReadonlySet<number>>,
    groups: number,
  ): void {
    const producer = this.#getProducer(transactionalId);
    let count = producer.groups.size + groups;
    for (const indexes of producer.partitions.values()) count += indexes.size;
    for (const indexes of partitions.values()) count += indexes.size;
    if (count > limits.transactionParticipantsMax)
      throw new BrokerError('policy-refused', 'too much takes part in the transaction');
  }

  #addGroup(identity: TransactionalIdentity, groupId: string): Promise<void> {
    const { record, groups } = this.#getJoinable(identity);
    const isKnown = record.state === 'ongoing' && groups.has(groupId);
    return this.#add(identity, new Map(), new Set(isKnown ? [] : [groupId]));
  }

  async #add(
    identity: TransactionalIdentity,
    partitions: Map<string, Set<number>>,
    groups: Set<string>,
  ): Promise<void> {
    const { transactionalId } = identity;
    const { home } = this.#parts;
    if (partitions.size === 0 && groups.size === 0) return home.shard.barrier();
    this.#checkRoom(identity, partitions, groups.size);
    const payload = encodeAdded(transactionalId, this.#nowMs(), { partitions, groups });
    const added = home.shard.submit(transactionEntryKind.participantsAdded, payload);
    const { record } = this.#getProducer(transactionalId);
    if (record.state === 'ongoing' && !this.#timeouts.has(transactionalId)) this.#arm(record);
    await added;
  }

  #decide(next: ProducerRecord): Promise<void> {
    this.#timeouts.get(next.transactionalId)?.cancel();
    this.#timeouts.delete(next.transactionalId);
    return this.#ending.decide(next);
  }

  /** What is asked of the next transaction waits for the end of the one before, for a while. */
  async #whenJoinable(identity: TransactionalIdentity): Promise<void> {
    this.#checkOpen();
    const { record } = this.#getProducer(identity.transactionalId);
    checkIdentity(record, identity);
    if (isDecided(record)) await this.#ending.whenComplete(identity.transactionalId);
  }

  #permit({ producerId, epoch }: ProducerRecord, { topicId, partition }: PartitionKey): void {
    const log = this.#parts.places.findLog(topicId, partition);
    if (log?.isDropped === false) log.beginTransaction(producerId, epoch);
  }

  #permitAgain(record: ProducerRecord, key: PartitionKey): void {
    try {
      this.#permit(record, key);
    } catch (error) {
      // The producer is told when it writes there; ending the transaction needs no permission.
      if (!(error instanceof BrokerError)) throw error;
    }
  }

  /** Permits what is certainly stored of a transaction; what is not is permitted when it is. */
  async #permitDurable(record: ProducerRecord, key: PartitionKey): Promise<void> {
    try {
      await this.#home.shard.barrier();
    } catch (error) {
      // This shard fails as well: its recovery permits everything.
      return ignoreFailure(error);
    }
    const current = this.#home.table.findProducer(record.transactionalId);
    const isIn = current?.partitions.get(key.topicId)?.has(key.partition) === true;
    if (isIn && isSame(current.record, record)) this.#permitAgain(record, key);
  }

  /** The transaction's time is counted by the broker's clock from when it began. */
  #arm(record: ProducerRecord): void {
    const { transactionalId, startedMs, timeoutMs } = record;
    const delayMs = Math.max(0, startedMs + timeoutMs - this.#nowMs());
    const timer = this.#parts.clock.setTimer(Math.min(delayMs, timeoutMs), () => {
      this.#timeouts.delete(transactionalId);
      void this.#timeOut(transactionalId, startedMs);
    });
    this.#timeouts.set(transactionalId, timer);
  }

  async #timeOut(transactionalId: string, startedMs: number): Promise<void> {
    const record = this.#home.table.findProducer(transactionalId)?.record;
    if (this.#isClosed || record?.state !== 'ongoing' || record.startedMs !== startedMs) return;
    try {
      await this.#decide(prepared(record, 'abort', 'force', -1, this.#nowMs()));
    } catch (error) {
      // The recovery of the shard finds it ongoing, its time over, or decided.
      if (!(error instanceof BrokerError)) throw error;
    }
  }

  #expireLater(): void {
    this.#expiry = this.#parts.clock.setTimer(expiryCheckMs, () => {
      const oldestMs = this.#nowMs() - limits.transactionalIdIdleMs;
      for (const { record } of this.#home.table.producers()) {
        const isIdle = record.state !== 'ongoing' && !isDecided(record);
        if (!isIdle || record.updatedMs > oldestMs || this.#inits.has(record.transactionalId))
          continue;
        const payload = encodeForgotten(record.transactionalId);
        // What cannot be stored now is tried again the next time.
        this.#home.shard
          .submit(transactionEntryKind.producerForgotten, payload)
          .catch(() => undefined);
      }
      this.#expireLater();
    });
  }

  #getOngoing(identity: TransactionalIdentity): StoredProducer {
    const producer = this.#getProducer(identity.transactionalId);
    checkJoinable(producer.record, identity);
    if (producer.record.state !== 'ongoing')
      throw new BrokerError('transaction-invalid', `it is ${producer.record.state}`);
    return producer;
  }

  #getJoinable(identity: TransactionalIdentity): StoredProducer {
    this.#checkOpen();
    const producer = this.#getProducer(identity.transactionalId);
    checkJoinable(producer.record, identity);
    return producer;
  }

  #getProducer(transactionalId: string): StoredProducer {
    const producer = this.#home.table.findProducer(transactionalId);
    if (producer === undefined) {
      throw new BrokerError(
        'producer-unknown',
        `the transactional id ${transactionalId} is not known`,
      );
    }
    return producer;
  }

  #save(record: ProducerRecord): Promise<void> {
    return this.#home.shard.submit(transactionEntryKind.producerSaved, encodeRecord(record));
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new BrokerError('closed');
  }

  #nowMs(): number {
    return this.#parts.clock.nowMs();
  }
}

function note(partitions: Map<string, Set<number>>, topicId: string, partition: number): void {
  const indexes = partitions.get(topicId);
  if (indexes === undefined) partitions.set(topicId, new Set([partition]));
  else indexes.add(partition);
}

function isPermitted(log: PartitionLog, { producerId, epoch }: ProducerRecord): boolean {
  return log.transactions?.isPermitted(producerId, epoch) === true;
}

/** The shard has failed: whoever relies on this finds out by what comes behind it. */
function ignoreFailure(error: unknown): void {
  if (!(error instanceof BrokerError)) throw error;
}

function isSame(a: ProducerRecord, b: ProducerRecord): boolean {
  return a.producerId === b.producerId && a.epoch === b.epoch && a.state === b.state;
}

function describe(producer: StoredProducer): TransactionDescription {
  const { transactionalId, producerId, epoch, state, timeoutMs, startedMs } = producer.record;
  const partitions = [...participatingPartitions(producer)];
  const groups = [...producer.groups];
  return { transactionalId, producerId, epoch, state, timeoutMs, startedMs, partitions, groups };
}
