import type { Clock, Random } from '../../base/index.ts';
import type { BrokerPort } from '../../broker/index.ts';
import type { DoorMetrics, Log, PacedTimers } from '../../net/index.ts';
import type { Authorizer } from './access/index.ts';
import type { ConnectionQuota } from './connection-quota.ts';
import type { FetchBudget } from './fetch-budget.ts';
import type { FetchSessions } from './fetch-sessions.ts';
import type { SaslSession } from './sasl.ts';
import type { ShareGroups } from './share-groups/index.ts';
import type { StreamsGroups } from './streams-groups/index.ts';
import type { ApiName, RequestOf, ResponseInput } from './wire/index.ts';

/** What a handler may use. One per connection; it lives as long as the connection. */
export interface HandlerContext {
  readonly broker: BrokerPort;
  readonly clock: Clock;
  readonly log: Log;
  readonly connection: ConnectionInfo;
  readonly door: DoorServices;
}

/** What the handlers of all connections share. */
export interface DoorServices {
  readonly metrics: DoorMetrics;
  readonly random: Random;
  readonly fetchSessions: FetchSessions;
  readonly fetchBudget: FetchBudget;
  /** Ends the waits of fetches. */
  readonly fetchTimers: PacedTimers;
  readonly shareGroups: ShareGroups;
  readonly streamsGroups: StreamsGroups;
  /** What ApiVersions answers, in order of key. */
  readonly apiVersions: ReadonlyArray<{ apiKey: number; minVersion: number; maxVersion: number }>;
}

export interface ConnectionInfo {
  /** Unique within the door, for logs and fetch sessions. */
  readonly id: number;
  /** Of the request being handled: read it before the first await. Empty when the client sent none. */
  readonly clientId: string;
  /** Address of the peer, `/127.0.0.1` as Kafka's tools print it. */
  readonly clientHost: string;
  /** What this client must use to reach this broker: the configured address, or the one that it connected to. */
  readonly advertised: HostPort;
  /** Who the client is. */
  readonly sasl: SaslSession;
  /** What the client may do; handlers are called with what it may, and need not ask. */
  readonly access: Authorizer;
  /** What the client uses of its quotas. */
  readonly quota: ConnectionQuota;
  /** True once the peer is gone: whatever is answered will be dropped. */
  readonly isClosed: boolean;
  /**
   * Handlers that wait for something else than the disk (long polls) register here: `callback` runs once when the
   * peer is gone or the door shuts down, and the handler should then answer at once with what it has.
   */
  onInterrupt(callback: () => void): void;
  /** Takes a registered callback back. */
  offInterrupt(callback: () => void): void;
}

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/**
 * Answers one request. Expected failures go into the response's own error fields. What it throws closes the
 * connection: a ProtocolError quietly, anything else with an error in the log.
 * Byte slices in `request` are borrowed: they are valid until the returned promise settles. Copy what is kept longer.
 */
export type Handler<Name extends ApiName> = (
  context: HandlerContext,
  request: RequestOf<Name>,
  version: number,
) => HandlerResult<Name> | Promise<HandlerResult<Name>>;

/** Undefined: the protocol wants no answer (Produce with acks 0). */
export type HandlerResult<Name extends ApiName> = ResponseInput<Name> | undefined;

/** One API that the door answers, with the range of versions that ApiVersions advertises. */
export interface Registration<Name extends ApiName = ApiName> {
  readonly name: Name;
  readonly versionMin: number;
  readonly versionMax: number;
  readonly handle: Handler<Name>;
}

export function register<Name extends ApiName>(
  name: Name,
  [versionMin, versionMax]: readonly [number, number],
  handle: Handler<Name>,
): Registration {
  return { name, versionMin, versionMax, handle };
}
