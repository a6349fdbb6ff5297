import { errorCodes } from '../error-codes.ts';
import { type RequestOf } from '../wire/index.ts';
import { after, both, type Gate, type Guard, split, whole } from './guard.ts';

const groupMessage = 'Group authorization failed.';
const topicMessage = 'Topic authorization failed.';
const hiddenTopics =
  'The group has described topic(s) that the client is not authorized to describe.';

const refused = {
  memberEpoch: 0,
  heartbeatIntervalMs: 0,
  acceptableRecoveryLag: 0,
  taskOffsetIntervalMs: 0,
  endpointInformationEpoch: 0,
} as const;

/** Whether topics may be made is asked when one is missing. */
export const streamsGroupHeartbeat: Guard<'StreamsGroupHeartbeat'> = both(
  whole(
    (gate, { groupId }) => gate.may('read', 'group', groupId),
    ({ memberId }) => ({
      ...refused,
      memberId,
      errorCode: errorCodes.GROUP_AUTHORIZATION_FAILED,
      errorMessage: groupMessage,
    }),
  ),
  whole(
    (gate, { topology }) => topology === null || mayDescribeAll(gate, topology.subtopologies),
    ({ memberId }) => ({
      ...refused,
      memberId,
      errorCode: errorCodes.TOPIC_AUTHORIZATION_FAILED,
      errorMessage: topicMessage,
    }),
  ),
);

interface Named {
  readonly name: string;
}

function mayDescribeAll(
  gate: Gate,
  subtopologies: ReadonlyArray<{
    readonly sourceTopics: readonly string[];
    readonly repartitionSourceTopics: readonly Named[];
    readonly stateChangelogTopics: readonly Named[];
  }>,
): boolean {
  return subtopologies.every(({ sourceTopics, repartitionSourceTopics, stateChangelogTopics }) =>
    [
      ...sourceTopics,
      ...[...repartitionSourceTopics, ...stateChangelogTopics].map(({ name }) => name),
    ].every((name) => gate.may('describe', 'topic', name)),
  );
}

export const streamsGroupDescribe: Guard<'StreamsGroupDescribe'> = (gate, request, proceed) => {
  const [groupIds, denied] = split(request.groupIds, (id) => gate.may('describe', 'group', id));
  const allowed: RequestOf<'StreamsGroupDescribe'> = { ...request, groupIds };
  return after<'StreamsGroupDescribe'>(proceed(allowed), (response) => ({
    ...response,
    groups: [
      ...response.groups.map((group) => {
        const { groupId, topology, authorizedOperations: told } = group;
        return mayDescribeAll(gate, topology?.subtopologies ?? [])
          ? { ...group, authorizedOperations: gate.permitted(told, 'group', groupId) }
          : hide(groupId, errorCodes.TOPIC_AUTHORIZATION_FAILED, hiddenTopics);
      }),
      ...denied.map((id) => hide(id, errorCodes.GROUP_AUTHORIZATION_FAILED, groupMessage)),
    ],
  }));
};

function hide(groupId: string, errorCode: number, errorMessage: string) {
  return {
    errorCode,
    errorMessage,
    groupId,
    groupState: '',
    groupEpoch: 0,
    assignmentEpoch: 0,
    members: [],
  };
}
