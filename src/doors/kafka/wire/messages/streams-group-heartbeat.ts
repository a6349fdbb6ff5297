import {
  api,
  array,
  boolean,
  int8,
  int16,
  int32,
  int64,
  string,
  struct,
  uint16,
} from '../schema.ts';

const keyValue = struct({ key: string(), value: string() });
const endpoint = { host: string(), port: uint16() };
const topicInfo = struct({
  name: string(),
  partitions: int32(),
  replicationFactor: int16(),
  topicConfigs: array(keyValue),
});
const tasks = struct({ subtopologyId: string(), partitions: array(int32()) });
const taskOffset = struct({ subtopologyId: string(), partition: int32(), offset: int64() });
const topicPartitions = struct({ topic: string(), partitions: array(int32()) });
const unchanged = { nullable: 0, default: null } as const;

/** A null field of the request says that it has not changed since the last heartbeat (KIP-1071). */
export const streamsGroupHeartbeat = api({
  key: 88,
  versions: [0, 0],
  flexibleSince: 0,
  request: struct({
    groupId: string(),
    memberId: string(),
    memberEpoch: int32(),
    endpointInformationEpoch: int32(),
    instanceId: string(unchanged),
    rackId: string(unchanged),
    rebalanceTimeoutMs: int32({ default: -1 }),
    topology: struct(
      {
        epoch: int32(),
        subtopologies: array(
          struct({
            subtopologyId: string(),
            sourceTopics: array(string()),
            sourceTopicRegex: array(string()),
            stateChangelogTopics: array(topicInfo),
            repartitionSinkTopics: array(string()),
            repartitionSourceTopics: array(topicInfo),
            copartitionGroups: array(
              struct({
                sourceTopics: array(int16()),
                sourceTopicRegex: array(int16()),
                repartitionSourceTopics: array(int16()),
              }),
            ),
          }),
        ),
      },
      unchanged,
    ),
    activeTasks: array(tasks, unchanged),
    standbyTasks: array(tasks, unchanged),
    warmupTasks: array(tasks, unchanged),
    processId: string(unchanged),
    userEndpoint: struct(endpoint, unchanged),
    clientTags: array(keyValue, unchanged),
    taskOffsets: array(taskOffset, unchanged),
    taskEndOffsets: array(taskOffset, unchanged),
    shutdownApplication: boolean({ default: false }),
  }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string(unchanged),
    memberId: string(),
    memberEpoch: int32(),
    heartbeatIntervalMs: int32(),
    acceptableRecoveryLag: int32(),
    taskOffsetIntervalMs: int32(),
    status: array(struct({ statusCode: int8(), statusDetail: string() }), unchanged),
    activeTasks: array(tasks, unchanged),
    standbyTasks: array(tasks, unchanged),
    warmupTasks: array(tasks, unchanged),
    endpointInformationEpoch: int32(),
    partitionsByUserEndpoint: array(
      struct({
        userEndpoint: struct(endpoint),
        activePartitions: array(topicPartitions),
        standbyPartitions: array(topicPartitions),
      }),
      unchanged,
    ),
  }),
});
