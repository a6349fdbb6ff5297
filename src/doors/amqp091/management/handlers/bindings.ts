import type { Binding } from '../../../../broker/index.ts';
import { missing } from '../api-error.ts';
import {
  type ApiContext,
  type ApiReply,
  type ApiRequest,
  type ApiRoute,
  noContent,
} from '../api.ts';
import { findByKey, listBindings, propertiesKey, showBinding } from '../binding-view.ts';
import { argumentsOf, asText } from '../body.ts';
import { DirectChannel } from '../direct-channel.ts';
import { listReply, objectReply } from '../listing.ts';
import { enter, lookInto, visibleNamespaces } from '../vhost-access.ts';
import { fieldsOf } from '../../binding-fields.ts';
import { restoreTypes } from '../field-restoring.ts';
import { bindingOrder } from './exchanges.ts';

function list(context: ApiContext, request: ApiRequest): ApiReply {
  const found = [...visibleNamespaces(context, request)].flatMap((namespace) =>
    listBindings(context.services, { namespace }),
  );
  return listReply(found.map(showBinding), request.query, bindingOrder);
}

function listOfVhost(context: ApiContext, request: ApiRequest): ApiReply {
  const found = listBindings(context.services, { namespace: lookInto(context, request) });
  return listReply(found.map(showBinding), request.query, bindingOrder);
}

interface Ends {
  readonly source: string;
  readonly destination: Binding['destination'];
}

function endsOf({ params }: ApiRequest): Ends {
  const { source = '', kind = '', destination = '' } = params;
  if (kind !== 'q' && kind !== 'e') throw missing();
  return {
    source: source === 'amq.default' ? '' : source,
    destination: { kind: kind === 'q' ? 'queue' : 'exchange', name: destination },
  };
}

function listBetween(context: ApiContext, request: ApiRequest): ApiReply {
  const namespace = lookInto(context, request);
  const found = listBindings(context.services, { namespace, ...endsOf(request) });
  return listReply(found.map(showBinding), request.query, bindingOrder);
}

function find(context: ApiContext, namespace: string, request: ApiRequest): Binding {
  const between = listBindings(context.services, { namespace, ...endsOf(request) });
  const found = findByKey(between, request.params['properties'] ?? '');
  if (found === undefined) throw missing();
  return found;
}

function describe(context: ApiContext, request: ApiRequest): ApiReply {
  return objectReply(
    showBinding(find(context, lookInto(context, request), request)),
    request.query,
  );
}

async function bind(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  const namespace = enter(context, request);
  const { source, destination } = endsOf(request);
  const body = await request.readBody();
  const routingKey =
    body['routing_key'] === undefined ? '' : asText(body['routing_key'], 'routing_key');
  const table = argumentsOf(body);
  const channel = new DirectChannel(context.services, request.identity, namespace);
  const common = { ticket: 0, routingKey, nowait: false, arguments: table };
  if (destination.kind === 'queue') {
    await channel.call('queueBind', { ...common, queue: destination.name, exchange: source });
  } else {
    await channel.call('exchangeBind', { ...common, destination: destination.name, source });
  }
  const key = propertiesKey({
    namespace,
    source,
    destination,
    key: routingKey,
    arguments: fieldsOf(table),
  });
  // Relative to the path of the request.
  const location = `${encodeURIComponent(destination.name)}/${encodeURIComponent(key)}`;
  return { status: 201, headers: { location } };
}

async function unbind(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  const namespace = enter(context, request);
  const binding = find(context, namespace, request);
  const { source, destination, key: routingKey } = binding;
  const table = restoreTypes(binding.arguments);
  const channel = new DirectChannel(context.services, request.identity, namespace);
  const common = { ticket: 0, routingKey, arguments: table };
  if (destination.kind === 'queue') {
    await channel.call('queueUnbind', { ...common, queue: destination.name, exchange: source });
  } else {
    await channel.call('exchangeUnbind', {
      ...common,
      destination: destination.name,
      source,
      nowait: false,
    });
  }
  return noContent;
}

const betweenPath = '/api/bindings/{vhost}/e/{source}/{kind}/{destination}';

export const bindingRoutes: readonly ApiRoute[] = [
  { method: 'GET', path: '/api/bindings', audience: 'management', handle: list },
  { method: 'GET', path: '/api/bindings/{vhost}', audience: 'management', handle: listOfVhost },
  { method: 'GET', path: betweenPath, audience: 'management', handle: listBetween },
  { method: 'POST', path: betweenPath, audience: 'management', handle: bind },
  { method: 'GET', path: `${betweenPath}/{properties}`, audience: 'management', handle: describe },
  { method: 'DELETE', path: `${betweenPath}/{properties}`, audience: 'management', handle: unbind },
];
