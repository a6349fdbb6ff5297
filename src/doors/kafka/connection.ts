import { type Clock, limits, ProtocolError, type Timer } from '../../base/index.ts';
import type { QuotasPort } from '../../broker/index.ts';
import { ByteReader } from '../../bytes/index.ts';
import {
  type BufferPool,
  type Connection,
  type ConnectionProtocol,
  LengthPrefixedFrames,
  type MemoryBudget,
  plainAddress,
  readHold,
  type RequestMetrics,
  RequestPace,
} from '../../net/index.ts';
import { Authorizer, guarded } from './access/index.ts';
import { ConnectionQuota } from './connection-quota.ts';
import type {
  ConnectionInfo,
  HandlerContext,
  HandlerResult,
  HostPort,
  Registration,
} from './handler.ts';
import { unsupportedApiVersions } from './handlers/api-versions.ts';
import type { OverloadGate } from './overload-gate.ts';
import { type SaslPeer, type SaslPolicy, SaslSession } from './sasl.ts';
import type { ApiName, ResponseInput } from './wire/index.ts';
import { apiKeys, decodeRequest, decodeRequestHeader, encodeResponse } from './wire/index.ts';

/** An API that the door answers. */
export interface Api {
  readonly registration: Registration;
  readonly metrics: RequestMetrics;
}

export interface KafkaConnectionOptions {
  readonly clock: Clock;
  readonly frameBytesMax: number;
  readonly inFlightRequestsMax: number;
  readonly requestsPerSecondMax: number;
  readonly budget: MemoryBudget;
  readonly pool: BufferPool;
  readonly gate: OverloadGate;
  /** By API key. */
  readonly apis: ReadonlyMap<number, Api>;
  readonly advertised: HostPort | undefined;
  readonly sasl: SaslPolicy;
  readonly quotas: () => QuotasPort;
  /** What is known of the peer, but for `wait`. */
  readonly describePeer: (connection: Connection) => Omit<SaslPeer, 'wait'>;
  readonly createContext: (connection: ConnectionInfo) => HandlerContext;
}

/** A request from its arrival to its response. */
interface PendingRequest {
  readonly api: Api;
  readonly version: number;
  readonly correlationId: number;
  readonly clientId: string;
  /** Of a version of ApiVersions that we do not know. */
  readonly isRefused: boolean;
  /** A token of SASL without a header; it is answered as it came. */
  readonly isBareToken: boolean;
  readonly frameBytes: number;
  /** Stands at the body; dropped as soon as nothing refers to the frame any more. */
  body: ByteReader | undefined;
  /** The pooled buffer that the frame lies in, if it was assembled. */
  readonly assembled: Uint8Array | undefined;
  readonly receivedMs: number;
  /** For which the client should pause. */
  throttleMs: number;
  isDone: boolean;
  result: HandlerResult<ApiName>;
}

/**
 * One client. Requests are answered in the order in which they came, and each sees the effects of those before it:
 * one begins when the one before is answered. The exception is Produce, which only appends when it begins and then
 * waits for the disk: any number of them wait together, so that pipelined produces share a group commit.
 */
export class KafkaConnection implements ConnectionProtocol, ConnectionInfo {
  readonly id: number;
  readonly clientHost: string;
  readonly advertised: HostPort;
  readonly sasl: SaslSession;
  readonly access: Authorizer;
  readonly quota: ConnectionQuota;
  clientId = '';
  readonly #connection: Connection;
  readonly #options: KafkaConnectionOptions;
  readonly #context: HandlerContext;
  readonly #frames: LengthPrefixedFrames;
  readonly #pace: RequestPace;
  /** In order of arrival; the first `#startedCount` have begun. */
  readonly #pending: PendingRequest[] = [];
  #startedCount = 0;
  /** The request that has begun is not a Produce, and nothing may begin beside it. */
  #isExclusive = false;
  #isAdvancing = false;
  #isReading = false;
  #isDraining = false;
  /** A Produce waits until the broker has room. */
  #isGated = false;
  /** The client has used more than its quotas allow. */
  #pauseEnd: Timer | undefined;
  #pausedUntilMs = 0;
  #heldBytes = 0;
  /** What the next frame is depends on what is being done. */
  #isLoggingIn = false;
  #loginDeadline: Timer | undefined;
  readonly #interrupts = new Set<() => void>();

