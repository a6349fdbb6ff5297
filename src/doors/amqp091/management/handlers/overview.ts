import { ApiError, missing } from '../api-error.ts';
import {
  type ApiContext,
  type ApiReply,
  type ApiRequest,
  type ApiRoute,
  noContent,
  ok,
} from '../api.ts';
import { isMonitor } from '../authentication.ts';
import { type JsonObject, needText } from '../body.ts';
import { sumQueues } from '../measurement.ts';
import { listReply, objectReply } from '../listing.ts';
import {
  contextsOf,
  countObjects,
  exchangeTypes,
  listListeners,
  showMemory,
  showNode,
} from '../node-facts.ts';
import { globalComponent } from '../parameters.ts';
import { totalsKey, windowOf } from '../samples.ts';
import { parseStored } from '../shown-fields.ts';
import { compatibleVersion } from '../../server-properties.ts';

function overview(context: ApiContext, { query, identity }: ApiRequest): ApiReply {
  const { samples, churn, nodeName, version } = context;
  samples.touch();
  const rates = windowOf(query, 'msg_rates');
  const sums = sumQueues(context);
  const shown: JsonObject = {
    management_version: compatibleVersion,
    rabbitmq_version: compatibleVersion,
    product_name: 'Pabal',
    product_version: version,
    rates_mode: 'basic',
    sample_retention_policies: { global: [3600], basic: [5], detailed: [5] },
    exchange_types: exchangeTypes,
    cluster_name: clusterName(context),
    cluster_tags: {},
    node_tags: {},
    default_queue_type: 'classic',
    erlang_version: '',
    erlang_full_version: `Node.js ${process.version}`,
    release_series_support_status: 'supported',
    disable_stats: false,
    enable_queue_totals: false,
    is_op_policy_updating_enabled: true,
    message_stats: samples.describe(totalsKey, sums.messages, rates),
    churn_rates: samples.describe(totalsKey, churn.counters(), rates),
    queue_totals: samples.describe(totalsKey, sums.lengths, windowOf(query, 'lengths')),
    object_totals: countObjects(context),
    statistics_db_event_queue: 0,
    node: nodeName,
    // Where doors listen is not everybody's business.
    ...(isMonitor(identity)
      ? { listeners: showListeners(context), contexts: contextsOf(context) }
      : {}),
  };
  return objectReply(shown, query);
}

function showListeners(context: ApiContext): JsonObject[] {
  return listListeners(context).map(({ protocol, host, port, isTls }) => ({
    node: context.nodeName,
    protocol,
    ip_address: host,
    port,
    tls: isTls,
    socket_opts: {},
  }));
}

const clusterNameParameter = 'cluster_name';

function clusterName({ services, broker }: ApiContext): string {
  const stored = services.access
    .listParameters(globalComponent, '')
    .find(({ name }) => name === clusterNameParameter);
  const name = stored === undefined ? undefined : parseStored(stored.value);
  return typeof name === 'string' ? name : `pabal@${broker.storeId}`;
}

const showClusterName = (context: ApiContext): ApiReply => ok({ name: clusterName(context) });

async function putClusterName(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  const name = JSON.stringify(needText(await request.readBody(), 'name'));
  await context.services.access.putParameter(globalComponent, '', clusterNameParameter, name);
  return noContent;
}

async function listNodes(context: ApiContext, { query }: ApiRequest): Promise<ApiReply> {
  context.samples.touch();
  return listReply([await showNode(context)], query, ['name']);
}

function checkNode({ nodeName }: ApiContext, { params }: ApiRequest): void {
  if (params['node'] !== nodeName) throw missing();
}

async function describeNode(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  checkNode(context, request);
  context.samples.touch();
  return objectReply(await showNode(context), request.query);
}

function describeMemory(context: ApiContext, request: ApiRequest): ApiReply {
  checkNode(context, request);
  return ok({ memory: showMemory() });
}

/** Extensions of the web pages, of which there are none. */
const listExtensions = (): ApiReply => ok([]);

const auth = (): ApiReply =>
  ok({ oauth_enabled: false, enable_uaa: false, uaa_client_id: '', uaa_location: '' });

