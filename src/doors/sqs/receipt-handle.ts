import { createHash, hash } from 'node:crypto';
import type { Queue } from '../../broker/index.ts';
import { readOrigin } from '../../message/index.ts';
import type { AcquiredMessage } from '../../shard/index.ts';

/** Which delivery a handle stands for. */
export interface Receipt {
  readonly partition: number;
  readonly offset: number;
  readonly deliveries: number;
}

const formatVersion = 1;
const plainBytes = 15;
const plainLength = 20;
const tagLength = 14;
const keyBytes = 32;

/**
 * Receipt handles that outlive the process: version (1 byte), partition (2), offset (8) and delivery count (4) in base64,
 * behind which 84 bits of a SHA-256 over a key of the store and the queue, and over these, tell handles that nobody gave out
 * from old ones.
 */
export class ReceiptHandles {
  readonly #secret: Buffer;
  readonly #keys = new WeakMap<Queue, Buffer>();
  /** Key and plain part, used again for each handle. */
  readonly #scratch = Buffer.alloc(keyBytes + plainBytes);

  constructor(storeId: string) {
    this.#secret = createHash('sha256').update(`receipt:${storeId}`).digest();
  }

  encode(queue: Queue, receipt: Receipt): string {
    return this.#write(queue, receipt.partition, receipt.offset, receipt.deliveries);
  }

  /** Undefined for what is no handle of the queue. */
  decode(queue: Queue, handle: string): Receipt | undefined {
    if (handle.length !== plainLength + tagLength) return undefined;
    const bytes = Buffer.from(handle.slice(0, plainLength), 'base64');
    if (bytes.length !== plainBytes || bytes[0] !== formatVersion) return undefined;
    const partition = bytes.readUInt16BE(1);
    const offset = bytes.readUInt32BE(3) * 0x1_0000_0000 + bytes.readUInt32BE(7);
    const deliveries = bytes.readUInt32BE(11);
    if (!Number.isSafeInteger(offset)) return undefined;
    const expected = this.#write(queue, partition, offset, deliveries);
    return isSame(expected, handle) ? { partition, offset, deliveries } : undefined;
  }

  #write(queue: Queue, partition: number, offset: number, deliveries: number): string {
    const bytes = this.#scratch;
    this.#keyOf(queue).copy(bytes);
    bytes[keyBytes] = formatVersion;
    bytes.writeUInt16BE(partition, keyBytes + 1);
    bytes.writeUInt32BE(Math.floor(offset / 0x1_0000_0000), keyBytes + 3);
    bytes.writeUInt32BE(offset >>> 0, keyBytes + 7);
    bytes.writeUInt32BE(deliveries >>> 0, keyBytes + 11);
    const tag = hash('sha256', bytes, 'base64');
    return bytes.toString('base64', keyBytes) + tag.slice(0, tagLength);
  }

  #keyOf(queue: Queue): Buffer {
    let key = this.#keys.get(queue);
    if (key === undefined) {
      key = createHash('sha256')
        .update(this.#secret)
        .update(queue.topic.id)
        .update(queue.subscription)
        .digest();
      this.#keys.set(queue, key);
    }
    return key;
  }
}

/** Takes as long for a wrong text as for the right one. */
function isSame(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let at = 0; at < a.length; at++) difference |= a.charCodeAt(at) ^ b.charCodeAt(at);
  return difference === 0;
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
  const digest = hash('md5', `${topicId}/${partition}/${offset}`);
  const variant = '89ab'[Number.parseInt(digest[16]!, 16) & 3]!;
  return (
    `${digest.slice(0, 8)}-${digest.slice(8, 12)}-4${digest.slice(13, 16)}-` +
    `${variant}${digest.slice(17, 20)}-${digest.slice(20)}`
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

/** Where sequence numbers begin: no run of digits in them looks like a number of something else, such as the account's. */
const firstSequence = 18_463_729_158_362_947_615n;
/** Above every offset that there will be. */
const partitionSequences = 1_000_000_000_000_000n;

/** 20 digits that grow with the offset. */
export function sequenceNumberOf(partition: number, offset: number): string {
  return String(firstSequence + BigInt(partition) * partitionSequences + BigInt(offset));
}
