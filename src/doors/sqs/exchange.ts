import { AssertionError } from '../../base/index.ts';
import type { DoorMetrics, MemoryBudget } from '../../net/index.ts';
import { type Action, actions } from './actions.ts';
import type { AnswerChannel } from './answer-channel.ts';
import { asksForIdentity, identityAction, renderIdentity } from './caller-identity.ts';
import { accountId, type SqsContext, type SqsRequest } from './context.ts';
import type { JsonText } from './json-text.ts';
import {
  QueryParameters,
  renderError,
  renderJsonError,
  renderJsonResponse,
  renderResponse,
} from './query-protocol.ts';
import type { RequestHead } from './request-head.ts';
import { checkInput, type Input } from './shape.ts';
import { checkSignature, readCredential } from './signature.ts';
import type { SnsAction, SnsApi } from './sns/index.ts';
import { findSqsError, SqsError } from './sqs-error.ts';
import { isOfForeignPage } from './web-pages.ts';

/** What all requests of a door use. */
export interface ExchangeServices {
  readonly context: SqsContext;
  /** Topics and subscriptions, on the same listener. */
  readonly topics: SnsApi;
  readonly metrics: DoorMetrics;
  readonly accessKeys: ReadonlyMap<string, string>;
  readonly advertised: { readonly host: string; readonly port: number } | undefined;
  readonly bodyBytesMax: number;
  /** The door listens for this machine only. */
  readonly isLocal: boolean;
  /** Of the bodies of all requests, and of answers that their callers have not taken yet. */
  readonly budget: MemoryBudget;
  /** Those that wait for messages. */
  readonly polls: Set<Exchange>;
  isClosing: boolean;
  readonly jsonText: JsonText;
}

const jsonType = 'application/x-amz-json-1.0';
const targetPrefix = 'AmazonSQS.';
/** What a caller may call this host, in a URL that is given back to it. */
const isHost = /^[\w.:[\]-]+$/;

const corsHeaders = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'x-amzn-RequestId,x-amzn-query-error,x-amz-crc32,Date',
} as const;

/** One request and its answer. */
export class Exchange implements SqsRequest {
  readonly #services: ExchangeServices;
  /** Let go of when the request has begun: who waits for messages keeps no headers. */
  #head: RequestHead | undefined;
  readonly #channel: AnswerChannel;
  readonly #startMs: number;
  readonly #host: string | undefined;
  /** A page of somebody else asks, who has proved nothing. */
  readonly #isForeign: boolean;
  readonly #isCrossOrigin: boolean;
  readonly traceHeader: string | undefined;
  readonly #id: string;
  #isJson: boolean;
  /** An answer of the Query protocol as JSON. */
  #wantsJson = false;
  #action: Action | undefined;
  #actionName = 'other';
  /** The request is for topics and subscriptions, whose answers have a form of their own. */
  #isForTopics = false;
  #topicAction: SnsAction | undefined;
  /** What its body takes of the budget. */
  #handling = 0;
  #onGone: (() => void) | undefined;
  #hasPeerEnded = false;
  isGone = false;
  region = 'us-east-1';
  callerId: string = accountId;

  constructor(services: ExchangeServices, head: RequestHead, channel: AnswerChannel) {
    this.#services = services;
    this.#head = head;
    this.#channel = channel;
    this.#startMs = services.context.clock.monotonicMs();
    this.#id = services.context.random.nextUuid();
    const { headers } = head;
    this.#isJson = isJsonRequest(headers);
    this.#host = headers.host;
    const { accessKeys, isLocal } = services;
    this.#isForeign = accessKeys.size === 0 && isOfForeignPage(headers, isLocal);
    this.#isCrossOrigin = headers.origin !== undefined && !this.#isForeign;
    const trace = headers['x-amzn-trace-id'];
    this.traceHeader = typeof trace === 'string' && trace !== '' ? trace : undefined;
  }

  get context(): SqsContext {
    return this.#services.context;
  }

  get baseUrl(): string {
    const { advertised } = this.#services;
    if (advertised !== undefined) return `http://${advertised.host}:${advertised.port}`;
    const host = this.#host;
    return host !== undefined && isHost.test(host) ? `http://${host}` : 'http://localhost';
  }

