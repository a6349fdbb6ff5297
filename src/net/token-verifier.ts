import { constants, type KeyObject, verify, type VerifyKeyObjectInput } from 'node:crypto';
import { type Clock, limits } from '../base/index.ts';
import type { KeySet } from './key-set.ts';

/** What tokens must say, beside being signed and in time. */
export interface TokenRules {
  /** The claim `iss`; undefined: any. */
  readonly issuer: string | undefined;
  /** One of the claim `aud`; undefined: any. */
  readonly audience: string | undefined;
  /** The claim that names the user. */
  readonly userClaim: string;
}

/** What a token that holds says. */
export interface VerifiedToken {
  readonly user: string;
  /** By the clock of the day. */
  readonly expiresMs: number;
}

/** Why a token does not hold. */
export class TokenRefused extends Error {
  override readonly name = 'TokenRefused';
}

interface Algorithm {
  readonly digest: string | null;
  readonly keyType: string;
  readonly curve?: string;
  readonly options: Omit<VerifyKeyObjectInput, 'key'>;
}

const pss = {
  padding: constants.RSA_PKCS1_PSS_PADDING,
  saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
} as const;
const joined = { dsaEncoding: 'ieee-p1363' } as const;

/** RFC 7518 §3, RFC 8037: signatures only; a token cannot choose to have none, or to be signed with a public key. */
const algorithms = new Map<string, Algorithm>([
  ['RS256', { digest: 'sha256', keyType: 'rsa', options: {} }],
  ['RS384', { digest: 'sha384', keyType: 'rsa', options: {} }],
  ['RS512', { digest: 'sha512', keyType: 'rsa', options: {} }],
  ['PS256', { digest: 'sha256', keyType: 'rsa', options: pss }],
  ['PS384', { digest: 'sha384', keyType: 'rsa', options: pss }],
  ['PS512', { digest: 'sha512', keyType: 'rsa', options: pss }],
  ['ES256', { digest: 'sha256', keyType: 'ec', curve: 'prime256v1', options: joined }],
  ['ES384', { digest: 'sha384', keyType: 'ec', curve: 'secp384r1', options: joined }],
  ['ES512', { digest: 'sha512', keyType: 'ec', curve: 'secp521r1', options: joined }],
  ['EdDSA', { digest: null, keyType: 'ed25519', options: {} }],
]);

/** Checks JSON Web Tokens (RFC 7519) that others have signed. */
export class TokenVerifier {
  readonly #keys: KeySet;
  readonly #clock: Clock;
  readonly #rules: TokenRules;

  constructor(keys: KeySet, clock: Clock, rules: TokenRules) {
    this.#keys = keys;
    this.#clock = clock;
    this.#rules = rules;
  }

  /** Rejects with TokenRefused. */
  async verify(token: string): Promise<VerifiedToken> {
    const parts = token.split('.');
    const [header, payload, signature] = parts;
    if (parts.length !== 3 || header === undefined || payload === undefined) {
      throw new TokenRefused('it is no signed token');
    }
    const { alg, kid, crit } = readPart(header);
    const algorithm = typeof alg === 'string' ? algorithms.get(alg) : undefined;
    if (typeof alg !== 'string' || algorithm === undefined) {
      throw new TokenRefused(`the algorithm ${String(alg)} is not believed`);
    }
    // RFC 7515 §4.1.11: extensions that must be understood, and are not.
    if (crit !== undefined) throw new TokenRefused('it has critical extensions');
    const found = await this.#keys.find(typeof kid === 'string' ? kid : undefined);
    const signed = Buffer.from(`${header}.${payload}`, 'latin1');
    const bytes = Buffer.from(signature ?? '', 'base64url');
    const isSigned = found.some(
      ({ key, algorithm: only }) =>
        (only === undefined || only === alg) && isSignedBy(key, algorithm, signed, bytes),
    );
    if (!isSigned) throw new TokenRefused('no known key has signed it');
    return this.#checkClaims(readPart(payload));
  }

  #checkClaims(claims: Record<string, unknown>): VerifiedToken {
    const { issuer, audience, userClaim } = this.#rules;
    const { exp, nbf, iss, aud } = claims;
    const nowMs = this.#clock.nowMs();
    if (typeof exp !== 'number' || !Number.isFinite(exp)) {
      throw new TokenRefused('it does not say when it expires');
    }
    const expiresMs = Math.min(exp * 1000, Number.MAX_SAFE_INTEGER);
    if (expiresMs + limits.tokenClockSkewMs <= nowMs) throw new TokenRefused('it has expired');
    if (nbf !== undefined) {
      const isYetToCome = typeof nbf !== 'number' || nbf * 1000 - limits.tokenClockSkewMs > nowMs;
      if (isYetToCome) throw new TokenRefused('it does not hold yet');
    }
    if (issuer !== undefined && iss !== issuer) throw new TokenRefused('the issuer is another');
    const audiences: unknown[] = Array.isArray(aud) ? aud : [aud];
    if (audience !== undefined && !audiences.includes(audience)) {
      throw new TokenRefused('it is meant for others');
    }
    const user = claims[userClaim];
    if (typeof user !== 'string' || user === '' || Buffer.byteLength(user) > limits.nameBytesMax) {
      throw new TokenRefused(`the claim ${userClaim} names no user`);
    }
    return { user, expiresMs };
  }
}

function readPart(text: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch (error) {
    throw new TokenRefused('a part of it is not JSON', { cause: error });
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new TokenRefused('a part of it is no object');
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an object of JSON
  return parsed as Record<string, unknown>;
}

function isSignedBy(
  key: KeyObject,
  algorithm: Algorithm,
  signed: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (key.asymmetricKeyType !== algorithm.keyType) return false;
  const { curve } = algorithm;
  if (curve !== undefined && key.asymmetricKeyDetails?.namedCurve !== curve) return false;
  return verify(algorithm.digest, signed, { key, ...algorithm.options }, signature);
}
