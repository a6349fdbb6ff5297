import type { Queue } from '../../../broker/index.ts';
import { isDurableQueue } from '../declared-queue.ts';
import { typeOfQueue } from '../policies.ts';
import { operatorPolicyAttribute, policyAttribute } from '../stored-arguments.ts';
import { vhostOf } from '../vhost.ts';
import type { ApiContext } from './api.ts';
import { isObject, type JsonObject } from './body.ts';
import { lengthCounters, messageCounters } from './queue-counters.ts';
import { type Window } from './samples.ts';
import { parseStored, showArguments } from './shown-fields.ts';

export interface QueueWindows {
  readonly lengths?: Window | undefined;
  readonly rates?: Window | undefined;
}

export function queueKey({ namespace, name }: { namespace: string; name: string }): string {
  return `queue\0${namespace}\0${name}`;
}

/** What a tool is told when it wants no statistics. */
export function showQueueBasics({ nodeName }: ApiContext, queue: Queue): Record<string, unknown> {
  const type = typeOfQueue(queue);
  return {
    arguments: showArguments(queue.attributes),
    auto_delete: queue.isAutoDelete,
    durable: isDurableQueue(queue),
    exclusive: queue.exclusiveOwner !== undefined,
    name: queue.name,
    node: nodeName,
    type,
    vhost: vhostOf(queue.namespace),
    ...(type === 'classic' ? {} : { leader: nodeName, members: [nodeName], online: [nodeName] }),
  };
}

export function showQueue(
  context: ApiContext,
  queue: Queue,
  windows: QueueWindows = {},
): Record<string, unknown> {
  const { samples } = context;
  const key = queueKey(queue);
  const counts = queue.counts();
  const isDurable = isDurableQueue(queue);
  const { oldestTimestampMs } = counts;
  const bytes = counts.readyBytes + counts.leasedBytes;
  const messages = counts.ready + counts.leased;
  return {
    ...showQueueBasics(context, queue),
    consumer_capacity: capacityOf(counts),
    consumer_utilisation: capacityOf(counts),
    consumers: counts.consumers,
    effective_policy_definition: effectivePolicy(context, queue),
    exclusive_consumer_tag: null,
    head_message_timestamp:
      oldestTimestampMs === undefined ? null : Math.floor(oldestTimestampMs / 1000),
    // What has not been delivered takes no memory of its own.
    memory: counts.leased * leasedBytes,
    message_bytes: bytes,
    message_bytes_paged_out: 0,
    message_bytes_persistent: isDurable ? bytes : 0,
    message_bytes_ram: 0,
    message_bytes_ready: counts.readyBytes,
    message_bytes_unacknowledged: counts.leasedBytes,
    message_stats: samples.describe(key, messageCounters(queue), windows.rates),
    ...samples.describe(key, lengthCounters(queue), windows.lengths),
    messages_delayed: counts.delayed,
    messages_paged_out: 0,
    messages_persistent: isDurable ? messages : 0,
    messages_ram: 0,
    operator_policy: policyName(queue, operatorPolicyAttribute),
    policy: policyName(queue, policyAttribute),
    single_active_consumer_tag: null,
    state: 'running',
  };
}

/** What one leased message takes, about. */
const leasedBytes = 64;

/** Consumers that keep up leave nothing behind. */
function capacityOf({ consumers, ready }: { consumers: number; ready: number }): number {
  return consumers > 0 && ready === 0 ? 1 : 0;
}

function policyName(queue: Queue, attribute: string): string | null {
  const name = queue.attributes[attribute];
  return name === undefined || name === '' ? null : name;
}

function effectivePolicy({ services }: ApiContext, queue: Queue): JsonObject {
  const policies = services.access.listPolicies({ namespace: queue.namespace });
  const definitionOf = (attribute: string, isOperator: boolean): JsonObject => {
    const name = policyName(queue, attribute);
    const found = policies.find((one) => one.name === name && one.isOperator === isOperator);
    const definition = found === undefined ? {} : parseStored(found.definition);
    return isObject(definition) ? definition : {};
  };
  const own = definitionOf(policyAttribute, false);
  const operators = definitionOf(operatorPolicyAttribute, true);
  const merged: Record<string, unknown> = { ...own };
  for (const [key, value] of Object.entries(operators)) {
    const other = merged[key];
    merged[key] =
      typeof other === 'number' && typeof value === 'number' ? Math.min(other, value) : value;
  }
  return merged;
}
