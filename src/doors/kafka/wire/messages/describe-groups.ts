import { api, array, boolean, bytes, int16, int32, string, struct } from '../schema.ts';

export const describeGroups = api({
  key: 15,
  versions: [0, 6],
  flexibleSince: 5,
  request: struct({
    groups: array(string()),
    includeAuthorizedOperations: boolean({ since: 3 }),
  }),
  response: struct({
    throttleTimeMs: int32({ since: 1, ignorable: true }),
    groups: array(
      struct({
        errorCode: int16(),
        // Ignorable only here: old clients lose nothing, and the handler need not look at the version.
        errorMessage: string({ since: 6, nullable: 6, default: null, ignorable: true }),
        groupId: string(),
        groupState: string(),
        protocolType: string(),
        protocolData: string(),
        members: array(
          struct({
            memberId: string(),
            groupInstanceId: string({ since: 4, nullable: 4, default: null, ignorable: true }),
            clientId: string(),
            clientHost: string(),
            memberMetadata: bytes(),
            memberAssignment: bytes(),
          }),
        ),
        authorizedOperations: int32({ since: 3, default: -2147483648 }),
      }),
    ),
  }),
});
