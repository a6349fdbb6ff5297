import { assert, limits, ProtocolError } from '../../base/index.ts';
import type { Identity } from '../../broker/index.ts';
import { type Connection, type ConnectionProtocol, readHold } from '../../net/index.ts';
import { AmqpError, amqpErrorOf } from './amqp-error.ts';
import { Channel, type ChannelHost } from './channel.ts';
import {
  argumentsFault,
  attributed,
  frameFaultError,
  malformedFrame,
  MethodFailure,
  syntaxError,
  unexpectedFrame,
  unknownMethod,
} from './failure.ts';
import { type ConnectionState, Handshake, type HandshakeHost, spelledStates } from './handshake.ts';
import { Heartbeat } from './heartbeats.ts';
import type { MessageLink } from './message-channel.ts';
import { checkChannelLimit } from './opening.ts';
import { ConnectionPeer } from './peer.ts';
import { offeredMechanisms, type PeerFacts } from './sasl.ts';
import type { DoorServices } from './services.ts';
import {
  decodeArguments,
  encodeMethod,
  findMethod,
  frameEnd,
  FrameFault,
  FrameReader,
  frameType,
  type MethodArguments,
  type MethodName,
  readMethodKey,
} from './wire/index.ts';

export interface AmqpConnectionOptions {
  readonly connection: Connection;
  readonly services: DoorServices;
  readonly peer: PeerFacts;
  /**
   * Takes the connection over when it begins with another protocol's header (AMQP 1.0), given the header; undefined: it is
   * refused.
   */
  readonly succeed?: ((header: Uint8Array) => ConnectionProtocol | undefined) | undefined;
}

/** One client: opens, multiplexes its channels, keeps it alive, closes. */
export class AmqpConnection implements ConnectionProtocol, MessageLink, ChannelHost, HandshakeHost {
  readonly services: DoorServices;
  readonly link: MessageLink = this;
  readonly owner: object = this;
  readonly connection: Connection;
  readonly connectedMs: number;
  readonly agreed: Handshake;
  readonly counts = { receivedBytes: 0, receivedChunks: 0, sentBytes: 0, sentPieces: 0 };

  readonly #peer: PeerFacts;
  readonly #succeed: AmqpConnectionOptions['succeed'];
  readonly #frames = new FrameReader(limits.handshakeFrameBytesMax);
  readonly #channels = new Map<number, Channel>();
  readonly #heartbeat = new Heartbeat();
  readonly #since: { stateMs: number };
  #state: ConnectionState = 'header';
  #successor: ConnectionProtocol | undefined;
  #entry: ConnectionPeer | undefined;
  /** Something of the connection itself is being waited for (a login): frames wait. */
  #isAwaiting = false;
  #isReading = false;
  /** Has had its share of this turn of the event loop. */
  #isResting = false;
  /** Waits at the throttle. */
  #isThrottled = false;
  #isBlocked = false;
  #hasPublished = false;
  #isDraining = false;
  #closesForClient = false;
  #waitingBytes = 0;
  #partialBytes = 0;
  #touched: Channel[] = [];
  /** Of this turn: there was room when it was last asked. */
  #hasRoom = false;
  /** Channels with a publish that waits for room. */
  readonly #held: Channel[] = [];

  constructor(options: AmqpConnectionOptions) {
    this.connection = options.connection;
    this.services = options.services;
    this.#peer = options.peer;
    this.#succeed = options.succeed;
    this.agreed = new Handshake(options.services, options.peer, this);
    this.connectedMs = options.services.clock.nowMs();
    this.#since = { stateMs: options.services.clock.monotonicMs() };
    this.services.heartbeats.enter(this);
  }

  get isMidFrame(): boolean {
    return this.#successor?.isMidFrame ?? this.#frames.isMidFrame;
  }

  get frameCount(): number {
    return this.#successor?.frameCount ?? this.#frames.count;
  }

