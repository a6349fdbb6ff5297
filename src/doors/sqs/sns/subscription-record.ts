import type { Binding } from '../../../broker/index.ts';
import { isObject } from '../shape.ts';

/** A queue that gets what is published to a topic. */
export interface Subscription {
  readonly id: string;
  readonly topicName: string;
  readonly queueName: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** How often its attributes were changed. */
  readonly revision: number;
  /** Undefined while the queue is not there. */
  readonly binding: Binding | undefined;
}

/**
 * The argument of a binding that makes it a subscription, whose id is the binding's key: JSON of revision and attributes.
 * Changing it is a second binding and then the end of the first; should a crash leave both, the later revision counts.
 */
const argumentName = 'x-sns-subscription';

export function readSubscription(binding: Binding): Subscription | undefined {
  const text = binding.arguments[argumentName];
  if (typeof text !== 'string' || binding.destination.kind !== 'queue') return undefined;
  const stored: unknown = JSON.parse(text);
  if (!isObject(stored) || !isObject(stored['attributes'])) return undefined;
  return {
    id: binding.key,
    topicName: binding.source,
    queueName: binding.destination.name,
    // Casts: these are ours, written below.
    attributes: stored['attributes'] as Record<string, string>,
    revision: stored['revision'] as number,
    binding,
  };
}

export function bindingOf(subscription: Omit<Subscription, 'binding'>): Binding {
  const { id, topicName, queueName, attributes, revision } = subscription;
  return {
    namespace: '',
    source: topicName,
    destination: { kind: 'queue', name: queueName },
    key: id,
    arguments: { [argumentName]: JSON.stringify({ revision, attributes }) },
  };
}

export function isSubscription(binding: Binding): boolean {
  return binding.arguments[argumentName] !== undefined;
}
