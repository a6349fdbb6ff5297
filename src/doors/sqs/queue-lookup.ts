import type { Queue } from '../../broker/index.ts';
import type { SqsRequest } from './context.ts';
import { type Input, textOf } from './shape.ts';
import { missingParameter, queueMissing, SqsError } from './sqs-error.ts';

/** The queue of the request's `QueueUrl`. Throws SqsError. */
export function getQueue(request: SqsRequest, input: Input): Queue {
  const url = textOf(input, 'QueueUrl');
  if (url === undefined || url === '') throw missingParameter('QueueUrl');
  const name = nameOfUrl(url);
  const queue = request.context.broker.queues.find('', name);
  if (queue !== undefined) return queue;
  // What is not even a path is no address of a queue that is gone.
  if (!url.includes('/')) throw invalidAddress(url);
  throw queueMissing();
}

export function getQueueByName({ context }: SqsRequest, name: string): Queue {
  const queue = context.broker.queues.find('', name);
  if (queue === undefined) throw queueMissing();
  return queue;
}

/** Host and account are not looked at: a broker may be called by many names. A name alone is enough. */
function nameOfUrl(url: string): string {
  const path = /^[a-z]+:\/\/[^/]*(\/[^?#]*)?/i.exec(url)?.[1] ?? (url.includes('://') ? '' : url);
  const name = path.slice(path.lastIndexOf('/') + 1);
  // A host without a path is an address, at which there is no queue.
  if (name === '') throw queueMissing();
  try {
    return decodeURIComponent(name);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    throw queueMissing();
  }
}

function invalidAddress(url: string): SqsError {
  return new SqsError('InvalidAddress', `The address ${url} is not valid for this endpoint.`);
}

/** The name in a queue's ARN; undefined when it is none. */
export function nameOfArn(arn: string): string | undefined {
  return /^arn:aws[a-z-]*:sqs:[a-z0-9-]*:\d{12}:(.+)$/.exec(arn)?.[1];
}
