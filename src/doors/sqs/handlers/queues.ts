import type { Queue } from '../../../broker/index.ts';
import { isFifo, queueUrl, type SqsRequest } from '../context.ts';
import {
  checkAttributes,
  checkReadable,
  checkRedriveAllowed,
  deadLetterNameOf,
  findDifference,
  initialForm,
  initialSettings,
  noteScope,
  readAttributes,
} from '../queue-attributes.ts';
import { getQueue, getQueueByName } from '../queue-lookup.ts';
import { type Input, mapOf, numberOf, textOf, textsOf } from '../shape.ts';
import { invalidParameter, invalidValue, missingParameter, SqsError } from '../sqs-error.ts';
import { keepSubscriptionsOf } from '../sns/index.ts';
import { checkTags, tagsAttribute } from './tags.ts';

const pageMax = 1000;
/** How every token begins, so that a text of another kind is told from one. */
const tokenMark = 'after:';

export async function createQueue(request: SqsRequest, input: Input): Promise<Input> {
  const { context } = request;
  const name = textOf(input, 'QueueName');
  if (name === undefined) throw missingParameter('QueueName');
  const attributes = mapOf(input, 'Attributes') ?? {};
  const known = context.broker.queues.find('', name);
  if (known !== undefined) return answerKnown(request, known, attributes);
  const fifo = checkName(name, isTrue(attributes['FifoQueue']));
  if (!context.isRelaxed && context.deleted.get(name) !== undefined) {
    throw new SqsError(
      'QueueDeletedRecently',
      'You must wait 60 seconds after deleting a queue before you can create another with the same name.',
    );
  }
  const options = checkAttributes(request, attributes, name, true);
  checkRedriveAllowed(request, name, options.settings);
  const tags = checkTags(mapOf(input, 'tags') ?? mapOf(input, 'Tags') ?? {}, name);
  const { queue, isNew } = await context.broker.queues.declare({
    namespace: '',
    name,
    settings: { ...initialSettings(fifo), ...options.settings },
    form: initialForm(fifo),
    attributes: {
      ...options.attributes,
      ...(Object.keys(tags).length === 0 ? {} : { [tagsAttribute]: JSON.stringify(tags) }),
    },
  });
  // Somebody else was faster.
  if (!isNew) return answerKnown(request, queue, attributes);
  return { QueueUrl: queueUrl(request, name) };
}

function answerKnown(request: SqsRequest, queue: Queue, attributes: Input): Input {
  const difference = findDifference(request, queue, attributes);
  if (difference !== undefined) {
    throw new SqsError(
      'QueueNameExists',
      `A queue already exists with the same name and a different value for attribute ${difference}`,
    );
  }
  return { QueueUrl: queueUrl(request, queue.name) };
}

function isTrue(value: unknown): boolean {
  return typeof value === 'string' && value.toLowerCase() === 'true';
}

/** Whether it is to be a FIFO queue. */
function checkName(name: string, fifo: boolean): boolean {
  if (fifo) {
    if (!/^[A-Za-z0-9_-]{1,75}\.fifo$/.test(name)) {
      throw invalidParameter(
        'The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.',
      );
    }
  } else if (!/^[A-Za-z0-9_-]{1,80}$/.test(name)) {
    throw invalidParameter(
      'Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length',
    );
  }
  return fifo;
}

export async function deleteQueue(request: SqsRequest, input: Input): Promise<Input> {
  const { context } = request;
  const queue = getQueue(request, input);
  await keepSubscriptionsOf(request, queue.name);
  await context.broker.queues.delete(queue);
  context.deleted.set(queue.name, context.clock.nowMs());
  return {};
}

export function getQueueUrl(request: SqsRequest, input: Input): Input {
  const name = textOf(input, 'QueueName');
  if (name === undefined) throw missingParameter('QueueName');
  return { QueueUrl: queueUrl(request, getQueueByName(request, name).name) };
}

export function listQueues(request: SqsRequest, input: Input): Input {
  const prefix = textOf(input, 'QueueNamePrefix') ?? '';
  const queues = request.context.broker.queues
    .list('')
    .filter((queue) => queue.subscription === '' && queue.name.startsWith(prefix));
  return page(request, input, queues, 'QueueUrls');
}

export function listDeadLetterSourceQueues(request: SqsRequest, input: Input): Input {
  const { name } = getQueue(request, input);
  const queues = request.context.broker.queues
    .list('')
    .filter((queue) => queue.subscription === '' && deadLetterNameOf(queue) === name);
  return page(request, input, queues, 'queueUrls');
}

/** Without `MaxResults` there are no pages: the first thousand, and nothing is said of others. */
function page(request: SqsRequest, input: Input, queues: readonly Queue[], member: string): Input {
  const max = numberOf(input, 'MaxResults');
  const token = textOf(input, 'NextToken');
  if (max !== undefined && (max < 1 || max > pageMax)) {
    throw invalidValue(
      max,
      'MaxResults',
      `MaxResults must be an integer between 1 and ${pageMax}.`,
    );
  }
  let start = 0;
  if (token !== undefined) {
    const after = afterOfToken(token);
    start = queues.findIndex(({ name }) => name > after);
    if (start < 0) start = queues.length;
  }
  const shown = queues.slice(start, start + (max ?? pageMax));
  const last = shown.at(-1);
  if (last === undefined) return member === 'queueUrls' ? { queueUrls: [] } : {};
  const result: Record<string, unknown> = {
    [member]: shown.map(({ name }) => queueUrl(request, name)),
  };
  if (max !== undefined && start + shown.length < queues.length) {
    result['NextToken'] = Buffer.from(tokenMark + last.name).toString('base64url');
  }
  return result;
}

/** The name after which the next page begins. Throws SqsError for a text that was never given out. */
function afterOfToken(token: string): string {
  const text = Buffer.from(token, 'base64url').toString('utf8');
  if (!text.startsWith(tokenMark)) throw invalidParameter('Invalid or expired next token.');
  return text.slice(tokenMark.length);
}

export function getQueueAttributes(request: SqsRequest, input: Input): Input {
  const queue = getQueue(request, input);
  const names = textsOf(input, 'AttributeNames');
  checkReadable(names);
  if (names.length === 0) return {};
  const Attributes = readAttributes(request, queue, names);
  return Object.keys(Attributes).length === 0 ? {} : { Attributes };
}

export async function setQueueAttributes(request: SqsRequest, input: Input): Promise<Input> {
  const queue = getQueue(request, input);
  const given = mapOf(input, 'Attributes');
  if (given === undefined) throw missingParameter('Attribute.Name');
  const attributes = { ...given };
  if (isFifo(queue) && attributes['FifoQueue'] === 'true') delete attributes['FifoQueue'];
  const options = checkAttributes(request, attributes, isFifo(queue) ? '.fifo' : '', false);
  checkRedriveAllowed(request, queue.name, options.settings);
  await request.context.broker.queues.configure(queue, {
    ...options,
    attributes: { ...options.attributes, ...noteScope(request, queue, options.attributes) },
  });
  return {};
}

export async function purgeQueue(request: SqsRequest, input: Input): Promise<Input> {
  const { context } = request;
  const queue = getQueue(request, input);
  if (!context.isRelaxed && context.purged.get(queue.topic.id) !== undefined) {
    throw new SqsError(
      'PurgeQueueInProgress',
      `Only one PurgeQueue operation on ${queue.name} is allowed every 60 seconds.`,
    );
  }
  context.purged.set(queue.topic.id, context.clock.nowMs());
  // What is in flight goes, too: its receivers may still delete it, which changes nothing.
  await queue.purge(true);
  return {};
}
