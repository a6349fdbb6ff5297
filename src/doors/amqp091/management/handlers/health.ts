import { X509Certificate } from 'node:crypto';
import { ApiError, badRequest } from '../api-error.ts';
import { type ApiContext, type ApiReply, type ApiRequest, type ApiRoute, ok } from '../api.ts';
import { DirectChannel } from '../direct-channel.ts';
import { incomingMessage } from '../incoming-message.ts';
import { listListeners } from '../node-facts.ts';
import { enter } from '../vhost-access.ts';

const healthy: ApiReply = ok({ status: 'ok' });

function failed(reason: string, more: Record<string, unknown> = {}): ApiReply {
  return { status: 503, json: { status: 'failed', reason, ...more } };
}

function alarms({ broker, nodeName }: ApiContext): ApiReply {
  if (!broker.isStorageLow()) return healthy;
  return failed('There are alarms in effect in the cluster', {
    alarms: [{ node: nodeName, resource: 'disk' }],
  });
}

/** Ready: nothing that the broker itself complains of, and a door for clients. */
function ready(context: ApiContext): ApiReply {
  const problems = context.broker.findProblems();
  if (problems.length > 0) return failed(problems.join('; '));
  return alarms(context);
}

function inService({ broker }: ApiContext): ApiReply {
  const problems = broker.findProblems();
  return problems.length > 0 ? failed(problems.join('; ')) : healthy;
}

function belowConnectionLimit({ broker, connectionsMax }: ApiContext): ApiReply {
  const current = broker.peers.list().length;
  const counts = { current, limit: connectionsMax };
  if (current < connectionsMax) return ok({ status: 'ok', ...counts });
  return failed('node connection limit is reached', counts);
}

const monthDays = 30;
const unitsDays: ReadonlyMap<string, number> = new Map([
  ['days', 1],
  ['weeks', 7],
  ['months', monthDays],
  ['years', 365],
]);

function certificates({ certificates: all, clock, nodeName }: ApiContext, { params }: ApiRequest) {
  const days = unitsDays.get(params['unit'] ?? '');
  const within = Number(params['within']);
  if (days === undefined) throw badRequest(`Time unit not supported: ${params['unit']}`);
  if (!Number.isSafeInteger(within) || within < 0) throw badRequest('Invalid expiration value.');
  const untilMs = clock.nowMs() + within * days * 86_400_000;
  const expired = all
    .map((pem) => new X509Certificate(pem))
    .filter(({ validTo }) => Date.parse(validTo) <= untilMs)
    .map(({ subject, validTo }) => ({ node: nodeName, subject, cert_expires_on: validTo }));
  return expired.length === 0 ? healthy : failed('Certificates expiring', { expired });
}

function portListener(context: ApiContext, { params }: ApiRequest): ApiReply {
  const port = Number(params['port']);
  if (!Number.isSafeInteger(port)) throw badRequest('Invalid port');
  const ports = listListeners(context).map((listener) => listener.port);
  if (ports.includes(port)) return ok({ status: 'ok', port });
  return failed('No active listener', { missing: port, ports });
}

/** Spellings that RabbitMQ takes for one of its own. */
const protocolAliases: ReadonlyMap<string, string> = new Map([
  ['amqp091', 'amqp'],
  ['amqp0.9.1', 'amqp'],
  ['amqp0-9-1', 'amqp'],
  ['amqp10', 'amqp'],
  ['amqp1.0', 'amqp'],
  ['amqps', 'amqp/ssl'],
  ['amqp091/ssl', 'amqp/ssl'],
  ['https', 'https'],
]);

function protocolListener(context: ApiContext, { params }: ApiRequest): ApiReply {
  const wanted = params['protocol'] ?? '';
  const protocol = protocolAliases.get(wanted.toLowerCase()) ?? wanted;
  const protocols = listListeners(context).map((listener) => listener.protocol);
  if (protocols.includes(protocol)) return ok({ status: 'ok', protocol });
  return failed('No active listener', { missing: wanted, protocols });
}

const single = (): ApiReply => ok({ status: 'ok', reason: 'single node cluster' });

/** Declares a queue, publishes to it and fetches from it. */
async function aliveness(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  const namespace = enter(context, request);
  const channel = new DirectChannel(context.services, request.identity, namespace);
  const name = 'aliveness-test';
  await channel.call('queueDeclare', {
    ticket: 0,
    queue: name,
    passive: false,
    durable: false,
    exclusive: false,
    autoDelete: false,
    nowait: false,
    arguments: new Map(),
  });
  const queue = context.services.queues.find(namespace, name);
  const message = incomingMessage('', name, Buffer.alloc(2), Buffer.from('test_message'));
  const isRouted = await channel.publish(message);
  if (!isRouted || queue === undefined) {
    throw new ApiError(503, 'service_unavailable', 'the test message was not stored');
  }
  await queue.acquire({
    count: 1,
    bytesMax: 1024,
    leaseMs: undefined,
    isAutoSettled: true,
    waitMs: 1000,
  });
  return healthy;
}

const checks = '/api/health/checks';

const always: readonly string[] = [
  `${checks}/virtual-hosts`,
  `${checks}/metadata-store/initialized`,
  `${checks}/metadata-store/initialized/with-data`,
  `${checks}/quorum-queues-without-elected-leaders/all-vhosts`,
  `${checks}/quorum-queues-without-elected-leaders/all-vhosts/pattern/{pattern}`,
  `${checks}/quorum-queues-without-elected-leaders/vhost/{vhost}`,
  `${checks}/quorum-queues-without-elected-leaders/vhost/{vhost}/pattern/{pattern}`,
];

export const healthRoutes: readonly ApiRoute[] = [
  { method: 'GET', path: `${checks}/alarms`, audience: 'management', handle: alarms },
  { method: 'GET', path: `${checks}/local-alarms`, audience: 'management', handle: alarms },
  {
    method: 'GET',
    path: `${checks}/certificate-expiration/{within}/{unit}`,
    audience: 'management',
    handle: certificates,
  },
  {
    method: 'GET',
    path: `${checks}/port-listener/{port}`,
    audience: 'management',
    handle: portListener,
  },
  {
    method: 'GET',
    path: `${checks}/protocol-listener/{protocol}`,
    audience: 'management',
    handle: protocolListener,
  },
  ...['node-is-mirror-sync-critical', 'node-is-quorum-critical'].map(
    (name): ApiRoute => ({
      method: 'GET',
      path: `${checks}/${name}`,
      audience: 'management',
      handle: single,
    }),
  ),
  {
    method: 'GET',
    path: `${checks}/ready-to-serve-clients`,
    audience: 'management',
    handle: ready,
  },
  { method: 'GET', path: `${checks}/is-in-service`, audience: 'management', handle: inService },
  {
    method: 'GET',
    path: `${checks}/below-node-connection-limit`,
    audience: 'management',
    handle: belowConnectionLimit,
  },
  ...always.map(
    (path): ApiRoute => ({
      method: 'GET',
      path,
      audience: 'management',
      handle: () => healthy,
    }),
  ),
  { method: 'GET', path: '/api/healthchecks/node', audience: 'management', handle: ready },
  { method: 'GET', path: '/api/healthchecks/node/{node}', audience: 'management', handle: ready },
  {
    method: 'GET',
    path: '/api/aliveness-test/{vhost}',
    audience: 'management',
    handle: aliveness,
  },
];
