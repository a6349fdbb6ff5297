import type { Clock, Random } from '../../base/index.ts';
import type { BrokerPort } from '../../broker/index.ts';
import type { DoorMetrics } from '../../net/index.ts';

/** What handlers may use. */
export interface AdminContext {
  readonly broker: BrokerPort;
  readonly clock: Clock;
  readonly random: Random;
  /** Of the package. */
  readonly version: string;
  /** Where the doors of this process listen: what the home page and the cluster's status show. */
  listDoors(): Array<{ name: string; host: string; port: number }>;
  /** Why this process should get no new work, beside the broker's own problems; empty when all is well. */
  findProblems(): string[];
  /** The metrics page in Prometheus' text format. */
  renderMetrics(): Promise<string>;
}

export interface AdminRequest {
  /** The values of `{name}` in the route's path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Of this door: what comes in and goes out by it is counted there. */
  readonly metrics: DoorMetrics;
  /** Reads the body as a JSON object. Rejects with a Problem. */
  readBody(): Promise<Readonly<Record<string, unknown>>>;
}

export interface Reply {
  status: number;
  /** Absent: no content. */
  content?: { json: unknown } | { type: string; text: string };
  headers?: Readonly<Record<string, string>>;
}

export type AdminHandler = (context: AdminContext, request: AdminRequest) => Reply | Promise<Reply>;

export interface Route {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** As OpenAPI writes it: `/api/v1/topics/{name}`. */
  readonly path: string;
  readonly handle: AdminHandler;
}
