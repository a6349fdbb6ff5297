import type { IncomingPublish } from './message-channel.ts';
import { PublishArguments, readLongNumber } from './wire/index.ts';

/** The content of the one publish that a channel is receiving: its frames' memory, and what stands where. */
export class IncomingContent implements IncomingPublish {
  method: Buffer = nothing;
  exchangeAt = 0;
  exchangeBytes = 0;
  keyAt = 0;
  keyBytes = 0;
  isMandatory = false;
  isImmediate = false;
  header: Buffer = nothing;
  propertiesAt = 0;
  propertiesBytes = 0;
  /** Memory of a body that came in several frames, about: a part may take twice its bytes. */
  partialBytes = 0;
  body: readonly Uint8Array[] = noParts;
  bodyAt = 0;
  bodyBytes = 0;
  readonly #single: [Buffer] = [nothing];
  #parts: Uint8Array[] | undefined;
  readonly #arguments = new PublishArguments();

  /** Throws a ProtocolError. */
  begin(bytes: Buffer, start: number, end: number): void {
    const values = this.#arguments;
    values.read(bytes, start, end);
    this.method = bytes;
    this.exchangeAt = values.exchangeAt;
    this.exchangeBytes = values.exchangeBytes;
    this.keyAt = values.keyAt;
    this.keyBytes = values.keyBytes;
    this.isMandatory = values.isMandatory;
    this.isImmediate = values.isImmediate;
  }

  /** The caller has checked that the fixed part (14 bytes) is there. */
  setHeader(bytes: Buffer, start: number, end: number): void {
    this.header = bytes;
    this.propertiesAt = start + 12;
    this.propertiesBytes = end - this.propertiesAt;
    this.bodyBytes = readLongNumber(bytes, start + 4);
  }

  /** A body frame's payload: a body that is one frame stays where it is. */
  addBody(bytes: Buffer, start: number, end: number): void {
    if (end - start === this.bodyBytes) {
      this.#single[0] = bytes;
      this.body = this.#single;
      this.bodyAt = start;
      return;
    }
    if (this.#parts === undefined) this.body = this.#parts = [];
    const part = bytes.subarray(start, end);
    // A small part must not keep all in memory that came with it, which may be frames of other channels.
    const isSmall = part.length * 2 < bytes.buffer.byteLength;
    this.#parts.push(isSmall ? copyOf(part) : part);
    this.partialBytes += part.length + partOverheadBytes;
  }

  /** Lets go of the memory. */
  clear(): void {
    this.method = nothing;
    this.header = nothing;
    this.#single[0] = nothing;
    this.#parts = undefined;
    this.partialBytes = 0;
    this.body = noParts;
    this.bodyAt = 0;
  }
}

/** In memory of its own. */
function copyOf(part: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(part.length);
  part.copy(copy);
  return copy;
}

const nothing = Buffer.alloc(0);
/** What a frame's part of a body costs beside its bytes, about. */
const partOverheadBytes = 128;
const noParts: readonly Uint8Array[] = [];
