import type { Exchange } from '../../../broker/index.ts';
import type { SqsRequest } from '../context.ts';
import { type Input, isObject, textOf, textsOf } from '../shape.ts';
import { topicArn } from './names.ts';
import { invalidParameter, SnsError } from './sns-error.ts';
import { checkJson, getTopic } from './topic.ts';
import { defaultPolicy } from './topic-defaults.ts';

const policyName = 'sns.attribute.Policy';
const protectionName = 'sns.protection';

const permittedActions: ReadonlySet<string> = new Set([
  'AddPermission',
  'DeleteTopic',
  'GetDataProtectionPolicy',
  'GetTopicAttributes',
  'ListSubscriptionsByTopic',
  'ListTagsForResource',
  'Publish',
  'PutDataProtectionPolicy',
  'RemovePermission',
  'SetTopicAttributes',
  'Subscribe',
]);

interface Policy {
  readonly [name: string]: unknown;
  readonly Statement: readonly Input[];
}

function policyOf(request: SqsRequest, topic: Exchange): Policy {
  const stored = topic.attributes[policyName] ?? '';
  const text = stored === '' ? defaultPolicy(topicArn(request, topic.name)) : stored;
  const value: unknown = JSON.parse(text);
  const policy = isObject(value) ? value : {};
  const { Statement } = policy;
  const statements: unknown[] = Array.isArray(Statement) ? Statement : [Statement];
  return { ...policy, Statement: statements.filter(isObject) };
}

/** Permissions are statements of the topic's policy, which nobody is judged by. */
export async function addPermission(request: SqsRequest, input: Input): Promise<Input> {
  const topic = getTopic(request, input);
  const label = textOf(input, 'Label') ?? '';
  const accounts = textsOf(input, 'AWSAccountId');
  const actions = textsOf(input, 'ActionName');
  if (label === '') throw invalidParameter('Label');
  if (accounts.length === 0) throw invalidParameter('AWSAccountId');
  if (actions.length === 0) throw invalidParameter('ActionName');
  const policy = policyOf(request, topic);
  if (policy.Statement.some(({ Sid }) => Sid === label)) {
    throw invalidParameter('Statement already exists');
  }
  if (!actions.every((action) => action === '*' || permittedActions.has(action))) {
    throw invalidParameter('Policy statement action out of service scope!');
  }
  const statement = {
    Sid: label,
    Effect: 'Allow',
    Principal: { AWS: oneOrAll(accounts.map((account) => `arn:aws:iam::${account}:root`)) },
    Action: oneOrAll(actions.map((action) => `SNS:${action}`)),
    Resource: topicArn(request, topic.name),
  };
  await store(request, topic, { ...policy, Statement: [...policy.Statement, statement] });
  return {};
}

export async function removePermission(request: SqsRequest, input: Input): Promise<Input> {
  const topic = getTopic(request, input);
  const label = textOf(input, 'Label') ?? '';
  const policy = policyOf(request, topic);
  const Statement = policy.Statement.filter(({ Sid }) => Sid !== label);
  if (Statement.length < policy.Statement.length) {
    await store(request, topic, { ...policy, Statement });
  }
  return {};
}

async function store({ context }: SqsRequest, topic: Exchange, policy: Policy): Promise<void> {
  const change = { [policyName]: JSON.stringify(policy) };
  await context.broker.exchanges.configure('', topic.name, change);
}

function oneOrAll(values: readonly string[]): unknown {
  return values.length === 1 ? values[0] : values;
}

/** Kept and told; nothing is looked for in messages. */
export async function putDataProtectionPolicy(request: SqsRequest, input: Input): Promise<Input> {
  const topic = getProtected(request, input);
  const text = textOf(input, 'DataProtectionPolicy') ?? '';
  if (text !== '') checkJson('DataProtectionPolicy', text);
  const change = { [protectionName]: text === '' ? undefined : text };
  await request.context.broker.exchanges.configure('', topic.name, change);
  return {};
}

export function getDataProtectionPolicy(request: SqsRequest, input: Input): Input {
  return { DataProtectionPolicy: getProtected(request, input).attributes[protectionName] ?? '' };
}

function getProtected(request: SqsRequest, input: Input): Exchange {
  const TopicArn = textOf(input, 'ResourceArn');
  if (TopicArn === undefined) {
    throw new SnsError('InvalidParameter', 'Invalid parameter: ResourceArn');
  }
  return getTopic(request, { TopicArn });
}
