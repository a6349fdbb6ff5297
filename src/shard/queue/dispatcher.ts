import { limits, present } from '../../base/index.ts';
import { Acquirer } from './acquirer.ts';
import { type Attachment, ConsumerList } from './consumer-list.ts';
import type { LiveQueue } from './live-queue.ts';
import type { OffsetRange } from '../log-reader.ts';
import { isDamage, isDeleted, MessageView, MessageWindow } from './message-window.ts';
import { averageReadyBytes } from './queue-bytes.ts';
import { ReadAhead } from './read-ahead.ts';
import { Schedule } from '../../message/index.ts';
import { owners } from './queue-state.ts';
import type { AcquiredMessage, AcquireRequest, DeathReason, Lease } from './types.ts';

/** Read at once for messages that come one after the other, and for single ones. */
const windowBytes = 256 * 1024;
const singleBytes = 32 * 1024;
/** What cannot be read now is tried again after this. */
const readRetryMs = 1000;

/** Hands a queue's messages out: which one next, to whom, and what becomes of those that nobody may get. */
export class Dispatcher {
  readonly consumers: ConsumerList;
  readonly #queue: LiveQueue;
  readonly #ahead: MessageWindow;
  readonly #behind: MessageWindow;
  readonly #view = new MessageView();
  readonly #schedule = new Schedule();
  readonly #acquirers: Acquirer[] = [];
  /** Leases of dead messages that must be read before they can be sent on, oldest first. */
  readonly #dying: Array<{ lease: Lease; reason: DeathReason }> = [];
  /** Offsets whose groups must be looked up before anything is given out. */
  #unknown: number[] | undefined;
  /** What was found to be damaged last. */
  #damage: OffsetRange | undefined;
  #isReading = false;
  #isRunning = false;
  /** When a read that failed is tried again. */
  retryAtMs = Number.POSITIVE_INFINITY;
  /** When the message at the head expires; Infinity when it does not or is not known. */
  headExpiryMs = Number.POSITIVE_INFINITY;
  /** It stopped for a bound on what is leased: when a lease ends it goes on. */
  isBlocked = false;
  /** Messages from here on have come since it last looked at all there was. */
  #newFrom: number;

  constructor(queue: LiveQueue) {
    this.#queue = queue;
    this.consumers = new ConsumerList(queue);
    const readAhead = new ReadAhead(queue.partition, queue.home.readAhead);
    this.#ahead = new MessageWindow(queue.partition, windowBytes, true, readAhead);
    this.#behind = new MessageWindow(queue.partition, singleBytes);
    this.#newFrom = queue.endOffset;
    this.#setWindows();
  }

  /** Nobody is here, and nothing is under way. */
  get isIdle(): boolean {
    return (
      this.consumers.count === 0 &&
      this.#acquirers.length === 0 &&
      this.#dying.length === 0 &&
      !this.#isReading &&
      !this.#isRunning
    );
  }

  /** What it wanted to look at is being read, or could not be. */
  get isAwaitingRead(): boolean {
    return this.#isReading || this.retryAtMs < Number.POSITIVE_INFINITY;
  }

  /** When it must look again; Infinity when it need not. */
  get nextWakeMs(): number {
    return Math.min(this.headExpiryMs, this.retryAtMs);
  }

  /** Whether a message that comes would be looked at. */
  get hasTakers(): boolean {
    return this.consumers.count > 0 || this.#acquirers.length > 0 || this.#dying.length > 0;
  }

  // Whoever asked once

