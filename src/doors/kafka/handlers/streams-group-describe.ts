// StreamsGroupDescribe 0 (KIP-1071). A group without members tells the topology that it had last.
import { groupOperations, operationsOmitted } from '../authorized-operations.ts';
import { errorCodes } from '../error-codes.ts';
import { groupStateNames } from '../group-states.ts';
import type { HandlerContext } from '../handler.ts';
import { once } from '../repetition.ts';
import { type StreamsGroup, type StreamsMember, toWire } from '../streams-groups/index.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

type Described = ResponseInput<'StreamsGroupDescribe'>['groups'][number];

export function streamsGroupDescribe(
  { broker, door }: HandlerContext,
  { groupIds, includeAuthorizedOperations }: RequestOf<'StreamsGroupDescribe'>,
): ResponseInput<'StreamsGroupDescribe'> {
  const authorizedOperations = includeAuthorizedOperations ? groupOperations : operationsOmitted;
  return {
    groups: once(groupIds).map((groupId): Described => {
      const group = door.streamsGroups.find(groupId);
      if (group !== undefined) return Object.assign(describe(group), { authorizedOperations });
      const isOther =
        broker.groupsFor(groupId).describe(groupId).state !== 'dead' ||
        door.shareGroups.has(groupId);
      return refuse(groupId, isOther ? 'is not a streams group.' : 'not found.');
    }),
  };
}

function describe(group: StreamsGroup): Described {
  const { topology, configured } = group;
  const isConfigured = configured.subtopologies.length > 0;
  return {
    errorCode: errorCodes.NONE,
    groupId: group.id,
    groupState: group.state,
    groupEpoch: group.epoch,
    assignmentEpoch: group.assignmentEpoch,
    topology: {
      epoch: topology.epoch,
      subtopologies: isConfigured
        ? configured.subtopologies.map(
            ({ subtopologyId, sources, repartitionSources, changelogs }) => ({
              subtopologyId,
              sourceTopics: [...sources.keys()].filter(
                (name) => !repartitionSources.some((topic) => topic.name === name),
              ),
              repartitionSinkTopics:
                topology.subtopologies.find((each) => each.subtopologyId === subtopologyId)
                  ?.repartitionSinkTopics ?? [],
              stateChangelogTopics: changelogs.map((topic) => ({ ...topic, partitions: 0 })),
              repartitionSourceTopics: repartitionSources,
            }),
          )
        : null,
    },
    members: [...group.members.values()].map((member) => describeMember(group, member)),
  };
}

function describeMember(group: StreamsGroup, member: StreamsMember): Described['members'][number] {
  const target = group.targetOf(member);
  return {
    memberId: member.memberId,
    memberEpoch: member.epoch,
    rackId: member.rackId,
    clientId: member.clientId,
    clientHost: member.clientHost,
    topologyEpoch: member.topologyEpoch,
    processId: member.processId,
    userEndpoint: member.userEndpoint,
    clientTags: member.clientTags,
    taskOffsets: member.taskOffsets,
    taskEndOffsets: member.taskEndOffsets,
    assignment: {
      activeTasks: toWire(member.assigned.active),
      standbyTasks: toWire(member.assigned.standby),
      warmupTasks: [],
    },
    targetAssignment: {
      activeTasks: toWire(target.active),
      standbyTasks: toWire(target.standby),
      warmupTasks: [],
    },
    isClassic: false,
  };
}

function refuse(groupId: string, problem: string): Described {
  return {
    errorCode: errorCodes.GROUP_ID_NOT_FOUND,
    errorMessage: `Group ${groupId} ${problem}`,
    groupId,
    groupState: groupStateNames.dead,
    groupEpoch: 0,
    assignmentEpoch: 0,
    members: [],
  };
}
