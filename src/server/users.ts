import { readFile } from 'node:fs/promises';
import { BrokerError } from '../base/index.ts';
import type { AccessPort } from '../broker/index.ts';
import { StartFailure } from './failure.ts';
import type { Kind } from './kind.ts';

/** A user as the configuration gives it. */
export interface ConfiguredUser {
  readonly name: string;
  /** At most one of the three; none: nobody logs in with a password, unless it has one already. */
  readonly password?: string;
  /** Its content, without the last line feed, is the password. */
  readonly passwordFile?: string;
  readonly passwordHash?: { readonly algorithm: string; readonly hash: string };
  readonly tags: readonly string[];
  /** Absent: left as they are. */
  readonly permissions?: readonly ConfiguredPermission[];
}

interface ConfiguredPermission {
  /** `/` is the default namespace. */
  readonly namespace: string;
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

/** A list of users; as text, JSON of it. What is wrong is told without its value: there may be a password in it. */
export function userList(): Kind<readonly ConfiguredUser[]> {
  return {
    hint: '<json>',
    parse: (text) => readUsers(parseJson(text)),
    read: readUsers,
    print: (users) => users.map(({ name }) => name).join(','),
  };
}

/**
 * Makes the users as they are configured, where they are not so already; others are left alone. Rejects with a
 * StartFailure.
 */
export async function applyUsers(
  access: AccessPort,
  users: readonly ConfiguredUser[],
): Promise<void> {
  for (const user of users) {
    try {
      await applyUser(access, user);
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      throw new StartFailure(`users: ${user.name}: ${error.message}`, 1, { cause: error });
    }
  }
}

async function applyUser(access: AccessPort, user: ConfiguredUser): Promise<void> {
  const { name, tags, passwordHash, permissions = [] } = user;
  const password = await passwordOf(user);
  const known = access.findUser(name);
  const isAsIs =
    known !== undefined &&
    hasSame(known.tags, tags) &&
    (password === undefined || (await access.authenticate(name, password)) !== undefined) &&
    (passwordHash === undefined || known.password?.hash === passwordHash.hash);
  if (!isAsIs) {
    await access.putUser({
      name,
      tags,
      ...(password === undefined ? {} : { password }),
      ...(passwordHash === undefined ? {} : { hashed: passwordHash }),
    });
  }
  for (const { namespace: shown, configure, write, read } of permissions) {
    const namespace = shown === '/' ? '' : shown;
    if (access.findNamespace(namespace) === undefined) {
      await access.putNamespace({
        name: namespace,
        description: '',
        tags: [],
        attributes: {},
        limits: {},
      });
    }
    const [now] = access.listPermissions({ user: name, namespace });
    if (now?.configure === configure && now.write === write && now.read === read) continue;
    await access.putPermission({ user: name, namespace, configure, write, read });
  }
}

async function passwordOf(user: ConfiguredUser): Promise<string | undefined> {
  if (user.passwordFile === undefined) return user.password;
  try {
    return (await readFile(user.passwordFile, 'utf8')).replace(/\r?\n$/, '');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartFailure(`users: ${user.name}: cannot read the password file: ${reason}`, 1, {
      cause: error,
    });
  }
}

function hasSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((tag) => b.includes(tag));
}

const userKeys = ['name', 'password', 'passwordFile', 'passwordHash', 'tags', 'permissions'];
const permissionKeys = ['namespace', 'configure', 'write', 'read'];

function readUsers(value: unknown): ConfiguredUser[] {
  return asArray(value, 'users').map(readUser);
}

function readUser(value: unknown, index: number): ConfiguredUser {
  const where = `users[${index}]`;
  const object = asObject(value, where, userKeys);
  const name = asText(object['name'], `${where}.name`);
  const given = ['password', 'passwordFile', 'passwordHash'].filter(
    (key) => object[key] !== undefined,
  );
  if (given.length > 1) throw new StartFailure(`${where}: has both ${given.join(' and ')}`);
  const { password, passwordFile, passwordHash, tags, permissions } = object;
  return {
    name,
    tags: tags === undefined ? [] : asArray(tags, `${where}.tags`).map(asTag),
    ...(password === undefined ? {} : { password: asText(password, `${where}.password`) }),
    ...(passwordFile === undefined
      ? {}
      : { passwordFile: asText(passwordFile, `${where}.passwordFile`) }),
    ...(passwordHash === undefined
      ? {}
      : { passwordHash: readHash(passwordHash, `${where}.passwordHash`) }),
    ...(permissions === undefined
      ? {}
      : {
          permissions: asArray(permissions, `${where}.permissions`).map((permission, at) =>
            readPermission(permission, `${where}.permissions[${at}]`),
          ),
        }),
  };
}

function readHash(value: unknown, where: string): { algorithm: string; hash: string } {
  const object = asObject(value, where, ['algorithm', 'hash']);
  return {
    algorithm: asText(object['algorithm'], `${where}.algorithm`),
    hash: asText(object['hash'], `${where}.hash`),
  };
}

function readPermission(value: unknown, where: string): ConfiguredPermission {
  const object = asObject(value, where, permissionKeys);
  const pattern = (key: string): string => {
    const text = object[key] ?? '';
    if (typeof text !== 'string') throw new StartFailure(`${where}.${key}: expected a text`);
    return text;
  };
  return {
    namespace: asText(object['namespace'] ?? '/', `${where}.namespace`),
    configure: pattern('configure'),
    write: pattern('write'),
    read: pattern('read'),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new StartFailure('users: expected JSON: a list of objects', 1, { cause: error });
  }
}

function asArray(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new StartFailure(`${where}: expected a list`);
  return value;
}

function asObject(
  value: unknown,
  where: string,
  keys: readonly string[],
): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new StartFailure(`${where}: expected an object with ${keys.join(', ')}`);
  }
  const unknown = Object.keys(value).find((key) => !keys.includes(key));
  if (unknown !== undefined) {
    throw new StartFailure(`${where}: unknown key "${unknown}"; there are: ${keys.join(', ')}`);
  }
  return { ...value };
}

function asText(value: unknown, where: string): string {
  if (typeof value !== 'string' || value === '') {
    throw new StartFailure(`${where}: expected a text; in YAML, put quotes around numbers`);
  }
  return value;
}

function asTag(value: unknown, index: number): string {
  return asText(value, `tags[${index}]`);
}
