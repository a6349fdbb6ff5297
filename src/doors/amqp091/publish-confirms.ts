import { writeInt32, writeInt64 } from '../../bytes/index.ts';

/** What a channel published in one turn of the event loop; its messages are confirmed together. */
export interface ConfirmBatch {
  /** Publish sequence number of its last message. */
  last: number;
  /** Those that a queue refused, in order. */
  rejected: number[] | undefined;
  state: 'open' | 'stored' | 'failed';
}

/**
 * The publisher confirms of one channel (https://www.rabbitmq.com/docs/confirms): messages are numbered from 1 on and
 * confirmed in that order, many with one frame (`multiple`) where one commit made them durable together.
 */
export class PublishConfirms {
  readonly #channel: number;
  readonly #batches: ConfirmBatch[] = [];
  #open: ConfirmBatch | undefined;
  /** All up to here are confirmed, one way or the other. */
  #told = 0;
  #last = 0;

  constructor(channel: number) {
    this.#channel = channel;
  }

  /** Messages that the client waits for. */
  get unconfirmedCount(): number {
    return this.#last - this.#told;
  }

  /** Numbers a message, in the batch of this turn. */
  note(): ConfirmBatch {
    this.#last += 1;
    let batch = this.#open;
    if (batch === undefined) {
      batch = { last: this.#last, rejected: undefined, state: 'open' };
      this.#open = batch;
      this.#batches.push(batch);
    }
    batch.last = this.#last;
    return batch;
  }

  /** The message that was numbered last is not stored. */
  reject(batch: ConfirmBatch): void {
    (batch.rejected ??= []).push(this.#last);
  }

  /** The turn is over: nothing more joins its batch. */
  close(): void {
    this.#open = undefined;
  }

  /** A batch is durable, or has failed: the frames that can be sent now, in order; undefined for none. */
  settle(batch: ConfirmBatch, isStored: boolean): Uint8Array | undefined {
    batch.state = isStored ? 'stored' : 'failed';
    const batches = this.#batches;
    if (batches[0]!.state === 'open') return undefined;
    const frames = new ConfirmFrames(this.#channel);
    let from = this.#told + 1;
    let through = this.#told;
    let count = 0;
    for (; count < batches.length; count += 1) {
      const { last, rejected, state } = batches[count]!;
      if (state === 'open') break;
      if (state === 'failed') {
        frames.add(ackMethod, from, through);
        frames.add(nackMethod, through + 1, last);
        from = last + 1;
      } else if (rejected !== undefined) {
        for (const sequence of rejected) {
          frames.add(ackMethod, from, sequence - 1);
          frames.add(nackMethod, sequence, sequence);
          from = sequence + 1;
        }
      }
      through = last;
    }
    frames.add(ackMethod, from, through);
    batches.splice(0, count);
    this.#told = through;
    return frames.take();
  }
}

const ackMethod = 80;
const nackMethod = 120;
const frameBytes = 21;

/** Writes `basic.ack` and `basic.nack` frames; each settles a range whose predecessors are settled. */
class ConfirmFrames {
  readonly #channel: number;
  #bytes = Buffer.allocUnsafe(frameBytes);
  #length = 0;

  constructor(channel: number) {
    this.#channel = channel;
  }

  add(method: number, from: number, through: number): void {
    if (through < from) return;
    if (this.#length + frameBytes > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(this.#bytes.length * 4);
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    const bytes = this.#bytes;
    const at = this.#length;
    bytes[at] = 1;
    bytes[at + 1] = this.#channel >>> 8;
    bytes[at + 2] = this.#channel;
    writeInt32(bytes, at + 3, 13);
    bytes[at + 7] = 0;
    bytes[at + 8] = 60;
    bytes[at + 9] = 0;
    bytes[at + 10] = method;
    writeInt64(bytes, at + 11, through);
    bytes[at + 19] = from === through ? 0 : 1;
    bytes[at + 20] = 0xce;
    this.#length = at + frameBytes;
  }

  take(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}