  constructor(connection: Connection, options: KafkaConnectionOptions) {
    this.#connection = connection;
    this.#options = options;
    this.id = connection.id;
    this.clientHost = `/${plainAddress(connection.remoteAddress)}`;
    this.advertised = options.advertised ?? {
      host: plainAddress(connection.localAddress),
      port: connection.localPort,
    };
    this.sasl = new SaslSession(options.sasl, {
      ...options.describePeer(connection),
      wait: (ms) => this.#wait(ms),
    });
    this.access = new Authorizer(options.sasl.access, () => this.sasl.identity);
    const isKnown = this.sasl.identity !== undefined;
    this.quota = new ConnectionQuota(options.quotas, () => this.sasl.identity, options.clock);
    this.#frames = new LengthPrefixedFrames(
      isKnown ? options.frameBytesMax : limits.loginFrameBytesMax,
      options.pool,
    );
    if (!isKnown) {
      this.#loginDeadline = options.clock.setTimer(limits.handshakeMs, () =>
        connection.destroy('no login in time'),
      );
    }
    this.#pace = new RequestPace(options.clock, options.requestsPerSecondMax, () =>
      this.#resumeReading(),
    );
    this.#context = options.createContext(this);
    this.#pause(this.quota.spendConnection(plainAddress(connection.remoteAddress)));
  }

  get isMidFrame(): boolean {
    return this.#frames.isMidFrame;
  }

  get frameCount(): number {
    return this.#frames.count;
  }

  get isBusy(): boolean {
    return this.#pending.length > 0;
  }

  get isClosed(): boolean {
    return this.#connection.isClosed;
  }

  onInterrupt(callback: () => void): void {
    this.#interrupts.add(callback);
  }

  offInterrupt(callback: () => void): void {
    this.#interrupts.delete(callback);
  }

  receive(chunk: Uint8Array): void {
    if (this.#isDraining) return;
    this.#frames.push(chunk);
    this.#read();
  }

  sendable(): void {
    this.#advance();
    this.#read();
  }

  /** The budget has room again, or the gate is open again. */
  resume(): void {
    this.#isGated = false;
    this.#resumeReading();
  }

  drain(): void {
    this.#isDraining = true;
    // Requests that have not begun were not promised anything; the client sends them again elsewhere.
    for (const request of this.#pending.splice(this.#startedCount)) this.#dropFrame(request);
    this.#interrupt();
    if (this.#pending.length === 0) this.#connection.end();
  }

  closed(): void {
    this.#frames.discard();
    this.#accountFrames();
    for (const request of this.#pending) this.#dropFrame(request);
    this.#pending.length = 0;
    this.#startedCount = 0;
    this.#options.budget.leave(this);
    this.#options.gate.leave(this);
    this.#pace.close();
    this.#loginDeadline?.cancel();
    this.#pauseEnd?.cancel();
    this.#interrupt();
  }

  #resumeReading(): void {
    try {
      this.#advance();
      this.#read();
    } catch (error) {
      this.#connection.fail(error);
    }
  }

  #interrupt(): void {
    const callbacks = [...this.#interrupts];
    this.#interrupts.clear();
    for (const callback of callbacks) callback();
  }

  /** Takes frames while there is room for requests; else the socket is not read. */
  #read(): void {
    if (this.#isReading || this.#isDraining || this.isClosed) return;
    this.#isReading = true;
    const frames = this.#frames;
    let needsBytes = false;
    while (this.#mayAccept()) {
      const frame = frames.next();
      if (frame === undefined) {
        needsBytes = true;
        break;
      }
      this.#accept(frame, frames.takeAssembled());
      if (this.isClosed || this.#isDraining) break;
    }
    this.#isReading = false;
    if (this.isClosed || this.#isDraining) return;
    this.#accountFrames();
    const budget = this.#options.budget;
    if (needsBytes && budget.mayRead(this)) {
      this.#connection.release(readHold.protocol);
      return;
    }
    this.#connection.hold(readHold.protocol);
    // May call `resume` before it returns; the hold is in place for it to release.
    if (!budget.mayRead(this)) budget.wait(this);
  }

  #mayAccept(): boolean {
    return (
      !this.#isGated &&
      this.#pauseEnd === undefined &&
      !this.#isLoggingIn &&
      this.#pending.length < this.#options.inFlightRequestsMax &&
      !this.#connection.isSendBlocked &&
      this.#options.budget.mayRead(this) &&
      this.#pace.mayBegin()
    );
  }

  #accountFrames(): void {
    const held = this.#frames.heldBytes;
    if (held !== this.#heldBytes) {
      const delta = held - this.#heldBytes;
      this.#heldBytes = held;
      this.#options.budget.changeAssembling(delta);
    }
    // A frame that was read on a pass is complete.
    if (!this.#frames.isMidFrame) this.#options.budget.leave(this);
  }

  #accept(frame: Uint8Array, assembled: Uint8Array | undefined): void {
    const receivedMs = this.#options.clock.monotonicMs();
    let request = this.sasl.takesBareTokens
      ? this.#readBareToken(frame, receivedMs)
      : this.#readUnknownApiVersions(frame, receivedMs);
    if (request === undefined) {
      const header = decodeRequestHeader(frame);
      request = {
        api: this.#getApi(header.apiKey, header.apiVersion),
        version: header.apiVersion,
        correlationId: header.correlationId,
        clientId: header.clientId ?? '',
        isRefused: false,
        isBareToken: false,
        frameBytes: frame.length,
        body: header.body,
        assembled,
        receivedMs,
        throttleMs: 0,
        isDone: false,
        result: undefined,
      };
    }
    this.#pace.note();
    this.#options.budget.beginHandling(frame.length);
    this.#pending.push(request);
    if (isLogin(request)) this.#isLoggingIn = true;
    this.#advance();
  }

  #getApi(apiKey: number, version: number): Api {
    const api = this.#options.apis.get(apiKey);
    if (api === undefined) throw new ProtocolError(`API key ${apiKey} is not supported`);
    const { name, versionMin, versionMax } = api.registration;
    if (version < versionMin || version > versionMax) {
      throw new ProtocolError(`version ${version} of ${name} is not supported`);
    }
    return api;
  }

  #readBareToken(frame: Uint8Array, receivedMs: number): PendingRequest {
    return {
      api: this.#getApi(apiKeys.SaslAuthenticate.key, 0),
      version: 0,
      correlationId: 0,
      clientId: this.clientId,
      isRefused: false,
      isBareToken: true,
      frameBytes: frame.length,
      body: new ByteReader(frame),
      assembled: undefined,
      receivedMs,
      throttleMs: 0,
      isDone: false,
      result: undefined,
    };
  }

  /**
   * A version of ApiVersions that we do not know is answered as version 0, which every client understands (KIP-511).
   * Nothing behind the correlation id is looked at: it may have any form.
   */
  #readUnknownApiVersions(frame: Uint8Array, receivedMs: number): PendingRequest | undefined {
    const api = this.#options.apis.get(apiKeys.ApiVersions.key);
    if (api === undefined || frame.length < 8) return undefined;
    if (frame[0] !== 0 || frame[1] !== apiKeys.ApiVersions.key) return undefined;
    const body = new ByteReader(frame);
    body.skip(2);
    const version = body.int16();
    if (version >= api.registration.versionMin && version <= api.registration.versionMax) {
      return undefined;
    }
    return {
      api,
      version: 0,
      correlationId: body.int32(),
      clientId: '',
      isRefused: true,
      isBareToken: false,
      frameBytes: frame.length,
      body,
      assembled: undefined,
      receivedMs,
      throttleMs: 0,
      isDone: false,
      result: undefined,
    };
  }

  /** Sends what is answered, begins what may begin, until neither is possible. */
  #advance(): void {
    if (this.#isAdvancing) return;
    this.#isAdvancing = true;
    try {
      for (;;) {
        while (this.#pending[0]?.isDone === true) this.#sendFirst();
        const next = this.#pending[this.#startedCount];
        if (next === undefined || !this.#mayBegin(next)) break;
        this.#begin(next);
      }
    } finally {
      this.#isAdvancing = false;
    }
    if (this.#isDraining && this.#pending.length === 0) this.#connection.end();
  }

  #mayBegin(request: PendingRequest): boolean {
    if (this.#connection.isSendBlocked || this.#pauseEnd !== undefined) return false;
    if (!isProduce(request)) return this.#startedCount === 0;
    if (this.#isExclusive) return false;
    if (this.#options.gate.isOpen()) return true;
    this.#isGated = true;
    this.#options.gate.wait(this);
    return false;
  }

  #begin(request: PendingRequest): void {
    this.#startedCount += 1;
    this.#isExclusive = !isProduce(request);
    this.clientId = request.clientId;
    let result: HandlerResult<ApiName> | Promise<HandlerResult<ApiName>>;
    const mark = this.quota.beginWork(request.clientId);
    try {
      result = this.#handle(request);
      if (mark !== undefined) {
        const { name } = request.api.registration;
        request.throttleMs = this.quota.spendWork(name, request.clientId, mark);
      }
    } catch (error) {
      request.api.metrics.failures += 1;
      throw error;
    }
    if (!(result instanceof Promise)) {
      this.#finish(request, result);
      return;
    }
    void this.#await(request, result);
  }

  async #await(request: PendingRequest, result: Promise<HandlerResult<ApiName>>): Promise<void> {
    try {
      this.#finish(request, await result);
    } catch (error) {
      request.api.metrics.failures += 1;
      this.#connection.fail(error);
      return;
    }
    this.resume();
  }

  #handle(request: PendingRequest): HandlerResult<ApiName> | Promise<HandlerResult<ApiName>> {
    if (request.isRefused) return unsupportedApiVersions(this.#context);
    const { name, handle } = request.api.registration;
    if (request.isBareToken) {
      const body = request.body!;
      return this.sasl.authenticate(body.bytes(body.remaining));
    }
    if (!this.sasl.isOpen && !isLogin(request) && name !== 'ApiVersions') {
      throw new ProtocolError(`${name} came before the login`);
    }
    if (this.sasl.isExpired && !isLogin(request)) {
      throw new ProtocolError('the client should have logged in again');
    }
    const body = decodeRequest(name, request.version, request.body!);
    const { version } = request;
    if (this.access.isUnlimited) return handle(this.#context, body, version);
    return guarded(name, this.#context, body, version, (allowed) =>
      handle(this.#context, allowed, version),
    );
  }

  #finish(request: PendingRequest, result: HandlerResult<ApiName>): void {
    request.isDone = true;
    request.result = result;
    if (isLogin(request)) this.#isLoggingIn = false;
    if (isProduce(request)) this.#recycleFrame(request);
    else this.#dropFrame(request);
  }

  #sendFirst(): void {
    const request = this.#pending.shift()!;
    this.#startedCount -= 1;
    if (this.#startedCount === 0) this.#isExclusive = false;
    const { registration, metrics } = request.api;
    if (request.isBareToken) {
      this.#answerBareToken(request.result);
    } else if (request.result !== undefined) {
      for (const piece of this.#encode(request, request.result)) this.#connection.send(piece);
    } else {
      // Without an answer it cannot be told; it pauses all the same.
      const ms = this.quota.spendBytes(registration.name, request.clientId, request.frameBytes, 0);
      request.throttleMs = Math.max(request.throttleMs, ms);
    }
    this.#pause(request.throttleMs);
    metrics.record(this.#options.clock.monotonicMs() - request.receivedMs);
    if (isLogin(request)) this.#noteLogin();
  }

  /** The answer, with how long the client should pause where it has used more than its quotas allow. */
  #encode(request: PendingRequest, result: ResponseInput<ApiName>): Uint8Array[] {
    const { name } = request.api.registration;
    const { version, correlationId } = request;
    const pieces = encodeResponse(name, version, correlationId, result);
    let bytes = 0;
    for (const piece of pieces) bytes += piece.length;
    const own = 'throttleTimeMs' in result ? (result.throttleTimeMs ?? 0) : 0;
    const ms = this.quota.spendBytes(name, request.clientId, request.frameBytes, bytes);
    request.throttleMs = Math.max(request.throttleMs, ms, own);
    if (request.throttleMs === own) return pieces;
    // A few answers of logins have no such field; what writes them does not look at it.
    return encodeResponse(name, version, correlationId, {
      ...result,
      throttleTimeMs: request.throttleMs,
    });
  }

  /** Clients that know of quotas pause by themselves; nothing more is read of the others (KIP-219). */
  #pause(ms: number): void {
    if (ms <= 0 || this.isClosed) return;
    const untilMs = this.#options.clock.monotonicMs() + ms;
    if (untilMs <= this.#pausedUntilMs) return;
    this.#pausedUntilMs = untilMs;
    this.#pauseEnd?.cancel();
    this.#pauseEnd = this.#options.clock.setTimer(ms, () => {
      this.#pauseEnd = undefined;
      this.#resumeReading();
    });
  }

  /** A failure has no answer of its own: the connection ends. */
  #answerBareToken(result: HandlerResult<ApiName>): void {
    if (result === undefined || !('authBytes' in result) || this.sasl.isOver) return;
    const { authBytes } = result;
    const length = Buffer.alloc(4);
    length.writeInt32BE(authBytes.length);
    this.#connection.send(length);
    if (authBytes.length > 0) this.#connection.send(authBytes);
  }

  #noteLogin(): void {
    if (this.sasl.isOver) {
      // What came behind was not promised anything; `#advance` ends the connection.
      this.#isDraining = true;
      for (const request of this.#pending.splice(this.#startedCount)) this.#dropFrame(request);
    } else if (this.sasl.identity !== undefined && this.#loginDeadline !== undefined) {
      this.#loginDeadline.cancel();
      this.#loginDeadline = undefined;
      this.#frames.allow(this.#options.frameBytesMax);
    }
  }

  /** Ends early when the peer is gone or the door shuts down. */
  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel();
        this.offInterrupt(end);
        resolve();
      };
      const timer = this.#options.clock.setTimer(ms, end);
      this.onInterrupt(end);
    });
  }

  #dropFrame(request: PendingRequest): void {
    if (request.body === undefined) return;
    request.body = undefined;
    this.#options.budget.endHandling(request.frameBytes);
  }

  /** The records are durable or refused: nothing borrows the frame any more, and the next may be assembled in it. */
  #recycleFrame(request: PendingRequest): void {
    if (request.assembled !== undefined) this.#options.pool.give(request.assembled);
    this.#dropFrame(request);
  }
}

function isLogin({ api }: PendingRequest): boolean {
  const { name } = api.registration;
  return name === 'SaslHandshake' || name === 'SaslAuthenticate';
}

function isProduce(request: PendingRequest): boolean {
  return request.api.registration.name === 'Produce';
}
