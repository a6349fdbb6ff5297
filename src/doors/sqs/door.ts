import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { limits } from '../../base/index.ts';
import {
  addressOf,
  countHttpConnections,
  DoorMetrics,
  isLoopbackHost,
  listenHttp,
  MemoryBudget,
} from '../../net/index.ts';
import { SqsContext, type SqsServices } from './context.ts';
import { Exchange, type ExchangeServices } from './exchange.ts';
import { JsonText } from './json-text.ts';
import { PlainLane, type PlainLaneOptions } from './plain-connection.ts';
import { SnsApi } from './sns/index.ts';
import { StreamedRequest } from './streamed-request.ts';

export interface SqsDoorOptions extends SqsServices {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** What URLs of queues begin with; default: the host that the caller named. */
  readonly advertised: { readonly host: string; readonly port: number } | undefined;
  /** Secrets by access key; none: signatures are not looked at. */
  readonly accessKeys: ReadonlyMap<string, string>;
  readonly connectionsMax: number;
  /** A peer that sends or takes nothing for this long while it should is cut off. */
  readonly peerStallMs: number;
  /** Memory of requests and answers of all connections; default: of `limits.inFlightBytesMax`. */
  readonly budget?: MemoryBudget;
}

/** HTTP for clients of Amazon SQS, in both of its protocols: see README.md. */
export class SqsDoor {
  readonly host: string;
  readonly port: number;
  readonly metrics: DoorMetrics;
  readonly #server: Server;
  readonly #services: ExchangeServices;
  readonly #lane: PlainLane;

  /** Resolves when it listens; rejects with Node's own error (EADDRINUSE, EACCES, ...). */
  static async open(options: SqsDoorOptions): Promise<SqsDoor> {
    const metrics = new DoorMetrics();
    const context = new SqsContext(options);
    const services: ExchangeServices = {
      context,
      topics: new SnsApi(context),
      metrics,
      accessKeys: options.accessKeys,
      advertised: options.advertised,
      bodyBytesMax: requestBytesMax(options),
      isLocal: isLoopbackHost(options.host),
      budget: options.budget ?? new MemoryBudget(limits.inFlightBytesMax),
      polls: new Set(),
      isClosing: false,
      jsonText: new JsonText(),
    };
    const { peerStallMs } = options;
    const headStallMs = Math.min(10_000, peerStallMs);
    const server = createServer(
      {
        maxHeaderSize: limits.webHeadBytesMax,
        // A peer that sends its header or its body drop by drop is cut off.
        headersTimeout: headStallMs,
        requestTimeout: peerStallMs,
        connectionsCheckingInterval: Math.min(2_000, peerStallMs / 2),
        keepAliveTimeout: limits.webKeepAliveMs,
        noDelay: true,
      },
      (request, response) => void new StreamedRequest(services, request, response),
    );
    server.maxConnections = options.connectionsMax;
    // Who closes its own half only gets an answer, as in the lane.
    Object.assign(server, { httpAllowHalfOpen: true });
    // A long poll is silent for 20 s: that is no stall.
    server.setTimeout(Math.max(peerStallMs, 30_000));
    const lane = openLane(server, {
      clock: options.clock,
      bodyBytesMax: services.bodyBytesMax,
      budget: services.budget,
      peerStallMs,
      headStallMs,
      begin: (head, channel) => new Exchange(services, head, channel),
      aborted: () => metrics.connectionsAborted++,
    });
    countHttpConnections(server, metrics);
    await listenHttp(server, { port: options.port, host: options.host, backlog: 4096 });
    server.on('error', (error) => options.log.error({ err: error }, 'the sqs door failed'));
    return new SqsDoor(server, services, lane);
  }

  private constructor(server: Server, services: ExchangeServices, lane: PlainLane) {
    this.#server = server;
    this.#lane = lane;
    this.#services = services;
    this.metrics = services.metrics;
    const { address, port } = addressOf(server);
    this.host = address;
    this.port = port;
  }

  /** Accepts no more connections; resolves when all requests are answered, after `drainMs` at the latest. */
  async close(drainMs: number): Promise<void> {
    this.#services.isClosing = true;
    this.#services.context.moves.close();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    this.#lane.close();
    // Who waits for messages is told that there are none.
    for (const poll of this.#services.polls) poll.end();
    const deadline = setTimeout(() => {
      this.#server.closeAllConnections();
      this.#lane.destroy();
    }, drainMs);
    await closed;
    clearTimeout(deadline);
    this.#lane.destroy();
  }
}

/** Connections go to the lane first; those that it hands over to the server go on as if they had come to it. */
function openLane(server: Server, options: Omit<PlainLaneOptions, 'handOver'>): PlainLane {
  const listeners = server.listeners('connection');
  server.removeAllListeners('connection');
  const lane = new PlainLane({
    ...options,
    handOver: (socket, bytes) => {
      // Each of the requests that are sent at once listens to it.
      socket.setMaxListeners(0);
      for (const listener of listeners) listener.call(server, socket);
      socket.unshift(bytes);
    },
  });
  server.on('connection', (socket: Socket) => lane.accept(socket));
  return lane;
}

/** A body may be written longer than it is: escapes, and base64 of bytes. */
function requestBytesMax({ isRelaxed, messageBytesMax }: SqsDoorOptions): number {
  const bytes = isRelaxed
    ? Math.max(messageBytesMax, limits.webBatchBytesMax)
    : limits.webBatchBytesMax;
  return bytes * limits.webEscapeFactor + limits.webBatchBytesMax;
}
