import type { Binding, BrokerPort, Exchange } from '../../../broker/index.ts';
import { compilePolicy } from '../../../routing/index.ts';
import { accountId, isFifo, queueArn, type SqsRequest } from '../context.ts';
import { nameOfArn } from '../queue-lookup.ts';
import { type Input, isObject, mapOf, textOf } from '../shape.ts';
import { isFifoName, subscriptionOf, topicArn, topicNameOf } from './names.ts';
import { findSnsError, invalidParameter, SnsError } from './sns-error.ts';
import { getTopic, getTopicByName } from './topic.ts';
import { page } from './topic-defaults.ts';

/** A queue that gets what is published to a topic. */
export interface Subscription {
  readonly id: string;
  readonly topicName: string;
  readonly queueName: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** How often its attributes were changed. */
  readonly revision: number;
  readonly binding: Binding;
}

/**
 * The argument of a binding that makes it a subscription, whose id is the binding's key: JSON of revision and attributes.
 * Changing it is a second binding and then the end of the first; should a crash leave both, the later revision counts.
 */
const argumentName = 'x-sns-subscription';

function readSubscription(binding: Binding): Subscription | undefined {
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

function bindingOf(subscription: Omit<Subscription, 'binding'>): Binding {
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

/** In order of their ids. */
export function findSubscriptions(broker: BrokerPort, topic: Exchange): Subscription[] {
  const found = new Map<string, Subscription>();
  for (const binding of broker.exchanges.listBindings({ namespace: '', source: topic.name })) {
    const subscription = readSubscription(binding);
    if (subscription === undefined) continue;
    const other = found.get(subscription.id);
    if (other === undefined || other.revision < subscription.revision) {
      found.set(subscription.id, subscription);
    }
  }
  return [...found.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

function subscriptionArn(request: SqsRequest, { topicName, id }: Subscription): string {
  return `${topicArn(request, topicName)}:${id}`;
}

function findSubscription(request: SqsRequest, input: Input): Subscription | undefined {
  const { topicName, id } = subscriptionOf(input);
  const { broker } = request.context;
  const topic = broker.exchanges.find('', topicName);
  if (topic === undefined) return undefined;
  return findSubscriptions(broker, topic).find((each) => each.id === id);
}

function getSubscription(request: SqsRequest, input: Input): Subscription {
  const found = findSubscription(request, input);
  if (found === undefined) throw new SnsError('NotFound', 'Subscription does not exist');
  return found;
}

export async function subscribe(request: SqsRequest, input: Input): Promise<Input> {
  const topic = getTopic(request, input);
  const { broker, random } = request.context;
  const protocol = textOf(input, 'Protocol') ?? '';
  if (protocol !== 'sqs') {
    throw invalidParameter(`Protocol Reason: "${protocol}" is not offered here, only "sqs" is`);
  }
  const endpoint = textOf(input, 'Endpoint') ?? '';
  const queueName = nameOfArn(endpoint);
  if (queueName === undefined) throw invalidParameter('SQS endpoint ARN');
  const queue = broker.queues.find('', queueName);
  if (queue === undefined) throw invalidParameter('Endpoint Reason: the queue does not exist');
  if (isFifo(queue) && !isFifoName(topic.name)) {
    throw invalidParameter(
      'Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics',
    );
  }
  const attributes: Record<string, string> = {};
  for (const [name, value] of Object.entries(mapOf(input, 'Attributes') ?? {})) {
    const text = typeof value === 'string' ? value : '';
    checkAttribute(name, text);
    if (!isUnset(name, text)) attributes[name] = text;
  }
  checkFilter(attributes);
  const known = findSubscriptions(broker, topic).find((each) => each.queueName === queueName);
  if (known !== undefined) {
    const isSame = Object.entries(attributes).every(
      ([name, text]) => known.attributes[name] === text,
    );
    if (!isSame) {
      throw invalidParameter(
        'Attributes Reason: Subscription already exists with different attributes',
      );
    }
    return { SubscriptionArn: subscriptionArn(request, known) };
  }
  const made = { id: random.nextUuid(), topicName: topic.name, queueName, attributes, revision: 1 };
  const binding = bindingOf(made);
  await broker.exchanges.bind(binding);
  return { SubscriptionArn: subscriptionArn(request, { ...made, binding }) };
}

const attributeForms: Readonly<Record<string, RegExp>> = {
  RawMessageDelivery: /^(true|false)$/i,
  FilterPolicyScope: /^(MessageAttributes|MessageBody)$/,
  FilterPolicy: /^/,
  RedrivePolicy: /^/,
  DeliveryPolicy: /^/,
};

function checkAttribute(name: string, text: string): void {
  const form = attributeForms[name];
  if (form === undefined) throw invalidParameter('AttributeName');
  if (!form.test(text)) {
    throw invalidParameter(
      `${name}: Invalid value [${text}].${name === 'FilterPolicyScope' ? ' Please use either MessageBody or MessageAttributes' : ' Must be true or false.'}`,
    );
  }
  if (!name.endsWith('Policy') || text === '') return;
  try {
    if (isObject(JSON.parse(text))) return;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw invalidParameter(`${name}: failed to parse JSON.`);
}

/** An empty policy takes the one away that is there. */
function isUnset(name: string, text: string): boolean {
  return text === '' || (name === 'FilterPolicy' && Object.keys(JSON.parse(text)).length === 0);
}

function checkFilter({ FilterPolicy, FilterPolicyScope }: Readonly<Record<string, string>>): void {
  if (FilterPolicy === undefined) return;
  try {
    compilePolicy(FilterPolicy);
  } catch (error) {
    throw invalidParameter(`FilterPolicy: ${findSnsError(error)?.message ?? String(error)}`, error);
  }
  if (FilterPolicyScope === 'MessageBody') return;
  for (const [key, value] of Object.entries(JSON.parse(FilterPolicy) as Record<string, unknown>)) {
    if (key !== '$or' && !Array.isArray(value)) {
      throw invalidParameter(
        'FilterPolicy: Filter policy scope MessageAttributes does not support nested filter policy',
      );
    }
  }
}

export async function unsubscribe(request: SqsRequest, input: Input): Promise<Input> {
  const found = findSubscription(request, input);
  if (found === undefined) return {};
  const { exchanges } = request.context.broker;
  // All revisions: a crash may have left an older one.
  const bindings = exchanges.listBindings({ namespace: '', source: found.topicName });
  const own = bindings.filter((binding) => isSubscription(binding) && binding.key === found.id);
  await Promise.all(own.map((binding) => exchanges.unbind(binding)));
  return {};
}

export async function setSubscriptionAttributes(request: SqsRequest, input: Input): Promise<Input> {
  const { binding, ...subscription } = getSubscription(request, input);
  const { exchanges } = request.context.broker;
  const name = textOf(input, 'AttributeName') ?? '';
  const text = textOf(input, 'AttributeValue') ?? '';
  checkAttribute(name, name === 'RawMessageDelivery' && text === '' ? 'false' : text);
  const attributes: Record<string, string> = { ...subscription.attributes };
  if (isUnset(name, text)) delete attributes[name];
  else attributes[name] = text;
  checkFilter(attributes);
  await exchanges.bind(
    bindingOf({ ...subscription, attributes, revision: subscription.revision + 1 }),
  );
  await exchanges.unbind(binding);
  return {};
}

export function getSubscriptionAttributes(request: SqsRequest, input: Input): Input {
  const subscription = getSubscription(request, input);
  const attributes = new Map<string, string>([
    ['SubscriptionArn', subscriptionArn(request, subscription)],
    ['TopicArn', topicArn(request, subscription.topicName)],
    ['Protocol', 'sqs'],
    ['Endpoint', queueArn(request, subscription.queueName)],
    ['Owner', accountId],
    ['ConfirmationWasAuthenticated', 'true'],
    ['PendingConfirmation', 'false'],
    ['SubscriptionPrincipal', `arn:aws:iam::${accountId}:root`],
    ['RawMessageDelivery', 'false'],
  ]);
  for (const [name, text] of Object.entries(subscription.attributes)) {
    attributes.set(name, name === 'RawMessageDelivery' ? text.toLowerCase() : text);
  }
  if (attributes.has('FilterPolicy') && !attributes.has('FilterPolicyScope')) {
    attributes.set('FilterPolicyScope', 'MessageAttributes');
  }
  return { Attributes: attributes };
}

function describe(request: SqsRequest, subscription: Subscription): Input {
  return {
    SubscriptionArn: subscriptionArn(request, subscription),
    Owner: accountId,
    Protocol: 'sqs',
    Endpoint: queueArn(request, subscription.queueName),
    TopicArn: topicArn(request, subscription.topicName),
  };
}

export function listSubscriptions(request: SqsRequest, input: Input): Input {
  const { broker } = request.context;
  const all = broker.exchanges.list('').flatMap((topic) => findSubscriptions(broker, topic));
  const { items, NextToken } = page(all, input);
  return { Subscriptions: items.map((each) => describe(request, each)), NextToken };
}

export function listSubscriptionsByTopic(request: SqsRequest, input: Input): Input {
  const topic = getTopicByName(request, topicNameOf(input));
  const { items, NextToken } = page(findSubscriptions(request.context.broker, topic), input);
  return { Subscriptions: items.map((each) => describe(request, each)), NextToken };
}

/** Subscriptions of queues need no confirmation, so no token was ever given out. */
export function confirmSubscription(request: SqsRequest, input: Input): Input {
  getTopic(request, input);
  throw invalidParameter('Token');
}
