import type { Namespace } from '../../../broker/index.ts';
import { defaultTypeAttribute } from '../stored-arguments.ts';
import { vhostOf } from '../vhost.ts';
import type { ApiContext } from './api.ts';
import { addTo } from './churn.ts';
import type { JsonObject } from './body.ts';
import { lengthCounters } from './queue-counters.ts';
import { connectionCounters } from './peer-view.ts';
import type { Counters } from './samples.ts';

/** Where a namespace keeps whether somebody asked for tracing. */
export const tracingAttribute = 'amqp.tracing';

export function vhostKey(namespace: string): string {
  return `vhost\0${namespace}`;
}

/** What a vhost's description, its export and its import have. */
export function showVhostBasics(namespace: Namespace): Record<string, unknown> {
  const { description, tags, attributes } = namespace;
  const defaultType = attributes[defaultTypeAttribute];
  return {
    name: vhostOf(namespace.name),
    description,
    tags,
    default_queue_type: defaultType ?? 'classic',
    metadata: {
      description,
      tags,
      ...(defaultType === undefined ? {} : { default_queue_type: defaultType }),
    },
  };
}

export function showVhost(context: ApiContext, namespace: Namespace): JsonObject {
  const { samples, nodeName, churn } = context;
  const key = vhostKey(namespace.name);
  return {
    ...showVhostBasics(namespace),
    protected_from_deletion: namespace.name === '',
    tracing: namespace.attributes[tracingAttribute] === 'true',
    cluster_state: { [nodeName]: 'running' },
    ...samples.describe(key, vhostCounters(context, namespace.name)),
    message_stats: samples.describe(key, churn.messages(namespace.name)),
  };
}

/** Lengths of its queues, bytes of its connections. */
export function vhostCounters({ broker }: ApiContext, namespace: string): Counters {
  const sum: Record<string, number> = {
    messages: 0,
    messages_ready: 0,
    messages_unacknowledged: 0,
    recv_oct: 0,
    send_oct: 0,
  };
  for (const queue of broker.queues.list(namespace)) addTo(sum, lengthCounters(queue));
  for (const connection of broker.peers.list()) {
    if (connection.namespace === namespace) addTo(sum, connectionCounters(connection.details()));
  }
  return sum;
}
