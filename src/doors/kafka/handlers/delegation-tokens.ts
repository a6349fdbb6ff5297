// CreateDelegationToken 1-3, RenewDelegationToken 1-2, ExpireDelegationToken 1-2, DescribeDelegationToken 1-3 (KIP-48): as a
// broker of Kafka answers that has no key for such tokens. Clients that log in by tokens use OAUTHBEARER here.
import { errorCodes } from '../error-codes.ts';
import type { ResponseInput } from '../wire/index.ts';

const errorCode = errorCodes.DELEGATION_TOKEN_AUTH_DISABLED;

export function createDelegationToken(): ResponseInput<'CreateDelegationToken'> {
  return {
    errorCode,
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

export function renewDelegationToken(): ResponseInput<'RenewDelegationToken'> {
  return { errorCode, expiryTimestampMs: -1 };
}

export function expireDelegationToken(): ResponseInput<'ExpireDelegationToken'> {
  return { errorCode, expiryTimestampMs: -1 };
}

export function describeDelegationToken(): ResponseInput<'DescribeDelegationToken'> {
  return { errorCode, tokens: [] };
}
