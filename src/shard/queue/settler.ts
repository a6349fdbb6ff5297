import { Deaths } from './deaths.ts';
import type { LiveQueue } from './live-queue.ts';
import { averageReadyBytes } from './queue-bytes.ts';
import { retryDelayMs, timeAfter } from './queue-defaults.ts';
import { owners } from './queue-state.ts';
import type { DeathReason, Lease, ReleaseOptions } from './types.ts';

/** A message that could not be sent on to where the dead go is tried again after this. */
const dyingRetryMs = 1000;

/** Ends deliveries: what becomes of a message that somebody has, or had. Made when a queue needs it. */
export class Settler {
  readonly #queue: LiveQueue;
  #deaths: Deaths | undefined;

  constructor(queue: LiveQueue) {
    this.#queue = queue;
  }

  // Whoever has the message

  accept(lease: Lease): boolean {
    const slot = this.#find(lease);
    if (slot < 0) return false;
    this.#queue.count().accepted++;
    this.#settleSlot(slot);
    return true;
  }

  release(lease: Lease, options: ReleaseOptions): boolean {
    const queue = this.#queue;
    const slot = this.#find(lease);
    if (slot < 0) return false;
    queue.count().released++;
    let { delayMs } = options;
    // Else it would die again at once, and again.
    if (delayMs === undefined && queue.state.openLeases().owner(slot) === owners.dying)
      delayMs = dyingRetryMs;
    this.#giveBack(slot, options.isFailure, delayMs);
    return true;
  }

  reject(lease: Lease, reason: DeathReason): boolean {
    const slot = this.#find(lease);
    if (slot < 0) return false;
    this.#kill(slot, 0, reason);
    return true;
  }

  extend(lease: Lease, leaseMs: number): boolean {
    const queue = this.#queue;
    const slot = this.#find(lease);
    if (slot < 0) return false;
    const leases = queue.state.openLeases();
    // A deadline would end it under the transaction's hands.
    if (leases.owner(slot) === owners.held) return false;
    if (leaseMs === 0) return this.release(lease, { isFailure: true });
    const deadlineMs = leaseMs >= 0 ? timeAfter(queue.home.clock.nowMs(), leaseMs) : -1;
    leases.setDeadline(slot, deadlineMs);
    queue.note().noteExtended(leases.offset(slot), deadlineMs);
    if (deadlineMs >= 0) queue.arm(deadlineMs);
    return true;
  }

  // Transactions

  hold(lease: Lease): number {
    const slot = this.#find(lease);
    if (slot < 0) return -1;
    const leases = this.#queue.state.openLeases();
    leases.setDeadline(slot, -1);
    leases.setOwner(slot, owners.held);
    return leases.offset(slot);
  }

  holdOffset(offset: number): Lease | undefined {
    const { state } = this.#queue;
    let slot = state.leases?.findByOffset(offset) ?? -1;
    if (slot < 0 && state.leaseAgain(offset)) slot = state.openLeases().findByOffset(offset);
    if (slot < 0) return undefined;
    const lease = state.openLeases().leaseOf(slot);
    this.hold(lease);
    return lease;
  }

  // Whoever had it

  acceptLate(offset: number): boolean {
    const queue = this.#queue;
    const lease = queue.findLease(offset);
    if (lease !== undefined) return this.accept(lease);
    if (offset >= queue.partition.highWatermark || !queue.has(offset)) return false;
    let bodyBytes = queue.state.takeWaiting(offset);
    if (bodyBytes === undefined) return false;
    if (bodyBytes < 0) bodyBytes = averageReadyBytes(queue.state, queue.partition);
    queue.count().accepted++;
    queue.settle(offset, bodyBytes, queue.note());
    queue.home.ride();
    // Others may have waited for it.
    queue.schedule();
    return true;
  }

  // Leases that end without anybody's word

  /** The time of the lease in `slot` is over. */
  expire(slot: number): void {
    const queue = this.#queue;
    const leases = queue.state.openLeases();
    const lease = leases.leaseOf(slot);
    const consumer = queue.dispatcher?.consumers.find(leases.owner(slot));
    this.#giveBack(slot, true, undefined);
    consumer?.leaseExpired?.(lease, queue);
  }

