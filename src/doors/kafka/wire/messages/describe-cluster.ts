import { api, array, boolean, int16, int32, int8, string, struct } from '../schema.ts';

export const describeCluster = api({
  key: 60,
  versions: [0, 2],
  flexibleSince: 0,
  request: struct({
    includeClusterAuthorizedOperations: boolean(),
    endpointType: int8({ since: 1, default: 1 }),
    includeFencedBrokers: boolean({ since: 2 }),
  }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: 0, default: null }),
    endpointType: int8({ since: 1, default: 1 }),
    clusterId: string(),
    controllerId: int32({ default: -1 }),
    brokers: array(
      struct({
        brokerId: int32(),
        host: string(),
        port: int32(),
        rack: string({ nullable: 0, default: null }),
        isFenced: boolean({ since: 2 }),
      }),
    ),
    clusterAuthorizedOperations: int32({ default: -2147483648 }),
  }),
});
