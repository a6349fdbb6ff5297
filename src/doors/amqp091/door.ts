import type { Server, Socket } from 'node:net';
import { type Clock, limits as defaultLimits, type Random } from '../../base/index.ts';
import type { BrokerPort } from '../../broker/index.ts';
import {
  type CertificateUser,
  type Connection,
  type ConnectionProtocol,
  createTlsServer,
  DoorMetrics,
  isLoopbackHost,
  Listener,
  type Log,
  type TlsOptions,
} from '../../net/index.ts';
import { ChannelMessages } from './channel-messages.ts';
import { AmqpConnection } from './connection.ts';
import { ExchangePolicies } from './exchange-policies.ts';
import { registrations } from './handlers/index.ts';
import { Heartbeats } from './heartbeats.ts';
import { MessageTools } from './message-tools.ts';
import { QueuePolicies } from './policies.ts';
import type { PeerFacts } from './sasl.ts';
import { serverProperties } from './server-properties.ts';
import type { DoorServices } from './services.ts';
import { Throttle } from './throttle.ts';
import { keyOfMethod } from './wire/index.ts';

export interface AmqpDoorOptions {
  readonly broker: BrokerPort;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Of Pabal; clients are told. */
  readonly version: string;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly tls?: TlsOptions | undefined;
  /** Which part of a client's certificate names its user. Default: the distinguished name, as in RabbitMQ. */
  readonly certificateUser?: CertificateUser | undefined;
  /** Users who may come from this machine only may come from everywhere. */
  readonly trustsEverybody?: boolean;
  /**
   * Takes over a connection that begins with the header of another protocol of the family (AMQP 1.0), or refuses it with
   * undefined. `header` is its eight bytes.
   */
  readonly succeed?: (connection: Connection, header: Uint8Array) => ConnectionProtocol | undefined;
  readonly limits?: Partial<AmqpDoorLimits>;
}

/** The bounds that may be set otherwise than in `base/limits.ts`, and are there described. */
export interface AmqpDoorLimits {
  readonly connectionsMax: number;
  readonly sendBufferBytesMax: number;
  readonly sendStallMs: number;
  readonly frameStallMs: number;
  readonly smallFrameBytesMax: number;
  readonly channelsPerConnectionMax: number;
  readonly heartbeatS: number;
  readonly messageBytesMax: number;
  readonly partialBodiesBytesMax: number;
}

/** Speaks AMQP 0-9-1, as RabbitMQ does, over TCP or TLS. */
export class AmqpDoor {
  readonly metrics: DoorMetrics;
  readonly #listener: Listener;
  readonly #services: DoorServices;

  /** Resolves once clients can connect; rejects with the system's error when the port cannot be bound. */
  static async open(options: AmqpDoorOptions): Promise<AmqpDoor> {
    const services = createServices(options);
    const { clock, log, tls } = options;
    const listener = await Listener.open({
      host: options.host,
      port: options.port,
      clock,
      log,
      metrics: services.metrics,
      // Who has not opened a connection is dropped sooner: see `AmqpConnection.beat`.
      limits: { ...options.limits },
      ...(tls === undefined
        ? {}
        : {
            createServer: (onSocket: (socket: Socket) => void): Server =>
              createTlsServer(tls, onSocket),
          }),
      createProtocol: (connection) =>
        new AmqpConnection({
          connection,
          services,
          peer: peerFacts(connection, options),
          succeed: (header) => options.succeed?.(connection, header),
        }),
    });
    services.policies.start();
    options.broker.exchanges.useAlternates(new ExchangePolicies(options.broker.access));
    return new AmqpDoor(listener, services);
  }

  private constructor(listener: Listener, services: DoorServices) {
    this.#listener = listener;
    this.#services = services;
    this.metrics = services.metrics;
  }

  get host(): string {
    return this.#listener.host;
  }

  get port(): number {
    return this.#listener.port;
  }

  /** Stops accepting, answers what is in flight, and closes every connection after at most `drainMs`. */
  async close(drainMs: number): Promise<void> {
    this.#services.policies.close();
    await this.#listener.close(drainMs);
    this.#services.throttle.close();
  }
}

function createServices(options: AmqpDoorOptions): DoorServices {
  const { broker, clock, random, log } = options;
  const { queues, exchanges, access, publisher, peers, transactions } = broker;
  const limits: AmqpDoorLimits = { ...defaultLimits, ...options.limits };
  return {
    broker,
    queues,
    exchanges,
    access,
    publisher,
    peers,
    openTransaction: () => transactions.begin(),
    clock,
    random,
    messageBytesMax: limits.messageBytesMax,
    partialBodiesBytesMax: limits.partialBodiesBytesMax,
    tools: new MessageTools(random),
    policies: new QueuePolicies({ access, queues, clock, log }),
    log,
    metrics: new DoorMetrics(),
    heartbeats: new Heartbeats(clock),
    throttle: new Throttle(broker, clock),
    handlers: new Map(
      registrations.map((registration) => [keyOfMethod(registration.name), registration]),
    ),
    createMessages: (channel) => new ChannelMessages(channel),
    serverProperties: serverProperties(options.version, `pabal@${broker.storeId}`),
    frameBytesMax: limits.smallFrameBytesMax,
    channelsMax: limits.channelsPerConnectionMax,
    heartbeatS: limits.heartbeatS,
  };
}

function peerFacts(connection: Connection, options: AmqpDoorOptions): PeerFacts {
  const certificateUser = connection.tls?.user(options.certificateUser ?? 'distinguished-name');
  return {
    certificateUser,
    isTrusted: options.trustsEverybody === true || isLoopbackHost(connection.remoteAddress),
  };
}
