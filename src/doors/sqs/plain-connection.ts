import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { type Clock, limits, type Timer } from '../../base/index.ts';
import { type BudgetWaiter, GatheredBytes, type MemoryBudget } from '../../net/index.ts';
import type { AnswerChannel, AnswerHeaders } from './answer-channel.ts';
import { type PlainHead, readPlainHead, type RequestHead } from './request-head.ts';

/** One request, from its head to its answer. */
export interface PlainRequest {
  start(body: Buffer): void;
  /** The peer sends nothing more; it may take the answer yet. */
  peerEnded(): void;
  /** The peer has gone before it was answered. */
  closed(): void;
}

export interface PlainLaneOptions {
  readonly clock: Clock;
  /** Larger ones are left to `node:http`, which refuses them. */
  readonly bodyBytesMax: number;
  readonly budget: MemoryBudget;
  readonly peerStallMs: number;
  /** A head that is not whole after this is refused. */
  readonly headStallMs: number;
  readonly begin: (head: RequestHead, channel: AnswerChannel) => PlainRequest;
  /** Goes on with a connection and what it has sent, beginning with a request. */
  readonly handOver: (socket: Socket, bytes: Buffer) => void;
  /** A peer was too slow. */
  readonly aborted: () => void;
}

/**
 * Connections that send plain requests (`readPlainHead`), which take a fraction of the time and the memory that a general
 * server needs for each: nothing but the socket, and one object beside it. A connection that sends anything else goes to
 * `node:http`, with that, for good.
 */
export class PlainLane {
  readonly options: PlainLaneOptions;
  readonly #connections = new Set<PlainConnection>();
  readonly #sweepMs: number;
  #sweep: Timer | undefined;
  #dateS = -1;
  #dateLines = '';

  constructor(options: PlainLaneOptions) {
    this.options = options;
    this.#sweepMs = Math.max(1, Math.min(1000, options.headStallMs / 2, options.peerStallMs / 2));
  }

