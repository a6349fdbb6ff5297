import { accountId } from '../context.ts';
import { type Input, textOf } from '../shape.ts';
import { invalidParameter } from './sns-error.ts';

const pageSize = 100;

/** 100 items from `NextToken` on, which is a place in the list. Throws SnsError. */
export function page<T>(
  all: readonly T[],
  input: Input,
): { items: readonly T[]; NextToken: string | undefined } {
  const token = textOf(input, 'NextToken') ?? '';
  const place = token === '' ? '0' : Buffer.from(token, 'base64url').toString('latin1');
  if (!/^\d{1,9}$/.test(place)) throw invalidParameter('NextToken');
  const from = Number(place);
  const to = from + pageSize;
  return {
    items: all.slice(from, to),
    NextToken:
      to < all.length ? Buffer.from(String(to), 'latin1').toString('base64url') : undefined,
  };
}

/** What a topic without a policy of its own has: its owner may do everything. */
export function defaultPolicy(arn: string): string {
  const actions = [
    'GetTopicAttributes',
    'SetTopicAttributes',
    'AddPermission',
    'RemovePermission',
    'DeleteTopic',
    'Subscribe',
    'ListSubscriptionsByTopic',
    'Publish',
  ];
  return JSON.stringify({
    Version: '2008-10-17',
    Id: '__default_policy_ID',
    Statement: [
      {
        Sid: '__default_statement_ID',
        Effect: 'Allow',
        Principal: { AWS: '*' },
        Action: actions.map((action) => `SNS:${action}`),
        Resource: arn,
        Condition: { StringEquals: { 'AWS:SourceOwner': accountId } },
      },
    ],
  });
}
