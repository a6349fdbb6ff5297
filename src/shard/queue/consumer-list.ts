import { limits } from '../../base/index.ts';
import type { LiveQueue } from './live-queue.ts';
import type { QueueConsumer, QueueMessage } from './types.ts';

/** Messages that were set aside for a consumer come back in such portions when it wants some again. */
const recallMax = 64;
/** When so many offsets are noted for a consumer, at most half of them are of messages that are still there. */
const matchedMax = limits.queueAsideMax * 2;

/** A consumer, as the queue knows it. */
export interface Attachment {
  readonly consumer: QueueConsumer;
  /** Of its leases. */
  readonly ownerId: number;
  isAttached: boolean;
  /** It did not want a message when it was asked last, in this epoch of resumptions. */
  idleEpoch: number;
  /** It was given something in this round. */
  isTouched: boolean;
  /** Offsets of messages that were set aside for it when it did not want any, in order from `matchedAt` on. */
  matched: number[];
  matchedAt: number;
}

/**
 * The consumers of a queue: whose turn it is, and what was passed by because nobody who wants messages matches it. The
 * messages themselves are set aside in the state; here stands for whom.
 */
export class ConsumerList {
  readonly #queue: LiveQueue;
  /** By priority, the greatest first; equal ones in the order in which they came. */
  readonly #attachments: Attachment[] = [];
  readonly #byOwner = new Map<number, Attachment>();
  #touched: Attachment[] = [];
  /** The one that gets everything, where only one may. */
  #active: Attachment | undefined;
  /** Among equal ones the place of who is asked first, and the one behind who was found last. */
  #turn = 0;
  #nextTurn = 0;
  #epoch = 1;

  constructor(queue: LiveQueue) {
    this.#queue = queue;
  }

  get count(): number {
    return this.#attachments.length;
  }

