import { ProtocolError } from '../../base/index.ts';
import type { PeerChannel, PeerConsumer } from '../../broker/index.ts';
import { AmqpError, amqpErrorOf } from './amqp-error.ts';
import {
  argumentsFault,
  malformedFrame,
  MethodFailure,
  outOfPlace,
  syntaxError,
  unknownMethod,
} from './failure.ts';
import type { ChannelContext, MessageHalf } from './handler.ts';
import { IncomingContent } from './incoming-content.ts';
import type { MessageLink } from './message-channel.ts';
import type { DoorServices } from './services.ts';
import {
  ackKey,
  classId,
  decodeArguments,
  encodeMethod,
  findMethod,
  frameOverheadBytes,
  frameType,
  type MethodArguments,
  type MethodName,
  publishKey,
  readAckMultiple,
  readAckTag,
  readMethodKey,
} from './wire/index.ts';

/** What a channel asks of its connection. */
export interface ChannelHost {
  readonly link: MessageLink;
  readonly services: DoorServices;
  send(bytes: Uint8Array): void;
  /** An error that ends the connection came up on a channel; `key` is the method's, 0 for none. */
  failHard(error: AmqpError, key: number): void;
  /** A fault of ours. */
  failInside(error: unknown, key: number): void;
  /** The channel is closed on both sides: its number is free. */
  forget(channel: Channel): void;
  /** `turnEnded` of this channel's message half is due. */
  touch(channel: Channel): void;
  /** It publishes: from now on the connection waits where there is no room. Who only settles does not. */
  notePublished(): void;
  /** Whether a publish has to wait for room: then `publishHeld` is called when there is some. */
  holdsPublish(channel: Channel): boolean;
  /** Frames wait behind a method (or no longer do, with a negative number). */
  changeWaiting(bytes: number): void;
  /** Bodies of which some frames have come take more memory (or less, with a negative number). */
  changePartial(bytes: number): void;
  /** A method that was being carried out is done, and nothing waits behind it. */
  becameIdle(channel: Channel): void;
}

/** A frame that waits behind a method. */
interface WaitingFrame {
  readonly type: number;
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/**
 * One channel: puts content together, carries methods out one after the other, and closes itself on errors.
 * States: `new` (nothing but channel.open is expected), `open`, `closing` (channel.close was sent; what still comes is
 * dropped until its answer), `leaving` (the client's channel.close waits for what the channel did before), `closed`.
 */
export class Channel implements ChannelContext, PeerChannel {
  readonly number: number;
  readonly link: MessageLink;
  readonly messages: MessageHalf;
  lastQueueName = '';
  readonly services: DoorServices;
  isTouched = false;
  readonly #host: ChannelHost;
  #state: 'new' | 'open' | 'closing' | 'leaving' | 'closed' = 'new';
  #expects: 'method' | 'header' | 'body' = 'method';
  #content: IncomingContent | undefined;
  /** Of the body that is being received; its parts are dropped while the channel closes. */
  #bodyBytesLeft = 0;
  /** A method is being carried out; what follows waits. */
  #isBusy = false;
  #waiting: WaitingFrame[] | undefined;

  constructor(number: number, host: ChannelHost) {
    this.number = number;
    this.link = host.link;
    this.services = host.services;
    this.#host = host;
    this.messages = host.services.createMessages(this);
  }

  get isBusy(): boolean {
    return this.#isBusy;
  }

  get owesAnswers(): boolean {
    return this.#isBusy || this.messages.owesAnswers;
  }

  /** A frame of this channel, other than a heartbeat. Throws an AmqpError for what ends the connection. */
  receive(type: number, bytes: Buffer, start: number, end: number): void {
    if (this.#isBusy) {
      this.#waiting ??= [];
      this.#waiting.push({ type, bytes, start, end });
      this.#host.changeWaiting(end - start + waitingOverheadBytes);
      return;
    }
    this.#accept(type, bytes, start, end);
  }

