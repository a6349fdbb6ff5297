import { type Clock, limits as defaultLimits, type Random } from '../../base/index.ts';
import type { BrokerPort } from '../../broker/index.ts';
import { BufferPool, DoorMetrics, Listener, type Log, MemoryBudget } from '../../net/index.ts';
import { type Api, KafkaConnection } from './connection.ts';
import { FetchBudget } from './fetch-budget.ts';
import { FetchSessions } from './fetch-sessions.ts';
import type { ConnectionInfo, DoorServices, HandlerContext, HostPort } from './handler.ts';
import { registrations } from './handlers/index.ts';
import { OverloadGate } from './overload-gate.ts';
import { ShareGroups } from './share-groups/index.ts';
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

/** Speaks the protocol of Apache Kafka over TCP. */
export class KafkaDoor {
  readonly metrics: DoorMetrics;
  readonly #listener: Listener;
  readonly #shareGroups: ShareGroups;

  /** Resolves once clients can connect; rejects with the system's error when the port cannot be bound. */
  static async open(options: KafkaDoorOptions): Promise<KafkaDoor> {
    const metrics = new DoorMetrics();
    const sendLedger = { queuedBytes: 0 };
    const limits: KafkaDoorLimits = { ...defaultLimits, ...options.limits };
    const door: DoorServices = {
      metrics,
      random: options.random,
      fetchSessions: new FetchSessions(options.clock, options.random),
      fetchBudget: new FetchBudget(defaultLimits.sendQueuesBytesMax, sendLedger),
      shareGroups: new ShareGroups(options.broker, options.clock),
      apiVersions: listApiVersions(),
    };
    const { broker, clock, log } = options;
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
      createProtocol: (connection) => new KafkaConnection(connection, connectionOptions),
    });
    return new KafkaDoor(listener, metrics, door.shareGroups);
  }

  private constructor(listener: Listener, metrics: DoorMetrics, shareGroups: ShareGroups) {
    this.#listener = listener;
    this.metrics = metrics;
    this.#shareGroups = shareGroups;
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
    this.#shareGroups.close();
  }
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
      minVersion: versionMin,
      maxVersion: versionMax,
    }))
    .toSorted((left, right) => left.apiKey - right.apiKey);
}
