import type { Exchange } from '../../../../broker/index.ts';
import { AmqpError } from '../../amqp-error.ts';
import { exchangeType } from '../../handlers/exchange.ts';
import { policyAttribute } from '../../stored-arguments.ts';
import { vhostOf } from '../../vhost.ts';
import { ApiError, badRequest, missing } from '../api-error.ts';
import {
  type ApiContext,
  type ApiReply,
  type ApiRequest,
  type ApiRoute,
  noContent,
  ok,
  putReply,
} from '../api.ts';
import { listBindings, showBinding } from '../binding-view.ts';
import { argumentsOf, asText, type JsonObject, need, needText, truthOf } from '../body.ts';
import { DirectChannel } from '../direct-channel.ts';
import { incomingMessage } from '../incoming-message.ts';
import { listReply, objectReply } from '../listing.ts';
import { encodeProperties } from '../message-properties.ts';
import { showArguments, showFields } from '../shown-fields.ts';
import { enter, lookInto, visibleNamespaces } from '../vhost-access.ts';

/** The default exchange has no name, which no path can say. */
const defaultName = 'amq.default';

function nameOf({ params }: ApiRequest): string {
  const name = params['name'] ?? '';
  return name === defaultName ? '' : name;
}

function showExchange({ services }: ApiContext, exchange: Exchange): JsonObject {
  const { namespace, name } = exchange;
  const policy = services.access.findPolicy(namespace, name, ['exchanges'], false);
  const fields = showArguments(exchange.attributes);
  return {
    arguments: Object.keys(fields).length > 0 ? fields : showFields(exchange.arguments),
    auto_delete: exchange.isAutoDelete,
    durable: exchange.lifetime === 'durable',
    internal: exchange.isInternal,
    name,
    policy: policy?.name ?? exchange.attributes[policyAttribute] ?? null,
    type: exchangeType(exchange),
    user_who_performed_action: name === '' || name.startsWith('amq.') ? 'rmq-internal' : null,
    vhost: vhostOf(namespace),
  };
}

function list(context: ApiContext, request: ApiRequest): ApiReply {
  const visible = visibleNamespaces(context, request);
  const exchanges = context.services.exchanges
    .list()
    .filter(({ namespace }) => visible.has(namespace));
  return listReply(
    exchanges.map((exchange) => showExchange(context, exchange)),
    request.query,
  );
}

function listOfVhost(context: ApiContext, request: ApiRequest): ApiReply {
  const exchanges = context.services.exchanges.list(lookInto(context, request));
  return listReply(
    exchanges.map((exchange) => showExchange(context, exchange)),
    request.query,
  );
}

function describe(context: ApiContext, request: ApiRequest): ApiReply {
  const exchange = context.services.exchanges.find(lookInto(context, request), nameOf(request));
  if (exchange === undefined) throw missing();
  return objectReply(
    { incoming: [], outgoing: [], ...showExchange(context, exchange) },
    request.query,
  );
}

async function declare(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  const namespace = enter(context, request);
  const name = nameOf(request);
  const body = await request.readBody();
  const isNew = context.services.exchanges.find(namespace, name) === undefined;
  const channel = new DirectChannel(context.services, request.identity, namespace);
  await channel.call('exchangeDeclare', {
    ticket: 0,
    exchange: name,
    type: body['type'] === undefined ? 'direct' : asText(body['type'], 'type'),
    passive: false,
    durable: truthOf(body, 'durable', false),
    autoDelete: truthOf(body, 'auto_delete', false),
    internal: truthOf(body, 'internal', false),
    nowait: false,
    arguments: argumentsOf(body),
  });
  return putReply(isNew);
}

async function remove(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  const namespace = enter(context, request);
  const name = nameOf(request);
  if (context.services.exchanges.find(namespace, name) === undefined) throw missing();
  const channel = new DirectChannel(context.services, request.identity, namespace);
  await channel.call('exchangeDelete', {
    ticket: 0,
    exchange: name,
    ifUnused: request.query.get('if-unused') === 'true',
    nowait: false,
  });
  return noContent;
}

function listSource(context: ApiContext, request: ApiRequest): ApiReply {
  const namespace = lookInto(context, request);
  const found = listBindings(context.services, { namespace, source: nameOf(request) });
  return listReply(found.map(showBinding), request.query, bindingOrder);
}

function listDestination(context: ApiContext, request: ApiRequest): ApiReply {
  const namespace = lookInto(context, request);
  const destination = { kind: 'exchange', name: nameOf(request) } as const;
  const found = listBindings(context.services, { namespace, destination });
  return listReply(found.map(showBinding), request.query, bindingOrder);
}

export const bindingOrder: readonly string[] = [
  'vhost',
  'source',
  'destination',
  'routing_key',
  'properties_key',
];

async function publish(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  const namespace = enter(context, request);
  const body = await request.readBody();
  const properties = encodeProperties(need(body, 'properties'));
  const routingKey = needText(body, 'routing_key');
  const payload = readPayload(needText(body, 'payload'), needText(body, 'payload_encoding'));
  if (context.broker.isStorageLow()) {
    throw new ApiError(503, 'service_unavailable', 'low on disk');
  }
  const channel = new DirectChannel(context.services, request.identity, namespace);
  try {
    const message = incomingMessage(nameOf(request), routingKey, properties, payload);
    return ok({ routed: await channel.publish(message) });
  } catch (error) {
    if (!(error instanceof AmqpError)) throw error;
    throw badRequest(`${error.replyCode} ${error.replyText}`, error);
  }
}

function readPayload(text: string, encoding: string): Buffer {
  if (encoding === 'string') return Buffer.from(text, 'utf8');
  if (encoding !== 'base64') throw badRequest(['unsupported_encoding', encoding]);
  const bare = text.replaceAll(/\s/g, '');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(bare) || bare.length % 4 === 1) {
    throw badRequest(['not_base64', text]);
  }
  return Buffer.from(bare, 'base64');
}

const one = '/api/exchanges/{vhost}/{name}';

export const exchangeRoutes: readonly ApiRoute[] = [
  { method: 'GET', path: '/api/exchanges', audience: 'management', handle: list },
  { method: 'GET', path: '/api/exchanges/{vhost}', audience: 'management', handle: listOfVhost },
  { method: 'GET', path: one, audience: 'management', handle: describe },
  { method: 'PUT', path: one, audience: 'management', handle: declare },
  { method: 'DELETE', path: one, audience: 'management', handle: remove },
  { method: 'GET', path: `${one}/bindings/source`, audience: 'management', handle: listSource },
  {
    method: 'GET',
    path: `${one}/bindings/destination`,
    audience: 'management',
    handle: listDestination,
  },
  { method: 'POST', path: `${one}/publish`, audience: 'management', handle: publish },
];
