import { ProtocolError } from '../../../base/index.ts';
import { frameEnd, frameHeadBytes } from './constants.ts';

/** The byte stream has a frame that cannot be one: the connection ends with FRAME_ERROR (501). */
export class FrameFault extends ProtocolError {
  readonly type: number;
  readonly channel: number;
  /** The announced length of the payload. */
  readonly payloadBytes: number;
  readonly reason:
    | { readonly kind: 'too-large'; readonly bytesMax: number }
    | { readonly kind: 'end-missing'; readonly found: number; readonly payload: Uint8Array };

  constructor(type: number, channel: number, payloadBytes: number, reason: FrameFault['reason']) {
    super(
      reason.kind === 'too-large'
        ? `frame of ${payloadBytes} bytes; at most ${reason.bytesMax} are allowed`
        : `frame ends with ${reason.found}`,
    );
    this.type = type;
    this.channel = channel;
    this.payloadBytes = payloadBytes;
    this.reason = reason;
  }
}

/**
 * Cuts a byte stream into frames. `next()` fills the public fields with the next frame, whose payload is
 * `bytes[start, end)`. That memory is never written again, so slices of it may be kept. A frame that lies wholly in one
 * chunk is a part of it; others are assembled in memory that grows with what has arrived, because a length alone is
 * only a claim.
 */
export class FrameReader {
  type = 0;
  channel = 0;
  bytes: Buffer = nothing;
  start = 0;
  end = 0;
  /** Payloads may not be longer. */
  payloadBytesMax: number;

  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #chunk: Buffer = nothing;
  #position = 0;
  #assembly: Buffer | undefined;
  #filled = 0;
  #count = 0;

  constructor(payloadBytesMax: number) {
    this.payloadBytesMax = payloadBytesMax;
  }

  /** A frame has begun and its end has not arrived. */
  get isMidFrame(): boolean {
    return this.#assembly !== undefined;
  }

  /** Frames given out so far. */
  get count(): number {
    return this.#count;
  }

  /** Memory that waits here for the rest of a frame, or for the owner to go on. */
  get heldBytes(): number {
    const assembling = this.#assembly === undefined ? 0 : this.#assembly.length;
    return this.#waitingBytes + this.#chunk.length - this.#position + assembling;
  }

  /** `chunk` is kept until its frames have been taken, and longer where slices of them are. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    const buffer = Buffer.isBuffer(chunk)
      ? chunk
      : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    if (this.#position === this.#chunk.length) {
      this.#chunk = buffer;
      this.#position = 0;
      return;
    }
    this.#waiting.push(buffer);
    this.#waitingBytes += buffer.length;
  }

  /** `length` bytes that are no frame (the protocol header), or undefined while fewer have arrived. */
  takeRaw(length: number): Buffer | undefined {
    while (this.#chunk.length - this.#position < length) {
      const next = this.#waiting.shift();
      if (next === undefined) return undefined;
      this.#waitingBytes -= next.length;
      this.#chunk = Buffer.concat([this.#chunk.subarray(this.#position), next]);
      this.#position = 0;
    }
    const raw = this.#chunk.subarray(this.#position, this.#position + length);
    this.#position += length;
    return raw;
  }