  /** Whoever had them is gone. */
  returnOwned(ownerId: number, isFailure: boolean): void {
    const { leases } = this.#queue.state;
    leases?.forEachOf(ownerId, (slot) => this.#giveBack(slot, isFailure, undefined));
  }

  /** Settles what consumers have; returns how many messages. */
  purgeLeases(): number {
    const queue = this.#queue;
    const changes = queue.note();
    const count = queue.state.takeLeased((offset, bytes) => queue.settle(offset, bytes, changes));
    if (count > 0 && queue.dispatcher?.hasTakers === true) queue.schedule();
    return count;
  }

  // Dead messages on their way elsewhere

  get dyingCount(): number {
    return this.#deaths?.count ?? 0;
  }

  noteDying(): void {
    this.#deaths ??= new Deaths();
    this.#deaths.count++;
  }

  /** So many have arrived, or are not on their way any more. */
  endDying(count: number): void {
    this.#deaths?.end(count);
  }

  deathsMoved(): Promise<void> | undefined {
    return this.dyingCount === 0 ? undefined : this.#deaths?.ended();
  }

  /** A dead message that cannot be sent on is kept as damaged; false when no more may be kept. */
  damageDying(lease: Lease): boolean {
    const queue = this.#queue;
    const leases = queue.state.openLeases();
    const slot = leases.find(lease);
    const offset = leases.offset(slot);
    const bodyBytes = leases.bodyBytes(slot);
    if (!queue.state.canDamage(offset)) return false;
    leases.remove(slot);
    this.endDying(1);
    queue.damage(offset, bodyBytes);
    return true;
  }

  // Parts

  #find(lease: Lease): number {
    return this.#queue.state.leases?.find(lease) ?? -1;
  }

  #settleSlot(slot: number): void {
    const queue = this.#queue;
    const leases = queue.state.openLeases();
    const offset = leases.offset(slot);
    const bodyBytes = leases.bodyBytes(slot);
    if (leases.owner(slot) === owners.dying) this.endDying(1);
    leases.remove(slot);
    queue.settle(offset, bodyBytes, queue.note());
    queue.home.ride();
    const isAwaited = queue.dispatcher?.isBlocked || queue.form.isGrouped || queue.form.isFair;
    if (isAwaited || queue.hasGaps) queue.schedule();
  }

  /** `delayMs` undefined: as the settings say. */
  #giveBack(slot: number, isFailure: boolean, delayMs: number | undefined): void {
    const queue = this.#queue;
    const { settings } = queue;
    const leases = queue.state.openLeases();
    const failures = leases.failures(slot) + (isFailure ? 1 : 0);
    const { failuresMax, keepsFailed } = settings;
    if (isFailure && failuresMax >= 0 && failures > failuresMax && !keepsFailed) {
      this.#kill(slot, 1, 'delivery-limit');
      return;
    }
    if (leases.owner(slot) === owners.dying) this.endDying(1);
    const ms = delayMs ?? (isFailure ? retryDelayMs(settings, failures) : 0);
    const dueMs = ms > 0 ? timeAfter(queue.home.clock.nowMs(), ms) : -1;
    const offset = leases.offset(slot);
    queue.state.giveBack(slot, isFailure, dueMs);
    queue.note().noteReturned(offset, isFailure, dueMs);
    queue.home.ride();
    if (dueMs >= 0) queue.arm(dueMs);
    if (queue.dispatcher?.hasTakers || queue.mustLook()) queue.schedule();
  }

  /** The message of a lease dies. */
  #kill(slot: number, failures: number, reason: DeathReason): void {
    const queue = this.#queue;
    const { deadLetter, dropsExpired } = queue.settings;
    const leases = queue.state.openLeases();
    queue.noteDeath();
    if (!deadLetter || (reason === 'expired' && dropsExpired)) {
      this.#settleSlot(slot);
      return;
    }
    if (leases.owner(slot) !== owners.dying) this.noteDying();
    const offset = leases.offset(slot);
    const bodyBytes = leases.bodyBytes(slot);
    const deliveries = leases.deliveries(slot);
    const failed = leases.failures(slot) + failures;
    const rank = leases.rank(slot);
    leases.remove(slot);
    // Who had it before must not settle it any more, and no time ends this lease.
    const lease = leases.add(offset, bodyBytes, deliveries, failed, -1, owners.dying, rank);
    queue.state.groups?.leave(offset);
    queue.note().noteExtended(offset, -1);
    queue.openDispatcher().addDying(lease, reason);
    queue.schedule();
  }
}
