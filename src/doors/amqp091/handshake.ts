import { present } from '../../base/index.ts';
import type { Identity } from '../../broker/index.ts';
import { plainAddress } from '../../net/index.ts';
import { AmqpError } from './amqp-error.ts';
import { MethodFailure } from './failure.ts';
import { checkNegotiated, checkVhost } from './opening.ts';
import { findMechanism, logIn, type Mechanism, type PeerFacts } from './sasl.ts';
import type { DoorServices } from './services.ts';
import { namespaceOf } from './vhost.ts';
import {
  emptyTable,
  type FieldTable,
  frameBytesLeast,
  keyOfMethod,
  type MethodArguments,
  type MethodName,
} from './wire/index.ts';

/**
 * Where the connection is. `start`: connection.start was sent; `secure`: a challenge was; `tune` and `open`: the
 * method of that name is awaited next; `closing`: connection.close was sent, or was received and what was begun is
 * being finished; `closed`: nothing is looked at any more.
 */
export type ConnectionState =
  | 'header'
  | 'start'
  | 'secure'
  | 'tune'
  | 'open'
  | 'running'
  | 'closing'
  | 'closed';

/** As RabbitMQ names the states, in texts and for the management. */
export const spelledStates: Readonly<Record<ConnectionState, string>> = {
  header: 'pre_init',
  start: 'starting',
  secure: 'securing',
  tune: 'tuning',
  open: 'opening',
  running: 'running',
  closing: 'closing',
  closed: 'closed',
};

/** What the handshake asks of its connection. */
export interface HandshakeHost {
  readonly state: ConnectionState;
  readonly remoteAddress: string;
  enter(state: ConnectionState): void;
  sendMethod<Name extends MethodName>(name: Name, values: MethodArguments<Name>): void;
  /** Frames wait until the promise is settled; what it rejects with is a failure of the method `key`. */
  wait(promise: Promise<void>, key: number): void;
  /** The time that a failed login costs. */
  penalty(): Promise<void>;
  /** Closes without a word. */
  hangUp(): void;
}

/** Who the client is, where it wants to, and what both agree on. The connection has checked the state before each call. */
export class Handshake {
  frameMax: number;
  channelMax: number;
  heartbeatS = 0;
  vhost = '';
  namespace = '';
  mechanism: Mechanism | undefined;
  clientProperties: FieldTable = emptyTable;
  hasCancelNotify = false;
  hasBlockedNotice = false;
  readonly #services: DoorServices;
  readonly #peer: PeerFacts;
  readonly #host: HandshakeHost;
  #hasFailureClose = false;
  #identity: Identity | undefined;

  constructor(services: DoorServices, peer: PeerFacts, host: HandshakeHost) {
    this.#services = services;
    this.#peer = peer;
    this.#host = host;
    this.frameMax = services.frameBytesMax;
    this.channelMax = services.channelsMax;
  }

  get hasLoggedIn(): boolean {
    return this.#identity !== undefined;
  }

  get identity(): Identity {
    return present(this.#identity, 'whoever has a channel has logged in');
  }

  startOk(values: MethodArguments<'connectionStartOk'>): void {
    this.clientProperties = values.clientProperties;
    const found = values.clientProperties.get('capabilities');
    const capabilities = found?.type === 'F' ? found.value : emptyTable;
    this.hasCancelNotify = isTrue(capabilities, 'consumer_cancel_notify');
    this.hasBlockedNotice = isTrue(capabilities, 'connection.blocked');
    this.#hasFailureClose = isTrue(capabilities, 'authentication_failure_close');
    const mechanism = findMechanism(values.mechanism, this.#peer);
    this.mechanism = mechanism;
    this.#host.wait(this.#logIn(mechanism, values.response), keyOfMethod('connectionStartOk'));
  }

  async #logIn(mechanism: Mechanism, response: Uint8Array): Promise<void> {
    const result = await logIn(mechanism, response, this.#peer, this.#services.access);
    if (this.#host.state !== 'start') return;
    if (result.kind === 'refused') {
      this.#services.log.warn(
        { remote: this.#host.remoteAddress, mechanism, reason: result.reason },
        'login refused',
      );
      await this.#host.penalty();
      if (this.#host.state !== 'start') return;
      if (!this.#hasFailureClose) {
        this.#host.hangUp();
        return;
      }
      throw new MethodFailure(
        new AmqpError(
          'ACCESS_REFUSED',
          `Login was refused using authentication mechanism ${mechanism}. For details see the broker logfile.`,
        ),
        0,
      );
    }
    this.#identity = { ...result.identity, host: plainAddress(this.#host.remoteAddress) };
    this.#host.enter('tune');
    this.#host.sendMethod('connectionTune', {
      channelMax: this.#services.channelsMax,
      frameMax: this.#services.frameBytesMax,
      heartbeat: this.#services.heartbeatS,
    });
  }

  tuneOk({ channelMax, frameMax, heartbeat }: MethodArguments<'connectionTuneOk'>): void {
    checkNegotiated('frame_max', frameMax, frameBytesLeast, this.#services.frameBytesMax);
    checkNegotiated('channel_max', channelMax, 1, this.#services.channelsMax);
    this.frameMax = frameMax;
    this.channelMax = channelMax;
    this.heartbeatS = heartbeat;
    this.#host.enter('open');
  }

  /** Secrets that expire are tokens; users here have passwords, for which RabbitMQ, too, takes any new one and keeps none. */
  updateSecret(): void {
    this.#host.sendMethod('connectionUpdateSecretOk', {});
  }

  open(virtualHost: string): void {
    const namespace = namespaceOf(virtualHost);
    checkVhost(this.#services, this.identity, virtualHost, namespace);
    this.vhost = virtualHost;
    this.namespace = namespace;
    this.#host.enter('running');
    this.#host.sendMethod('connectionOpenOk', { knownHosts: '' });
  }
}

function isTrue(table: FieldTable, name: string): boolean {
  const field = table.get(name);
  return field?.type === 't' && field.value;
}
