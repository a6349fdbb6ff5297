import type { User } from '../../../broker/index.ts';
import { badRequest } from './api-error.ts';
import type { ApiContext } from './api.ts';
import { asInteger, asText, isObject, type JsonObject, tagsOf } from './body.ts';

/** RabbitMQ's names of hash functions, ours beside them. */
const algorithms: ReadonlyArray<readonly [theirs: string, ours: string]> = [
  ['rabbit_password_hashing_sha256', 'salted-sha256'],
  ['rabbit_password_hashing_sha512', 'salted-sha512'],
  ['rabbit_password_hashing_md5', 'salted-md5'],
];

/** Of a hash that RabbitMQ has no function for. Its text is shown in base64, as all hashes are. */
const ownAlgorithmPrefix = 'pabal_password_hashing_';

export function showUser({ name, tags, password, limits }: User): JsonObject {
  return { name, ...showPassword(password), tags, limits };
}

function showPassword(password: User['password']): JsonObject {
  if (password === undefined) {
    return { password_hash: '', hashing_algorithm: 'rabbit_password_hashing_sha256' };
  }
  const { algorithm, hash } = password;
  const known = algorithms.find(([, ours]) => ours === algorithm);
  if (known !== undefined) return { password_hash: hash, hashing_algorithm: known[0] };
  return {
    password_hash: Buffer.from(hash, 'utf8').toString('base64'),
    hashing_algorithm: `${ownAlgorithmPrefix}${algorithm}`,
  };
}

/**
 * Makes or changes a user as a request or a definitions file describes it; true when it is new. Without a word about a password
 * nobody can log in with one. Throws an ApiError.
 */
export async function putUser(
  { services }: ApiContext,
  name: string,
  body: JsonObject,
): Promise<boolean> {
  const { access } = services;
  const { tags: given, password, password_hash: hash, hashing_algorithm: algorithm } = body;
  if (given === undefined) throw badRequest('tags_not_present');
  const tags = tagsOf(given);
  if (password !== undefined && hash !== undefined) {
    throw badRequest('both_password_and_password_hash_are_provided');
  }
  const isNew = access.findUser(name) === undefined;
  if (typeof password === 'string' && password !== '') {
    await access.putUser({ name, tags, password });
  } else if (hash !== undefined && hash !== null && hash !== '') {
    const hashed = readHash(asText(hash, 'password_hash'), algorithm);
    await access.putUser({ name, tags, hashed });
  } else {
    await access.putUser({ name, tags, isPasswordRemoved: true });
  }
  const { limits } = body;
  if (isObject(limits) && Object.keys(limits).length > 0) {
    await access.setUserLimits(name, readLimits(limits));
  }
  return isNew;
}

function readHash(hash: string, algorithm: unknown): { algorithm: string; hash: string } {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(hash) || hash.length % 4 !== 0) {
    throw badRequest(['not_base64', hash]);
  }
  const bytes = Buffer.from(hash, 'base64');
  if (algorithm === undefined || algorithm === null) {
    // Before 3.6 files did not say it: only MD5 is that short.
    const isShort = bytes.length === saltedMd5Bytes;
    return { algorithm: isShort ? 'salted-md5' : 'salted-sha256', hash };
  }
  const name = asText(algorithm, 'hashing_algorithm');
  const known = algorithms.find(([theirs]) => theirs === name);
  if (known !== undefined) return { algorithm: known[1], hash };
  if (!name.startsWith(ownAlgorithmPrefix)) {
    throw badRequest(`the hashing algorithm ${name} is not known`);
  }
  return { algorithm: name.slice(ownAlgorithmPrefix.length), hash: bytes.toString('utf8') };
}

const saltedMd5Bytes = 20;

export const userLimitNames: ReadonlySet<string> = new Set(['max-connections', 'max-channels']);

export function readLimits(limits: JsonObject): Record<string, number> {
  const read: Record<string, number> = {};
  for (const [name, value] of Object.entries(limits)) {
    if (!userLimitNames.has(name)) {
      throw badRequest(
        `Unrecognised terms [{<<"${name}">>,${JSON.stringify(value)}}] in user-limits`,
      );
    }
    read[name] = asInteger(value, name);
  }
  return read;
}
