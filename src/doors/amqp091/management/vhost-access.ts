import { namespaceOf } from '../vhost.ts';
import { ApiError, missing, notAuthorised } from './api-error.ts';
import type { ApiContext, ApiRequest } from './api.ts';
import { isMonitor } from './authentication.ts';

/** The namespace that a path names, for somebody who looks. Throws an ApiError: 404, or 401 for whom it is not for. */
export function lookInto({ services }: ApiContext, { params, identity }: ApiRequest): string {
  const namespace = findNamespace(services.access, params['vhost'] ?? '');
  if (namespace === undefined) throw missing();
  if (!isMonitor(identity) && !services.access.mayEnter(identity, namespace)) {
    throw notAuthorised('User not authorised to access virtual host');
  }
  return namespace;
}

/** The same for somebody who changes something there, whatever the tags are. */
export function enter({ services }: ApiContext, { params, identity, method }: ApiRequest): string {
  const namespace = findNamespace(services.access, params['vhost'] ?? '');
  if (namespace === undefined) {
    if (method === 'DELETE') throw missing();
    throw new ApiError(404, 'not_found', 'vhost_not_found');
  }
  if (!services.access.mayEnter(identity, namespace)) {
    throw notAuthorised('User not authorised to access virtual host');
  }
  return namespace;
}

/** Undefined: there is none of that name. */
export function findNamespace(
  access: ApiContext['services']['access'],
  vhost: string,
): string | undefined {
  if (vhost === '') return undefined;
  const namespace = namespaceOf(vhost);
  return access.findNamespace(namespace) === undefined ? undefined : namespace;
}

/** Those that somebody sees: who monitors sees all. */
export function visibleNamespaces(
  { services }: ApiContext,
  { identity }: ApiRequest,
): ReadonlySet<string> {
  const { access } = services;
  const all = access.listNamespaces().map(({ name }) => name);
  return new Set(isMonitor(identity) ? all : all.filter((name) => access.mayEnter(identity, name)));
}
