import { BrokerError, type Clock, limits, ProtocolError, type Random } from '../../base/index.ts';
import type { AccessPort, Identity, ScramMechanism } from '../../broker/index.ts';
import { type Log, TokenRefused, type TokenVerifier } from '../../net/index.ts';
import { errorCodes } from './error-codes.ts';
import { readBearer } from './sasl-bearer.ts';
import { fakeScramKeys, readScramFirst, ScramExchange } from './sasl-scram.ts';

/** What the mechanisms are called, as Kafka lists them. */
export type SaslMechanism = 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512' | 'OAUTHBEARER';

/** Tokens are taken where it is known whose to believe. */
export function offeredMechanisms(policy: Pick<SaslPolicy, 'tokens'>): readonly SaslMechanism[] {
  return policy.tokens === undefined
    ? ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']
    : ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'];
}

const scramMechanisms: Readonly<Record<string, ScramMechanism>> = {
  'SCRAM-SHA-256': 'sha-256',
  'SCRAM-SHA-512': 'sha-512',
};

/** As many as users have whose password was set here: those of others must not stand out. */
const usualIterations = 8192;

/** What a listener wants of those who connect. */
export interface SaslPolicy {
  /** Asked only when somebody says who it is. */
  readonly access: () => AccessPort;
  /** Undefined: no tokens are believed. */
  readonly tokens?: Pick<TokenVerifier, 'verify'> | undefined;
  /** After this long a client has to log in again on its connection (KIP-368); 0: never. */
  readonly reauthenticateMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Of this listener: makes up the salts of users who do not exist. */
  readonly secret: Uint8Array;
}

/** What is known of the peer before it says who it is. */
export interface SaslPeer {
  readonly address: string;
  /** It comes from this machine, or the listener was opened to everybody. */
  readonly isTrusted: boolean;
  /** Who it is without saying so: somebody whom its certificate names, or anybody where that is enough. */
  readonly identity: Identity | undefined;
  /** Resolves after the time, or earlier when the connection ends. */
  readonly wait: (ms: number) => Promise<void>;
}

export interface SaslAnswer {
  readonly errorCode: number;
  readonly errorMessage: string | null;
  readonly authBytes: Uint8Array;
  /** For how long the login holds; 0: as long as the connection. */
  readonly sessionLifetimeMs: number;
}

type Exchange =
  | { readonly kind: 'plain' }
  | { readonly kind: 'token' }
  /** The client has been told that its token does not hold, and has to confirm that. */
  | { readonly kind: 'token-refused'; readonly reason: string }
  | { readonly kind: 'scram-first'; readonly mechanism: ScramMechanism }
  | {
      readonly kind: 'scram-final';
      readonly mechanism: ScramMechanism;
      readonly user: string;
      /** Undefined for a user who does not exist. */
      readonly storedKey: string | undefined;
      readonly exchange: ScramExchange;
    };

type Step =
  | {
      readonly identity: Identity;
      readonly reply: string;
      /** By the clock of the day: what proved the identity holds no longer. */
      readonly expiresMs?: number;
    }
  | { readonly reply: string };

/** Why a login failed: the log is told, and the client less. */
class LoginRefused extends Error {}

const nothing = new Uint8Array(0);

/**
 * Who a connection is, and how it proves that: SaslHandshake names a mechanism, and tokens follow, in SaslAuthenticate
 * (KIP-152) or, after version 0 of the handshake, bare in frames of their own. Who is known may begin again (KIP-368) with
 * the mechanism and as the user that it was, and has to before a session with an end is over.
 */
export class SaslSession {
  readonly #policy: SaslPolicy;
  readonly #peer: SaslPeer;
  #identity: Identity | undefined;
  #mechanism: SaslMechanism | undefined;
  /** By which the identity was proved. */
  #provedBy: SaslMechanism | undefined;
  #exchange: Exchange | undefined;
  #takesBareTokens = false;
  #isOver = false;
  /** By the monotonic clock. */
  #endsMs = Number.POSITIVE_INFINITY;

  constructor(policy: SaslPolicy, peer: SaslPeer) {
    this.#policy = policy;
    this.#peer = peer;
    this.#identity = peer.identity;
  }

  /** Undefined until it is known, where it must be. */
  get identity(): Identity | undefined {
    return this.#identity;
  }

  /** Requests of all kinds are taken. */
  get isOpen(): boolean {
    return this.#identity !== undefined && this.#exchange === undefined && !this.#isOver;
  }

