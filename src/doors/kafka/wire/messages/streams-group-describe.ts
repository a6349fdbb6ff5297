import { api, array, boolean, int16, int32, int64, string, struct, uint16 } from '../schema.ts';

const keyValue = struct({ key: string(), value: string() });
const topicInfo = struct({
  name: string(),
  partitions: int32(),
  replicationFactor: int16(),
  topicConfigs: array(keyValue),
});
const tasks = array(struct({ subtopologyId: string(), partitions: array(int32()) }));
const taskOffsets = array(struct({ subtopologyId: string(), partition: int32(), offset: int64() }));
const assignment = struct({ activeTasks: tasks, standbyTasks: tasks, warmupTasks: tasks });

export const streamsGroupDescribe = api({
  key: 89,
  versions: [0, 0],
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
        topology: struct(
          {
            epoch: int32(),
            subtopologies: array(
              struct({
                subtopologyId: string(),
                sourceTopics: array(string()),
                repartitionSinkTopics: array(string()),
                stateChangelogTopics: array(topicInfo),
                repartitionSourceTopics: array(topicInfo),
              }),
              { nullable: 0, default: null },
            ),
          },
          { nullable: 0, default: null },
        ),
        members: array(
          struct({
            memberId: string(),
            memberEpoch: int32(),
            instanceId: string({ nullable: 0, default: null }),
            rackId: string({ nullable: 0, default: null }),
            clientId: string(),
            clientHost: string(),
            topologyEpoch: int32(),
            processId: string(),
            userEndpoint: struct(
              { host: string(), port: uint16() },
              { nullable: 0, default: null },
            ),
            clientTags: array(keyValue),
            taskOffsets,
            taskEndOffsets: taskOffsets,
            assignment,
            targetAssignment: assignment,
            isClassic: boolean(),
          }),
        ),
        authorizedOperations: int32({ default: -2147483648 }),
      }),
    ),
  }),
});
