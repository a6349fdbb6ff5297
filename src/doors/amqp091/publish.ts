import { BrokerError } from '../../base/index.ts';
import type { OutgoingMessage, PublishGroup, Topic } from '../../broker/index.ts';
import { AmqpError, amqpErrorOf } from './amqp-error.ts';
import { type EncodedProperties, restamp } from './message/index.ts';
import type { IncomingPublish, MessageChannel } from './message-channel.ts';
import { type ConfirmBatch, PublishConfirms } from './publish-confirms.ts';
import { replyKeyPrefix, replyQueueName } from './publish-replies.ts';
import { PublishRoute } from './publish-route.ts';
import { ChannelTransaction, type UnroutedPublish } from './publish-transaction.ts';
import { encodeMethod, property as basic, writeBodyStart, writeHeaderStart } from './wire/index.ts';

/** The publishing side of one channel. */
export class ChannelPublisher {
  readonly #channel: MessageChannel;
  readonly #route: PublishRoute;
  #confirms: PublishConfirms | undefined;
  /** The properties as they came, flags first, and what was made of them. */
  #propertyBytes: Buffer = Buffer.alloc(0);
  #properties: EncodedProperties | undefined;
  /** Whether the reply queue stood in for its short name. */
  #isReplyRenamed = false;
  readonly #message: OutgoingMessage = newMessage();
  #group: PublishGroup | undefined;
  #batch: ConfirmBatch | undefined;
  #isClosed = false;
  /** Time of arrival of what is being read, ms since the epoch; -1: to be looked up. */
  #turnMs = -1;
  /** The routing key of this channel's own reply queue, while it consumes from it. */
  replyKey: string | undefined;
  transaction: ChannelTransaction | undefined;
  /** Messages published, returned and refused. */
  publishedCount = 0;
  returnedCount = 0;
  /** Groups that were opened, those that are durable or have failed, and who waits for how many of the latter. */
  #groupCount = 0;
  #decidedCount = 0;
  #onDecided: Array<{ readonly count: number; readonly resolve: () => void }> | undefined;
  readonly #onDone = (group: PublishGroup, error: BrokerError | undefined): void => {
    this.#decidedCount += 1;
    if (this.#onDecided !== undefined) this.#tellDecided();
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `#openGroup` put it there
    this.#settle(group.context as ConfirmBatch | undefined, error === undefined);
  };

  constructor(channel: MessageChannel) {
    this.#channel = channel;
    this.#route = new PublishRoute(channel);
  }

  get hasConfirms(): boolean {
    return this.#confirms !== undefined;
  }

  get unconfirmedCount(): number {
    return this.#confirms?.unconfirmedCount ?? 0;
  }

  selectConfirms(): void {
    if (this.transaction !== undefined) {
      throw new AmqpError('PRECONDITION_FAILED', 'cannot switch from tx to confirm mode');
    }
    this.#confirms ??= new PublishConfirms(this.#channel.number);
  }

  /** From here on everything waits for a commit. */
  beginTransactions(): void {
    const { services } = this.#channel.link;
    this.transaction ??= new ChannelTransaction(services.openTransaction());
  }

