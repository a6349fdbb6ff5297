import { connect as connectSocket, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { limits } from '../base/index.ts';
import {
  type ApiName,
  apiKeys,
  decodeResponse,
  encodeRequest,
  type RequestInput,
  type ResponseOf,
} from '../doors/kafka/wire/index.ts';
import { BufferPool, hostAndPort, LengthPrefixedFrames } from '../net/index.ts';
import { type Login, logIn, LoginFailed } from './login.ts';
import { ConnectionLost, serverErrors } from './server-error.ts';

/** Where a server listens. */
export interface ServerAddress {
  host: string;
  port: number;
}

export interface ConnectionOptions {
  /** Names this client in the server's logs and metrics. */
  clientId: string;
  connectMs: number;
  /** A request without an answer for this long ends the connection; long polls add their own wait. */
  requestMs: number;
  /** Speaks TLS; undefined: the bare protocol. */
  tls?: TlsOptions | undefined;
  /** Undefined: says nothing of who it is. */
  login?: Login | undefined;
}

export interface TlsOptions {
  /** PEM: who may have signed the server's certificate; undefined: those that Node knows. */
  authorities?: Uint8Array | undefined;
}

/** The part of a session's time after which a client logs in again: the rest is for requests that are under way. */
const renewalShare = 0.8;

/**
 * The newest versions whose messages this client was written for; older ones are used where the server has no newer.
 * Later versions name topics by id or ask for several groups at once, which it has no use for.
 */
const versionMax = {
  ApiVersions: 3,
  Produce: 12,
  Fetch: 12,
  ListOffsets: 7,
  Metadata: 9,
  OffsetCommit: 9,
  OffsetFetch: 7,
  FindCoordinator: 3,
  JoinGroup: 9,
  Heartbeat: 4,
  LeaveGroup: 5,
  SyncGroup: 5,
  DescribeGroups: 5,
  ListGroups: 5,
  ConsumerGroupDescribe: 1,
  ShareGroupDescribe: 1,
  StreamsGroupDescribe: 0,
  DescribeShareGroupOffsets: 1,
  CreateTopics: 7,
  DeleteTopics: 5,
  CreatePartitions: 3,
  DescribeConfigs: 4,
  DeleteGroups: 2,
  SaslHandshake: 1,
  SaslAuthenticate: 2,
} as const satisfies { [name in ApiName]?: number };

/** The requests that this client makes. */
export type UsedApi = keyof typeof versionMax;

interface Pending {
  api: UsedApi;
  version: number;
  correlationId: number;
  /** Null for a request that the server does not answer. */
  resolve: (frame: Uint8Array) => void;
  reject: (error: Error) => void;
  deadlineMs: number;
}

/** One connection to one broker: requests are pipelined, answers come in the order of the requests. */
export class Connection {
  readonly address: ServerAddress;
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #frames = new LengthPrefixedFrames(limits.frameBytesMax, new BufferPool());
  readonly #pending: Pending[] = [];
  readonly #versions = new Map<UsedApi, number>();
  readonly #sweep: NodeJS.Timeout;
  #nextCorrelationId = 1;
  #error: Error | undefined;
  /** By `performance.now`: what the login brought is nearly over. */
  #renewMs = Number.POSITIVE_INFINITY;
  #renewal: Promise<void> | undefined;
  /** The server has answered more than which versions it knows. */
  #isTaken = false;

  /** Connects, agrees on versions and logs in. Rejects with ConnectionLost and LoginFailed. */
  static async open(address: ServerAddress, options: ConnectionOptions): Promise<Connection> {
    const socket = await openSocket(address, options);
    const connection = new Connection(address, socket, options);
    try {
      await connection.#agreeOnVersions();
      if (options.login !== undefined) await connection.#logIn(options.login);
    } catch (error) {
      connection.close();
      throw error;
    }
    return connection;
  }

  private constructor(address: ServerAddress, socket: Socket, options: ConnectionOptions) {
    this.address = address;
    this.#socket = socket;
    this.#options = options;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => this.#fail('the connection failed', error));
    socket.on('close', () => this.#fail(`the server closed the connection${this.#whyClosed()}`));
    this.#sweep = setInterval(() => this.#checkDeadlines(), 1000);
    this.#sweep.unref();
  }

  get isClosed(): boolean {
    return this.#error !== undefined;
  }

  /** Requests that wait for their answer. */
  get pendingCount(): number {
    return this.#pending.length;
  }

  /**
   * Sends a request and resolves with its answer, whose byte fields are borrowed from a buffer of its own. Record
   * bytes in `body` must not change until it settles. `waitMs` is what the server may wait by itself.
   */
  async request<N extends UsedApi>(
    api: N,
    body: RequestInput<N>,
    waitMs = 0,
  ): Promise<ResponseOf<N>> {
    const { login } = this.#options;
    if (login !== undefined && performance.now() > this.#renewMs) {
      this.#renewal ??= this.#logIn(login).finally(() => (this.#renewal = undefined));
    }
    if (this.#renewal !== undefined) await this.#renewal;
    return this.#ask(api, body, waitMs);
  }

  async #ask<N extends UsedApi>(api: N, body: RequestInput<N>, waitMs = 0): Promise<ResponseOf<N>> {
    const version = this.#versions.get(api);
    if (version === undefined) throw new ConnectionLost(`${this.#name} offers no usable ${api}`);
    const { frame } = await this.#exchange(api, version, body, waitMs);
    this.#isTaken = true;
    return decodeResponse(api, version, frame).body;
  }

  close(): void {
    this.#fail('the connection was closed by this client');
  }

  #exchange<N extends UsedApi>(
    api: N,
    version: number,
    body: RequestInput<N>,
    waitMs: number,
  ): Promise<{ frame: Uint8Array }> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    const correlationId = this.#nextCorrelationId++ & 0x7fffffff;
    const slices = encodeRequest(api, version, correlationId, this.#options.clientId, body);
    return new Promise((resolve, reject) => {
      this.#pending.push({
        api,
        version,
        correlationId,
        resolve: (frame) => resolve({ frame }),
        reject,
        deadlineMs: performance.now() + this.#options.requestMs + waitMs,
      });
      this.#socket.cork();
      for (const slice of slices) this.#socket.write(slice);
      this.#socket.uncork();
    });
  }

  async #agreeOnVersions(): Promise<void> {
    let offered = await this.#askVersions(versionMax.ApiVersions);
    // KIP-511: a server that does not know the version answers with version 0, which every client can read.
    if (offered.errorCode !== 0) offered = await this.#askVersions(0);
    for (const api of usedApis) {
      const { key, versions } = apiKeys[api];
      const range = offered.apiKeys.find(({ apiKey }) => apiKey === key);
      if (range === undefined) continue;
      const version = Math.min(versionMax[api], range.maxVersion);
      if (version >= Math.max(versions.min, range.minVersion)) this.#versions.set(api, version);
    }
  }

  async #logIn(login: Login): Promise<void> {
    const { mechanism, user } = login;
    const offer = await this.#ask('SaslHandshake', { mechanism });
    if (offer.errorCode === serverErrors.unsupportedSaslMechanism) {
      const offered = offer.mechanisms.join(', ');
      throw new LoginFailed(`${this.#name}: no login by ${mechanism}, only by ${offered}`);
    }
    if (offer.errorCode !== 0)
      throw new LoginFailed(`${this.#name}: the login was refused (error ${offer.errorCode})`);
    let sessionMs = 0;
    await logIn(login, async (authBytes) => {
      const answer = await this.#ask('SaslAuthenticate', { authBytes });
      if (answer.errorCode !== 0) {
        const reason = answer.errorMessage ?? `error ${answer.errorCode}`;
        throw new LoginFailed(`${this.#name}: cannot log in as ${user}: ${reason}`);
      }
      sessionMs = answer.sessionLifetimeMs;
      return answer.authBytes;
    });
    // KIP-368; 0: the login holds as long as the connection.
    this.#renewMs =
      sessionMs > 0 ? performance.now() + sessionMs * renewalShare : Number.POSITIVE_INFINITY;
  }

  async #askVersions(version: number): Promise<ResponseOf<'ApiVersions'>> {
    const body = { clientSoftwareName: 'pabal', clientSoftwareVersion: '1' };
    const { frame } = await this.#exchange('ApiVersions', version, body, 0);
    // The error code follows the correlation id; an answer that carries one is in version 0.
    const isRefused = frame.length >= 6 && ((frame[4] ?? 0) << 8) + (frame[5] ?? 0) !== 0;
    return decodeResponse('ApiVersions', isRefused ? 0 : version, frame).body;
  }

  #receive(chunk: Buffer): void {
    this.#frames.push(chunk);
    try {
      for (;;) {
        const frame = this.#frames.next();
        if (frame === undefined) return;
        const pending = this.#pending.shift();
        const correlationId = Buffer.from(frame.buffer, frame.byteOffset, 4).readInt32BE(0);
        if (pending === undefined || pending.correlationId !== correlationId) {
          this.#fail('the server answered what was not asked');
          return;
        }
        pending.resolve(frame);
      }
    } catch (error) {
      this.#fail('the server sent what is not of the protocol', error);
    }
  }

  #checkDeadlines(): void {
    const oldest = this.#pending[0];
    if (oldest !== undefined && performance.now() > oldest.deadlineMs) {
      this.#fail(`${oldest.api} got no answer in time`);
    }
  }

  #fail(reason: string, cause?: unknown): void {
    if (this.#error !== undefined) return;
    const detail = cause instanceof Error ? ` (${cause.message})` : '';
    this.#error = new ConnectionLost(`${this.#name}: ${reason}${detail}`, { cause });
    clearInterval(this.#sweep);
    this.#socket.destroy();
    for (const { reject } of this.#pending.splice(0)) reject(this.#error);
  }

  /** Servers close without a word where they want something else first. */
  #whyClosed(): string {
    if (this.#isTaken) return '';
    const { tls, login } = this.#options;
    const wanted = [
      ...(tls === undefined ? ['TLS (--tls)'] : []),
      ...(login === undefined ? ['a login (--user)'] : []),
    ];
    return wanted.length === 0 ? '' : `: it may want ${wanted.join(' or ')}`;
  }

  get #name(): string {
    return printServer(this.address);
  }
}

