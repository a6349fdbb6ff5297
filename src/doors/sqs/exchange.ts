import type { IncomingMessage, ServerResponse } from 'node:http';
import { AssertionError } from '../../base/index.ts';
import type { BudgetWaiter, DoorMetrics, MemoryBudget } from '../../net/index.ts';
import { type Action, actions } from './actions.ts';
import { accountId, type SqsContext, type SqsRequest } from './context.ts';
import { QueryParameters, renderError, renderResponse } from './query-protocol.ts';
import { checkInput, type Input } from './shape.ts';
import { checkSignature, readCredential } from './signature.ts';
import type { SnsAction, SnsApi } from './sns/index.ts';
import { findSqsError, SqsError } from './sqs-error.ts';

/** What all requests of a door use. */
export interface ExchangeServices {
  readonly context: SqsContext;
  /** Topics and subscriptions, on the same listener. */
  readonly topics: SnsApi;
  readonly metrics: DoorMetrics;
  readonly accessKeys: ReadonlyMap<string, string>;
  readonly advertised: { readonly host: string; readonly port: number } | undefined;
  readonly bodyBytesMax: number;
  /** Of the bodies of all requests, and of answers that their callers have not taken yet. */
  readonly budget: MemoryBudget;
  /** Those that wait for messages. */
  readonly polls: Set<Exchange>;
  isClosing: boolean;
}

const jsonType = 'application/x-amz-json-1.0';
const targetPrefix = 'AmazonSQS.';
const emptyBody = Buffer.alloc(0);

const corsHeaders = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'x-amzn-RequestId,x-amzn-query-error,x-amz-crc32,Date',
} as const;

/** One request and its answer. */
export class Exchange implements SqsRequest, BudgetWaiter {
  readonly #services: ExchangeServices;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #startMs: number;
  readonly #id: string;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  /** What it takes of the budget for a body that is still coming, and from there on. */
  #assembling = 0;
  #handling = 0;
  #isRefused = false;
  #isJson = true;
  #action: Action | undefined;
  #actionName = 'other';
  /** The request is for topics and subscriptions, whose answers have a form of their own. */
  #isForTopics = false;
  #topicAction: SnsAction | undefined;
  #onGone: (() => void) | undefined;
  isGone = false;
  region = 'us-east-1';
  callerId: string = accountId;

