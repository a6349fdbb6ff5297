import type { BrokerPort, Exchange } from '../../../broker/index.ts';
import { compilePolicy } from '../../../routing/index.ts';
import { accountId, isFifo, queueArn, type SqsRequest } from '../context.ts';
import { nameOfArn } from '../queue-lookup.ts';
import { type Input, isObject, mapOf, textOf } from '../shape.ts';
import { findFilterProblem, isNestedFilter } from './filter-check.ts';
import { isFifoName, subscriptionOf, topicArn, topicNameOf } from './names.ts';
import { findOrphans, forgetOrphan, keepOrphan } from './orphans.ts';
import { findSnsError, invalidParameter, SnsError } from './sns-error.ts';
import {
  bindingOf,
  isSubscription,
  readSubscription,
  type Subscription,
} from './subscription-record.ts';
import { getTopicByName } from './topic.ts';
import { page } from './topic-defaults.ts';

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
  for (const orphan of findOrphans(topic)) {
    if (!found.has(orphan.id)) found.set(orphan.id, orphan);
  }
  return [...found.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

function subscriptionArn(
  request: SqsRequest,
  { topicName, id }: Pick<Subscription, 'topicName' | 'id'>,
): string {
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

const protocols: ReadonlySet<string> = new Set(
  'application email email-json firehose http https lambda sms sqs'.split(' '),
);

export async function subscribe(request: SqsRequest, input: Input): Promise<Input> {
  const { broker, random } = request.context;
  const topicName = topicNameOf(input);
  const protocol = textOf(input, 'Protocol') ?? '';
  const endpoint = textOf(input, 'Endpoint') ?? '';
  if (!protocols.has(protocol)) {
    throw invalidParameter(`Amazon SNS does not support this protocol string: ${protocol}`);
  }
  const topic = getTopicByName(request, topicName);
  if (protocol === 'sms' && !/^\+?[0-9]+(-[0-9]+)*$/.test(endpoint)) {
    throw new SnsError('InvalidParameter', `Invalid SMS endpoint: ${endpoint}`);
  }
  const queueName = nameOfArn(endpoint);
  if (protocol === 'sqs' && queueName === undefined) throw invalidParameter('SQS endpoint ARN');
  const isOrdered = isFifoName(topic.name) && endpoint.endsWith('.fifo');
  const attributes: Record<string, string> = {};
  for (const [name, value] of Object.entries(mapOf(input, 'Attributes') ?? {})) {
    const text = typeof value === 'string' ? value : '';
    checkAttribute(name, text, isOrdered, inAttributes);
    if (!isUnset(name, text)) attributes[name] = text;
  }
  checkFilter(attributes, inAttributes);
  if (queueName === undefined || protocol !== 'sqs') {
    throw invalidParameter(`Protocol Reason: "${protocol}" is not offered here, only "sqs" is`);
  }
  const queue = broker.queues.find('', queueName);
  const isOfFifo = queue === undefined ? isFifoName(queueName) : isFifo(queue);
  if (isOfFifo && !isFifoName(topic.name)) {
    throw invalidParameter(
      'Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics',
    );
  }
  const known = findSubscriptions(broker, topic).find((each) => each.queueName === queueName);
  if (known !== undefined) {
    const isSame = Object.entries(attributes).every(
      ([name, text]) =>
        normalize(name, text) === normalize(name, known.attributes[name] ?? defaults[name] ?? ''),
    );
    if (!isSame) {
      throw invalidParameter(
        'Attributes Reason: Subscription already exists with different attributes',
      );
    }
    return { SubscriptionArn: subscriptionArn(request, known) };
  }
  if (attributes['FilterPolicy'] !== undefined) checkFilterCount(request, topic);
  const made = { id: random.nextUuid(), topicName: topic.name, queueName, attributes, revision: 1 };
  if (queue === undefined) await keepOrphan(request, topic, made);
  else await broker.exchanges.bind(bindingOf(made));
  return { SubscriptionArn: subscriptionArn(request, made) };
}

const defaults: Readonly<Record<string, string>> = {
  RawMessageDelivery: 'false',
  FilterPolicyScope: 'MessageAttributes',
};

function normalize(name: string, text: string): string {
  return name === 'RawMessageDelivery' ? text.toLowerCase() : text;
}

const attributeForms: Readonly<Record<string, RegExp>> = {
  RawMessageDelivery: /^(true|false)$/i,
  FilterPolicyScope: /^(MessageAttributes|MessageBody)$/,
  FilterPolicy: /^/,
  RedrivePolicy: /^/,
  DeliveryPolicy: /^/,
  ReplayPolicy: /^/,
  SubscriptionRoleArn: /^(arn:.*)?$/,
};

/** What errors begin with where attributes are members of another parameter. */
const inAttributes = 'Attributes Reason: ';

function checkAttribute(name: string, text: string, isOrdered: boolean, where: string): void {
  const form = Object.hasOwn(attributeForms, name) ? attributeForms[name] : undefined;
  if (form === undefined) throw invalidParameter('AttributeName');
  if (!form.test(text)) {
    throw invalidParameter(
      `${where}${name}: Invalid value [${text}].${name === 'FilterPolicyScope' ? ' Please use either MessageBody or MessageAttributes' : ' Must be true or false.'}`,
    );
  }
  if (!name.endsWith('Policy') || text === '') return;
  const value = parseObject(text, `${where}${name}`);
  if (name !== 'RedrivePolicy') return;
  const target = value['deadLetterTargetArn'];
  if (typeof target !== 'string' || nameOfArn(target) === undefined) {
    throw invalidParameter(`${where}RedrivePolicy: deadLetterTargetArn is an invalid arn`);
  }
  if (isOrdered && !target.endsWith('.fifo')) {
    throw invalidParameter(
      `${where}RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.`,
    );
  }
}

function parseObject(text: string, where: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw invalidParameter(`${where}: failed to parse JSON. ${error.message}`, error);
  }
  if (isObject(value)) return value;
  throw invalidParameter(`${where}: failed to parse JSON. An object is expected`);
}

/** The queue of a subscription's `RedrivePolicy`, which was checked. */
export function deadLetterNameOfSubscription({
  RedrivePolicy,
}: Subscription['attributes']): string | undefined {
  if (RedrivePolicy === undefined) return undefined;
  return nameOfArn(String(parseObject(RedrivePolicy, 'RedrivePolicy')['deadLetterTargetArn']));
}

/** An empty policy takes the one away that is there. */
function isUnset(name: string, text: string): boolean {
  return text === '' || (name === 'FilterPolicy' && Object.keys(JSON.parse(text)).length === 0);
}

function checkFilter(
  { FilterPolicy, FilterPolicyScope }: Readonly<Record<string, string>>,
  where: string,
): void {
  if (FilterPolicy === undefined) return;
  const policy = parseObject(FilterPolicy, `${where}FilterPolicy`);
  const problem = findFilterProblem(policy);
  if (problem !== undefined) throw invalidParameter(`${where}FilterPolicy: ${problem}`);
  if (FilterPolicyScope !== 'MessageBody' && isNestedFilter(policy)) {
    throw invalidParameter(
      `${where}Filter policy scope MessageAttributes does not support nested filter policy`,
    );
  }
  try {
    compilePolicy(FilterPolicy);
  } catch (error) {
    throw invalidParameter(
      `${where}FilterPolicy: ${findSnsError(error)?.message ?? String(error)}`,
      error,
    );
  }
}

const filteredMax = 200;

/** Of so many subscriptions of a topic the service looks at policies. */
function checkFilterCount({ context }: SqsRequest, topic: Exchange): void {
  if (context.isRelaxed) return;
  const all = findSubscriptions(context.broker, topic);
  const filtered = all.filter(({ attributes }) => attributes['FilterPolicy'] !== undefined);
  if (filtered.length < filteredMax) return;
  throw new SnsError(
    'FilterPolicyLimitExceeded',
    `A topic has at most ${filteredMax} subscriptions with filter policies.`,
  );
}

export async function unsubscribe(request: SqsRequest, input: Input): Promise<Input> {
  const found = findSubscription(request, input);
  if (found === undefined) return {};
  const { exchanges } = request.context.broker;
  // All revisions: a crash may have left an older one.
  const bindings = exchanges.listBindings({ namespace: '', source: found.topicName });
  const own = bindings.filter((binding) => isSubscription(binding) && binding.key === found.id);
  await Promise.all(own.map((binding) => exchanges.unbind(binding)));
  await forgetOrphan(request, found.topicName, found.id);
  return {};
}

export async function setSubscriptionAttributes(request: SqsRequest, input: Input): Promise<Input> {
  const { binding, ...subscription } = getSubscription(request, input);
  const { exchanges } = request.context.broker;
  const name = textOf(input, 'AttributeName') ?? '';
  const text = textOf(input, 'AttributeValue') ?? '';
  const isOrdered = isFifoName(subscription.topicName) && subscription.queueName.endsWith('.fifo');
  checkAttribute(name, text, isOrdered, '');
  const attributes: Record<string, string> = { ...subscription.attributes };
  if (isUnset(name, text)) delete attributes[name];
  else attributes[name] = text;
  checkFilter(attributes, '');
  if (name === 'FilterPolicy' && subscription.attributes[name] === undefined) {
    checkFilterCount(request, getTopicByName(request, subscription.topicName));
  }
  const changed = { ...subscription, attributes, revision: subscription.revision + 1 };
  if (binding === undefined) {
    await keepOrphan(request, getTopicByName(request, subscription.topicName), changed);
    return {};
  }
  await exchanges.bind(bindingOf(changed));
  await exchanges.unbind(binding);
  await forgetOrphan(request, subscription.topicName, subscription.id);
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
    ['SubscriptionPrincipal', `arn:aws:iam::${accountId}:user/owner-of-topics`],
    ['RawMessageDelivery', 'false'],
  ]);
  for (const [name, text] of Object.entries(subscription.attributes)) {
    attributes.set(name, name === 'RawMessageDelivery' ? text.toLowerCase() : text);
  }
  // The scope is of the policy: without one there is none.
  if (!attributes.has('FilterPolicy')) attributes.delete('FilterPolicyScope');
  else if (!attributes.has('FilterPolicyScope')) {
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
export function confirmSubscription(_request: SqsRequest, input: Input): Input {
  topicNameOf(input);
  const token = textOf(input, 'Token') ?? '';
  // What has not the form of a token is told from one that is unknown.
  if (!/^[0-9a-f]{128,}$/i.test(token)) throw new SnsError('InvalidParameter', 'Invalid token');
  throw invalidParameter('Token');
}
