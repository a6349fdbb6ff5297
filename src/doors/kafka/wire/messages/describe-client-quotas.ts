import { api, array, boolean, float64, int16, int32, int8, string, struct } from '../schema.ts';

export const describeClientQuotas = api({
  key: 48,
  versions: [0, 1],
  flexibleSince: 1,
  request: struct({
    components: array(
      struct({ entityType: string(), matchType: int8(), match: string({ nullable: 0 }) }),
    ),
    strict: boolean(),
  }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: 0 }),
    entries: array(
      struct({
        entity: array(struct({ entityType: string(), entityName: string({ nullable: 0 }) })),
        values: array(struct({ key: string(), value: float64() })),
      }),
      { nullable: 0 },
    ),
  }),
});
