import { ApiError, badRequest } from '../api-error.ts';
import {
  type ApiContext,
  type ApiReply,
  type ApiRequest,
  type ApiRoute,
  noContent,
  ok,
} from '../api.ts';
import { exportAll, exportVhost } from '../definitions-export.ts';
import { importDefinitions } from '../definitions-import.ts';
import { findNamespace } from '../vhost-access.ts';

/** `?download=NAME`: the browser saves it under that name. */
function asFile(json: unknown, query: URLSearchParams): ApiReply {
  const name = query.get('download');
  if (name === null) return ok(json);
  const safe = name.replaceAll(/[^\w.@+ -]/g, '_');
  return {
    status: 200,
    json,
    headers: { 'content-disposition': `attachment; filename="${safe}"` },
  };
}

const show = (context: ApiContext, { query }: ApiRequest): ApiReply =>
  asFile(exportAll(context), query);

function showOfVhost(context: ApiContext, { params, query }: ApiRequest): ApiReply {
  const namespace = findNamespace(context.services.access, params['vhost'] ?? '');
  if (namespace === undefined) throw badRequest('vhost_not_found');
  return asFile(exportVhost(context, namespace), query);
}

async function take(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  await importDefinitions(context, await readFile(request));
  return noContent;
}

async function takeIntoVhost(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  const namespace = findNamespace(context.services.access, request.params['vhost'] ?? '');
  if (namespace === undefined) throw new ApiError(404, 'not_found', 'vhost_not_found');
  await importDefinitions(context, await readFile(request), namespace);
  return noContent;
}

async function readFile(request: ApiRequest): ReturnType<ApiRequest['readBody']> {
  try {
    return await request.readBody();
  } catch (error) {
    if (error instanceof ApiError && error.reason === 'not_json') {
      throw badRequest('failed_to_parse_json', error);
    }
    throw error;
  }
}

export const definitionRoutes: readonly ApiRoute[] = [
  { method: 'GET', path: '/api/definitions', audience: 'administrator', handle: show },
  { method: 'POST', path: '/api/definitions', audience: 'administrator', handle: take },
  {
    method: 'GET',
    path: '/api/definitions/{vhost}',
    audience: 'administrator',
    handle: showOfVhost,
  },
  {
    method: 'POST',
    path: '/api/definitions/{vhost}',
    audience: 'administrator',
    handle: takeIntoVhost,
  },
];