  reply<Name extends MethodName>(name: Name, values: MethodArguments<Name>): void {
    if (this.#state !== 'open') return;
    this.#host.send(encodeMethod(this.number, name, values));
  }

  fail(error: unknown): void {
    this.#fail(error, 0);
  }

  /** Everything that came in one turn was handed over. */
  turnEnded(): void {
    this.isTouched = false;
    if (this.#state !== 'open') return;
    try {
      this.messages.turnEnded();
    } catch (error) {
      this.#fail(error, 0);
    }
  }

  /** The connection's send queue has room again. */
  resume(): void {
    if (this.#state !== 'open') return;
    try {
      this.messages.resume();
    } catch (error) {
      this.#fail(error, 0);
    }
  }

  /** The connection is gone, or going: nothing more is taken or sent. */
  close(): void {
    if (this.#state === 'closed') return;
    const wasOpen = this.#state === 'open';
    this.#state = 'closed';
    this.#dropWaiting();
    this.#content = undefined;
    if (wasOpen) this.messages.close();
  }

  details(): Record<string, unknown> {
    return {
      number: this.number,
      state: this.#state === 'open' ? 'running' : this.#state,
      ...this.messages.details(),
    };
  }

  consumers(): readonly PeerConsumer[] {
    return this.messages.consumers();
  }

  #accept(type: number, bytes: Buffer, start: number, end: number): void {
    // Who was told that a message is too large need not send the rest of it.
    if (this.#state === 'closing' && type === frameType.method) this.#expects = 'method';
    switch (this.#expects) {
      case 'method':
        if (type !== frameType.method) {
          if (type === frameType.header && end - start < headerBytesLeast) {
            throw malformedFrame(type, bytes.subarray(start, end));
          }
          throw outOfPlace('expected method frame, got non method frame instead', 0);
        }
        this.#method(bytes, start, end);
        return;
      case 'header':
        this.#header(type, bytes, start, end);
        return;
      case 'body':
        this.#body(type, bytes, start, end);
    }
  }

  #method(bytes: Buffer, start: number, end: number): void {
    const key = readMethodKey(bytes, start, end);
    if (key === -1) throw malformedFrame(frameType.method, bytes.subarray(start, end));
    try {
      if (key === publishKey) {
        this.#content ??= new IncomingContent();
        this.#content.begin(bytes, start, end);
        this.#expects = 'header';
      } else if (key === ackKey && this.#state === 'open') {
        const deliveryTag = readAckTag(bytes, start, end);
        this.messages.ack(deliveryTag, readAckMultiple(bytes, end));
        this.#touch();
      } else {
        this.#dispatch(key, bytes, start, end);
      }
    } catch (error) {
      this.#fail(error, key);
    }
  }

  #dispatch(key: number, bytes: Buffer, start: number, end: number): void {
    const name = findMethod(key);
    if (name === undefined) throw unknownMethod(key);
    const values = this.#decode(name, bytes, start + 4, end);
    if (name === 'channelOpen') {
      if (this.#state !== 'new') throw new AmqpError('CHANNEL_ERROR', `second 'channel.open' seen`);
      this.#state = 'open';
      this.#host.services.metrics.forRequest(name).record(0);
      this.reply('channelOpenOk', { channelId: noBytes });
      return;
    }
    if (this.#state === 'new') throw new AmqpError('CHANNEL_ERROR', `expected 'channel.open'`);
    if (name === 'channelClose') {
      this.#closeForClient();
      return;
    }
    if (this.#state === 'closing') {
      if (name === 'channelCloseOk') this.#host.forget(this);
      return;
    }
    const registration = this.#host.services.handlers.get(key);
    if (registration === undefined) throw new AmqpError('COMMAND_INVALID', 'unimplemented method');
    const metrics = this.#host.services.metrics.forRequest(name);
    const beganMs = this.#host.services.clock.monotonicMs();
    const result = registration.handle(this, values);
    if (result instanceof Promise) {
      this.#isBusy = true;
      void this.#await(result, key, () =>
        metrics.record(this.#host.services.clock.monotonicMs() - beganMs),
      );
    } else {
      metrics.record(this.#host.services.clock.monotonicMs() - beganMs);
    }
  }

  #decode(name: MethodName, bytes: Buffer, start: number, end: number) {
    try {
      return decodeArguments(name, bytes, start, end);
    } catch (error) {
      throw argumentsFault(error, bytes, start, end);
    }
  }

  async #await(result: Promise<void>, key: number, done: () => void): Promise<void> {
    try {
      await result;
    } catch (error) {
      this.#fail(error, key);
    }
    done();
    this.#isBusy = false;
    this.#goOn();
  }

  /** Takes what has been waiting behind a method. */
  #goOn(): void {
    const waiting = this.#waiting;
    if (waiting !== undefined) {
      let taken = 0;
      try {
        while (taken < waiting.length && !this.#isBusy && this.#state !== 'closed') {
          const { type, bytes, start, end } = waiting[taken]!;
          taken += 1;
          this.#accept(type, bytes, start, end);
        }
      } catch (error) {
        this.#fail(error, 0);
      }
      this.#dropWaiting(taken);
    }
    if (!this.#isBusy) this.#host.becameIdle(this);
  }

  /** The first `count`, or all. */
  #dropWaiting(count = Number.MAX_SAFE_INTEGER): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    let bytes = 0;
    for (const { start, end } of waiting.splice(0, count)) {
      bytes += end - start + waitingOverheadBytes;
    }
    if (waiting.length === 0) this.#waiting = undefined;
    this.#host.changeWaiting(-bytes);
  }

  #header(type: number, bytes: Buffer, start: number, end: number): void {
    if (type !== frameType.header) {
      throw outOfPlace(
        `expected content header for class ${classId.basic}, got non content header frame instead`,
        publishKey,
      );
    }
    if (end - start < headerBytesLeast) {
      throw malformedFrame(type, bytes.subarray(start, end));
    }
    const found = bytes.readUInt16BE(start);
    if (found !== classId.basic) {
      throw outOfPlace(
        `expected content header for class ${classId.basic}, got one for class ${found} instead`,
        publishKey,
      );
    }
    if (bytes.readUInt16BE(start + 2) !== 0) {
      // The weight "is unused and must be zero" (AMQP 0-9-1 §2.3.5.2).
      throw outOfPlace(
        `expected content header for class ${classId.basic}, got non content header frame instead`,
        publishKey,
      );
    }
    const content = this.#content!;
    content.setHeader(bytes, start, end);
    this.#bodyBytesLeft = content.bodyBytes;
    this.#expects = 'body';
    const { messageBytesMax } = this.#host.services;
    if (content.bodyBytes > messageBytesMax || content.bodyBytes < 0) {
      this.#fail(
        new AmqpError(
          'PRECONDITION_FAILED',
          `message size ${bytes.readBigUInt64BE(start + 4)} is larger than configured max size ${messageBytesMax}`,
        ),
        publishKey,
      );
    }
    if (this.#bodyBytesLeft === 0) this.#publish();
  }

  #body(type: number, bytes: Buffer, start: number, end: number): void {
    if (type !== frameType.body) {
      throw outOfPlace('expected content body, got non content body frame instead', publishKey);
    }
    const length = end - start;
    if (length > this.#bodyBytesLeft) {
      throw new MethodFailure(
        new AmqpError('FRAME_ERROR', 'content body is longer than its header says'),
        publishKey,
      );
    }
    this.#bodyBytesLeft -= length;
    if (this.#state === 'open' && length > 0) this.#addBody(bytes, start, end);
    if (this.#bodyBytesLeft === 0) this.#publish();
  }

  #addBody(bytes: Buffer, start: number, end: number): void {
    const content = this.#content!;
    const before = content.partialBytes;
    content.addBody(bytes, start, end);
    if (content.partialBytes !== before) this.#host.changePartial(content.partialBytes - before);
  }

  #clearContent(): void {
    const content = this.#content;
    if (content === undefined) return;
    if (content.partialBytes > 0) this.#host.changePartial(-content.partialBytes);
    content.clear();
  }

