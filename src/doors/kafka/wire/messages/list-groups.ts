import { api, array, int16, int32, string, struct } from '../schema.ts';

export const listGroups = api({
  key: 16,
  versions: [0, 5],
  flexibleSince: 3,
  request: struct({
    statesFilter: array(string(), { since: 4 }),
    typesFilter: array(string(), { since: 5 }),
  }),
  response: struct({
    throttleTimeMs: int32({ since: 1, ignorable: true }),
    errorCode: int16(),
    groups: array(
      struct({
        groupId: string(),
        protocolType: string(),
        groupState: string({ since: 4, ignorable: true }),
        groupType: string({ since: 5, ignorable: true }),
      }),
    ),
  }),
});
