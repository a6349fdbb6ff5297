import { createServer, type Server, type Socket } from 'node:net';
import { type Clock, limits as defaultLimits, type Timer } from '../base/index.ts';
import {
  Connection,
  type ConnectionLimits,
  type ConnectionProtocol,
  type SendLedger,
} from './connection.ts';
import { DoorMetrics } from './door-metrics.ts';
import type { Log } from './log.ts';
import { LogLimiter } from './log-limiter.ts';

export interface ListenerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Builds the protocol side of a new connection. */
  readonly createProtocol: (connection: Connection) => ConnectionProtocol;
  readonly metrics?: DoorMetrics;
  readonly limits?: Partial<ListenerLimits>;
  /** Where what is queued for sending is added up. */
  readonly sendLedger?: SendLedger;
  /** Another kind of server, such as one over TLS; it hands out sockets that are ready to use. */
  readonly createServer?: (onSocket: (socket: Socket) => void) => Server;
}

export interface ListenerLimits extends ConnectionLimits {
  readonly connectionsMax: number;
}

/** Accepts connections, counts them, ends those that stall, and drains them on shutdown. */
export class Listener {
  readonly metrics: DoorMetrics;
  readonly limits: ListenerLimits;
  /** What all connections together have queued for sending. */
  readonly sendLedger: SendLedger;
  readonly #options: ListenerOptions;
  readonly #server: Server;
  readonly #logLimiter: LogLimiter;
  readonly #connections = new Set<Connection>();
  readonly #sweepMs: number;
  #nextId = 1;
  #sweep: Timer | undefined;
  #closing: Promise<void> | undefined;
  #onEmpty: (() => void) | undefined;

  /** Resolves once the port is bound; rejects with the error of the system, such as EADDRINUSE. */
  static async open(options: ListenerOptions): Promise<Listener> {
    const listener = new Listener(options);
    await listener.#listen();
    return listener;
  }

  private constructor(options: ListenerOptions) {
    this.#options = options;
    this.metrics = options.metrics ?? new DoorMetrics();
    this.sendLedger = options.sendLedger ?? { queuedBytes: 0 };
    this.limits = { ...defaultLimits, ...options.limits };
    this.#logLimiter = new LogLimiter(options.clock);
    const shortestMs = Math.min(
      this.limits.frameStallMs,
      this.limits.sendStallMs,
      this.limits.idleMs,
    );
    this.#sweepMs = Math.max(1, Math.min(1000, shortestMs / 4));
    const onSocket = (socket: Socket): void => this.#accept(socket);
    this.#server = options.createServer?.(onSocket) ?? createServer({}, onSocket);
    this.#server.maxConnections = this.limits.connectionsMax;
    this.#server.on('drop', () => this.#refuse());
  }

  get host(): string {
    const address = this.#server.address();
    return address === null || typeof address === 'string' ? this.#options.host : address.address;
  }

  get port(): number {
    const address = this.#server.address();
    return address === null || typeof address === 'string' ? this.#options.port : address.port;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /**
   * Stops accepting, lets what is in flight be answered, and closes every connection after at most `drainMs`.
   */
  close(drainMs: number): Promise<void> {
    this.#closing ??= this.#close(drainMs);
    return this.#closing;
  }

  async #close(drainMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const emptied = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    const deadline = this.#options.clock.setTimer(drainMs, () => {
      for (const connection of this.#connections) connection.destroy();
    });
    for (const connection of this.#connections) connection.drain();
    if (this.#connections.size > 0) await emptied;
    deadline.cancel();
    this.#sweep?.cancel();
    await closed;
  }

  #listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      const server = this.#server;
      server.once('error', reject);
      server.listen({ host: this.#options.host, port: this.#options.port, backlog: 1024 }, () => {
        server.off('error', reject);
        server.on('error', (error) => {
          // Such as EMFILE: the connections that are there go on.
          this.#logLimiter.run((suppressed) => {
            this.#options.log.error({ err: error, suppressed }, 'accepting a connection failed');
          });
        });
        resolve();
      });
    });
  }

  #accept(socket: Socket): void {
    if (this.#closing !== undefined) {
      socket.destroy();
      return;
    }
    const metrics = this.metrics;
    metrics.connectionsAccepted += 1;
    metrics.connectionsOpen += 1;
    const connection = new Connection({
      id: this.#nextId,
      socket,
      limits: this.limits,
      clock: this.#options.clock,
      log: this.#options.log,
      logLimiter: this.#logLimiter,
      metrics,
      sendLedger: this.sendLedger,
    });
    this.#nextId += 1;
    this.#connections.add(connection);
    connection.attach(this.#options.createProtocol(connection), () => {
      metrics.connectionsOpen -= 1;
      this.#connections.delete(connection);
      if (this.#connections.size === 0) this.#onEmpty?.();
    });
    if (this.#sweep === undefined) this.#scheduleSweep();
  }

  #refuse(): void {
    this.metrics.connectionsRefused += 1;
    this.#logLimiter.run((suppressed) => {
      this.#options.log.warn(
        { connectionsMax: this.limits.connectionsMax, suppressed },
        'connection refused: the listener is at its limit',
      );
    });
  }

  /** One timer for all connections, and none while there is no connection. */
  #scheduleSweep(): void {
    this.#sweep = this.#options.clock.setTimer(this.#sweepMs, () => {
      this.#sweep = undefined;
      const nowMs = this.#options.clock.monotonicMs();
      for (const connection of this.#connections) connection.checkDeadlines(nowMs);
      if (this.#connections.size > 0) this.#scheduleSweep();
    });
  }
}