  attach(consumer: QueueConsumer, ownerId: number): void {
    const attachment: Attachment = {
      consumer,
      ownerId,
      isAttached: true,
      idleEpoch: 0,
      isTouched: false,
      matched: [],
      matchedAt: 0,
    };
    this.recallAside();
    let at = this.#attachments.length;
    while (at > 0 && this.#attachments[at - 1]!.consumer.priority < consumer.priority) at--;
    this.#attachments.splice(at, 0, attachment);
    this.#byOwner.set(ownerId, attachment);
    this.chooseActive();
  }

  /** The owner of its leases; undefined when it is not attached. */
  detach(consumer: QueueConsumer): number | undefined {
    const at = this.#attachments.findIndex((attachment) => attachment.consumer === consumer);
    const attachment = this.#attachments[at];
    if (attachment === undefined) return undefined;
    this.recallAside();
    this.#attachments.splice(at, 1);
    this.#byOwner.delete(attachment.ownerId);
    attachment.isAttached = false;
    if (this.#active === attachment) this.#active = undefined;
    this.chooseActive();
    return attachment.ownerId;
  }

  end(reason: 'deleted' | 'failed'): void {
    const attachments = this.#attachments.splice(0);
    this.#byOwner.clear();
    this.#touched = [];
    this.#active = undefined;
    for (const attachment of attachments) {
      attachment.isAttached = false;
      attachment.consumer.detached(reason);
    }
  }

  find(ownerId: number): QueueConsumer | undefined {
    return this.#byOwner.get(ownerId)?.consumer;
  }

  /** Where only one consumer may get messages, it is one of the greatest priority, and of those that has been here longest. */
  chooseActive(): void {
    if (!this.#queue.settings.isSingleActive) {
      this.#active = undefined;
      return;
    }
    if (this.#active !== undefined) return;
    const [first] = this.#attachments;
    if (first === undefined) return;
    this.#active = first;
    for (const attachment of this.#attachments.slice())
      attachment.consumer.activeChanged?.(attachment === first);
  }

  /** Somebody may want messages again: all are asked. */
  resume(): void {
    this.#epoch++;
  }

  /** Who would get the next message: by priority, equal ones in turn. The turn ends when it got something (`touch`). */
  findTaker(): Attachment | undefined {
    if (this.#active !== undefined) return this.#wants(this.#active) ? this.#active : undefined;
    const attachments = this.#attachments;
    for (let start = 0; start < attachments.length; ) {
      const { priority } = attachments[start]!.consumer;
      let end = start + 1;
      while (end < attachments.length && attachments[end]!.consumer.priority === priority) end++;
      const count = end - start;
      for (let step = 0; step < count; step++) {
        const at = (this.#turn + step) % count;
        const attachment = attachments[start + at]!;
        if (!this.#wants(attachment)) continue;
        this.#nextTurn = at + 1;
        return attachment;
      }
      start = end;
    }
    return undefined;
  }

  /** Who gets a message: `taker`, or another one that wants it; undefined when nobody who wants some matches it. */
  match(taker: Attachment, message: QueueMessage): Attachment | undefined {
    const { filter } = taker.consumer;
    if (filter === undefined || filter(message)) return taker;
    if (this.#active !== undefined) return undefined;
    for (const other of this.#attachments) {
      if (other === taker || !this.#wants(other)) continue;
      if (other.consumer.filter === undefined || other.consumer.filter(message)) return other;
    }
    return undefined;
  }

  /** It is given a message. */
  touch(attachment: Attachment): void {
    this.#turn = this.#nextTurn;
    if (attachment.isTouched) return;
    attachment.isTouched = true;
    this.#touched.push(attachment);
  }

  /** The round is over: those that got something send what they have. */
  endRound(): void {
    if (this.#touched.length === 0) return;
    const touched = this.#touched;
    this.#touched = [];
    for (const attachment of touched) {
      attachment.isTouched = false;
      if (attachment.isAttached) attachment.consumer.taken?.();
    }
  }

  // What nobody may get now

  /**
   * Passes the message that was chosen by; false when too many were already. It comes again when one who matches it wants
   * some, or when others come.
   */
  setAside(message: QueueMessage): boolean {
    const { state } = this.#queue;
    if ((state.aside?.count ?? 0) >= limits.queueAsideMax) return false;
    for (const attachment of this.#attachments) {
      const { consumer, matched } = attachment;
      if (consumer.filter !== undefined && !consumer.filter(message)) continue;
      if (matched.length >= matchedMax) this.#forgetGone(attachment);
      attachment.matched.push(message.offset);
      break;
    }
    state.setChosenAside(Math.max(message.valueBytes, 0));
    return true;
  }

  /** What was set aside for somebody is less than what is set aside: the rest is gone, or was given out. */
  #forgetGone(attachment: Attachment): void {
    const { aside } = this.#queue.state;
    const left = attachment.matched.slice(attachment.matchedAt);
    attachment.matched = left.filter((offset) => aside?.find(offset) === true);
    attachment.matchedAt = 0;
  }

  /** What was set aside for somebody who wants some now goes before the message at `offset`; false when there is none. */
  recallFor(attachment: Attachment, offset: number): boolean {
    const { matched } = attachment;
    const next = matched[attachment.matchedAt];
    if (next === undefined || next > offset) return false;
    let recalled = 0;
    // What is gone since, settled or with the start of the log, does not count.
    for (; attachment.matchedAt < matched.length && recalled < recallMax; attachment.matchedAt++)
      if (this.#queue.state.recall(matched[attachment.matchedAt]!)) recalled++;
    if (attachment.matchedAt === matched.length) {
      attachment.matched = [];
      attachment.matchedAt = 0;
    }
    return recalled > 0;
  }

  /** Nothing else is there: somebody who wants messages gets those that were set aside for it. */
  recallAny(): boolean {
    if ((this.#queue.state.aside?.count ?? 0) === 0) return false;
    for (const attachment of this.#attachments) {
      if (attachment.matched.length === 0 || !this.#wants(attachment)) continue;
      if (this.recallFor(attachment, Number.POSITIVE_INFINITY)) return true;
    }
    return false;
  }

  /** Whoever is there has changed: what was set aside is looked at again. */
  recallAside(): void {
    this.#queue.state.recallAll();
    this.forgetAside();
  }

  /** Nothing is set aside any more. */
  forgetAside(): void {
    for (const attachment of this.#attachments) {
      attachment.matched = [];
      attachment.matchedAt = 0;
    }
  }

  #wants(attachment: Attachment): boolean {
    if (attachment.idleEpoch === this.#epoch) return false;
    if (attachment.consumer.wants()) return true;
    attachment.idleEpoch = this.#epoch;
    return false;
  }
}
