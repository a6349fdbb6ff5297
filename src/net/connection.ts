import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { type Clock, limits, ProtocolError } from '../base/index.ts';
import type { DoorMetrics } from './door-metrics.ts';
import type { Log } from './log.ts';
import type { LogLimiter } from './log-limiter.ts';
import { TlsFacts } from './tls.ts';

/** The protocol that runs over a connection: what a door implements. */
export interface ConnectionProtocol {
  /** A whole chunk as it came from the socket; it is never written again, slices of it may be kept. */
  receive(chunk: Uint8Array): void;
  /** The send queue was above its mark and has become short again. */
  sendable(): void;
  /** The connection is gone; nothing can be sent any more. */
  closed(): void;
  /** Begin no new request; call `Connection.end` when all that was begun is answered. */
  drain(): void;
  /** A frame has begun and its rest has not arrived. */
  readonly isMidFrame: boolean;
  /** Frames received so far. */
  readonly frameCount: number;
  /** A request is being handled: the connection is not idle, however long it takes. */
  readonly isBusy: boolean;
}

export interface ConnectionLimits {
  readonly sendBufferBytesMax: number;
  readonly sendStallMs: number;
  readonly frameStallMs: number;
  readonly idleMs: number;
}

export interface ConnectionOptions {
  readonly id: number;
  readonly socket: Socket;
  readonly limits: ConnectionLimits;
  readonly clock: Clock;
  readonly log: Log;
  readonly logLimiter: LogLimiter;
  readonly metrics: DoorMetrics;
  readonly sendLedger: SendLedger;
}

/** What all connections of a listener together have queued for sending. */
export interface SendLedger {
  queuedBytes: number;
}

/** Why the socket is not read; each reason is held and released by itself. */
export const readHold = {
  /** The protocol can take no more requests now. */
  protocol: 1,
  /** The peer does not take what was sent. */
  sendQueue: 2,
  /** It has had its part of this turn of the event loop. */
  turn: 4,
} as const;
export type ReadHold = (typeof readHold)[keyof typeof readHold];

/**
 * One socket: coalesces writes, holds back reading, and ends a peer that stalls. It knows nothing of a protocol but
 * how to hand it bytes.
 */
export class Connection {
  readonly id: number;
  readonly #socket: Socket;
  readonly #limits: ConnectionLimits;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #logLimiter: LogLimiter;
  readonly #metrics: DoorMetrics;
  readonly #sendLedger: SendLedger;
  readonly #remote: string;
  #protocol: ConnectionProtocol | undefined;
  #onClosed: (() => void) | undefined;

  #holds = 0;
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #inFlightBytes = 0;
  #isFlushScheduled = false;
  #isEnding = false;
  #isClosed = false;