  /** The heartbeat finds out who is gone; a connection that is open may be silent for ever. */
  get isBusy(): boolean {
    return this.#successor?.isBusy ?? this.#state !== 'header';
  }

  get isSendBlocked(): boolean {
    return this.connection.isSendBlocked;
  }

  get identity(): Identity {
    return this.agreed.identity;
  }

  get frameMax(): number {
    return this.agreed.frameMax;
  }

  get vhost(): string {
    return this.agreed.vhost;
  }

  get namespace(): string {
    return this.agreed.namespace;
  }

  get hasCancelNotify(): boolean {
    return this.agreed.hasCancelNotify;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get remoteAddress(): string {
    return this.connection.remoteAddress;
  }

  /** RabbitMQ's word for the state. */
  get spelledState(): string {
    if (this.#isThrottled) return this.#isBlocked ? 'blocked' : 'flow';
    return spelledStates[this.#state];
  }

  get channels(): readonly Channel[] {
    return [...this.#channels.values()];
  }

  receive(chunk: Uint8Array): void {
    if (this.#successor !== undefined) {
      this.#successor.receive(chunk);
      return;
    }
    this.counts.receivedBytes += chunk.length;
    this.counts.receivedChunks += 1;
    this.#heartbeat.noteReceived();
    if (this.#state === 'closed') return;
    this.#frames.push(chunk);
    this.#read();
  }

  sendable(): void {
    if (this.#successor !== undefined) {
      this.#successor.sendable();
      return;
    }
    for (const channel of this.#channels.values()) channel.resume();
  }

  /** The throttle is open again. */
  resume(): void {
    this.#isThrottled = false;
    if (this.#isBlocked) {
      this.#isBlocked = false;
      if (this.#state === 'running') this.sendMethod('connectionUnblocked', {});
    }
    this.#heartbeat.forgive(this.services.clock.monotonicMs());
    for (const channel of this.#held.splice(0)) channel.publishHeld();
    this.#read();
  }

  noteBlocked(reason: string): void {
    if (this.#isBlocked || !this.agreed.hasBlockedNotice || this.#state !== 'running') return;
    this.#isBlocked = true;
    this.sendMethod('connectionBlocked', { reason });
  }

  /** The management closes it. */
  forceClose(reason: string): void {
    this.#failSafely(new AmqpError('CONNECTION_FORCED', reason), 0);
  }

  drain(): void {
    if (this.#successor !== undefined) {
      this.#successor.drain();
      return;
    }
    this.#isDraining = true;
    if (this.#state !== 'running' && this.#state !== 'closing') {
      this.connection.end();
      return;
    }
    this.#drainIfIdle();
  }

  closed(): void {
    this.services.heartbeats.leave(this);
    this.services.throttle.leave(this);
    if (this.#successor !== undefined) {
      this.#successor.closed();
      return;
    }
    const wasOpen = this.agreed.hasLoggedIn;
    this.enter('closed');
    this.#frames.discard();
    this.#leave();
    this.#closeChannels();
    if (wasOpen) void this.#releaseExclusive();
  }

  send(bytes: Uint8Array): void {
    this.#heartbeat.noteSent();
    this.counts.sentBytes += bytes.length;
    this.counts.sentPieces += 1;
    this.connection.send(bytes);
  }

  failHard(error: AmqpError, key: number): void {
    this.#failSafely(error, key);
  }

  failInside(error: unknown, key: number): void {
    this.services.log.error(
      { err: error, remote: this.connection.remoteAddress },
      'fault of a method',
    );
    this.#failSafely(new AmqpError('INTERNAL_ERROR', 'the broker failed', { cause: error }), key);
  }

  forget(channel: Channel): void {
    channel.close();
    if (this.#channels.get(channel.number) === channel) this.#channels.delete(channel.number);
  }

  touch(channel: Channel): void {
    this.#touched.push(channel);
  }

  notePublished(): void {
    this.#hasPublished = true;
  }

  holdsPublish(channel: Channel): boolean {
    if (this.#hasRoom) return false;
    if (!this.#isThrottled) {
      // Asked once a turn: what comes in one turn is little.
      this.#hasRoom = this.services.throttle.isOpen();
      if (this.#hasRoom) return false;
      this.#waitForRoom();
    }
    this.#held.push(channel);
    return true;
  }

  changePartial(bytes: number): void {
    this.#partialBytes += bytes;
    // Twice, so that one of the greatest size, and its frames, always fit.
    const { partialBodiesBytesMax, messageBytesMax } = this.services;
    const bytesMax = Math.max(partialBodiesBytesMax, 2 * messageBytesMax);
    if (bytes < 0 || this.#partialBytes <= bytesMax) return;
    throw new AmqpError(
      'RESOURCE_ERROR',
      `unfinished messages of all channels take more than ${bytesMax} bytes`,
    );
  }

  changeWaiting(bytes: number): void {
    this.#waitingBytes += bytes;
    if (bytes < 0) this.#read();
  }

  published(): Promise<void> | undefined {
    let waits: Array<Promise<void>> | undefined;
    for (const channel of this.#channels.values()) {
      const stored = channel.messages.published();
      if (stored !== undefined) (waits ??= []).push(stored);
    }
    return waits === undefined ? undefined : Promise.all(waits).then(() => undefined);
  }

  becameIdle(): void {
    this.#endTurn();
    if (this.#state === 'closed') {
      // What the last method made for this connection came after the others were released.
      if (!this.#hasBusyChannel() && this.agreed.hasLoggedIn) void this.#releaseExclusive();
      return;
    }
    this.#finishClientClose();
    if (this.#isDraining) this.#drainIfIdle();
  }

  /** Called twice a second. */
  beat(nowMs: number): void {
    if (this.#successor !== undefined) return;
    const sinceMs = nowMs - this.#since.stateMs;
    if (this.#state === 'closing' || this.#state === 'closed') {
      if (sinceMs > limits.closeMs) this.connection.destroy();
      return;
    }
    if (this.#state !== 'running') {
      if (sinceMs > limits.handshakeMs) this.connection.destroy('the handshake took too long');
      return;
    }
    if (this.#isDraining) this.#drainIfIdle();
    if (this.#isThrottled || this.isSendBlocked || this.#mayNotRead()) {
      this.#heartbeat.forgive(nowMs);
    }
    const due = this.#heartbeat.check(nowMs);
    if (due === 'send') this.send(heartbeatFrame);
    else if (due === 'gone') {
      this.connection.destroy(`missed heartbeats, timeout: ${this.agreed.heartbeatS}s`);
    }
  }

  #mayNotRead(): boolean {
    return (
      this.#isAwaiting ||
      this.#isThrottled ||
      this.#closesForClient ||
      this.#isResting ||
      this.#waitingBytes > limits.waitingFrameBytesMax
    );
  }

  /** Takes frames while they may be taken; else the socket is not read. */
  #read(): void {
    if (this.#isReading || this.#state === 'closed' || this.#successor !== undefined) return;
    this.#isReading = true;
    try {
      let room = limits.framesPerTurnMax;
      while (!this.#mayNotRead() && this.#readOne()) {
        if (this.#hasEnded()) break;
        room -= 1 + Math.floor((this.#frames.end - this.#frames.start) / weighedBytes);
        if (room <= 0) this.#rest();
      }
    } catch (error) {
      this.#failRead(error);
    }
    this.#isReading = false;
    if (this.#hasEnded()) return;
    this.#endTurn();
    if (this.#mayNotRead()) this.connection.hold(readHold.protocol);
    else this.connection.release(readHold.protocol);
  }

  /** Others have their turn before what is left of what was read: a publisher does not outrun those who consume. */
  #rest(): void {
    this.#isResting = true;
    this.services.clock.setAfterIo(() => {
      this.#isResting = false;
      this.#read();
    });
  }

  /** The state, where the compiler must not believe that it is still what it was. */
  #hasEnded(): boolean {
    return this.#state === 'closed' || this.#successor !== undefined;
  }

  #endTurn(): void {
    this.#hasRoom = false;
    const touched = this.#touched;
    if (touched.length > 0) {
      this.#touched = [];
      for (const channel of touched) channel.turnEnded();
    }
    if (!this.#hasPublished) return;
    this.#hasPublished = false;
    if (this.#state !== 'running' || this.#isThrottled || this.services.throttle.isOpen()) return;
    this.#waitForRoom();
  }

  #waitForRoom(): void {
    this.#isThrottled = true;
    this.connection.hold(readHold.protocol);
    this.services.throttle.wait(this);
  }

  /** False when more bytes are needed. */
  #readOne(): boolean {
    const frames = this.#frames;
    if (this.#state === 'header') return this.#readHeader();
    if (!frames.next()) return false;
    if (frames.channel === 0) this.#acceptOwn();
    else this.#acceptForChannel();
    return true;
  }

  #readHeader(): boolean {
    const header = this.#frames.takeRaw(protocolHeader.length);
    if (header === undefined) return false;
    const isOurs = header.equals(protocolHeader);
    if (isOurs || header.equals(olderProtocolHeader)) {
      this.enter('start');
      this.sendMethod('connectionStart', {
        versionMajor: 0,
        versionMinor: 9,
        serverProperties: this.services.serverProperties,
        mechanisms: Buffer.from(offeredMechanisms(this.#peer, this.services.access).join(' ')),
        locales: Buffer.from('en_US'),
      });
      return true;
    }
    const successor = isAmqpHeader(header) ? this.#succeed?.(header) : undefined;
    if (successor !== undefined) {
      this.services.heartbeats.leave(this);
      const rest = this.#frames.takeRest();
      this.#successor = successor;
      this.connection.release(readHold.protocol);
      for (const piece of rest) successor.receive(piece);
      return false;
    }
    this.connection.send(protocolHeader);
    this.connection.end();
    this.enter('closed');
    return false;
  }

  /** A frame of channel 0. */
  #acceptOwn(): void {
    const { type, bytes, start, end } = this.#frames;
    const isClosing = this.#state === 'closing';
    if (type !== frameType.method) {
      if (isClosing) return;
      if (type === frameType.heartbeat && start === end) return;
      throw this.#frameError(type, bytes.subarray(start, end));
    }
    const key = readMethodKey(bytes, start, end);
    if (key === -1) {
      if (isClosing) return;
      throw malformedFrame(type, bytes.subarray(start, end));
    }
    try {
      const name = findMethod(key);
      if (name === undefined) throw unknownMethod(key);
      let values;
      try {
        values = decodeArguments(name, bytes, start + 4, end);
      } catch (error) {
        throw argumentsFault(error, bytes, start + 4, end);
      }
      this.#handle(name, values);
    } catch (error) {
      if (isClosing) return;
      throw attributed(error, key);
    }
  }

  #acceptForChannel(): void {
    const frames = this.#frames;
    const { type, channel: number, bytes, start, end } = frames;
    if (this.#state === 'closing') return;
    if (this.#state !== 'running') throw unexpectedFrame(type, bytes.subarray(start, end));
    if (type < frameType.method || type > frameType.body) {
      throw this.#frameError(type, bytes.subarray(start, end));
    }
    let channel = this.#channels.get(number);
    if (channel === undefined) {
      checkChannelLimit(this.services, this.identity, this.#channels.size, this.agreed.channelMax);
      channel = new Channel(number, this);
      this.#channels.set(number, channel);
    }
    channel.receive(type, bytes, start, end);
  }

  /** Of a frame whose type is unknown, or has no place where it came. */
  #frameError(type: number, payload: Uint8Array): AmqpError {
    const isHeartbeat = type === frameType.heartbeat && payload.length === 0;
    const isKnown = type >= frameType.method && type <= frameType.body;
    return isKnown || isHeartbeat ? unexpectedFrame(type, payload) : malformedFrame(type, payload);
  }

  #handle(name: MethodName, values: unknown): void {
    switch (name) {
      case 'connectionStartOk':
        if (this.#state === 'start') return this.agreed.startOk(argumentsOf(name, values));
        break;
      case 'connectionTuneOk':
        if (this.#state === 'tune') return this.#tuneOk(argumentsOf(name, values));
        break;
      case 'connectionOpen':
        if (this.#state === 'open') return this.#open(argumentsOf(name, values));
        break;
      case 'connectionClose':
        if (this.#state === 'closing' && !this.#closesForClient) {
          this.sendMethod('connectionCloseOk', {});
          return;
        }
        // RabbitMQ takes it while the connection is open only; before that a client is let go as politely.
        this.#closesForClient = true;
        this.enter('closing');
        return this.#finishClientClose();
      case 'connectionCloseOk':
        if (this.#state === 'closing') {
          this.connection.end();
          this.enter('closed');
          return;
        }
        break;
      case 'connectionUpdateSecret':
        if (this.#state === 'running') return this.agreed.updateSecret();
        break;
      default:
        break;
    }
    if (this.#state === 'closing') return;
    throw new AmqpError(
      'CHANNEL_ERROR',
      `unexpected method in connection state ${this.spelledState}`,
    );
  }

  #tuneOk(values: MethodArguments<'connectionTuneOk'>): void {
    this.agreed.tuneOk(values);
    // Some clients forget what a frame has beside its payload: RabbitMQ lets them, too.
    this.#frames.payloadBytesMax = values.frameMax;
  }

  #open(values: MethodArguments<'connectionOpen'>): void {
    this.agreed.open(values.virtualHost);
    this.#heartbeat.start(this.agreed.heartbeatS, this.services.clock.monotonicMs());
    this.#entry = new ConnectionPeer(this);
    this.services.peers.enter(this.#entry);
  }

  async #endLater(): Promise<void> {
    await this.penalty();
    this.connection.end();
  }

  hangUp(): void {
    this.connection.end();
    this.enter('closed');
  }

  penalty(): Promise<void> {
    return new Promise((resolve) => {
      this.services.clock.setTimer(limits.loginPenaltyMs, resolve);
    });
  }

  /** Frames wait until the promise is settled. */
  wait(promise: Promise<void>, key: number): void {
    assert(!this.#isAwaiting, 'the connection does one thing at a time');
    this.#isAwaiting = true;
    promise.then(
      () => this.#waited(),
      (error: unknown) => {
        this.#failRead(attributed(error, key));
        this.#waited();
      },
    );
  }

  #waited(): void {
    this.#isAwaiting = false;
    this.#read();
  }

  #hasBusyChannel(): boolean {
    for (const channel of this.#channels.values()) if (channel.isBusy) return true;
    return false;
  }

  /** The client has closed: what it asked for before is finished first. */
  #finishClientClose(): void {
    if (!this.#closesForClient || this.#state !== 'closing' || this.#hasBusyChannel()) return;
    this.#endTurn();
    this.#leave();
    this.#closeChannels();
    void this.#releaseExclusive().then(() => {
      if (this.#state !== 'closing') return;
      this.sendMethod('connectionCloseOk', {});
      this.enter('closed');
      this.#awaitHangUp();
    });
  }

  /**
   * The client hangs up first, as with RabbitMQ; the beat does it for one that does not. Some clients (amqp091-go) read on
   * while they close, and take an end that comes together with the answer for a connection that was lost.
   */
  #awaitHangUp(): void {
    if (this.#isDraining) {
      this.connection.end();
      return;
    }
    this.#frames.discard();
    // What is not read never ends.
    this.connection.release(readHold.protocol);
  }

  #drainIfIdle(): void {
    if (this.#state !== 'running') return;
    for (const channel of this.#channels.values()) if (channel.owesAnswers) return;
    this.#failSafely(
      new AmqpError('CONNECTION_FORCED', `broker forced connection closure with reason 'shutdown'`),
      0,
    );
  }

  #failRead(error: unknown): void {
    if (error instanceof FrameFault) {
      this.#failSafely(frameFaultError(error), 0);
      // Where the next frame begins is not known.
      this.#frames.discard();
      this.enter('closed');
      this.connection.end();
      return;
    }
    const key = error instanceof MethodFailure ? error.key : 0;
    const cause = error instanceof MethodFailure ? error.reason : error;
    const failure = cause instanceof ProtocolError ? syntaxError(cause) : amqpErrorOf(cause);
    if (failure === undefined) this.failInside(cause, key);
    else this.#failSafely(failure, key);
  }

  /** Sends connection.close, where the client is one that may be told, and waits for its answer. */
  #failSafely(error: AmqpError, key: number): void {
    const state = this.#state;
    if (state === 'closing' || state === 'closed') return;
    const isLogin = state === 'start' || state === 'secure';
    this.services.log.info(
      { remote: this.connection.remoteAddress, state, reply: error.replyText },
      'connection closed with an error',
    );
    this.#endTurn();
    this.#closeChannels();
    this.#leave();
    if (isLogin && error.reply !== 'ACCESS_REFUSED') {
      // Somebody who has not logged in is told nothing, and not at once.
      this.enter('closed');
      void this.#endLater();
      return;
    }
    this.enter('closing');
    if (this.#isThrottled) {
      this.services.throttle.leave(this);
      this.#isThrottled = false;
      this.connection.release(readHold.protocol);
    }
    this.sendMethod('connectionClose', {
      replyCode: error.replyCode,
      replyText: error.replyText,
      failedClassId: Math.floor(key / 0x10000),
      failedMethodId: key % 0x10000,
    });
    if (this.agreed.hasLoggedIn) void this.#releaseExclusive();
  }

  #closeChannels(): void {
    for (const channel of this.#channels.values()) channel.close();
    this.#touched = [];
    if (this.#state === 'closed' && !this.#hasBusyChannel()) this.#channels.clear();
  }

  #leave(): void {
    if (this.#entry === undefined) return;
    this.services.peers.leave(this.#entry);
    this.#entry = undefined;
  }

  /** Never rejects: queues that could not be deleted are gone with a restart at the latest. */
  async #releaseExclusive(): Promise<void> {
    try {
      await this.services.queues.releaseExclusive(this.owner);
    } catch (error) {
      this.services.log.warn({ err: error }, 'exclusive queues could not be deleted');
    }
  }

  enter(state: ConnectionState): void {
    this.#state = state;
    this.#since.stateMs = this.services.clock.monotonicMs();
  }

  sendMethod<Name extends MethodName>(name: Name, values: MethodArguments<Name>): void {
    this.send(encodeMethod(0, name, values));
  }
}

const protocolHeader = Buffer.from([0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1]);
/** Of AMQP 0-9, which differs in nothing that is used. */
const olderProtocolHeader = Buffer.from([0x41, 0x4d, 0x51, 0x50, 1, 1, 0, 9]);
const heartbeatFrame = Buffer.from([frameType.heartbeat, 0, 0, 0, 0, 0, 0, frameEnd]);

function isAmqpHeader(header: Buffer): boolean {
  return header.toString('latin1', 0, 4) === 'AMQP';
}

function argumentsOf<Name extends MethodName>(_name: Name, values: unknown): MethodArguments<Name> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- decoded by the description of this very name
  return values as MethodArguments<Name>;
}

/** A frame counts once, and once more for each so many bytes in it. */
const weighedBytes = 512;
