import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { type Clock, limits } from '../base/index.ts';
import type { Log } from './log.ts';

/** A public key that signs tokens (RFC 7517). */
export interface TokenKey {
  readonly key: KeyObject;
  readonly id: string | undefined;
  /** The only algorithm that it may be used for, if it says so. */
  readonly algorithm: string | undefined;
}

const rsaBitsMin = 2048;

/**
 * The keys of whoever issues tokens. They are read again when one is asked for that is not there, but not all the time, and
 * every few minutes, so that a key that was taken back is believed no longer. While they cannot be read the last ones hold.
 */
export class KeySet {
  readonly #load: () => Promise<string>;
  readonly #clock: Clock;
  readonly #log: Log;
  #keys: readonly TokenKey[] = [];
  #triedMs = Number.NEGATIVE_INFINITY;
  #loading: Promise<void> | undefined;

  /** `load` gives the text of a JSON Web Key Set. */
  constructor(load: () => Promise<string>, clock: Clock, log: Log) {
    this.#load = load;
    this.#clock = clock;
    this.#log = log;
  }

  /** Rejects when the keys cannot be read, or none of them is of use. */
  async open(): Promise<void> {
    this.#triedMs = this.#clock.monotonicMs();
    this.#keys = parseKeySet(await this.#load());
  }

  /** Those with this id; without an id all. */
  async find(id: string | undefined): Promise<readonly TokenKey[]> {
    const ageMs = this.#clock.monotonicMs() - this.#triedMs;
    let found = this.#pick(id);
    if (found.length === 0) {
      if (ageMs >= limits.tokenKeysRetryMs || this.#loading !== undefined) await this.#refresh();
      found = this.#pick(id);
    } else if (ageMs >= limits.tokenKeysRefreshMs) {
      void this.#refresh();
    }
    return found;
  }

  #pick(id: string | undefined): readonly TokenKey[] {
    return id === undefined ? this.#keys : this.#keys.filter((key) => key.id === id);
  }

  #refresh(): Promise<void> {
    this.#loading ??= this.open()
      .catch((error: unknown) => {
        this.#log.warn({ err: error }, 'the keys of tokens cannot be read; the last ones hold');
      })
      .finally(() => {
        this.#loading = undefined;
      });
    return this.#loading;
  }
}

/** Throws an Error that says what is wrong. Keys of kinds that are not for signatures, or too weak, are passed over. */
export function parseKeySet(text: string): TokenKey[] {
  if (Buffer.byteLength(text) > limits.tokenKeysBytesMax) {
    throw new Error(`a key set has at most ${limits.tokenKeysBytesMax} bytes`);
  }
  const parsed: unknown = JSON.parse(text);
  const list = isObject(parsed) ? parsed['keys'] : undefined;
  if (!Array.isArray(list)) throw new Error('it is no JSON Web Key Set: `keys` is not a list');
  const keys: TokenKey[] = [];
  for (const item of list.slice(0, limits.tokenKeysMax)) {
    const key = isObject(item) ? readKey(item) : undefined;
    if (key !== undefined) keys.push(key);
  }
  if (keys.length === 0) throw new Error('the key set has no key that signs tokens');
  return keys;
}

function readKey(item: Record<string, unknown>): TokenKey | undefined {
  const { kty, use, kid, alg } = item;
  // Symmetric keys are no public keys, and one of them here would let anybody who reads the set sign.
  if (kty !== 'RSA' && kty !== 'EC' && kty !== 'OKP') return undefined;
  if (use !== undefined && use !== 'sig') return undefined;
  let key: KeyObject;
  try {
    // Only the public half is wanted, whatever else is there. Node checks the parts.
    const { n, e, crv, x, y } = item;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Node refuses what is no key
    const jwk = withoutUndefined({ kty, n, e, crv, x, y }) as JsonWebKey;
    key = createPublicKey({ format: 'jwk', key: jwk });
  } catch {
    return undefined;
  }
  const bits = key.asymmetricKeyDetails?.modulusLength;
  if (key.asymmetricKeyType === 'rsa' && (bits === undefined || bits < rsaBitsMin)) {
    return undefined;
  }
  return {
    key,
    id: typeof kid === 'string' ? kid : undefined,
    algorithm: typeof alg === 'string' ? alg : undefined,
  };
}

function withoutUndefined(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
