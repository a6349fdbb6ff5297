import { api, bytes, int16, int32, int64, struct } from '../schema.ts';

export const expireDelegationToken = api({
  key: 40,
  versions: [1, 2],
  flexibleSince: 2,
  request: struct({ hmac: bytes(), expiryTimePeriodMs: int64() }),
  response: struct({
    errorCode: int16(),
    expiryTimestampMs: int64(),
    throttleTimeMs: int32({ default: 0 }),
  }),
});
