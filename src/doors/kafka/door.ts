import type { Server, Socket } from 'node:net';
import { type Clock, limits as defaultLimits, type Random } from '../../base/index.ts';
import { anonymous, type BrokerPort, type Identity } from '../../broker/index.ts';
import {
  BufferPool,
  type CertificateUser,
  type Connection,
  createTlsServer,
  DoorMetrics,
  isLoopbackHost,
  Listener,
  type Log,
  MemoryBudget,
  PacedTimers,
  plainAddress,
  type TlsOptions,
  type TokenVerifier,
} from '../../net/index.ts';
import { type Api, KafkaConnection } from './connection.ts';
import { FetchBudget } from './fetch-budget.ts';
import { FetchSessions } from './fetch-sessions.ts';
import { GroupConfigs } from './group-configs.ts';
import type { GroupPresets } from './group-presets.ts';
import type { ConnectionInfo, DoorServices, HandlerContext, HostPort } from './handler.ts';
import { registrations } from './handlers/index.ts';
import { OverloadGate } from './overload-gate.ts';
import type { SaslPeer } from './sasl.ts';
import { ShareGroups } from './share-groups/index.ts';
import { StreamsGroups } from './streams-groups/index.ts';
import { apiKeys } from './wire/index.ts';

export interface KafkaDoorOptions {
  readonly broker: BrokerPort;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** What clients are told to connect to; without it, each is told the address that it connected to. */
  readonly advertised?: HostPort | undefined;
  readonly tls?: TlsOptions | undefined;
  /** Which part of a client's certificate names its user. Default: the distinguished name. */
  readonly certificateUser?: CertificateUser | undefined;
  /** Nobody comes in without saying who it is. Default: anybody may, and may do everything. */
  readonly requiresLogin?: boolean;
  /** Checks tokens of OAUTHBEARER; undefined: the mechanism is not offered. */
  readonly tokens?: Pick<TokenVerifier, 'verify'> | undefined;
  /** After this long clients must log in again; 0, the default: never. */
  readonly reauthenticateMs?: number;
  /** Users who may come from this machine only may come from everywhere. */
  readonly trustsEverybody?: boolean;
  /** Defaults and bounds of groups' configurations, where they are not Kafka's. */
  readonly groupPresets?: GroupPresets | undefined;
  readonly limits?: Partial<KafkaDoorLimits>;
}

/** The bounds that may be set otherwise than in `base/limits.ts`, and are there described. */
export interface KafkaDoorLimits {
  readonly connectionsMax: number;
  readonly frameBytesMax: number;
  readonly inFlightBytesMax: number;
  readonly inFlightRequestsMax: number;
  readonly requestsPerSecondMax: number;
  readonly sendBufferBytesMax: number;
  readonly sendStallMs: number;
  readonly frameStallMs: number;
  readonly idleMs: number;
}

/** Speaks the protocol of Apache Kafka over TCP or TLS. */
export class KafkaDoor {
  readonly metrics: DoorMetrics;
  readonly #listener: Listener;
  readonly #services: DoorServices;

  /** Resolves once clients can connect; rejects with the system's error when the port cannot be bound. */
  static async open(options: KafkaDoorOptions): Promise<KafkaDoor> {
    const metrics = new DoorMetrics();
    const sendLedger = { queuedBytes: 0 };
    const limits: KafkaDoorLimits = { ...defaultLimits, ...options.limits };
    const configs = new GroupConfigs(options.broker, options.groupPresets);
    const streamsGroups = new StreamsGroups(options.broker, options.clock, configs);
    const isStreams = (groupId: string): boolean => streamsGroups.has(groupId);
    const shareGroups = new ShareGroups(options.broker, options.clock, configs, isStreams);
    const door: DoorServices = {
      metrics,
      random: options.random,
      fetchSessions: new FetchSessions(options.clock, options.random),
      fetchTimers: new PacedTimers(options.clock),
      fetchBudget: new FetchBudget(defaultLimits.sendQueuesBytesMax, sendLedger),
      shareGroups,
      streamsGroups,
      apiVersions: listApiVersions(),
    };
    const { broker, clock, log, random, tls } = options;
    const connectionOptions = {
      clock,
      frameBytesMax: limits.frameBytesMax,
      inFlightRequestsMax: limits.inFlightRequestsMax,
      requestsPerSecondMax: limits.requestsPerSecondMax,
      budget: new MemoryBudget(limits.inFlightBytesMax),
      pool: new BufferPool(),
      gate: new OverloadGate(broker),
      apis: indexApis(metrics),
      advertised: options.advertised,
      sasl: {
        access: () => broker.access,
        tokens: options.tokens,
        reauthenticateMs: options.reauthenticateMs ?? 0,
        clock,
        random,
        log,
        secret: random.nextBytes(32),
      },
      quotas: () => broker.quotas,
      describePeer: (connection: Connection) => describePeer(connection, options),
      createContext: (connection: ConnectionInfo): HandlerContext => ({
        broker,
        clock,
        log,
        connection,
        door,
      }),
    };
    const listener = await Listener.open({
      host: options.host,
      port: options.port,
      clock,
      log,
      metrics,
      limits,
      sendLedger,
      ...(tls === undefined
        ? {}
        : {
            createServer: (onSocket: (socket: Socket) => void): Server =>
              createTlsServer(tls, onSocket),
          }),
      createProtocol: (connection) => new KafkaConnection(connection, connectionOptions),
    });
    return new KafkaDoor(listener, door);
  }

  private constructor(listener: Listener, services: DoorServices) {
    this.#listener = listener;
    this.metrics = services.metrics;
    this.#services = services;
  }

  get host(): string {
    return this.#listener.host;
  }

  get port(): number {
    return this.#listener.port;
  }

  /** Stops accepting, answers what is in flight, and closes every connection after at most `drainMs`. */
  async close(drainMs: number): Promise<void> {
    await this.#listener.close(drainMs);
    this.#services.shareGroups.close();
    this.#services.streamsGroups.close();
  }
}

/** A certificate that names no user proves nobody: its owner has to log in, where that is wanted. */
function describePeer(connection: Connection, options: KafkaDoorOptions): Omit<SaslPeer, 'wait'> {
  const name = connection.tls?.user(options.certificateUser ?? 'distinguished-name');
  const isTrusted = options.trustsEverybody === true || isLoopbackHost(connection.remoteAddress);
  const host = plainAddress(connection.remoteAddress);
  let identity = name === undefined ? undefined : findOwner(name, isTrusted, options.broker);
  if (identity === undefined && options.requiresLogin !== true) identity = anonymous;
  return {
    address: host,
    isTrusted,
    identity: identity === undefined ? undefined : { ...identity, host },
  };
}

function findOwner(name: string, isTrusted: boolean, { access }: BrokerPort): Identity | undefined {
  const identity = access.vouchedFor(name);
  return !isTrusted && access.isLoopbackOnly(identity) ? undefined : identity;
}

function indexApis(metrics: DoorMetrics): ReadonlyMap<number, Api> {
  return new Map(
    registrations.map((registration) => [
      apiKeys[registration.name].key,
      { registration, metrics: metrics.forRequest(registration.name) },
    ]),
  );
}

function listApiVersions(): DoorServices['apiVersions'] {
  return registrations
    .map(({ name, versionMin, versionMax }) => ({
      apiKey: apiKeys[name].key,
      // librdkafka compresses for nobody who cannot do Produce 0, so Kafka 4 says that it can, too (KAFKA-18659).
      minVersion: name === 'Produce' ? 0 : versionMin,
      maxVersion: versionMax,
    }))
    .toSorted((left, right) => left.apiKey - right.apiKey);
}