  /** It should have logged in again. */
  get isExpired(): boolean {
    return (
      this.#endsMs !== Number.POSITIVE_INFINITY && this.#policy.clock.monotonicMs() >= this.#endsMs
    );
  }

  /** The next frame is a token without a header. */
  get takesBareTokens(): boolean {
    return this.#takesBareTokens && this.#exchange !== undefined;
  }

  /** The connection must end once what was answered is sent. */
  get isOver(): boolean {
    return this.#isOver;
  }

  handshake(name: string, version: number): { errorCode: number; mechanisms: readonly string[] } {
    const isBusy = this.#exchange !== undefined;
    const mechanisms = offeredMechanisms(this.#policy);
    const mechanism = mechanisms.find((known) => known === name);
    if (mechanism === undefined) {
      if (this.#identity === undefined) this.#isOver = true;
      return { errorCode: errorCodes.UNSUPPORTED_SASL_MECHANISM, mechanisms };
    }
    if (isBusy || (this.#provedBy !== undefined && this.#provedBy !== mechanism)) {
      if (isBusy) this.#isOver = true;
      return { errorCode: errorCodes.ILLEGAL_SASL_STATE, mechanisms };
    }
    this.#mechanism = mechanism;
    this.#takesBareTokens = version === 0;
    this.#exchange = beginExchange(mechanism);
    return { errorCode: errorCodes.NONE, mechanisms };
  }

  /** Rejects with a ProtocolError when it cannot be told now: clients connect again. */
  async authenticate(token: Uint8Array): Promise<SaslAnswer> {
    const exchange = this.#exchange;
    const mechanism = this.#mechanism;
    if (exchange === undefined || mechanism === undefined || this.#isOver) {
      if (this.#identity === undefined) this.#isOver = true;
      return refusal(
        errorCodes.ILLEGAL_SASL_STATE,
        this.#identity === undefined
          ? 'SaslHandshake comes before SaslAuthenticate.'
          : 'SaslAuthenticate request received after successful authentication',
      );
    }
    try {
      const step = await this.#step(exchange, token);
      const sessionLifetimeMs =
        'identity' in step ? this.#succeed(step.identity, mechanism, step.expiresMs) : 0;
      return {
        errorCode: errorCodes.NONE,
        errorMessage: null,
        authBytes: Buffer.from(step.reply, 'utf8'),
        sessionLifetimeMs,
      };
    } catch (error) {
      if (error instanceof BrokerError) {
        throw new ProtocolError(`login cannot be checked: ${error.message}`, { cause: error });
      }
      if (!(error instanceof LoginRefused)) throw error;
      return await this.#refuse(mechanism, error.message);
    }
  }

  /** For how long it holds; 0: without end. */
  #succeed(identity: Identity, mechanism: SaslMechanism, expiresMs: number | undefined): number {
    this.#identity = identity;
    this.#provedBy = mechanism;
    this.#exchange = undefined;
    const { reauthenticateMs, clock } = this.#policy;
    const asked = reauthenticateMs > 0 ? reauthenticateMs : Number.POSITIVE_INFINITY;
    const proved = expiresMs === undefined ? Number.POSITIVE_INFINITY : expiresMs - clock.nowMs();
    const lifetimeMs = Math.floor(Math.max(1, Math.min(asked, proved)));
    if (lifetimeMs === Number.POSITIVE_INFINITY) {
      this.#endsMs = Number.POSITIVE_INFINITY;
      return 0;
    }
    this.#endsMs = clock.monotonicMs() + lifetimeMs;
    return lifetimeMs;
  }

  async #refuse(mechanism: SaslMechanism, reason: string): Promise<SaslAnswer> {
    this.#isOver = true;
    this.#policy.log.warn({ remote: this.#peer.address, mechanism, reason }, 'login refused');
    await this.#peer.wait(limits.loginPenaltyMs);
    return refusal(
      errorCodes.SASL_AUTHENTICATION_FAILED,
      mechanism === 'PLAIN'
        ? 'Authentication failed: Invalid username or password'
        : `Authentication failed during authentication due to invalid credentials with SASL mechanism ${mechanism}`,
    );
  }

  #step(exchange: Exchange, token: Uint8Array): Step | Promise<Step> {
    switch (exchange.kind) {
      case 'plain':
        return this.#checkPassword(token);
      case 'scram-first':
        return this.#challenge(exchange.mechanism, token);
      case 'scram-final':
        return this.#checkProof(exchange, token);
      case 'token':
        return this.#checkToken(token);
      default:
        throw new LoginRefused(`token - ${exchange.reason}`);
    }
  }

  /** RFC 7628: a token that does not hold is answered with why, and only what the client says to that ends the login. */
  async #checkToken(message: Uint8Array): Promise<Step> {
    const bearer = readBearer(Buffer.from(message).toString('utf8'));
    const verifier = this.#policy.tokens;
    if (bearer === undefined || verifier === undefined) {
      throw new LoginRefused('the message is not one of OAUTHBEARER');
    }
    try {
      const { user, expiresMs } = await verifier.verify(bearer.token);
      checkAuthorizationId(bearer.authorizationId, user);
      return {
        identity: this.#admit(this.#policy.access().vouchedFor(user)),
        reply: '',
        expiresMs,
      };
    } catch (error) {
      if (!(error instanceof TokenRefused)) throw error;
      this.#exchange = { kind: 'token-refused', reason: error.message };
      return { reply: JSON.stringify({ status: 'invalid_token' }) };
    }
  }

