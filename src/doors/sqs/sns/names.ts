import { accountId, type SqsRequest } from '../context.ts';
import { type Input, textOf } from '../shape.ts';
import { invalidParameter } from './sns-error.ts';

export function topicArn({ region }: SqsRequest, name: string): string {
  return `arn:aws:sns:${region}:${accountId}:${name}`;
}

export function isFifoName(name: string): boolean {
  return name.endsWith('.fifo');
}

/** At most 256 characters with the ending. */
const nameForm = /^(?=.{1,256}$)[A-Za-z0-9_-]{1,256}(\.fifo)?$/;

export function isTopicName(name: string): boolean {
  return nameForm.test(name);
}

/** The name in a topic's ARN. Throws SnsError. */
export function topicNameOf(input: Input, parameter = 'TopicArn'): string {
  const arn = getArn(input, parameter);
  const name = /^arn:aws[a-z-]*:sns:[a-z0-9-]*:\d{12}:([^:]+)$/.exec(arn)?.[1];
  if (name === undefined || !isTopicName(name)) {
    throw invalidParameter(
      parameter === 'TargetArn'
        ? 'TargetArn Reason: No endpoint found for the target arn specified'
        : parameter,
    );
  }
  return name;
}

/** Topic and id in a subscription's ARN. Throws SnsError. */
export function subscriptionOf(input: Input): { topicName: string; id: string } {
  const arn = getArn(input, 'SubscriptionArn');
  const parts = /^arn:aws[a-z-]*:sns:[a-z0-9-]*:\d{12}:([^:]+):([0-9a-f-]{36})$/.exec(arn);
  if (parts === null) throw invalidParameter('SubscriptionId');
  return { topicName: parts[1]!, id: parts[2]! };
}

const arnElements = 6;

function getArn(input: Input, parameter: string): string {
  const arn = textOf(input, parameter);
  if (arn === undefined) {
    throw invalidParameter(`${parameter} Reason: no value for required parameter`);
  }
  const count = arn.split(':').length;
  if (count < arnElements) {
    throw invalidParameter(
      `${parameter} Reason: An ARN must have at least ${arnElements} elements, not ${count}`,
    );
  }
  return arn;
}
