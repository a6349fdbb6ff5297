import { accountId, type SqsRequest } from './context.ts';
import { escapeXml, type QueryParameters } from './query-protocol.ts';

export const identityAction = 'GetCallerIdentity';

/**
 * Whether a request of the Query protocol asks who its sender is: an action of AWS STS (2011-06-15), which tools that set
 * up queues ask before they do anything. It is the only one of that API.
 */
export function asksForIdentity(parameters: QueryParameters): boolean {
  return parameters.get('Action') === identityAction;
}

export function renderIdentity({ callerId }: SqsRequest, requestId: string): string {
  const isOwner = callerId === accountId;
  const arn = `arn:aws:iam::${accountId}:${isOwner ? 'root' : `user/${callerId}`}`;
  return (
    `<${identityAction}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${identityAction}Result>` +
    `<Arn>${escapeXml(arn)}</Arn><UserId>${escapeXml(callerId)}</UserId><Account>${accountId}</Account>` +
    `</${identityAction}Result><ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata></${identityAction}Response>`
  );
}
