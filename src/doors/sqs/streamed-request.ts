import type { IncomingMessage, ServerResponse } from 'node:http';
import type { BudgetWaiter } from '../../net/index.ts';
import type { AnswerChannel, AnswerHeaders } from './answer-channel.ts';
import { Exchange, type ExchangeServices } from './exchange.ts';
import { tooLarge } from './sqs-error.ts';

const emptyBody = Buffer.alloc(0);

/** A request that `node:http` reads, whatever it looks like. */
export class StreamedRequest implements AnswerChannel, BudgetWaiter {
  readonly #services: ExchangeServices;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #exchange: Exchange;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  /** What it takes of the budget for a body that is still coming, and for an answer that is not taken yet. */
  #assembling = 0;
  #handling = 0;
  #isRefused = false;

  constructor(services: ExchangeServices, request: IncomingMessage, response: ServerResponse) {
    this.#services = services;
    this.#request = request;
    this.#response = response;
    const { method = 'GET', url = '/', headers } = request;
    this.#exchange = new Exchange(services, { method, url, headers }, this);
    response.on('close', () => this.#closed());
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
    this.#bytes += chunk.length;
    if (this.#bytes > this.#services.bodyBytesMax) {
      this.#chunks.length = 0;
      this.#endAssembling();
      this.#refuse();
      return;
    }
    this.#chunks.push(chunk);
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
    const chunks = this.#chunks.splice(0);
    const [first = emptyBody] = chunks;
    this.#exchange.start(chunks.length <= 1 ? first : Buffer.concat(chunks));
    this.#endAssembling();
  }
}
