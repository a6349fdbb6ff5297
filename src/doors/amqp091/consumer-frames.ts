import type { QueueMessage } from '../../shard/index.ts';
import type { DeliveryFrames } from './consumer-sink.ts';
import type { MessageLink } from './message-channel.ts';
import type { PropertiesWriter } from './message/index.ts';
import {
  encodeDeliverPrefix,
  type Field,
  type FieldTable,
  frameEnd,
  frameOverheadBytes,
  writeDeliver,
  writeHeaderStart,
} from './wire/index.ts';

/** Which headers a queue's deliveries carry beside those of the message. */
export interface DeliveryKind {
  /** Deliveries and failures are told (`x-acquired-count`, `x-delivery-count`), as quorum queues do. */
  readonly hasCounts: boolean;
  /** The offset is told (`x-stream-offset`). */
  readonly hasOffset: boolean;
}

/**
 * Makes the frames of one consumer's deliveries. Those of the last message are used again while exchange, routing key,
 * properties and headers stay the same, which is found out by comparing the record's bytes.
 */
export class DeliveryEncoder {
  readonly #link: MessageLink;
  readonly #channel: number;
  readonly #writer: PropertiesWriter;
  readonly #queueName: string;
  readonly #kind: DeliveryKind;
  readonly #prefix: Buffer;
  /** The record headers and the key that `#frames` were made of. */
  #headers: Buffer = nothing;
  #key: Buffer = nothing;
  #keyBytes = -1;
  #frames: DeliveryFrames | undefined;
  /** Whether what was made last may be used again. */
  #isLasting = false;

  constructor(
    link: MessageLink,
    channel: number,
    consumerTag: string,
    queueName: string,
    kind: DeliveryKind,
    writer: PropertiesWriter,
  ) {
    this.#link = link;
    this.#channel = channel;
    this.#writer = writer;
    this.#queueName = queueName;
    this.#kind = kind;
    this.#prefix = encodeDeliverPrefix(channel, consumerTag);
  }

  encode(message: QueueMessage): DeliveryFrames {
    const isRedelivered = message.deliveries > 1;
    if (isRedelivered || this.#kind.hasOffset) return this.#make(message, isRedelivered);
    if (this.#frames !== undefined && this.#isSame(message)) return this.#frames;
    const frames = this.#make(message, false);
    if (this.#isLasting) this.#remember(message, frames);
    return frames;
  }

  #isSame(message: QueueMessage): boolean {
    const { bytes, headersAt, headersBytes, keyAt, keyBytes } = message;
    if (headersBytes !== this.#headers.length || keyBytes !== this.#keyBytes) return false;
    return (
      isRange(bytes, headersAt, this.#headers) &&
      (keyBytes <= 0 || isRange(bytes, keyAt, this.#key))
    );
  }

  #remember(message: QueueMessage, frames: DeliveryFrames): void {
    const { bytes, headersAt, headersBytes, keyAt, keyBytes } = message;
    if (headersBytes + keyBytes > rememberedBytesMax) {
      this.#frames = undefined;
      return;
    }
    this.#headers = Buffer.from(bytes.subarray(headersAt, headersAt + headersBytes));
    this.#key = keyBytes > 0 ? Buffer.from(bytes.subarray(keyAt, keyAt + keyBytes)) : nothing;
    this.#keyBytes = keyBytes;
    this.#frames = frames;
  }

  #make(message: QueueMessage, isRedelivered: boolean): DeliveryFrames {
    const {
      exchange,
      routingKey,
      bytes: properties,
      isLasting,
    } = this.#writer.encode(
      message,
      this.#queueName,
      this.#link.services.clock.nowMs(),
      countHeaders(message, this.#kind),
      this.#link.frameMax - frameOverheadBytes - headerFixedBytes,
    );
    this.#isLasting = isLasting;
    const exchangeBytes = shortBytes(exchange);
    const keyBytes = shortBytes(routingKey);
    const listBytes = properties.length - 2;
    const prefix = this.#prefix;
    const bytes = Buffer.allocUnsafe(
      prefix.length + 12 + exchangeBytes.length + keyBytes.length + listBytes + headerFrameBytes,
    );
    let at = writeDeliver(
      bytes,
      0,
      prefix,
      0,
      isRedelivered,
      exchangeBytes,
      0,
      exchangeBytes.length,
      keyBytes,
      0,
      keyBytes.length,
    );
    const sizeAt = at + 11;
    const flags = (properties[0]! << 8) | properties[1]!;
    at = writeHeaderStart(bytes, at, this.#channel, 0, flags, listBytes);
    bytes.set(properties.subarray(2), at);
    bytes[at + listBytes] = frameEnd;
    return { bytes, tagAt: prefix.length, sizeAt };
  }
}

/** What RabbitMQ adds to a delivery of a quorum queue that is not the first, and to each of a stream. */
export function countHeaders(message: QueueMessage, kind: DeliveryKind): FieldTable | undefined {
  if (kind.hasOffset) {
    return new Map<string, Field>([['x-stream-offset', { type: 'l', value: message.offset }]]);
  }
  if (!kind.hasCounts || message.deliveries < 2) return undefined;
  const headers = new Map<string, Field>([
    ['x-acquired-count', { type: 'l', value: message.deliveries - 1 }],
  ]);
  if (message.failures > 0) headers.set('x-delivery-count', { type: 'l', value: message.failures });
  return headers;
}

function isRange(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  for (let index = wanted.length - 1; index >= 0; index -= 1) {
    if (bytes[at + index] !== wanted[index]) return false;
  }
  return true;
}

/** The text's UTF-8, cut at the 255 bytes that a short string may have. */
function shortBytes(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  return bytes.length > 255 ? bytes.subarray(0, 255) : bytes;
}

const nothing = Buffer.alloc(0);
/** Headers beyond this are encoded for each message: comparing them would cost about as much. */
const rememberedBytesMax = 2048;
/** Class, weight, size of the body. */
const headerFixedBytes = 12;
/** A header frame without its properties, flags included. */
const headerFrameBytes = frameOverheadBytes + 14;
