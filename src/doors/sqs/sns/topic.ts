import type { Exchange } from '../../../broker/index.ts';
import type { SqsRequest } from '../context.ts';
import { type Input, mapOf, objectsOf, textOf, textsOf } from '../shape.ts';
import { tellDeliveryPolicy, tellEffectivePolicy } from './delivery-policy.ts';
import { isFifoName, isTopicName, topicArn, topicNameOf } from './names.ts';
import { invalidParameter, SnsError } from './sns-error.ts';
import { findSubscriptions } from './subscription.ts';
import { defaultPolicy, page } from './topic-defaults.ts';

const markName = 'sns.topic';
const attributePrefix = 'sns.attribute.';
const tagPrefix = 'sns.tag.';
const tagsMax = 50;

const truth = /^(true|false)$/;

/** Attributes that can be set, with what their values may be. */
const settable: Readonly<Record<string, RegExp>> = {
  DisplayName: /^[^\p{Cc}]{0,100}$/u,
  Policy: /^\s*\{/,
  DeliveryPolicy: /^\s*\{/,
  KmsMasterKeyId: /^/,
  SignatureVersion: /^[12]$/,
  TracingConfig: /^(PassThrough|Active)$/,
  ContentBasedDeduplication: truth,
  FifoThroughputScope: /^(Topic|MessageGroup)$/,
  ArchivePolicy: /^\s*\{/,
  DataProtectionPolicy: /^\s*\{/,
  FifoTopic: truth,
  ...feedbackForms(),
};

/** How deliveries are told of to a log: kept. */
function feedbackForms(): Record<string, RegExp> {
  const forms: Record<string, RegExp> = {};
  for (const kind of ['HTTP', 'SQS', 'Lambda', 'Firehose', 'Application']) {
    forms[`${kind}SuccessFeedbackRoleArn`] = /^arn:/;
    forms[`${kind}FailureFeedbackRoleArn`] = /^arn:/;
    forms[`${kind}SuccessFeedbackSampleRate`] = /^(100|\d{1,2})$/;
  }
  return forms;
}

const onlyFifo = new Set(['ContentBasedDeduplication', 'FifoThroughputScope', 'ArchivePolicy']);

/** The topic of the request. Throws SnsError. */
export function getTopic(request: SqsRequest, input: Input): Exchange {
  return getTopicByName(request, topicNameOf(input));
}

export function getTopicByName({ context }: SqsRequest, name: string): Exchange {
  const topic = context.broker.exchanges.find('', name);
  if (topic === undefined || !isTopic(topic)) {
    throw new SnsError('NotFound', 'Topic does not exist');
  }
  return topic;
}

function isTopic(exchange: Exchange): boolean {
  return exchange.attributes[markName] !== undefined;
}

/** Which of the topics that have had its name, one after the other, it is. */
export function generationOf(topic: Exchange): string {
  return `${topic.name}/${topic.attributes[markName] ?? ''}`;
}

export function isContentBased(topic: Exchange): boolean {
  return topic.attributes[`${attributePrefix}ContentBasedDeduplication`] === 'true';
}

export async function createTopic(request: SqsRequest, input: Input): Promise<Input> {
  const { exchanges } = request.context.broker;
  const name = textOf(input, 'Name') ?? '';
  const given = mapOf(input, 'Attributes') ?? {};
  const wantsFifo = checkAttribute('.fifo', 'FifoTopic', given['FifoTopic'] ?? 'false') === 'true';
  if (!isTopicName(name)) throw invalidParameter('Topic Name');
  if (isFifoName(name) !== wantsFifo) throw invalidParameter('Topic Name');
  const attributes: Record<string, string> = {};
  for (const [key, value] of Object.entries(given)) {
    if (key !== 'FifoTopic') attributes[attributePrefix + key] = checkAttribute(name, key, value);
  }
  const tags = readTags(input);
  const known = exchanges.find('', name);
  if (known !== undefined && isTopic(known)) {
    checkSame(known, attributes, tags);
    return { TopicArn: topicArn(request, name) };
  }
  // An exchange of another door becomes a topic, too, where it does what a topic does.
  if (known !== undefined && (known.kind !== 'fanout' || known.lifetime !== 'durable')) {
    throw invalidParameter(
      'Name Reason: an exchange of this name exists that is no durable fanout exchange',
    );
  }
  const all = { ...attributes, ...tags, [markName]: request.context.random.nextUuid() };
  if (known !== undefined) await exchanges.configure('', name, all);
  else {
    await exchanges.declare({
      namespace: '',
      name,
      kind: 'fanout',
      isDelayed: false,
      lifetime: 'durable',
      isAutoDelete: false,
      isInternal: false,
      alternate: undefined,
      arguments: {},
      attributes: all,
    });
  }
  return { TopicArn: topicArn(request, name) };
}

function checkSame(
  topic: Exchange,
  attributes: Readonly<Record<string, string>>,
  tags: Readonly<Record<string, string>>,
): void {
  for (const [key, value] of Object.entries(attributes)) {
    if (topic.attributes[key] !== value) {
      throw invalidParameter('Attributes Reason: Topic already exists with different attributes');
    }
  }
  const isOther = Object.entries(tags).some(([key, value]) => topic.attributes[key] !== value);
  if (isOther) throw invalidParameter('Tags Reason: Topic already exists with different tags');
}

function checkAttribute(topicName: string, name: string, given: unknown): string {
  const form = Object.hasOwn(settable, name) ? settable[name] : undefined;
  // Truth may be written in any case.
  const isTruth = form?.source === truth.source && typeof given === 'string';
  const value = isTruth ? given.toLowerCase() : given;
  if (form === undefined) throw invalidParameter('AttributeName');
  if (onlyFifo.has(name) && !isFifoName(topicName))
    throw invalidParameter(`Attributes Reason: Unknown attribute ${name}`);
  if (typeof value !== 'string' || !(form.test(value) || (value === '' && !onlyFifo.has(name)))) {
    throw invalidParameter(`Attributes Reason: ${name}: invalid value`);
  }
  if (form.source.endsWith('\\{') && value !== '') checkJson(name, value);
  return value;
}

export function checkJson(name: string, text: string): void {
  try {
    JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw invalidParameter(`Attributes Reason: ${name}: failed to parse JSON.`, error);
  }
}

export async function deleteTopic(request: SqsRequest, input: Input): Promise<Input> {
  const { exchanges } = request.context.broker;
  const name = topicNameOf(input);
  const topic = exchanges.find('', name);
  // Deleting what is not there is no error.
  if (topic !== undefined && isTopic(topic)) await exchanges.delete('', name);
  return {};
}

export function listTopics(request: SqsRequest, input: Input): Input {
  const topics = request.context.broker.exchanges.list('').filter(isTopic);
  const { items, NextToken } = page(topics, input);
  return {
    Topics: items.map(({ name }) => ({ TopicArn: topicArn(request, name) })),
    NextToken,
  };
}

export function getTopicAttributes(request: SqsRequest, input: Input): Input {
  const topic = getTopic(request, input);
  const arn = topicArn(request, topic.name);
  const confirmed = findSubscriptions(request.context.broker, topic).length;
  const attributes = new Map<string, string>([
    ['TopicArn', arn],
    ['Owner', arn.split(':')[4]!],
    ['Policy', defaultPolicy(arn)],
    ['DisplayName', ''],
    ['SubscriptionsConfirmed', String(confirmed)],
    ['SubscriptionsPending', '0'],
    ['SubscriptionsDeleted', '0'],
  ]);
  if (isFifoName(topic.name)) {
    attributes.set('FifoTopic', 'true').set('ContentBasedDeduplication', 'false');
  }
  for (const [key, value] of Object.entries(topic.attributes)) {
    if (!key.startsWith(attributePrefix)) continue;
    const name = key.slice(attributePrefix.length);
    if (value !== '' || name === 'DisplayName') attributes.set(name, value);
  }
  const delivery = attributes.get('DeliveryPolicy');
  if (delivery !== undefined) attributes.set('DeliveryPolicy', tellDeliveryPolicy(delivery));
  attributes.set('EffectiveDeliveryPolicy', tellEffectivePolicy(delivery));
  return { Attributes: attributes };
}

export async function setTopicAttributes(request: SqsRequest, input: Input): Promise<Input> {
  const topic = getTopic(request, input);
  const name = textOf(input, 'AttributeName') ?? '';
  if (name === 'FifoTopic') throw invalidParameter('AttributeName');
  const value = checkAttribute(topic.name, name, textOf(input, 'AttributeValue') ?? '');
  const change = { [attributePrefix + name]: value === '' ? undefined : value };
  await request.context.broker.exchanges.configure('', topic.name, change);
  return {};
}

function readTags(input: Input): Record<string, string> {
  const tags: Record<string, string> = {};
  for (const tag of objectsOf(input, 'Tags')) {
    const key = textOf(tag, 'Key') ?? '';
    const value = textOf(tag, 'Value') ?? '';
    if (key === '' || key.length > 128 || value.length > 256) throw invalidParameter('Tags');
    if (tagPrefix + key in tags) throw invalidParameter('Duplicated keys are not allowed.');
    tags[tagPrefix + key] = value;
  }
  if (Object.keys(tags).length > tagsMax) throw tooManyTags();
  return tags;
}

function tooManyTags(): SnsError {
  return new SnsError(
    'TagLimitExceeded',
    `Could not complete request: tag quota of per resource exceeded`,
  );
}

function getTagged(request: SqsRequest, input: Input): Exchange {
  const name = topicNameOf(input, 'ResourceArn');
  const topic = request.context.broker.exchanges.find('', name);
  if (topic === undefined || !isTopic(topic)) {
    throw new SnsError('ResourceNotFound', 'Resource does not exist');
  }
  return topic;
}

export async function tagResource(request: SqsRequest, input: Input): Promise<Input> {
  const topic = getTagged(request, input);
  const tags = readTags(input);
  const all = Object.keys({ ...topic.attributes, ...tags });
  if (all.filter((key) => key.startsWith(tagPrefix)).length > tagsMax) throw tooManyTags();
  await request.context.broker.exchanges.configure('', topic.name, tags);
  return {};
}

export async function untagResource(request: SqsRequest, input: Input): Promise<Input> {
  const topic = getTagged(request, input);
  const change: Record<string, undefined> = {};
  for (const key of textsOf(input, 'TagKeys')) change[tagPrefix + key] = undefined;
  await request.context.broker.exchanges.configure('', topic.name, change);
  return {};
}

export function listTagsForResource(request: SqsRequest, input: Input): Input {
  const topic = getTagged(request, input);
  const Tags: Input[] = [];
  for (const [key, Value] of Object.entries(topic.attributes)) {
    if (key.startsWith(tagPrefix)) Tags.push({ Key: key.slice(tagPrefix.length), Value });
  }
  return { Tags };
}

export function signatureVersionOf(topic: Exchange): string {
  return topic.attributes[`${attributePrefix}SignatureVersion`] ?? '1';
}