  /** There is room for the publish that has been waiting. */
  publishHeld(): void {
    this.#isBusy = false;
    if (this.#state === 'closed') return;
    this.#publishNow();
    this.#goOn();
  }

  #publish(): void {
    this.#expects = 'method';
    if (this.#state === 'open' && this.#host.holdsPublish(this)) {
      this.#isBusy = true;
      return;
    }
    this.#publishNow();
  }

  #publishNow(): void {
    const content = this.#content!;
    try {
      if (this.#state === 'open') {
        this.#touch();
        this.#host.notePublished();
        this.messages.publish(content);
      } else if (this.#state === 'new') {
        throw new AmqpError('CHANNEL_ERROR', `expected 'channel.open'`);
      }
    } catch (error) {
      this.#fail(error, publishKey);
    } finally {
      this.#clearContent();
    }
  }

  #touch(): void {
    if (this.isTouched) return;
    this.isTouched = true;
    this.#host.touch(this);
  }

  /** Who is told that it is closed sees on any other channel what was published on this one. */
  #closeForClient(): void {
    if (this.#state !== 'open') {
      this.#host.send(encodeMethod(this.number, 'channelCloseOk', {}));
      // When both sides close at the same time, the client still answers ours.
      if (this.#state === 'closing') return;
      this.#state = 'closed';
      this.#host.forget(this);
      return;
    }
    const done = this.messages.published();
    this.messages.close();
    this.#state = 'leaving';
    if (done === undefined) {
      this.#left();
      return;
    }
    this.#isBusy = true;
    void done.then(() => {
      this.#isBusy = false;
      this.#left();
      this.#host.becameIdle(this);
    });
  }

  #left(): void {
    if (this.#state !== 'leaving') return;
    this.#host.send(encodeMethod(this.number, 'channelCloseOk', {}));
    this.#state = 'closed';
    this.#dropWaiting();
    this.#host.forget(this);
  }

  /** Closes the channel, or the connection, with what is said of `error`. */
  #fail(thrown: unknown, thrownKey: number): void {
    if (this.#state === 'closed') return;
    const key = thrown instanceof MethodFailure ? thrown.key : thrownKey;
    const cause = thrown instanceof MethodFailure ? thrown.reason : thrown;
    const error = cause instanceof ProtocolError ? syntaxError(cause) : amqpErrorOf(cause);
    if (error === undefined) {
      this.#host.failInside(cause, key);
      return;
    }
    if (error.isHard) {
      this.#host.failHard(error, key);
      return;
    }
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.messages.close();
    this.#clearContent();
    this.#host.send(
      encodeMethod(this.number, 'channelClose', {
        replyCode: error.replyCode,
        replyText: error.replyText,
        failedClassId: Math.floor(key / 0x10000),
        failedMethodId: key % 0x10000,
      }),
    );
  }
}

/** The class, weight, body size and flags of a content header. */
const headerBytesLeast = 14;
/** What a waiting frame costs beside its payload, about. */
const waitingOverheadBytes = frameOverheadBytes + 64;
const noBytes = Buffer.alloc(0);
