import { api, array, boolean, int16, int32, string, struct, uuid } from '../schema.ts';

export const shareGroupDescribe = api({
  key: 77,
  versions: [1, 1],
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
            rackId: string({ nullable: 0, default: null }),
            memberEpoch: int32(),
            clientId: string(),
            clientHost: string(),
            subscribedTopicNames: array(string()),
            assignment: struct({
              topicPartitions: array(
                struct({ topicId: uuid(), topicName: string(), partitions: array(int32()) }),
              ),
            }),
          }),
        ),
        authorizedOperations: int32({ default: -2147483648 }),
      }),
    ),
  }),
});
