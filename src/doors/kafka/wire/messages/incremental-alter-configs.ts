import { api, array, boolean, int16, int32, int8, string, struct } from '../schema.ts';

export const incrementalAlterConfigs = api({
  key: 44,
  versions: [0, 1],
  flexibleSince: 1,
  request: struct({
    resources: array(
      struct({
        resourceType: int8(),
        resourceName: string(),
        configs: array(
          struct({ name: string(), configOperation: int8(), value: string({ nullable: 0 }) }),
        ),
      }),
    ),
    validateOnly: boolean(),
  }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    responses: array(
      struct({
        errorCode: int16(),
        errorMessage: string({ nullable: 0 }),
        resourceType: int8(),
        resourceName: string(),
      }),
    ),
  }),
});
