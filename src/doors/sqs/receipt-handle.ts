import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Queue } from '../../broker/index.ts';
import { readOrigin } from '../../message/index.ts';
import type { AcquiredMessage } from '../../shard/index.ts';

/** Which delivery a handle stands for. */
export interface Receipt {
  readonly partition: number;
  readonly offset: number;
  readonly deliveries: number;
}

const plainBytes = 14;
const tagBytes = 10;

/**
 * Receipt handles that outlive the process: partition (2 bytes), offset (8) and delivery count (4), behind which 10 bytes of an HMAC
 * bind them to the queue's topic and to this store, so that handles that nobody gave out are told from old ones.
 */
export class ReceiptHandles {
  readonly #secret: Buffer;
  /** Used again for each handle. */
  readonly #scratch = Buffer.alloc(plainBytes + tagBytes);

  constructor(storeId: string) {
    this.#secret = createHash('sha256').update(`receipt:${storeId}`).digest();
  }

  encode(queue: Queue, receipt: Receipt): string {
    const bytes = this.#scratch;
    bytes.writeUInt16BE(receipt.partition, 0);
    bytes.writeBigUInt64BE(BigInt(receipt.offset), 2);
    bytes.writeUInt32BE(receipt.deliveries >>> 0, 10);
    this.#tag(queue, bytes).copy(bytes, plainBytes);
    return bytes.toString('base64');
  }

  /** Undefined for what is no handle of the queue. */
  decode(queue: Queue, handle: string): Receipt | undefined {
    if (handle.length !== 32) return undefined;
    const bytes = Buffer.from(handle, 'base64');
    if (bytes.length !== plainBytes + tagBytes) return undefined;
    if (!timingSafeEqual(this.#tag(queue, bytes), bytes.subarray(plainBytes))) return undefined;
    const offset = Number(bytes.readBigUInt64BE(2));
    return { partition: bytes.readUInt16BE(0), offset, deliveries: bytes.readUInt32BE(10) };
  }

  #tag(queue: Queue, bytes: Buffer): Buffer {
    return createHmac('sha256', this.#secret)
      .update(queue.topic.id)
      .update(queue.subscription)
      .update(bytes.subarray(0, plainBytes))
      .digest()
      .subarray(0, tagBytes);
  }
}

/**
 * A message's id: the same for as long as it is in its queue and in those that it dies into, made of the topic's id, its
 * partition and its offset, in the form of a UUID.
 */
export function messageIdOf(queue: Queue, partition: number, offset: number): string {
  return messageIdAt(queue.topic.id, partition, offset);
}

/** The id that a message has, or had, in the topic of that id. */
export function messageIdAt(topicId: string, partition: number, offset: number): string {
  const hash = createHash('md5').update(`${topicId}/${partition}/${offset}`).digest('hex');
  const variant = '89ab'[Number.parseInt(hash[16]!, 16) & 3]!;
  return (
    `${hash.slice(0, 8)}-${hash.slice(8, 12)}-4${hash.slice(13, 16)}-` +
    `${variant}${hash.slice(17, 20)}-${hash.slice(20)}`
  );
}

/** The id that receivers see: that of the message's first queue, where it died there. */
export function messageIdOfMessage(queue: Queue, message: AcquiredMessage): string {
  const { bytes, headersAt, headersBytes, headerCount, offset } = message;
  const origin =
    headerCount === 0 ? undefined : readOrigin(bytes, headersAt, headersAt + headersBytes);
  return origin === undefined
    ? messageIdOf(queue, message.queue.partition.index, offset)
    : messageIdAt(origin.topicId, origin.partition, origin.offset);
}

/** 20 digits that grow with the offset. */
export function sequenceNumberOf(partition: number, offset: number): string {
  return String(
    10_000_000_000_000_000_000n + BigInt(partition) * 1_000_000_000_000_000n + BigInt(offset),
  );
}