export function printServer({ host, port }: ServerAddress): string {
  return hostAndPort(host, port);
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `Object.keys` forgets which they are
const usedApis = Object.keys(versionMax) as UsedApi[];

function openSocket(address: ServerAddress, options: ConnectionOptions): Promise<Socket> {
  const { connectMs, tls } = options;
  const { host, port } = address;
  return new Promise((resolve, reject) => {
    const socket =
      tls === undefined
        ? connectSocket(port, host)
        : connectTls({
            host,
            port,
            // Names of addresses are checked, too, but not told to the server (RFC 6066, section 3).
            ...(isIP(host) === 0 ? { servername: host } : {}),
            ...(tls.authorities === undefined ? {} : { ca: Buffer.from(tls.authorities) }),
          });
    let lastLook: NodeJS.Immediate | undefined;
    const fail = (cause: NodeJS.ErrnoException): void => {
      clearTimeout(timeout);
      clearImmediate(lastLook);
      socket.destroy();
      reject(new ConnectionLost(whyUnreachable(address, cause), { cause }));
    };
    const timeout = setTimeout(() => {
      // Timers come first when a process goes on that stood still: the connection may be there already.
      lastLook = setImmediate(() => fail(new Error(`no answer in ${connectMs} ms`)));
    }, connectMs);
    socket.once('error', fail);
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
      clearTimeout(timeout);
      clearImmediate(lastLook);
      socket.removeListener('error', fail);
      resolve(socket);
    });
  });
}

function whyUnreachable(address: ServerAddress, cause: NodeJS.ErrnoException): string {
  const server = printServer(address);
  switch (cause.code) {
    case 'ECONNREFUSED':
      return `nothing listens on ${server}: start it with "npx pabal serve", or name another server with --server`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `there is no host "${address.host}": check --server`;
    case 'ECONNRESET':
    case 'EPROTO':
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
      return `cannot reach ${server} with TLS: does it speak it? (${cause.message})`;
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return `the certificate of ${server} is not trusted: name who signed it with --tls-ca (${cause.message})`;
    default:
      return `cannot reach ${server}: ${cause.message}`;
  }
}
