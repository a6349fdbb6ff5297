import type { Queue } from '../../../../broker/index.ts';
import { isDurableQueue } from '../../declared-queue.ts';
import type { ApiContext, ApiReply, ApiRequest, ApiRoute } from '../api.ts';
import type { JsonObject } from '../body.ts';
import { listReply } from '../listing.ts';

/** What RabbitMQ means to give up. */
interface DeprecatedFeature {
  readonly name: string;
  readonly desc: string;
  /** `removed`: RabbitMQ has given it up already, and so it is not here either. */
  readonly phase: 'permitted_by_default' | 'removed';
  readonly provider: string;
  /** Whether something here makes use of it. Absent: never, or it cannot be told. */
  readonly isUsed?: (context: ApiContext) => boolean;
}

/** As in the release whose behaviour is followed (https://www.rabbitmq.com/docs/deprecated-features). */
const deprecated: readonly DeprecatedFeature[] = [
  {
    name: 'classic_queue_mirroring',
    desc: 'Mirrors of classic queues',
    phase: 'removed',
    provider: 'rabbit',
  },
  {
    name: 'global_qos',
    desc: 'A prefetch for all consumers of a channel together',
    phase: 'permitted_by_default',
    provider: 'rabbit',
  },
  {
    name: 'management_metrics_collection',
    desc: 'Rates and samples in the management API',
    phase: 'permitted_by_default',
    provider: 'rabbitmq_management_agent',
  },
  {
    name: 'ram_node_type',
    desc: 'Nodes that keep their metadata in memory only',
    phase: 'removed',
    provider: 'rabbit',
  },
  {
    name: 'transient_nonexcl_queues',
    desc: 'Queues that are neither durable nor exclusive',
    phase: 'permitted_by_default',
    provider: 'rabbit',
    isUsed: ({ broker }) => broker.queues.list().some(isTransientAndShared),
  },
];

function isTransientAndShared(queue: Queue): boolean {
  return queue.exclusiveOwner === undefined && !isDurableQueue(queue);
}

function show({ name, desc, phase, provider }: DeprecatedFeature): JsonObject {
  const state = phase === 'removed' ? 'denied' : 'permitted';
  return { name, desc, deprecation_phase: phase, doc_url: '', provided_by: provider, state };
}

const list = (_context: ApiContext, { query }: ApiRequest): ApiReply =>
  listReply(deprecated.map(show), query, ['name']);

function listUsed(context: ApiContext, { query }: ApiRequest): ApiReply {
  const used = deprecated.filter(({ isUsed }) => isUsed?.(context) === true);
  return listReply(used.map(show), query, ['name']);
}

export const deprecatedFeatureRoutes: readonly ApiRoute[] = [
  { method: 'GET', path: '/api/deprecated-features', audience: 'management', handle: list },
  {
    method: 'GET',
    path: '/api/deprecated-features/used',
    audience: 'management',
    handle: listUsed,
  },
];
