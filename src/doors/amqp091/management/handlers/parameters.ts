import { badRequest, missing, notAuthorised } from '../api-error.ts';
import {
  type ApiContext,
  type ApiReply,
  type ApiRequest,
  type ApiRoute,
  noContent,
  ok,
  putReply,
} from '../api.ts';
import { isAdministrator, isMonitor } from '../authentication.ts';
import { type JsonObject, need } from '../body.ts';
import { listReply } from '../listing.ts';
import {
  deleteParameter,
  globalComponent,
  limitsComponent,
  listParameters,
  operatorComponent,
  putLimits,
  putParameter,
  readLimits,
  type ShownParameter,
  showLimits,
} from '../parameters.ts';
import { parseStored } from '../shown-fields.ts';
import { readLimits as readUserLimits, userLimitNames } from '../user-record.ts';
import { vhostOf } from '../../vhost.ts';
import { enter, lookInto, visibleNamespaces } from '../vhost-access.ts';

const order: readonly string[] = ['component', 'vhost', 'name'];

function list(context: ApiContext, request: ApiRequest): ApiReply {
  const visible = new Set([...visibleNamespaces(context, request)].map(vhostOf));
  const { component } = request.params;
  const found = listParameters(context).filter(
    (one) => visible.has(one.vhost) && (component === undefined || one.component === component),
  );
  return listReply(found, request.query, order);
}

function listOfVhost(context: ApiContext, request: ApiRequest): ApiReply {
  const { component } = request.params;
  const found = listParameters(context, lookInto(context, request));
  return listReply(
    found.filter((one) => one.component === component),
    request.query,
    order,
  );
}

function find(
  context: ApiContext,
  namespace: string,
  { params }: ApiRequest,
): ShownParameter | undefined {
  const { component, name } = params;
  return listParameters(context, namespace).find(
    (one) => one.component === component && one.name === name,
  );
}

function describe(context: ApiContext, request: ApiRequest): ApiReply {
  const found = find(context, lookInto(context, request), request);
  if (found === undefined) throw missing();
  return ok(found);
}

/** What limits others is for administrators, by whichever path it is changed. */
function checkComponent({ identity, params }: ApiRequest): void {
  const { component } = params;
  const isForAdministrators = component === limitsComponent || component === operatorComponent;
  if (isForAdministrators && !isAdministrator(identity)) {
    throw notAuthorised('Not administrator user');
  }
}

async function put(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  const namespace = enter(context, request);
  checkComponent(request);
  const { component = '', name = '' } = request.params;
  const value = need(await request.readBody(), 'value');
  const isNew = find(context, namespace, request) === undefined;
  await putParameter(context, component, namespace, name, value);
  await context.services.policies.apply();
  return putReply(isNew);
}

async function remove(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  const namespace = enter(context, request);
  checkComponent(request);
  const found = find(context, namespace, request);
  if (found === undefined) throw missing();
  await deleteParameter(context, found.component, namespace, found.name);
  await context.services.policies.apply();
  return noContent;
}

export function listGlobals({ services, broker }: ApiContext): JsonObject[] {
  const kept = services.access
    .listParameters(globalComponent, '')
    .map(({ name, value }) => ({ name, value: parseStored(value) }));
  const clusterId = { name: 'internal_cluster_id', value: `pabal-cluster-id-${broker.storeId}` };
  return kept.some(({ name }) => name === clusterId.name) ? kept : [clusterId, ...kept];
}

const listGlobal = (context: ApiContext, { query }: ApiRequest): ApiReply =>
  listReply(listGlobals(context), query, ['name']);

function findGlobal(context: ApiContext, { params }: ApiRequest): JsonObject | undefined {
  return listGlobals(context).find(({ name }) => name === params['name']);
}

function describeGlobal(context: ApiContext, request: ApiRequest): ApiReply {
  const found = findGlobal(context, request);
  if (found === undefined) throw missing();
  return ok(found);
}

async function putGlobal(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  const value = need(await request.readBody(), 'value');
  const isNew = findGlobal(context, request) === undefined;
  const { name = '' } = request.params;
  await context.services.access.putParameter(globalComponent, '', name, JSON.stringify(value));
  return putReply(isNew);
}

async function removeGlobal(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  const { name = '' } = request.params;
  if (findGlobal(context, request) === undefined) throw missing();
  await context.services.access.deleteParameter(globalComponent, '', name);
  return noContent;
}

// Limits of vhosts, and of users.

function listLimits(context: ApiContext, request: ApiRequest): ApiReply {
  const visible = visibleNamespaces(context, request);
  return ok(limitsOf(context, (name) => visible.has(name)));
}

function listLimitsOfVhost(context: ApiContext, request: ApiRequest): ApiReply {
  const namespace = lookInto(context, request);
  return ok(limitsOf(context, (name) => name === namespace));
}

