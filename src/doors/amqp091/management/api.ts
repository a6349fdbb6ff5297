import type { Clock } from '../../../base/index.ts';
import type { BrokerPort, Identity } from '../../../broker/index.ts';
import type { DoorMetrics, Log } from '../../../net/index.ts';
import type { DoorServices } from '../services.ts';
import type { JsonObject } from './body.ts';
import type { Churn } from './churn.ts';
import type { Samples } from './samples.ts';

/** A door of the server, for whoever asks what listens. */
export interface ListeningDoor {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
}

/** What all requests share. */
export interface ApiContext {
  readonly broker: BrokerPort;
  readonly clock: Clock;
  readonly log: Log;
  /** Of Pabal. */
  readonly version: string;
  readonly nodeName: string;
  /** What declares, binds and publishes for requests: the AMQP door's own means. */
  readonly services: DoorServices;
  readonly samples: Samples;
  readonly churn: Churn;
  readonly metrics: DoorMetrics;
  readonly startedMs: number;
  readonly listDoors: () => readonly ListeningDoor[];
  /** PEM texts of the certificates that doors show. */
  readonly certificates: readonly string[];
  /** Free space below which publishing is refused. */
  readonly freeBytesMin: number;
  /** Of one door. */
  readonly connectionsMax: number;
}

export interface ApiRequest {
  readonly method: string;
  /** The placeholders of the path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly identity: Identity;
  /** An empty body is an empty object. */
  readBody(): Promise<JsonObject>;
}

export interface ApiReply {
  readonly status: number;
  /** Absent: no body. */
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Whom a route is for, by tags: https://www.rabbitmq.com/docs/management#permissions. */
export type Audience = 'everybody' | 'management' | 'policymaker' | 'monitoring' | 'administrator';

export interface ApiRoute {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** `/api/queues/{vhost}/{name}`. */
  readonly path: string;
  readonly audience: Audience;
  readonly handle: (context: ApiContext, request: ApiRequest) => ApiReply | Promise<ApiReply>;
}

export const noContent: ApiReply = { status: 204 };

export function ok(json: unknown): ApiReply {
  return { status: 200, json };
}

/** 201 for something new, 204 for something that was changed. */
export function putReply(isNew: boolean): ApiReply {
  return { status: isNew ? 201 : 204 };
}
