import { api, array, int16, int32, int8, string, struct } from '../schema.ts';

/** Version 4 asks for several coordinators at once (KIP-699). */
export const findCoordinator = api({
  key: 10,
  versions: [0, 6],
  flexibleSince: 3,
  request: struct({
    key: string({ until: 3 }),
    keyType: int8({ since: 1, default: 0 }),
    coordinatorKeys: array(string(), { since: 4 }),
  }),
  response: struct({
    throttleTimeMs: int32({ since: 1, ignorable: true }),
    errorCode: int16({ until: 3 }),
    errorMessage: string({ since: 1, until: 3, nullable: 1, ignorable: true }),
    nodeId: int32({ until: 3 }),
    host: string({ until: 3 }),
    port: int32({ until: 3 }),
    coordinators: array(
      struct({
        key: string(),
        nodeId: int32(),
        host: string(),
        port: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: 4, ignorable: true }),
      }),
      { since: 4 },
    ),
  }),
});
