import { BrokerError } from '../../../base/index.ts';
import type { AccessPort, BrokerPort, Permission, User } from '../../../broker/index.ts';
import { asArray, asText, optional, refuseOthers } from '../body.ts';
import type { AdminHandler, Route } from '../context.ts';
import { Problem } from '../problem.ts';

/** A user has few tags; this is far beyond what anybody means. */
const tagsMax = 100;

const listUsers: AdminHandler = ({ broker }) => {
  const permissions = new Map<string, Permission[]>();
  for (const permission of broker.access.listPermissions()) {
    const own = permissions.get(permission.user);
    if (own === undefined) permissions.set(permission.user, [permission]);
    else own.push(permission);
  }
  const users = broker.access.listUsers();
  return {
    status: 200,
    content: { json: { users: users.map((user) => show(user, permissions.get(user.name) ?? [])) } },
  };
};

const createUser: AdminHandler = async ({ broker }, request) => {
  const body = await request.readBody();
  refuseOthers(body, ['name', 'password', 'tags'], 'the body');
  const name = asText(body['name'], 'name');
  const password = optional(body, 'password', asText);
  const tags = optional(body, 'tags', asTags) ?? [];
  if (broker.access.findUser(name) !== undefined) {
    throw new Problem(409, 'user-exists', `there is a user "${name}" already`);
  }
  await broker.access.putUser({ name, tags, ...(password === undefined ? {} : { password }) });
  const location = `/api/v1/users/${encodeURIComponent(name)}`;
  return { status: 201, headers: { location }, content: { json: describe(broker.access, name) } };
};

const describeUser: AdminHandler = ({ broker }, request) => ({
  status: 200,
  content: { json: describe(broker.access, nameOf(request.params)) },
});

const changeUser: AdminHandler = async ({ broker }, request) => {
  const body = await request.readBody();
  refuseOthers(body, ['password', 'tags'], 'the body');
  const user = getUser(broker, nameOf(request.params));
  const tags = optional(body, 'tags', asTags) ?? user.tags;
  const { name } = user;
  // Null takes the password away: nobody can log in with one.
  if (body['password'] === null) {
    await broker.access.putUser({ name, tags, isPasswordRemoved: true });
  } else {
    const password = optional(body, 'password', asText);
    await broker.access.putUser({ name, tags, ...(password === undefined ? {} : { password }) });
  }
  return { status: 200, content: { json: describe(broker.access, name) } };
};

const deleteUser: AdminHandler = async ({ broker }, request) => {
  await broker.access.deleteUser(nameOf(request.params));
  return { status: 204 };
};

const permitUser: AdminHandler = async ({ broker }, request) => {
  const body = await request.readBody();
  refuseOthers(body, ['namespace', 'configure', 'write', 'read'], 'the body');
  const user = nameOf(request.params);
  const pattern = (key: string): string => optional(body, key, asText) ?? '';
  await broker.access.putPermission({
    user,
    namespace: optional(body, 'namespace', asText) ?? '',
    configure: pattern('configure'),
    write: pattern('write'),
    read: pattern('read'),
  });
  return { status: 200, content: { json: describe(broker.access, user) } };
};

const forbidUser: AdminHandler = async ({ broker }, request) => {
  const user = getUser(broker, nameOf(request.params));
  await broker.access.deletePermission(user.name, request.query.get('namespace') ?? '');
  return { status: 204 };
};

export const userRoutes: readonly Route[] = [
  { method: 'GET', path: '/api/v1/users', handle: listUsers },
  { method: 'POST', path: '/api/v1/users', handle: createUser },
  { method: 'GET', path: '/api/v1/users/{name}', handle: describeUser },
  { method: 'PATCH', path: '/api/v1/users/{name}', handle: changeUser },
  { method: 'DELETE', path: '/api/v1/users/{name}', handle: deleteUser },
  { method: 'POST', path: '/api/v1/users/{name}/permissions', handle: permitUser },
  { method: 'DELETE', path: '/api/v1/users/{name}/permissions', handle: forbidUser },
];

function nameOf(params: Readonly<Record<string, string>>): string {
  return params['name'] ?? '';
}

function getUser(broker: BrokerPort, name: string): User {
  const user = broker.access.findUser(name);
  if (user === undefined) throw new BrokerError('user-not-found', name);
  return user;
}

function describe(access: AccessPort, name: string): object {
  const user = access.findUser(name);
  if (user === undefined) throw new BrokerError('user-not-found', name);
  return show(user, access.listPermissions({ user: name }));
}

/** Hashes of passwords do not leave by this door. */
function show({ name, tags, password, limits }: User, permissions: readonly Permission[]): object {
  return {
    name,
    tags,
    hasPassword: password !== undefined,
    limits,
    permissions: permissions.map(({ namespace, configure, write, read }) => ({
      namespace,
      configure,
      write,
      read,
    })),
  };
}

function asTags(value: unknown, where: string): string[] {
  return asArray(value, where, tagsMax).map((tag, index) => asText(tag, `${where}[${index}]`));
}