  constructor(services: ExchangeServices, request: IncomingMessage, response: ServerResponse) {
    const { context } = services;
    this.#services = services;
    this.#request = request;
    this.#response = response;
    this.#startMs = context.clock.monotonicMs();
    this.#id = context.random.nextUuid();
    if (request.method === 'OPTIONS') {
      this.#answerPreflight();
      return;
    }
    this.#isJson = request.headers['x-amz-target'] !== undefined;
    if (Number(request.headers['content-length'] ?? 0) > services.bodyBytesMax) {
      this.#refuse(tooLarge(services.bodyBytesMax));
      return;
    }
    request.on('data', (chunk: Buffer) => this.#take(chunk));
    request.on('end', () => this.#start());
    request.on('error', () => undefined);
    response.on('close', () => this.#closed());
  }

  get context(): SqsContext {
    return this.#services.context;
  }

  get baseUrl(): string {
    const { advertised } = this.#services;
    if (advertised !== undefined) return `http://${advertised.host}:${advertised.port}`;
    const host = this.#request.headers.host;
    return host !== undefined && /^[\w.:[\]-]+$/.test(host) ? `http://${host}` : 'http://localhost';
  }

  get traceHeader(): string | undefined {
    const header = this.#request.headers['x-amzn-trace-id'];
    return typeof header === 'string' && header !== '' ? header : undefined;
  }

  get onGone(): (() => void) | undefined {
    return this.#onGone;
  }

  set onGone(listener: (() => void) | undefined) {
    this.#onGone = listener;
    if (listener === undefined) this.#services.polls.delete(this);
    else {
      // Who waits for seconds must not keep others from reading.
      this.#endHandling();
      this.#services.polls.add(this);
      if (this.#services.isClosing) listener();
    }
  }

  /** Ends a wait: the caller is told what there is. */
  end(): void {
    this.#onGone?.();
  }

  /** There is room for more of the body. */
  resume(): void {
    this.#request.resume();
  }

  #take(chunk: Buffer): void {
    if (this.#isRefused) return;
    this.#bytes += chunk.length;
    if (this.#bytes > this.#services.bodyBytesMax) {
      this.#chunks.length = 0;
      this.#endAssembling();
      this.#refuse(tooLarge(this.#services.bodyBytesMax));
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

  #beginHandling(bytes: number): void {
    this.#handling += bytes;
    this.#services.budget.beginHandling(bytes);
  }

  #endHandling(): void {
    if (this.#handling === 0) return;
    const bytes = this.#handling;
    this.#handling = 0;
    this.#services.budget.endHandling(bytes);
  }

  #closed(): void {
    this.#endAssembling();
    this.#endHandling();
    if (this.#response.writableFinished) return;
    this.isGone = true;
    this.#onGone?.();
  }

  #start(): void {
    if (this.#isRefused) return;
    this.#beginHandling(this.#assembling);
    this.#endAssembling();
    const { method, url = '/' } = this.#request;
    if (method === 'GET' && url.endsWith('.pem')) {
      void this.#answerCertificate(url);
      return;
    }
    try {
      const [first = emptyBody] = this.#chunks;
      const body = this.#chunks.length <= 1 ? first : Buffer.concat(this.#chunks);
      const output = this.#carryOut(body);
      if (output instanceof Promise) {
        output.then(
          (found) => this.#answer(found),
          (error: unknown) => this.#fail(error),
        );
      } else this.#answer(output);
    } catch (error) {
      this.#fail(error);
    }
  }

  #carryOut(body: Buffer): Input | Promise<Input> {
    const { headers, method = 'GET', url = '/' } = this.#request;
    const { accessKeys, context } = this.#services;
    if (accessKeys.size > 0) {
      const signed = { method, target: url, headers, body };
      checkSignature(signed, accessKeys, context.clock.nowMs());
    }
    const credential = readCredential(headers, url);
    if (credential !== undefined) {
      this.region = credential.region;
      // A key that nobody looked at says nothing about the caller.
      if (accessKeys.size > 0) this.callerId = credential.accessKey;
    }
    const target = headers['x-amz-target'];
    if (typeof target === 'string') return this.#carryOutJson(target, body);
    return this.#carryOutQuery(url, body);
  }

  #carryOutJson(target: string, body: Buffer): Input | Promise<Input> {
    const name = target.startsWith(targetPrefix) ? target.slice(targetPrefix.length) : '';
    const action = this.#find(name);
    let value: unknown;
    try {
      value = body.length === 0 ? {} : JSON.parse(body.toString('utf8'));
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw new SqsError('SerializationException', 'The request is not valid JSON.', {
        cause: error,
      });
    }
    return action.handle(this, checkInput(action.input, value));
  }

  #carryOutQuery(url: string, body: Buffer): Input | Promise<Input> {
    const queryAt = url.indexOf('?');
    const path = queryAt < 0 ? url : url.slice(0, queryAt);
    const parameters = new QueryParameters(
      body.toString('utf8'),
      queryAt < 0 ? '' : url.slice(queryAt + 1),
    );
    if (this.#services.topics.isFor(parameters)) return this.#carryOutForTopics(parameters);
    const name = parameters.get('Action');
    if (name === undefined) throw new SqsError('UnknownOperationException', noAction);
    const action = this.#find(name);
    // The URL of a queue is an endpoint for what is about a queue.
    if (isQueuePath(path) && !('QueueUrl' in action.input.members) && !isQueueFree(name)) {
      throw notValid(name);
    }
    const input = parameters.read(action.input);
    // The queue may be named by the path alone.
    const isByPath =
      'QueueUrl' in action.input.members && input['QueueUrl'] === undefined && path.length > 1;
    return action.handle(
      this,
      isByPath ? { ...input, QueueUrl: `http://localhost${path}` } : input,
    );
  }

  #carryOutForTopics(parameters: QueryParameters): Input | Promise<Input> {
    this.#isForTopics = true;
    const action = this.#services.topics.getAction(parameters);
    this.#topicAction = action;
    this.#actionName = action.name;
    return action.handle(this, parameters.read(action.input));
  }

  #find(name: string): Action {
    const action = actions.get(name);
    if (action === undefined) {
      throw notValid(name);
    }
    this.#action = action;
    this.#actionName = name;
    return action;
  }

  #answer(output: Input): void {
    if (this.#topicAction !== undefined) {
      const { topics } = this.#services;
      this.#send(200, topics.renderResponse(this.#topicAction, output, this.#id), undefined);
      return;
    }
    if (!this.#isJson && this.#request.headers.accept === 'application/json') {
      this.#isJson = true;
      const ResponseMetadata = { RequestId: this.#id };
      const name = this.#actionName;
      const answer = { [`${name}Response`]: { [`${name}Result`]: output, ResponseMetadata } };
      this.#send(200, JSON.stringify(answer), undefined);
      return;
    }
    const text = this.#isJson
      ? JSON.stringify(output)
      : renderResponse(this.#actionName, this.#action!.output, output, this.#id);
    this.#send(200, text, undefined);
  }

  #fail(error: unknown): void {
    if (this.#isForTopics) {
      const failure = this.#services.topics.findFailure(error, this.#id);
      if (failure !== undefined) {
        this.#send(failure.status, failure.text, undefined);
        return;
      }
    }
    let refusal = findSqsError(error);
    if (refusal === undefined) {
      const { log } = this.#services.context;
      log.error({ err: error, action: this.#actionName }, 'request failed');
      // A bug stops the process before it does harm.
      if (error instanceof AssertionError) throw error;
      refusal = new SqsError(
        'InternalFailure',
        'The request processing has failed because of an unknown error.',
      );
    }
    this.#refuse(refusal);
  }

  #refuse(error: SqsError): void {
    this.#isRefused = true;
    if (this.#isJson) {
      const text = JSON.stringify({ __type: error.type, message: error.message });
      this.#send(error.status, text, error);
    } else if (error.message === noAction) {
      this.#send(404, '<UnknownOperationException/>\n', error);
    } else this.#send(error.status, renderError(error, this.#id), error);
  }

  #send(status: number, text: string, error: SqsError | undefined): void {
    const response = this.#response;
    const { metrics, context, isClosing } = this.#services;
    if (!response.destroyed && !response.headersSent) {
      const bytes = Buffer.byteLength(text);
      // From here on the answer counts in the place of the request, until the caller has taken it.
      this.#chunks.length = 0;
      this.#endHandling();
      this.#beginHandling(bytes);
      const headers: Record<string, string | number> = {
        'content-type': this.#isJson ? jsonType : 'text/xml',
        'content-length': bytes,
        'x-amzn-RequestId': this.#id,
      };
      if (this.#request.headers.origin !== undefined) Object.assign(headers, corsHeaders);
      if (error !== undefined && this.#isJson) {
        headers['x-amzn-query-error'] =
          `${error.queryCode};${error.isSenderFault ? 'Sender' : 'Receiver'}`;
      }
      // What is left of a body that is too large is not read.
      if (isClosing || !this.#request.complete) headers['connection'] = 'close';
      // A text goes out in one piece with the header.
      response.writeHead(status, headers).end(text);
    }
    metrics.forRequest(this.#actionName).record(context.clock.monotonicMs() - this.#startMs);
  }

  /** What envelopes of topics are verified with is for everybody. */
  async #answerCertificate(path: string): Promise<void> {
    const text = await this.#services.topics.findCertificate(path).catch(() => undefined);
    if (this.#response.destroyed) return;
    this.#response
      .writeHead(text === undefined ? 404 : 200, { 'content-type': 'application/x-pem-file' })
      .end(text);
  }

  #answerPreflight(): void {
    const asked = this.#request.headers['access-control-request-headers'];
    this.#response
      .writeHead(200, {
        ...corsHeaders,
        'access-control-allow-methods': 'GET, POST, OPTIONS',
        'access-control-allow-headers': asked ?? '*',
        'access-control-max-age': '172800',
        'content-length': 0,
      })
      .end();
  }
}

/** What a request of the Query protocol without an action is refused for: with an element of its own. */
const noAction = 'The request has no Action.';

function notValid(name: string): SqsError {
  return new SqsError(
    'UnknownOperationException',
    `The action ${name} is not valid for this endpoint.`,
  );
}

/** `/000000000000/NAME`, as URLs of queues are. */
function isQueuePath(path: string): boolean {
  return /^\/\d{12}\/[^/]+$/.test(path);
}

/** Actions about queues that they name otherwise. */
function isQueueFree(name: string): boolean {
  return (
    name.endsWith('MessageMoveTask') || name === 'ListMessageMoveTasks' || name === 'GetQueueUrl'
  );
}

function tooLarge(bytesMax: number): SqsError {
  return new SqsError(
    'RequestEntityTooLargeException',
    `The request has more than ${bytesMax} bytes.`,
  );
}