/** What RabbitMQ's releases had to be switched on, and is on here from the beginning. */
const features: ReadonlyArray<readonly [name: string, desc: string]> = [
  ['classic_mirrored_queue_version', 'Versions of classic queues'],
  ['classic_queue_type_delivery_support', 'Deliveries of classic queues to every kind of client'],
  ['direct_exchange_routing_v2', 'Routing of direct exchanges by a table'],
  ['drop_unroutable_metric', 'Messages that nobody gets are counted'],
  ['empty_basic_get_metric', 'Fetches from empty queues are counted'],
  ['implicit_default_bindings', 'Bindings of the default exchange are not stored'],
  ['listener_records_in_ets', 'Listeners are kept in memory'],
  ['maintenance_mode_status', 'Nodes say whether they are being drained'],
  ['message_containers', 'One form of message for all protocols'],
  ['quorum_queue', 'Queues of type quorum'],
  ['stream_filtering', 'Filters of streams'],
  ['stream_queue', 'Queues of type stream'],
  ['stream_single_active_consumer', 'Single active consumers of streams'],
  ['tracking_records_in_ets', 'Connections are kept in memory'],
  ['user_limits', 'Limits of users'],
  ['virtual_host_metadata', 'Descriptions and tags of virtual hosts'],
];

const listFeatures = (_context: ApiContext, { query }: ApiRequest): ApiReply =>
  listReply(
    features.map(([name, desc]) => ({
      name,
      desc,
      doc_url: '',
      state: 'enabled',
      stability: 'stable',
      provided_by: 'rabbit',
    })),
    query,
    ['name'],
  );

function enableFeature(_context: ApiContext, { params }: ApiRequest): ApiReply {
  const { name } = params;
  if (features.some(([known]) => known === name)) return noContent;
  throw new ApiError(400, 'bad_request', 'unsupported');
}

const nothing = (_context: ApiContext, { query }: ApiRequest): ApiReply => listReply([], query);

/** Statistics begin anew with every process; there is nothing that could be reset. */
const reset = (): ApiReply => noContent;

function resetNode(context: ApiContext, request: ApiRequest): ApiReply {
  checkNode(context, request);
  return noContent;
}

/** Of leaders over nodes, of which there is one. */
const rebalance = (): ApiReply => noContent;

const nothingPaths: readonly string[] = [
  '/api/federation-links',
  '/api/federation-links/{vhost}',
  '/api/shovels',
  '/api/shovels/{vhost}',
  '/api/stream/connections',
  '/api/stream/connections/{vhost}',
  '/api/stream/publishers',
  '/api/stream/consumers',
];

export const overviewRoutes: readonly ApiRoute[] = [
  { method: 'GET', path: '/api/overview', audience: 'management', handle: overview },
  { method: 'GET', path: '/api/cluster-name', audience: 'management', handle: showClusterName },
  { method: 'PUT', path: '/api/cluster-name', audience: 'administrator', handle: putClusterName },
  { method: 'GET', path: '/api/nodes', audience: 'monitoring', handle: listNodes },
  { method: 'GET', path: '/api/nodes/{node}', audience: 'monitoring', handle: describeNode },
  {
    method: 'GET',
    path: '/api/nodes/{node}/memory',
    audience: 'monitoring',
    handle: describeMemory,
  },
  { method: 'GET', path: '/api/extensions', audience: 'management', handle: listExtensions },
  { method: 'GET', path: '/api/auth', audience: 'everybody', handle: auth },
  {
    method: 'GET',
    path: '/api/auth/attempts/{node}',
    audience: 'monitoring',
    handle: nothing,
  },
  { method: 'GET', path: '/api/feature-flags', audience: 'administrator', handle: listFeatures },
  {
    method: 'PUT',
    path: '/api/feature-flags/{name}/enable',
    audience: 'administrator',
    handle: enableFeature,
  },
  ...nothingPaths.map(
    (path): ApiRoute => ({ method: 'GET', path, audience: 'management', handle: nothing }),
  ),
  { method: 'DELETE', path: '/api/reset', audience: 'administrator', handle: reset },
  { method: 'DELETE', path: '/api/reset/{node}', audience: 'administrator', handle: resetNode },
  { method: 'POST', path: '/api/rebalance/queues', audience: 'administrator', handle: rebalance },
];
