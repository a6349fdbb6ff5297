import type { QueueMessage } from '../../src/shard/queue/index.ts';
import { expectThat } from './violation.ts';

/** What decides about a queue in one seed. */
export interface QueuePlan {
  name: string;
  priorityMax: number;
  leaseMs: number;
  failuresMax: number;
  retryDelayMs: number;
  messageTtlMs: number;
  hasDeadLetters: boolean;
  isSingleActive: boolean;
  /** Messages that may be ready, the oldest goes; -1: any number. */
  readyMax: number;
  /** Its consumers ask for messages instead of being given them. */
  isPulled: boolean;
  consumers: number;
  /** Of messages with one group id, one is given out at a time, in order; or those with little in flight go first. */
  groups: 'none' | 'ordered' | 'fair';
  dedupWindowMs: number;
  overflow: 'drop-head' | 'reject' | 'reject-dead-letter';
}

/** A message that somebody tried to publish, and what was promised of it. */
export interface QueuedMessage {
  id: number;
  /** In the order of publishing, which is that of offsets. */
  sequence: number;
  rank: number;
  publishedMs: number;
  group: string | undefined;
  dedupId: string | undefined;
  deliverAtMs: number;
  expiresAtMs: number;
  /** Stored durably: its publisher was told. */
  isConfirmed: boolean;
  /** When its publisher was told; Infinity before. */
  confirmedMs: number;
  /** -1: nobody has seen it yet. */
  offset: number;
  isTouched: boolean;
  /** Of the last delivery; and of the last one that certainly outlives a crash. */
  deliveries: number;
  deliveriesDurable: number;
  /** Of the model's events; 0: not so. */
  takenAt: number;
  settledAt: number;
  /** Its settlement was asked for, and a crash came before the answer. */
  isDoubtful: boolean;
  holder: object | undefined;
  /** It was given back with a delay, until this time at least. */
  notBeforeMs: number;
  /** It certainly can be given out, for it was never given out, or given back at once. */
  isReady: boolean;
  /** It was made ready again, as if it had never been out, while later ones of its group may have been out. */
  mayOverlap: boolean;
  /** A queue that goes back forgets what priority its messages have. */
  isRankKnown: boolean;
  /** Something asked for its death: it was rejected, or failed too often. */
  mayDie: boolean;
  wasTaken: boolean;
  /** Somebody accepted it, or purged the queue: it need not be anywhere. */
  mayBeGone: boolean;
  isInDeadLetters: boolean;
}

/** Settled before it came: it was refused, and went straight to the dead. */
const neverHere = -1;
/** A queue's round comes at most this long after its publishers were told. */
const roundSlackMs = 10;
/** An id is remembered a little longer than it must be, for its message may still be on its way to the disk. */
const dedupSlackMs = 2500;

/** What is known of one queue: what was settled durably may never come back, what was confirmed may never be lost. */
export class QueueModel {
  readonly plan: QueuePlan;
  readonly messages = new Map<number, QueuedMessage>();
  readonly #byOffset = new Map<number, QueuedMessage>();
  /** Not settled, in order of publishing. */
  readonly #live = new Set<QueuedMessage>();
  /** Changes until this event are durable. */
  #durableAt = 0;
  #sequence = 0;
  /** Power was lost with data that may go: nothing is promised any more. */
  isLoose = false;
  /** Some messages could not be read: others have gone before them, and what had become of them is forgotten. */
  isDamaged = false;
  /** Where the dead of this queue are looked for. */
  deadLetters: DeadLetterModel | undefined;

  constructor(plan: QueuePlan) {
    this.plan = plan;
  }

  get liveCount(): number {
    return this.#live.size;
  }

