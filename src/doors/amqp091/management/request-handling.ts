import type { IncomingMessage, ServerResponse } from 'node:http';
import { AssertionError, limits } from '../../../base/index.ts';
import { ApiError, apiErrorOf, missing } from './api-error.ts';
import type { ApiContext, ApiReply, ApiRoute } from './api.ts';
import { authenticate, checkAudience } from './authentication.ts';
import { readJsonBody } from './body.ts';
import { Router } from './router.ts';
import { routes } from './routes.ts';

const welcome = {
  name: 'Pabal',
  description: "RabbitMQ's management HTTP API, without its web pages",
  api: '/api/overview',
};

const noTool = new ApiError(
  404,
  'Object Not Found',
  'rabbitmqadmin is not part of Pabal; take it from a RabbitMQ release, or install rabbitmqadmin v2',
);

/** Answers requests. */
export class RequestHandling {
  readonly #router = new Router(routes);
  readonly #context: ApiContext;
  readonly #trustsEverybody: boolean;

  constructor(context: ApiContext, trustsEverybody: boolean) {
    this.#context = context;
    this.#trustsEverybody = trustsEverybody;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { clock, metrics } = this.#context;
    const beganMs = clock.monotonicMs();
    const found: { route: ApiRoute | undefined } = { route: undefined };
    let reply: ApiReply;
    try {
      reply = await this.#reply(request, found);
    } catch (error) {
      reply = this.#refuse(error, request);
    }
    send(response, reply);
    // By route, not by path: names that a caller makes up must not make series.
    const { route } = found;
    const name = route === undefined ? 'other' : `${route.method} ${route.path}`;
    metrics.forRequest(name).record(clock.monotonicMs() - beganMs);
  }

  async #reply(
    request: IncomingMessage,
    known: { route: ApiRoute | undefined },
  ): Promise<ApiReply> {
    const method = request.method ?? 'GET';
    const target = request.url ?? '/';
    const queryAt = target.indexOf('?');
    const path = queryAt < 0 ? target : target.slice(0, queryAt);
    if (path === '/' && (method === 'GET' || method === 'HEAD')) {
      return { status: 200, json: welcome };
    }
    if (path.startsWith('/cli')) throw noTool;
    if (!path.startsWith('/api/')) throw missing();
    checkOrigin(request, method);
    const found = this.#router.find(method, path);
    if ('allow' in found) return { status: 200, headers: { allow: found.allow } };
    const { route, params } = found;
    known.route = route;
    // Whoever needs no name gets one that may do nothing.
    const isOpen = route.audience === 'everybody';
    const identity = isOpen
      ? { name: '', tags: [], isAnonymous: false }
      : await authenticate(this.#context, request, this.#trustsEverybody);
    if (!isOpen) checkAudience(identity, route.audience);
    return route.handle(this.#context, {
      method,
      params,
      query: new URLSearchParams(queryAt < 0 ? '' : target.slice(queryAt)),
      headers: request.headers,
      identity,
      readBody: () => readJsonBody(request, limits.adminBodyBytesMax),
    });
  }

  #refuse(error: unknown, request: IncomingMessage): ApiReply {
    let refusal = apiErrorOf(error);
    if (refusal === undefined) {
      const { log } = this.#context;
      log.error({ err: error, method: request.method, path: request.url }, 'request failed');
      // A bug stops the process before it does harm; a handler's own slip does not.
      if (error instanceof AssertionError) throw error;
      refusal = new ApiError(500, 'internal_error', 'this is a bug of the broker');
    }
    const { status, error: word, reason, headers } = refusal;
    return { status, headers, ...(word === '' ? {} : { json: { error: word, reason } }) };
  }
}

/**
 * A browser that knows the password sends it with requests of any page: one of another origin must not change anything
 * (`Origin`, RFC 6454 §7; `Sec-Fetch-Site`, Fetch Metadata).
 */
function checkOrigin({ headers }: IncomingMessage, method: string): void {
  if (method === 'GET' || method === 'HEAD' || method === 'OPTIONS') return;
  const { origin, host } = headers;
  const isForeign =
    origin === undefined
      ? headers['sec-fetch-site'] === 'cross-site'
      : host === undefined || hostOf(origin) !== host.toLowerCase();
  if (isForeign) {
    throw new ApiError(403, 'not_authorised', 'a page of another origin may not change anything');
  }
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host.toLowerCase() : undefined;
}

function send(response: ServerResponse, reply: ApiReply): void {
  if (response.destroyed) return;
  const headers: Record<string, string | number> = {
    'cache-control': 'no-cache',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    ...reply.headers,
  };
  if (reply.json === undefined) {
    if (reply.status !== 204) headers['content-length'] = 0;
    response.writeHead(reply.status, headers).end();
    return;
  }
  const body = Buffer.from(JSON.stringify(reply.json));
  headers['content-type'] = 'application/json';
  headers['content-length'] = body.length;
  response.writeHead(reply.status, headers).end(body);
}
