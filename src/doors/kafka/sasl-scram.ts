import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { ScramKeys, ScramMechanism } from '../../broker/index.ts';

/*
 * The server's side of SCRAM (RFC 5802, RFC 7677), without channel binding: clients of Kafka offer none.
 */

/** Node's name of the digest, and its length. */
const digests = {
  'sha-256': { name: 'sha256', bytes: 32 },
  'sha-512': { name: 'sha512', bytes: 64 },
} as const satisfies Record<ScramMechanism, { name: string; bytes: number }>;

export interface ScramFirst {
  readonly user: string;
  /** Says whom to act as; '' : oneself. */
  readonly authorizationId: string;
  /** The message without its header, and the header. */
  readonly bare: string;
  readonly header: string;
  readonly nonce: string;
}

/** The client's first message; undefined when it is none. */
export function readScramFirst(message: string): ScramFirst | undefined {
  // A letter `p` asks for channel binding, `m=` for an extension that must be understood: neither is matched.
  const match =
    /^(?<header>[ny],(?:a=(?<authorization>[^,]+))?,)(?<bare>n=(?<user>[^,]+),r=(?<nonce>[!-+\--~]+)(?:,[a-z]+=[^,]*)*)$/s.exec(
      message,
    );
  if (match?.groups === undefined) return undefined;
  const { header = '', authorization = '', bare = '', user = '', nonce = '' } = match.groups;
  const name = readName(user);
  const authorizationId = readName(authorization);
  if (name === undefined || authorizationId === undefined) return undefined;
  return { user: name, authorizationId, bare, header, nonce };
}

/** One exchange, from the server's first message on. */
export class ScramExchange {
  readonly firstMessage: string;
  readonly #mechanism: ScramMechanism;
  readonly #first: ScramFirst;
  readonly #keys: ScramKeys;
  readonly #nonce: string;

  /** `serverNonce` are printable characters without a comma. */
  constructor(mechanism: ScramMechanism, first: ScramFirst, keys: ScramKeys, serverNonce: string) {
    this.#mechanism = mechanism;
    this.#first = first;
    this.#keys = keys;
    this.#nonce = `${first.nonce}${serverNonce}`;
    this.firstMessage = `r=${this.#nonce},s=${keys.salt},i=${keys.iterations}`;
  }

  /** The server's final message; undefined when the client has not proved that it knows the password. */
  finish(message: string): string | undefined {
    const match =
      /^(?<bare>c=(?<binding>[\w+/=]+),r=(?<nonce>[!-+\--~]+)),p=(?<proof>[\w+/=]+)$/.exec(message);
    if (match?.groups === undefined) return undefined;
    const { bare = '', binding = '', nonce = '', proof = '' } = match.groups;
    // librdkafka before 2.2 repeats its own nonce in front of the one that it was given; what is proved stays the same.
    if (!nonce.endsWith(this.#nonce)) return undefined;
    if (Buffer.from(binding, 'base64').toString('utf8') !== this.#first.header) return undefined;
    const digest = digests[this.#mechanism];
    const given = Buffer.from(proof, 'base64');
    if (given.length !== digest.bytes) return undefined;
    const signed = `${this.#first.bare},${this.firstMessage},${bare}`;
    const storedKey = Buffer.from(this.#keys.storedKey, 'base64');
    const clientSignature = createHmac(digest.name, storedKey).update(signed).digest();
    const clientKey = given.map((byte, index) => byte ^ clientSignature[index]!);
    const found = createHash(digest.name).update(clientKey).digest();
    if (found.length !== storedKey.length || !timingSafeEqual(found, storedKey)) return undefined;
    const serverKey = Buffer.from(this.#keys.serverKey, 'base64');
    return `v=${createHmac(digest.name, serverKey).update(signed).digest('base64')}`;
  }
}

/**
 * Keys for a user who has none, always the same for a name, so that nobody learns from them who exists. Nothing fits
 * them.
 */
export function fakeScramKeys(
  mechanism: ScramMechanism,
  user: string,
  secret: Uint8Array,
  iterations: number,
): ScramKeys {
  const { name } = digests[mechanism];
  const derive = (what: string): Buffer =>
    createHmac(name, secret).update(`${what} ${mechanism} ${user}`).digest();
  return {
    salt: derive('salt').subarray(0, 16).toString('base64'),
    iterations,
    storedKey: derive('stored key').toString('base64'),
    serverKey: derive('server key').toString('base64'),
  };
}

/** Commas and equal signs are written as `=2C` and `=3D`; anything else behind an equal sign is no name. */
function readName(text: string): string | undefined {
  if (/=(?!2C|3D)/.test(text)) return undefined;
  return text.replaceAll('=2C', ',').replaceAll('=3D', '=');
}
