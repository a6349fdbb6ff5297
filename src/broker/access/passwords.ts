import { createHash, createHmac, pbkdf2, scrypt, timingSafeEqual } from 'node:crypto';
import { BrokerError, limits, preparePassword, type Random } from '../../base/index.ts';
import type { ScramKeys, ScramMechanism } from '../ports/index.ts';

/*
 * How passwords are stored. New ones: algorithm `scrypt`, hash `log2(N)$r$p$salt$key`, salt and key as base64. Hashes from
 * elsewhere: `salted-sha256`, `salted-sha512`, `salted-md5`: base64 of four bytes of salt and the digest of salt and
 * password. All are over the password's UTF-8.
 */

export interface StoredPassword {
  readonly algorithm: string;
  readonly hash: string;
}

/** What a user can be proved by. */
export interface StoredCredentials {
  /** Absent where only what is derived from a password for `scram` is known. */
  readonly password?: StoredPassword | undefined;
  /** Absent where only a hash is known. */
  readonly scram?: Readonly<Partial<Record<ScramMechanism, ScramKeys>>>;
}

const costLog2 = 14;
const blockSize = 8;
const parallelism = 1;
const keyBytes = 32;
const scramIterations = 8192;
/** A stored cost beyond it is not one of ours. */
const costLog2Max = 20;
const saltedDigests: Readonly<Record<string, { digest: string; bytes: number }>> = {
  'salted-sha256': { digest: 'sha256', bytes: 32 },
  'salted-sha512': { digest: 'sha512', bytes: 64 },
  'salted-md5': { digest: 'md5', bytes: 16 },
};
const scramDigests = { 'sha-256': 'sha256', 'sha-512': 'sha512' } as const;
const scramKeyBytes = { 'sha-256': 32, 'sha-512': 64 } as const;
const saltedSaltBytes = 4;

/** Hashes and checks passwords on other threads, so that the broker goes on meanwhile. */
export class Passwords {
  readonly #random: Random;
  #running = 0;
  /** In order; each is called when it may run. */
  readonly #waiting: Array<() => void> = [];

  constructor(random: Random) {
    this.#random = random;
  }

  /** Everything that is stored of a new password. Rejects: overloaded. */
  async derive(password: string): Promise<StoredCredentials> {
    const salt = this.#random.nextBytes(16);
    return this.#run(async () => {
      const key = await scryptOf(password, salt, costLog2, blockSize, parallelism, keyBytes);
      const fields = [costLog2, blockSize, parallelism, base64(salt), base64(key)];
      return {
        password: { algorithm: 'scrypt', hash: fields.join('$') },
        scram: {
          'sha-256': await scramKeys('sha-256', password, this.#random.nextBytes(16)),
          'sha-512': await scramKeys('sha-512', password, this.#random.nextBytes(16)),
        },
      };
    });
  }

  /**
   * Whether the password is the one that is stored; undefined: there is none, which takes as long as a new one. Rejects:
   * overloaded.
   */
  async verify(credentials: StoredCredentials | undefined, password: string): Promise<boolean> {
    const stored = credentials?.password;
    const scram = credentials?.scram;
    if (stored === undefined && scram !== undefined) return this.#verifyScram(scram, password);
    const salted = stored === undefined ? undefined : saltedDigests[stored.algorithm];
    if (stored !== undefined && salted !== undefined) {
      return verifySalted(stored.hash, salted.digest, password);
    }
    const parsed = stored?.algorithm === 'scrypt' ? parseScrypt(stored.hash) : undefined;
    const { cost, block, parallel, salt, key } = parsed ?? nobody;
    return this.#run(async () => {
      const found = await scryptOf(password, salt, cost, block, parallel, key.length);
      return parsed !== undefined && timingSafeEqual(found, key);
    });
  }

  /** It is right if any of the keys was derived from it. */
  #verifyScram(scram: NonNullable<StoredCredentials['scram']>, password: string): Promise<boolean> {
    return this.#run(async () => {
      for (const mechanism of ['sha-256', 'sha-512'] as const) {
        const keys = scram[mechanism];
        if (keys === undefined) continue;
        const salt = Buffer.from(keys.salt, 'base64');
        const salted = await saltPassword(mechanism, password, salt, keys.iterations);
        const expected = Buffer.from(keys.storedKey, 'base64');
        const found = Buffer.from(keysOf(mechanism, salted).storedKey, 'base64');
        if (found.length === expected.length && timingSafeEqual(found, expected)) return true;
      }
      return false;
    });
  }

  /** Few run at once: they share their threads with the writes of the journal, which must not wait for them. */
  async #run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= limits.passwordChecksAtOnce) {
      if (this.#waiting.length >= limits.passwordChecksMax) {
        throw new BrokerError('overloaded', 'too many passwords are being checked');
      }
      // Whoever ends hands its place over.
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      this.#running++;
    }
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}

