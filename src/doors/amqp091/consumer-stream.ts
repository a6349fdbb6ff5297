import { AssertionError, BrokerError, limits, ProtocolError } from '../../base/index.ts';
import type { Topic } from '../../broker/index.ts';
import {
  batchAttributes,
  batchBaseOffset,
  batchLastOffset,
  batchProducerId,
  batchTotalBytes,
  isControlBatch,
  isTransactionalBatch,
  RecordCursor,
} from '../../bytes/index.ts';
import type {
  AbortedTransaction,
  Partition,
  PartitionWaiter,
  QueueMessage,
  ReadResult,
} from '../../shard/index.ts';
import type { ChannelConsumer, ConsumerHost } from './consumer.ts';
import type { DeliveryEncoder } from './consumer-frames.ts';
import type { StreamFilter } from './consumer-stream-filter.ts';
import type { StreamStart } from './consumer-stream-start.ts';
import type { MessageChannel } from './message-channel.ts';

export interface StreamConsumerOptions {
  readonly tag: string;
  readonly topic: Topic;
  readonly queueName: string;
  readonly channel: MessageChannel;
  readonly host: ConsumerHost;
  readonly encoder: DeliveryEncoder;
  readonly prefetch: number;
  readonly start: StreamStart;
  readonly filter: StreamFilter | undefined;
}

/**
 * Reads a log from a place on, without taking anything out of it (https://www.rabbitmq.com/docs/streams#consuming): each
 * delivery takes one of `prefetch` credits, each ack, nack or reject gives it back. Partitions are read in turn.
 */
export class StreamConsumer implements ChannelConsumer {
  readonly tag: string;
  readonly timeoutMs = 0;
  readonly queue: { readonly namespace: string; readonly name: string };
  isRefused = false;
  unsettled = 0;
  readonly #options: StreamConsumerOptions;
  readonly #host: ConsumerHost;
  readonly #source: number;
  readonly #readers: PartitionReader[] = [];
  #turn = 0;
  #unwatch: (() => void) | undefined;
  #isScheduled = false;
  #isEnded = false;

  constructor(options: StreamConsumerOptions) {
    this.#options = options;
    this.#host = options.host;
    this.tag = options.tag;
    this.queue = { namespace: options.channel.link.namespace, name: options.queueName };
    this.#source = options.host.sources.of(undefined, this);
  }

  /** Finds where to begin; resolves before the first delivery. */
  async prepare(): Promise<void> {
    const { topic, start } = this.#options;
    for (const partition of topic.partitions) {
      const offset = await start.find(partition);
      this.#readers.push(new PartitionReader(partition, offset, () => this.#schedule()));
    }
  }

