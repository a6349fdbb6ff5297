import { api, array, int16, int32, int8, string, struct } from '../schema.ts';

/** Version 0 knew only the resources of client metrics, whose type is 16 (KIP-714, KIP-1142). */
export const listConfigResources = api({
  key: 74,
  versions: [0, 1],
  flexibleSince: 0,
  request: struct({ resourceTypes: array(int8(), { since: 1 }) }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    configResources: array(
      struct({
        resourceName: string(),
        resourceType: int8({ since: 1, default: 16, ignorable: true }),
      }),
    ),
  }),
});