/** Throws config-invalid for a hash that no password could be checked against. */
export function checkStoredPassword({ algorithm, hash }: StoredPassword): void {
  const salted = saltedDigests[algorithm];
  if (salted !== undefined) {
    const bytes = Buffer.from(hash, 'base64').length;
    if (bytes === saltedSaltBytes + salted.bytes) return;
  } else if (algorithm === 'scrypt') {
    if (parseScrypt(hash) !== undefined) return;
  } else {
    const known = ['scrypt', ...Object.keys(saltedDigests)].join(', ');
    throw new BrokerError('config-invalid', `passwords are hashed by one of ${known}`);
  }
  throw new BrokerError('config-invalid', `the hash is not one of ${algorithm}`);
}

/** Throws config-invalid. */
export function checkNewPassword(password: string): void {
  const bytes = Buffer.byteLength(password);
  if (bytes === 0) throw new BrokerError('config-invalid', 'a password cannot be empty');
  if (bytes > limits.passwordBytesMax) {
    throw new BrokerError(
      'config-invalid',
      `a password has at most ${limits.passwordBytesMax} bytes`,
    );
  }
}

interface ScryptHash {
  cost: number;
  block: number;
  parallel: number;
  salt: Uint8Array;
  key: Uint8Array;
}

/** Stands for a user that does not exist, so that the answer takes as long as for one who does. */
const nobody: ScryptHash = {
  cost: costLog2,
  block: blockSize,
  parallel: parallelism,
  salt: new Uint8Array(16),
  key: new Uint8Array(keyBytes),
};

function parseScrypt(hash: string): ScryptHash | undefined {
  const match = /^(\d{1,2})\$(\d{1,2})\$(\d{1,2})\$([\w+/=]{1,200})\$([\w+/=]{1,200})$/.exec(hash);
  if (match === null) return undefined;
  const [cost, block, parallel] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const salt = Buffer.from(match[4] ?? '', 'base64');
  const key = Buffer.from(match[5] ?? '', 'base64');
  // 128 MiB and a second or two at most, whatever somebody stores.
  const isUsual = cost >= 1 && cost <= costLog2Max && block >= 1 && parallel >= 1 && parallel <= 16;
  if (!isUsual || 2 ** cost * block > 2 ** 20 || key.length < 16) return undefined;
  return { cost, block, parallel, salt, key };
}

function scryptOf(
  password: string,
  salt: Uint8Array,
  cost: number,
  block: number,
  parallel: number,
  length: number,
): Promise<Buffer> {
  const N = 2 ** cost;
  // 128 × N × r for the work, and some for the rest (RFC 7914).
  const maxmem = 128 * N * block + 1024 * 1024 * parallel;
  return new Promise((done, failed) => {
    scrypt(password, salt, length, { N, r: block, p: parallel, maxmem }, (error, key) => {
      if (error === null) done(key);
      else failed(error);
    });
  });
}

function verifySalted(hash: string, digest: string, password: string): boolean {
  const bytes = Buffer.from(hash, 'base64');
  const salt = bytes.subarray(0, saltedSaltBytes);
  const found = createHash(digest).update(salt).update(password, 'utf8').digest();
  const expected = bytes.subarray(saltedSaltBytes);
  return found.length === expected.length && timingSafeEqual(found, expected);
}

async function scramKeys(
  mechanism: ScramMechanism,
  password: string,
  salt: Uint8Array,
): Promise<ScramKeys> {
  const salted = await saltPassword(mechanism, password, salt, scramIterations);
  return { salt: base64(salt), iterations: scramIterations, ...keysOf(mechanism, salted) };
}

function saltPassword(
  mechanism: ScramMechanism,
  password: string,
  salt: Uint8Array,
  iterations: number,
): Promise<Buffer> {
  const digest = scramDigests[mechanism];
  const length = scramKeyBytes[mechanism];
  return new Promise((done, failed) => {
    pbkdf2(preparePassword(password), salt, iterations, length, digest, (error, key) => {
      if (error === null) done(key);
      else failed(error);
    });
  });
}

/** RFC 5802 §3: what a server keeps instead of a password. */
function keysOf(
  mechanism: ScramMechanism,
  salted: Uint8Array,
): { storedKey: string; serverKey: string } {
  const digest = scramDigests[mechanism];
  const clientKey = createHmac(digest, salted).update('Client Key').digest();
  return {
    storedKey: createHash(digest).update(clientKey).digest('base64'),
    serverKey: createHmac(digest, salted).update('Server Key').digest('base64'),
  };
}

/** Throws config-invalid for keys that nobody could be proved by, or that would take too long. */
export function checkScramKeys(mechanism: ScramMechanism, keys: ScramKeys): void {
  const { salt, iterations, storedKey, serverKey } = keys;
  const bytes = scramKeyBytes[mechanism];
  for (const key of [storedKey, serverKey]) {
    if (Buffer.from(key, 'base64').length === bytes) continue;
    throw new BrokerError('config-invalid', `a key of ${mechanism} has ${bytes} bytes`);
  }
  const saltBytes = Buffer.from(salt, 'base64').length;
  if (saltBytes < 1 || saltBytes > limits.passwordBytesMax) {
    throw new BrokerError('config-invalid', 'the salt is empty or too long');
  }
  const { scramIterationsMin, scramIterationsMax } = limits;
  if (iterations >= scramIterationsMin && iterations <= scramIterationsMax) return;
  throw new BrokerError(
    'config-invalid',
    `there are ${scramIterationsMin} to ${scramIterationsMax} iterations`,
  );
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
