import type { IncomingMessage, ServerResponse } from 'node:http';
import { type BudgetWaiter, GatheredBytes } from '../../net/index.ts';
import type { AnswerChannel, AnswerHeaders } from './answer-channel.ts';
import { Exchange, type ExchangeServices } from './exchange.ts';
import { tooLarge } from './sqs-error.ts';

const emptyBody = Buffer.alloc(0);
/** A body in so many pieces is refused when they have fewer bytes than this on the average. */
const piecesMany = 20_000;
const pieceBytesLeast = 16;

/** A request that `node:http` reads, whatever it looks like. */
export class StreamedRequest implements AnswerChannel, BudgetWaiter {
  readonly #services: ExchangeServices;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #exchange: Exchange;
  readonly #body = new GatheredBytes();
  #pieces = 0;
  /** What it takes of the budget for a body that is still coming, and for an answer that is not taken yet. */
  #assembling = 0;
  #handling = 0;
  #isRefused = false;

  constructor(services: ExchangeServices, request: IncomingMessage, response: ServerResponse) {
    this.#services = services;
    this.#request = request;
    this.#response = response;
    const { method = 'GET', headers, socket } = request;
    const url = originForm(request.url ?? '/');
    this.#exchange = new Exchange(services, { method, url, headers }, this);
    const ended = (): void => this.#exchange.peerEnded();
    socket.once('end', ended);
    response.on('close', () => {
      socket.off('end', ended);
      this.#closed();
    });
    const unclear = findUnclear(request);
    if (unclear !== undefined) {
      // Nobody knows where it ends.
      this.#isRefused = true;
      this.answer(unclear, { connection: 'close' }, '', 0);
      return;
    }
    if (method === 'OPTIONS') {
      this.#exchange.start(emptyBody);
      return;
    }
    if (Number(headers['content-length'] ?? 0) > services.bodyBytesMax) {
      this.#refuse();
      return;
    }
    request.on('data', (chunk: Buffer) => this.#take(chunk));
    request.on('end', () => this.#start());
    request.on('error', () => undefined);
  }

  /** There is room for more of the body. */
  resume(): void {
    this.#request.resume();
  }

  get canAnswer(): boolean {
    return !this.#response.destroyed && !this.#response.headersSent;
  }

  /** What is left of a body that is too large is not read. */
  get isLast(): boolean {
    return !this.#request.complete;
  }

  answer(status: number, headers: AnswerHeaders, text: string, bytes: number): void {
    this.#handling += bytes;
    this.#services.budget.beginHandling(bytes);
    // A text goes out in one piece with the header.
    this.#response.writeHead(status, { ...headers, 'content-length': bytes }).end(text);
  }

  #take(chunk: Buffer): void {
    if (this.#isRefused) return;
    this.#body.add(chunk);
    if (this.#body.bytes > this.#services.bodyBytesMax) {
      this.#body.clear();
      this.#endAssembling();
      this.#refuse();
      return;
    }
    this.#pieces++;
    if (this.#pieces > piecesMany && this.#body.bytes < this.#pieces * pieceBytesLeast) {
      // Nobody writes so: each byte costs as much as a kilobyte, and is somebody's who has proved nothing yet.
      this.#body.clear();
      this.#endAssembling();
      this.#isRefused = true;
      this.answer(400, { connection: 'close' }, '', 0);
      return;
    }
    const { budget } = this.#services;
    this.#assembling += chunk.length;
    budget.changeAssembling(chunk.length);
    if (budget.mayRead(this)) return;
    this.#request.pause();
    budget.wait(this);
  }

  #endAssembling(): void {
    const { budget } = this.#services;
    budget.changeAssembling(-this.#assembling);
    this.#assembling = 0;
    budget.leave(this);
  }

  #closed(): void {
    this.#endAssembling();
    if (this.#handling > 0) this.#services.budget.endHandling(this.#handling);
    this.#handling = 0;
    if (!this.#response.writableFinished) this.#exchange.closed();
  }

  #refuse(): void {
    this.#isRefused = true;
    this.#exchange.refuse(tooLarge(this.#services.bodyBytesMax));
  }

  #start(): void {
    if (this.#isRefused) return;
    this.#exchange.start(this.#body.take());
    this.#endAssembling();
  }
}

/** The path of a target that a proxy was meant to read (RFC 9112 §3.2.2). */
function originForm(target: string): string {
  const authority = /^https?:\/\/[^/?#]*/i.exec(target);
  if (authority === null) return target;
  const rest = target.slice(authority[0].length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** The status for what the next reader might understand otherwise (RFC 9112 §3.2, §6.1), though this one would take it. */
function findUnclear({ headers, headersDistinct }: IncomingMessage): number | undefined {
  if ((headersDistinct['host']?.length ?? 0) > 1) return 400;
  const coding = headers['transfer-encoding'];
  return coding === undefined || coding.toLowerCase() === 'chunked' ? undefined : 501;
}
