import { api, array, bytes, int16, int32, int64, string, struct } from '../schema.ts';

export const createDelegationToken = api({
  key: 38,
  versions: [1, 3],
  flexibleSince: 2,
  request: struct({
    ownerPrincipalType: string({ since: 3, nullable: 3 }),
    ownerPrincipalName: string({ since: 3, nullable: 3 }),
    renewers: array(struct({ principalType: string(), principalName: string() })),
    maxLifetimeMs: int64(),
  }),
  response: struct({
    errorCode: int16(),
    principalType: string(),
    principalName: string(),
    tokenRequesterPrincipalType: string({ since: 3 }),
    tokenRequesterPrincipalName: string({ since: 3 }),
    issueTimestampMs: int64(),
    expiryTimestampMs: int64(),
    maxTimestampMs: int64(),
    tokenId: string(),
    hmac: bytes(),
    throttleTimeMs: int32({ default: 0 }),
  }),
});
