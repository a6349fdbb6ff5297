import { type KeyObject, sign } from 'node:crypto';
import type { Clock } from '../../../base/index.ts';
import type { Log } from '../../../net/index.ts';
import {
  makeIdentity,
  readIdentity,
  type SigningIdentity,
  writeIdentity,
} from './signing-identity.ts';

export interface Signature {
  readonly text: string;
  readonly certificateName: string;
}

/** What is signed: members in the order of their names, as the service documents it. */
export interface Signed {
  readonly message: string;
  readonly messageId: string;
  readonly subject: string | undefined;
  /** As it is written in the envelope. */
  readonly timestamp: string;
  readonly topicArn: string;
}

interface SignerServices {
  readonly clock: Clock;
  readonly log: Log;
  /** Where the key is kept; undefined: nowhere. */
  readonly signingKeyFile: string | undefined;
}

/**
 * Signs envelopes with a key whose certificate anybody can fetch. The key is made when it is needed first and kept in a file:
 * an envelope may be looked at long after it was signed, by another process. Where it cannot be kept it is this process' own.
 */
export class Signer {
  readonly #services: SignerServices;
  #identity: Promise<SigningIdentity> | undefined;

  constructor(services: SignerServices) {
    this.#services = services;
  }

  /** In libuv's pool: a signature takes about a millisecond. `version` 1 hashes with SHA-1, 2 with SHA-256. */
  async sign(signed: Signed, version: string): Promise<Signature> {
    this.#identity ??= this.#open();
    const { privateKey, fileName } = await this.#identity;
    const algorithm = version === '2' ? 'sha256' : 'sha1';
    const bytes = await signBytes(algorithm, Buffer.from(canonicalText(signed)), privateKey);
    return { text: bytes.toString('base64'), certificateName: fileName };
  }

  /** PEM; undefined for a name that no envelope had. */
  async findCertificate(fileName: string): Promise<string | undefined> {
    const identity = this.#identity === undefined ? await this.#find() : await this.#identity;
    return identity?.fileName === fileName ? identity.certificate : undefined;
  }

  async #open(): Promise<SigningIdentity> {
    const found = await this.#find();
    if (found !== undefined) return found;
    const { clock, log, signingKeyFile } = this.#services;
    const identity = await makeIdentity(clock.nowMs());
    if (signingKeyFile === undefined) return identity;
    try {
      await writeIdentity(signingKeyFile, identity);
    } catch (err) {
      log.warn({ err, file: signingKeyFile }, "the key of topics' signatures could not be kept");
    }
    return identity;
  }

  async #find(): Promise<SigningIdentity | undefined> {
    const { clock, log, signingKeyFile } = this.#services;
    if (signingKeyFile === undefined) return undefined;
    try {
      return await readIdentity(signingKeyFile, clock.nowMs());
    } catch (err) {
      log.warn({ err, file: signingKeyFile }, "the key of topics' signatures could not be read");
      return undefined;
    }
  }
}

function signBytes(algorithm: string, bytes: Buffer, key: KeyObject): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    sign(algorithm, bytes, key, (error, signature) => {
      if (error === null) resolve(signature);
      else reject(error);
    });
  });
}

function canonicalText({ message, messageId, subject, timestamp, topicArn }: Signed): string {
  const members = [
    ['Message', message],
    ['MessageId', messageId],
    ['Subject', subject],
    ['Timestamp', timestamp],
    ['TopicArn', topicArn],
    ['Type', 'Notification'],
  ];
  return members
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}\n${value}\n`)
    .join('');
}
