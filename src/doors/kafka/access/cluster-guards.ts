import type { Operation } from '../../../broker/index.ts';
import { resourceTypes } from '../config-sources.ts';
import { errorCodes } from '../error-codes.ts';
import { after, each, type Gate, type Guard, whole } from './guard.ts';

const refused = errorCodes.CLUSTER_AUTHORIZATION_FAILED;
const message = 'Cluster authorization failed.';

function withCluster(operation: Operation): (gate: Gate) => boolean {
  return (gate) => gate.mayWithCluster(operation);
}

const refusal = { errorCode: refused, errorMessage: message } as const;

export const describeCluster: Guard<'DescribeCluster'> = (gate, request, proceed) =>
  after<'DescribeCluster'>(proceed(request), (response) => ({
    ...response,
    clusterAuthorizedOperations: gate.permittedWithCluster(response.clusterAuthorizedOperations),
  }));

export const describeAcls: Guard<'DescribeAcls'> = whole(withCluster('describe'), () => ({
  ...refusal,
  resources: [],
}));

export const createAcls: Guard<'CreateAcls'> = whole(withCluster('alter'), ({ creations }) => ({
  results: creations.map(() => refusal),
}));

export const deleteAcls: Guard<'DeleteAcls'> = whole(withCluster('alter'), ({ filters }) => ({
  filterResults: filters.map(() => ({ ...refusal, matchingAcls: [] })),
}));

export const describeUserScramCredentials: Guard<'DescribeUserScramCredentials'> = whole(
  withCluster('describe'),
  () => ({ ...refusal, results: [] }),
);

export const alterUserScramCredentials: Guard<'AlterUserScramCredentials'> = whole(
  withCluster('alter'),
  ({ deletions, upsertions }) => ({
    results: [...new Set([...deletions, ...upsertions].map(({ name }) => name))].map((user) => ({
      user,
      errorCode: refused,
      errorMessage: message,
    })),
  }),
);

export const describeClientQuotas: Guard<'DescribeClientQuotas'> = whole(
  withCluster('describe-configs'),
  () => ({ ...refusal, entries: null }),
);

export const alterClientQuotas: Guard<'AlterClientQuotas'> = whole(
  withCluster('alter-configs'),
  ({ entries }) => ({ entries: entries.map(({ entity }) => ({ ...refusal, entity })) }),
);

export const describeQuorum: Guard<'DescribeQuorum'> = whole(withCluster('describe'), () => ({
  ...refusal,
  topics: [],
}));

export const updateFeatures: Guard<'UpdateFeatures'> = whole(withCluster('alter'), () => refusal);

export const listConfigResources: Guard<'ListConfigResources'> = whole(
  withCluster('describe-configs'),
  () => ({ errorCode: refused, configResources: [] }),
);

export const describeLogDirs: Guard<'DescribeLogDirs'> = whole(withCluster('describe'), () => ({
  errorCode: refused,
  results: [],
}));

/** Version 0 has no place for an error of the whole request: nothing is elected, and nothing told. */
export const electLeaders: Guard<'ElectLeaders'> = whole(
  withCluster('alter'),
  ({ topicPartitions }, version) => ({
    ...(version === 0 ? { errorCode: 0 } : { errorCode: refused }),
    replicaElectionResults: (topicPartitions ?? []).map(({ topic, partitions }) => ({
      topic,
      partitionResult: partitions.map((partitionId) => ({ partitionId, ...refusal })),
    })),
  }),
);

export const alterPartitionReassignments: Guard<'AlterPartitionReassignments'> = whole(
  withCluster('alter'),
  () => ({ ...refusal, responses: [] }),
);

export const alterReplicaLogDirs: Guard<'AlterReplicaLogDirs'> = whole(
  withCluster('alter'),
  ({ dirs }) => ({
    results: dirs.flatMap(({ topics }) =>
      topics.map(({ name, partitions }) => ({
        topicName: name,
        partitions: partitions.map((partitionIndex) => ({ partitionIndex, errorCode: refused })),
      })),
    ),
  }),
);

export const listPartitionReassignments: Guard<'ListPartitionReassignments'> = whole(
  withCluster('describe'),
  () => ({ ...refusal, topics: [] }),
);

interface ConfigResource {
  readonly resourceType: number;
  readonly resourceName: string;
}

function mayWithConfigs(
  operation: 'describe-configs' | 'alter-configs',
): (gate: Gate, resource: ConfigResource) => boolean {
  return (gate, { resourceType, resourceName }) => {
    if (resourceType === resourceTypes.topic) return gate.may(operation, 'topic', resourceName);
    if (resourceType === resourceTypes.group) return gate.may(operation, 'group', resourceName);
    return gate.mayWithCluster(operation);
  };
}

function refuseConfigs({ resourceType, resourceName }: ConfigResource) {
  if (resourceType === resourceTypes.topic) {
    return {
      resourceType,
      resourceName,
      errorCode: errorCodes.TOPIC_AUTHORIZATION_FAILED,
      errorMessage: 'Topic authorization failed.',
    };
  }
  if (resourceType === resourceTypes.group) {
    return {
      resourceType,
      resourceName,
      errorCode: errorCodes.GROUP_AUTHORIZATION_FAILED,
      errorMessage: 'Group authorization failed.',
    };
  }
  return { resourceType, resourceName, ...refusal };
}

export const describeConfigs: Guard<'DescribeConfigs'> = each({
  of: 'resources',
  into: 'results',
  isAllowed: mayWithConfigs('describe-configs'),
  refuse: (resource) => ({ ...refuseConfigs(resource), configs: [] }),
});

export const alterConfigs: Guard<'AlterConfigs'> = each({
  of: 'resources',
  into: 'responses',
  isAllowed: mayWithConfigs('alter-configs'),
  refuse: refuseConfigs,
});

export const incrementalAlterConfigs: Guard<'IncrementalAlterConfigs'> = each({
  of: 'resources',
  into: 'responses',
  isAllowed: mayWithConfigs('alter-configs'),
  refuse: refuseConfigs,
});
