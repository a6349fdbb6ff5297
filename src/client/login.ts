import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { limits, preparePassword } from '../base/index.ts';

/** As Kafka names them. With PLAIN, whoever sees the network sees the password. */
export type LoginMechanism = 'SCRAM-SHA-512' | 'SCRAM-SHA-256' | 'PLAIN';

/** Who this client says it is. */
export interface Login {
  readonly mechanism: LoginMechanism;
  readonly user: string;
  readonly password: string;
}

/** The login failed. */
export class LoginFailed extends Error {
  override readonly name = 'LoginFailed';
}

/** Sends a token and resolves with the server's. */
export type TokenExchange = (token: Uint8Array) => Promise<Uint8Array>;

/**
 * Proves who this client is with the tokens of a SASL mechanism. Rejects with LoginFailed where the server does not prove
 * that it knows the user, too, and as `exchange`.
 */
export async function logIn(login: Login, exchange: TokenExchange): Promise<void> {
  const { mechanism, user, password } = login;
  if (mechanism === 'PLAIN') {
    await exchange(Buffer.from(`\0${user}\0${password}`));
  } else {
    const digest = mechanism === 'SCRAM-SHA-512' ? 'sha512' : 'sha256';
    await logInByScram(digest, user, password, exchange);
  }
}

/** Of other brokers; more would keep this process busy for seconds. */
const iterationsMax = 1_000_000;
/** This client offers no channel binding. */
const header = 'n,,';

/** SCRAM (RFC 5802, RFC 7677). */
async function logInByScram(
  digest: 'sha256' | 'sha512',
  user: string,
  password: string,
  exchange: TokenExchange,
): Promise<void> {
  const nonce = randomBytes(24).toString('base64url');
  const name = user.replaceAll('=', '=3D').replaceAll(',', '=2C');
  const firstBare = `n=${name},r=${nonce}`;
  const challenge = textOf(await exchange(Buffer.from(header + firstBare)));
  const match = /^r=(?<nonce>[^,]+),s=(?<salt>[\w+/=]+),i=(?<iterations>\d+)(?:,|$)/.exec(
    challenge,
  );
  const { nonce: bothNonces = '', salt = '', iterations: count = '0' } = match?.groups ?? {};
  const iterations = Number(count);
  if (!bothNonces.startsWith(nonce) || bothNonces === nonce)
    throw new LoginFailed('the server answered the login with what is not of the protocol');
  // With few, a server that only pretends to know the user could guess the password from the proof.
  if (iterations < limits.scramIterationsMin || iterations > iterationsMax)
    throw new LoginFailed(`the server asks for ${count} iterations of the password's digest`);
  const length = digest === 'sha512' ? 64 : 32;
  const key = await promisify(pbkdf2)(
    preparePassword(password),
    Buffer.from(salt, 'base64'),
    iterations,
    length,
    digest,
  );
  const mac = (secret: Uint8Array, text: string): Buffer =>
    createHmac(digest, secret).update(text).digest();
  const clientKey = mac(key, 'Client Key');
  const storedKey = createHash(digest).update(clientKey).digest();
  const finalBare = `c=${Buffer.from(header).toString('base64')},r=${bothNonces}`;
  const signed = `${firstBare},${challenge},${finalBare}`;
  const signature = mac(storedKey, signed);
  const proof = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] ?? 0)));
  const final = textOf(await exchange(Buffer.from(`${finalBare},p=${proof.toString('base64')}`)));
  const expected = mac(mac(key, 'Server Key'), signed);
  const given = Buffer.from(/^v=(?<value>[\w+/=]+)/.exec(final)?.groups?.['value'] ?? '', 'base64');
  if (given.length !== expected.length || !timingSafeEqual(given, expected))
    throw new LoginFailed(
      'the server could not prove that it knows the user: it may be another one',
    );
}

function textOf(token: Uint8Array): string {
  return Buffer.from(token).toString('utf8');
}