  get isJson(): boolean {
    return this.#isJson;
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
      if (this.#hasPeerEnded) this.isGone = true;
      if (this.#hasPeerEnded || this.#services.isClosing) listener();
    }
  }

  /** Ends a wait: the caller is told what there is. */
  end(): void {
    this.#onGone?.();
  }

  /**
   * The caller sends nothing more: it may have gone, or take an answer yet. It gets one, but does not wait for messages,
   * and none are given to it that came while it waited.
   */
  peerEnded(): void {
    this.#hasPeerEnded = true;
    if (this.#onGone === undefined) return;
    this.isGone = true;
    this.#onGone();
  }

  /** The caller has gone. */
  closed(): void {
    this.#endHandling();
    this.isGone = true;
    this.#onGone?.();
  }

  /** The whole request is there; the body is borrowed until this returns. */
  start(body: Buffer): void {
    const head = this.#head!;
    this.#head = undefined;
    this.#handling = body.length;
    this.#services.budget.beginHandling(body.length);
    if (head.method === 'GET' && head.url.endsWith('.pem')) {
      void this.#answerCertificate(head.url);
      return;
    }
    if (this.#isForeign) {
      this.#fail(new SqsError('AccessDeniedException', foreignPage));
      return;
    }
    if (head.method === 'OPTIONS') {
      this.#answerPreflight(head);
      return;
    }
    try {
      const output = this.#carryOut(head, body);
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

  #endHandling(): void {
    if (this.#handling === 0) return;
    const bytes = this.#handling;
    this.#handling = 0;
    this.#services.budget.endHandling(bytes);
  }

  #carryOut(head: RequestHead, body: Buffer): Input | Promise<Input> {
    const { headers, method, url } = head;
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
    if (this.#isJson) return this.#carryOutJson(String(headers['x-amz-target']), body);
    this.#wantsJson = headers.accept === 'application/json';
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
    if (asksForIdentity(parameters)) {
      this.#actionName = identityAction;
      return {};
    }
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
    if (this.#actionName === identityAction) {
      this.#send(200, renderIdentity(this, this.#id), undefined);
      return;
    }
    if (this.#isJson) {
      const { jsonText } = this.#services;
      const text = this.#action!.isSilent ? '' : jsonText.write(output);
      this.#send(200, text, undefined, jsonText.isAscii);
      return;
    }
    const render = this.#wantsJson ? renderJsonResponse : renderResponse;
    const text = render(this.#actionName, this.#action!.output, output, this.#id);
    this.#send(200, text, undefined);
  }

  /** What an answer says of its form. */
  get #contentType(): string {
    if (this.#isJson) return jsonType;
    const isXml = !this.#wantsJson || this.#isForTopics || this.#actionName === identityAction;
    return isXml ? 'text/xml' : 'application/json';
  }

  #fail(error: unknown): void {
    if (this.#isForTopics) {
      const failure = this.#services.topics.findFailure(error, this.#actionName, this.#id);
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
    this.refuse(refusal);
  }

  /** Answers with an error, to a request that may not be there as a whole. */
  refuse(error: SqsError): void {
    if (this.#isJson) {
      const text = JSON.stringify({ __type: error.type, message: error.message });
      this.#send(error.status, text, error);
    } else if (error.message === noAction) {
      this.#send(404, '<UnknownOperationException/>\n', error);
    } else {
      const render = this.#wantsJson ? renderJsonError : renderError;
      this.#send(error.status, render(error, this.#id), error);
    }
  }

  #send(status: number, text: string, error: SqsError | undefined, isAscii = false): void {
    this.#endHandling();
    const channel = this.#channel;
    const { metrics, context, isClosing } = this.#services;
    if (channel.canAnswer) {
      const headers: Record<string, string> = {
        'content-type': this.#contentType,
        'x-amzn-RequestId': this.#id,
      };
      if (this.#isCrossOrigin) Object.assign(headers, corsHeaders);
      if (error !== undefined && this.#isJson) {
        headers['x-amzn-query-error'] =
          `${error.queryCode};${error.isSenderFault ? 'Sender' : 'Receiver'}`;
      }
      if (isClosing || channel.isLast) headers['connection'] = 'close';
      channel.answer(status, headers, text, isAscii ? text.length : Buffer.byteLength(text));
    }
    metrics.forRequest(this.#actionName).record(context.clock.monotonicMs() - this.#startMs);
  }

  /** What envelopes of topics are verified with is for everybody. */
  async #answerCertificate(path: string): Promise<void> {
    const text = await this.#services.topics.findCertificate(path).catch(() => undefined);
    if (!this.#channel.canAnswer) return;
    const headers = { 'content-type': 'application/x-pem-file' };
    if (text === undefined) this.#channel.answer(404, headers, '', 0);
    else this.#channel.answer(200, headers, text, Buffer.byteLength(text));
  }

  #answerPreflight({ headers }: RequestHead): void {
    this.#channel.answer(
      200,
      {
        ...corsHeaders,
        'access-control-allow-methods': 'GET, POST, OPTIONS',
        'access-control-allow-headers': headers['access-control-request-headers'] ?? '*',
        'access-control-max-age': '172800',
      },
      '',
      0,
    );
  }
}

const foreignPage =
  'Pages from elsewhere are answered only where requests must be signed: this door has no access keys.';

/** What a request of the Query protocol without an action is refused for: with an element of its own. */
const noAction = 'The request has no Action.';

function notValid(name: string): SqsError {
  return new SqsError(
    'UnknownOperationException',
    `The action ${name} is not valid for this endpoint.`,
  );
}

/** Some clients of the Query protocol name a target as well, which is not one of this API, beside their form. */
function isJsonRequest(headers: RequestHead['headers']): boolean {
  const target = headers['x-amz-target'];
  if (target === undefined) return false;
  const isForm = headers['content-type']?.startsWith('application/x-www-form-urlencoded') === true;
  return !isForm || String(target).startsWith(targetPrefix);
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
