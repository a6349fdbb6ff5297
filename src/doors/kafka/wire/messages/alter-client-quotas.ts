import { api, array, boolean, float64, int16, int32, string, struct } from '../schema.ts';

const entity = array(struct({ entityType: string(), entityName: string({ nullable: 0 }) }));

export const alterClientQuotas = api({
  key: 49,
  versions: [0, 1],
  flexibleSince: 1,
  request: struct({
    entries: array(
      struct({
        entity,
        ops: array(struct({ key: string(), value: float64(), remove: boolean() })),
      }),
    ),
    validateOnly: boolean(),
  }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    entries: array(struct({ errorCode: int16(), errorMessage: string({ nullable: 0 }), entity })),
  }),
});
