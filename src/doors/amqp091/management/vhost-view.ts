import type { Namespace } from '../../../broker/index.ts';
import { defaultTypeAttribute } from '../stored-arguments.ts';
import { vhostOf } from '../vhost.ts';
import type { ApiContext } from './api.ts';
import type { JsonObject } from './body.ts';
import { type Sums, vhostKey } from './measurement.ts';

/** Where a namespace keeps whether somebody asked for tracing. */
export const tracingAttribute = 'amqp.tracing';

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

export function showVhost(
  { samples, nodeName }: ApiContext,
  namespace: Namespace,
  { lengths, messages }: Sums,
): JsonObject {
  const key = vhostKey(namespace.name);
  return {
    ...showVhostBasics(namespace),
    protected_from_deletion: namespace.name === '',
    tracing: namespace.attributes[tracingAttribute] === 'true',
    cluster_state: { [nodeName]: 'running' },
    ...samples.describe(key, lengths),
    message_stats: samples.describe(key, messages),
  };
}
