import { api, array, bytes, int16, int32, int64, string, struct } from '../schema.ts';

const principals = array(struct({ principalType: string(), principalName: string() }));

export const describeDelegationToken = api({
  key: 41,
  versions: [1, 3],
  flexibleSince: 2,
  request: struct({
    owners: array(struct({ principalType: string(), principalName: string() }), { nullable: 0 }),
  }),
  response: struct({
    errorCode: int16(),
    tokens: array(
      struct({
        principalType: string(),
        principalName: string(),
        tokenRequesterPrincipalType: string({ since: 3 }),
        tokenRequesterPrincipalName: string({ since: 3 }),
        issueTimestamp: int64(),
        expiryTimestamp: int64(),
        maxTimestamp: int64(),
        tokenId: string(),
        hmac: bytes(),
        renewers: principals,
      }),
    ),
    throttleTimeMs: int32({ default: 0 }),
  }),
});
