import { limits } from '../../base/index.ts';
import type { Queue } from '../../broker/index.ts';
import type { Lease, PartitionQueue, ReleaseOptions } from '../../shard/index.ts';
import { AmqpError } from './amqp-error.ts';
import type { ChannelConsumer, ConsumerHost } from './consumer.ts';
import { DeliverySink } from './consumer-sink.ts';
import { DeliverySources } from './consumer-sources.ts';
import type { ConsumerInfo, MessageHalf } from './handler.ts';
import type { IncomingPublish, MessageChannel } from './message-channel.ts';
import { ChannelPublisher } from './publish.ts';
import type { SettleKind } from './publish-transaction.ts';
import { UnsettledTable } from './unsettled.ts';
import { UnsettledTimeout } from './unsettled-timeout.ts';
import { encodeMethod } from './wire/index.ts';

const requeued: ReleaseOptions = { isFailure: false };
const failed: ReleaseOptions = { isFailure: true };

/** What publishes, delivers and settles on one channel. */
export class ChannelMessages implements MessageHalf, ConsumerHost {
  readonly channel: MessageChannel;
  readonly publisher: ChannelPublisher;
  readonly sink: DeliverySink;
  readonly sources = new DeliverySources();
  readonly #unsettled = new UnsettledTable();
  readonly #timeout: UnsettledTimeout;
  readonly #consumers = new Map<string, ChannelConsumer>();
  /** Of consumers that come, and of the channel as a whole; 0: no limit. */
  prefetch = 0;
  #globalPrefetch = 0;
  #hasRefused = false;
  /** Tags of consumers that have ended while a queue is being deleted on this channel. */
  #untold: string[] | undefined;
  #isClosed = false;
  #isCommitting = false;
  /** Queues with dead letters in which this channel gave messages back, rejected or fetched some since it last waited. */
  readonly #mayKill = new Set<PartitionQueue>();
  /** Time of this round of deliveries, monotonic; -1: to be looked up. */
  #roundMs = -1;
  readonly #settle = (tag: number, source: number, lease: Lease): void => {
    this.#settleOne(this.#settleKind, tag, source, lease);
  };
  #settleKind: SettleKind = 'accept';

  constructor(channel: MessageChannel) {
    this.channel = channel;
    this.publisher = new ChannelPublisher(channel);
    this.sink = new DeliverySink(channel.link, channel.number);
    this.#timeout = new UnsettledTimeout(channel, this.#unsettled, this.sources);
  }

  publish(message: IncomingPublish): void {
    this.publisher.publish(message);
  }

  published(): Promise<void> | undefined {
    const stored = this.publisher.published();
    return this.#mayKill.size === 0 ? stored : this.#deathsMoved(stored);
  }

  ack(deliveryTag: number, isMultiple: boolean): void {
    if (isMultiple || this.publisher.transaction !== undefined) {
      this.settle(deliveryTag, isMultiple, 'accept');
      return;
    }
    const table = this.#unsettled;
    if (!table.find(deliveryTag)) throw unknownTag(deliveryTag);
    const { source, lease } = table;
    table.removeFound();
    this.#accept(source, lease);
  }

  /** A tag of 0 with `isMultiple` means all. */
  settle(deliveryTag: number, isMultiple: boolean, kind: SettleKind): void {
    const table = this.#unsettled;
    this.#settleKind = kind;
    if (isMultiple) {
      const through = deliveryTag === 0 ? Number.POSITIVE_INFINITY : deliveryTag;
      if (!table.removeThrough(through, this.#settle)) throw unknownTag(deliveryTag);
      return;
    }
    if (!table.find(deliveryTag)) throw unknownTag(deliveryTag);
    const { source, lease } = table;
    table.removeFound();
    this.#settleOne(kind, deliveryTag, source, lease);
  }

  /** Gives everything back that is not settled (basic.recover). */
  recover(): void {
    this.#unsettled.removeThrough(Number.POSITIVE_INFINITY, (_tag, source, lease) => {
      this.#settleNow('release', source, lease);
    });
    this.#wake();
  }

  turnEnded(): void {
    this.publisher.endTurn();
    if (this.#hasRefused) this.#wake();
  }

  resume(): void {
    this.#wake();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#timeout.close();
    // First nobody takes anything any more: what is given back must not come to a neighbour on this very channel.
    for (const consumer of this.#consumers.values()) consumer.cancel();
    this.#consumers.clear();
    this.publisher.transaction?.rollback(this.#restore);
    this.publisher.close();
    this.sink.flush();
    this.#giveBack();
  }

  #giveBack(): void {
    this.#unsettled.removeThrough(Number.POSITIVE_INFINITY, (_tag, source, lease) => {
      this.#settleNow('release-failed', source, lease);
    });
  }

  get owesAnswers(): boolean {
    return this.#isCommitting || this.publisher.unconfirmedCount > 0;
  }

  details(): Record<string, unknown> {
    const { publisher } = this;
    return {
      consumer_count: this.#consumers.size,
      prefetch_count: this.prefetch,
      global_prefetch_count: this.#globalPrefetch,
      confirm: publisher.hasConfirms,
      transactional: publisher.transaction !== undefined,
      messages_unacknowledged: this.#unsettled.count,
      messages_unconfirmed: publisher.unconfirmedCount,
      messages_uncommitted: publisher.transaction?.messageCount ?? 0,
      acks_uncommitted: publisher.transaction?.settledCount ?? 0,
      message_stats: {
        publish: publisher.publishedCount,
        return_unroutable: publisher.returnedCount,
      },
    };
  }

  consumers(): readonly ConsumerInfo[] {
    return [...this.#consumers.values()];
  }

  // Consumers, for the handlers of basic.consume and basic.cancel.

  get consumerCount(): number {
    return this.#consumers.size;
  }

  findConsumer(tag: string): ChannelConsumer | undefined {
    return this.#consumers.get(tag);
  }

  addConsumer(consumer: ChannelConsumer): void {
    this.#consumers.set(consumer.tag, consumer);
    this.#timeout.note(consumer.timeoutMs);
  }

  /** What it has delivered can still be settled. */
  cancelConsumer(tag: string): void {
    const consumer = this.#consumers.get(tag);
    if (consumer === undefined) return;
    this.#consumers.delete(tag);
    consumer.cancel();
    this.sink.flush();
    this.sources.trim(this.#isThere);
  }

  setGlobalPrefetch(count: number): void {
    this.#globalPrefetch = count;
    this.#wake();
  }

  get hasGlobalPrefetch(): boolean {
    return this.#globalPrefetch > 0;
  }

  // A message that was fetched with basic.get.

  /** Takes the tag of a fetched message. */
  tagForFetched(queue: Queue['parts'][number], lease: Lease, isAutoSettled: boolean): number {
    // Others may have died at the head, for their time or the queue's length.
    this.#noteKilling(queue);
    if (isAutoSettled) return this.tagForSettled();
    this.#timeout.note(limits.unsettledMs);
    this.sources.trim(this.#isThere);
    return this.tagFor(this.sources.of(queue, undefined), lease);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  // Transactions.

  selectTransaction(): void {
    if (this.publisher.hasConfirms) {
      throw new AmqpError('PRECONDITION_FAILED', 'cannot switch from confirm to tx mode');
    }
    this.publisher.beginTransactions();
  }

  async commit(): Promise<void> {
    const transaction = this.#getTransaction();
    this.#isCommitting = true;
    try {
      const { clock } = this.channel.link.services;
      await transaction.commit(clock.nowMs(), (source) => this.#freeCredit(source), this.#restore);
    } finally {
      this.#isCommitting = false;
      // The channel ended before a commit that failed: nobody else gives back what that had settled.
      if (this.#isClosed) this.#giveBack();
    }
    this.#wake();
  }

  rollback(): void {
    this.#getTransaction().rollback(this.#restore);
  }

  readonly #restore = (tag: number, source: number, lease: Lease): void => {
    this.#unsettled.restore(tag, source, lease, this.channel.link.services.clock.monotonicMs());
  };

  #getTransaction() {
    const { transaction } = this.publisher;
    if (transaction === undefined) {
      throw new AmqpError('PRECONDITION_FAILED', 'channel is not transactional');
    }
    return transaction;
  }

  // ConsumerHost.

  get hasRoom(): boolean {
    const { count } = this.#unsettled;
    if (this.#globalPrefetch > 0 && count >= this.#globalPrefetch) return false;
    return count < limits.unsettledPerChannelMax;
  }

  get isSendBlocked(): boolean {
    return this.channel.link.isSendBlocked;
  }

  noteRefused(): void {
    this.#hasRefused = true;
  }

  tagFor(source: number, lease: Lease): number {
    if (this.#roundMs < 0) this.#beginRound();
    this.sources.at(source).unsettled += 1;
    return this.#unsettled.add(source, lease, this.#roundMs);
  }

  tagForSettled(): number {
    return this.#unsettled.skip();
  }

  ended(consumer: ChannelConsumer): void {
    if (this.#isClosed || this.#consumers.get(consumer.tag) !== consumer) return;
    this.#consumers.delete(consumer.tag);
    this.sink.flush();
    this.sources.trim(this.#isThere);
    if (this.#untold === undefined) this.#tellEnded(consumer.tag);
    else this.#untold.push(consumer.tag);
  }

  /** The client is not told that consumers end until `tellEnded`: first comes the answer to what ends them. */
  holdEnded(): void {
    this.#untold ??= [];
  }

  tellEnded(): void {
    const untold = this.#untold ?? [];
    this.#untold = undefined;
    if (!this.#isClosed) for (const tag of untold) this.#tellEnded(tag);
  }

  #tellEnded(consumerTag: string): void {
    const { link, number } = this.channel;
    if (!link.hasCancelNotify) return;
    link.send(encodeMethod(number, 'basicCancel', { consumerTag, nowait: true }));
  }

  /** The clock is read once for what one turn of the event loop delivers. */
  #beginRound(): void {
    const { clock } = this.channel.link.services;
    this.#roundMs = clock.monotonicMs();
    this.#timeout.watch();
    queueMicrotask(this.#endRound);
  }

  readonly #isThere = (consumer: ChannelConsumer | undefined): boolean =>
    consumer !== undefined && this.#consumers.get(consumer.tag) === consumer;

  readonly #endRound = (): void => {
    this.#roundMs = -1;
  };

  #accept(source: number, lease: Lease): void {
    const from = this.sources.at(source);
    from.unsettled -= 1;
    const { consumer, queue } = from;
    if (consumer !== undefined) consumer.unsettled -= 1;
    queue?.accept(lease);
  }

  #settleOne(kind: SettleKind, tag: number, source: number, lease: Lease): void {
    const { transaction } = this.publisher;
    const { queue } = this.sources.at(source);
    if (kind !== 'accept') this.#noteKilling(queue);
    if (transaction === undefined || queue === undefined) this.#settleNow(kind, source, lease);
    else transaction.settle(kind, tag, source, queue, lease);
  }

  #noteKilling(queue: PartitionQueue | undefined): void {
    if (queue?.settings.deadLetter === undefined) return;
    const known = this.#mayKill;
    known.add(queue);
    if (known.size <= limits.deathQueuesPerChannelMax) return;
    for (const oldest of known) {
      known.delete(oldest);
      return;
    }
  }

  /** What died by this channel's doing is where it goes, or will not go there now. */
  async #deathsMoved(stored: Promise<void> | undefined): Promise<void> {
    if (stored !== undefined) await stored;
    const queues = [...this.#mayKill];
    this.#mayKill.clear();
    for (const queue of queues) {
      const moved = queue.deathsMoved();
      if (moved !== undefined) await moved;
    }
  }

  #settleNow(kind: SettleKind, source: number, lease: Lease): void {
    if (kind === 'accept') {
      this.#accept(source, lease);
      return;
    }
    const { queue } = this.sources.at(source);
    this.#freeCredit(source);
    if (kind === 'reject') queue?.reject(lease, 'rejected');
    else queue?.release(lease, kind === 'release' ? requeued : failed);
  }

  #freeCredit(source: number): void {
    const from = this.sources.at(source);
    from.unsettled -= 1;
    if (from.consumer !== undefined) from.consumer.unsettled -= 1;
  }

  /** Consumers that were refused look again whether they have room. */
  #wake(): void {
    if (!this.#hasRefused || this.#isClosed) return;
    this.#hasRefused = false;
    for (const consumer of this.#consumers.values()) if (consumer.isRefused) consumer.resume();
  }
}

function unknownTag(tag: number): AmqpError {
  return new AmqpError('PRECONDITION_FAILED', `unknown delivery tag ${tag}`);
}