  start(): void {
    const { queues } = this.#options.channel.link.services;
    const { topic } = this.#options;
    this.#unwatch = queues.watch(({ kind, queue }) => {
      // Read as a queue's log, it ends with the queue, although the log may stay.
      if (kind === 'deleted' && queue.subscription === '' && queue.topic.id === topic.id)
        this.#end();
    });
    this.#schedule();
  }

  details(): Record<string, unknown> {
    return {
      consumer_tag: this.tag,
      exclusive: false,
      ack_required: true,
      prefetch_count: this.#options.prefetch,
      active: true,
      activity_status: 'up',
      messages_unacknowledged: this.unsettled,
    };
  }

  resume(): void {
    this.isRefused = false;
    this.#schedule();
  }

  cancel(): void {
    this.#isEnded = true;
    this.#unwatch?.();
    for (const reader of this.#readers) reader.close();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isEnded) return;
    this.#isScheduled = true;
    this.#options.channel.link.services.clock.setAfterIo(() => {
      this.#isScheduled = false;
      if (!this.#isEnded) this.#round();
    });
  }

  /** Gives out what is there, up to a bound; what is not in memory is waited for. */
  #round(): void {
    let delivered = 0;
    let idle = 0;
    try {
      while (idle < this.#readers.length && delivered < roundMessagesMax) {
        const reader = this.#readers[this.#turn % this.#readers.length]!;
        const count = this.#deliverFrom(reader, roundMessagesMax - delivered);
        if (this.#isEnded || count === refused) break;
        this.#turn += 1;
        delivered += count;
        idle = count === 0 ? idle + 1 : 0;
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#host.sink.flush();
    if (delivered >= roundMessagesMax) this.#schedule();
    // Woken for nothing: by the end of the log, perhaps.
    else if (delivered === 0 && !this.#hasLog()) this.#end();
  }

  /** Whether the log is there still. */
  #hasLog(): boolean {
    const { topic, channel } = this.#options;
    const { link } = channel;
    return link.services.broker.topics.find(topic.name, link.namespace)?.id === topic.id;
  }

  #end(): void {
    if (this.#isEnded) return;
    this.cancel();
    this.#host.ended(this);
  }

  /** How many messages it has looked at. */
  #deliverFrom(reader: PartitionReader, countMax: number): number {
    const { filter } = this.#options;
    let count = 0;
    while (count < countMax && reader.next()) {
      if (filter === undefined || filter.matches(reader.message)) {
        if (!this.#wants()) return refused;
        this.#deliver(reader.message);
      }
      reader.taken();
      count += 1;
      // One partition does not keep the others waiting.
      if (count >= partitionTurnMessages && this.#readers.length > 1) break;
    }
    return count;
  }

  #wants(): boolean {
    const host = this.#host;
    if (!host.isSendBlocked && this.unsettled < this.#options.prefetch && host.hasRoom) return true;
    this.isRefused = true;
    host.noteRefused();
    return false;
  }

  #deliver(message: QueueMessage): void {
    const host = this.#host;
    this.unsettled += 1;
    const tag = host.tagFor(this.#source, message.offset);
    const bodyBytes = Math.max(0, message.valueBytes);
    const frames = this.#options.encoder.encode(message);
    host.sink.deliver(frames, tag, message.bytes, message.valueAt, bodyBytes);
  }

  #fail(error: unknown): void {
    if (error instanceof BrokerError || error instanceof ProtocolError) {
      // The log is gone, or its storage is: as when a queue is deleted.
      this.#end();
      return;
    }
    this.#options.channel.fail(error);
  }
}

/** One partition's records, one after the other; asks to be looked at again when there is more. */
class PartitionReader implements PartitionWaiter {
  readonly #partition: Partition;
  readonly #onMore: () => void;
  #offset: number;
  #slices: Uint8Array[] = [];
  /** Of the slices, as of when they came: the log forgets it once its start is past, and a reader may wait for credit. */
  #aborted: readonly AbortedTransaction[] = [];
  #slice = 0;
  #at = 0;
  #cursor: RecordCursor | undefined;
  /** First offset behind the batch of the cursor. */
  #batchEnd = 0;
  /** The cursor stands at a record that was not given out. */
  #hasRecord = false;
  #isWaiting = false;
  #isClosed = false;
  #failure: unknown;
  readonly #message = new StreamMessage();

  constructor(partition: Partition, offset: number, onMore: () => void) {
    this.#partition = partition;
    this.#offset = offset;
    this.#onMore = onMore;
  }

  get message(): QueueMessage {
    return this.#message;
  }

  /** Whether there is a record now; it stays until `taken`. Throws what reading failed with. */
  next(): boolean {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#hasRecord) return true;
    for (;;) {
      const cursor = this.#cursor;
      while (cursor?.next() === true) {
        if (cursor.offset < this.#offset) continue;
        this.#message.show(cursor);
        this.#hasRecord = true;
        return true;
      }
      // Behind its last record a batch may stand for others that compaction has removed.
      if (cursor !== undefined) this.#offset = Math.max(this.#offset, this.#batchEnd);
      this.#cursor = undefined;
      if (!this.#openBatch() && !this.#read()) return false;
    }
  }

  taken(): void {
    this.#hasRecord = false;
    this.#offset = this.#message.offset + 1;
  }

  close(): void {
    this.#isClosed = true;
    this.#partition.unwatch(this);
  }

  wake(): void {
    this.#isWaiting = false;
    this.#onMore();
  }

  /** Moves to the next batch of what was read that holds messages. */
  #openBatch(): boolean {
    for (; this.#slice < this.#slices.length; this.#slice += 1, this.#at = 0) {
      const bytes = this.#slices[this.#slice]!;
      while (this.#at < bytes.length) {
        const at = this.#at;
        this.#at += batchTotalBytes(bytes, at);
        const next = batchLastOffset(bytes, at) + 1;
        if (next <= this.#offset) continue;
        if (this.#isMessages(bytes, at)) {
          this.#cursor = new RecordCursor(bytes, at, limits.decompressedBytesMax);
          this.#batchEnd = next;
          return true;
        }
        this.#offset = next;
      }
    }
    this.#slices = [];
    return false;
  }

  #isMessages(bytes: Uint8Array, at: number): boolean {
    const attributes = batchAttributes(bytes, at);
    if (isControlBatch(attributes)) return false;
    if (!isTransactionalBatch(attributes)) return true;
    const producer = batchProducerId(bytes, at);
    const offset = batchBaseOffset(bytes, at);
    return !this.#aborted.some(
      ({ producerId, firstOffset, lastOffset }) =>
        producerId === producer && firstOffset <= offset && offset < lastOffset,
    );
  }

  /** True when there are batches to look at; else `onMore` is called when it may be so. */
  #read(): boolean {
    if (this.#isWaiting || this.#isClosed) return false;
    const partition = this.#partition;
    // What was deleted meanwhile is passed over.
    this.#offset = Math.max(this.#offset, partition.logStartOffset);
    if (this.#offset >= partition.lastStableOffset) {
      this.#isWaiting = true;
      partition.watch(this);
      return false;
    }
    const result = partition.read(this.#offset, readOptions);
    if (!(result instanceof Promise)) return this.#show(result);
    this.#isWaiting = true;
    result.then(
      (found) => {
        this.#isWaiting = false;
        this.#show(found);
        this.#onMore();
      },
      (error: unknown) => {
        this.#isWaiting = false;
        // Deleted between the look and the reading: the next look begins where the log does.
        const isBehind = error instanceof BrokerError && error.code === 'offset-out-of-range';
        if (!isBehind)
          this.#failure = error ?? new AssertionError('reading failed without a reason');
        this.#onMore();
      },
    );
    return false;
  }

  #show(result: ReadResult): boolean {
    this.#slices = result.slices;
    this.#aborted = this.#partition.findAborted(this.#offset, endOf(result.slices));
    this.#slice = 0;
    this.#at = 0;
    return result.slices.length > 0;
  }
}

/** The offset behind the last batch; 0 when there is none. */
function endOf(slices: readonly Uint8Array[]): number {
  const last = slices.at(-1);
  if (last === undefined) return 0;
  let end = 0;
  for (let at = 0; at < last.length; at += batchTotalBytes(last, at))
    end = batchLastOffset(last, at) + 1;
  return end;
}

/** A record as a message that is delivered for the first time. */
class StreamMessage implements QueueMessage {
  readonly deliveries = 1;
  readonly failures = 0;
  offset = 0;
  timestampMs = 0;
  bytes: Uint8Array = Buffer.alloc(0);
  keyAt = 0;
  keyBytes = -1;
  valueAt = 0;
  valueBytes = -1;
  headersAt = 0;
  headersBytes = 0;
  headerCount = 0;

  show(cursor: RecordCursor): void {
    this.offset = cursor.offset;
    this.timestampMs = cursor.timestampMs;
    this.bytes = cursor.bytes;
    this.keyAt = cursor.keyAt;
    this.keyBytes = cursor.keyBytes;
    this.valueAt = cursor.valueAt;
    this.valueBytes = cursor.valueBytes;
    this.headersAt = cursor.headersAt;
    this.headersBytes = cursor.headersBytes;
    this.headerCount = cursor.headerCount;
  }
}

const roundMessagesMax = 1000;
const partitionTurnMessages = 100;
const refused = -1;
const readOptions = { maxBytes: 256 * 1024, minOneBatch: true, onlyStable: true };
