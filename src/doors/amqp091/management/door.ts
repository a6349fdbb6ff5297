import { createServer, type RequestListener, type Server } from 'node:http';
import { hostname } from 'node:os';
import { type Clock, limits, type Random } from '../../../base/index.ts';
import type { BrokerPort } from '../../../broker/index.ts';
import {
  addressOf,
  countHttpConnections,
  createTlsHttpServer,
  DoorMetrics,
  listenHttp,
  type Log,
  type TlsOptions,
} from '../../../net/index.ts';
import { ExchangePolicies } from '../exchange-policies.ts';
import type { ApiContext, ListeningDoor } from './api.ts';
import { apiErrorOf } from './api-error.ts';
import { Churn } from './churn.ts';
import { importDefinitions, parseDefinitions } from './definitions-import.ts';
import { directServices } from './direct-services.ts';
import { measure } from './measurement.ts';
import { RequestHandling } from './request-handling.ts';
import { Samples } from './samples.ts';

export interface ManagementDoorOptions {
  readonly broker: BrokerPort;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Of Pabal. */
  readonly version: string;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Users who may come from this machine only may come from everywhere. */
  readonly trustsEverybody?: boolean;
  /** All doors of the server, this one included. */
  readonly listDoors?: () => readonly ListeningDoor[];
  /** What the AMQP door counts; undefined: there is none. */
  readonly findAmqpMetrics?: () => DoorMetrics | undefined;
  /** Speaks HTTPS, and nothing else. Who the client is, its password says; a certificate is checked, and logs nobody in. */
  readonly tls?: TlsOptions | undefined;
  /** PEM texts of the certificates that doors show. */
  readonly certificates?: readonly string[];
  readonly freeBytesMin?: number;
  readonly messageBytesMax?: number;
  readonly connectionsMax?: number;
  /** A peer that sends or takes nothing for this long while it should is cut off. */
  readonly peerStallMs?: number;
}

/** RabbitMQ's management HTTP API: see the README for what it serves. */
export class ManagementDoor {
  readonly host: string;
  readonly port: number;
  readonly metrics: DoorMetrics;
  readonly #server: Server;
  readonly #context: ApiContext;

  /** Resolves when it listens; rejects with Node's own error (EADDRINUSE, EACCES, ...). */
  static async open(options: ManagementDoorOptions): Promise<ManagementDoor> {
    const metrics = new DoorMetrics();
    const context = createContext(options, metrics);
    const handling = new RequestHandling(context, options.trustsEverybody === true);
    const peerStallMs = options.peerStallMs ?? limits.frameStallMs;
    const http = {
      maxHeaderSize: 16 * 1024,
      // A peer that sends its header or its body drop by drop is cut off.
      headersTimeout: Math.min(10_000, peerStallMs),
      requestTimeout: peerStallMs,
      connectionsCheckingInterval: Math.min(2_000, peerStallMs / 2),
      keepAliveTimeout: 30_000,
    };
    const onRequest: RequestListener = (request, response) =>
      void handling.answer(request, response);
    const { tls } = options;
    const server =
      tls === undefined ? createServer(http, onRequest) : createTlsHttpServer(tls, http, onRequest);
    const connectionsMax = options.connectionsMax ?? limits.connectionsMax;
    server.maxConnections = Math.min(connectionsMax, limits.adminConnectionsMax);
    // A peer that takes no bytes of its answer is cut off, too.
    server.setTimeout(peerStallMs);
    countHttpConnections(server, metrics);
    try {
      await listenHttp(server, { port: options.port, host: options.host });
    } catch (error) {
      closeContext(context);
      throw error;
    }
    options.broker.exchanges.useAlternates(new ExchangePolicies(options.broker.access));
    server.on('error', (error) => options.log.error({ err: error }, 'the management door failed'));
    return new ManagementDoor(server, metrics, context);
  }

  private constructor(server: Server, metrics: DoorMetrics, context: ApiContext) {
    this.#server = server;
    this.#context = context;
    this.metrics = metrics;
    const { address, port } = addressOf(server);
    this.host = address;
    this.port = port;
  }

  /** Accepts no more connections; resolves when all requests are answered, after `drainMs` at the latest. */
  async close(drainMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const deadline = this.#context.clock.setTimer(drainMs, () =>
      this.#server.closeAllConnections(),
    );
    await closed;
    deadline.cancel();
    closeContext(this.#context);
  }
}

/**
 * Makes what the text of a definitions file describes, without a door. Rejects with an Error that says what cannot be made; what
 * came before it in the file stays.
 */
export async function importDefinitionsText(
  options: Pick<ManagementDoorOptions, 'broker' | 'clock' | 'random' | 'log' | 'version'>,
  text: string,
): Promise<void> {
  const context = createContext({ ...options, host: '', port: 0 }, new DoorMetrics());
  try {
    await importDefinitions(context, parseDefinitions(text));
  } catch (error) {
    const refusal = apiErrorOf(error);
    if (refusal === undefined) throw error;
    throw new Error(printReason(refusal.reason), { cause: error });
  } finally {
    closeContext(context);
  }
}

function printReason(reason: string | readonly unknown[]): string {
  return typeof reason === 'string' ? reason.replaceAll(/\s+/g, ' ').trim() : reason.join(': ');
}

function createContext(options: ManagementDoorOptions, metrics: DoorMetrics): ApiContext {
  const { broker, clock, random, log, version } = options;
  const services = directServices({
    broker,
    clock,
    random,
    log,
    metrics,
    messageBytesMax: options.messageBytesMax,
  });
  const context: ApiContext = {
    broker,
    clock,
    log,
    version,
    nodeName: `pabal@${hostname().split('.')[0] ?? 'localhost'}`,
    services,
    samples: new Samples(clock, () => measure(context)),
    churn: new Churn(broker.queues, broker.peers, options.findAmqpMetrics ?? (() => undefined)),
    metrics,
    startedMs: clock.monotonicMs(),
    listDoors: options.listDoors ?? (() => []),
    certificates: options.certificates ?? [],
    freeBytesMin: options.freeBytesMin ?? limits.freeBytesMin,
    connectionsMax: options.connectionsMax ?? limits.connectionsMax,
  };
  return context;
}

function closeContext({ churn, samples, services }: ApiContext): void {
  churn.close();
  samples.close();
  services.policies.close();
  services.throttle.close();
}
