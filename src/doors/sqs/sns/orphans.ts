import { BrokerError, limits } from '../../../base/index.ts';
import type { Exchange } from '../../../broker/index.ts';
import type { SqsRequest } from '../context.ts';
import { isObject } from '../shape.ts';
import { SnsError } from './sns-error.ts';
import { bindingOf, readSubscription, type Subscription } from './subscription-record.ts';

const prefix = 'sns.orphan.';

/**
 * Subscriptions whose queue is not there: it was deleted, or was never made. A binding cannot be without its queue, so they
 * are attributes of their topic (JSON of queue, attributes and revision) until a message is published and the queue is
 * there. Where there is a binding of the same id, that counts.
 */
export function findOrphans({ name, attributes }: Exchange): Subscription[] {
  const found: Subscription[] = [];
  for (const key of Object.keys(attributes)) {
    if (!key.startsWith(prefix)) continue;
    const stored: unknown = JSON.parse(attributes[key] ?? '');
    if (!isObject(stored)) continue;
    found.push({
      id: key.slice(prefix.length),
      topicName: name,
      // Casts: these are ours, written below.
      queueName: stored['queue'] as string,
      attributes: stored['attributes'] as Record<string, string>,
      revision: stored['revision'] as number,
      binding: undefined,
    });
  }
  return found;
}

/** Throws SnsError when a topic has too many. */
export async function keepOrphan(
  { context }: SqsRequest,
  topic: Exchange,
  { id, queueName, attributes, revision }: Omit<Subscription, 'binding'>,
): Promise<void> {
  const key = prefix + id;
  const isNew = topic.attributes[key] === undefined;
  if (isNew && findOrphans(topic).length >= limits.orphanedSubscriptionsMax) {
    throw new SnsError(
      'SubscriptionLimitExceeded',
      `A topic has at most ${limits.orphanedSubscriptionsMax} subscriptions of queues that are not there.`,
    );
  }
  const text = JSON.stringify({ queue: queueName, attributes, revision });
  await context.broker.exchanges.configure('', topic.name, { [key]: text });
}

export async function forgetOrphan(
  { context }: SqsRequest,
  topicName: string,
  id: string,
): Promise<void> {
  const { exchanges } = context.broker;
  const key = prefix + id;
  if (exchanges.find('', topicName)?.attributes[key] === undefined) return;
  await exchanges.configure('', topicName, { [key]: undefined });
}

/** Binds those whose queue is there now. */
export async function adoptOrphans(request: SqsRequest, topic: Exchange): Promise<void> {
  const { broker } = request.context;
  for (const orphan of findOrphans(topic)) {
    if (broker.queues.find('', orphan.queueName) === undefined) continue;
    await broker.exchanges.bind(bindingOf(orphan));
    await forgetOrphan(request, topic.name, orphan.id);
  }
}

/**
 * Before a queue is deleted: its subscriptions are kept, as the service does. Those that a topic has no room for end with
 * their queue.
 */
export async function keepSubscriptionsOf(request: SqsRequest, queueName: string): Promise<void> {
  const { exchanges } = request.context.broker;
  const newest = new Map<string, Subscription>();
  const destination = { kind: 'queue', name: queueName } as const;
  for (const binding of exchanges.listBindings({ namespace: '', destination })) {
    const subscription = readSubscription(binding);
    if (subscription === undefined) continue;
    const other = newest.get(subscription.id);
    if (other === undefined || other.revision < subscription.revision) {
      newest.set(subscription.id, subscription);
    }
  }
  for (const subscription of newest.values()) {
    const topic = exchanges.find('', subscription.topicName);
    if (topic === undefined) continue;
    try {
      await keepOrphan(request, topic, subscription);
    } catch (error) {
      if (error instanceof SnsError) continue;
      if (error instanceof BrokerError && error.code === 'config-invalid') continue;
      throw error;
    }
  }
}
