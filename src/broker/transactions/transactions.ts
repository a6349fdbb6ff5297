import { BrokerError, type Clock } from '../../base/index.ts';
import type {
  MemberIdentity,
  OffsetCommit,
  PartitionKey,
  ProducerIdentity,
  TransactionOutcome,
} from '../../shard/index.ts';
import { AtomicCommit } from './atomic-commit.ts';
import { type MessagePlacement, MessageTransaction } from './message-transaction.ts';
import { ProducerCoordinator } from './producer-coordinator.ts';
import type { Places, ShardParts } from './shard-parts.ts';
import type {
  InitProducerRequest,
  TransactionalIdentity,
  TransactionDescription,
  TransactionFilter,
  TransactionsPort,
} from './types.ts';

export interface TransactionsParts {
  places: Places;
  placement: MessagePlacement;
  clock: Clock;
  allocateProducerId: () => Promise<number>;
}

/** Transactions of the whole broker: those of producers, and those that a door gathers and commits at once. */
export class Transactions implements TransactionsPort {
  readonly #parts: TransactionsParts;
  readonly #commit: AtomicCommit;
  readonly #coordinators = new Map<ShardParts, ProducerCoordinator>();

  constructor(parts: TransactionsParts) {
    this.#parts = parts;
    this.#commit = new AtomicCommit(parts.places.parts);
  }

  /** Everything is open and linked: what a crash left is brought to its end. */
  start(): void {
    const { places, clock, allocateProducerId } = this.#parts;
    for (const home of places.parts) {
      const coordinator = new ProducerCoordinator({ home, places, clock, allocateProducerId });
      this.#coordinators.set(home, coordinator);
    }
    this.#commit.start();
    for (const coordinator of this.#coordinators.values()) coordinator.adopt();
  }

  /** A shard's state was taken over after a failure, and its partitions and queues are linked; in the same turn. */
  adopt(index: number): void {
    const parts = this.#parts.places.parts[index];
    if (parts === undefined) return;
    this.#commit.adopt(parts);
    // The shard's partitions have lost their permissions, which come from all coordinators.
    for (const [home, coordinator] of this.#coordinators) {
      if (home === parts) coordinator.adopt();
      else coordinator.permitOn(parts);
    }
  }

  close(): void {
    for (const coordinator of this.#coordinators.values()) coordinator.close();
  }

  /** A transaction that is gathered here and committed at once; it may be used again after each commit or rollback. */
  begin(): MessageTransaction {
    const { places, placement } = this.#parts;
    return new MessageTransaction({ places, placement, commit: this.#commit });
  }

  initProducer(request: InitProducerRequest): Promise<ProducerIdentity> {
    return this.#coordinatorOf(request.transactionalId).initProducer(request);
  }

  addPartitions(identity: TransactionalIdentity, keys: readonly PartitionKey[]): Promise<void> {
    return this.#coordinatorOf(identity.transactionalId).addPartitions(identity, keys);
  }

  joinPartitions(
    identity: TransactionalIdentity,
    keys: readonly PartitionKey[],
  ): Promise<void> | undefined {
    return this.#coordinatorOf(identity.transactionalId).joinPartitions(identity, keys);
  }

  verifyPartitions(identity: TransactionalIdentity, keys: readonly PartitionKey[]): boolean[] {
    return this.#coordinatorOf(identity.transactionalId).verifyPartitions(identity, keys);
  }

  addGroup(identity: TransactionalIdentity, groupId: string): Promise<void> {
    return this.#coordinatorOf(identity.transactionalId).addGroup(identity, groupId);
  }

  commitOffsets(
    identity: TransactionalIdentity,
    groupId: string,
    member: MemberIdentity | undefined,
    commits: readonly OffsetCommit[],
  ): Promise<void> {
    const coordinator = this.#coordinatorOf(identity.transactionalId);
    return coordinator.commitOffsets(identity, groupId, member, commits);
  }

  end(
    identity: TransactionalIdentity,
    outcome: TransactionOutcome,
    bumpsEpoch: boolean,
  ): Promise<ProducerIdentity> {
    return this.#coordinatorOf(identity.transactionalId).end(identity, outcome, bumpsEpoch);
  }

  async endHanging(
    { topicId, partition }: PartitionKey,
    { producerId, epoch }: ProducerIdentity,
    outcome: TransactionOutcome,
  ): Promise<void> {
    const { places } = this.#parts;
    const log = places.findLog(topicId, partition);
    if (log === undefined) throw new BrokerError('partition-not-found');
    const open = log.transactions?.findOpen(producerId);
    if (open === undefined) return;
    if (epoch < open.epoch)
      throw new BrokerError('producer-fenced', `epoch ${epoch} is older than ${open.epoch}`);
    for (const coordinator of this.#coordinators.values()) {
      if (await coordinator.endOf(producerId, outcome)) return;
    }
    const { shard } = places.ofPartition(topicId, partition);
    await log.endTransaction(producerId, epoch, outcome, shard.epoch);
  }

  describe(transactionalId: string): TransactionDescription | undefined {
    return this.#coordinatorOf(transactionalId).describe(transactionalId);
  }

  list(filter: TransactionFilter = {}): TransactionDescription[] {
    const { states, producerIds, pattern, openForMs = -1 } = filter;
    const nowMs = this.#parts.clock.nowMs();
    const found: TransactionDescription[] = [];
    for (const coordinator of this.#coordinators.values()) {
      for (const transaction of coordinator.list()) {
        if (states !== undefined && !states.has(transaction.state)) continue;
        if (producerIds !== undefined && !producerIds.has(transaction.producerId)) continue;
        if (pattern !== undefined && !pattern.matches(transaction.transactionalId)) continue;
        const isOpenLong = transaction.startedMs >= 0 && nowMs - transaction.startedMs > openForMs;
        if (openForMs >= 0 && !isOpenLong) continue;
        found.push(transaction);
      }
    }
    return found;
  }

  #coordinatorOf(transactionalId: string): ProducerCoordinator {
    const home = this.#parts.places.ofProducer(transactionalId);
    const coordinator = this.#coordinators.get(home);
    if (coordinator === undefined) throw new Error('every shard has a coordinator');
    return coordinator;
  }
}
