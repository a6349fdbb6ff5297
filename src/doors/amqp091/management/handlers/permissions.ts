import { BrokerError, type Permission, type TopicPermission } from '../../../../broker/index.ts';
import { vhostOf } from '../../vhost.ts';
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
import { type JsonObject, needText } from '../body.ts';
import { listReply } from '../listing.ts';
import { findNamespace } from '../vhost-access.ts';

interface PermissionFilter {
  readonly user?: string;
  readonly namespace?: string;
}

function showPermission(permission: Permission): JsonObject {
  const { user, namespace, configure, write, read } = permission;
  return { user, vhost: vhostOf(namespace), configure, write, read };
}

function showTopicPermission(permission: TopicPermission): JsonObject {
  const { user, namespace, exchange, write, read } = permission;
  return { user, vhost: vhostOf(namespace), exchange, write, read };
}

export function listPermissionsOf(
  { services }: ApiContext,
  filter: PermissionFilter,
): JsonObject[] {
  return services.access.listPermissions(filter).map(showPermission);
}

export function listTopicPermissionsOf(
  { services }: ApiContext,
  filter: PermissionFilter,
): JsonObject[] {
  return services.access.listTopicPermissions(filter).map(showTopicPermission);
}

const order: readonly string[] = ['vhost', 'user', 'exchange'];

const list = (context: ApiContext, { query }: ApiRequest): ApiReply =>
  listReply(listPermissionsOf(context, {}), query, order);

const listTopics = (context: ApiContext, { query }: ApiRequest): ApiReply =>
  listReply(listTopicPermissionsOf(context, {}), query, order);

/** User and namespace of a path that must both exist, for somebody who changes something. */
function placeOf({ services }: ApiContext, { params }: ApiRequest): Required<PermissionFilter> {
  const { access } = services;
  const namespace = findNamespace(access, params['vhost'] ?? '');
  const user = params['user'] ?? '';
  if (namespace === undefined || access.findUser(user) === undefined) {
    throw badRequest('vhost_or_user_not_found');
  }
  return { user, namespace };
}

/** The same for somebody who looks or deletes. */
function foundPlaceOf(
  { services }: ApiContext,
  { params }: ApiRequest,
): Required<PermissionFilter> {
  const { access } = services;
  const namespace = findNamespace(access, params['vhost'] ?? '');
  const user = params['user'] ?? '';
  if (namespace === undefined || access.findUser(user) === undefined) throw missing();
  return { user, namespace };
}

function describe(context: ApiContext, request: ApiRequest): ApiReply {
  const [found] = listPermissionsOf(context, foundPlaceOf(context, request));
  if (found === undefined) throw missing();
  return ok(found);
}

async function put(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  const place = placeOf(context, request);
  const body = await request.readBody();
  const [configure, write, read] = ['configure', 'write', 'read'].map((key) => needText(body, key));
  const isNew = context.services.access.listPermissions(place).length === 0;
  await refusingPatterns(() =>
    context.services.access.putPermission({
      ...place,
      configure: configure ?? '',
      write: write ?? '',
      read: read ?? '',
    }),
  );
  return putReply(isNew);
}

/** A pattern that cannot be used is told as RabbitMQ tells it. */
async function refusingPatterns(change: () => Promise<void>): Promise<void> {
  try {
    await change();
  } catch (error) {
    if (!(error instanceof BrokerError) || error.code !== 'config-invalid') throw error;
    throw badRequest(['invalid_regexp', error.message], error);
  }
}

async function remove(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  const { access } = context.services;
  const place = foundPlaceOf(context, request);
  if (access.listPermissions(place).length === 0) throw missing();
  await access.deletePermission(place.user, place.namespace);
  return noContent;
}

function describeTopic(context: ApiContext, request: ApiRequest): ApiReply {
  const found = listTopicPermissionsOf(context, foundPlaceOf(context, request));
  if (found.length === 0) throw missing();
  return ok(found);
}

async function putTopic(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  const place = placeOf(context, request);
  const body = await request.readBody();
  const exchange = needText(body, 'exchange');
  const write = needText(body, 'write');
  const read = needText(body, 'read');
  const { access } = context.services;
  const isNew = !access.listTopicPermissions(place).some((one) => one.exchange === exchange);
  await refusingPatterns(() => access.putTopicPermission({ ...place, exchange, write, read }));
  return putReply(isNew);
}

async function removeTopic(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  const { access } = context.services;
  const { user, namespace } = foundPlaceOf(context, request);
  const { exchange } = request.params;
  const found = access
    .listTopicPermissions({ user, namespace })
    .some((permission) => exchange === undefined || permission.exchange === exchange);
  if (!found) throw missing();
  await access.deleteTopicPermissions(user, namespace, exchange);
  return noContent;
}

const one = '/api/permissions/{vhost}/{user}';
const oneTopic = '/api/topic-permissions/{vhost}/{user}';

export const permissionRoutes: readonly ApiRoute[] = [
  { method: 'GET', path: '/api/permissions', audience: 'administrator', handle: list },
  { method: 'GET', path: one, audience: 'administrator', handle: describe },
  { method: 'PUT', path: one, audience: 'administrator', handle: put },
  { method: 'DELETE', path: one, audience: 'administrator', handle: remove },
  { method: 'GET', path: '/api/topic-permissions', audience: 'administrator', handle: listTopics },
  { method: 'GET', path: oneTopic, audience: 'administrator', handle: describeTopic },
  { method: 'PUT', path: oneTopic, audience: 'administrator', handle: putTopic },
  { method: 'DELETE', path: oneTopic, audience: 'administrator', handle: removeTopic },
  {
    method: 'DELETE',
    path: `${oneTopic}/{exchange}`,
    audience: 'administrator',
    handle: removeTopic,
  },
];