  /** Takes a socket that has just been accepted. */
  accept(socket: Socket): void {
    this.#connections.add(new PlainConnection(this, socket));
    if (this.#sweep === undefined) this.#scheduleSweep();
  }

  forget(connection: PlainConnection): void {
    this.#connections.delete(connection);
  }

  /** What every answer has, with the date, which is the same for a second. */
  commonLines(): string {
    const nowS = Math.floor(this.options.clock.nowMs() / 1000);
    if (nowS !== this.#dateS) {
      this.#dateS = nowS;
      this.#dateLines = `\r\nDate: ${new Date(nowS * 1000).toUTCString()}\r\n`;
    }
    return this.#dateLines;
  }

  /** Ends what is idle; what has begun is answered first. */
  close(): void {
    for (const connection of this.#connections) connection.endIdle();
  }

  destroy(): void {
    this.#sweep?.cancel();
    for (const connection of this.#connections) connection.destroy();
  }

  /** One timer for all connections, and none while there is no connection. */
  #scheduleSweep(): void {
    this.#sweep = this.options.clock.setTimer(this.#sweepMs, () => {
      this.#sweep = undefined;
      const nowMs = this.options.clock.monotonicMs();
      for (const connection of this.#connections) connection.checkDeadlines(nowMs);
      if (this.#connections.size > 0) this.#scheduleSweep();
    });
  }
}

const keepAliveLines = `Connection: keep-alive\r\nKeep-Alive: timeout=${limits.webKeepAliveMs / 1000}\r\n\r\n`;
const closeLines = 'Connection: close\r\n\r\n';
const noBytes = Buffer.alloc(0);

/** One socket with one request at a time; what comes meanwhile waits in the socket. */
class PlainConnection implements AnswerChannel, BudgetWaiter {
  readonly #lane: PlainLane;
  readonly #socket: Socket;
  /** What has come and begins with a request, or with the rest of the body whose head was read. */
  #held: Buffer = noBytes;
  /** Pieces of a body behind `#held`. */
  #pieces: GatheredBytes | undefined;
  /** What it takes of the budget for a body that is still coming, and for answers that are not taken yet. */
  #assembling = 0;
  #handling = 0;
  #isHeld = false;
  #head: PlainHead | undefined;
  #request: PlainRequest | undefined;
  #isBusy = false;
  #isAdvancing = false;
  #isDraining = false;
  #isEnding = false;
  #hasPeerEnded = false;
  #hasBegun = false;
  /** Since when what is held waits for more, or nothing is. */
  #sinceMs: number;
  readonly #onData = (chunk: Buffer): void => this.#take(chunk);
  readonly #onEnd = (): void => this.#peerEnded();
  readonly #onClose = (): void => this.#closed();

  constructor(lane: PlainLane, socket: Socket) {
    this.#lane = lane;
    this.#socket = socket;
    this.#sinceMs = lane.options.clock.monotonicMs();
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('error', ignore);
    socket.on('close', this.#onClose);
  }

  get canAnswer(): boolean {
    return this.#isBusy && this.#socket.writable;
  }

  get isLast(): boolean {
    return false;
  }

  answer(status: number, headers: AnswerHeaders, text: string, bytes: number): void {
    const socket = this.#socket;
    const ends = headers['connection'] !== undefined;
    let lines = status === 200 ? 'HTTP/1.1 200 OK' : statusLine(status);
    for (const name in headers) lines += `\r\n${name}: ${headers[name]!}`;
    lines += `\r\ncontent-length: ${bytes}${this.#lane.commonLines()}`;
    lines += ends ? '\r\n' : keepAliveLines;
    this.#isBusy = false;
    this.#request = undefined;
    this.#sinceMs = this.#lane.options.clock.monotonicMs();
    // Text of one byte for each character goes out without being looked at.
    socket.write(lines + text, bytes === text.length ? 'latin1' : 'utf8');
    if (ends) {
      this.#end();
      return;
    }
    if (socket.writableNeedDrain && socket.writableLength > 0) {
      this.#awaitDrain();
      return;
    }
    if (!this.#isAdvancing) this.#goOn();
  }

  /** Called by the lane from time to time: ends a peer that has stalled beyond a limit. */
  checkDeadlines(nowMs: number): void {
    if (this.#isBusy || this.#isDraining || this.#isHeld) return;
    const { headStallMs, peerStallMs } = this.#lane.options;
    const passedMs = nowMs - this.#sinceMs;
    if (this.#isEnding) {
      // It does not take the last answer.
      if (passedMs > peerStallMs) this.destroy();
    } else if (this.#head !== undefined || this.#held.length > 0) {
      if (passedMs > (this.#head === undefined ? headStallMs : peerStallMs)) this.#timedOut();
    } else if (passedMs > (this.#hasBegun ? limits.webKeepAliveMs : Math.max(peerStallMs, 30_000)))
      this.destroy();
  }

  endIdle(): void {
    if (!this.#isBusy && this.#head === undefined && this.#held.length === 0) this.#end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** There is room for more of the body. */
  resume(): void {
    this.#isHeld = false;
    this.#sinceMs = this.#lane.options.clock.monotonicMs();
    this.#socket.resume();
  }

  #assemble(bytes: number): void {
    const { budget } = this.#lane.options;
    this.#assembling += bytes;
    budget.changeAssembling(bytes);
    if (budget.mayRead(this)) return;
    this.#isHeld = true;
    this.#socket.pause();
    budget.wait(this);
  }

  #endAssembling(): void {
    if (this.#assembling === 0) return;
    const { budget } = this.#lane.options;
    const bytes = this.#assembling;
    this.#assembling = 0;
    budget.changeAssembling(-bytes);
    budget.leave(this);
  }

  /** Of answers in the socket's queue. */
  #endHandling(): void {
    if (this.#handling === 0) return;
    const bytes = this.#handling;
    this.#handling = 0;
    this.#lane.options.budget.endHandling(bytes);
  }

  #take(chunk: Buffer): void {
    if (this.#isEnding) return;
    if (this.#isBusy || this.#isDraining) {
      // One request at a time: the next ones wait, here a little, and then in the socket.
      this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
      this.#socket.pause();
      return;
    }
    if (this.#head !== undefined) {
      this.#pieces ??= new GatheredBytes();
      this.#pieces.add(chunk);
      if (this.#held.length + this.#pieces.bytes < this.#head.bodyBytes) {
        this.#assemble(chunk.length);
        return;
      }
      this.#held = Buffer.concat([this.#held, this.#pieces.take()]);
      this.#pieces = undefined;
    } else if (this.#held.length > 0) this.#held = Buffer.concat([this.#held, chunk]);
    else {
      this.#held = chunk;
      this.#sinceMs = this.#lane.options.clock.monotonicMs();
    }
    this.#advance();
  }

  /** Begins requests until one is not answered at once, or there is no whole one. */
  #advance(): void {
    this.#isAdvancing = true;
    while (!this.#isBusy && !this.#isDraining && !this.#isEnding && this.#hasMore()) {
      if (this.#head === undefined) {
        const head = readPlainHead(this.#held);
        if (head === 'partial') break;
        if (head === 'other' || head.bodyBytes > this.#lane.options.bodyBytesMax) {
          this.#handOver();
          break;
        }
        this.#head = head;
        this.#held = this.#held.subarray(head.headBytes);
      }
      if (this.#held.length < this.#head.bodyBytes) {
        this.#assemble(this.#held.length);
        break;
      }
      this.#begin(this.#head);
    }
    this.#isAdvancing = false;
  }

  #hasMore(): boolean {
    return this.#held.length > 0 || this.#head !== undefined;
  }

  #begin(head: PlainHead): void {
    const held = this.#held;
    const body = held.length === head.bodyBytes ? held : held.subarray(0, head.bodyBytes);
    this.#held = held.length === head.bodyBytes ? noBytes : held.subarray(head.bodyBytes);
    this.#head = undefined;
    this.#isBusy = true;
    this.#hasBegun = true;
    const request = this.#lane.options.begin(head, this);
    this.#request = request;
    request.start(body);
    this.#endAssembling();
    // It was answered meanwhile: nothing of it is kept.
    if (!this.#isBusy) this.#request = undefined;
    else if (this.#hasPeerEnded) request.peerEnded();
  }

  #goOn(): void {
    if (this.#held.length > 0) this.#advance();
    const waits = this.#isBusy || this.#isDraining || this.#isEnding || this.#isHeld;
    if (waits) return;
    // What is left of it is no whole request.
    if (this.#hasPeerEnded) this.#end();
    else if (this.#socket.isPaused()) this.#socket.resume();
  }

  #handOver(): void {
    const bytes = this.#held;
    const socket = this.#socket;
    if (this.#hasPeerEnded) {
      // A server that reads a stream cannot be given one that has ended.
      this.#end();
      return;
    }
    this.#release();
    if (socket.isPaused()) socket.resume();
    this.#lane.options.handOver(socket, bytes);
  }

  /** The socket is somebody else's, or gone. */
  #release(): void {
    const socket = this.#socket;
    socket.off('data', this.#onData);
    socket.off('end', this.#onEnd);
    socket.off('error', ignore);
    socket.off('close', this.#onClose);
    this.#isEnding = true;
    this.#held = noBytes;
    this.#pieces = undefined;
    this.#endAssembling();
    this.#endHandling();
    this.#lane.forget(this);
  }

  /** The peer takes no answers: it gets no new ones, and is cut off where it takes nothing at all. */
  #awaitDrain(): void {
    this.#isDraining = true;
    const socket = this.#socket;
    socket.pause();
    this.#handling = socket.writableLength;
    this.#lane.options.budget.beginHandling(this.#handling);
    const stalled = (): void => this.destroy();
    socket.setTimeout(this.#lane.options.peerStallMs, stalled);
    socket.once('drain', () => {
      socket.setTimeout(0, stalled);
      this.#endHandling();
      this.#isDraining = false;
      this.#sinceMs = this.#lane.options.clock.monotonicMs();
      this.#goOn();
    });
  }

  #timedOut(): void {
    this.#lane.options.aborted();
    this.#socket.write(`HTTP/1.1 408 Request Timeout\r\n${closeLines}`, 'latin1');
    this.#end();
  }

  /** Closes when everything has been sent; what the peer still sends is dropped. */
  #end(): void {
    this.#isEnding = true;
    this.#sinceMs = this.#lane.options.clock.monotonicMs();
    this.#socket.destroySoon();
  }

  /** What it asked before is answered, for it may have closed its own half only. */
  #peerEnded(): void {
    this.#hasPeerEnded = true;
    if (this.#isBusy) this.#request?.peerEnded();
    else if (!this.#isDraining) this.#end();
  }

  #closed(): void {
    this.#gone();
    this.#release();
  }

  #gone(): void {
    const request = this.#request;
    this.#request = undefined;
    this.#isBusy = false;
    request?.closed();
  }
}

function ignore(): void {
  // `close` follows.
}

function statusLine(status: number): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`;
}