  acquire(request: AcquireRequest, ownerId: number): Promise<AcquiredMessage[]> {
    if (this.#acquirers.length >= limits.queueAcquirersMax) return Promise.resolve([]);
    const { clock } = this.#queue.home;
    const keeper = request.waitMs > 0 ? clock.keepProcess?.() : undefined;
    const acquirer = new Acquirer(
      request,
      ownerId,
      request.takesRuns === true ? this.#queue.nextRun() : 0,
      clock.nowMs() + request.waitMs,
      keeper,
      (aborted) => this.#endAcquirer(aborted),
    );
    this.#acquirers.push(acquirer);
    this.consumers.recallAside();
    if (request.signal?.aborted || request.count <= 0) this.#endAcquirer(acquirer);
    else if (request.waitMs > 0) this.#queue.arm(acquirer.patienceMs);
    return acquirer.result;
  }

  endAcquirersOf(ownerId: number): void {
    for (const acquirer of this.#acquirers.slice())
      if (acquirer.ownerId === ownerId) this.#endAcquirer(acquirer);
  }

  /** Ends the waits that are over; when the next one will be. */
  endWaits(nowMs: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const acquirer of this.#acquirers.slice()) {
      if (acquirer.patienceMs <= nowMs && !this.#isReading) this.#endAcquirer(acquirer);
      else next = Math.min(next, Math.max(acquirer.patienceMs, nowMs + 1));
    }
    return next;
  }

  /** The queue is gone, or its state is: nobody gets anything any more. */
  end(reason: 'deleted' | 'failed'): void {
    for (const acquirer of this.#acquirers.splice(0)) acquirer.end();
    this.#dying.length = 0;
    this.clearWindows();
    this.consumers.end(reason);
  }

  get hasWindow(): boolean {
    return !this.#ahead.isEmpty || !this.#behind.isEmpty;
  }

  /** Memory of batches that were decompressed. */
  get unpackedBytes(): number {
    return this.#ahead.unpackedBytes + this.#behind.unpackedBytes;
  }

  /** Lets go of the log's memory; what is needed is read again. */
  clearWindows(): void {
    this.#ahead.clear();
    this.#behind.clear();
  }

  /** What the queue gives out has changed. */
  settingsChanged(): void {
    if (this.#ahead.onlyStable === !this.#queue.settings.givesUncommitted) return;
    this.clearWindows();
    this.#setWindows();
  }

  #setWindows(): void {
    const { givesUncommitted } = this.#queue.settings;
    for (const window of [this.#ahead, this.#behind]) window.onlyStable = !givesUncommitted;
  }

  /** What could not be read is looked at again. */
  forgetDamage(): void {
    this.#damage = undefined;
  }

  /** A dead message is read and sent on in one of the next rounds. */
  addDying(lease: Lease, reason: DeathReason): void {
    this.#dying.push({ lease, reason });
  }

  /** One round: gives out at most `max` messages. True when it should go on in the next turn. */
  run(max: number): boolean {
    if (this.#isRunning) return true;
    this.#isRunning = true;
    let goesOn = false;
    try {
      goesOn = this.#round(max);
    } finally {
      this.#isRunning = false;
      if (!goesOn && !this.#isReading) this.#newFrom = this.#queue.endOffset;
      this.#finish(goesOn);
    }
    return goesOn;
  }

  #round(max: number): boolean {
    const queue = this.#queue;
    const nowMs = queue.home.clock.nowMs();
    this.isBlocked = false;
    this.headExpiryMs = Number.POSITIVE_INFINITY;
    // The clock may have been set back.
    if (this.retryAtMs <= nowMs || this.retryAtMs > nowMs + readRetryMs)
      this.retryAtMs = Number.POSITIVE_INFINITY;
    if (this.#isReading || this.retryAtMs < Number.POSITIVE_INFINITY) return false;
    for (let left = max; left > 0; left--) {
      if (queue.isDropped || queue.home.isLost) return false;
      if (queue.home.isClogged) {
        queue.home.awaitRoom(queue);
        return false;
      }
      if (this.#dying.length > 0) {
        this.isBlocked = this.#isDyingFull;
        if (!this.isBlocked) {
          if (!this.#sendDying(nowMs)) return false;
          continue;
        }
      }
      const taker = queue.isPaused ? undefined : this.#findTaker();
      if (taker === undefined && !queue.mustLook()) return false;
      if (!queue.areGroupsKnown && !this.#learnGroups(nowMs)) return false;
      const run = taker instanceof Acquirer ? taker.run : 0;
      if (!queue.state.choose(queue.endOffset, run)) {
        if (this.consumers.recallAny()) continue;
        this.clearWindows();
        return false;
      }
      const { offset } = queue.state;
      if (
        taker !== undefined &&
        !(taker instanceof Acquirer) &&
        this.consumers.recallFor(taker, offset)
      )
        continue;
      if (this.#isDamaged(offset)) {
        if (queue.damageChosen()) continue;
        this.#retryLater(nowMs);
        return false;
      }
      const window = queue.state.source === 'cursor' ? this.#ahead : this.#behind;
      window.isDrained = taker !== undefined;
      const sight = this.#look(window, offset, nowMs);
      if (sight === 'away') return false;
      if (sight === 'gap') {
        const bytes = window.gapBytes(offset);
        queue.dropChosen(bytes >= 0 ? bytes : averageReadyBytes(queue.state, queue.partition));
        continue;
      }
      if (!this.#handle(taker, nowMs)) return false;
    }
    return true;
  }

  /** Decides about the message that was chosen and is in view; false when the round is over. */
  #handle(taker: Attachment | Acquirer | undefined, nowMs: number): boolean {
    const queue = this.#queue;
    const view = this.#view;
    const { state, settings } = queue;
    view.deliveries = state.deliveries + 1;
    view.failures = state.failures;
    if (this.#isEarly(nowMs)) return true;
    const isFailed = settings.failuresMax >= 0 && state.failures > settings.failuresMax;
    if (isFailed && (taker !== undefined || !settings.keepsFailed))
      return this.#kill('delivery-limit');
    const isAwaited = taker !== undefined && !isAsking(taker);
    const expiresAtMs = this.#expiresAtMs();
    // Whoever waits for it when it comes gets it, however short its time is.
    if (expiresAtMs <= nowMs && !(isAwaited && this.#isNew())) return this.#kill('expired');
    if (!queue.isMatched(view)) {
      queue.dropChosen(Math.max(view.valueBytes, 0));
      return true;
    }
    if (!isAwaited && queue.isOverLength()) return this.#kill('maxlen');
    if (taker === undefined) {
      this.headExpiryMs = expiresAtMs;
      if (expiresAtMs < Number.POSITIVE_INFINITY) queue.arm(expiresAtMs);
      return false;
    }
    if (!queue.canLease()) {
      this.isBlocked = true;
      return false;
    }
    let receiver = taker;
    if (taker instanceof Acquirer) {
      if (!taker.fits(Math.max(view.valueBytes, 0))) {
        this.#endAcquirer(taker);
        return true;
      }
    } else {
      const found = this.consumers.match(taker, view) ?? this.#findAsker();
      if (found === undefined) {
        this.isBlocked = !this.consumers.setAside(view);
        return !this.isBlocked;
      }
      receiver = found;
    }
    if ((queue.form.isGrouped || queue.form.isFair) && !this.#enterGroup(receiver)) return true;
    if (receiver instanceof Acquirer) this.#giveAcquirer(receiver);
    else this.#give(receiver);
    return true;
  }

  /** False: another message of its group is out, or others go first, and it waits for that. */
  #enterGroup(taker: Attachment | Acquirer): boolean {
    const view = this.#view;
    const { state } = this.#queue;
    this.#schedule.read(view.bytes, view.headersAt, view.headerCount);
    const name = this.#schedule.group;
    const run = taker instanceof Acquirer ? taker.run : 0;
    return name === undefined || state.enterGroup(name, Math.max(view.valueBytes, 0), run);
  }

  #give(attachment: Attachment): void {
    const { consumer } = attachment;
    const queue = this.#queue;
    const lease = queue.takeOut(
      this.#view,
      attachment.ownerId,
      consumer.leaseMs,
      consumer.isAutoSettled,
    );
    this.consumers.touch(attachment);
    consumer.take(this.#view, lease, queue);
  }

  #giveAcquirer(acquirer: Acquirer): void {
    const { leaseMs, isAutoSettled } = acquirer.request;
    const lease = this.#queue.takeOut(this.#view, acquirer.ownerId, leaseMs, isAutoSettled);
    acquirer.take(this.#view, lease, this.#queue);
    if (acquirer.isFull) this.#endAcquirer(acquirer);
  }

  /** The message that was chosen dies; false when no more may die now. */
  #kill(reason: DeathReason): boolean {
    const queue = this.#queue;
    const { deadLetter, dropsExpired } = queue.settings;
    if (deadLetter === undefined || (reason === 'expired' && dropsExpired)) {
      queue.dropChosen(Math.max(this.#view.valueBytes, 0));
      queue.noteDeath();
      return true;
    }
    if (this.#isDyingFull || !queue.canHold()) {
      this.isBlocked = true;
      return false;
    }
    // Nobody was given it this time.
    this.#view.deliveries = queue.state.deliveries;
    const lease = queue.takeOut(this.#view, owners.dying, -1, false);
    // Nobody gets it any more: the others of its group need not wait until it has arrived.
    queue.state.groups?.leave(this.#view.offset);
    queue.noteDeath();
    queue.home.events.died(queue, this.#view, lease, reason);
    return true;
  }

  /** So many dead messages are on their way that the next must wait for one to arrive. */
  get #isDyingFull(): boolean {
    return this.#queue.dyingCount - this.#dying.length >= limits.queueDyingMax;
  }

  /** Sends the oldest dying message on; false while it cannot be read. */
  #sendDying(nowMs: number): boolean {
    const queue = this.#queue;
    const { lease, reason } = present(this.#dying[0], 'not empty');
    const { leases } = queue.state;
    const slot = leases?.find(lease) ?? -1;
    if (leases === undefined || slot < 0) {
      this.#dying.shift();
      return true;
    }
    if (this.#isDamaged(leases.offset(slot))) {
      if (queue.settling.damageDying(lease)) this.#dying.shift();
      else this.#retryLater(nowMs);
      return this.retryAtMs === Number.POSITIVE_INFINITY;
    }
    const sight = this.#look(this.#behind, leases.offset(slot), nowMs);
    if (sight === 'away') return false;
    this.#dying.shift();
    if (sight === 'gap') {
      queue.accept(lease);
      return true;
    }
    this.#view.deliveries = leases.deliveries(slot);
    this.#view.failures = leases.failures(slot);
    queue.home.events.died(queue, this.#view, lease, reason);
    return true;
  }

  /** Puts the message of `offset` into view. 'away': it is being read, or cannot be now. */
  #look(window: MessageWindow, offset: number, nowMs: number): 'here' | 'away' | 'gap' {
    let sight = window.seek(offset);
    if (sight === 'away') {
      let reading: Promise<void> | undefined;
      try {
        reading = window.load(offset);
      } catch (error) {
        this.#readFailed(error, offset, nowMs);
        return 'away';
      }
      if (reading !== undefined) {
        this.#isReading = true;
        reading.then(
          () => {
            this.#isReading = false;
            this.#queue.schedule();
          },
          (error: unknown) => {
            this.#isReading = false;
            this.#readFailed(error, offset, this.#queue.home.clock.nowMs());
          },
        );
        return 'away';
      }
      sight = window.seek(offset);
      // It should be there: whatever the reason is, the turn must not be spent on trying.
      if (sight === 'away') this.#readFailed(undefined, offset, nowMs);
    }
    if (sight === 'here') window.show(this.#view);
    return sight;
  }

  /** After a recovery, what is leased or waits for its next delivery still holds its group. False while it is read. */
  #learnGroups(nowMs: number): boolean {
    const { state } = this.#queue;
    this.#unknown ??= state.listHolders(limits.queueAsideMax);
    for (let offset = this.#unknown.at(-1); offset !== undefined; offset = this.#unknown.at(-1)) {
      // It was settled, or went with the start of the log, since the list was made.
      if (state.settled.has(offset)) {
        this.#unknown.pop();
        continue;
      }
      // Nobody knows the group of what cannot be read.
      const sight = this.#isDamaged(offset) ? 'gap' : this.#look(this.#behind, offset, nowMs);
      if (sight === 'away') return false;
      this.#unknown.pop();
      if (sight === 'gap') continue;
      this.#schedule.read(this.#view.bytes, this.#view.headersAt, this.#view.headerCount);
      const name = this.#schedule.group;
      if (name !== undefined) state.holdGroup(name, offset);
    }
    this.#unknown = undefined;
    this.#queue.areGroupsKnown = true;
    return true;
  }

  #readFailed(error: unknown, offset: number, nowMs: number): void {
    // What was deleted was settled with the start of the log, now or before; the rest is tried again.
    if (isDeleted(error)) {
      this.#queue.skipDeleted();
      if (offset < this.#queue.partition.logStartOffset) return this.#queue.schedule();
    }
    if (isDamage(error)) this.#inspect(offset);
    else this.#retryLater(nowMs);
  }

  #retryLater(nowMs: number): void {
    this.retryAtMs = nowMs + readRetryMs;
    this.#queue.arm(this.retryAtMs);
  }

  #isDamaged(offset: number): boolean {
    const damage = this.#damage;
    return damage !== undefined && offset >= damage.from && offset < damage.end;
  }

  /** Finds out how much is damaged at `offset`: the rounds that follow leave it out. */
  #inspect(offset: number): void {
    const queue = this.#queue;
    this.#isReading = true;
    queue.partition.findDamage(offset).then(
      (damage) => {
        this.#isReading = false;
        // It can be read, or is gone: either is seen when it is read again.
        if (damage === undefined) return this.#retryLater(queue.home.clock.nowMs());
        this.#damage = damage;
        queue.home.events.damaged?.(queue, damage.from, damage.end);
        queue.schedule();
      },
      () => {
        // What cannot be told now may well be intact.
        this.#isReading = false;
        this.#retryLater(queue.home.clock.nowMs());
      },
    );
  }

  /** What was there before the queue may have to wait for its time; it waits then where it would wait if it had come later. */
  #isEarly(nowMs: number): boolean {
    const queue = this.#queue;
    const view = this.#view;
    if (view.offset >= queue.state.historyEnd || view.headerCount === 0) return false;
    if (queue.state.deliveries > 0) return false;
    this.#schedule.read(view.bytes, view.headersAt, view.headerCount);
    const { deliverAtMs } = this.#schedule;
    if (deliverAtMs <= nowMs) return false;
    queue.delayChosen(Math.max(view.valueBytes, 0), deliverAtMs);
    return true;
  }

  #expiresAtMs(): number {
    const { settings, state } = this.#queue;
    const view = this.#view;
    let expiresAtMs = Number.POSITIVE_INFINITY;
    if (settings.messageTtlMs >= 0 && view.timestampMs >= 0)
      expiresAtMs = view.timestampMs + settings.messageTtlMs;
    const mayExpire = state.mayExpire || view.offset < state.historyEnd;
    if (mayExpire && view.headerCount > 0) {
      this.#schedule.read(view.bytes, view.headersAt, view.headerCount);
      if (this.#schedule.expiresAtMs >= 0) {
        expiresAtMs = Math.min(expiresAtMs, this.#schedule.expiresAtMs);
        // From here on what is at the head is looked at, whoever is there.
        state.mayExpire = true;
      }
    }
    return expiresAtMs;
  }

  /**
   * Who would get the next message: those who asked once and wait, then consumers by priority, equal ones in turn. Who does
   * not wait has what is left when the others have what they want.
   */
  #findTaker(): Attachment | Acquirer | undefined {
    const asker = this.#acquirers[0];
    if (asker === undefined) return this.consumers.findTaker();
    return isAsking(asker) ? (this.consumers.findTaker() ?? asker) : asker;
  }

  /** Who only asks, and has room for the message in view. */
  #findAsker(): Acquirer | undefined {
    const asker = this.#acquirers[0];
    return asker?.fits(Math.max(this.#view.valueBytes, 0)) === true ? asker : undefined;
  }

  /** Of the message in view: nobody has had it, and it was not there when the last round ended. */
  #isNew(): boolean {
    return this.#view.deliveries === 1 && this.#view.offset >= this.#newFrom;
  }

  #endAcquirer(acquirer: Acquirer): void {
    const at = this.#acquirers.indexOf(acquirer);
    if (at >= 0) this.#acquirers.splice(at, 1);
    acquirer.end();
  }

  /** The round is over: consumers send what they have; who does not wait, or has something, is answered. */
  #finish(goesOn: boolean): void {
    this.consumers.endRound();
    if (this.#acquirers.length === 0 || this.#isReading) return;
    for (const acquirer of this.#acquirers.slice())
      if (acquirer.hasMessages || (acquirer.request.waitMs <= 0 && !goesOn))
        this.#endAcquirer(acquirer);
  }
}

/** Asks for what is there now, and does not wait for what comes. */
function isAsking(taker: Attachment | Acquirer): boolean {
  return taker instanceof Acquirer && taker.request.waitMs <= 0;
}
