import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { AssertionError, limits } from '../../base/index.ts';
import {
  addressOf,
  countHttpConnections,
  DoorMetrics,
  listenHttp,
  type Log,
} from '../../net/index.ts';
import { readJsonBody } from './body.ts';
import type { AdminContext, Reply, Route } from './context.ts';
import { HostGuard } from './host-guard.ts';
import { findProblem, Problem } from './problem.ts';
import { Router } from './router.ts';
import { routes } from './routes.ts';

export interface AdminDoorOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Names, beside loopback and `host`, by which a browser may call. */
  readonly hostNames: readonly string[];
  readonly connectionsMax: number;
  /** A peer that sends or takes nothing for this long while it should is cut off. */
  readonly peerStallMs: number;
  readonly context: AdminContext;
  readonly log: Log;
}

/** HTTP for people, consoles and monitoring: see openapi.ts for what it serves. */
export class AdminDoor {
  readonly host: string;
  readonly port: number;
  readonly metrics: DoorMetrics;
  readonly #server: Server;

  /** Resolves when it listens; rejects with Node's own error (EADDRINUSE, EACCES, ...). */
  static async open(options: AdminDoorOptions): Promise<AdminDoor> {
    const metrics = new DoorMetrics();
    const handling = new Handling(options, metrics);
    const { peerStallMs } = options;
    const server = createServer(
      {
        maxHeaderSize: 16 * 1024,
        // A peer that sends its header or its body drop by drop is cut off.
        headersTimeout: Math.min(10_000, peerStallMs),
        requestTimeout: peerStallMs,
        connectionsCheckingInterval: Math.min(2_000, peerStallMs / 2),
        keepAliveTimeout: 30_000,
      },
      (request, response) => void handling.answer(request, response),
    );
    server.maxConnections = Math.min(options.connectionsMax, limits.adminConnectionsMax);
    // A peer that takes no bytes of its answer is cut off, too.
    server.setTimeout(peerStallMs);
    countHttpConnections(server, metrics);
    await listenHttp(server, { port: options.port, host: options.host });
    server.on('error', (error) => options.log.error({ err: error }, 'the admin door failed'));
    return new AdminDoor(server, metrics);
  }

  private constructor(server: Server, metrics: DoorMetrics) {
    this.#server = server;
    this.metrics = metrics;
    const { address, port } = addressOf(server);
    this.host = address;
    this.port = port;
  }

  /** Accepts no more connections; resolves when all requests are answered, after `drainMs` at the latest. */
  async close(drainMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const deadline = setTimeout(() => this.#server.closeAllConnections(), drainMs);
    await closed;
    clearTimeout(deadline);
  }
}

/** Answers requests. */
class Handling {
  readonly #router = new Router(routes);
  readonly #guard: HostGuard;
  readonly #context: AdminContext;
  readonly #metrics: DoorMetrics;
  readonly #log: Log;

  constructor(options: AdminDoorOptions, metrics: DoorMetrics) {
    this.#guard = new HostGuard(options.host, options.hostNames);
    this.#context = options.context;
    this.#metrics = metrics;
    this.#log = options.log;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startMs = this.#context.clock.monotonicMs();
    let route: Route | undefined;
    let reply: Reply;
    try {
      this.#guard.check(request);
      // The target is a path here; one that is not is refused like any unknown path.
      const target = request.url ?? '/';
      const queryAt = target.indexOf('?');
      const path = queryAt < 0 ? target : target.slice(0, queryAt);
      const found = this.#router.find(request.method ?? 'GET', path);
      route = found.route;
      reply = await route.handle(this.#context, {
        params: found.params,
        metrics: this.#metrics,
        query: new URLSearchParams(queryAt < 0 ? '' : target.slice(queryAt)),
        readBody: () => readJsonBody(request, limits.adminBodyBytesMax),
      });
    } catch (error) {
      reply = this.#refuse(error, request);
    }
    send(response, reply);
    // By route, not by path: names that a caller makes up must not make series.
    const name = route === undefined ? 'other' : `${route.method} ${route.path}`;
    this.#metrics.forRequest(name).record(this.#context.clock.monotonicMs() - startMs);
  }

  #refuse(error: unknown, request: IncomingMessage): Reply {
    let problem = findProblem(error);
    if (problem === undefined) {
      this.#log.error({ err: error, method: request.method, path: request.url }, 'request failed');
      // A bug stops the process before it does harm; a handler's own slip does not.
      if (error instanceof AssertionError) throw error;
      problem = new Problem(500, 'internal-error', 'this is a bug of the broker; its log has more');
    }
    return {
      status: problem.status,
      content: { type: 'application/problem+json', text: JSON.stringify(problem.toJson()) },
      headers: problem.headers,
    };
  }
}

function send(response: ServerResponse, reply: Reply): void {
  if (response.destroyed) return;
  const headers: Record<string, string | number> = {
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    ...reply.headers,
  };
  if (reply.content === undefined) {
    response.writeHead(reply.status, headers).end();
    return;
  }
  const { type, text } =
    'json' in reply.content
      ? { type: 'application/json', text: `${JSON.stringify(reply.content.json, undefined, 2)}\n` }
      : reply.content;
  const body = Buffer.from(text);
  headers['content-type'] = type;
  headers['content-length'] = body.length;
  response.writeHead(reply.status, headers).end(body);
}