  /** Everything that has arrived and was not taken: another protocol goes on with it. */
  takeRest(): Uint8Array[] {
    const rest = [this.#chunk.subarray(this.#position), ...this.#waiting];
    this.discard();
    return rest.filter((piece) => piece.length > 0);
  }

  /** False: more bytes are needed. Throws a FrameFault, after which the stream is of no use. */
  next(): boolean {
    for (;;) {
      const chunk = this.#chunk;
      const position = this.#position;
      const available = chunk.length - position;
      if (this.#assembly !== undefined) {
        if (available === 0) {
          if (!this.#nextChunk()) return false;
          continue;
        }
        if (this.#assemble(chunk, position, available)) return true;
        continue;
      }
      if (available >= frameHeadBytes) {
        const payloadBytes = this.#readHead(chunk, position);
        const totalBytes = payloadBytes + frameHeadBytes + 1;
        if (available >= totalBytes) {
          this.#position = position + totalBytes;
          this.#finish(chunk, position + frameHeadBytes, payloadBytes);
          return true;
        }
        this.#begin(chunk, position, available, totalBytes);
        continue;
      }
      if (available > 0) {
        this.#begin(chunk, position, available, frameHeadBytes);
        continue;
      }
      if (!this.#nextChunk()) return false;
    }
  }

  /** Drops everything that is held. */
  discard(): void {
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
    this.#chunk = nothing;
    this.#position = 0;
    this.#assembly = undefined;
    this.bytes = nothing;
    this.start = 0;
    this.end = 0;
  }

  #nextChunk(): boolean {
    const next = this.#waiting.shift();
    if (next === undefined) {
      // The chunk's memory is not held for a connection that is silent.
      this.#chunk = nothing;
      this.#position = 0;
      return false;
    }
    this.#waitingBytes -= next.length;
    this.#chunk = next;
    this.#position = 0;
    return true;
  }

  /** Reads type, channel and size, and refuses a size beyond the limit before anything is set aside for it. */
  #readHead(bytes: Buffer, at: number): number {
    this.type = bytes[at]!;
    this.channel = (bytes[at + 1]! << 8) | bytes[at + 2]!;
    const payloadBytes =
      bytes[at + 3]! * 0x1000000 +
      ((bytes[at + 4]! << 16) | (bytes[at + 5]! << 8) | bytes[at + 6]!);
    if (payloadBytes > this.payloadBytesMax) {
      throw new FrameFault(this.type, this.channel, payloadBytes, {
        kind: 'too-large',
        bytesMax: this.payloadBytesMax,
      });
    }
    return payloadBytes;
  }

  #begin(chunk: Buffer, position: number, available: number, totalBytes: number): void {
    this.#assembly = Buffer.allocUnsafe(assemblyBytes(available, totalBytes));
    chunk.copy(this.#assembly, 0, position, position + available);
    this.#filled = available;
    this.#position = position + available;
  }

  /** True when the frame is complete. */
  #assemble(chunk: Buffer, position: number, available: number): boolean {
    let wanted = frameHeadBytes;
    if (this.#filled >= frameHeadBytes) {
      wanted = this.#readHead(this.#assembly!, 0) + frameHeadBytes + 1;
    }
    const bytes = Math.min(available, wanted - this.#filled);
    const filled = this.#filled + bytes;
    if (this.#assembly!.length < filled) {
      const larger = Buffer.allocUnsafe(assemblyBytes(filled, wanted));
      this.#assembly!.copy(larger, 0, 0, this.#filled);
      this.#assembly = larger;
    }
    const assembly = this.#assembly!;
    chunk.copy(assembly, this.#filled, position, position + bytes);
    this.#filled = filled;
    this.#position = position + bytes;
    if (filled < frameHeadBytes) return false;
    const payloadBytes = this.#readHead(assembly, 0);
    if (filled < payloadBytes + frameHeadBytes + 1) return false;
    this.#assembly = undefined;
    this.#finish(assembly, frameHeadBytes, payloadBytes);
    return true;
  }

  #finish(bytes: Buffer, start: number, payloadBytes: number): void {
    const end = start + payloadBytes;
    this.#count += 1;
    if (bytes[end] !== frameEnd) {
      throw new FrameFault(this.type, this.channel, payloadBytes, {
        kind: 'end-missing',
        found: bytes[end]!,
        payload: bytes.subarray(start, end),
      });
    }
    this.bytes = bytes;
    this.start = start;
    this.end = end;
  }
}

const nothing = Buffer.alloc(0);
const assemblyBytesLeast = 1024;
/** Memory set aside for a frame, as a multiple of what has arrived: a peer must send 1/16 of what it makes us hold. */
const growthFactor = 16;

function assemblyBytes(filled: number, wanted: number): number {
  return Math.max(filled, Math.min(wanted, Math.max(assemblyBytesLeast, filled * growthFactor)));
}