  add(
    id: number,
    priority: number | undefined,
    deliverAtMs: number,
    expiresAtMs: number,
    nowMs: number,
  ): QueuedMessage {
    const { priorityMax } = this.plan;
    const message: QueuedMessage = {
      id,
      sequence: ++this.#sequence,
      rank: priorityMax === 0 ? 0 : priorityMax - Math.min(priority ?? 0, priorityMax),
      publishedMs: nowMs,
      group: undefined,
      dedupId: undefined,
      deliverAtMs,
      expiresAtMs,
      isConfirmed: false,
      confirmedMs: Number.POSITIVE_INFINITY,
      offset: -1,
      isTouched: false,
      deliveries: 0,
      deliveriesDurable: 0,
      takenAt: 0,
      settledAt: 0,
      isDoubtful: false,
      holder: undefined,
      notBeforeMs: 0,
      isReady: deliverAtMs === 0,
      mayOverlap: false,
      isRankKnown: true,
      mayDie: false,
      wasTaken: false,
      mayBeGone: false,
      isInDeadLetters: false,
    };
    this.messages.set(id, message);
    this.#live.add(message);
    return message;
  }

  /** It certainly was not stored. */
  refuse(message: QueuedMessage): void {
    this.messages.delete(message.id);
    this.#live.delete(message);
  }