  publish(publish: IncomingPublish): void {
    if (publish.isImmediate) throw new AmqpError('NOT_IMPLEMENTED', 'immediate=true');
    const { services } = this.#channel.link;
    if (publish.bodyBytes > services.messageBytesMax) {
      throw new AmqpError(
        'PRECONDITION_FAILED',
        `message size ${publish.bodyBytes} is larger than configured max size ${services.messageBytesMax}`,
      );
    }
    const route = this.#route;
    const isSameRoute = route.find(publish);
    // The clock is read once for what one read from the socket brought.
    if (this.#turnMs < 0) this.#turnMs = services.clock.nowMs();
    const nowMs = this.#turnMs;
    let properties = this.#properties;
    if (isSameRoute && properties !== undefined && this.#isSameProperties(publish)) {
      restamp(properties, nowMs);
    } else {
      properties = this.#encode(publish, nowMs);
    }
    const targets = route.targets(properties);
    this.publishedCount += 1;
    if (targets.length === 0) {
      this.#publishNowhere(publish, properties);
      return;
    }
    this.#fill(publish, properties, nowMs);
    if (this.transaction === undefined) this.#store(targets);
    else this.transaction.publish(targets, this.#message, properties);
  }

  /** Everything that one read from the socket brought is here: it becomes durable together. */
  endTurn(): void {
    this.#turnMs = -1;
    const batch = this.#batch;
    const group = this.#group;
    this.#batch = undefined;
    this.#group = undefined;
    this.#confirms?.close();
    if (group !== undefined) this.#channel.link.services.publisher.close(group);
    else if (batch !== undefined) this.#settle(batch, true);
  }

  /** Undefined when all that was published is durable, or has failed; else resolves when it is. */
  published(): Promise<void> | undefined {
    this.endTurn();
    const count = this.#groupCount;
    if (this.#decidedCount === count) return undefined;
    return new Promise((resolve) => {
      this.#onDecided ??= [];
      this.#onDecided.push({ count, resolve });
    });
  }

  close(): void {
    this.endTurn();
    this.#isClosed = true;
    this.transaction?.rollback();
    this.closeReplies();
  }

  closeReplies(): void {
    if (this.replyKey === undefined) return;
    this.#channel.link.services.tools.replies.close(this.replyKey);
    this.replyKey = undefined;
  }

  #isSameProperties(publish: IncomingPublish): boolean {
    const { header, propertiesAt, propertiesBytes } = publish;
    const known = this.#propertyBytes;
    if (propertiesBytes !== known.length) return false;
    if (this.#isReplyRenamed) return false;
    for (let index = known.length - 1; index >= 0; index -= 1) {
      if (header[propertiesAt + index] !== known[index]) return false;
    }
    return true;
  }

  #encode(publish: IncomingPublish, nowMs: number): EncodedProperties {
    const { identity, services } = this.#channel.link;
    const { header, encoder } = services.tools;
    const { propertiesAt, propertiesBytes } = publish;
    this.#properties = undefined;
    header.read(publish.header, propertiesAt - 12, propertiesAt + propertiesBytes);
    const route = this.#route;
    this.#isReplyRenamed = header.text(basic.replyTo) === replyQueueName;
    if (this.#isReplyRenamed && this.replyKey === undefined) {
      throw new AmqpError('PRECONDITION_FAILED', 'fast reply consumer does not exist');
    }
    const properties = encoder.encode(
      header,
      route.exchangeName,
      route.routingKey,
      nowMs,
      route.exchange?.isDelayed === true,
      this.#isReplyRenamed ? this.replyKey : undefined,
    );
    const { userId } = properties;
    if (
      userId !== undefined &&
      userId !== identity.name &&
      !identity.tags.includes('impersonator')
    ) {
      throw new AmqpError(
        'PRECONDITION_FAILED',
        `user_id property set to '${userId}' but authenticated user was '${identity.name}'`,
      );
    }
    const bytes = publish.header.subarray(propertiesAt, propertiesAt + propertiesBytes);
    this.#propertyBytes = Buffer.from(bytes);
    this.#properties = properties;
    return properties;
  }

  #fill(publish: IncomingPublish, properties: EncodedProperties, nowMs: number): void {
    const message = this.#message;
    message.body = publish.body;
    message.bodyAt = publish.bodyAt;
    message.bodyBytes = publish.bodyBytes;
    message.timestampMs = nowMs;
    message.expiresAtMs = properties.expiresAtMs;
    message.deliverAtMs = properties.deliverAtMs;
    if (message.headers === properties.headers) return;
    message.key = properties.key;
    message.headers = properties.headers;
    message.headerCount = properties.headerCount;
    message.priority = properties.priority;
    message.groupId = properties.groupId;
    message.dedupId = properties.dedupId;
  }

  #store(targets: readonly Topic[]): void {
    const { publisher } = this.#channel.link.services;
    const confirms = this.#confirms;
    const batch = confirms === undefined ? undefined : (this.#batch = confirms.note());
    let isRejected = false;
    for (let index = 0; index < targets.length; index += 1) {
      let group = this.#group;
      if (group === undefined) {
        group = publisher.open(this.#onDone);
        group.context = batch;
        this.#group = group;
        this.#groupCount += 1;
      }
      try {
        if (publisher.add(group, targets[index]!, this.#message) === 'rejected') isRejected = true;
      } catch (error) {
        if (!(error instanceof BrokerError)) throw error;
        // Deleted since it was routed: as if it had not been there.
        if (error.code === 'topic-not-found') continue;
        if (confirms === undefined) throw amqpErrorOf(error) ?? error;
        isRejected = true;
      }
    }
    if (isRejected && batch !== undefined) confirms!.reject(batch);
  }

  /** No queue takes it: a waiting channel, or nobody. */
  #publishNowhere(publish: IncomingPublish, properties: EncodedProperties): void {
    const { exchangeName, routingKey } = this.#route;
    const isReply = exchangeName === '' && routingKey.startsWith(replyKeyPrefix);
    const { isMandatory } = publish;
    if (this.transaction !== undefined) {
      if (isReply || isMandatory) {
        this.transaction.publishNowhere(this.#keep(publish, properties, isReply));
      }
      return;
    }
    const isTaken = isReply && this.#sendReply(routingKey, publish, properties);
    if (!isTaken && isMandatory) this.#return(exchangeName, routingKey, publish);
    if (this.#confirms !== undefined) this.#batch = this.#confirms.note();
  }

  /** For the commit: what is borrowed is copied. */
  #keep(
    publish: IncomingPublish,
    properties: EncodedProperties,
    isReply: boolean,
  ): UnroutedPublish {
    const { exchangeName, routingKey } = this.#route;
    const { propertiesAt, propertiesBytes } = publish;
    const kept: IncomingPublish = {
      ...publish,
      header: Buffer.from(publish.header.subarray(propertiesAt, propertiesAt + propertiesBytes)),
      propertiesAt: 0,
      body: bodyParts(publish).map((part) => Buffer.from(part)),
      bodyAt: 0,
    };
    const headers = Buffer.from(properties.headers);
    const encoded = { ...properties, headers };
    const send = (): void => {
      if (this.#isClosed) return;
      const isTaken = isReply && this.#sendReply(routingKey, kept, encoded);
      if (!isTaken && kept.isMandatory) this.#return(exchangeName, routingKey, kept);
    };
    return { bytes: kept.header.length + headers.length + kept.bodyBytes, send };
  }

  #sendReply(routingKey: string, publish: IncomingPublish, properties: EncodedProperties): boolean {
    const receiver = this.#channel.link.services.tools.replies.find(routingKey);
    if (receiver === undefined) return false;
    return receiver.receiveReply({
      exchange: '',
      routingKey,
      headers: properties.headers,
      headerCount: properties.headerCount,
      key: properties.key,
      body: bodyParts(publish),
      bodyBytes: publish.bodyBytes,
    });
  }

  /** Goes back as it came, before its confirm. */
  #return(exchange: string, routingKey: string, publish: IncomingPublish): void {
    const { link, number } = this.#channel;
    this.returnedCount += 1;
    link.send(
      encodeMethod(number, 'basicReturn', {
        replyCode: 312,
        replyText: 'NO_ROUTE',
        exchange,
        routingKey,
      }),
    );
    const { header, propertiesAt, propertiesBytes, bodyBytes } = publish;
    const listBytes = propertiesBytes - 2;
    const frame = Buffer.allocUnsafe(22 + listBytes);
    const flags = header.readUInt16BE(propertiesAt);
    const at = writeHeaderStart(frame, 0, number, bodyBytes, flags, listBytes);
    header.copy(frame, at, propertiesAt + 2, propertiesAt + propertiesBytes);
    frame[at + listBytes] = 0xce;
    link.send(frame);
    for (const part of bodyParts(publish)) {
      const start = Buffer.allocUnsafe(7);
      writeBodyStart(start, 0, number, part.length);
      link.send(start);
      link.send(part);
      link.send(frameEndBytes);
    }
  }

  #tellDecided(): void {
    const waiting = this.#onDecided!;
    while (waiting[0] !== undefined && waiting[0].count <= this.#decidedCount) {
      waiting.shift()?.resolve();
    }
    if (waiting.length === 0) this.#onDecided = undefined;
  }

  #settle(batch: ConfirmBatch | undefined, isStored: boolean): void {
    if (batch === undefined || this.#isClosed) return;
    const frames = this.#confirms!.settle(batch, isStored);
    if (frames !== undefined) this.#channel.link.send(frames);
  }
}

const frameEndBytes = Buffer.from([0xce]);

function bodyParts({ body, bodyAt, bodyBytes }: IncomingPublish): readonly Uint8Array[] {
  return body.length === 1 ? [body[0]!.subarray(bodyAt, bodyAt + bodyBytes)] : body;
}

function newMessage(): OutgoingMessage {
  return {
    key: null,
    body: [],
    bodyAt: 0,
    bodyBytes: 0,
    headers: Buffer.alloc(0),
    headerCount: 0,
    timestampMs: 0,
    priority: undefined,
    expiresAtMs: undefined,
    deliverAtMs: undefined,
    groupId: undefined,
    dedupId: undefined,
  };
}
