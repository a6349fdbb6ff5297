import { api, array, boolean, int16, int32, int64, string, struct, uuid } from '../schema.ts';

/** Version 8 asks for several groups at once (KIP-709). */
export const offsetFetch = api({
  key: 9,
  versions: [1, 10],
  flexibleSince: 6,
  request: struct({
    groupId: string({ until: 7 }),
    topics: array(struct({ name: string(), partitionIndexes: array(int32()) }), {
      until: 7,
      nullable: 2,
    }),
    groups: array(
      struct({
        groupId: string(),
        memberId: string({ since: 9, nullable: 9, default: null, ignorable: true }),
        memberEpoch: int32({ since: 9, default: -1, ignorable: true }),
        topics: array(
          struct({
            name: string({ until: 9, ignorable: true }),
            topicId: uuid({ since: 10, ignorable: true }),
            partitionIndexes: array(int32()),
          }),
          { nullable: 8 },
        ),
      }),
      { since: 8 },
    ),
    requireStable: boolean({ since: 7 }),
  }),
  response: struct({
    throttleTimeMs: int32({ since: 3, ignorable: true }),
    topics: array(
      struct({
        name: string(),
        partitions: array(
          struct({
            partitionIndex: int32(),
            committedOffset: int64(),
            committedLeaderEpoch: int32({ since: 5, default: -1, ignorable: true }),
            metadata: string({ nullable: 0 }),
            errorCode: int16(),
          }),
        ),
      }),
      { until: 7 },
    ),
    errorCode: int16({ since: 2, until: 7, ignorable: true }),
    groups: array(
      struct({
        groupId: string(),
        topics: array(
          struct({
            name: string({ until: 9, ignorable: true }),
            topicId: uuid({ since: 10, ignorable: true }),
            partitions: array(
              struct({
                partitionIndex: int32(),
                committedOffset: int64(),
                committedLeaderEpoch: int32({ default: -1, ignorable: true }),
                metadata: string({ nullable: 8 }),
                errorCode: int16(),
              }),
            ),
          }),
        ),
        errorCode: int16({ default: 0 }),
      }),
      { since: 8 },
    ),
  }),
});