  /** Its deduplication id was seen. */
  refuseDuplicate(message: QueuedMessage, nowMs: number): void {
    this.refuse(message);
    const { dedupWindowMs, name } = this.plan;
    const isKnown = this.#published(message.dedupId).some(
      (other) => other.publishedMs >= nowMs - dedupWindowMs - dedupSlackMs,
    );
    expectThat(isKnown, `${name}: message ${message.id} is called a duplicate`);
  }

  /** There was no room for it. */
  refuseSurplus(message: QueuedMessage): void {
    const { readyMax, overflow, name } = this.plan;
    expectThat(
      this.isLoose || (this.#live.size > readyMax && overflow !== 'drop-head'),
      `${name}: message ${message.id} is refused, and there are ${this.#live.size - 1}`,
    );
    if (overflow === 'reject') return this.refuse(message);
    message.mayDie = true;
    message.mayBeGone = true;
    this.#live.delete(message);
    message.settledAt = neverHere;
  }

  /** It was let in: then its deduplication id was not seen. */
  noteTaken(message: QueuedMessage, nowMs: number): void {
    const { dedupWindowMs, name } = this.plan;
    if (this.isLoose || dedupWindowMs === 0) return;
    for (const other of this.#published(message.dedupId)) {
      const isSeen = other.isConfirmed && other.publishedMs > nowMs - dedupWindowMs;
      expectThat(
        other === message || !isSeen,
        `${name}: message ${message.id} repeats ${other.id}, ${other.dedupId}`,
      );
    }
  }

  /** Checks a delivery, and notes it. */
  take(
    id: number,
    delivery: QueueMessage,
    holder: object,
    now: number,
    nowMs: number,
  ): QueuedMessage {
    const message = this.messages.get(id);
    const name = `${this.plan.name}: message ${id}`;
    if (message === undefined) {
      expectThat(false, `${name} was never published here`);
      throw new Error('not reached');
    }
    this.#place(message, delivery.offset, name);
    if (!this.isLoose) {
      expectThat(message.settledAt === 0, `${name} comes back though it was settled`);
      // Who asks for messages learns of them a while after they were leased.
      const { isPulled, leaseMs } = this.plan;
      const isTimed = isPulled && leaseMs >= 0;
      expectThat(message.holder === undefined || isTimed, `${name} is given out twice`);
      // Whoever waits for a message when it comes gets it, however late the disk makes it; but only then.
      const isJustStored =
        delivery.deliveries === 1 &&
        !message.wasTaken &&
        message.confirmedMs >= Math.min(message.expiresAtMs - roundSlackMs, nowMs);
      expectThat(
        delivery.deliveries > message.deliveries || this.isDamaged,
        `${name}: ${delivery.deliveries} deliveries follow ${message.deliveries}`,
      );
      expectThat(
        nowMs >= Math.max(message.deliverAtMs, message.notBeforeMs),
        `${name} comes before its time`,
      );
      expectThat(
        message.expiresAtMs > nowMs || isPulled || isJustStored,
        `${name} is given out though it has expired`,
      );
      const most = this.plan.failuresMax;
      expectThat(
        delivery.failures < delivery.deliveries && (most < 0 || delivery.failures <= most),
        `${name}: ${delivery.failures} failures`,
      );
      if (!isPulled && !this.isDamaged) this.#checkOrder(message, name, nowMs);
      if (!isPulled && !this.isDamaged && this.plan.groups === 'ordered')
        this.#checkGroup(message, name, nowMs);
    }
    const { isPulled, leaseMs, failuresMax } = this.plan;
    if (isPulled && leaseMs >= 0 && failuresMax >= 0) message.mayDie = true;
    message.holder = holder;
    message.takenAt = now;
    message.deliveries = delivery.deliveries;
    message.isTouched = true;
    message.wasTaken = true;
    message.isReady = false;
    message.mayOverlap = false;
    message.isDoubtful = false;
    message.isConfirmed = true;
    return message;
  }

  accept(message: QueuedMessage, now: number): void {
    message.mayBeGone = true;
    this.#settle(message, now);
  }

  /** It dies: sooner or later it is settled, and with a place for the dead it gets there before. */
  die(message: QueuedMessage, now: number): void {
    message.mayDie = true;
    if (!this.plan.hasDeadLetters) return this.#settle(message, now);
    message.holder = undefined;
    message.isDoubtful = true;
  }

  giveBack(message: QueuedMessage, delayMs: number, isFailure: boolean, nowMs: number): void {
    const { retryDelayMs, failuresMax } = this.plan;
    const waitMs = delayMs >= 0 ? delayMs : isFailure ? retryDelayMs : 0;
    message.holder = undefined;
    message.notBeforeMs = waitMs > 0 ? nowMs + waitMs : 0;
    message.isReady = waitMs === 0 && !(isFailure && failuresMax >= 0);
    if (isFailure && failuresMax >= 0) message.mayDie = true;
  }

  /** All changes until that event are durable. */
  noteDurable(event: number): void {
    this.#durableAt = Math.max(this.#durableAt, event);
    for (const message of this.#live)
      if (message.takenAt > 0 && message.takenAt <= this.#durableAt)
        message.deliveriesDurable = message.deliveries;
  }

  /** The storage failed, or the process ended: what was not durable may be so or not. */
  roll(): void {
    const { failuresMax, isPulled } = this.plan;
    for (const message of this.messages.values()) {
      // Whoever had it has failed; what was asked for may be on its way to somebody who is gone.
      if (failuresMax >= 0 && (message.isTouched || isPulled)) message.mayDie = true;
      message.holder = undefined;
      message.notBeforeMs = 0;
      message.deliveries = Math.min(message.deliveries, message.deliveriesDurable);
      if (message.isTouched) message.isReady = false;
      if (message.settledAt <= this.#durableAt) continue;
      message.settledAt = 0;
      message.isDoubtful = true;
      this.#live.add(message);
    }
  }

  /** Whatever was settled from an offset on may come back. */
  rewind(offset: number): void {
    for (const message of this.messages.values()) {
      if (message.offset >= 0 && message.offset < offset) continue;
      if (message.settledAt === neverHere) continue;
      if (this.plan.priorityMax > 0 && message.isTouched) message.isRankKnown = false;
      message.isReady &&= message.settledAt === 0 && !message.isTouched;
      // One that has died of its age or for want of room comes back as if nothing had been, too.
      if (message.holder !== undefined) continue;
      message.deliveries = 0;
      message.deliveriesDurable = 0;
      message.mayOverlap = true;
      if (message.settledAt === 0) continue;
      message.settledAt = 0;
      message.isDoubtful = true;
      this.#live.add(message);
    }
  }

  /** What could not be read is given out again, as if it had never been. */
  retryDamaged(): void {
    for (const message of this.#live) {
      message.isReady = false;
      message.mayOverlap = true;
      message.isRankKnown = false;
      message.notBeforeMs = 0;
      message.deliveries = 0;
      message.deliveriesDurable = 0;
    }
  }

  /** Everything that nobody holds is settled. */
  purge(now: number): void {
    for (const message of this.#live) {
      if (message.holder !== undefined) continue;
      message.mayBeGone = true;
      message.mayDie = true;
      message.isReady = false;
      // What dies is on its way, what is being published may be behind the purge, what is pulled may be leased already.
      const isIdle = message.isConfirmed && !message.isDoubtful && !this.plan.isPulled;
      if (isIdle) this.#settle(message, now);
      else message.isDoubtful = true;
    }
  }

  /** After power loss that may take data: nothing is certain of what was before. */
  loosen(): void {
    this.isLoose = true;
    this.#byOffset.clear();
  }

  /** Nobody consumes or publishes, no time is awaited: what the queue shows is what the model has. */
  checkRest(
    ids: readonly number[],
    counts: { ready: number; delayed: number; leased: number },
    nowMs: number,
  ): void {
    const { name } = this.plan;
    const shown = new Set(ids);
    expectThat(shown.size === ids.length, `${name}: a message is shown twice`);
    expectThat(
      counts.ready === ids.length && counts.delayed === 0 && counts.leased === 0,
      `${name}: ${JSON.stringify(counts)}, but ${ids.length} are shown`,
    );
    if (this.isLoose) return;
    for (const id of ids) {
      const message = this.messages.get(id);
      expectThat(message !== undefined, `${name}: message ${id} was never published here`);
      expectThat(message?.settledAt === 0, `${name}: message ${id} is settled, and shown`);
    }
    for (const message of this.#live) {
      const isCertain =
        message.isConfirmed &&
        !message.isDoubtful &&
        !message.mayDie &&
        message.expiresAtMs > nowMs &&
        this.plan.readyMax < 0;
      expectThat(!isCertain || shown.has(message.id), `${name}: message ${message.id} is gone`);
    }
  }

  /** The queue was emptied: everything that was confirmed was given to somebody, or has died for a reason. */
  checkEnd(nowMs: number): void {
    if (this.isLoose) return;
    const { name, hasDeadLetters, readyMax } = this.plan;
    for (const message of this.messages.values()) {
      if (!message.isConfirmed) continue;
      const hasReason = message.mayDie || message.expiresAtMs <= nowMs || readyMax >= 0;
      const isWell = hasDeadLetters
        ? message.mayBeGone || message.isInDeadLetters
        : message.wasTaken || hasReason;
      expectThat(isWell, `${name}: message ${message.id} is lost`);
    }
  }

  /** Whether a message may be among the dead of this queue. */
  mayHaveDied(id: number, nowMs: number): QueuedMessage | undefined {
    const message = this.messages.get(id);
    if (message === undefined) return undefined;
    const { readyMax } = this.plan;
    return message.mayDie || message.expiresAtMs <= nowMs || readyMax >= 0 ? message : undefined;
  }

  #settle(message: QueuedMessage, now: number): void {
    message.holder = undefined;
    message.settledAt = now;
    this.#live.delete(message);
  }

  /** One message of a group is out at a time, and one that was out goes before those behind it that were not. */
  #checkGroup(message: QueuedMessage, name: string, nowMs: number): void {
    if (message.group === undefined) return;
    for (const other of this.#live) {
      if (other === message || other.group !== message.group) continue;
      if (other.holder === undefined)
        expectThat(
          !this.#mustGoBefore(other, message, nowMs),
          `${name} overtakes message ${other.id} of its group, which came back`,
        );
      else
        expectThat(
          this.#mayGoBeside(other, message),
          `${name} is given out together with message ${other.id} of its group`,
        );
    }
  }

  /** A message that comes back does not wait for later ones that are out: they went by their priority, or before a rewind. */
  #mayGoBeside(held: QueuedMessage, message: QueuedMessage): boolean {
    if (!message.isTouched || held.sequence < message.sequence) return false;
    const isRankKnown = message.isRankKnown && held.isRankKnown;
    return message.mayOverlap || !isRankKnown || held.rank < message.rank;
  }

  /** It was out, and came back for whatever reason, at once or later; the other one never was. */
  #mustGoBefore(waiting: QueuedMessage, message: QueuedMessage, nowMs: number): boolean {
    if (message.isTouched || !waiting.isTouched || !waiting.isConfirmed) return false;
    // It may have died, or not be back yet from where it was settled.
    if (waiting.mayDie || waiting.isDoubtful || waiting.mayOverlap) return false;
    if (waiting.expiresAtMs <= nowMs || this.plan.readyMax >= 0) return false;
    if (!waiting.isRankKnown || waiting.deliverAtMs > 0 || message.deliverAtMs > 0) return false;
    return (
      waiting.rank < message.rank ||
      (waiting.rank === message.rank && waiting.sequence < message.sequence)
    );
  }

  #published(dedupId: string | undefined): QueuedMessage[] {
    if (dedupId === undefined) return [];
    return [...this.messages.values()].filter((message) => message.dedupId === dedupId);
  }

  #place(message: QueuedMessage, offset: number, name: string): void {
    if (this.isLoose) return;
    expectThat(
      message.offset < 0 || message.offset === offset,
      `${name} stands at ${message.offset} and at ${offset}`,
    );
    const other = this.#byOffset.get(offset);
    expectThat(
      other === undefined || other === message,
      `${this.plan.name}: ${offset} is message ${other?.id} and message ${message.id}`,
    );
    message.offset = offset;
    this.#byOffset.set(offset, message);
  }

  /** Nothing that is certainly there comes before what is given out. */
  #checkOrder(message: QueuedMessage, name: string, nowMs: number): void {
    const { groups } = this.plan;
    if (groups === 'fair') return;
    // What was given out once keeps its group until it is settled.
    if (groups === 'ordered' && message.isTouched) return;
    // What was delayed goes ahead of what waits, once it is due.
    if (this.plan.readyMax >= 0 || !message.isRankKnown || message.deliverAtMs > 0) return;
    for (const other of this.#live) {
      if (!other.isReady || !other.isConfirmed || other.isDoubtful || other === message) continue;
      if (!other.isRankKnown) continue;
      // Groups go side by side; what has none waits for nobody.
      if (groups === 'ordered' && (other.group === undefined || other.group !== message.group))
        continue;
      if (other.holder !== undefined || other.expiresAtMs <= nowMs) continue;
      const isBefore =
        other.rank < message.rank ||
        (other.rank === message.rank && other.sequence < message.sequence);
      expectThat(!isBefore, `${name} is given out before message ${other.id}`);
    }
  }
}

/** The queue that the dead go to: each came from somewhere, for a reason, once or more often. */
export class DeadLetterModel {
  readonly sources: QueueModel[] = [];
  /** Ids by offset. */
  readonly #seen = new Map<number, number>();

  take(id: number, delivery: QueueMessage, nowMs: number): void {
    const source = this.sources.find((model) => model.messages.has(id));
    expectThat(source !== undefined, `dead letters: message ${id} is from nowhere`);
    if (source === undefined || source.isLoose) return;
    const before = this.#seen.get(delivery.offset);
    expectThat(
      before === undefined || before === id,
      `dead letters: ${delivery.offset} is message ${before} and message ${id}`,
    );
    this.#seen.set(delivery.offset, id);
    const message = source.mayHaveDied(id, nowMs);
    expectThat(message !== undefined, `dead letters: message ${id} has died for no reason`);
    if (message !== undefined) message.isInDeadLetters = true;
  }
}
