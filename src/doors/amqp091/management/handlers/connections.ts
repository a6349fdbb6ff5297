import type { Identity, PeerChannel, PeerConnection } from '../../../../broker/index.ts';
import { missing, notAuthorised } from '../api-error.ts';
import {
  type ApiContext,
  type ApiReply,
  type ApiRequest,
  type ApiRoute,
  noContent,
} from '../api.ts';
import { isMonitor } from '../authentication.ts';
import { listReply, objectReply } from '../listing.ts';
import { channelName, listConsumers, showChannel, showConnection } from '../peer-view.ts';
import { lookInto, visibleNamespaces } from '../vhost-access.ts';

/** Who does not monitor sees what is of the same user. */
function isSeenBy(identity: Identity, connection: PeerConnection): boolean {
  return isMonitor(identity) || connection.user === identity.name;
}

function seen({ broker }: ApiContext, { identity }: ApiRequest): PeerConnection[] {
  return broker.peers.list().filter((connection) => isSeenBy(identity, connection));
}

function showAll(
  context: ApiContext,
  request: ApiRequest,
  connections: readonly PeerConnection[],
): ApiReply {
  context.samples.touch();
  return listReply(
    connections.map((connection) => showConnection(context, connection)),
    request.query,
  );
}

function showChannels(
  context: ApiContext,
  request: ApiRequest,
  connections: readonly PeerConnection[],
): ApiReply {
  context.samples.touch();
  return listReply(
    connections.flatMap((connection) =>
      connection.channels().map((channel) => showChannel(context, connection, channel)),
    ),
    request.query,
  );
}

const list = (context: ApiContext, request: ApiRequest): ApiReply =>
  showAll(context, request, seen(context, request));

const listChannels = (context: ApiContext, request: ApiRequest): ApiReply =>
  showChannels(context, request, seen(context, request));

function ofVhost(context: ApiContext, request: ApiRequest): PeerConnection[] {
  const namespace = lookInto(context, request);
  return seen(context, request).filter((connection) => connection.namespace === namespace);
}

const listOfVhost = (context: ApiContext, request: ApiRequest): ApiReply =>
  showAll(context, request, ofVhost(context, request));

const listChannelsOfVhost = (context: ApiContext, request: ApiRequest): ApiReply =>
  showChannels(context, request, ofVhost(context, request));

function get({ broker }: ApiContext, { params, identity }: ApiRequest): PeerConnection {
  const { name } = params;
  const connection = broker.peers.list().find((peer) => peer.name === name);
  if (connection === undefined) throw missing();
  if (!isSeenBy(identity, connection)) throw notAuthorised('User not authorised to access object');
  return connection;
}

function describe(context: ApiContext, request: ApiRequest): ApiReply {
  context.samples.touch();
  return objectReply(showConnection(context, get(context, request)), request.query);
}

function reasonOf({ headers }: ApiRequest): string {
  const reason = headers['x-reason'];
  return typeof reason === 'string' && reason !== '' ? reason : 'Closed via management plugin';
}

function close(context: ApiContext, request: ApiRequest): ApiReply {
  const connection = get(context, request);
  const reason = reasonOf(request);
  context.log.info(
    { connection: connection.name, user: request.identity.name, reason },
    'the management closes a connection',
  );
  connection.close(reason);
  return noContent;
}

const channelsOf = (context: ApiContext, request: ApiRequest): ApiReply =>
  showChannels(context, request, [get(context, request)]);

function ofUser(context: ApiContext, request: ApiRequest): PeerConnection[] {
  const { name } = request.params;
  return seen(context, request).filter((connection) => connection.user === name);
}

const listOfUser = (context: ApiContext, request: ApiRequest): ApiReply =>
  showAll(context, request, ofUser(context, request));

function closeOfUser(context: ApiContext, request: ApiRequest): ApiReply {
  for (const connection of ofUser(context, request)) connection.close(reasonOf(request));
  return noContent;
}

function describeChannel(context: ApiContext, request: ApiRequest): ApiReply {
  const found = findChannel(context, request.params['name'] ?? '');
  if (found === undefined) throw missing();
  const { connection, channel } = found;
  if (!isSeenBy(request.identity, connection)) {
    throw notAuthorised('User not authorised to access object');
  }
  context.samples.touch();
  const own = new Set(channel.consumers());
  return objectReply(
    {
      ...showChannel(context, connection, channel),
      consumer_details: listConsumers(context, (consumer) => own.has(consumer)),
      deliveries: [],
      publishes: [],
    },
    request.query,
  );
}

function findChannel(
  { broker }: ApiContext,
  name: string,
): { connection: PeerConnection; channel: PeerChannel } | undefined {
  for (const connection of broker.peers.list()) {
    if (!name.startsWith(connection.name)) continue;
    for (const channel of connection.channels()) {
      if (channelName(connection, channel) === name) return { connection, channel };
    }
  }
  return undefined;
}

function listAllConsumers(context: ApiContext, request: ApiRequest): ApiReply {
  const visible = visibleNamespaces(context, request);
  return listReply(
    listConsumers(context, ({ queue }) => visible.has(queue.namespace)),
    request.query,
    consumerOrder,
  );
}

function listConsumersOfVhost(context: ApiContext, request: ApiRequest): ApiReply {
  const namespace = lookInto(context, request);
  return listReply(
    listConsumers(context, ({ queue }) => queue.namespace === namespace),
    request.query,
    consumerOrder,
  );
}

const consumerOrder: readonly string[] = ['queue.vhost', 'queue.name', 'consumer_tag'];

export const connectionRoutes: readonly ApiRoute[] = [
  { method: 'GET', path: '/api/connections', audience: 'management', handle: list },
  { method: 'GET', path: '/api/connections/{name}', audience: 'management', handle: describe },
  { method: 'DELETE', path: '/api/connections/{name}', audience: 'management', handle: close },
  {
    method: 'GET',
    path: '/api/connections/{name}/channels',
    audience: 'management',
    handle: channelsOf,
  },
  {
    method: 'GET',
    path: '/api/connections/username/{name}',
    audience: 'management',
    handle: listOfUser,
  },
  {
    method: 'DELETE',
    path: '/api/connections/username/{name}',
    audience: 'management',
    handle: closeOfUser,
  },
  {
    method: 'GET',
    path: '/api/vhosts/{vhost}/connections',
    audience: 'management',
    handle: listOfVhost,
  },
  {
    method: 'GET',
    path: '/api/vhosts/{vhost}/channels',
    audience: 'management',
    handle: listChannelsOfVhost,
  },
  { method: 'GET', path: '/api/channels', audience: 'management', handle: listChannels },
  { method: 'GET', path: '/api/channels/{name}', audience: 'management', handle: describeChannel },
  { method: 'GET', path: '/api/consumers', audience: 'management', handle: listAllConsumers },
  {
    method: 'GET',
    path: '/api/consumers/{vhost}',
    audience: 'management',
    handle: listConsumersOfVhost,
  },
];