  /** Moves with every chunk received and every write completed; the deadline sweep compares it. */
  #activity = 0;
  /** Bytes received since others had their turn. */
  #turnBytes = 0;
  #writesDone = 0;
  /** An error also destroys the socket, and `close` follows. */
  readonly #endTurn = (): void => {
    this.#turnBytes = 0;
    this.release(readHold.turn);
  };
  readonly #onWritten = (error?: Error | null): void => {
    if (error === undefined || error === null) this.#written();
  };
  readonly #quiet: Watermark;
  readonly #frame: Watermark;
  readonly #sending: Watermark;

  constructor(options: ConnectionOptions) {
    this.id = options.id;
    this.#socket = options.socket;
    this.#limits = options.limits;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#logLimiter = options.logLimiter;
    this.#metrics = options.metrics;
    this.#sendLedger = options.sendLedger;
    this.#remote = `${options.socket.remoteAddress ?? '?'}:${options.socket.remotePort ?? 0}`;
    const nowMs = options.clock.monotonicMs();
    this.#quiet = { mark: 0, sinceMs: nowMs };
    this.#frame = { mark: -1, sinceMs: nowMs };
    this.#sending = { mark: -1, sinceMs: nowMs };
  }

  /** Starts reading. Call once. */
  attach(protocol: ConnectionProtocol, onClosed: () => void): void {
    this.#protocol = protocol;
    this.#onClosed = onClosed;
    const socket = this.#socket;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 60_000);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => {
      this.#log.debug({ err: error, remote: this.#remote }, 'connection failed');
    });
    socket.on('close', () => this.#closed());
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress ?? '';
  }

  get remotePort(): number {
    return this.#socket.remotePort ?? 0;
  }

  /** What was agreed on with the peer; undefined on a connection without TLS. */
  get tls(): TlsFacts | undefined {
    return this.#socket instanceof TLSSocket ? new TlsFacts(this.#socket) : undefined;
  }

  /** Bytes that wait to be sent. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** The address of ours that the peer connected to. */
  get localAddress(): string {
    return this.#socket.localAddress ?? '';
  }

  get localPort(): number {
    return this.#socket.localPort ?? 0;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** More waits to be sent than the limit: begin nothing that makes it more, until `sendable` is called. */
  get isSendBlocked(): boolean {
    const isBlocked = this.#queuedBytes > this.#sendBytesMax;
    // The limit moves: who is told so here is told of the end, too.
    if (isBlocked) this.hold(readHold.sendQueue);
    return isBlocked;
  }

  /** Little, where many peers take nothing of what waits for them. */
  get #sendBytesMax(): number {
    const { sendBufferBytesMax } = this.#limits;
    if (this.#sendLedger.queuedBytes <= limits.sendQueuesBytesMax) return sendBufferBytesMax;
    return Math.min(sendBufferBytesMax, limits.crowdedSendBufferBytesMax);
  }

  /**
   * Queues bytes, which must not be written to afterwards. All that is queued in one turn of the event loop leaves
   * in one write: the flush runs after the microtasks, so also the promises of one group commit share it.
   */
  send(bytes: Uint8Array): void {
    if (this.#isClosed || this.#isEnding || bytes.length === 0) return;
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    this.#sendLedger.queuedBytes += bytes.length;
    if (!this.#isFlushScheduled && this.#inFlightBytes === 0) {
      this.#isFlushScheduled = true;
      process.nextTick(flushLater, this);
    }
    if (this.#queuedBytes > this.#sendBytesMax) this.hold(readHold.sendQueue);
  }

  hold(reason: ReadHold): void {
    if (this.#isEnding) return;
    if (this.#holds === 0) this.#socket.pause();
    this.#holds |= reason;
  }

  release(reason: ReadHold): void {
    if ((this.#holds & reason) === 0) return;
    this.#holds &= ~reason;
    if (this.#holds === 0 && !this.#isEnding) this.#socket.resume();
  }

  /** Closes after everything queued has been sent. */
  end(): void {
    if (this.#isEnding || this.#isClosed) return;
    this.#isEnding = true;
    if (this.#queuedBytes === 0) this.#socket.end();
    // What the peer still sends is read and dropped, or its end would never be seen.
    this.#holds = 0;
    this.#socket.resume();
  }

  /** Closes at once. A `reason` counts as an abort and is logged, at a limited rate. */
  destroy(reason?: string, error?: unknown): void {
    if (this.#isClosed) return;
    if (reason !== undefined) {
      this.#metrics.connectionsAborted += 1;
      this.#logLimiter.run((suppressed) => {
        const fields = { remote: this.#remote, reason, suppressed };
        if (error === undefined) this.#log.warn(fields, 'connection closed');
        else this.#log.error({ ...fields, err: error }, 'connection closed');
      });
    }
    this.#socket.destroy();
    this.#closed();
  }

  /** Begin no new request, answer what was begun, then close. */
  drain(): void {
    this.#protocol?.drain();
  }

  /** Called by the listener from time to time: ends a peer that has stalled beyond a limit. */
  checkDeadlines(nowMs: number): void {
    const protocol = this.#protocol;
    if (protocol === undefined || this.#isClosed) return;
    const { sendStallMs, frameStallMs, idleMs } = this.#limits;
    const sendMark = this.#queuedBytes > 0 || this.#isEnding ? this.#writesDone : -1;
    if (isBeyond(this.#sending, sendMark, nowMs, sendStallMs)) {
      this.destroy('the peer takes no bytes');
      return;
    }
    const frameMark = protocol.isMidFrame && this.#holds === 0 ? protocol.frameCount : -1;
    if (isBeyond(this.#frame, frameMark, nowMs, frameStallMs)) {
      this.destroy('a frame was begun and not completed in time');
      return;
    }
    const quietMark = protocol.isBusy || this.#queuedBytes > 0 ? -1 : this.#activity;
    if (isBeyond(this.#quiet, quietMark, nowMs, idleMs)) {
      this.#log.debug({ remote: this.#remote }, 'idle connection closed');
      this.destroy();
    }
  }

  #receive(chunk: Buffer): void {
    this.#activity += 1;
    this.#metrics.bytesReceived += chunk.length;
    if (this.#isEnding || this.#isClosed) return;
    this.#countTurn(chunk.length);
    try {
      this.#protocol?.receive(chunk);
    } catch (error) {
      this.fail(error);
    }
  }

  /**
   * One socket that is always full is read up to 32 times before anybody else is: a publisher that waits for nothing would
   * leave everybody who consumes, and all other connections, a small part of the time.
   */
  #countTurn(bytes: number): void {
    if (this.#turnBytes === 0) this.#clock.setAfterIo(this.#endTurn);
    this.#turnBytes += bytes;
    if (this.#turnBytes >= turnBytesMax) this.hold(readHold.turn);
  }

  /** Closes because of what a protocol's code threw: quietly for a ProtocolError, loudly for a fault of ours. */
  fail(error: unknown): void {
    if (error instanceof ProtocolError) this.destroy(error.message);
    else this.destroy('internal error', error);
  }

  /** Writes up to `writeBytesMax` of the queue; the rest follows when the kernel has taken them. */
  flush(): void {
    this.#isFlushScheduled = false;
    if (this.#isClosed || this.#inFlightBytes > 0 || this.#queue.length === 0) return;
    const queue = this.#queue;
    const outgoing: Uint8Array[] = [];
    let bytes = 0;
    let taken = 0;
    while (taken < queue.length && bytes < writeBytesMax) {
      const piece = queue[taken]!;
      const room = writeBytesMax - bytes;
      if (piece.length > room) {
        outgoing.push(piece.subarray(0, room));
        queue[taken] = piece.subarray(room);
        bytes += room;
        break;
      }
      if (piece.length < mergeBytesMax) {
        const merged = mergeSmall(queue, taken);
        outgoing.push(merged.bytes);
        bytes += merged.bytes.length;
        taken += merged.pieces;
      } else {
        outgoing.push(piece);
        bytes += piece.length;
        taken += 1;
      }
    }
    queue.splice(0, taken);
    this.#inFlightBytes = bytes;
    const socket = this.#socket;
    const last = outgoing.length - 1;
    if (last === 0) {
      socket.write(outgoing[0]!, this.#onWritten);
      return;
    }
    socket.cork();
    for (let index = 0; index < last; index += 1) socket.write(outgoing[index]!);
    socket.write(outgoing[last]!, this.#onWritten);
    socket.uncork();
  }

  #written(): void {
    if (this.#isClosed) return;
    const wasBlocked = (this.#holds & readHold.sendQueue) !== 0;
    this.#queuedBytes -= this.#inFlightBytes;
    this.#sendLedger.queuedBytes -= this.#inFlightBytes;
    this.#metrics.bytesSent += this.#inFlightBytes;
    this.#inFlightBytes = 0;
    this.#writesDone += 1;
    this.#activity += 1;
    if (this.#queue.length > 0) this.flush();
    else if (this.#isEnding) this.#socket.end();
    if (wasBlocked && this.#queuedBytes <= this.#sendBytesMax / 2) {
      this.release(readHold.sendQueue);
      try {
        this.#protocol?.sendable();
      } catch (failure) {
        this.fail(failure);
      }
    }
  }

  #closed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#sendLedger.queuedBytes -= this.#queuedBytes;
    this.#queuedBytes = 0;
    this.#queue.length = 0;
    this.#protocol?.closed();
    this.#onClosed?.();
  }
}

/** A value, and since when it has not changed. */
interface Watermark {
  mark: number;
  sinceMs: number;
}

/** True when `mark` has stayed the same for longer than `limitMs`; -1 means that nothing is pending. */
function isBeyond(watermark: Watermark, mark: number, nowMs: number, limitMs: number): boolean {
  if (mark === -1 || mark !== watermark.mark) {
    watermark.mark = mark;
    watermark.sinceMs = nowMs;
    return false;
  }
  return nowMs - watermark.sinceMs > limitMs;
}

function flushLater(connection: Connection): void {
  connection.flush();
}

/** Copies the run of small pieces at `start` into one, so that a burst of short replies is one buffer to the kernel. */
function mergeSmall(queue: readonly Uint8Array[], start: number) {
  let pieces = 0;
  let length = 0;
  while (start + pieces < queue.length) {
    const piece = queue[start + pieces]!;
    if (piece.length >= mergeBytesMax || length + piece.length > mergedBytesMax) break;
    length += piece.length;
    pieces += 1;
  }
  if (pieces === 1) return { bytes: queue[start]!, pieces };
  const bytes = Buffer.allocUnsafe(length);
  let position = 0;
  for (let index = start; index < start + pieces; index += 1) {
    const piece = queue[index]!;
    bytes.set(piece, position);
    position += piece.length;
  }
  return { bytes, pieces };
}

/** One write to the kernel, about; the stall deadline asks for one of these per `sendStallMs`. */
const writeBytesMax = 512 * 1024;
/** Pieces below this are copied together. */
const mergeBytesMax = 2048;
/** Received from one connection before the others have their turn. */
const turnBytesMax = 128 * 1024;
const mergedBytesMax = 64 * 1024;
