import type { Namespace } from '../../../../broker/index.ts';
import { defaultTypeAttribute } from '../../stored-arguments.ts';
import { namespaceOf } from '../../vhost.ts';
import { ApiError, badRequest, missing } from '../api-error.ts';
import {
  type ApiContext,
  type ApiReply,
  type ApiRequest,
  type ApiRoute,
  noContent,
  putReply,
} from '../api.ts';
import { asText, isObject, type JsonObject, tagsOf, truthOf } from '../body.ts';
import { listReply, objectReply } from '../listing.ts';
import { sumVhosts } from '../measurement.ts';
import { showVhost, tracingAttribute } from '../vhost-view.ts';
import { findNamespace, visibleNamespaces } from '../vhost-access.ts';
import { listPermissionsOf, listTopicPermissionsOf } from './permissions.ts';

function list(context: ApiContext, request: ApiRequest): ApiReply {
  context.samples.touch();
  const visible = visibleNamespaces(context, request);
  const found = context.services.access.listNamespaces().filter(({ name }) => visible.has(name));
  const sums = sumVhosts(context);
  return listReply(
    found.flatMap((namespace) => {
      const own = sums.get(namespace.name);
      return own === undefined ? [] : [showVhost(context, namespace, own)];
    }),
    request.query,
    ['name'],
  );
}

function getNamespace({ services }: ApiContext, { params }: ApiRequest): Namespace {
  const name = findNamespace(services.access, params['vhost'] ?? '');
  const namespace = name === undefined ? undefined : services.access.findNamespace(name);
  if (namespace === undefined) throw missing();
  return namespace;
}

function describe(context: ApiContext, request: ApiRequest): ApiReply {
  const namespace = getNamespace(context, request);
  context.samples.touch();
  const sums = sumVhosts(context).get(namespace.name);
  if (sums === undefined) throw missing();
  return objectReply(showVhost(context, namespace, sums), request.query);
}

const queueTypes: ReadonlySet<string> = new Set(['classic', 'quorum', 'stream']);

/** Makes the vhost, or changes what the body says of it; true when it is new. */
export async function putVhost(
  { services }: ApiContext,
  vhost: string,
  body: JsonObject,
): Promise<boolean> {
  const { access } = services;
  if (vhost === '') throw badRequest('a virtual host needs a name');
  const name = namespaceOf(vhost);
  const known = access.findNamespace(name);
  const metadata = isObject(body['metadata']) ? body['metadata'] : {};
  const description = body['description'] ?? metadata['description'];
  const tags = body['tags'] ?? metadata['tags'];
  const defaultType =
    body['default_queue_type'] ?? body['defaultqueuetype'] ?? metadata['default_queue_type'];
  const attributes: Record<string, string> = { ...known?.attributes };
  if (defaultType !== undefined && defaultType !== null && defaultType !== 'undefined') {
    const type = asText(defaultType, 'default_queue_type').replace(/^rabbit_(\w+)_queue$/, '$1');
    if (!queueTypes.has(type)) throw badRequest(`Unsupported default queue type: ${type}`);
    // Classic is what is meant where nothing is said.
    if (type === 'classic') delete attributes[defaultTypeAttribute];
    else attributes[defaultTypeAttribute] = type;
  }
  if (body['tracing'] !== undefined) {
    attributes[tracingAttribute] = String(truthOf(body, 'tracing', false));
  }
  await access.putNamespace({
    name,
    description:
      description === undefined || description === null
        ? (known?.description ?? '')
        : asText(description, 'description'),
    tags: tags === undefined || tags === null ? (known?.tags ?? []) : tagsOf(tags),
    attributes,
    limits: known?.limits ?? {},
  });
  return known === undefined;
}

async function put(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  const vhost = request.params['vhost'] ?? '';
  const isNew = await putVhost(context, vhost, await request.readBody());
  if (isNew) {
    // Whoever makes one may use it.
    await context.services.access.putPermission({
      user: request.identity.name,
      namespace: namespaceOf(vhost),
      configure: '.*',
      write: '.*',
      read: '.*',
    });
  }
  return putReply(isNew);
}

async function remove(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  const { name } = getNamespace(context, request);
  if (name === '') {
    throw new ApiError(412, 'precondition_failed', 'the default virtual host cannot be deleted');
  }
  for (const connection of context.broker.peers.list()) {
    if (connection.namespace === name) connection.close('vhost is deleted');
  }
  await context.services.access.deleteNamespace(name);
  return noContent;
}

function listPermissions(context: ApiContext, request: ApiRequest): ApiReply {
  const { name } = getNamespace(context, request);
  return listReply(listPermissionsOf(context, { namespace: name }), request.query, ['user']);
}

function listTopicPermissions(context: ApiContext, request: ApiRequest): ApiReply {
  const { name } = getNamespace(context, request);
  return listReply(listTopicPermissionsOf(context, { namespace: name }), request.query, ['user']);
}

/** A vhost is always running: it begins with the broker. */
function start(context: ApiContext, request: ApiRequest): ApiReply {
  getNamespace(context, request);
  if (request.params['node'] !== context.nodeName) throw missing();
  return noContent;
}

const one = '/api/vhosts/{vhost}';

export const vhostRoutes: readonly ApiRoute[] = [
  { method: 'GET', path: '/api/vhosts', audience: 'management', handle: list },
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
  { method: 'POST', path: `${one}/start/{node}`, audience: 'administrator', handle: start },
];