function limitsOf({ services }: ApiContext, isWanted: (name: string) => boolean): JsonObject[] {
  return services.access
    .listNamespaces()
    .filter(({ name }) => isWanted(name))
    .map(({ name, limits }) => ({ vhost: vhostOf(name), value: showLimits(limits) }))
    .filter(({ value }) => Object.keys(value).length > 0);
}

async function putLimit(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  const namespace = enter(context, request);
  const { limit = '' } = request.params;
  const read = readLimits({ [limit]: need(await request.readBody(), 'value') });
  const known = context.services.access.findNamespace(namespace)?.limits ?? {};
  await putLimits(context.services, namespace, { ...known, ...read });
  return noContent;
}

async function removeLimit(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  const namespace = enter(context, request);
  const known = showLimits(context.services.access.findNamespace(namespace)?.limits ?? {});
  const { [request.params['limit'] ?? '']: _removed, ...rest } = known;
  await putLimits(context.services, namespace, readLimits(rest));
  return noContent;
}

/** Others' are for those who see everything. */
function listUserLimits({ services }: ApiContext, { identity }: ApiRequest): ApiReply {
  return ok(
    services.access
      .listUsers()
      .filter(({ name }) => isMonitor(identity) || name === identity.name)
      .filter(({ limits }) => Object.keys(limits).length > 0)
      .map(({ name, limits }) => ({ user: name, value: limits })),
  );
}

function listLimitsOfUser({ services }: ApiContext, request: ApiRequest): ApiReply {
  const { params, identity } = request;
  if (!isMonitor(identity) && params['user'] !== identity.name) {
    throw notAuthorised('User not authorised to access object');
  }
  const user = services.access.findUser(params['user'] ?? '');
  if (user === undefined) throw missing();
  const { name, limits } = user;
  return ok(Object.keys(limits).length > 0 ? [{ user: name, value: limits }] : []);
}

async function putUserLimit(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  const { access } = context.services;
  const { user: name = '', limit = '' } = request.params;
  const user = access.findUser(name);
  if (user === undefined) throw badRequest(['no_such_user', name]);
  const read = readUserLimits({ [limit]: need(await request.readBody(), 'value') });
  await access.setUserLimits(name, { ...user.limits, ...read });
  return noContent;
}

async function removeUserLimit(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  const { access } = context.services;
  const { user: name = '', limit = '' } = request.params;
  const user = access.findUser(name);
  if (user === undefined) throw missing();
  const rest: Record<string, number> = {};
  for (const known of userLimitNames) {
    const value = user.limits[known];
    if (known !== limit && value !== undefined) rest[known] = value;
  }
  await access.setUserLimits(name, rest);
  return noContent;
}

const one = '/api/parameters/{component}/{vhost}/{name}';
const oneGlobal = '/api/global-parameters/{name}';
const oneLimit = `/api/${limitsComponent}/{vhost}/{limit}`;
const oneUserLimit = '/api/user-limits/{user}/{limit}';

export const parameterRoutes: readonly ApiRoute[] = [
  { method: 'GET', path: '/api/parameters', audience: 'policymaker', handle: list },
  { method: 'GET', path: '/api/parameters/{component}', audience: 'policymaker', handle: list },
  {
    method: 'GET',
    path: '/api/parameters/{component}/{vhost}',
    audience: 'policymaker',
    handle: listOfVhost,
  },
  { method: 'GET', path: one, audience: 'policymaker', handle: describe },
  { method: 'PUT', path: one, audience: 'policymaker', handle: put },
  { method: 'DELETE', path: one, audience: 'policymaker', handle: remove },
  { method: 'GET', path: '/api/global-parameters', audience: 'policymaker', handle: listGlobal },
  { method: 'GET', path: oneGlobal, audience: 'policymaker', handle: describeGlobal },
  { method: 'PUT', path: oneGlobal, audience: 'administrator', handle: putGlobal },
  { method: 'DELETE', path: oneGlobal, audience: 'administrator', handle: removeGlobal },
  { method: 'GET', path: '/api/vhost-limits', audience: 'management', handle: listLimits },
  {
    method: 'GET',
    path: '/api/vhost-limits/{vhost}',
    audience: 'management',
    handle: listLimitsOfVhost,
  },
  { method: 'PUT', path: oneLimit, audience: 'administrator', handle: putLimit },
  { method: 'DELETE', path: oneLimit, audience: 'administrator', handle: removeLimit },
  { method: 'GET', path: '/api/user-limits', audience: 'management', handle: listUserLimits },
  {
    method: 'GET',
    path: '/api/user-limits/{user}',
    audience: 'management',
    handle: listLimitsOfUser,
  },
  { method: 'PUT', path: oneUserLimit, audience: 'administrator', handle: putUserLimit },
  { method: 'DELETE', path: oneUserLimit, audience: 'administrator', handle: removeUserLimit },
];
