import { writeInt32, writeInt64 } from '../../bytes/index.ts';
import type { MessageLink } from './message-channel.ts';
import { copyRange, frameEnd, frameOverheadBytes, writeBodyStart } from './wire/index.ts';

/**
 * The method and header frames of a delivery, up to date but for what differs from one message to the next: delivery tag
 * and body size.
 */
export interface DeliveryFrames {
  readonly bytes: Buffer;
  /** Where the delivery tag stands. */
  readonly tagAt: number;
  /** Where the size of the body stands. */
  readonly sizeAt: number;
}

/**
 * Puts the deliveries of one round behind each other into one piece of memory, which is sent when the round is over.
 * Large bodies are not copied: they are sent as the slices that they are.
 */
export class DeliverySink {
  readonly #link: MessageLink;
  readonly #channel: number;
  #bytes: Buffer = nothing;
  #length = 0;
  /** From here on nothing was sent. */
  #sent = 0;
  /** What the last rounds took, so that the next memory is about right. */
  #roundBytes = 0;
  #usualBytes = smallBytes;

  constructor(link: MessageLink, channel: number) {
    this.#link = link;
    this.#channel = channel;
  }

  /** `body` is never written again. */
  deliver(
    frames: DeliveryFrames,
    deliveryTag: number,
    body: Uint8Array,
    bodyAt: number,
    bodyBytes: number,
  ): void {
    const head = frames.bytes;
    const payloadMax = this.#link.frameMax - frameOverheadBytes;
    const isCopied = bodyBytes <= copiedBytesMax && bodyBytes <= payloadMax;
    this.#reserve(head.length + (isCopied ? bodyBytes + frameOverheadBytes : 0));
    const bytes = this.#bytes;
    let at = this.#length;
    bytes.set(head, at);
    writeInt64(bytes, at + frames.tagAt, deliveryTag);
    // Bodies are smaller than 4 GiB: the upper half stays zero.
    writeInt32(bytes, at + frames.sizeAt + 4, bodyBytes);
    at += head.length;
    if (isCopied) {
      if (bodyBytes > 0) {
        at = writeBodyStart(bytes, at, this.#channel, bodyBytes);
        at = copyRange(bytes, at, body, bodyAt, bodyBytes);
        bytes[at] = frameEnd;
        at += 1;
      }
      this.#length = at;
      return;
    }
    this.#length = at;
    for (let from = 0; from < bodyBytes; from += payloadMax) {
      const length = Math.min(payloadMax, bodyBytes - from);
      this.#deliverSlice(body.subarray(bodyAt + from, bodyAt + from + length));
    }
  }

  #deliverSlice(payload: Uint8Array): void {
    this.#reserve(frameOverheadBytes);
    this.#length = writeBodyStart(this.#bytes, this.#length, this.#channel, payload.length);
    this.#sendWritten();
    this.#link.send(payload);
    this.#bytes[this.#length] = frameEnd;
    this.#length += 1;
  }

  /** The round is over. */
  flush(): void {
    if (this.#length === this.#sent) return;
    this.#sendWritten();
    this.#usualBytes = Math.min(largeBytes, Math.max(smallBytes, this.#roundBytes * 1.25));
    this.#roundBytes = 0;
    // A connection that is silent holds no memory for the next round.
    this.#bytes = nothing;
    this.#length = 0;
    this.#sent = 0;
  }

  #sendWritten(): void {
    if (this.#length === this.#sent) return;
    this.#link.send(this.#bytes.subarray(this.#sent, this.#length));
    this.#roundBytes += this.#length - this.#sent;
    this.#sent = this.#length;
  }

  #reserve(needed: number): void {
    if (this.#length + needed <= this.#bytes.length) return;
    this.#sendWritten();
    const size = Math.max(needed + frameOverheadBytes, Math.floor(this.#usualBytes));
    this.#bytes = size <= pooledBytesMax ? Buffer.allocUnsafe(size) : Buffer.allocUnsafeSlow(size);
    this.#usualBytes = Math.min(largeBytes, this.#usualBytes * 2);
    this.#length = 0;
    this.#sent = 0;
  }
}

const nothing = Buffer.alloc(0);
/** Bodies up to here are copied beside their frames. */
const copiedBytesMax = 4096;
const smallBytes = 512;
const largeBytes = 64 * 1024;
/** Node hands smaller pieces out of memory that it has at hand. */
const pooledBytesMax = 2048;
