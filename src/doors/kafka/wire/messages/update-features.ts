import { api, array, boolean, int16, int32, int8, string, struct } from '../schema.ts';

export const updateFeatures = api({
  key: 57,
  versions: [0, 2],
  flexibleSince: 0,
  request: struct({
    timeoutMs: int32({ default: 60_000 }),
    featureUpdates: array(
      struct({
        feature: string(),
        maxVersionLevel: int16(),
        allowDowngrade: boolean({ until: 0 }),
        upgradeType: int8({ since: 1, default: 1 }),
      }),
    ),
    validateOnly: boolean({ since: 1 }),
  }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: 0 }),
    results: array(
      struct({ feature: string(), errorCode: int16(), errorMessage: string({ nullable: 0 }) }),
      { until: 1, ignorable: true },
    ),
  }),
});
