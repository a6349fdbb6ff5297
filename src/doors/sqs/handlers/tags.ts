import { queueArn, type SqsRequest } from '../context.ts';
import { policyBytesMax, textAttribute } from '../queue-attributes.ts';
import { getQueue } from '../queue-lookup.ts';
import { type Input, isObject, mapOf, textOf, textsOf } from '../shape.ts';
import { invalidParameter, invalidValue, missingParameter, SqsError } from '../sqs-error.ts';
import type { Queue } from '../../../broker/index.ts';

export const tagsAttribute = 'sqs.tags';
const tagsMax = 50;
const statementsMax = 20;
const actionsMax = 7;

/** Throws SqsError. */
export function checkTags(tags: Input, queueName: string): Record<string, string> {
  const names = Object.keys(tags);
  if (names.length > tagsMax) {
    throw invalidParameter(`Too many tags added for queue ${queueName}.`);
  }
  const checked: Record<string, string> = {};
  for (const name of names) {
    const value = String(tags[name]);
    if (name === '' || name.length > 128) {
      throw invalidParameter('Tag keys must be between 1 and 128 characters in length.');
    }
    if (value.length > 256) {
      throw invalidParameter('Tag values must be between 0 and 256 characters in length.');
    }
    if (/^aws:/i.test(name)) {
      throw invalidParameter(`Tag keys must not start with the prefix aws:. Tag: ${name}`);
    }
    Object.defineProperty(checked, name, { value, enumerable: true });
  }
  return checked;
}

function tagsOf(queue: Queue): Record<string, string> {
  const text = textAttribute(queue, 'tags');
  const value: unknown = text === undefined ? {} : JSON.parse(text);
  return isObject(value) ? checkTags(value, queue.name) : {};
}

export async function tagQueue(request: SqsRequest, input: Input): Promise<Input> {
  const queue = getQueue(request, input);
  const tags = mapOf(input, 'Tags');
  if (tags === undefined) throw missingParameter('Tags');
  const all = { ...tagsOf(queue), ...checkTags(tags, queue.name) };
  await store(request, queue, checkTags(all, queue.name));
  return {};
}

export async function untagQueue(request: SqsRequest, input: Input): Promise<Input> {
  const queue = getQueue(request, input);
  const names = new Set(textsOf(input, 'TagKeys'));
  if (names.size === 0) {
    throw invalidParameter('Tag keys must be between 1 and 128 characters in length.');
  }
  const kept = Object.entries(tagsOf(queue)).filter(([name]) => !names.has(name));
  await store(request, queue, Object.fromEntries(kept));
  return {};
}

export function listQueueTags(request: SqsRequest, input: Input): Input {
  const tags = tagsOf(getQueue(request, input));
  return Object.keys(tags).length === 0 ? {} : { Tags: tags };
}

async function store(
  { context }: SqsRequest,
  queue: Queue,
  tags: Record<string, string>,
): Promise<void> {
  await context.broker.queues.configure(queue, {
    attributes: { [tagsAttribute]: JSON.stringify(tags) },
  });
}

interface Policy {
  [name: string]: unknown;
  Statement: Input[];
}

function policyOf(request: SqsRequest, queue: Queue): Policy {
  const text = textAttribute(queue, 'Policy') ?? '';
  const value: unknown = text === '' ? {} : JSON.parse(text);
  const policy = isObject(value) ? value : {};
  const { Statement } = policy;
  return {
    Version: '2008-10-17',
    Id: `${queueArn(request, queue.name)}/SQSDefaultPolicy`,
    ...policy,
    Statement: Array.isArray(Statement)
      ? Statement.filter(isObject)
      : isObject(Statement)
        ? [Statement]
        : [],
  };
}

const permittedActions: ReadonlySet<string> = new Set([
  '*',
  'SendMessage',
  'ReceiveMessage',
  'DeleteMessage',
  'ChangeMessageVisibility',
  'GetQueueAttributes',
  'GetQueueUrl',
  'ListDeadLetterSourceQueues',
  'PurgeQueue',
]);

/** Permissions are stored in the queue's policy, which nobody is judged by: see the README. */
export async function addPermission(request: SqsRequest, input: Input): Promise<Input> {
  const queue = getQueue(request, input);
  const label = textOf(input, 'Label');
  if (label === undefined) throw missingParameter('Label');
  if (!/^[A-Za-z0-9_-]{1,80}$/.test(label)) {
    throw invalidParameter(
      'Value for parameter Label is invalid. Reason: Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.',
    );
  }
  const accounts = textsOf(input, 'AWSAccountIds');
  const actions = textsOf(input, 'Actions');
  if (actions.length === 0) throw missingParameter('Actions');
  if (accounts.length === 0 || !accounts.every((account) => /^\d{12}$/.test(account))) {
    throw invalidValue(`[${accounts.join(', ')}]`, 'PrincipalId', 'Unable to verify.');
  }
  if (actions.length > actionsMax) {
    throw new SqsError(
      'OverLimit',
      `${actions.length} Actions were found, maximum allowed is ${actionsMax}.`,
    );
  }
  for (const action of actions) {
    if (!permittedActions.has(action)) {
      throw invalidValue(
        `SQS:${action}`,
        'ActionName',
        'Only the queue owner is allowed to invoke this action.',
      );
    }
  }
  const policy = policyOf(request, queue);
  if (policy.Statement.some(({ Sid }) => Sid === label)) {
    throw invalidValue(label, 'Label', 'Already exists.');
  }
  if (policy.Statement.length >= statementsMax) {
    throw new SqsError(
      'OverLimit',
      `${statementsMax} statements are the maximum of a policy, which has that many.`,
    );
  }
  policy.Statement.push({
    Sid: label,
    Effect: 'Allow',
    Principal: { AWS: oneOrAll(accounts.map((account) => `arn:aws:iam::${account}:root`)) },
    Action: oneOrAll(actions.map((action) => `SQS:${action}`)),
    Resource: queueArn(request, queue.name),
  });
  const text = JSON.stringify(policy);
  if (Buffer.byteLength(text) > policyBytesMax) {
    throw new SqsError('OverLimit', `A policy has at most ${policyBytesMax} bytes.`);
  }
  await storePolicy(request, queue, text);
  return {};
}

export async function removePermission(request: SqsRequest, input: Input): Promise<Input> {
  const queue = getQueue(request, input);
  const label = textOf(input, 'Label');
  if (label === undefined) throw missingParameter('Label');
  const policy = policyOf(request, queue);
  const kept = policy.Statement.filter(({ Sid }) => Sid !== label);
  if (kept.length === policy.Statement.length) {
    throw invalidValue(label, 'Label', "can't find label.");
  }
  await storePolicy(
    request,
    queue,
    kept.length === 0 ? '' : JSON.stringify({ ...policy, Statement: kept }),
  );
  return {};
}

function oneOrAll(values: readonly string[]): unknown {
  return values.length === 1 ? values[0] : values;
}

async function storePolicy({ context }: SqsRequest, queue: Queue, text: string): Promise<void> {
  await context.broker.queues.configure(queue, { attributes: { 'sqs.Policy': text } });
}