  /** RFC 4616: whom to act as, the user and the password, with NUL before the last two. */
  async #checkPassword(token: Uint8Array): Promise<Step> {
    const parts = Buffer.from(token).toString('utf8').split('\0');
    const [authorizationId, user, password] = parts;
    if (
      parts.length !== 3 ||
      authorizationId === undefined ||
      user === undefined ||
      password === undefined
    ) {
      throw new LoginRefused('the token is not one of PLAIN');
    }
    checkAuthorizationId(authorizationId, user);
    const identity = await this.#policy.access().authenticate(user, password);
    if (identity === undefined) throw new LoginRefused(`user '${user}' - invalid credentials`);
    return { identity: this.#admit(identity), reply: '' };
  }

  #challenge(mechanism: ScramMechanism, token: Uint8Array): Step {
    const first = readScramFirst(Buffer.from(token).toString('utf8'));
    if (first === undefined || Buffer.byteLength(first.user) > limits.nameBytesMax) {
      throw new LoginRefused('the first message is not one of SCRAM');
    }
    checkAuthorizationId(first.authorizationId, first.user);
    const { random, secret } = this.#policy;
    const known = this.#policy.access().findScramKeys(first.user, mechanism);
    const keys = known ?? fakeScramKeys(mechanism, first.user, secret, usualIterations);
    const serverNonce = Buffer.from(random.nextBytes(18)).toString('base64');
    const exchange = new ScramExchange(mechanism, first, keys, serverNonce);
    this.#exchange = {
      kind: 'scram-final',
      mechanism,
      user: first.user,
      storedKey: known?.storedKey,
      exchange,
    };
    return { reply: exchange.firstMessage };
  }

  #checkProof(state: Extract<Exchange, { kind: 'scram-final' }>, token: Uint8Array): Step {
    const { user, mechanism, storedKey, exchange } = state;
    const reply = exchange.finish(Buffer.from(token).toString('utf8'));
    const access = this.#policy.access();
    const identity = access.identify(user);
    // The password may have been changed meanwhile.
    const isCurrent =
      storedKey !== undefined && access.findScramKeys(user, mechanism)?.storedKey === storedKey;
    if (reply === undefined || identity === undefined || !isCurrent) {
      throw new LoginRefused(`user '${user}' - invalid credentials`);
    }
    return { identity: this.#admit(identity), reply };
  }

  #admit(identity: Identity): Identity {
    if (!this.#peer.isTrusted && this.#policy.access().isLoopbackOnly(identity)) {
      throw new LoginRefused(`user '${identity.name}' can only connect via localhost`);
    }
    if (this.#provedBy !== undefined && this.#identity?.name !== identity.name) {
      throw new LoginRefused(
        `user '${this.#identity?.name ?? ''}' cannot become '${identity.name}' on one connection`,
      );
    }
    return { ...identity, host: this.#peer.address };
  }
}

function beginExchange(mechanism: SaslMechanism): Exchange {
  const scram = scramMechanisms[mechanism];
  if (scram !== undefined) return { kind: 'scram-first', mechanism: scram };
  return { kind: mechanism === 'OAUTHBEARER' ? 'token' : 'plain' };
}

function checkAuthorizationId(authorizationId: string, user: string): void {
  if (authorizationId === '' || authorizationId === user) return;
  throw new LoginRefused(`user '${user}' wants to act as '${authorizationId}'`);
}

function refusal(errorCode: number, errorMessage: string): SaslAnswer {
  return { errorCode, errorMessage, authBytes: nothing, sessionLifetimeMs: 0 };
}
