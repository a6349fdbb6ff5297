import type { User } from '../../../../broker/index.ts';
import { badRequest, missing } from '../api-error.ts';
import {
  type ApiContext,
  type ApiReply,
  type ApiRequest,
  type ApiRoute,
  noContent,
  ok,
  putReply,
} from '../api.ts';
import { asText, need } from '../body.ts';
import { listReply, objectReply } from '../listing.ts';
import { putUser, showUser } from '../user-record.ts';
import { listPermissionsOf, listTopicPermissionsOf } from './permissions.ts';

const list = ({ services }: ApiContext, { query }: ApiRequest): ApiReply =>
  listReply(services.access.listUsers().map(showUser), query, ['name']);

function listWithoutPermissions({ services }: ApiContext, { query }: ApiRequest): ApiReply {
  const { access } = services;
  const permitted = new Set(access.listPermissions().map(({ user }) => user));
  const others = access.listUsers().filter(({ name }) => !permitted.has(name));
  return listReply(others.map(showUser), query, ['name']);
}

function getUser({ services }: ApiContext, { params }: ApiRequest): User {
  const user = services.access.findUser(params['name'] ?? '');
  if (user === undefined) throw missing();
  return user;
}

const describe = (context: ApiContext, request: ApiRequest): ApiReply =>
  objectReply(showUser(getUser(context, request)), request.query);

async function put(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  const body = await request.readBody();
  return putReply(await putUser(context, request.params['name'] ?? '', body));
}

async function remove(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  const { name } = getUser(context, request);
  await context.services.access.deleteUser(name);
  return noContent;
}

async function removeMany(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  const names = need(await request.readBody(), 'users');
  if (!Array.isArray(names)) throw badRequest(['not_a_list', 'users']);
  const { access } = context.services;
  for (const name of names.map((one) => asText(one, 'users'))) {
    if (access.findUser(name) === undefined) throw badRequest(['no_such_user', name]);
    await access.deleteUser(name);
  }
  return noContent;
}

function listPermissions(context: ApiContext, request: ApiRequest): ApiReply {
  const { name } = getUser(context, request);
  return listReply(listPermissionsOf(context, { user: name }), request.query, ['vhost']);
}

function listTopicPermissions(context: ApiContext, request: ApiRequest): ApiReply {
  const { name } = getUser(context, request);
  return listReply(listTopicPermissionsOf(context, { user: name }), request.query, ['vhost']);
}

const whoAmI = (_context: ApiContext, { identity }: ApiRequest): ApiReply =>
  ok({ name: identity.name, tags: identity.tags });

const one = '/api/users/{name}';

export const userRoutes: readonly ApiRoute[] = [
  { method: 'GET', path: '/api/whoami', audience: 'management', handle: whoAmI },
  { method: 'GET', path: '/api/users', audience: 'administrator', handle: list },
  {
    method: 'GET',
    path: '/api/users/without-permissions',
    audience: 'administrator',
    handle: listWithoutPermissions,
  },
  // So it is spelled in RabbitMQ's documentation, both ways in its versions.
  {
    method: 'GET',
    path: '/api/users/without-permissions/',
    audience: 'administrator',
    handle: listWithoutPermissions,
  },
  { method: 'POST', path: '/api/users/bulk-delete', audience: 'administrator', handle: removeMany },
  { method: 'GET', path: one, audience: 'administrator', handle: describe },
  { method: 'PUT', path: one, audience: 'administrator', handle: put },
  { method: 'DELETE', path: one, audience: 'administrator', handle: remove },
  { method: 'GET', path: `${one}/permissions`, audience: 'administrator', handle: listPermissions },
  {
    method: 'GET',
    path: `${one}/topic-permissions`,
    audience: 'administrator',
    handle: listTopicPermissions,
  },
];
