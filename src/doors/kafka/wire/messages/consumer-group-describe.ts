import { api, array, boolean, int16, int32, int8, string, struct, uuid } from '../schema.ts';

const assignment = struct({
  topicPartitions: array(
    struct({ topicId: uuid(), topicName: string(), partitions: array(int32()) }),
  ),
});

export const consumerGroupDescribe = api({
  key: 69,
  versions: [0, 1],
  flexibleSince: 0,
  request: struct({ groupIds: array(string()), includeAuthorizedOperations: boolean() }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    groups: array(
      struct({
        errorCode: int16(),
        errorMessage: string({ nullable: 0, default: null }),
        groupId: string(),
        groupState: string(),
        groupEpoch: int32(),
        assignmentEpoch: int32(),
        assignorName: string(),
        members: array(
          struct({
            memberId: string(),
            instanceId: string({ nullable: 0, default: null }),
            rackId: string({ nullable: 0, default: null }),
            memberEpoch: int32(),
            clientId: string(),
            clientHost: string(),
            subscribedTopicNames: array(string()),
            subscribedTopicRegex: string({ nullable: 0, default: null }),
            assignment,
            targetAssignment: assignment,
            memberType: int8({ since: 1, default: -1, ignorable: true }),
          }),
        ),
        authorizedOperations: int32({ default: -2147483648 }),
      }),
    ),
  }),
});
