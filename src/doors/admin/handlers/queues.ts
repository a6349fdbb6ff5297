import { BrokerError } from '../../../base/index.ts';
import type { BrokerPort, Queue } from '../../../broker/index.ts';
import {
  asObject,
  asText,
  asTruth,
  asWholeNumber,
  invalid,
  type JsonObject,
  optional,
  refuseOthers,
} from '../body.ts';
import type { AdminHandler, AdminRequest } from '../context.ts';
import { Problem } from '../problem.ts';
import { readNumber, readTruth, refuseOtherParameters } from '../query.ts';
import { readAttributes, readForm, readSettings } from '../queue-body.ts';
import { getTopic } from './topics.ts';

const pageInitial = 1000;
const pageMax = 10_000;

/** All queues of a namespace (default: of all), a page at a time. */
export const listQueues: AdminHandler = ({ broker }, { query }) => {
  refuseOtherParameters(query, ['namespace', 'from', 'limit']);
  const limit = readNumber(query, 'limit', 1, pageMax) ?? pageInitial;
  const from = readNumber(query, 'from', 0, Number.MAX_SAFE_INTEGER) ?? 0;
  const queues = broker.queues.list(query.get('namespace') ?? undefined);
  const page = queues.slice(from, from + limit);
  const json = {
    total: queues.length,
    next: from + limit < queues.length ? from + limit : null,
    queues: page.map(summarize),
  };
  return { status: 200, content: { json } };
};

/** 201 for a queue that was made, 200 for one that was there already, which stays as it is. */
export const createQueue: AdminHandler = async ({ broker }, request) => {
  const body = await request.readBody();
  refuseOthers(
    body,
    [
      'name',
      'namespace',
      'subscription',
      'partitions',
      'settings',
      'form',
      'isTemporary',
      'isAutoDelete',
      'idleExpiryMs',
      'attributes',
      'from',
    ],
    'the body',
  );
  const partitions = optional(body, 'partitions', asWholeNumber);
  if (partitions !== undefined && partitions < 1) throw invalid('partitions', 'at least 1');
  const { queue, isNew } = await broker.queues.declare({
    name: asText(body['name'], 'name'),
    namespace: optional(body, 'namespace', asText) ?? '',
    subscription: optional(body, 'subscription', asText) ?? '',
    ...(partitions === undefined ? {} : { partitions }),
    settings: optional(body, 'settings', readSettings) ?? {},
    form: optional(body, 'form', readForm) ?? {},
    lifetime: optional(body, 'isTemporary', asTruth) === true ? 'temporary' : 'durable',
    isAutoDelete: optional(body, 'isAutoDelete', asTruth) ?? false,
    idleExpiryMs: optional(body, 'idleExpiryMs', asWholeNumber) ?? -1,
    attributes: optional(body, 'attributes', readAttributes) ?? {},
    from: readStart(body),
  });
  return {
    status: isNew ? 201 : 200,
    headers: { location: locationOf(queue) },
    content: { json: describe(queue) },
  };
};

export const describeQueue: AdminHandler = ({ broker }, request) => ({
  status: 200,
  content: { json: describe(getQueue(broker, request)) },
});

export const changeQueue: AdminHandler = async ({ broker }, request) => {
  const queue = getQueue(broker, request);
  const body = await request.readBody();
  refuseOthers(body, ['settings', 'idleExpiryMs', 'attributes'], 'the body');
  const settings = optional(body, 'settings', readSettings);
  const idleExpiryMs = optional(body, 'idleExpiryMs', asWholeNumber);
  const attributes = optional(body, 'attributes', readAttributes);
  await broker.queues.configure(queue, {
    ...(settings === undefined ? {} : { settings }),
    ...(idleExpiryMs === undefined ? {} : { idleExpiryMs }),
    ...(attributes === undefined ? {} : { attributes }),
  });
  return { status: 200, content: { json: describe(queue) } };
};

export const deleteQueue: AdminHandler = async ({ broker }, request) => {
  const queue = getQueue(broker, request, ['ifUnused', 'ifEmpty']);
  const readyCount = await broker.queues.delete(queue, {
    ifUnused: readTruth(request.query, 'ifUnused'),
    ifEmpty: readTruth(request.query, 'ifEmpty'),
  });
  return { status: 200, content: { json: { readyCount } } };
};

/** For whoever has restored a file from a backup. */
export const retryDamaged: AdminHandler = async ({ broker }, request) => {
  const retriedCount = await getQueue(broker, request).retryDamaged();
  return { status: 200, content: { json: { retriedCount } } };
};

export const purgeQueue: AdminHandler = async ({ broker }, request) => {
  const purgedCount = await getQueue(broker, request).purge();
  return { status: 200, content: { json: { purgedCount } } };
};

