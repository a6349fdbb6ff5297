import type { Queue } from '../../../../broker/index.ts';
import { badRequest, missing } from '../api-error.ts';
import {
  type ApiContext,
  type ApiReply,
  type ApiRequest,
  type ApiRoute,
  noContent,
  putReply,
} from '../api.ts';
import { listBindings, showBinding } from '../binding-view.ts';
import { argumentsOf, needText, truthOf } from '../body.ts';
import { DirectChannel } from '../direct-channel.ts';
import { listReply, objectReply } from '../listing.ts';
import { listConsumers } from '../peer-view.ts';
import { type QueueWindows, showQueue, showQueueBasics } from '../queue-view.ts';
import { windowOf } from '../samples.ts';
import { enter, lookInto, visibleNamespaces } from '../vhost-access.ts';
import { bindingOrder } from './exchanges.ts';

/** What samples are asked for. */
function windowsOf(query: URLSearchParams): QueueWindows {
  return { lengths: windowOf(query, 'lengths'), rates: windowOf(query, 'msg_rates') };
}

/** Named subscriptions are no queues to RabbitMQ's clients. */
export function isShown({ subscription }: Queue): boolean {
  return subscription === '';
}

function getQueue({ services }: ApiContext, namespace: string, request: ApiRequest): Queue {
  const queue = services.queues.find(namespace, request.params['name'] ?? '');
  if (queue === undefined) throw missing();
  return queue;
}

function showAll(context: ApiContext, queues: readonly Queue[], query: URLSearchParams): ApiReply {
  const isPlain = query.get('disable_stats') === 'true';
  if (!isPlain) context.samples.touch();
  const windows = windowsOf(query);
  const show = (queue: Queue) =>
    isPlain ? showQueueBasics(context, queue) : showQueue(context, queue, windows);
  return listReply(queues.filter(isShown).map(show), query);
}

function list(context: ApiContext, request: ApiRequest): ApiReply {
  const visible = visibleNamespaces(context, request);
  const queues = context.services.queues.list().filter(({ namespace }) => visible.has(namespace));
  return showAll(context, queues, request.query);
}

function listOfVhost(context: ApiContext, request: ApiRequest): ApiReply {
  const namespace = lookInto(context, request);
  return showAll(context, context.services.queues.list(namespace), request.query);
}

function describe(context: ApiContext, request: ApiRequest): ApiReply {
  const namespace = lookInto(context, request);
  const queue = getQueue(context, namespace, request);
  context.samples.touch();
  const windows = windowsOf(request.query);
  const consumers = listConsumers(context, (consumer) => {
    const { name, namespace: place } = consumer.queue;
    return name === queue.name && place === namespace;
  });
  return objectReply(
    {
      consumer_details: consumers,
      deliveries: [],
      incoming: [],
      ...showQueue(context, queue, windows),
    },
    request.query,
  );
}

async function declare(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  const namespace = enter(context, request);
  const name = request.params['name'] ?? '';
  const body = await request.readBody();
  const { node } = body;
  if (typeof node === 'string' && node !== '' && node !== context.nodeName) {
    throw badRequest(`Node ${node} could not be contacted`);
  }
  if (name === '') throw badRequest('a queue needs a name');
  const isNew = context.services.queues.find(namespace, name) === undefined;
  const channel = new DirectChannel(context.services, request.identity, namespace);
  await channel.call('queueDeclare', {
    ticket: 0,
    queue: name,
    passive: false,
    durable: truthOf(body, 'durable', false),
    exclusive: false,
    autoDelete: truthOf(body, 'auto_delete', false),
    nowait: false,
    arguments: argumentsOf(body),
  });
  return putReply(isNew);
}

async function remove(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  const namespace = enter(context, request);
  const { name } = getQueue(context, namespace, request);
  const channel = new DirectChannel(context.services, request.identity, namespace);
  await channel.call('queueDelete', {
    ticket: 0,
    queue: name,
    ifUnused: request.query.get('if-unused') === 'true',
    ifEmpty: request.query.get('if-empty') === 'true',
    nowait: false,
  });
  return noContent;
}

function listQueueBindings(context: ApiContext, request: ApiRequest): ApiReply {
  const namespace = lookInto(context, request);
  const destination = { kind: 'queue', name: request.params['name'] ?? '' } as const;
  const found = listBindings(context.services, { namespace, destination });
  return listReply(found.map(showBinding), request.query, bindingOrder);
}

async function purge(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  const namespace = enter(context, request);
  const { name } = getQueue(context, namespace, request);
  const channel = new DirectChannel(context.services, request.identity, namespace);
  await channel.call('queuePurge', { ticket: 0, queue: name, nowait: false });
  return noContent;
}

/** Mirrors, which these actions are about, are not needed: what is stored is stored once, durably. */
const actions: ReadonlySet<string> = new Set(['sync', 'cancel_sync']);

async function act(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  getQueue(context, enter(context, request), request);
  const action = needText(await request.readBody(), 'action');
  if (!actions.has(action)) throw badRequest(['unknown', action]);
  return noContent;
}

const one = '/api/queues/{vhost}/{name}';

export const queueRoutes: readonly ApiRoute[] = [
  { method: 'GET', path: '/api/queues', audience: 'management', handle: list },
  { method: 'GET', path: '/api/queues/detailed', audience: 'management', handle: list },
  { method: 'GET', path: '/api/queues/{vhost}', audience: 'management', handle: listOfVhost },
  { method: 'GET', path: one, audience: 'management', handle: describe },
  { method: 'PUT', path: one, audience: 'management', handle: declare },
  { method: 'DELETE', path: one, audience: 'management', handle: remove },
  { method: 'GET', path: `${one}/bindings`, audience: 'management', handle: listQueueBindings },
  { method: 'DELETE', path: `${one}/contents`, audience: 'management', handle: purge },
  { method: 'POST', path: `${one}/actions`, audience: 'management', handle: act },
];
