import { api, array, int16, int32, int8, string, struct } from '../schema.ts';

export const createAcls = api({
  key: 30,
  versions: [1, 3],
  flexibleSince: 2,
  request: struct({
    creations: array(
      struct({
        resourceType: int8(),
        resourceName: string(),
        resourcePatternType: int8({ default: 3 }),
        principal: string(),
        host: string(),
        operation: int8(),
        permissionType: int8(),
      }),
    ),
  }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    results: array(struct({ errorCode: int16(), errorMessage: string({ nullable: 0 }) })),
  }),
});
