// ConsumerGroupDescribe 0-1 (KIP-848). Version 1 tells which members join with JoinGroup (KIP-1099).
import type { BrokerPort } from '../../../broker/index.ts';
import type { ManagedGroupDescription } from '../../../shard/index.ts';
import { groupOperations, operationsOmitted } from '../authorized-operations.ts';
import { errorCodes } from '../error-codes.ts';
import { groupStateNames } from '../group-states.ts';
import type { HandlerContext } from '../handler.ts';
import { once } from '../repetition.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

type Described = ResponseInput<'ConsumerGroupDescribe'>['groups'][number];
type Member = ManagedGroupDescription['members'][number];

const memberType = { classic: 0, consumer: 1 } as const;

export function consumerGroupDescribe(
  { broker, door }: HandlerContext,
  { groupIds, includeAuthorizedOperations }: RequestOf<'ConsumerGroupDescribe'>,
): ResponseInput<'ConsumerGroupDescribe'> {
  const authorizedOperations = includeAuthorizedOperations ? groupOperations : operationsOmitted;
  return {
    groups: once(groupIds).map((groupId): Described => {
      const groups = broker.groupsFor(groupId);
      const group = groups.describeManaged(groupId);
      if (group !== undefined)
        return Object.assign(describe(broker, group), { authorizedOperations });
      const isOther = groups.describe(groupId).state !== 'dead' || door.shareGroups.has(groupId);
      return refuse(groupId, isOther ? 'is not a consumer group.' : 'not found.');
    }),
  };
}

function describe(broker: BrokerPort, group: ManagedGroupDescription): Described {
  return {
    errorCode: errorCodes.NONE,
    groupId: group.groupId,
    groupState: groupStateNames[group.state],
    groupEpoch: group.epoch,
    assignmentEpoch: group.assignmentEpoch,
    assignorName: group.assignorName,
    members: group.members.map((member) => ({
      memberId: member.memberId,
      instanceId: member.instanceId ?? null,
      rackId: member.rackId ?? null,
      memberEpoch: member.epoch,
      clientId: member.clientId,
      clientHost: member.clientHost,
      subscribedTopicNames: [...member.topics],
      subscribedTopicRegex: member.pattern === '' ? null : member.pattern,
      assignment: { topicPartitions: nameTopics(broker, member.assignment) },
      targetAssignment: { topicPartitions: nameTopics(broker, member.target) },
      memberType: member.isClassic ? memberType.classic : memberType.consumer,
    })),
  };
}

/** Topics that were deleted meanwhile are left out. */
function nameTopics(broker: BrokerPort, list: Member['assignment']) {
  return list.flatMap(({ topicId, partitions }) => {
    const topicName = broker.topics.findById(topicId)?.name;
    return topicName === undefined ? [] : [{ topicId, topicName, partitions: [...partitions] }];
  });
}

function refuse(groupId: string, problem: string): Described {
  return {
    errorCode: errorCodes.GROUP_ID_NOT_FOUND,
    errorMessage: `Group ${groupId} ${problem}`,
    groupId,
    groupState: groupStateNames.dead,
    groupEpoch: 0,
    assignmentEpoch: 0,
    assignorName: '',
    members: [],
  };
}