/** To a time, or to an offset of each partition. */
export const rewindQueue: AdminHandler = async ({ broker }, request) => {
  const queue = getQueue(broker, request);
  const body = await request.readBody();
  refuseOthers(body, ['toTime', 'toOffset', 'offsets'], 'the body');
  const given = ['toTime', 'toOffset', 'offsets'].filter((name) => body[name] !== undefined);
  if (given.length !== 1) {
    throw new Problem(400, 'body-invalid', 'give one of toTime, toOffset, offsets');
  }
  await queue.rewind(readTarget(body, queue));
  return { status: 200, content: { json: describe(queue) } };
};

/** The queues over one topic. */
export const listSubscriptions: AdminHandler = ({ broker }, { params, query }) => {
  refuseOtherParameters(query, ['namespace']);
  const namespace = query.get('namespace') ?? '';
  const topic =
    namespace === ''
      ? getTopic(broker, params['name'])
      : broker.topics.find(params['name'] ?? '', namespace);
  if (topic === undefined) throw new BrokerError('topic-not-found', params['name']);
  const queues = broker.queues.list(namespace).filter((queue) => queue.topic === topic);
  return { status: 200, content: { json: { subscriptions: queues.map(summarize) } } };
};

/** Of the path's name; `namespace` and `subscription` are parameters of the query. */
export function getQueue(
  broker: BrokerPort,
  { params, query }: AdminRequest,
  otherParameters: readonly string[] = [],
): Queue {
  refuseOtherParameters(query, ['namespace', 'subscription', ...otherParameters]);
  const name = params['name'] ?? '';
  const queue = broker.queues.find(
    query.get('namespace') ?? '',
    name,
    query.get('subscription') ?? '',
  );
  if (queue === undefined) throw new BrokerError('queue-not-found', name);
  return queue;
}

function readTarget(
  body: JsonObject,
  queue: Queue,
): { timeMs: number } | { offsets: ReadonlyMap<number, number> } {
  const time = body['toTime'];
  if (time !== undefined) {
    const timeMs = typeof time === 'string' ? Date.parse(time) : time;
    if (typeof timeMs !== 'number' || !Number.isSafeInteger(timeMs)) {
      throw invalid('toTime', 'milliseconds or an ISO 8601 time');
    }
    return { timeMs };
  }
  const offset = optional(body, 'toOffset', asWholeNumber);
  if (offset !== undefined) {
    if (queue.parts.length > 1) {
      throw new Problem(400, 'body-invalid', 'the queue has several partitions: give offsets');
    }
    return { offsets: new Map([[0, asOffset(offset, 'toOffset')]]) };
  }
  const offsets = new Map<number, number>();
  for (const [key, value] of Object.entries(asObject(body['offsets'], 'offsets'))) {
    const partition = /^\d{1,9}$/.test(key) ? Number(key) : -1;
    if (queue.parts[partition] === undefined) throw new BrokerError('partition-not-found', key);
    offsets.set(partition, asOffset(value, `offsets.${key}`));
  }
  return { offsets };
}

function asOffset(value: unknown, where: string): number {
  const offset = asWholeNumber(value, where);
  if (offset < 0) throw invalid(where, 'an offset');
  return offset;
}

function readStart(body: JsonObject): 'earliest' | 'latest' {
  const from = optional(body, 'from', asText) ?? 'earliest';
  if (from !== 'earliest' && from !== 'latest') throw invalid('from', '"earliest" or "latest"');
  return from;
}

function locationOf({ name, namespace, subscription }: Queue): string {
  const query = new URLSearchParams();
  if (namespace !== '') query.set('namespace', namespace);
  if (subscription !== '') query.set('subscription', subscription);
  const suffix = query.size === 0 ? '' : `?${query.toString()}`;
  return `/api/v1/queues/${encodeURIComponent(name)}${suffix}`;
}

function summarize(queue: Queue): object {
  const { ready, readyBytes, delayed, leased, consumers } = queue.counts();
  return {
    name: queue.name,
    namespace: queue.namespace,
    subscription: queue.subscription,
    partitionCount: queue.parts.length,
    ready,
    readyBytes,
    delayed,
    leased,
    consumers,
    createdMs: queue.createdMs,
  };
}

function describe(queue: Queue): object {
  const counts = queue.counts();
  const { deadLetter, filter } = queue.settings;
  return {
    ...summarize(queue),
    topicId: queue.topic.id,
    retention: queue.topic.retention,
    isTemporary: queue.lifetime === 'temporary',
    isAutoDelete: queue.isAutoDelete,
    isExclusive: queue.exclusiveOwner !== undefined,
    idleExpiryMs: queue.idleExpiryMs,
    // Members that are not set are shown all the same.
    settings: { ...queue.settings, deadLetter: deadLetter ?? null, filter: filter ?? null },
    form: queue.form,
    attributes: queue.attributes,
    counts: { ...counts, oldestTimestampMs: counts.oldestTimestampMs ?? null },
    partitions: queue.parts.map((part) => {
      const { ready, delayed, leased, damaged } = part.counts();
      const { index, logStartOffset, highWatermark } = part.partition;
      return { partition: index, ready, delayed, leased, damaged, logStartOffset, highWatermark };
    }),
  };
}
