import { createHash, generateKeyPair, type KeyObject, sign } from 'node:crypto';
import { promisify } from 'node:util';
import type { Clock } from '../../../base/index.ts';
import { renderCertificate } from './certificate.ts';

interface Identity {
  readonly privateKey: KeyObject;
  /** Of the certificate: `SimpleNotificationService-….pem`. */
  readonly fileName: string;
  readonly certificate: string;
}

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

/**
 * Signs envelopes with a key of this process, whose certificate anybody can fetch. The key is made when it is needed first;
 * after a restart there is another one, and older envelopes can no longer be verified.
 */
export class Signer {
  readonly #clock: Clock;
  #identity: Promise<Identity> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** In libuv's pool: a signature takes about a millisecond. `version` 1 hashes with SHA-1, 2 with SHA-256. */
  async sign(signed: Signed, version: string): Promise<Signature> {
    this.#identity ??= this.#makeIdentity();
    const { privateKey, fileName } = await this.#identity;
    const algorithm = version === '2' ? 'sha256' : 'sha1';
    const bytes = await signBytes(algorithm, Buffer.from(canonicalText(signed)), privateKey);
    return { text: bytes.toString('base64'), certificateName: fileName };
  }

  /** PEM; undefined for a name that no envelope of this process had. */
  async findCertificate(fileName: string): Promise<string | undefined> {
    const identity = await this.#identity;
    return identity?.fileName === fileName ? identity.certificate : undefined;
  }

  async #makeIdentity(): Promise<Identity> {
    const { privateKey, publicKey } = await makeKeys('rsa', { modulusLength: 2048 });
    const der = publicKey.export({ type: 'spki', format: 'der' });
    const certificate = renderCertificate(der, privateKey, this.#clock.nowMs());
    const hash = createHash('sha256').update(certificate).digest('hex').slice(0, 32);
    return { privateKey, certificate, fileName: `SimpleNotificationService-${hash}.pem` };
  }
}

const makeKeys = promisify(generateKeyPair);

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
