// CreateDelegationToken 1-3, RenewDelegationToken 1-2, ExpireDelegationToken 1-2, DescribeDelegationToken 1-3 (KIP-48): as a
// broker of Kafka answers that has no key for such tokens; whoever has not logged in may not even ask. Clients that log in by
// tokens use OAUTHBEARER here.
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import type { ResponseInput } from '../wire/index.ts';

export function createDelegationToken(
  context: HandlerContext,
): ResponseInput<'CreateDelegationToken'> {
  return {
    errorCode: refuse(context),
    principalType: '',
    principalName: '',
    tokenRequesterPrincipalType: '',
    tokenRequesterPrincipalName: '',
    issueTimestampMs: -1,
    expiryTimestampMs: -1,
    maxTimestampMs: -1,
    tokenId: '',
    hmac: new Uint8Array(0),
  };
}

export function renewDelegationToken(
  context: HandlerContext,
): ResponseInput<'RenewDelegationToken'> {
  return { errorCode: refuse(context), expiryTimestampMs: -1 };
}

export function expireDelegationToken(
  context: HandlerContext,
): ResponseInput<'ExpireDelegationToken'> {
  return { errorCode: refuse(context), expiryTimestampMs: -1 };
}

export function describeDelegationToken(
  context: HandlerContext,
): ResponseInput<'DescribeDelegationToken'> {
  return { errorCode: refuse(context), tokens: [] };
}

function refuse({ connection }: HandlerContext): number {
  return connection.sasl.identity?.isAnonymous === false
    ? errorCodes.DELEGATION_TOKEN_AUTH_DISABLED
    : errorCodes.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED;
}
