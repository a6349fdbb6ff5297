import { limits } from '../../../base/index.ts';
import type { ApiContext } from './api.ts';
import { addTo } from './churn.ts';
import { nodeCounters, nodeKey } from './node-facts.ts';
import { channelCounters, channelKey, connectionCounters, connectionKey } from './peer-view.ts';
import { lengthCounters, messageCounters } from './queue-counters.ts';
import { queueKey } from './queue-view.ts';
import { type Counters, totalsKey } from './samples.ts';

/** Of all queues together, or of a vhost with the bytes of its connections. */
export interface Sums {
  readonly lengths: Record<string, number>;
  readonly messages: Record<string, number>;
}

export function vhostKey(namespace: string): string {
  return `vhost\0${namespace}`;
}

/** Lengths and messages of all queues, those that are gone included, in one pass. */
export function sumQueues({ broker, churn }: ApiContext): Sums {
  const sums: Sums = { lengths: noLengths(), messages: { ...messageCounters(undefined) } };
  addTo(sums.messages, churn.gone);
  for (const queue of broker.queues.list()) {
    addTo(sums.lengths, lengthCounters(queue));
    addTo(sums.messages, messageCounters(queue));
  }
  return sums;
}

/** By namespace, every one that exists, in one pass over queues and one over connections. */
export function sumVhosts({ broker }: ApiContext): ReadonlyMap<string, Sums> {
  const byNamespace = new Map<string, Sums>();
  for (const { name } of broker.access.listNamespaces()) {
    const lengths = { ...noLengths(), recv_oct: 0, send_oct: 0 };
    byNamespace.set(name, { lengths, messages: { ...messageCounters(undefined) } });
  }
  for (const queue of broker.queues.list()) {
    const sums = byNamespace.get(queue.namespace);
    if (sums === undefined) continue;
    addTo(sums.lengths, lengthCounters(queue));
    addTo(sums.messages, messageCounters(queue));
  }
  for (const connection of broker.peers.list()) {
    const sums = byNamespace.get(connection.namespace);
    if (sums !== undefined) addTo(sums.lengths, connectionCounters(connection.details()));
  }
  return byNamespace;
}

function noLengths(): Record<string, number> {
  return { messages: 0, messages_ready: 0, messages_unacknowledged: 0 };
}

/** What rates are told of. */
export function* measure(
  context: ApiContext,
): Generator<readonly [key: string, counters: Counters]> {
  const { broker, churn } = context;
  yield [nodeKey, nodeCounters(context)];
  for (const [name, { lengths, messages }] of sumVhosts(context)) {
    yield [vhostKey(name), { ...lengths, ...messages }];
  }
  for (const connection of broker.peers.list()) {
    yield [connectionKey(connection), connectionCounters(connection.details())];
    for (const channel of connection.channels()) {
      yield [channelKey(connection, channel), channelCounters(channel.details())];
    }
  }
  for (const queue of broker.queues.list().slice(0, limits.managementSampledMax)) {
    yield [queueKey(queue), { ...messageCounters(queue), ...lengthCounters(queue) }];
  }
  const { lengths, messages } = sumQueues(context);
  yield [totalsKey, { ...lengths, ...messages, ...churn.counters() }];
}
